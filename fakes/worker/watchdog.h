#pragma once
// Ends the process when its shutdown does not: core's may hang for ever (X1, X4, X5 in
// incidents.md). A thread of its own, since the thread that hangs may be any other. Only for
// programs.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/util/clock.h"

namespace squall::fakes {

class Watchdog {
 public:
  // `bark` runs on the watchdog's thread once the limit has passed; it is expected to end the
  // process.
  explicit Watchdog(std::function<void()> bark);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Starts the limit; only the first call counts. Safe from any thread.
  void Arm(Duration limit);

 private:
  void Run();

  const std::function<void()> bark_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Duration> limit_;
  bool done_ = false;
  std::thread thread_;
};

// Keeps SIGTERM and SIGINT from this thread and all that it starts from now on: for the start of
// main, before any other thread. Also undoes an inherited "ignore" (a shell's background job
// ignores SIGINT).
void BlockStopSignals();

// Hands SIGTERM and SIGINT to `handle` on a thread of its own. After BlockStopSignals.
class SignalListener {
 public:
  explicit SignalListener(std::function<void(int signal)> handle);
  ~SignalListener();
  SignalListener(const SignalListener&) = delete;
  SignalListener& operator=(const SignalListener&) = delete;

 private:
  std::thread thread_;
};

}  // namespace squall::fakes
