// What happens on the wire around a fault: that it was met, how attempts are spaced, and how soon
// service is back.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"
#include "scenarios/format/fault_ids.h"

namespace squall::scenarios {
namespace {

using journal::ConnectionEvent;
using journal::Event;
using journal::FaultEvent;
using journal::ProcessEvent;
using journal::RpcEvent;
using journal::WorkerEvent;
using enum ParamType;
using namespace std::chrono_literals;

// --------------------------------------------------------------------------------------------------------------
// reconnects
//
// The time runs from the last restoration (a fault healed, a server ready again). Evidence counts
// from the moment at which the restoration began, because the first reconnect may come before the
// event that ends it.

class Reconnects final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    if (!params.Has("worker") && !params.Has("link")) {
      return MakeStatus(StatusCode::kInvalidArgument, "say who reconnects: `worker` or `link`");
    }
    return std::unique_ptr<Checker>(new Reconnects(params));
  }

  std::vector<std::string> Needs() const override {
    std::vector<std::string> kinds;
    if (!worker_.empty()) kinds.emplace_back("poller");
    if (!link_.empty()) kinds.emplace_back("connection");
    return kinds;
  }

  void Observe(const Event& event) override {
    disturbances_.Observe(event);
    if (track_.Observe(event) && event.what() == "ready" && track_.up() &&
        track_.lives().size() > 1 &&
        track_.lives()[track_.lives().size() - 2].reason != "unexpected") {
      own_restart_ = *track_.current();  // stopped or killed and started again: its own start is
                                         // what it comes back from
    }
    const std::optional<std::pair<SteadyTime, std::string>> evidence = Evidence(event);
    if (evidence && (!evidence_ || evidence->first > evidence_->first)) evidence_ = evidence;
    if (const auto* f = event.As<FaultEvent>();
        f != nullptr && !after_.empty() && FaultLabel(f->fault_id) == after_)
      ObserveFault(event.time, *f);
    const auto [since, restored] = Restored();
    if (restored != last_restored_) {
      last_restored_ = restored;
      back_.reset();
    }
    if (evidence_ && evidence_->first < since) evidence_.reset();
    if (evidence_ && !back_ && Calm() && last_restored_) {
      back_ = *evidence_;
      back_at_ = std::max(evidence_->first, *last_restored_);
    }
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!last_restored_ || back_ || !Calm()) return std::nullopt;
    return *last_restored_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string who = !worker_.empty() ? worker_ : link_;
    const std::string expected =
        fmt::format("{} is back within {} of {}", who, FormatDuration(within_),
                    after_.empty() ? "the last restoration" : "the healing of " + after_);
    if (!last_restored_)
      return Unknown(expected, after_.empty() ? "nothing was disturbed and restored"
                                              : after_ + " was never healed");
    if (!Calm())
      return Unknown(expected, "a fault was still in force, or a server down, at the end");
    std::string by = disturbances_.restored_by();
    if (!after_.empty())
      by = after_ + " was healed";
    else if (own_restart_ && *last_restored_ == own_restart_->ready)
      by = who + " was started again";
    const std::string since = fmt::format("{} at {}", by, At(*last_restored_));
    if (back_) {
      const Duration took = back_at_ - *last_restored_;
      const std::string happened =
          fmt::format("{} {} after {}", back_->second, FormatDuration(took), since);
      return took <= within_ ? Pass(expected, happened) : Fail(expected, "only " + happened);
    }
    if (!track_.lives().empty() && !track_.up()) {
      return Fail(expected, fmt::format("{}: {}", since, track_.lives().back().DescribeEndFully()));
    }
    const Duration waited = end - *last_restored_;
    const std::string happened =
        fmt::format("nothing of it in {} since {}", FormatDuration(waited), since);
    return waited < within_ ? Unknown(expected, happened + ", when observation ended")
                            : Fail(expected, happened);
  }

 private:
  explicit Reconnects(const Params& params)
      : worker_(params.Text("worker")),
        link_(params.Text("link")),
        after_(params.Text("after")),
        within_(params.Time("within")),
        track_(worker_),
        polls_(worker_, params.Text("queue"), params.Time("fresh")) {}

  void ObserveFault(SteadyTime time, const FaultEvent& f) {
    if (f.what == "injecting" || f.what == "injected") {
      in_force_.insert(f.fault_id);
      fault_healed_.reset();
    }
    if (f.what == "healing") fault_healing_ = time;
    if (f.what != "healed") return;
    in_force_.erase(f.fault_id);
    if (in_force_.empty()) fault_healed_ = time;
  }
  bool Calm() const { return after_.empty() ? disturbances_.calm() : fault_healed_.has_value(); }

  // The start of the last restoration, and its end.
  std::pair<SteadyTime, std::optional<SteadyTime>> Restored() const {
    if (!after_.empty()) return {fault_healing_, fault_healed_};
    SteadyTime since = disturbances_.restoring_since().value_or(SteadyTime{});
    std::optional<SteadyTime> restored = disturbances_.restored();
    if (own_restart_ && (!restored || *own_restart_->ready > *restored)) {
      since = own_restart_->started;
      restored = own_restart_->ready;
    }
    return {since, restored};
  }

  std::optional<std::pair<SteadyTime, std::string>> Evidence(const Event& event) {
    if (const auto* c = event.As<ConnectionEvent>();
        c != nullptr && c->link == link_ && c->what == "established" && c->fault_id.empty()) {
      return std::pair(event.time,
                       fmt::format("connection {} of {} was established", c->connection, link_));
    }
    if (worker_.empty()) return std::nullopt;
    if (const auto poll = polls_.Observe(event)) return std::pair(poll->since, poll->what);
    const auto* w = event.As<WorkerEvent>();
    if (w == nullptr || w->worker != worker_) return std::nullopt;
    // `healthy` is left out: a page that answers 200 says nothing of the connection to the server.
    if (w->what != "connected" && w->what != "polling" && w->what != "task") return std::nullopt;
    return std::pair(event.time, fmt::format("{} said {}", worker_, w->what));
  }

  std::string worker_, link_, after_;
  Duration within_;
  SteadyTime fault_healing_{};
  std::optional<SteadyTime> fault_healed_;
  std::set<std::string> in_force_;  // of `after`: all its nodes and rounds
  ProcessTrack track_;
  PollWatch polls_;
  Disturbances disturbances_;
  std::optional<ProcessTrack::Life> own_restart_;
  std::optional<SteadyTime> last_restored_;
  std::optional<std::pair<SteadyTime, std::string>> evidence_;  // the latest
  std::optional<std::pair<SteadyTime, std::string>> back_;  // the first since the last restoration
  SteadyTime back_at_{};
};

