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

// Moments of the run as the process's calendar counts them, and back.
std::int64_t Skewed(const Process& process, std::int64_t now) {
  const auto since = static_cast<double>(now - process.wall_since);
  return now + process.wall_offset +
         (process.wall_rate == 1 ? 0 : static_cast<std::int64_t>(since * (process.wall_rate - 1)));
}
std::int64_t Unskewed(const Process& process, std::int64_t shown) {
  const std::int64_t at = shown - process.wall_offset;
  if (process.wall_rate == 1) return at;
  return process.wall_since + static_cast<std::int64_t>(
                                  static_cast<double>(at - process.wall_since) / process.wall_rate);
}

bool IsCalendar(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

}  // namespace

std::int64_t ReadVirtualClock(clockid_t clock) {
  const std::int64_t now = TheScheduler().now();
  return StartOf(clock) + (IsCalendar(clock) ? Skewed(*TheScheduler().process(), now) : now);
}

std::int64_t DeadlineOf(clockid_t clock, const timespec& until) {
  const std::int64_t at = Nanoseconds(until);
  if (at == kNever) return kNever;
  const std::int64_t shown = at - StartOf(clock);
  return IsCalendar(clock) ? Unskewed(*TheScheduler().process(), shown) : shown;
}

std::int64_t DeadlineAfter(const timespec& delay) {
  const std::int64_t by = Nanoseconds(delay);
  return by == kNever ? kNever : TheScheduler().now() + by;
}

}  // namespace squall::sim
