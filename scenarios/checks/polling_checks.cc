// A process that is up is not yet a worker that works: somebody must poll its queue.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/util/text.h"
#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::FaultEvent;
using journal::PollerEvent;
using journal::ProcessEvent;
using journal::WorkerEvent;
using journal::WorkflowEvent;
using enum ParamType;

// --------------------------------------------------------------------------------------------------------------
// not_zombie
//
// Time counts while a poll is due: the worker's process is up (or, for a queue without a worker,
// work waits for one), nothing is disturbed, and the server does not hold a poll. Each stretch of
// such time ends with evidence of a poll; one that is longer than allowed is a zombie. Of each
// stretch that follows a start or a restoration, the first evidence is waited for.

class NotZombie final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    if (!params.Has("worker") && params.Text("queue").empty()) {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "say who is to poll: `worker`, `queue` or both");
    }
    return std::unique_ptr<Checker>(new NotZombie(params));
  }

  std::vector<std::string> Needs() const override {
    if (worker_.empty()) return {"poller", "workflow"};
    return {"poller", "process"};
  }

  void Observe(const Event& event) override {
    Close(event.time);
    const bool was_held = polls_.held();
    disturbances_.Observe(event);
    if (track_.Observe(event)) {
      if (event.what() == "signalled") asked_ = true;
      if (event.what() == "starting") asked_ = false;
    }
    if (const auto* w = event.As<WorkflowEvent>()) ObserveWorkflow(*w);
    if (const auto* p = event.As<PollerEvent>();
        p != nullptr && (p->what == "arrived" || p->what == "seen"))
      polled_.insert(p->task_queue);
    const auto evidence = polls_.Observe(event);
    // The server tells when polls end: then the next one is due, and is waited for.
    if (was_held && !polls_.held()) proved_ = false;
    const bool due = Due();
    if (!due) {
      since_.reset();
      proved_ = false;
    } else if (!was_due_) {
      since_ = event.time;
      proved_ = false;
    }
    was_due_ = due;
    if (!due) return;
    was_due_once_ = true;
    // A poller of an earlier life of the process is listed by the server for a while; it is none of
    // this one's.
    const bool of_this_life =
        evidence && (!track_.current() || evidence->since >= track_.current()->started);
    if (of_this_life || polls_.held()) {
      since_ = event.time;
      proved_ = true;
      ever_polled_ = true;
    }
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (zombie_since_ || !since_ || proved_) return std::nullopt;
    return *since_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string who = worker_.empty() ? std::string("somebody") : worker_;
    const std::string queue = polls_.queue().empty() ? "its queue" : "queue " + polls_.queue();
    const std::string expected =
        fmt::format("{} polls {}, never silent for {} while {} up and the server well", who, queue,
                    FormatDuration(within_), worker_.empty() ? "work waits" : "it is");
    std::optional<SteadyTime> zombie = zombie_since_;
    if (!zombie && since_ && !polls_.held() && end >= *since_ + within_) zombie = since_;
    if (zombie) {
      return Fail(expected,
                  fmt::format("{}, but nobody polled {} for {} from {} on{}",
                              worker_.empty() ? "work was waiting" : worker_ + " was up", queue,
                              FormatDuration(zombie_until_.value_or(end) - *zombie), At(*zombie),
                              NearMiss()));
    }
    if (!was_due_once_) {
      return Unknown(expected, worker_.empty() ? "no work ever waited for it"
                                               : "it was never up while the server was well");
    }
    if (since_ && !proved_) {
      return Unknown(expected, fmt::format("no poll yet when observation ended after {}",
                                           FormatDuration(end - *since_)));
    }
    if (!ever_polled_) return Unknown(expected, "it was gone before it could be told");
    return Pass(expected, polls_.held() ? "a poll is held by the server" : "it polled");
  }

 private:
  friend class NoZombies;

  explicit NotZombie(const Params& params)
      : worker_(params.Text("worker")),
        within_(params.Time("within")),
        track_(worker_),
        polls_(worker_, params.Text("queue"), params.Time("fresh")) {}

  bool Due() const {
    if (!disturbances_.calm()) return false;
    if (worker_.empty()) return !open_.empty();
    return track_.up() && !track_.paused() && !(until_asked_ && asked_);
  }

  // A queue of nearly the same name that somebody did poll: starter and worker do not agree.
  std::string NearMiss() const {
    std::vector<std::string> others;
    for (const std::string& queue : polled_) {
      if (queue != polls_.queue()) others.push_back(queue);
    }
    return others.empty() ? ""
                          : fmt::format("; polled was {}{}", Listed(others),
                                        DidYouMean(polls_.queue(), others));
  }

  // Ends the stretch that lasted until now, before the event at `now` changes anything.
  void Close(SteadyTime now) {
    if (zombie_since_ || !since_) return;
    if (polls_.held()) since_ = now;
    if (now <= *since_ + within_) return;
    zombie_since_ = since_;
    zombie_until_ = now;
  }

  void ObserveWorkflow(const WorkflowEvent& w) {
    if (!worker_.empty() || w.task_queue != polls_.queue()) {
      if (w.what == "accepted" || w.what == "requested" || w.what == "refused") return;
    }
    if (w.what == "accepted") {
      open_.insert(w.workflow_id);
    } else if (w.what != "requested" && w.what != "running" && w.what != "continued") {
      const bool waited = open_.erase(w.workflow_id) != 0;
      // An end that only a worker brings about, however soon it came.
      if (waited && (w.what == "completed" || w.what == "failed" || w.what == "cancelled"))
        ever_polled_ = true;
    }
  }

  std::string worker_;
  Duration within_;
  ProcessTrack track_;
  PollWatch polls_;
  Disturbances disturbances_;
  std::set<std::string> polled_;  // queues
  std::set<std::string> open_;    // workflows that wait for somebody, without a worker
  bool until_asked_ = false;      // it need not poll any more once it was asked to stop
  bool asked_ = false;
  bool was_due_ = false, was_due_once_ = false, proved_ = false, ever_polled_ = false;
  std::optional<SteadyTime> since_;  // of the stretch without a poll
  std::optional<SteadyTime> zombie_since_, zombie_until_;
};