// --------------------------------------------------------------------------------------------------------
// backoff_envelope

class BackoffEnvelope final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    if (params.Has("worker") == params.Has("link")) {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "say whose attempts: `worker` or `link`, one of them");
    }
    if (params.Times("delays").empty())
      return MakeStatus(StatusCode::kInvalidArgument, "delays: at least one");
    return std::unique_ptr<Checker>(new BackoffEnvelope(params));
  }

  std::vector<std::string> Needs() const override {
    return {link_.empty() ? "worker" : "connection"};
  }

  void Observe(const Event& event) override {
    if (!link_.empty()) {
      const auto* c = event.As<ConnectionEvent>();
      if (c == nullptr || c->link != link_) return;
      if (c->what == "attempt") Attempt(event.time);
      if (c->what == "established") EndSeries();
      return;
    }
    if (const auto* p = event.As<ProcessEvent>();
        p != nullptr && p->process == worker_ && p->what == "starting")
      EndSeries();
    const auto* w = event.As<WorkerEvent>();
    if (w == nullptr || w->worker != worker_) return;
    if (w->what == "connecting") {
      tells_connecting_ = true;
      Attempt(event.time);
    }
    if (w->what == "retrying") {
      // The failure of an attempt: the delay runs from here. Workers that tell nothing of the
      // attempt itself are timed by it.
      if (!tells_connecting_) Attempt(event.time);
      if (!current_.empty()) {
        current_.back().failed = event.time;
        if (w->delay > 0ns) current_.back().announced = w->delay;
      }
    }
    if (w->what == "connected" || w->what == "polling" || w->what == "stopping" ||
        w->what == "stopped")
      EndSeries();
  }

  Verdict Finish(SteadyTime) const override {
    std::vector<std::string> delays;
    for (const Duration delay : delays_) delays.push_back(FormatDuration(delay));
    const std::string expected = fmt::format(
        "at least {} attempts in a row, {} apart (the last repeats; +-{:.0f}% +-{}{})",
        min_attempts_, fmt::join(delays, ", "), tolerance_ * 100, FormatDuration(slack_),
        late_ == slack_ ? "" : fmt::format(", {} late", FormatDuration(late_)));
    std::vector<std::vector<Try>> all = series_;
    if (!current_.empty()) all.push_back(current_);
    if (all.empty()) {
      return Unknown(
          expected,
          link_.empty()
              ? "no attempt was seen"
              : "no attempt was seen (a link that refuses cannot see any: use reset, or `worker`)");
    }
    std::size_t longest = 0;
    for (const std::vector<Try>& tries : all) {
      for (std::size_t i = 0; i < tries.size(); ++i) {
        const Duration wanted = delays_[std::min(i, delays_.size() - 1)];
        if (tries[i].announced && !Meant(*tries[i].announced, wanted)) {
          return Fail(
              expected,
              fmt::format("after attempt {} it announced a delay of {} instead of {}; gaps: {}",
                          i + 1, FormatDuration(*tries[i].announced), FormatDuration(wanted),
                          Gaps(tries)));
        }
        if (i + 1 == tries.size()) break;
        const Duration gap = tries[i + 1].at - tries[i].failed.value_or(tries[i].at);
        if (!Inside(gap, wanted)) {
          return Fail(
              expected,
              fmt::format("attempt {} at {} came {} after attempt {} instead of {}; gaps: {}",
                          i + 2, At(tries[i + 1].at), FormatDuration(gap), i + 1,
                          FormatDuration(wanted), Gaps(tries)));
        }
      }
      longest = std::max(longest, tries.size());
    }
    const auto best = std::max_element(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
    if (longest < min_attempts_) {
      return Fail(expected, fmt::format("only {} in a row; gaps: {}", Counted(longest, "attempt"),
                                        Gaps(*best)));
    }
    return Pass(expected,
                fmt::format("{} in a row; gaps: {}", Counted(longest, "attempt"), Gaps(*best)));
  }

 private:
  struct Try {
    SteadyTime at;
    std::optional<SteadyTime> failed;
    std::optional<Duration> announced;
  };

  explicit BackoffEnvelope(const Params& params)
      : worker_(params.Text("worker")),
        link_(params.Text("link")),
        delays_(params.Times("delays")),
        tolerance_(params.Number("tolerance")),
        slack_(params.Time("slack")),
        late_(Times(slack_, params.Number(kTimeoutScale, 1))),
        group_(params.Time("group")),
        min_attempts_(static_cast<std::size_t>(params.Int(
            "min_attempts", static_cast<std::int64_t>(params.Times("delays").size()) + 1))) {}

  void Attempt(SteadyTime at) {
    if (!current_.empty() && at - current_.back().at <= group_)
      return;  // one more connection of the same wave
    current_.push_back({at, std::nullopt, std::nullopt});
  }
  void EndSeries() {
    if (!current_.empty()) series_.push_back(std::move(current_));
    current_.clear();
  }

  // What was measured: the machine adds to it, and makes it look shorter when it told late of the
  // attempt before.
  bool Inside(Duration gap, Duration wanted) const {
    const Duration width = Times(wanted, tolerance_);
    return gap >= wanted - width - slack_ && gap <= wanted + width + late_;
  }
  // What the worker said of itself: no machine is in it.
  bool Meant(Duration announced, Duration wanted) const {
    const Duration width = Times(wanted, tolerance_);
    return announced >= wanted - width && announced <= wanted + width;
  }

  static std::string Gaps(const std::vector<Try>& tries) {
    std::vector<std::string> gaps;
    for (std::size_t i = 1; i < tries.size(); ++i) {
      gaps.push_back(FormatDuration(tries[i].at - tries[i - 1].failed.value_or(tries[i - 1].at)));
    }
    return gaps.empty() ? "none" : fmt::format("{}", fmt::join(gaps, " "));
  }

  std::string worker_, link_;
  std::vector<Duration> delays_;
  double tolerance_;
  Duration slack_, late_, group_;
  std::size_t min_attempts_;
  bool tells_connecting_ = false;
  std::vector<std::vector<Try>> series_;
  std::vector<Try> current_;
};

