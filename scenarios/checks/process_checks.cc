// How processes live and end.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::ProcessEvent;
using journal::RunEvent;
using journal::WorkerEvent;
using enum ParamType;

// ------------------------------------------------------------------------------------------------------------
// same_process

class SameProcess final : public Checker {
 public:
  explicit SameProcess(const Params& params)
      : track_(params.Text("worker")),
        min_(static_cast<std::size_t>(params.Int("min_workflows", 1))) {}

  void Observe(const Event& event) override {
    const std::size_t lives = track_.lives().size();
    if (track_.Observe(event)) {
      // Only a new life after tasks, or an end nobody asked for, breaks the promise; when, is kept
      // for the message.
      if (track_.lives().size() > lives && lives > 0 && tasks_ > 0) restarted_ = true;
      if (!bad_end_ && event.what() == "exited" && track_.lives().back().reason == "unexpected") {
        bad_end_ = fmt::format("after tasks of {} it {}", Counted(workflows_.size(), "workflow"),
                               track_.lives().back().DescribeEndFully());
      }
      return;
    }
    const auto* w = event.As<WorkerEvent>();
    if (w == nullptr || w->worker != track_.process() || w->what != "task") return;
    ++tasks_;
    workflows_.insert(w->workflow_id.empty() ? fmt::format("#{}", tasks_) : w->workflow_id);
    std::int64_t pid = w->pid;
    if (pid == 0 && !track_.lives().empty()) pid = track_.lives().back().pid;
    if (std::find(pids_.begin(), pids_.end(), pid) == pids_.end()) pids_.push_back(pid);
    lives_with_tasks_.insert(track_.lives().size());
  }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = fmt::format(
        "one and the same process of {} serves {}", track_.process(),
        min_ == 1 ? "every task" : fmt::format("the tasks of at least {} workflows", min_));
    if (bad_end_) return Fail(expected, *bad_end_);
    if (tasks_ == 0) return Unknown(expected, "no task reached it");
    if (pids_.size() > 1 || lives_with_tasks_.size() > 1) {
      std::vector<std::string> pids;
      for (const std::int64_t pid : pids_) pids.push_back(std::to_string(pid));
      return Fail(
          expected,
          fmt::format("tasks of {} were served by {} (pid {})",
                      Counted(workflows_.size(), "workflow"),
                      fmt::format("{} processes", std::max(pids_.size(), lives_with_tasks_.size())),
                      Listed(pids)));
    }
    if (workflows_.size() < min_) {
      return Fail(expected, fmt::format("only tasks of {} reached it{}",
                                        Counted(workflows_.size(), "workflow"),
                                        restarted_ ? ", then it was started anew" : ""));
    }
    return Pass(expected, fmt::format("tasks of {} in process {}",
                                      Counted(workflows_.size(), "workflow"), pids_.front()));
  }

 private:
  ProcessTrack track_;
  std::size_t min_, tasks_ = 0;
  std::set<std::string> workflows_;
  std::vector<std::int64_t> pids_;
  std::set<std::size_t> lives_with_tasks_;
  bool restarted_ = false;
  std::optional<std::string> bad_end_;  // the first end nobody had asked for
};

// -------------------------------------------------------------------------------------------------------------------
// exits

class Exits final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    SQUALL_ASSIGN_OR_RETURN(
        EventPattern after,
        PatternOf(params, "after",
                  fmt::format("process.starting process=\"{}\"", params.Text("worker"))));
    if (params.Has("signal") && (params.Has("code") || params.Has("code_not"))) {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "a process ends by `signal` or with a `code`, not both");
    }
    return std::unique_ptr<Checker>(new Exits(params, std::move(after)));
  }

  void Observe(const Event& event) override {
    if (!from_ && after_.Matches(event)) from_ = event.time;
    track_.Observe(event);
    if (from_ && !exit_ && !track_.lives().empty() && track_.lives().back().ended &&
        *track_.lives().back().ended >= *from_) {
      exit_ = track_.lives().back();
    }
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!from_ || exit_) return std::nullopt;
    return *from_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected = Expected();
    if (track_.lives().empty()) return Unknown(expected, "it was never started");
    if (!from_) return Unknown(expected, fmt::format("{} never happened", after_.text()));
    if (!exit_) {
      if (end < *from_ + within_) {
        return Unknown(expected, fmt::format("still running when observation ended after {}",
                                             FormatDuration(end - *from_)));
      }
      return Fail(expected, fmt::format("still running after {}", FormatDuration(end - *from_)));
    }
    const ProcessTrack::Life& life = *exit_;
    const Duration took = *life.ended - *from_;
    const std::string happened = life.DescribeEndFully();
    if (took > within_)
      return Fail(expected, fmt::format("only after {}: {}", FormatDuration(took), happened));
    if (!codes_.empty() && (!life.exit_code || !Contains(codes_, *life.exit_code)))
      return Fail(expected, happened);
    if (!not_codes_.empty() && (!life.exit_code || Contains(not_codes_, *life.exit_code)))
      return Fail(expected, happened);
    if (signal_ && life.signal != signal_) return Fail(expected, happened);
    if (reason_ != "any" && life.reason != reason_) return Fail(expected, happened);
    return Pass(expected, life.DescribeEnd());
  }

 private:
  Exits(const Params& params, EventPattern after)
      : track_(params.Text("worker")),
        after_(std::move(after)),
        after_given_(params.Has("after")),
        within_(params.Time("within")),
        codes_(params.Ints("code")),
        not_codes_(params.Ints("code_not")),
        reason_(params.Text("reason", "any")) {
    if (params.Has("signal")) signal_ = static_cast<int>(params.Int("signal"));
  }

  static bool Contains(const std::vector<std::int64_t>& codes, int code) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
  }

  std::string Expected() const {
    std::string how;
    if (!codes_.empty()) how = fmt::format(" with code {}", fmt::join(codes_, " or "));
    if (!not_codes_.empty())
      how += fmt::format(" with a code other than {}", fmt::join(not_codes_, ", "));
    if (signal_) how = fmt::format(" by signal {}", *signal_);
    if (reason_ != "any") how += fmt::format(" ({})", reason_);
    return fmt::format("{} ends{} within {} of {}", track_.process(), how, FormatDuration(within_),
                       after_given_ ? after_.text() : "its start");
  }

  ProcessTrack track_;
  EventPattern after_;
  bool after_given_;
  Duration within_;
  std::vector<std::int64_t> codes_, not_codes_;
  std::optional<int> signal_;
  std::string reason_;
  std::optional<SteadyTime> from_;
  std::optional<ProcessTrack::Life> exit_;
};

