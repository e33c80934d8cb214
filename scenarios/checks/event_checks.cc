// Events by themselves, whatever they are: that one never happens, and how often and how far apart
// it does.

#include <fmt/format.h>

#include <algorithm>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::ConnectionEvent;
using journal::Event;
using journal::LogEvent;
using journal::WorkerEvent;
using journal::WorkflowEvent;
using enum ParamType;

// What an event says for itself, behind its time; empty for kinds that say it in other fields.
std::string Words(const Event& event) {
  std::string text;
  if (const auto* log = event.As<LogEvent>()) text = log->line;
  if (const auto* worker = event.As<WorkerEvent>()) text = worker->detail;
  if (const auto* workflow = event.As<WorkflowEvent>())
    text = workflow->workflow_id + (workflow->detail.empty() ? "" : ": " + workflow->detail);
  if (const auto* connection = event.As<ConnectionEvent>()) text = connection->detail;
  return text.empty() ? "" : ": " + text.substr(0, 300);
}

// ---------------------------------------------------------------------------------------------------------------
// never

class Never final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    SQUALL_ASSIGN_OR_RETURN(EventPattern event, PatternOf(params, "event", ""));
    std::optional<EventPattern> after, until;
    if (params.Has("after")) {
      SQUALL_ASSIGN_OR_RETURN(after, PatternOf(params, "after", ""));
    }
    if (params.Has("until")) {
      SQUALL_ASSIGN_OR_RETURN(until, PatternOf(params, "until", ""));
    }
    return std::unique_ptr<Checker>(
        new Never(params, std::move(event), std::move(after), std::move(until)));
  }

  std::vector<std::string> Needs() const override { return {event_.kind()}; }

  void Observe(const Event& event) override {
    seen_kind_ = seen_kind_ || event.kind() == event_.kind();
    if (after_ && !begun_) {
      begun_ = after_->Matches(event);
      return;  // not `after` itself
    }
    if (over_) return;
    if (until_ && until_->Matches(event)) {
      over_ = true;
      return;
    }
    if (!event_.Matches(event)) return;
    if (++count_ == 1) first_ = fmt::format("at {}{}", At(event.time), Words(event));
  }

  Verdict Finish(SteadyTime) const override {
    const std::string expected =
        (at_most_ == 0 ? "never " + event_.text()
                       : fmt::format("{} at most {}", event_.text(), Counted(at_most_, "time"))) +
        (after_ ? ", after " + after_->text() : "") + (until_ ? ", until " + until_->text() : "");
    if (after_ && !begun_) return Unknown(expected, after_->text() + " never happened");
    if (count_ > at_most_)
      return Fail(expected, fmt::format("{}, the first {}", Counted(count_, "time"), first_));
    if (!seen_kind_) return Unknown(expected, fmt::format("no {} event at all", event_.kind()));
    return Pass(expected, count_ == 0 ? "it never happened" : Counted(count_, "time"));
  }

 private:
  Never(const Params& params, EventPattern event, std::optional<EventPattern> after,
        std::optional<EventPattern> until)
      : event_(std::move(event)),
        after_(std::move(after)),
        until_(std::move(until)),
        at_most_(static_cast<std::size_t>(params.Int("at_most", 0))) {}

  EventPattern event_;
  std::optional<EventPattern> after_, until_;
  std::size_t at_most_, count_ = 0;
  bool begun_ = false, over_ = false, seen_kind_ = false;
  std::string first_;
};

// -------------------------------------------------------------------------------------------------------------
// spacing