// ---------------------------------------------------------------------------------------------------------------
// fault_hit

class FaultHit final : public Checker {
 public:
  explicit FaultHit(const Params& params)
      : fault_(params.Text("fault")), unmet_is_unknown_(params.Bool("oracle", false)) {
    for (const std::string& id : params.Texts("except")) except_.push_back(id);
  }

  void Observe(const Event& event) override {
    if (const auto* f = event.As<FaultEvent>()) {
      // All nodes and rounds of an inject step are one fault here.
      const std::string label(FaultLabel(f->fault_id));
      if (!fault_.empty() && label != fault_) return;
      if (std::find(except_.begin(), except_.end(), label) != except_.end()) return;
      Fault& fault = faults_[label];
      fault.text = fmt::format("{} ({} on {})", label, f->fault, f->target);
      fault.targets.insert(f->target);
      if (f->what == "hit") ++fault.hits;
      if (f->what == "injecting") injecting_.insert(f->fault_id);
      if (f->what == "injected") {
        fault.injected = true;
        injecting_.erase(f->fault_id);
      }
      if (f->what == "failed") {
        // A node that is not there in one of many rounds is not met then.
        std::string& failure =
            injecting_.erase(f->fault_id) > 0 ? fault.not_injected : fault.not_healed;
        failure = f->detail.empty() ? "no reason given" : f->detail;
      }
      return;
    }
    if (const auto* c = event.As<ConnectionEvent>()) Met(c->fault_id);
    if (const auto* r = event.As<RpcEvent>()) Met(r->fault_id);
    // Faults on processes are met by what they do to them.
    if (const auto* p = event.As<ProcessEvent>();
        p != nullptr && (p->reason == "injected" || p->what == "paused")) {
      for (auto& [id, fault] : faults_) {
        if (fault.targets.contains(p->process)) ++fault.hits;
      }
    }
  }

