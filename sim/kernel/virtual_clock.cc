#include "sim/kernel/virtual_clock.h"

#include <string>

#include "sim/kernel/escape.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

std::int64_t Nanoseconds(const timespec& time) {
  // What means "for ever" (Rust's largest durations) must not overflow.
  if (time.tv_sec > std::int64_t{4'000'000'000}) return kNever;
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// What a clock shows at the start of a run.
std::int64_t StartOf(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
      return kWallStart;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
      return kUptime;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
      return 0;  // computing takes no time; what asks sees it pass as everything else
    default:
      Escaped("clock " + std::to_string(clock));
  }
}

}  // namespace

std::int64_t ReadVirtualClock(clockid_t clock) { return StartOf(clock) + TheScheduler().now(); }

std::int64_t DeadlineOf(clockid_t clock, const timespec& until) {
  const std::int64_t at = Nanoseconds(until);
  return at == kNever ? kNever : at - StartOf(clock);
}

std::int64_t DeadlineAfter(const timespec& delay) {
  const std::int64_t by = Nanoseconds(delay);
  return by == kNever ? kNever : TheScheduler().now() + by;
}

}  // namespace squall::sim
