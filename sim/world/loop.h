#pragma once
// The world's own event loop: runs on the thread that began the simulation, in virtual time.
//
// Everything here happens with the scheduler's baton, so nothing is locked: Post and At may be
// called from any simulated thread (a simulated socket call hands bytes to the network with them).

#include <deque>

#include "base/util/clock.h"
#include "base/util/executor.h"

namespace squall::sim {

class WorldLoop final : public Executor {
 public:
  const Clock& clock() const override { return clock_; }
  void Post(Callback callback) override;
  TimerId At(SteadyTime when, Callback callback) override;
  void Cancel(TimerId id) override { timers_.Cancel(id); }

  // Serves until Stop.
  void Run();
  void Stop();

 private:
  void Wake();

  const RealClock clock_;  // the machine's clock, which the simulation replaces
  std::deque<Callback> posted_;
  TimerQueue timers_;
  bool stopped_ = false;
};

}  // namespace squall::sim
