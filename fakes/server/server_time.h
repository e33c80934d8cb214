#pragma once
// The time that a fake server lives by: the clock's, or a time of its own that skips or stands.

#include <algorithm>

#include "base/util/clock.h"

namespace squall::fakes {

enum class TimeMode {
  kReal,      // as the clock tells it
  kSkipping,  // the same, and jumps to the next deadline whenever only time is waited for
  kManual,    // stands still until it is moved
};

// Single-threaded. Both kinds of time are moved together, so what the engine dates fits what it
// measures.
class ServerTime {
 public:
  ServerTime(const Clock& clock, TimeMode mode)
      : clock_(clock), mode_(mode), started_(clock.MomentNow()) {}

  TimeMode mode() const { return mode_; }
  Moment Now() const {
    const Moment told = mode_ == TimeMode::kManual ? started_ : clock_.MomentNow();
    return {told.steady + rebase_ + offset_, told.wall + offset_};
  }
  // What the server is ahead of the calendar.
  Duration offset() const { return offset_; }
  void MoveAhead(Duration by) { offset_ += by; }

  // Goes on where an earlier server stopped: at `last`, `offset` ahead of the calendar. What passed
  // since on the calendar has passed here too; the steady time of this process (after a reboot of
  // this machine) may be lower and plays no role. A calendar that was set back counts as no time at
  // all. Manual time goes on at `last` itself.
  void Continue(Moment last, Duration offset) {
    offset_ = offset;
    if (mode_ == TimeMode::kManual) started_.wall = last.wall - offset_;
    rebase_ = Duration::zero();
    const Moment now = Now();
    rebase_ = last.steady + std::max(Duration::zero(), now.wall - last.wall) - now.steady;
  }

 private:
  const Clock& clock_;
  const TimeMode mode_;
  Moment started_;     // manual: when this server started, by the clock
  Duration rebase_{};  // of steady time: the origin of the first server on the same state file
  Duration offset_{};
};

}  // namespace squall::fakes
