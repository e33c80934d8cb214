#include "fakes/worker/watchdog.h"

#include <csignal>
#include <utility>

namespace squall::fakes {

Watchdog::Watchdog(std::function<void()> bark)
    : bark_(std::move(bark)), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::Arm(Duration limit) {
  {
    const std::lock_guard lock(mutex_);
    if (limit_) return;
    limit_ = limit;
  }
  changed_.notify_all();
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ || limit_.has_value(); });
  if (done_) return;
  if (changed_.wait_for(lock, *limit_, [this] { return done_; })) return;
  lock.unlock();
  bark_();
}

namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGUSR2);  // cancels from inside
  sigaddset(&set, SIGUSR1);  // ends the listener
  return set;
}

}  // namespace

void BlockStopSignals() {
  // An ignored signal is never delivered, not even to sigwait.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalListener::SignalListener(std::function<void(int)> handle) {
  const sigset_t set = StopSignals();
  thread_ = std::thread([set, handle = std::move(handle)] {
    int signal = 0;
    while (sigwait(&set, &signal) == 0 && signal != SIGUSR1) handle(signal);
  });
}

SignalListener::~SignalListener() {
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

}  // namespace squall::fakes
