#pragma once
// What workflow code sees: its information, deterministic time and randomness, timers, activities,
// children, signals, queries, updates and cancellation.
//
// A workflow is a coroutine, or a class with one:
//
//   Task<std::string> Greet(WorkflowContext& context, std::string name) {
//     ActivityOptions options;
//     options.start_to_close_timeout = std::chrono::seconds(10);
//     co_return co_await context.ExecuteActivity<std::string>("compose", name, options);
//   }
//
// It is replay-safe as long as all it does to the world goes through the context: no clock, no
// randomness, no thread, no other co_await than those of this folder.

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "core/worker/callable.h"
#include "core/worker/operation.h"
#include "core/worker/options.h"
#include "core/worker/task.h"

namespace squall::core {

struct WorkflowInfo {
  std::string workflow_type;
  std::string workflow_id;
  std::string run_id;
  std::string first_run_id;
  std::string continued_from_run_id;  // empty: not a continuation
  std::string parent_workflow_id;     // empty: no child
  std::string task_queue;
  std::string ns;
  int attempt = 1;
  WallTime start_time;
};

// Thrown by ContinueAsNew; not for catching.
struct ContinueAsNewRequest {
  ContinueAsNewOptions options;
  Payloads arguments;
};

class WorkflowContext {
 public:
  virtual const WorkflowInfo& info() const = 0;
  // The time of the workflow task, the same at every replay.
  virtual WallTime Now() const = 0;
  // Seeded by the server, the same at every replay.
  virtual Rng& random() = 0;
  // For logging only: code that depends on it is not deterministic.
  virtual bool replaying() const = 0;
  virtual bool continue_as_new_suggested() const = 0;
  virtual std::uint32_t history_length() const = 0;

  // True when this code runs (or ran) with the change `id`; replays of histories from before it
  // give false.
  virtual bool Patched(const std::string& id) = 0;

  // The workflow's own scope: cancelled when the workflow is.
  virtual const std::shared_ptr<CancellationScope>& scope() const = 0;
  bool cancel_requested() const { return scope()->cancelled(); }
  // A scope that outlives the workflow's cancellation, for cleaning up.
  std::shared_ptr<CancellationScope> DetachedScope() const {
    return std::make_shared<CancellationScope>();
  }

  // Done after `duration` (at least 1 ms, Temporal's smallest timer). Throws CancelledFailure when
  // cancelled.
  Operation<Nothing> Sleep(Duration duration, std::shared_ptr<CancellationScope> in = nullptr) {
    return Operation<Nothing>(StartTimer(duration, std::move(in)));
  }

  // Schedules at once; the handle may be awaited now or later. ActivityFailure says that the last
  // attempt failed, timed out or was cancelled.
  template <typename T, typename Input>
  Operation<T> ExecuteActivity(std::string type, const Input& input,
                               const ActivityOptions& options) {
    return ExecuteActivityWith<T>(std::move(type), Payloads{Encode(input)}, options);
  }
  // Any number of arguments, already encoded.
  template <typename T>
  Operation<T> ExecuteActivityWith(std::string type, Payloads arguments,
                                   const ActivityOptions& options) {
    return Operation<T>(ScheduleActivity(std::move(type), std::move(arguments), options));
  }

  // Starts a child and waits for its result; ChildWorkflowFailure when it does not complete or
  // cannot start.
  template <typename T, typename Input>
  Operation<T> ExecuteChild(std::string type, const Input& input,
                            const ChildOptions& options = {}) {
    return Operation<T>(StartChild(std::move(type), Payloads{Encode(input)}, options));
  }

  // Done once `condition` holds; it is looked at after every step of the workflow and must only
  // read. Throws CancelledFailure when the scope is cancelled first.
  Operation<Nothing> WaitCondition(std::function<bool()> condition,
                                   std::shared_ptr<CancellationScope> in = nullptr) {
    return Operation<Nothing>(AddCondition(std::move(condition), std::move(in)));
  }
  // The same with a limit: false when it passed first.
  Task<bool> WaitCondition(std::function<bool()> condition, Duration limit,
                           std::shared_ptr<CancellationScope> in = nullptr) {
    const Operation<Nothing> timer = Sleep(limit, in);
    const Operation<Nothing> either =
        WaitCondition([&] { return condition() || timer.done(); }, in);
    co_await either;
    const bool held = condition();
    if (held) timer.Cancel();
    co_return held;
  }