class Spacing final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    SQUALL_ASSIGN_OR_RETURN(EventPattern event, PatternOf(params, "event", ""));
    if (params.Times("delays").empty())
      return MakeStatus(StatusCode::kInvalidArgument, "delays: at least one");
    return std::unique_ptr<Checker>(new Spacing(params, std::move(event)));
  }

  std::vector<std::string> Needs() const override { return {event_.kind()}; }

  void Observe(const Event& event) override {
    if (event_.Matches(event)) times_.push_back(event.time);
  }

  Verdict Finish(SteadyTime) const override {
    std::vector<std::string> delays;
    for (const Duration delay : delays_) delays.push_back(FormatDuration(delay));
    const std::string expected =
        fmt::format("{} at least {}, {} apart (the last repeats; {} early, {} late)", event_.text(),
                    Counted(min_, "time"), fmt::join(delays, ", "), FormatDuration(early_),
                    FormatDuration(late_));
    if (times_.empty()) return Unknown(expected, "it never happened");
    std::vector<std::string> gaps;
    std::optional<std::string> wrong;
    for (std::size_t i = 0; i + 1 < times_.size(); ++i) {
      const Duration gap = times_[i + 1] - times_[i];
      const Duration wanted = delays_[std::min(i, delays_.size() - 1)];
      gaps.push_back(FormatDuration(gap));
      if (!wrong && (gap < wanted - early_ || gap > wanted + late_)) {
        wrong = fmt::format("occurrence {} at {} came {} after the one before instead of {}", i + 2,
                            At(times_[i + 1]), FormatDuration(gap), FormatDuration(wanted));
      }
    }
    const std::string told =
        gaps.empty() ? Counted(times_.size(), "time")
                     : fmt::format("{}, gaps {}", Counted(times_.size(), "time"), Listed(gaps, 12));
    if (wrong) return Fail(expected, *wrong + "; " + told);
    if (times_.size() < min_) return Fail(expected, "only " + told);
    return Pass(expected, told);
  }

 private:
  Spacing(const Params& params, EventPattern event)
      : event_(std::move(event)),
        delays_(params.Times("delays")),
        early_(params.Time("early")),
        late_(params.Time("within")),
        min_(params.Has("min") ? static_cast<std::size_t>(params.Int("min")) : delays_.size() + 1) {
  }

  EventPattern event_;
  std::vector<Duration> delays_;
  Duration early_, late_;
  std::size_t min_;
  std::vector<SteadyTime> times_;
};

}  // namespace

std::vector<CheckKind> EventChecks() {
  const ParamSpec event{.name = "event",
                        .type = kText,
                        .doc = "The event: worker.task worker=w task=charge.",
                        .required = true};
  return {
      {.definition = {.name = "never",
                      .doc = "An event never happens, or at most so often. How often it did, and "
                             "the first time, are told.",
                      .params = {event,
                                 {.name = "at_most",
                                  .type = kInt,
                                  .doc = "How often it may happen.",
                                  .default_text = "0",
                                  .min = 0},
                                 {.name = "after",
                                  .type = kText,
                                  .doc = "Counts from the first such event on."},
                                 {.name = "until",
                                  .type = kText,
                                  .doc = "Counts until the first such event (after `after`)."}},
                      .needs = {}},
       .nothing_seen = "unknown when no event of this kind was seen, or `after` never happened",
       .example = "- never: {event: connection.attempt link=wire, until: fault.healed}",
       .make = &Never::Create},
      {.definition = {.name = "spacing",
                      .doc = "The occurrences of an event follow one another at these distances: "
                             "attempts of an activity, starts by a schedule.",
                      .params = {event,
                                 {.name = "delays",
                                  .type = kDurationList,
                                  .doc = "The distances in order; the last one repeats.",
                                  .required = true},
                                 {.name = "early",
                                  .type = kDuration,
                                  .doc = "How much shorter each may be.",
                                  .default_text = "50ms"},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "How much longer each may be.",
                                  .default_text = "500ms",
                                  .upper_limit = true},
                                 {.name = "min",
                                  .type = kInt,
                                  .doc = "How many occurrences there must be; unset: one more than "
                                         "there are delays.",
                                  .min = 2}},
                      .needs = {}},
       .nothing_seen =
           "unknown when it never happened; fail when it happened less often than `min`",
       .example = "- spacing: {event: worker.task worker=w task=charge, delays: [1s, 2s, 4s]}",
       .make = &Spacing::Create},
  };
}

}  // namespace squall::scenarios
