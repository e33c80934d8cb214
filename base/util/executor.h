#pragma once
// A single-threaded event loop, as an interface: post work, run work at a time.
//
// Everything with behaviour over time (hosts, the step machine, clients) is written against this, so that it runs on
// a loop of its own in real processes (LoopExecutor), on Asio in the harness, by hand in unit tests (ManualExecutor)
// and in virtual time under the simulator.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "base/util/clock.h"

namespace squall {

using TimerId = std::uint64_t;  // 0 is never a timer

class Executor {
 public:
  using Callback = std::function<void()>;
  virtual ~Executor() = default;

  virtual const Clock& clock() const = 0;
  // Runs `callback` on the loop, after everything posted before it. Safe from any thread; never runs it inline.
  virtual void Post(Callback callback) = 0;
  // Runs `callback` on the loop once `when` has come; timers with equal times run in the order they were set.
  // Loop thread only.
  virtual TimerId At(SteadyTime when, Callback callback) = 0;
  // After Cancel returns the timer will not run. Unknown or finished ids are ignored. Loop thread only.
  virtual void Cancel(TimerId id) = 0;

  TimerId After(Duration delay, Callback callback) {
    return At(clock().Now() + delay, std::move(callback));
  }
};

// Timers ordered by (deadline, serial number); what every executor keeps.
class TimerQueue {
 public:
  TimerId Add(SteadyTime when, Executor::Callback callback);
  void Cancel(TimerId id);
  std::optional<SteadyTime> NextDeadline() const;
  // Removes and returns the first timer due at `now`; empty when none is.
  Executor::Callback TakeDue(SteadyTime now);
  bool empty() const { return timers_.empty(); }
  std::size_t size() const { return timers_.size(); }

 private:
  std::map<std::pair<SteadyTime, TimerId>, Executor::Callback> timers_;
  std::map<TimerId, SteadyTime> deadlines_;
  TimerId next_ = 1;
};

// Runs on the thread that calls Run(), until Stop().
class LoopExecutor final : public Executor {
 public:
  explicit LoopExecutor(const Clock& clock) : clock_(clock) {}

  const Clock& clock() const override { return clock_; }
  void Post(Callback callback) override;
  TimerId At(SteadyTime when, Callback callback) override;
  void Cancel(TimerId id) override;

  // Serves callbacks until Stop(); what is still posted then is dropped when the object goes.
  void Run();
  // Safe from any thread.
  void Stop();

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> posted_;
  bool stopped_ = false;
  TimerQueue timers_;  // loop thread only
};

// Runs nothing until it is told to, on a manual clock that jumps from timer to timer. Post is safe from any thread.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(ManualClock& clock) : clock_(clock) {}

  const Clock& clock() const override { return clock_; }
  void Post(Callback callback) override;
  TimerId At(SteadyTime when, Callback callback) override { return timers_.Add(when, std::move(callback)); }
  void Cancel(TimerId id) override { timers_.Cancel(id); }

  // Runs what is posted or due now, and what that posts, until nothing is left.
  void RunReady();
  // Moves the clock to `to`, standing at each timer's own deadline while it runs.
  void AdvanceTo(SteadyTime to);
  void Advance(Duration by) { AdvanceTo(clock_.Now() + by); }
  // Blocks until something was posted by another thread, at most `limit` of real time; false when nothing came.
  bool WaitForPost(Duration limit);
  std::optional<SteadyTime> NextDeadline() const { return timers_.NextDeadline(); }

 private:
  bool RunOnePosted();

  ManualClock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> posted_;
  TimerQueue timers_;
};

}  // namespace squall
