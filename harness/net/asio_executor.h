#pragma once
// squall's event loop in the real worlds: the Executor interface on one boost::asio::io_context.
//
// Everything in harness/ (processes, proxies, targets, faults, the runner's World) lives on one
// such loop and is not thread-safe: it is created, called and destroyed on the thread that runs the
// loop (before Run it may be built on the thread that will call Run). Only Post and Stop may be
// called from elsewhere.

#include <functional>
#include <memory>

#include "base/util/clock.h"
#include "base/util/executor.h"

namespace boost::asio {
class io_context;
}

namespace squall::harness {

class AsioExecutor final : public Executor {
 public:
  // `clock` must be a real one (RealClock): timers run on the machine's monotonic clock. It must
  // outlive the executor.
  explicit AsioExecutor(const Clock& clock);
  // What is still posted is dropped without being run. Objects with sockets on this loop must be
  // gone before it.
  ~AsioExecutor() override;
  AsioExecutor(const AsioExecutor&) = delete;
  AsioExecutor& operator=(const AsioExecutor&) = delete;

  const Clock& clock() const override;
  void Post(Callback callback) override;
  TimerId At(SteadyTime when, Callback callback) override;
  void Cancel(TimerId id) override;

  // For Asio's own objects; include <boost/asio/io_context.hpp> to use it.
  boost::asio::io_context& io();

  // Serves callbacks until Stop. May be called again afterwards.
  void Run();
  // Makes Run return after the callback that is running. Safe from any thread.
  void Stop();
  // Serves callbacks until `done()` holds, looking after each callback; false when `limit` (real
  // time) passed first. Not from within a callback.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::harness
