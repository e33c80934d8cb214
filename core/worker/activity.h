#pragma once
// What activity code sees. Two kinds of activity exist:
//
// * coroutines, Task<R>(ActivityContext&, Args...): run on the worker's executor and must not
// block; they wait with
//   co_await context.Wait(...). They behave the same in every world, virtual time included.
// * functions, R(ActivityContext&, Args...): may block; run on a bounded pool of threads where the
// worker has one, else
//   inline on the executor, where they must not wait.
//
// Throwing ApplicationFailure (or any exception) fails the attempt; the server retries by the
// activity's retry policy. Throwing CancelledFailure after a cancellation was asked for reports the
// attempt as cancelled.

#include <condition_variable>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "core/worker/failure.h"
#include "core/worker/payload.h"
#include "temporal/sdk/core/activity_task/activity_task.pb.h"

namespace squall::core {

using CancelReason = coresdk::activity_task::ActivityCancelReason;

struct ActivityInfo {
  std::string task_token;
  std::string activity_type;
  std::string activity_id;
  std::string workflow_type;
  std::string workflow_id;
  std::string run_id;
  std::string ns;
  std::string task_queue;
  int attempt = 1;
  std::optional<Duration> heartbeat_timeout;
  std::optional<Duration> start_to_close_timeout;
  Payloads heartbeat_details;  // of the last attempt's last recorded heartbeat
};

// Lives as long as the attempt. Heartbeat, cancelled and WaitForCancel are safe from any thread;
// Wait belongs to coroutines on the executor.
class ActivityContext {
 public:
  ActivityContext(ActivityInfo info, Executor& executor, bool may_block,
                  std::function<void(Payloads)> heartbeat)
      : info_(std::move(info)),
        executor_(executor),
        may_block_(may_block),
        heartbeat_(std::move(heartbeat)) {}
  ActivityContext(const ActivityContext&) = delete;
  ActivityContext& operator=(const ActivityContext&) = delete;

  const ActivityInfo& info() const { return info_; }
  const Clock& clock() const { return executor_.clock(); }

  // Tells the server that the attempt lives and how far it is; core throttles. Cancellation is
  // heard of only by this.
  template <typename... Details>
  void Heartbeat(const Details&... details) {
    heartbeat_(Payloads{Encode(details)...});
  }

  // Set once cancellation is asked for (by the workflow, a time-out, the worker's shutdown after
  // its grace).
  std::optional<CancelReason> cancelled() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }
  void ThrowIfCancelled() const {
    if (const auto reason = cancelled()) {
      throw CancelledFailure("activity cancelled: " +
                             coresdk::activity_task::ActivityCancelReason_Name(*reason));
    }
  }

  // Blocks until cancellation is asked for or `limit` has passed; true when it was asked for.
  // Inline on the executor (no thread pool) it returns at once.
  bool WaitForCancel(Duration limit) const {
    std::unique_lock lock(mutex_);
    if (may_block_) asked_.wait_for(lock, limit, [this] { return reason_.has_value(); });
    return reason_.has_value();
  }

  // For coroutines: `co_await context.Wait(d)` goes on after d, or as soon as cancellation is asked
  // for, and is true in the latter case.
  auto Wait(Duration duration) { return WaitAwaiter(*this, duration); }

  // The dispatcher's: cancellation arrived. On the executor.
  void RequestCancel(CancelReason reason) {
    {
      const std::lock_guard lock(mutex_);
      if (reason_) return;
      reason_ = reason;
    }
    asked_.notify_all();
    if (wake_) wake_();
  }

 private:
  class WaitAwaiter {
   public:
    WaitAwaiter(ActivityContext& context, Duration duration)
        : context_(context), duration_(duration) {}
    WaitAwaiter(const WaitAwaiter&) = delete;
    WaitAwaiter& operator=(const WaitAwaiter&) = delete;
    ~WaitAwaiter() { Disarm(); }
    bool await_ready() const { return context_.cancelled().has_value(); }
    void await_suspend(std::coroutine_handle<> handle) {
      const auto resume = [this, handle] {
        Disarm();
        handle.resume();
      };
      timer_ = context_.executor_.After(duration_, resume);
      // Resumed by a timer of its own: RequestCancel's caller is not to run user code inside its
      // call.
      context_.wake_ = [this, resume] {
        context_.executor_.Cancel(timer_);
        timer_ = context_.executor_.After(Duration::zero(), resume);
      };
    }
    bool await_resume() const { return context_.cancelled().has_value(); }

   private:
    void Disarm() {
      if (timer_ == 0) return;
      context_.executor_.Cancel(std::exchange(timer_, 0));
      context_.wake_ = nullptr;
    }

    ActivityContext& context_;
    const Duration duration_;
    TimerId timer_ = 0;
  };

  const ActivityInfo info_;
  Executor& executor_;
  const bool may_block_;
  const std::function<void(Payloads)> heartbeat_;
  mutable std::mutex mutex_;
  mutable std::condition_variable asked_;
  std::optional<CancelReason> reason_;
  std::function<void()> wake_;  // executor only
};

}  // namespace squall::core
