#pragma once
// What became of one workflow, from the journal.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/journal/event.h"
#include "scenarios/checks/tracks.h"
#include "scenarios/format/json_text.h"

namespace squall::scenarios {

inline bool IsClosing(std::string_view word) {
  return word == "completed" || word == "failed" || word == "timed_out" || word == "cancelled" ||
         word == "terminated";
}

// One workflow id, as clients and servers tell of it: the same end may be told by several.
struct Execution {
  struct End {
    std::string run_id, what, result, detail;
    SteadyTime time;
    std::string source;
  };
  std::size_t requests = 0;
  std::optional<SteadyTime> first_request, accepted;
  std::set<std::string> accepted_runs, continued_runs;
  std::optional<journal::Event> refused;
  std::vector<End> ends;
  bool lost = false;

  void Observe(const journal::Event& event, const journal::WorkflowEvent& w) {
    if (w.what == "requested") {
      ++requests;
      if (!first_request) first_request = event.time;
    }
    if (w.what == "accepted") {
      if (!accepted) accepted = event.time;
      if (!w.run_id.empty()) accepted_runs.insert(w.run_id);
    }
    if (w.what == "refused") refused = event;
    if (w.what == "lost") lost = true;
    if (w.what == "continued") continued_runs.insert(w.run_id);
    if (IsClosing(w.what))
      ends.push_back({w.run_id, w.what, w.result, w.detail, event.time, event.source});
  }

  bool seen() const { return requests > 0 || accepted || refused || !ends.empty(); }
  std::optional<SteadyTime> start() const { return accepted ? accepted : first_request; }

  // From acceptance to the first report of its end; only when it has one.
  Duration took() const { return ends.front().time - start().value_or(ends.front().time); }

  // Distinct runs that closed. An end without a run id is one more report of another's.
  std::size_t closed_runs() const {
    std::set<std::string> runs;
    for (const End& end : ends) {
      if (!end.run_id.empty()) runs.insert(end.run_id);
    }
    return runs.empty() && !ends.empty() ? 1 : runs.size();
  }
  // Every run that was accepted has closed (or went on as another run).
  bool closed() const {
    return !ends.empty() && closed_runs() + continued_runs.size() >= accepted_runs.size();
  }
  // Empty, or how it closed more than once or in two ways.
  std::string Duplicates() const {
    if (closed_runs() > std::max<std::size_t>(1, requests)) {
      return fmt::format("closed {} times, in {}", closed_runs(), Counted(closed_runs(), "run"));
    }
    std::map<std::string, const End*> first;  // by run
    std::map<std::pair<std::string, std::string>, std::size_t> told_by_server;
    for (const End& end : ends) {
      const auto [it, fresh] = first.emplace(end.run_id, &end);
      if (!fresh && it->second->what != end.what) {
        return fmt::format("{} and {}", it->second->what, end.what);
      }
      if (!fresh && !it->second->result.empty() && !end.result.empty() &&
          !SameJson(it->second->result, end.result)) {
        return fmt::format("completed with {} and with {}", it->second->result, end.result);
      }
      // A client may ask twice for the same end; a server closes a run once.
      if (end.source.starts_with("server") && ++told_by_server[{end.source, end.run_id}] > 1) {
        return fmt::format("{} closed the same run twice", end.source);
      }
    }
    return "";
  }
};

}  // namespace squall::scenarios