// ----------------------------------------------------------------------------------------------------------------
// stays_up

class StaysUp final : public Checker {
 public:
  explicit StaysUp(const Params& params)
      : track_(params.Text("worker")), span_(params.Time("for")) {}

  void Observe(const Event& event) override { track_.Observe(event); }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!track_.up()) return std::nullopt;
    return track_.current()->started + span_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected =
        fmt::format("{} stays up, at least {} after each start, until it is asked to stop",
                    track_.process(), FormatDuration(span_));
    if (track_.lives().empty()) return Unknown(expected, "it was never started");
    for (const ProcessTrack::Life& life : track_.lives()) {
      if (life.start_failed || (life.ended && life.reason == "unexpected"))
        return Fail(expected, life.DescribeEndFully());
    }
    const ProcessTrack::Life& last = track_.lives().back();
    const Duration up = last.ended.value_or(end) - last.started;
    if (!last.ended && up < span_) {
      return Unknown(expected,
                     fmt::format("observation ended {} after its start", FormatDuration(up)));
    }
    return Pass(expected,
                last.ended ? last.DescribeEnd() : fmt::format("up for {}", FormatDuration(up)));
  }

 private:
  ProcessTrack track_;
  Duration span_;
};

// ------------------------------------------------------------------------------------------------------
// no_unexpected_exit

class NoUnexpectedExit final : public Checker {
 public:
  explicit NoUnexpectedExit(const Params& params) {
    for (const std::string& name : params.Texts("except")) except_.insert(name);
  }

  void Observe(const Event& event) override {
    const auto* p = event.As<ProcessEvent>();
    if (p == nullptr || except_.contains(p->process)) return;
    tracks_.try_emplace(p->process, p->process).first->second.Observe(event);
    roles_[p->process] = p->role;
  }

  bool SawAnything() const override { return !tracks_.empty(); }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = "no process ends unasked";
    if (tracks_.empty()) return Unknown(expected, "no process was seen");
    std::vector<std::string> ended;
    for (const auto& [name, track] : tracks_) {
      // Commands and clients are there to run to their end; only a bad end is unexpected.
      const std::string& role = roles_.at(name);
      const bool runs_to_its_end = role == "command" || role == "client";
      for (const ProcessTrack::Life& life : track.lives()) {
        if (!life.ended || life.reason != "unexpected") continue;
        if (runs_to_its_end && life.exit_code == 0) continue;
        ended.push_back(fmt::format("{} {}", name, life.DescribeEndFully()));
      }
    }
    if (!ended.empty()) return Fail(expected, Listed(ended));
    return Pass(expected,
                fmt::format("{} watched", tracks_.size() == 1
                                              ? "1 process"
                                              : fmt::format("{} processes", tracks_.size())));
  }

 private:
  std::set<std::string> except_;
  std::map<std::string, ProcessTrack> tracks_;
  std::map<std::string, std::string> roles_;
};

// ----------------------------------------------------------------------------------------------------
// nothing_left_running

class NothingLeftRunning final : public Checker {
 public:
  explicit NothingLeftRunning(const Params& params)
      : names_(params.Texts("processes")), within_(params.Time("within")) {}

