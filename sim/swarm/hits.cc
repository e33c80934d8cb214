#include "sim/swarm/hits.h"

#include <fmt/format.h>

#include <array>
#include <set>

namespace squall::sim {
namespace {

constexpr std::array<std::string_view, 6> kPhases = {"starting",     "idle",     "working",
                                                     "reconnecting", "stopping", "down"};

// Where each worker is in its life, from its own lines; and whether there is work.
class Lives {
 public:
  void Observe(const journal::Event& event) {
    if (const auto* process = event.As<journal::ProcessEvent>()) {
      if (process->role != "worker") return;
      if (process->what == "starting") phases_[process->process] = "starting";
      if (process->what == "exited") phases_[process->process] = "down";
      if (process->what == "signalled" && process->reason == "asked")
        phases_[process->process] = "stopping";
    } else if (const auto* worker = event.As<journal::WorkerEvent>()) {
      std::string_view& phase = phases_[worker->worker];
      if (phase == "stopping" || phase == "down") return;
      if (worker->what == "polling" || worker->what == "healthy") phase = "idle";
      if (worker->what == "unhealthy" || worker->what == "retrying") phase = "reconnecting";
    } else if (const auto* workflow = event.As<journal::WorkflowEvent>()) {
      if (workflow->what == "accepted") {
        open_.insert(workflow->workflow_id);
      } else if (workflow->what != "requested" && workflow->what != "continued") {
        open_.erase(workflow->workflow_id);
      }
    }
  }

  const std::map<std::string, std::string_view>& phases() const { return phases_; }
  std::string_view Of(std::string_view phase) const {
    return phase == "idle" && !open_.empty() ? "working" : phase;
  }

 private:
  std::map<std::string, std::string_view> phases_;
  std::set<std::string> open_;  // workflows
};

}  // namespace

std::span<const std::string_view> Phases() { return kPhases; }

HitTable HitsOf(std::span<const journal::Event> events) {
  HitTable table;
  Lives lives;
  for (const journal::Event& event : events) {
    lives.Observe(event);
    const auto* fault = event.As<journal::FaultEvent>();
    if (fault == nullptr || (fault->what != "injected" && fault->what != "hit")) continue;
    const bool link = fault->target.starts_with("link-");
    const std::string worker = link ? fault->target.substr(5) : fault->target;
    const bool server = !lives.phases().contains(worker);
    const std::string name = fmt::format("{} {}",
                                         link     ? "link"
                                         : server ? "server"
                                                  : "worker",
                                         fault->fault);
    for (const auto& [of, phase] : lives.phases()) {
      if (!server && of != worker) continue;
      HitCount& count = table[{name, std::string(lives.Of(phase))}];
      ++(fault->what == "hit" ? count.met : count.injected);
    }
  }
  return table;
}

void Add(HitTable& sum, const HitTable& more) {
  for (const auto& [place, count] : more) {
    sum[place].injected += count.injected;
    sum[place].met += count.met;
  }
}

std::string ToMarkdown(const HitTable& table) {
  std::string text = "| fault |";
  for (const std::string_view phase : kPhases) text += fmt::format(" {} |", phase);
  text += "\n|---|---|---|---|---|---|---|\n";
  std::set<std::string> names;
  for (const auto& [place, count] : table) names.insert(place.first);
  for (const std::string& name : names) {
    text += fmt::format("| {} |", name);
    for (const std::string_view phase : kPhases) {
      const auto it = table.find({name, std::string(phase)});
      text +=
          it == table.end() ? " |" : fmt::format(" {} / {} |", it->second.injected, it->second.met);
    }
    text += "\n";
  }
  return text;
}

}  // namespace squall::sim
