// Stopping in order: what is in flight is finished, and things end in the order that was promised.

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::ActivityEvent;
using journal::Event;
using journal::FaultEvent;
using journal::ProcessEvent;
using journal::WorkerEvent;
using journal::WorkflowEvent;
using enum ParamType;

// -----------------------------------------------------------------------------------------------------------
// graceful_stop
//
// What is in flight at the signal is known in two ways. Our servers tell of activities: each that
// was started and had not ended must end as completed in that very attempt. Without them (real
// server) the worker's own lines tell: each open workflow of which it had a task must have its side
// effect from this worker after the signal, or complete before the worker has ended.

class GracefulStop final : public Checker {
 public:
  explicit GracefulStop(const Params& params)
      : track_(params.Text("worker")),
        within_(params.Time("within")),
        code_(static_cast<int>(params.Int("code"))),
        in_flight_(params.Bool("in_flight", true)) {}

  void Observe(const Event& event) override {
    if (const auto* p = event.As<ProcessEvent>(); p != nullptr && p->process == track_.process() &&
                                                  p->what == "signalled" && !signalled_ &&
                                                  IsRequest(p->signal)) {
      signalled_ = event.time;
      signal_ = p->signal.value_or(15);
      for (auto& [id, activity] : activities_) {
        if (activity.running) activity.attempt_in_flight = activity.attempt;
      }
      for (auto& [id, workflow] : workflows_)
        workflow.in_flight = workflow.task_here && !workflow.closed;
    }
    track_.Observe(event);
    if (const auto* a = event.As<ActivityEvent>()) ObserveActivity(*a);
    if (const auto* w = event.As<WorkerEvent>(); w != nullptr && w->worker == track_.process()) {
      if (queue_.empty()) queue_ = w->task_queue;
      if (w->workflow_id.empty()) return;
      Workflow& workflow = workflows_[w->workflow_id];
      if (w->what == "task") workflow.task_here = true;
      if (w->what == "effect" && signalled_) workflow.finished = true;
      if (w->what == "effect" && !signalled_)
        workflow.task_here = false;  // done with, unless another task comes
    }
    if (const auto* w = event.As<WorkflowEvent>()) {
      static constexpr std::array<std::string_view, 5> kEnds = {"completed", "failed", "timed_out",
                                                                "cancelled", "terminated"};
      if (std::find(kEnds.begin(), kEnds.end(), w->what) == kEnds.end()) return;
      Workflow& workflow = workflows_[w->workflow_id];
      workflow.closed = true;
      // Completed after its end, it was completed by another worker.
      workflow.finished = workflow.finished || (w->what == "completed" && track_.up());
    }
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!signalled_ || !track_.up()) return std::nullopt;
    return *signalled_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected = fmt::format(
        "{} finishes what is in flight when it is asked to stop, then exits with code {} within {}",
        track_.process(), code_, FormatDuration(within_));
    if (!signalled_) return Unknown(expected, "it was never asked to stop");
    const ProcessTrack::Life& life = EndAfterSignal();
    if (!life.ended) {
      const Duration waited = end - *signalled_;
      const std::string happened =
          fmt::format("still running {} after signal {}", FormatDuration(waited), signal_);
      return waited < within_ ? Unknown(expected, happened + ", when observation ended")
                              : Fail(expected, happened);
    }
    const Duration took = *life.ended - *signalled_;
    if (took > within_) {
      return Fail(expected, fmt::format("ended only {} after signal {}: {}", FormatDuration(took),
                                        signal_, life.DescribeEndFully()));
    }
    if (life.exit_code != code_) return Fail(expected, life.DescribeEndFully());
    const auto [count, unfinished] = InFlight();
    if (!unfinished.empty()) return Fail(expected, "not finished: " + Listed(unfinished));
    if (in_flight_ && count == 0)
      return Unknown(expected, "nothing was in flight when it was asked to stop");
    return Pass(
        expected,
        fmt::format("exited with code {} {} after signal {}, {} in flight finished",
                    *life.exit_code, FormatDuration(took), signal_, Counted(count, "task")));
  }

 private:
  struct Activity {
    std::string name, queue;
    bool running = false, completed = false;
    int attempt = 0;
    std::optional<int> attempt_in_flight;
    int completed_attempt = 0;
  };
  struct Workflow {
    bool task_here = false, closed = false, in_flight = false, finished = false;
  };

  // SIGKILL and SIGSTOP are no requests.
  static bool IsRequest(const std::optional<int>& signal) {
    const int number = signal.value_or(0);
    return number != SIGKILL && number != SIGSTOP;
  }

  const ProcessTrack::Life& EndAfterSignal() const {
    for (const ProcessTrack::Life& life : track_.lives()) {
      if (!life.ended || *life.ended >= *signalled_) return life;
    }
    return track_.lives().back();
  }

  void ObserveActivity(const ActivityEvent& a) {
    Activity& activity = activities_[{a.workflow_id, a.run_id, a.activity_id}];
    activity.name =
        fmt::format("activity {} of {}", a.type.empty() ? a.activity_id : a.type, a.workflow_id);
    if (!a.task_queue.empty()) activity.queue = a.task_queue;
    if (a.attempt != 0) activity.attempt = a.attempt;
    if (a.what == "started") activity.running = true;
    if (a.what == "completed") {
      activity.completed = true;
      activity.completed_attempt = activity.attempt;
    }
    if (a.what == "completed" || a.what == "failed" || a.what == "timed_out" ||
        a.what == "cancelled")
      activity.running = false;
  }

  // How many were in flight at the signal, and those that did not end well.
  std::pair<std::size_t, std::vector<std::string>> InFlight() const {
    std::size_t count = 0;
    std::vector<std::string> unfinished;
    for (const auto& [id, activity] : activities_) {
      if (!activity.attempt_in_flight ||
          (!queue_.empty() && !activity.queue.empty() && activity.queue != queue_))
        continue;
      ++count;
      if (!activity.completed) {
        unfinished.push_back(activity.name);
      } else if (activity.completed_attempt != *activity.attempt_in_flight) {
        unfinished.push_back(fmt::format("{} (attempt {} was lost, {} completed)", activity.name,
                                         *activity.attempt_in_flight, activity.completed_attempt));
      }
    }
    if (!activities_.empty()) return {count, unfinished};
    for (const auto& [id, workflow] : workflows_) {
      if (!workflow.in_flight) continue;
      ++count;
      if (!workflow.finished) unfinished.push_back("workflow " + id);
    }
    return {count, unfinished};
  }

  ProcessTrack track_;
  Duration within_;
  int code_;
  bool in_flight_;
  std::string queue_;
  std::optional<SteadyTime> signalled_;
  int signal_ = 0;
  std::map<std::array<std::string, 3>, Activity> activities_;
  std::map<std::string, Workflow> workflows_;
};

