#pragma once
// Which workflows and activities a worker runs, by type name. Filled before the worker starts,
// read-only afterwards.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/worker/activity.h"
#include "core/worker/callable.h"
#include "core/worker/workflow_context.h"

namespace squall::core {

// One execution's code: made with the context, then run once.
class WorkflowBody {
 public:
  virtual ~WorkflowBody() = default;
  virtual Task<Payload> Run(Payloads arguments) = 0;
};

class Registry {
 public:
  using WorkflowFactory = std::function<std::unique_ptr<WorkflowBody>(WorkflowContext&)>;
  struct Activity {
    bool coroutine = false;  // runs on the executor; else may block and runs on the pool
    // For coroutines the task; for functions a task without suspension.
    std::function<Task<Payload>(ActivityContext&, const Payloads&)> run;
  };

  // A workflow that is one coroutine: Task<R>(WorkflowContext&, Args...).
  template <typename F>
  void AddWorkflow(const std::string& type, F function) {
    AddWorkflowFactory(
        type, [shared = std::make_shared<F>(std::move(function))](WorkflowContext& context) {
          return std::make_unique<FunctionBody<F>>(shared, context);
        });
  }

  // A workflow class: constructed with the context (where it sets its handlers), with Task<R>
  // Run(Args...).
  template <typename W>
  void AddWorkflow(const std::string& type) {
    AddWorkflowFactory(
        type, [](WorkflowContext& context) { return std::make_unique<ClassBody<W>>(context); });
  }

  // Task<R>(ActivityContext&, Args...), a coroutine, or R(ActivityContext&, Args...), a function.
  template <typename F>
  void AddActivity(const std::string& type, F function) {
    using Traits = internal::CallableTraits<F>;
    using Arguments = typename internal::Tail<typename Traits::Arguments>::type;
    Activity activity;
    activity.coroutine = internal::kIsTask<typename Traits::Result>;
    activity.run = [shared = std::make_shared<F>(std::move(function))](ActivityContext& context,
                                                                       const Payloads& input) {
      return RunActivity<F, Arguments>(shared, context, input);
    };
    AddActivityEntry(type, std::move(activity));
  }

  // Registering a name twice is a programmer error.
  void AddWorkflowFactory(const std::string& type, WorkflowFactory factory);
  void AddActivityEntry(const std::string& type, Activity activity);

  const WorkflowFactory* FindWorkflow(std::string_view type) const;
  const Activity* FindActivity(std::string_view type) const;
  // In alphabetical order.
  std::vector<std::string> WorkflowTypes() const;
  std::vector<std::string> ActivityTypes() const;

 private:
  template <typename F>
  class FunctionBody final : public WorkflowBody {
   public:
    FunctionBody(std::shared_ptr<F> function, WorkflowContext& context)
        : function_(std::move(function)), context_(context) {}
    Task<Payload> Run(Payloads arguments) override {
      using Arguments =
          typename internal::Tail<typename internal::CallableTraits<F>::Arguments>::type;
      const auto bound = [this](auto... args) {
        return (*function_)(context_, std::move(args)...);
      };
      return internal::CallAsTask(std::make_shared<std::decay_t<decltype(bound)>>(bound),
                                  Decode<Arguments>(arguments));
    }

   private:
    std::shared_ptr<F> function_;
    WorkflowContext& context_;
  };

  template <typename W>
  class ClassBody final : public WorkflowBody {
   public:
    explicit ClassBody(WorkflowContext& context) : workflow_(context) {}
    Task<Payload> Run(Payloads arguments) override {
      using Arguments = typename internal::CallableTraits<decltype(&W::Run)>::Arguments;
      const auto bound = [this](auto... args) { return workflow_.Run(std::move(args)...); };
      return internal::CallAsTask(std::make_shared<std::decay_t<decltype(bound)>>(bound),
                                  Decode<Arguments>(arguments));
    }

   private:
    W workflow_;
  };

  // Arguments that do not fit throw std::invalid_argument: a workflow task's failure, an activity
  // attempt's failure.
  template <typename Tuple>
  static Tuple Decode(const Payloads& input) {
    StatusOr<Tuple> args = internal::TupleDecoder<Tuple>::Decode(input);
    if (!args.ok()) throw std::invalid_argument(std::string(Message(args.status())));
    return *std::move(args);
  }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"  // as in callable.h
  template <typename F, typename Arguments>
  static Task<Payload> RunActivity(std::shared_ptr<F> function, ActivityContext& context,
                                   Payloads input) {
    const auto bound = [function, &context](auto... args) {
      return (*function)(context, std::move(args)...);
    };
    co_return co_await internal::CallAsTask(std::make_shared<std::decay_t<decltype(bound)>>(bound),
                                            Decode<Arguments>(input));
  }
#pragma GCC diagnostic pop

  std::map<std::string, WorkflowFactory, std::less<>> workflows_;
  std::map<std::string, Activity, std::less<>> activities_;
};

}  // namespace squall::core