  // The next signal of that name, also one that came before it was asked for. Not for names with a
  // handler.
  template <typename T>
  Task<T> WaitSignal(std::string name, std::shared_ptr<CancellationScope> in = nullptr) {
    const Operation<Nothing> there =
        WaitCondition([this, &name] { return HasSignal(name); }, std::move(in));
    co_await there;
    const Payloads input = TakeSignal(name);
    StatusOr<std::tuple<T>> value = DecodeArguments<T>(input);
    if (!value.ok()) {
      throw std::runtime_error("signal " + name + ": " + std::string(Message(value.status())));
    }
    co_return std::get<0>(*std::move(value));
  }

  // Handlers, best set in the workflow class's constructor: signals, queries and updates of the
  // first task come before Run. Signal handlers are functions or coroutines returning Task<void>.
  // Signals without a handler are kept until one is set.
  template <typename F>
  void OnSignal(const std::string& name, F handler) {
    SetSignalHandler(name, WrapTask(std::move(handler)));
  }
  // Queries must only read; an exception is the query's error. They return a value, never a Task.
  template <typename F>
  void OnQuery(const std::string& name, F handler) {
    using Arguments = typename internal::CallableTraits<F>::Arguments;
    SetQueryHandler(
        name, [shared = std::make_shared<F>(std::move(handler))](const Payloads& input) {
          auto args = DecodeOrThrow<Arguments>(input);
          return std::apply(
              [&](auto&... each) { return internal::CallAndEncode(*shared, std::move(each)...); },
              args);
        });
  }
  // Update handlers are functions or coroutines (Task<R>). The validator takes the same arguments,
  // only reads, and rejects by throwing; it does not run again at replay.
  template <typename F>
  void OnUpdate(const std::string& name, F handler) {
    SetUpdateHandler(name, WrapTask(std::move(handler)), nullptr);
  }
  template <typename F, typename V>
  void OnUpdate(const std::string& name, F handler, V validator) {
    using Arguments = typename internal::CallableTraits<V>::Arguments;
    SetUpdateHandler(name, WrapTask(std::move(handler)),
                     [shared = std::make_shared<V>(std::move(validator))](const Payloads& input) {
                       std::apply(*shared, DecodeOrThrow<Arguments>(input));
                     });
  }

  // Ends this run and starts the next with these arguments.
  template <typename... Args>
  [[noreturn]] void ContinueAsNew(const Args&... args) {
    throw ContinueAsNewRequest{ContinueAsNewOptions(), Payloads{Encode(args)...}};
  }
  template <typename... Args>
  [[noreturn]] void ContinueAsNewWith(ContinueAsNewOptions options, const Args&... args) {
    throw ContinueAsNewRequest{std::move(options), Payloads{Encode(args)...}};
  }

 protected:
  using TaskHandler = std::function<Task<Payload>(const Payloads&)>;
  using QueryHandler = std::function<Payload(const Payloads&)>;
  using Validator = std::function<void(const Payloads&)>;
  using State = std::shared_ptr<internal::OperationState>;

  virtual ~WorkflowContext() = default;

  virtual State StartTimer(Duration duration, std::shared_ptr<CancellationScope> in) = 0;
  virtual State ScheduleActivity(std::string type, Payloads arguments,
                                 const ActivityOptions& options) = 0;
  virtual State StartChild(std::string type, Payloads arguments, const ChildOptions& options) = 0;
  virtual State AddCondition(std::function<bool()> condition,
                             std::shared_ptr<CancellationScope> in) = 0;
  virtual bool HasSignal(const std::string& name) const = 0;
  virtual Payloads TakeSignal(const std::string& name) = 0;
  virtual void SetSignalHandler(const std::string& name, TaskHandler handler) = 0;
  virtual void SetQueryHandler(const std::string& name, QueryHandler handler) = 0;
  virtual void SetUpdateHandler(const std::string& name, TaskHandler handler,
                                Validator validator) = 0;

 private:
  template <typename Tuple>
  static Tuple DecodeOrThrow(const Payloads& input) {
    StatusOr<Tuple> args = internal::TupleDecoder<Tuple>::Decode(input);
    if (!args.ok()) throw std::invalid_argument(std::string(Message(args.status())));
    return *std::move(args);
  }

  template <typename F>
  static TaskHandler WrapTask(F handler) {
    using Arguments = typename internal::CallableTraits<F>::Arguments;
    return [shared = std::make_shared<F>(std::move(handler))](const Payloads& input) {
      return internal::CallAsTask(shared, DecodeOrThrow<Arguments>(input));
    };
  }
};

}  // namespace squall::core
