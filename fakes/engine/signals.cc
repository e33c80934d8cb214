#include "fakes/engine/signals.h"

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"

namespace squall::fakes::engine {

Status Signals::Check(const Run& run, const common::Payloads& input) const {
  if (ExceedsBlobLimit(&input)) return InvalidArgument(kBlobExceedsLimit);
  const std::int64_t limit = core_.options.limits.signals;
  if (limit > 0 && run.history.signals() >= limit)
    return InvalidArgument("exceeded workflow execution limit for signal events");
  if (run.close_attempted && run.task.is_started())
    return BusyWorkflow("workflow operation can not be applied because workflow is closing");
  return absl::OkStatus();
}

StatusOr<ws::SignalWorkflowExecutionResponse> Signals::Signal(
    const ws::SignalWorkflowExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (!request.workflow_execution().workflow_id().empty()) {
    if (request.signal_name().empty()) return InvalidArgument("SignalName is not set on request.");
    if (request.signal_name().size() > kMaxIdLength)
      return InvalidArgument("SignalName length exceeds limit.");
  }
  SQUALL_ASSIGN_OR_RETURN(
      auto run, core_.namespaces.FindRun(request.namespace_(), request.workflow_execution()));
  ws::SignalWorkflowExecutionResponse response;
  *response.mutable_link() =
      RequestLink(*run, request.request_id(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  if (!request.request_id().empty() && run->signal_request_ids.contains(request.request_id()))
    return response;
  if (!run->open()) return WorkflowClosed();
  SQUALL_RETURN_IF_ERROR(Check(*run, request.input()));
  if (!request.request_id().empty()) run->signal_request_ids.insert(request.request_id());
  if (Planted(PlantedBug::kSignalDropped) && run->task.is_started()) return response;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  auto* attributes = event.mutable_workflow_execution_signaled_event_attributes();
  attributes->set_signal_name(request.signal_name());
  if (request.has_input()) *attributes->mutable_input() = request.input();
  attributes->set_identity(request.identity());
  if (request.has_header()) *attributes->mutable_header() = request.header();
  attributes->set_request_id(request.request_id());
  *event.mutable_links() = request.links();
  run->history.Buffer(std::move(event));
  // While the start is delayed a signal does not wake the workflow.
  core_.tasks.Settle(*run, run->backoff_timer == 0);
  return response;
}

StatusOr<std::shared_ptr<Run>> Signals::Find(const std::string& ns,
                                             const common::WorkflowExecution& execution,
                                             const std::string& first_run_id) {
  common::WorkflowExecution wanted = execution;
  if (!first_run_id.empty()) wanted.clear_run_id();
  return core_.namespaces.FindRun(ns, wanted);
}

void Signals::Cancel(Run& run, const std::string& reason, const std::string& identity,
                     const std::string& request_id, const common::WorkflowExecution* external,
                     std::int64_t external_initiated_id) {
  if (!run.open() || run.cancel_requested) return;
  run.cancel_requested = true;
  run.cancel_request_id = request_id;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED);
  auto* attributes = event.mutable_workflow_execution_cancel_requested_event_attributes();
  attributes->set_cause(reason);
  attributes->set_identity(identity);
  attributes->set_external_initiated_event_id(external_initiated_id);
  if (external != nullptr) *attributes->mutable_external_workflow_execution() = *external;
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, true);
}

StatusOr<ws::RequestCancelWorkflowExecutionResponse> Signals::RequestCancel(
    const ws::RequestCancelWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.workflow_execution(),
                                         request.first_execution_run_id()));
  if (!run->open()) return ws::RequestCancelWorkflowExecutionResponse();
  if (!request.first_execution_run_id().empty() &&
      run->first_run_id != request.first_execution_run_id()) {
    return NotFound("workflow execution not found");
  }
  Cancel(*run, request.reason(), request.identity(), request.request_id(), nullptr, 0);
  return ws::RequestCancelWorkflowExecutionResponse();
}

StatusOr<ws::TerminateWorkflowExecutionResponse> Signals::Terminate(
    const ws::TerminateWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.workflow_execution(),
                                         request.first_execution_run_id()));
  if (!run->open()) return WorkflowClosed();
  if (!request.first_execution_run_id().empty() &&
      run->first_run_id != request.first_execution_run_id()) {
    return NotFound("workflow execution not found");
  }
  core_.closing.Terminate(
      *run, request.reason().empty() ? "terminated by user via frontend" : request.reason(),
      request.has_details() ? &request.details() : nullptr,
      request.identity().empty() ? "frontend-service" : request.identity(), &request.links());
  return ws::TerminateWorkflowExecutionResponse();
}

void Signals::Remove(const std::shared_ptr<Run>& run) {
  core_.CancelTimer(run->retention);
  Namespace& ns = *run->ns;
  ns.by_visibility.erase(Namespaces::KeyOf(*run));
  const auto it = ns.executions.find(run->workflow_id);
  if (it == ns.executions.end()) return;
  it->second.runs.erase(run->run_id);
  if (it->second.current == run) it->second.current = nullptr;
  if (it->second.runs.empty()) ns.executions.erase(it);
  core_.reads.Gone(*run);
}

StatusOr<ws::DeleteWorkflowExecutionResponse> Signals::Delete(
    const ws::DeleteWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(
      auto run, core_.namespaces.FindRun(request.namespace_(), request.workflow_execution()));
  if (run->open())
    core_.closing.Terminate(*run, "Delete workflow execution", nullptr, "history-service");
  core_.Defer([run, this] { Remove(run); });
  return ws::DeleteWorkflowExecutionResponse();
}

}  // namespace squall::fakes::engine
