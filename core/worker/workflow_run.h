#pragma once
// One cached workflow execution: applies core's activations to its coroutines and collects the
// commands they give.
//
// An activation is worked off in the order in which Temporal's own SDKs do it, so that a replay,
// which sees the same jobs in the same activations, runs the same steps: (1) start record, patches,
// random seed; (2) signals and updates, then all that can run; (3) the main coroutine's start,
// cancellation and resolutions in the order of the jobs, then all that can run; (4) queries, which
// only read. Coroutines run one at a time in the order in which they became ready; conditions are
// looked at, in the order of their creation, whenever nothing else can run.
//
// Destroying the run destroys the coroutine frames without resuming any: that is eviction.

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/worker/registry.h"
#include "core/worker/workflow_context.h"
#include "temporal/sdk/core/workflow_activation/workflow_activation.pb.h"
#include "temporal/sdk/core/workflow_commands/workflow_commands.pb.h"
#include "temporal/sdk/core/workflow_completion/workflow_completion.pb.h"

namespace squall::core {

using Activation = coresdk::workflow_activation::WorkflowActivation;
using ActivationCompletion = coresdk::workflow_completion::WorkflowActivationCompletion;

class WorkflowRun final : public WorkflowContext, private internal::CoroutineScheduler {
 public:
  // What the worker gives to every run.
  struct Environment {
    std::string ns = "default";
    std::string task_queue;
    // Something worth a log line: a signal that no handler can read, for example.
    std::function<void(const std::string&)> warn;
  };

  // `first` must contain the start record (InitializeWorkflow), or Activate fails the workflow
  // task.
  WorkflowRun(const Registry& registry, Environment environment, std::string run_id);
  ~WorkflowRun() override;
  WorkflowRun(const WorkflowRun&) = delete;
  WorkflowRun& operator=(const WorkflowRun&) = delete;

  // Never throws: what user code throws becomes the workflow's or the task's failure.
  ActivationCompletion Activate(const Activation& activation);

  // How the workflow ended, once it has: completed, failed, cancelled, continued.
  const std::string& outcome() const { return outcome_; }

  const WorkflowInfo& info() const override { return info_; }
  WallTime Now() const override { return now_; }
  Rng& random() override { return random_; }
  bool replaying() const override { return replaying_; }
  bool continue_as_new_suggested() const override { return continue_as_new_suggested_; }
  std::uint32_t history_length() const override { return history_length_; }
  bool Patched(const std::string& id) override;
  const std::shared_ptr<CancellationScope>& scope() const override { return scope_; }

 private:
  using Command = coresdk::workflow_commands::WorkflowCommand;
  struct Handler {
    Task<Payload> task;
    std::string protocol_instance_id;  // of an update; empty for signals
    std::string name;
  };
  struct Update {
    TaskHandler handler;
    Validator validator;
  };
  // Held weakly: when nothing waits any more, `holds` may refer to a frame that is gone.
  struct Condition {
    std::function<bool()> holds;
    std::weak_ptr<internal::OperationState> state;
  };
  struct Child {
    State state;
    bool started = false;
  };

  State StartTimer(Duration duration, std::shared_ptr<CancellationScope> in) override;
  State ScheduleActivity(std::string type, Payloads arguments,
                         const ActivityOptions& options) override;
  State StartChild(std::string type, Payloads arguments, const ChildOptions& options) override;
  State AddCondition(std::function<bool()> condition,
                     std::shared_ptr<CancellationScope> in) override;
  bool HasSignal(const std::string& name) const override;
  Payloads TakeSignal(const std::string& name) override;
  void SetSignalHandler(const std::string& name, TaskHandler handler) override;
  void SetQueryHandler(const std::string& name, QueryHandler handler) override;
  void SetUpdateHandler(const std::string& name, TaskHandler handler, Validator validator) override;

  void Ready(std::coroutine_handle<> handle) override { ready_.push_back(handle); }
  void Forget(std::coroutine_handle<> handle) override { std::erase(ready_, handle); }

  // The steps of Activate; they throw what fails the workflow task.
  void ApplyPreamble(const Activation& activation);
  void ApplyMessages(const Activation& activation);
  void ApplyResolutions(const Activation& activation);
  void AnswerQueries(const Activation& activation);
  void Initialize(const coresdk::workflow_activation::InitializeWorkflow& start);
  void ResolveActivity(const coresdk::workflow_activation::ResolveActivity& job);
  void ResolveChildStart(
      const coresdk::workflow_activation::ResolveChildWorkflowExecutionStart& job);
  void ResolveChild(const coresdk::workflow_activation::ResolveChildWorkflowExecution& job);
  void StartSignal(const std::string& name, const Payloads& input);
  void StartUpdate(const coresdk::workflow_activation::DoUpdate& job);
  // The first condition that holds, taken out; null when none does.
  State TakeMetCondition();
  // Runs coroutines until none is ready and no condition newly holds.
  void RunUntilIdle();
  void FinishHandlers();
  void FinishMain();

  Command& AddCommand();
  void RejectUpdate(const std::string& protocol_instance_id, const FailureProto& failure);
  // A state that is already failed as cancelled, when the scope is.
  State NewState(std::shared_ptr<CancellationScope>& in, const char* what);
  // Ties cancellation of `state` and of its scope together for as long as it is pending.
  void BindCancel(const State& state, const std::shared_ptr<CancellationScope>& in,
                  std::function<void(const std::string& reason)> cancel);
  void CheckMayChange() const;

  const Registry& registry_;
  const Environment environment_;
  WorkflowInfo info_;
  std::shared_ptr<CancellationScope> scope_ = std::make_shared<CancellationScope>();

  WallTime now_{};
  Rng random_{0};
  bool replaying_ = false;
  bool continue_as_new_suggested_ = false;
  std::uint32_t history_length_ = 0;
  bool read_only_ = false;  // inside a query or validator
  bool destroying_ = false;
  bool main_started_ = false;
  std::string outcome_;

  std::set<std::string> notified_patches_;
  std::map<std::string, bool> patches_;
  std::uint32_t last_timer_ = 0, last_activity_ = 0, last_child_ = 0;
  std::uint64_t last_condition_ = 0;

  std::map<std::uint32_t, State> timers_;
  std::map<std::uint32_t, State> activities_;
  std::map<std::uint32_t, Child> children_;
  std::map<std::uint64_t, Condition> conditions_;
  std::map<std::string, TaskHandler> signal_handlers_;
  std::map<std::string, QueryHandler> query_handlers_;
  std::map<std::string, Update> update_handlers_;
  std::map<std::string, std::deque<Payloads>> waiting_signals_;

  std::vector<Command> commands_;
  std::deque<std::coroutine_handle<>> ready_;

  // Destroyed first, in the destructor's body: everything above must outlive the frames.
  std::unique_ptr<WorkflowBody> body_;
  Payloads arguments_;
  Task<Payload> main_;
  std::list<Handler> handlers_;
};

}  // namespace squall::core
