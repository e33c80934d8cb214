#include "sim/world/loop.h"

#include <utility>

#include "sim/kernel/scheduler.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {

void WorldLoop::Wake() { TheScheduler().Wake(WaitOn::kLoop, this, 1); }

void WorldLoop::Post(Callback callback) {
  posted_.push_back(std::move(callback));
  Wake();
}

TimerId WorldLoop::At(SteadyTime when, Callback callback) {
  const TimerId id = timers_.Add(when, std::move(callback));
  Wake();
  return id;
}

void WorldLoop::Stop() {
  stopped_ = true;
  Wake();
}

void WorldLoop::Run() {
  stopped_ = false;
  while (!stopped_) {
    if (!posted_.empty()) {
      const Callback callback = std::move(posted_.front());
      posted_.pop_front();
      callback();
      continue;
    }
    if (const Callback callback = timers_.TakeDue(clock_.Now())) {
      callback();
      continue;
    }
    const auto next = timers_.NextDeadline();
    const std::int64_t deadline = next ? next->time_since_epoch().count() - kUptime : kNever;
    TheScheduler().Wait(WaitOn::kLoop, this, deadline);
  }
}

}  // namespace squall::sim