  bool SawAnything() const override { return !faults_.empty(); }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = fault_.empty()
                                     ? "every fault works and is met by traffic"
                                     : fmt::format("fault {} works and is met by traffic", fault_);
    std::vector<std::string> failed, unmet;
    std::size_t met = 0;
    for (const auto& [id, fault] : faults_) {
      const std::string& failure =
          fault.not_healed.empty() && !fault.injected ? fault.not_injected : fault.not_healed;
      if (!failure.empty())
        failed.push_back(fmt::format("{} failed: {}", fault.text, failure));
      else if (fault.hits > 0)
        ++met;
      else if (fault.injected)
        unmet.push_back(fault.text);
    }
    if (!failed.empty()) return Unknown(expected, Listed(failed));
    if (!unmet.empty()) {
      const std::string happened = fmt::format("nothing met {}", Listed(unmet));
      return unmet_is_unknown_ ? Unknown(expected, happened + ", so nothing was tested")
                               : Fail(expected, happened);
    }
    if (met == 0) return Unknown(expected, "it was never injected");
    return Pass(expected, fmt::format("{} met", Counted(met, "fault")));
  }

 private:
  struct Fault {
    std::string text, not_injected, not_healed;
    std::set<std::string> targets;
    bool injected = false;
    std::size_t hits = 0;
  };

  void Met(const std::string& id) {
    if (id.empty()) return;
    const auto it = faults_.find(std::string(FaultLabel(id)));
    if (it != faults_.end()) ++it->second.hits;
  }

  std::string fault_;
  bool unmet_is_unknown_;
  std::vector<std::string> except_;
  std::map<std::string, Fault> faults_;
  std::set<std::string> injecting_;
};

}  // namespace

