#pragma once
// What virtual time looks like through each of the machine's clocks.

#include <time.h>

#include <cstdint>

namespace squall::sim {

// The calendar at the start of every run: 2026-01-01T00:00:00Z; and how long the machine has been
// up by then.
inline constexpr std::int64_t kWallStart = std::int64_t{1'767'225'600} * 1'000'000'000;
inline constexpr std::int64_t kUptime = std::int64_t{1000} * 1'000'000'000;

// A clock's reading now. A clock that the simulation does not have ends the run.
std::int64_t ReadVirtualClock(clockid_t clock);
// When that clock shows `until`, in nanoseconds since the start of the run.
std::int64_t DeadlineOf(clockid_t clock, const timespec& until);
// After so long; at once when it is negative.
std::int64_t DeadlineAfter(const timespec& delay);

}  // namespace squall::sim