// ---------------------------------------------------------------------------------------------------------------
// no_hung_shutdown
//
// Who is asked to stop ends by itself. A worker that somebody has to kill, or that is still there
// long after, hangs; one that was frozen meanwhile, or on which a fault is in force that keeps it,
// cannot.

class NoHungShutdown final : public Checker {
 public:
  explicit NoHungShutdown(const Params& params) : within_(params.Time("within")) {
    for (const std::string& name : params.Texts("except")) except_.insert(name);
  }

  void Observe(const Event& event) override {
    if (const auto* f = event.As<FaultEvent>()) {
      const FaultDefinition* row = FindFault(FaultTarget::kWorker, f->fault);
      if (row == nullptr || row->one_shot()) return;
      if (f->what == "injected") kept_[f->target].insert(f->fault_id);
      if (f->what == "healed") kept_[f->target].erase(f->fault_id);
      return;
    }
    const auto* p = event.As<ProcessEvent>();
    if (p == nullptr || p->role != "worker" || except_.contains(p->process)) return;
    Stop& stop = stops_[p->process];
    if (p->what == "starting") stop = {};
    if (p->what == "paused") stop.excused = true;
    const int signal = p->signal.value_or(0);
    if (p->what == "signalled" && !stop.asked && (signal == SIGTERM || signal == SIGINT)) {
      stop.asked = event.time;
      stop.excused = stop.excused || !kept_[p->process].empty();
      ++asked_;
    }
    if (p->what == "resumed" && !stop.asked) stop.excused = false;
    if (p->what != "exited" || !stop.asked) return;
    const Duration took = event.time - *stop.asked;
    if (!stop.excused && p->signal == SIGKILL && p->reason == "asked") {
      hung_.push_back(fmt::format("{} was asked to stop at {} and had to be killed {} later",
                                  p->process, At(*stop.asked), FormatDuration(took)));
    } else if (!stop.excused && took > within_) {
      hung_.push_back(fmt::format("{} was asked to stop at {} and ended only {} later", p->process,
                                  At(*stop.asked), FormatDuration(took)));
    }
    stop = {};
  }

  bool SawAnything() const override { return asked_ > 0; }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected = fmt::format(
        "every worker that is asked to stop ends by itself, within {}", FormatDuration(within_));
    if (asked_ == 0) return Unknown(expected, "no worker was asked to stop");
    std::vector<std::string> hung = hung_;
    for (const auto& [name, stop] : stops_) {
      if (!stop.asked || stop.excused || end <= *stop.asked + within_) continue;
      hung.push_back(fmt::format("{} was asked to stop at {} and still runs {} later", name,
                                 At(*stop.asked), FormatDuration(end - *stop.asked)));
    }
    if (!hung.empty()) return Fail(expected, Listed(hung));
    return Pass(expected, Counted(asked_, "stop") + " seen");
  }

 private:
  struct Stop {
    std::optional<SteadyTime> asked;
    bool excused = false;
  };
  Duration within_;
  std::set<std::string> except_;
  std::map<std::string, std::set<std::string>> kept_;  // faults in force, by what they act on
  std::map<std::string, Stop> stops_;
  std::size_t asked_ = 0;
  std::vector<std::string> hung_;
};

