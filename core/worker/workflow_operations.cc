// What WorkflowRun starts for its workflow: timers, activities, children, conditions, and their
// cancellation.

#include <algorithm>
#include <stdexcept>

#include "core/worker/workflow_run.h"

namespace squall::core {
namespace {

// The server refuses shorter timers as "invalid"; SDKs round up as well.
constexpr Duration kShortestTimer = std::chrono::milliseconds(1);

coresdk::workflow_commands::ActivityCancellationType ToProto(CancellationType type) {
  switch (type) {
    case CancellationType::kTryCancel:
      return coresdk::workflow_commands::TRY_CANCEL;
    case CancellationType::kWaitCompleted:
      return coresdk::workflow_commands::WAIT_CANCELLATION_COMPLETED;
    case CancellationType::kAbandon:
      return coresdk::workflow_commands::ABANDON;
  }
  return coresdk::workflow_commands::TRY_CANCEL;
}

coresdk::child_workflow::ChildWorkflowCancellationType ToChildProto(CancellationType type) {
  switch (type) {
    case CancellationType::kTryCancel:
      return coresdk::child_workflow::TRY_CANCEL;
    case CancellationType::kWaitCompleted:
      return coresdk::child_workflow::WAIT_CANCELLATION_COMPLETED;
    case CancellationType::kAbandon:
      return coresdk::child_workflow::ABANDON;
  }
  return coresdk::child_workflow::TRY_CANCEL;
}

coresdk::child_workflow::ParentClosePolicy ToProto(ParentClosePolicy policy) {
  switch (policy) {
    case ParentClosePolicy::kTerminate:
      return coresdk::child_workflow::PARENT_CLOSE_POLICY_TERMINATE;
    case ParentClosePolicy::kAbandon:
      return coresdk::child_workflow::PARENT_CLOSE_POLICY_ABANDON;
    case ParentClosePolicy::kRequestCancel:
      return coresdk::child_workflow::PARENT_CLOSE_POLICY_REQUEST_CANCEL;
  }
  return coresdk::child_workflow::PARENT_CLOSE_POLICY_TERMINATE;
}

}  // namespace

WorkflowRun::State WorkflowRun::NewState(std::shared_ptr<CancellationScope>& in, const char* what) {
  CheckMayChange();
  if (in == nullptr) in = scope_;
  auto state =
      std::make_shared<internal::OperationState>(static_cast<internal::CoroutineScheduler&>(*this));
  if (in->cancelled() || destroying_)
    state->Fail(MakeCancelledFailure(std::string(what) + " cancelled"));
  return state;
}

void WorkflowRun::BindCancel(const State& state, const std::shared_ptr<CancellationScope>& in,
                             std::function<void(const std::string&)> cancel) {
  state->set_cancel(std::move(cancel));
  const std::uint64_t token =
      in->OnCancel([weak = std::weak_ptr(state)](const std::string& reason) {
        if (const State strong = weak.lock()) strong->Cancel(reason);
      });
  // Keeps the scope alive as long as the operation is pending: its parent does not.
  state->set_on_done([in, token] { in->Remove(token); });
}

WorkflowRun::State WorkflowRun::StartTimer(Duration duration,
                                           std::shared_ptr<CancellationScope> in) {
  const State state = NewState(in, "Timer");
  if (state->done()) return state;
  const std::uint32_t seq = ++last_timer_;
  auto& start = *AddCommand().mutable_start_timer();
  start.set_seq(seq);
  SetProto(std::max(duration, kShortestTimer), start.mutable_start_to_fire_timeout());
  timers_.emplace(seq, state);
  BindCancel(state, in, [this, seq](const std::string&) {
    // Core does not answer a timer's cancellation.
    State timer;
    if (const auto it = timers_.find(seq); it != timers_.end()) {
      timer = std::move(it->second);
      timers_.erase(it);
    }
    AddCommand().mutable_cancel_timer()->set_seq(seq);
    if (timer != nullptr) timer->Fail(MakeCancelledFailure("Timer cancelled"));
  });
  return state;
}

WorkflowRun::State WorkflowRun::ScheduleActivity(std::string type, Payloads arguments,
                                                 const ActivityOptions& options) {
  if (!options.schedule_to_close_timeout && !options.start_to_close_timeout) {
    throw std::invalid_argument(
        "activity " + type + ": schedule_to_close_timeout or start_to_close_timeout is required");
  }
  std::shared_ptr<CancellationScope> in = options.scope;
  const State state = NewState(in, "Activity");
  if (state->done()) return state;
  const std::uint32_t seq = ++last_activity_;
  auto& schedule = *AddCommand().mutable_schedule_activity();
  schedule.set_seq(seq);
  schedule.set_activity_id(options.activity_id.empty() ? std::to_string(seq) : options.activity_id);
  schedule.set_activity_type(std::move(type));
  schedule.set_task_queue(options.task_queue.empty() ? info_.task_queue : options.task_queue);
  for (Payload& argument : arguments) *schedule.add_arguments() = std::move(argument);
  if (options.schedule_to_close_timeout) {
    SetProto(*options.schedule_to_close_timeout, schedule.mutable_schedule_to_close_timeout());
  }
  if (options.schedule_to_start_timeout) {
    SetProto(*options.schedule_to_start_timeout, schedule.mutable_schedule_to_start_timeout());
  }
  if (options.start_to_close_timeout) {
    SetProto(*options.start_to_close_timeout, schedule.mutable_start_to_close_timeout());
  }
  if (options.heartbeat_timeout)
    SetProto(*options.heartbeat_timeout, schedule.mutable_heartbeat_timeout());
  if (options.retry_policy) SetProto(*options.retry_policy, schedule.mutable_retry_policy());
  schedule.set_cancellation_type(ToProto(options.cancellation_type));
  schedule.set_do_not_eagerly_execute(options.disable_eager_execution);
  activities_.emplace(seq, state);
  // Core answers with the resolution that fits the cancellation type.
  BindCancel(state, in, [this, seq](const std::string&) {
    AddCommand().mutable_request_cancel_activity()->set_seq(seq);
  });
  return state;
}

WorkflowRun::State WorkflowRun::StartChild(std::string type, Payloads arguments,
                                           const ChildOptions& options) {
  std::shared_ptr<CancellationScope> in = options.scope;
  const State state = NewState(in, "Child workflow");
  if (state->done()) return state;
  const std::uint32_t seq = ++last_child_;
  auto& start = *AddCommand().mutable_start_child_workflow_execution();
  start.set_seq(seq);
  start.set_namespace_(environment_.ns);
  start.set_workflow_id(options.workflow_id.empty() ? random_.Uuid() : options.workflow_id);
  start.set_workflow_type(std::move(type));
  start.set_task_queue(options.task_queue.empty() ? info_.task_queue : options.task_queue);
  for (Payload& argument : arguments) *start.add_input() = std::move(argument);
  if (options.execution_timeout)
    SetProto(*options.execution_timeout, start.mutable_workflow_execution_timeout());
  if (options.run_timeout) SetProto(*options.run_timeout, start.mutable_workflow_run_timeout());
  if (options.task_timeout) SetProto(*options.task_timeout, start.mutable_workflow_task_timeout());
  start.set_parent_close_policy(ToProto(options.parent_close_policy));
  if (options.retry_policy) SetProto(*options.retry_policy, start.mutable_retry_policy());
  start.set_cancellation_type(ToChildProto(options.cancellation_type));
  children_.emplace(seq, Child{state});
  BindCancel(state, in, [this, seq](const std::string& reason) {
    auto& cancel = *AddCommand().mutable_cancel_child_workflow_execution();
    cancel.set_child_workflow_seq(seq);
    cancel.set_reason(reason);
  });
  return state;
}

WorkflowRun::State WorkflowRun::AddCondition(std::function<bool()> condition,
                                             std::shared_ptr<CancellationScope> in) {
  const State state = NewState(in, "Wait");
  if (state->done()) return state;
  if (condition()) {
    state->Complete(NullPayload());
    return state;
  }
  const std::uint64_t id = ++last_condition_;
  conditions_.emplace(id, Condition{std::move(condition), state});
  BindCancel(state, in, [this, id](const std::string&) {
    const auto it = conditions_.find(id);
    if (it == conditions_.end()) return;
    const State waiting = it->second.state.lock();
    conditions_.erase(it);
    if (waiting != nullptr) waiting->Fail(MakeCancelledFailure("Wait cancelled"));
  });
  return state;
}

}  // namespace squall::core
