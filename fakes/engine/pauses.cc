#include "fakes/engine/pauses.h"

#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/pause_info.h"

namespace squall::fakes::engine {
namespace {

template <typename Request>
Status CheckPauseRequest(const Request& request) {
  if (request.workflow_id().empty())
    return InvalidArgument("Can't load workflow execution.  WorkflowId not set.");
  if (request.identity().size() > kMaxIdLength) return InvalidArgument("identity is too long.");
  if (request.reason().size() > kMaxIdLength) return InvalidArgument("reason is too long.");
  if (request.request_id().size() > kMaxIdLength) return InvalidArgument("request id is too long.");
  return absl::OkStatus();
}

template <typename Request>
StatusOr<std::shared_ptr<Run>> Find(Core& core, const Request& request) {
  common::WorkflowExecution execution;
  execution.set_workflow_id(request.workflow_id());
  execution.set_run_id(request.run_id());
  auto found = core.namespaces.FindRun(request.namespace_(), execution);
  if (!found.ok() && Message(found.status()) == "Invalid RunId.")
    return InvalidArgument("RunId is not valid UUID.");
  SQUALL_RETURN_IF_ERROR(found.status());
  if (!(*found)->open()) return WorkflowClosed();
  return *found;
}

void SetStatus(Core& core, Run& run, enums::WorkflowExecutionStatus status) {
  const VisibilityKey old_key = Namespaces::KeyOf(run);
  run.status = status;
  core.namespaces.Reindex(run, old_key);
}

}  // namespace

void Activities::PutOff(Activity& activity) {
  core_.CancelTimer(activity.retry);
  activity.withheld = true;
  ++activity.stamp;  // matching forgets it
}

void Activities::PutOff(Run& run) {
  for (auto& [id, activity] : run.activities) {
    if (!activity.started) PutOff(activity);
  }
}

void Activities::GoOn(Run& run) {
  for (auto& [id, activity] : run.activities) {
    if (!std::exchange(activity.withheld, false) || activity.started || activity.paused) continue;
    if (activity.scheduled > core_.now.wall) {
      ArmRetry(run, activity, activity.scheduled - core_.now.wall);
    } else if (activity.schedule_to_start == 0) {
      ArmScheduled(run, activity);
    } else {  // its time-out goes on
      ++activity.stamp;
      Enqueue(run, activity);
    }
  }
}

StatusOr<ws::PauseWorkflowExecutionResponse> Pauses::Pause(
    const ws::PauseWorkflowExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (!core_.options.workflow_pause) {
    return MakeStatus(StatusCode::kUnimplemented, "workflow pause is not enabled for namespace: {}",
                      request.namespace_());
  }
  SQUALL_RETURN_IF_ERROR(CheckPauseRequest(request));
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(core_, request));
  ws::PauseWorkflowExecutionResponse response;
  if (run->pause) {
    if (run->pause->request_id == request.request_id()) return response;
    return Status(StatusCode::kFailedPrecondition, "workflow is already paused.");
  }
  // A task that no worker has yet goes; one in progress ends as it will.
  if (run->task.pending() && !run->task.is_started()) {
    if (!run->transient() && !run->task.speculative) {
      historypb::HistoryEvent failed = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_FAILED);
      auto* attributes = failed.mutable_workflow_task_failed_event_attributes();
      attributes->set_scheduled_event_id(run->task.scheduled_event_id);
      attributes->set_cause(
          enums::WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED);
      attributes->set_identity("history-service");
      run->history.Append(failed);
    }
    core_.tasks.Clear(*run);
    WorkflowTasks::ClearSticky(*run);
  }
  run->pause = {.identity = request.identity(),
                .reason = request.reason(),
                .request_id = request.request_id(),
                .since = core_.now.wall};
  core_.activities.PutOff(*run);
  TellPauses(*run);
  SetStatus(core_, *run, enums::WORKFLOW_EXECUTION_STATUS_PAUSED);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_workflow_execution_paused_event_attributes();
  attributes->set_identity(request.identity());
  attributes->set_reason(request.reason());
  attributes->set_request_id(request.request_id());
  run->history.Buffer(std::move(event));
  core_.WorkflowHappened("paused", *run, {}, request.reason());
  core_.tasks.Settle(*run, false);
  return response;
}

StatusOr<ws::UnpauseWorkflowExecutionResponse> Pauses::Unpause(
    const ws::UnpauseWorkflowExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  SQUALL_RETURN_IF_ERROR(CheckPauseRequest(request));
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(core_, request));
  if (!run->pause) return Status(StatusCode::kFailedPrecondition, "workflow is not paused.");
  run->pause.reset();
  TellPauses(*run);
  SetStatus(core_, *run, enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_workflow_execution_unpaused_event_attributes();
  attributes->set_identity(request.identity());
  attributes->set_reason(request.reason());
  attributes->set_request_id(request.request_id());
  run->history.Buffer(std::move(event));
  core_.WorkflowHappened("unpaused", *run, {}, request.reason());
  core_.activities.GoOn(*run);
  core_.tasks.Settle(*run, run->backoff_timer == 0);
  return ws::UnpauseWorkflowExecutionResponse();
}

}  // namespace squall::fakes::engine