// ---------------------------------------------------------------------------------------------------------------
// no_zombie: NotZombie for every worker that is started.

class NoZombies final : public Checker {
 public:
  explicit NoZombies(const Params& params) : params_(params) {
    for (const std::string& name : params.Texts("except")) except_.insert(name);
  }

  void Observe(const Event& event) override {
    const auto* p = event.As<ProcessEvent>();
    if (p != nullptr && p->role == "worker" && p->what == "starting" &&
        !except_.contains(p->process) && !watches_.contains(p->process)) {
      Params params = params_;
      params.Set("worker", p->process);
      NotZombie watch(params);
      watch.until_asked_ = true;
      for (const Event& earlier : history_) watch.Observe(earlier);
      watches_.emplace(p->process, std::move(watch));
    }
    for (auto& [name, watch] : watches_) watch.Observe(event);
    // What a worker that is started later has to know: who is up, what is disturbed, whose queue is
    // whose.
    const auto* w = event.As<WorkerEvent>();
    if (p != nullptr || event.As<FaultEvent>() != nullptr || (w != nullptr && w->what == "polling"))
      history_.push_back(event);
  }

  bool SawAnything() const override {
    return std::any_of(watches_.begin(), watches_.end(),
                       [](const auto& watch) { return watch.second.was_due_once_; });
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected =
        fmt::format("every worker polls, never silent for {} while it is up and the server well",
                    FormatDuration(params_.Time("within")));
    if (!SawAnything()) return Unknown(expected, "no worker was up while the server was well");
    std::vector<std::string> zombies;
    for (const auto& [name, watch] : watches_) {
      const Verdict verdict = watch.Finish(end);
      if (verdict.outcome == Outcome::kFail) zombies.push_back(verdict.happened);
    }
    if (!zombies.empty()) return Fail(expected, Listed(zombies));
    return Pass(expected, Counted(watches_.size(), "worker") + " watched");
  }

 private:
  const Params params_;
  std::set<std::string> except_;
  std::map<std::string, NotZombie> watches_;
  std::vector<Event> history_;
};

}  // namespace

std::vector<CheckKind> PollingChecks() {
  return {
      {.definition =
           {.name = "not_zombie",
            .doc = "While the worker's process is up (or work waits in the queue) and nothing is "
                   "disturbed, somebody polls. A process "
                   "that is alive, even one whose health page says 200, is no worker.",
            .params = {{.name = "worker",
                        .type = kWorker,
                        .doc = "Who is to poll; unset: anybody, when workflows wait in `queue`."},
                       {.name = "queue",
                        .type = kText,
                        .doc = "The task queue. Unset: as the worker's lines tell, and until they "
                               "do, any that no other worker claims.",
                        .default_text = ""},
                       {.name = "within",
                        .type = kDuration,
                        .doc = "Longest time without a poll.",
                        .default_text = "5s",
                        .upper_limit = true},
                       {.name = "fresh",
                        .type = kDuration,
                        .doc = "How old a poller reported by DescribeTaskQueue may be to count: a "
                               "long poll that waits was last seen "
                               "when it arrived.",
                        .default_text = "70s"}},
            .needs = {"poller"}},
       .nothing_seen = "unknown when it was never up while the server was well, or was gone before "
                       "the time was over",
       .example = "- not_zombie: {worker: w, queue: orders, within: 5s}",
       .make = &NotZombie::Create},
      {.definition =
           {.name = "no_zombie",
            .doc = "`not_zombie` for every worker that is started, until it is asked to stop; "
                   "nobody waits for its time to be over. Watches every run as an oracle, for the "
                   "workers that no `not_zombie` names.",
            .params = {{.name = "except", .type = kTextList, .doc = "Workers left out."},
                       {.name = "within",
                        .type = kDuration,
                        .doc = "Longest time without a poll: more than any back-off or recovery "
                               "that is as it should be.",
                        .default_text = "45s",
                        .upper_limit = true},
                       {.name = "fresh",
                        .type = kDuration,
                        .doc = "As in `not_zombie`.",
                        .default_text = "70s"}},
            .needs = {"poller", "process"},
            .oracle = true},
       .nothing_seen = "unknown when no worker was up while the server was well",
       .example = "- no_zombie: {except: [w], within: 1m}",
       .make = Make<NoZombies>},
  };
}

}  // namespace squall::scenarios
