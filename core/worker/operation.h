#pragma once
// What a workflow waits for: Operation<T>, the handle of one timer, activity, child workflow or
// condition, and CancellationScope, which cancels several at once.
//
// Operations are resolved by core's activations only, never by time or threads of this process.
// Single-threaded.

#include <coroutine>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/worker/failure.h"
#include "core/worker/payload.h"

namespace squall::core {

// Cancels what was started in it, in the order in which it was started; a scope's children follow
// after its own operations. An operation started in a scope that is already cancelled fails at
// once, without a command.
class CancellationScope : public std::enable_shared_from_this<CancellationScope> {
 public:
  bool cancelled() const { return cancelled_; }
  const std::string& reason() const { return reason_; }

  void Cancel(std::string reason = "") {
    if (cancelled_) return;
    const std::shared_ptr<CancellationScope> self = shared_from_this();
    cancelled_ = true;
    reason_ = std::move(reason);
    while (!callbacks_.empty()) {
      const auto callback = std::move(callbacks_.begin()->second);
      callbacks_.erase(callbacks_.begin());
      callback(reason_);
    }
  }

  // A scope that is cancelled with this one.
  std::shared_ptr<CancellationScope> NewChild() {
    auto child = std::make_shared<CancellationScope>();
    if (cancelled_) {
      child->Cancel(reason_);
    } else {
      OnCancel([weak = std::weak_ptr(child)](const std::string& why) {
        if (const auto strong = weak.lock()) strong->Cancel(why);
      });
    }
    return child;
  }

  // Calls `callback` at Cancel, unless it was removed before. Requires !cancelled().
  std::uint64_t OnCancel(std::function<void(const std::string& reason)> callback) {
    callbacks_.emplace(++last_id_, std::move(callback));
    return last_id_;
  }
  void Remove(std::uint64_t id) { callbacks_.erase(id); }

 private:
  bool cancelled_ = false;
  std::string reason_;
  std::map<std::uint64_t, std::function<void(const std::string&)>> callbacks_;
  std::uint64_t last_id_ = 0;
};

namespace internal {

// Where coroutines go when what they wait for has come; resumes them later, in that order.
class CoroutineScheduler {
 public:
  virtual void Ready(std::coroutine_handle<> handle) = 0;
  // The frame goes away: it must not be resumed any more.
  virtual void Forget(std::coroutine_handle<> handle) = 0;

 protected:
  ~CoroutineScheduler() = default;
};

// The result of one operation, resolved once. Shared by its handles and by the run that resolves
// it.
class OperationState {
 public:
  explicit OperationState(CoroutineScheduler& scheduler) : scheduler_(scheduler) {}
  OperationState(const OperationState&) = delete;
  OperationState& operator=(const OperationState&) = delete;

  bool done() const { return done_; }
  bool failed() const { return done_ && failed_; }
  const Payload& value() const { return value_; }
  const FailureProto& failure() const { return failure_; }

  void Complete(Payload value) {
    if (done_) return;
    value_ = std::move(value);
    Finish();
  }
  void Fail(FailureProto failure) {
    if (done_) return;
    failed_ = true;
    failure_ = std::move(failure);
    Finish();
  }

  // What cancelling this one operation does; cleared when it is done.
  void set_cancel(std::function<void(const std::string& reason)> cancel) {
    cancel_ = std::move(cancel);
  }
  // Runs when the operation is done, before anything that waits for it.
  void set_on_done(std::function<void()> on_done) { on_done_ = std::move(on_done); }
  void Cancel(const std::string& reason) {
    if (done_ || !cancel_) return;
    const auto cancel = std::exchange(cancel_, nullptr);
    cancel(reason);
  }

  void Wait(std::coroutine_handle<> handle) { waiters_.push_back(handle); }
  void StopWaiting(std::coroutine_handle<> handle) {
    std::erase(waiters_, handle);
    scheduler_.Forget(handle);
  }

 private:
  void Finish() {
    done_ = true;
    cancel_ = nullptr;
    if (on_done_) std::exchange(on_done_, nullptr)();
    for (const std::coroutine_handle<> handle : std::exchange(waiters_, {}))
      scheduler_.Ready(handle);
  }

  CoroutineScheduler& scheduler_;
  bool done_ = false;
  bool failed_ = false;
  Payload value_;
  FailureProto failure_;
  std::function<void(const std::string&)> cancel_;
  std::function<void()> on_done_;
  std::vector<std::coroutine_handle<>> waiters_;
};

}  // namespace internal

// Awaiting gives the value as a T (void for Operation<Nothing> is spelled Nothing) or throws:
// CancelledFailure, ActivityFailure, ChildWorkflowFailure. May be copied and awaited several times.
// It must not outlive its workflow run, which it cannot when it lives in the workflow's coroutines
// or object.
template <typename T>
class Operation {
 public:
  explicit Operation(std::shared_ptr<internal::OperationState> state) : state_(std::move(state)) {}

  bool done() const { return state_->done(); }
  // Asks for the cancellation of this operation alone. What awaiting then gives depends on its
  // cancellation type.
  void Cancel(const std::string& reason = "") const { state_->Cancel(reason); }

  // Requires done(): what awaiting would give.
  T Result() const {
    if (state_->failed()) ThrowFailure(state_->failure());
    StatusOr<T> value = Codec<T>::Decode(state_->value());
    // A value of another type is a bug of the code, not of the execution: it fails the workflow
    // task.
    if (!value.ok()) throw std::runtime_error("result: " + std::string(Message(value.status())));
    return *std::move(value);
  }

  class Awaiter {
   public:
    explicit Awaiter(Operation operation) : operation_(std::move(operation)) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (waiting_) operation_.state_->StopWaiting(waiting_);
    }
    bool await_ready() const { return operation_.done(); }
    void await_suspend(std::coroutine_handle<> handle) {
      waiting_ = handle;
      operation_.state_->Wait(handle);
    }
    T await_resume() {
      waiting_ = nullptr;
      return operation_.Result();
    }

   private:
    Operation operation_;
    std::coroutine_handle<> waiting_;
  };
  Awaiter operator co_await() const { return Awaiter(*this); }

 private:
  std::shared_ptr<internal::OperationState> state_;
};

}  // namespace squall::core
