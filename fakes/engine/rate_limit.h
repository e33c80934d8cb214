#pragma once
// A dispatch limit: so many tasks a second, at most a second's worth at once. The generic cell rate
// algorithm, as the real matching service has it.

#include <algorithm>

#include "base/util/clock.h"

namespace squall::fakes::engine {

class RateLimit {
 public:
  // When the next task may go; never with a rate of 0.
  SteadyTime Ready(double rate) const { return rate <= 0 ? SteadyTime::max() : ready_; }
  void Consume(SteadyTime now, double rate) {
    if (rate <= 0) return;
    ready_ = std::max(now - std::chrono::seconds(1), ready_) + Interval(rate);
  }
  // The rate changed: what was saved up or owed under the old one is bounded by the new.
  void Clip(SteadyTime now, double rate) {
    if (rate > 0) ready_ = std::min(ready_, now + Interval(rate));
  }

 private:
  static Duration Interval(double rate) { return Duration(static_cast<std::int64_t>(1e9 / rate)); }
  SteadyTime ready_{};
};

}  // namespace squall::fakes::engine
