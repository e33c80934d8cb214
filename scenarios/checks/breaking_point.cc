#include "scenarios/checks/breaking_point.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "scenarios/checks/judge.h"

namespace squall::scenarios {
namespace {

using journal::Event;

// A deadline is told no finer than this.
constexpr Duration kResolution = std::chrono::microseconds(1);

// The judges of one journal, cut off wherever it is wanted.
class Bisection {
 public:
  Bisection(std::span<const Event> events, SteadyTime end, std::span<const CheckSpec> checks,
            double timeout_scale)
      : events_(events), end_(end), checks_(checks), timeout_scale_(timeout_scale) {}

  Status Find(const std::string& check, SteadyTime* at) {
    // With how many events, waited for until just before the next one, does it fail first?
    std::size_t low = 0, high = events_.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      SQUALL_ASSIGN_OR_RETURN(const auto judge, After(middle));
      if (Fails(*judge, check, Next(middle))) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    SQUALL_ASSIGN_OR_RETURN(const auto judge, After(low));
    SteadyTime from = low == 0 ? SteadyTime() : events_[low - 1].time;
    SteadyTime to = Next(low);
    if (Fails(*judge, check, from)) {
      to = from;  // the event itself broke it
    }
    while (to - from > kResolution) {
      const SteadyTime middle = from + (to - from) / 2;
      (Fails(*judge, check, middle) ? to : from) = middle;
    }
    *at = to;
    return absl::OkStatus();
  }

 private:
  SteadyTime Next(std::size_t observed) const {
    return observed < events_.size() ? events_[observed].time : end_;
  }
  StatusOr<std::unique_ptr<ChecksJudge>> After(std::size_t observed) const {
    SQUALL_ASSIGN_OR_RETURN(std::unique_ptr<ChecksJudge> judge,
                            ChecksJudge::Create(checks_, timeout_scale_));
    for (const Event& event : events_.first(observed)) judge->Observe(event);
    return judge;
  }
  static bool Fails(ChecksJudge& judge, const std::string& check, SteadyTime time) {
    const std::vector<CheckResult> results = judge.Finish(time);
    return std::any_of(results.begin(), results.end(), [&check](const CheckResult& result) {
      return result.check == check && result.outcome == Outcome::kFail;
    });
  }

  const std::span<const Event> events_;
  const SteadyTime end_;
  const std::span<const CheckSpec> checks_;
  const double timeout_scale_;
};

}  // namespace

StatusOr<std::map<std::string, SteadyTime>> BreakingPoints(std::span<const Event> events,
                                                           std::span<const CheckSpec> checks) {
  SQUALL_ASSIGN_OR_RETURN(const JournalJudgement judgement, JudgeJournal(events, checks, {}));
  SQUALL_ASSIGN_OR_RETURN(const double timeout_scale, TimeoutScaleOf(events));
  // What was observed when it was judged.
  const auto conclusion = std::find_if(events.begin(), events.end(), [](const Event& event) {
    const auto* run = event.As<journal::RunEvent>();
    return event.As<journal::AssertionEvent>() != nullptr ||
           (run != nullptr && run->what == "finished");
  });
  const SteadyTime end = conclusion != events.end() ? conclusion->time
                         : events.empty()           ? SteadyTime()
                                                    : events.back().time;
  const auto observed = events.first(static_cast<std::size_t>(conclusion - events.begin()));
  Bisection bisection(observed, end, checks, timeout_scale);
  std::map<std::string, SteadyTime> points;
  for (const CheckResult& result : judgement.results) {
    if (result.outcome != Outcome::kFail) continue;
    SQUALL_RETURN_IF_ERROR(bisection.Find(result.check, &points[result.check]));
  }
  return points;
}

}  // namespace squall::scenarios
