// Ends and restarts taken together: a crash loop is one finding, with its common cause.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::ProcessEvent;
using journal::WorkerEvent;
using enum ParamType;

// What a platform says when it starts its container again (fakes/worker/platform): a `retrying`
// line of its own whose detail begins so, then the number, a colon and the cause.
constexpr std::string_view kRestart = "restart ";

// The same cause in other words differs in figures only: ports, process ids, times.
std::string WithoutFigures(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!digit || out.empty() || out.back() != '#') out += digit ? '#' : c;
  }
  return out;
}

// -----------------------------------------------------------------------------------------------------------
// no_crash_loop

class NoCrashLoop final : public Checker {
 public:
  explicit NoCrashLoop(const Params& params)
      : track_(params.Text("worker")),
        exits_(static_cast<std::size_t>(params.Int("exits", 3))),
        window_(params.Time("window")) {}

  void Observe(const Event& event) override {
    if (const auto* w = event.As<WorkerEvent>(); w != nullptr && w->worker == track_.process()) {
      if (w->what == "fatal") fatal_ = w->detail;
      const std::size_t colon = w->detail.find(": ");
      const bool of_platform = track_.current() && w->pid == track_.current()->pid;
      if (w->what == "retrying" && of_platform && w->detail.starts_with(kRestart) &&
          colon != std::string::npos) {
        ends_.push_back({event.time, w->detail.substr(colon + 2)});
        fatal_.clear();
      }
    }
    if (!track_.Observe(event)) return;
    const auto* p = event.As<ProcessEvent>();
    if (p->what != "exited" || p->reason != "unexpected") return;
    const std::string how = p->exit_code ? fmt::format("exit code {}", *p->exit_code)
                                         : fmt::format("signal {}", p->signal.value_or(0));
    ends_.push_back({event.time, fatal_.empty() ? how : how + ", " + fatal_});
    fatal_.clear();
  }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = fmt::format("{} does not end {} within {}", track_.process(),
                                             Counted(exits_, "time"), FormatDuration(window_));
    if (track_.lives().empty()) return Unknown(expected, "it was never started");
    for (std::size_t i = 0; i + exits_ <= ends_.size(); ++i) {
      if (ends_[i + exits_ - 1].at - ends_[i].at > window_) continue;
      return Fail(expected, fmt::format("crash loop: it ended {} in {} from {} on, {}",
                                        Counted(ends_.size() - i, "time"),
                                        FormatDuration(ends_.back().at - ends_[i].at),
                                        At(ends_[i].at), CommonCause(i)));
    }
    if (ends_.empty()) return Pass(expected, "it did not end");
    return Pass(expected,
                fmt::format("it ended {}, {}", Counted(ends_.size(), "time"), CommonCause(0)));
  }

 private:
  struct End {
    SteadyTime at;
    std::string cause;
  };

  std::string CommonCause(std::size_t from) const {
    std::map<std::string, std::pair<std::size_t, std::string>> causes;  // how often, as first told
    for (std::size_t i = from; i < ends_.size(); ++i) {
      auto& [count, text] = causes[WithoutFigures(ends_[i].cause)];
      if (++count == 1) text = ends_[i].cause;
    }
    const auto& [count, text] =
        std::max_element(causes.begin(), causes.end(), [](const auto& a, const auto& b) {
          return a.second.first < b.second.first;
        })->second;
    if (count == ends_.size() - from)
      return fmt::format("{}: {}", count == 1 ? "by" : "each time by", text);
    return fmt::format("{} of {} times by: {}", count, ends_.size() - from, text);
  }

  ProcessTrack track_;
  std::size_t exits_;
  Duration window_;
  std::vector<End> ends_;
  std::string fatal_;  // the last one of this life
};

}  // namespace

std::vector<CheckKind> RestartChecks() {
  return {
      {.definition =
           {.name = "no_crash_loop",
            .doc = "A worker, or what its platform runs for it, is not started again and again. A "
                   "loop is one finding: how often it ended, how fast, and the cause that the ends "
                   "have in common.",
            .params = {{.name = "worker",
                        .type = kWorker,
                        .doc = "The worker, or the platform that runs it.",
                        .required = true},
                       {.name = "exits",
                        .type = kInt,
                        .doc = "So many ends that nobody asked for ...",
                        .default_text = "3",
                        .min = 2},
                       {.name = "window",
                        .type = kDuration,
                        .doc = "... in so short a time make a loop.",
                        .default_text = "10s"}},
            .needs = {"process"}},
       .nothing_seen = "unknown when it was never started",
       .example = "- no_crash_loop: {worker: w, exits: 3, window: 10s}",
       .make = Make<NoCrashLoop>},
  };
}

}  // namespace squall::scenarios
