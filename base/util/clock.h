#pragma once
// Time as the rest of squall sees it: two kinds of instant and the one interface that tells them.
//
// Nothing else in the project may read a clock (a test looks for it): the same code runs in real time, on a manual clock
// in unit tests, and in virtual time under the simulator.

#include <chrono>
#include <string>

namespace squall {

using Duration = std::chrono::nanoseconds;

struct SteadyDomain {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<SteadyDomain>;
  static constexpr bool is_steady = true;
};

// An instant that only moves forward; its origin is arbitrary and differs between processes.
using SteadyTime = std::chrono::time_point<SteadyDomain, Duration>;
// An instant on the calendar (UTC); it may be set back or jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Both at once: what state machines without a clock of their own are given with every input.
struct Moment {
  SteadyTime steady;
  WallTime wall;
};

// The only source of time. Implementations are safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
  Moment MomentNow() const { return {Now(), WallNow()}; }
};

// The machine's clocks.
class RealClock final : public Clock {
 public:
  SteadyTime Now() const override;
  WallTime WallNow() const override;
};

// A clock that stands still until it is told to move. Single-threaded.
class ManualClock final : public Clock {
 public:
  // Starts at steady time 0 and the given wall time (default: 2026-01-01T00:00:00Z).
  explicit ManualClock(WallTime wall = WallTime(std::chrono::seconds(1767225600)));

  SteadyTime Now() const override { return now_; }
  WallTime WallNow() const override { return wall_; }

  // Moves both clocks forward by `by` (>= 0).
  void Advance(Duration by);
  // Moves steady time to `to` and wall time by the same amount; an earlier `to` changes nothing.
  void AdvanceTo(SteadyTime to);
  // Sets the calendar without touching steady time: what an NTP step does.
  void SetWall(WallTime wall) { wall_ = wall; }

 private:
  SteadyTime now_{};
  WallTime wall_;
};

// RFC 3339 in UTC with nanoseconds: 2026-11-21T13:30:00.123456789Z.
std::string FormatWall(WallTime time);

// A short human form: 850us, 12.3ms, 4.20s, 2m05s.
std::string FormatDuration(Duration d);

// Multiplies the time-outs of tests and of the harness (not of the code under test); from SQUALL_TIMEOUT_SCALE,
// 1 by default, between 1 and 100. Slow builds (sanitizers) set it.
double TimeoutScale();
Duration Scaled(Duration d);

}  // namespace squall
