#include "harness/net/asio_executor.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "base/util/status.h"

namespace squall::harness {

namespace asio = boost::asio;

struct AsioExecutor::Impl {
  explicit Impl(const Clock& the_clock)
      : clock(the_clock), work(asio::make_work_guard(io)), timer(io) {}

  // Keeps Asio's timer at the earliest of ours. A handler of an earlier arming that was already
  // queued when the timer was set anew only looks again.
  void Arm() {
    const std::optional<SteadyTime> next = timers.NextDeadline();
    if (next == armed) return;
    armed = next;
    if (!next) {
      timer.cancel();
      return;
    }
    timer.expires_after(std::max(*next - clock.Now(), Duration::zero()));
    timer.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      armed.reset();
      FireDue();
    });
  }

  void FireDue() {
    // Only what is due now: a timer that sets itself again for "at once" must not starve the
    // sockets.
    const SteadyTime now = clock.Now();
    while (Executor::Callback callback = timers.TakeDue(now)) callback();
    Arm();
  }

  const Clock& clock;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  asio::steady_timer timer;
  TimerQueue timers;
  std::optional<SteadyTime> armed;
};

AsioExecutor::AsioExecutor(const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
AsioExecutor::~AsioExecutor() = default;

const Clock& AsioExecutor::clock() const { return impl_->clock; }

void AsioExecutor::Post(Callback callback) { asio::post(impl_->io, std::move(callback)); }

TimerId AsioExecutor::At(SteadyTime when, Callback callback) {
  const TimerId id = impl_->timers.Add(when, std::move(callback));
  impl_->Arm();
  return id;
}

void AsioExecutor::Cancel(TimerId id) {
  impl_->timers.Cancel(id);
  impl_->Arm();
}

asio::io_context& AsioExecutor::io() { return impl_->io; }

void AsioExecutor::Run() {
  impl_->io.restart();
  impl_->io.run();
}

void AsioExecutor::Stop() { impl_->io.stop(); }

bool AsioExecutor::RunUntil(const std::function<bool()>& done, Duration limit) {
  impl_->io.restart();
  bool expired = false;
  const TimerId timer = After(limit, [&expired] { expired = true; });
  bool held = done();
  while (!held && !expired) {
    if (impl_->io.run_one() == 0) break;  // stopped
    held = done();
  }
  Cancel(timer);
  return held;
}

}  // namespace squall::harness