  void Observe(const Event& event) override {
    if (const auto* r = event.As<RunEvent>(); r != nullptr && r->what == "judging")
      judging_ = event.time;
    const auto* p = event.As<ProcessEvent>();
    if (p == nullptr) return;
    const bool wanted = names_.empty()
                            ? p->role == "worker"
                            : std::find(names_.begin(), names_.end(), p->process) != names_.end();
    if (wanted) tracks_.try_emplace(p->process, p->process).first->second.Observe(event);
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!judging_ || Running().empty()) return std::nullopt;
    return *judging_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected =
        fmt::format("{} over within {} of the last step",
                    names_.empty() ? "all workers are"
                                   : Listed(names_, 10) + (names_.size() == 1 ? " is" : " are"),
                    FormatDuration(within_));
    if (tracks_.empty()) return Unknown(expected, "none of them was ever started");
    const std::vector<std::string> running = Running();
    if (running.empty()) return Pass(expected, Counted(tracks_.size(), "end") + " seen");
    const std::string happened = fmt::format("still running: {}", Listed(running));
    if (!judging_ || end < *judging_ + within_)
      return Unknown(expected, happened + ", when observation ended");
    return Fail(expected, happened);
  }

 private:
  std::vector<std::string> Running() const {
    std::vector<std::string> names;
    for (const auto& [name, track] : tracks_) {
      if (track.up()) names.push_back(fmt::format("{} (pid {})", name, track.current()->pid));
    }
    return names;
  }

  std::vector<std::string> names_;
  Duration within_;
  std::map<std::string, ProcessTrack> tracks_;
  std::optional<SteadyTime> judging_;
};

}  // namespace

std::vector<CheckKind> ProcessChecks() {
  const ParamSpec worker{.name = "worker", .type = kWorker, .doc = "The worker.", .required = true};
  return {
      {.definition = {.name = "same_process",
                      .doc = "All tasks of a worker are served by one process (same process id): "
                             "no end and new start between them, and no "
                             "end that nobody asked for.",
                      .params = {worker,
                                 {.name = "min_workflows",
                                  .type = kInt,
                                  .doc = "Of how many workflows it must have served tasks.",
                                  .default_text = "1",
                                  .min = 1}},
                      .needs = {"process", "worker"}},
       .nothing_seen = "unknown when no task reached it, unless it ended unasked",
       .example = "- same_process: {worker: w, min_workflows: 20}",
       .make = Make<SameProcess>},
      {.definition =
           {.name = "exits",
            .doc = "The worker's process ends by itself or is ended, in time and in the way "
                   "expected. Its first end after the event "
                   "`after` decides.",
            .params = {worker,
                       {.name = "code", .type = kIntList, .doc = "Exit codes allowed; unset: any."},
                       {.name = "code_not",
                        .type = kIntList,
                        .doc = "Exit codes that are not allowed, nor an end by a signal."},
                       {.name = "signal",
                        .type = kInt,
                        .doc = "The signal that kills it, instead of a code.",
                        .min = 1,
                        .max = 64},
                       {.name = "reason",
                        .type = kWord,
                        .doc = "Who wanted it.",
                        .default_text = "any",
                        .words = {"any", "asked", "injected", "unexpected"}},
                       {.name = "within",
                        .type = kDuration,
                        .doc = "Time allowed after `after`.",
                        .default_text = "10s",
                        .upper_limit = true},
                       {.name = "after",
                        .type = kText,
                        .doc = "The event that starts the time, its first occurrence: "
                               "process.signalled process=w. Unset: the "
                               "worker's first start."}},
            .needs = {"process"}},
       .nothing_seen =
           "unknown when it was never started or `after` never happened; fail when it still runs",
       .example = "- exits: {worker: w, code_not: 0, within: 5s}",
       .make = &Exits::Create},
      {.definition = {.name = "stays_up",
                      .doc = "The worker's process does not end unless it is asked to (or killed "
                             "by an injected fault). The end is reported "
                             "with its code and last lines of output.",
                      .params = {worker,
                                 {.name = "for",
                                  .type = kDuration,
                                  .doc = "It is watched at least this long after its last start.",
                                  .default_text = "1s"}},
                      .needs = {"process"}},
       .nothing_seen = "unknown when it was never started; fail when it could not be started",
       .example = "- stays_up: {worker: w, for: 3s}",
       .make = Make<StaysUp>},
      {.definition =
           {.name = "no_unexpected_exit",
            .doc = "No process at all ends unasked; commands and clients may end with code 0. "
                   "Watches every run as an oracle, for "
                   "the processes that no other check speaks of.",
            .params = {{.name = "except", .type = kTextList, .doc = "Processes left out."}},
            .needs = {"process"},
            .oracle = true},
       .nothing_seen = "unknown when no process was seen",
       .example = "- no_unexpected_exit: {except: [w]}",
       .make = Make<NoUnexpectedExit>},
      {.definition = {.name = "nothing_left_running",
                      .doc = "When the steps are over, these processes have ended.",
                      .params = {{.name = "processes",
                                  .type = kTextList,
                                  .doc = "Their names; unset: all workers."},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Time allowed after the last step.",
                                  .default_text = "5s",
                                  .upper_limit = true}},
                      .needs = {"process"}},
       .nothing_seen = "unknown when none of them was ever started",
       .example = "- nothing_left_running: {processes: [w], within: 2s}",
       .make = Make<NothingLeftRunning>},
  };
}

}  // namespace squall::scenarios