std::vector<CheckKind> ConnectionChecks() {
  return {
      {.definition =
           {.name = "reconnects",
            .doc = "After the last restoration (fault healed, server ready again or at last, "
                   "worker started again after a kill) the "
                   "worker polls, connects or gets a task, or the link carries a new connection, "
                   "in time.",
            .params =
                {{.name = "worker",
                  .type = kWorker,
                  .doc = "Who comes back; a poll of its queue, a task, or its own line "
                         "`connected` or `polling` shows it."},
                 {.name = "link",
                  .type = kLink,
                  .doc = "The link on which a new connection is established. Not for stalls: old "
                         "connections go on there."},
                 {.name = "within",
                  .type = kDuration,
                  .doc = "Time allowed.",
                  .required = true,
                  .upper_limit = true},
                 {.name = "after",
                  .type = kFaultLabel,
                  .doc = "Counts from the healing of this fault, whatever else is restored later."},
                 {.name = "queue",
                  .type = kText,
                  .doc = "The worker's task queue, where its lines do not tell it.",
                  .default_text = ""},
                 {.name = "fresh",
                  .type = kDuration,
                  .doc = "How old a poller reported by DescribeTaskQueue may be to count.",
                  .default_text = "70s"}},
            .needs = {}},
       .nothing_seen = "unknown when nothing was disturbed and restored, or when not all was "
                       "restored at the end",
       .example = "- reconnects: {worker: w, within: 10s}",
       .make = &Reconnects::Create},
      {.definition =
           {.name = "backoff_envelope",
            .doc = "Failed attempts to connect follow one another at these distances: by the "
                   "worker's `connecting` and `retrying` "
                   "lines (from the failure to the next attempt), or by the connections that reach "
                   "a link (from attempt to "
                   "attempt). A success starts the series anew.",
            .params = {{.name = "worker", .type = kWorker, .doc = "Whose lines are timed."},
                       {.name = "link", .type = kLink, .doc = "Whose attempts are timed, instead."},
                       {.name = "delays",
                        .type = kDurationList,
                        .doc = "The distances in order; the last one repeats.",
                        .required = true},
                       {.name = "tolerance",
                        .type = kNumber,
                        .doc = "Relative width to both sides.",
                        .default_text = "0.2",
                        .min = 0,
                        .max = 1},
                       {.name = "slack",
                        .type = kDuration,
                        .doc = "Absolute width to both sides, on top, of what was measured; a "
                               "delay that the worker announces has none.",
                        .default_text = "100ms"},
                       {.name = "group",
                        .type = kDuration,
                        .doc = "Attempts this close together are one (a client may open several "
                               "connections at once).",
                        .default_text = "50ms"},
                       {.name = "min_attempts",
                        .type = kInt,
                        .doc = "In one series; unset: one more than there are delays.",
                        .min = 1}},
            .needs = {}},
       .nothing_seen = "unknown without any attempt; fail with too few",
       .example = "- backoff_envelope: {worker: host, delays: [1s, 2s, 4s, 8s]}",
       .make = &BackoffEnvelope::Create},
      {.definition =
           {.name = "fault_hit",
            .doc = "The fault could be injected and healed, and traffic (or the process) really "
                   "met it. Watches every fault as an "
                   "oracle; there an unmet fault is unknown, because then nothing was tested.",
            .params = {{.name = "fault",
                        .type = kFaultLabel,
                        .doc = "The `as` of the inject step.",
                        .required = true}},
            .needs = {"fault"}},
       .nothing_seen = "unknown when it was never injected; fail when nothing met it",
       .example = "- fault_hit: {fault: outage}",
       .make = Make<FaultHit>},
  };
}

}  // namespace squall::scenarios
