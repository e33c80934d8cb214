#pragma once
// Task<T>: a coroutine that starts when it is awaited (or started by its owner) and hands its
// result or exception to whoever awaits it. The object owns the coroutine's frame; destroying it
// destroys the frame, and with it every task that the frame awaits, without running any of their
// code but destructors. That is how a workflow is evicted.
//
// A Task knows no scheduler: what it awaits decides when it goes on. Single-threaded.
//
// gcc 12 destroys some temporaries of a co_await expression twice (bug 99576 and its kin; seen here
// with a capturing lambda passed beside another argument): build options structs and such lambdas
// before the co_await, not inside it.

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "base/util/status.h"

namespace squall::core {

template <typename T>
class Task;

namespace internal {

class TaskPromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  // Goes on with whoever awaits the task, on the same stack level.
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      const std::coroutine_handle<> next = self.promise().continuation_;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  void set_continuation(std::coroutine_handle<> continuation) { continuation_ = continuation; }

 protected:
  void RethrowIfFailed() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::coroutine_handle<> continuation_;
  std::exception_ptr error_;
};

template <typename T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <typename U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T TakeResult() {
    RethrowIfFailed();
    return *std::move(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void TakeResult() { RethrowIfFailed(); }
};

}  // namespace internal

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;
  using value_type = T;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      Reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { Reset(); }

  // Whether there is a coroutine at all (false when default-constructed or moved from).
  bool valid() const { return handle_ != nullptr; }
  bool done() const { return handle_ && handle_.done(); }

  // For owners that do not await: runs the coroutine to its first suspension. Once only.
  void Start() {
    SQUALL_CHECK(valid() && !done(), "a task starts once");
    handle_.resume();
  }
  // The handle for a scheduler that starts the task later; the task keeps owning it.
  std::coroutine_handle<> handle() const { return handle_; }
  // The result, or rethrows what the coroutine threw. Requires done(). Once only.
  T TakeResult() {
    SQUALL_CHECK(done(), "the task has not ended");
    return handle_.promise().TakeResult();
  }
  // Destroys the frame.
  void Reset() {
    if (handle_) std::exchange(handle_, nullptr).destroy();
  }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
      handle.promise().set_continuation(waiting);
      return handle;
    }
    T await_resume() { return handle.promise().TakeResult(); }
  };
  Awaiter operator co_await() && {
    SQUALL_CHECK(valid() && !done(), "a task is awaited once");
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

template <typename T>
inline constexpr bool kIsTask = false;
template <typename T>
inline constexpr bool kIsTask<Task<T>> = true;

}  // namespace internal

}  // namespace squall::core