// -------------------------------------------------------------------------------------------------------------------
// order

class Order final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    std::vector<EventPattern> patterns;
    for (const std::string& text : params.Texts("events")) {
      StatusOr<EventPattern> pattern = EventPattern::Parse(text);
      if (!pattern.ok()) return Annotate(pattern.status(), "events");
      patterns.push_back(*std::move(pattern));
    }
    if (patterns.size() < 2)
      return MakeStatus(StatusCode::kInvalidArgument, "events: an order needs at least two");
    return std::unique_ptr<Checker>(new Order(std::move(patterns)));
  }

  std::vector<std::string> Needs() const override {
    std::vector<std::string> kinds;
    for (const EventPattern& pattern : patterns_) kinds.push_back(pattern.kind());
    return kinds;
  }

  void Observe(const Event& event) override {
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (!first_[i] && patterns_[i].Matches(event)) first_[i] = {event.sequence, event.time};
    }
  }

  Verdict Finish(SteadyTime) const override {
    std::vector<std::string> texts;
    for (const EventPattern& pattern : patterns_) texts.push_back(pattern.text());
    const std::string expected = fmt::format("in this order: {}", fmt::join(texts, ", then "));
    if (std::none_of(first_.begin(), first_.end(), [](const auto& f) { return f.has_value(); })) {
      return Unknown(expected, "none of it happened");
    }
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (!first_[i]) missing.push_back(patterns_[i].text());
    }
    if (!missing.empty()) return Fail(expected, "never happened: " + Listed(missing));
    for (std::size_t i = 1; i < patterns_.size(); ++i) {
      if (first_[i]->first <= first_[i - 1]->first) {
        return Fail(expected, fmt::format("{} at {}, before {} at {}", patterns_[i].text(),
                                          At(first_[i]->second), patterns_[i - 1].text(),
                                          At(first_[i - 1]->second)));
      }
    }
    return Pass(expected, "so it was");
  }

 private:
  explicit Order(std::vector<EventPattern> patterns)
      : patterns_(std::move(patterns)), first_(patterns_.size()) {}

  std::vector<EventPattern> patterns_;
  std::vector<std::optional<std::pair<std::uint64_t, SteadyTime>>> first_;
};

}  // namespace

std::vector<CheckKind> ShutdownChecks() {
  return {
      {.definition =
           {.name = "graceful_stop",
            .doc = "Asked to stop by a signal, the worker finishes the activities in flight in the "
                   "attempt that runs, then exits. "
                   "Where the server does not tell of activities (real world), the side effect or "
                   "completion of the workflows "
                   "whose tasks it held shows it.",
            .params =
                {{.name = "worker", .type = kWorker, .doc = "The worker.", .required = true},
                 {.name = "within",
                  .type = kDuration,
                  .doc = "Time allowed from the signal to the end.",
                  .default_text = "10s",
                  .upper_limit = true},
                 {.name = "code", .type = kInt, .doc = "Its exit code.", .default_text = "0"},
                 {.name = "in_flight",
                  .type = kBool,
                  .doc =
                      "Something must have been in flight at the signal; else nothing was shown.",
                  .default_text = "true"}},
            .needs = {"process", "worker"}},
       .nothing_seen = "unknown when it was never asked to stop, or nothing was in flight",
       .example = "- graceful_stop: {worker: w, within: 8s}",
       .make = Make<GracefulStop>},
      {.definition =
           {.name = "no_hung_shutdown",
            .doc = "Every worker that is asked to stop (SIGTERM, SIGINT) ends by itself: nobody "
                   "has to kill it, and it is not there long after. Watches every run as an "
                   "oracle, for the workers of whose end no check speaks.",
            .params = {{.name = "except", .type = kTextList, .doc = "Workers left out."},
                       {.name = "within",
                        .type = kDuration,
                        .doc = "Longest time from the signal to the end; core needs 30 s behind a "
                               "connection that is stalled.",
                        .default_text = "60s",
                        .upper_limit = true}},
            .needs = {"process"},
            .oracle = true},
       .nothing_seen = "unknown when no worker was asked to stop",
       .example = "- no_hung_shutdown: {within: 40s}",
       .make = Make<NoHungShutdown>},
      {.definition = {.name = "order",
                      .doc = "The first occurrences of these events come in this order.",
                      .params = {{.name = "events",
                                  .type = kTextList,
                                  .doc = "KIND.WORD, with fields that must match: process.exited "
                                         "process=w, worker.fatal detail=/refused/.",
                                  .required = true}},
                      .needs = {}},
       .nothing_seen = "unknown when none of the events happened; fail when only some did",
       .example = "- order: {events: [process.exited process=w, process.exited process=temporal]}",
       .make = &Order::Create},
  };
}

}  // namespace squall::scenarios
