#include "fakes/engine/resets.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/closing.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

constexpr char kResetter[] = "history-resetter";

std::set<int> ExcludedTypes(const ws::ResetWorkflowExecutionRequest& request) {
  std::set<int> excluded(request.reset_reapply_exclude_types().begin(),
                         request.reset_reapply_exclude_types().end());
  // The older way to say what is wanted.
  if (request.reset_reapply_type() == enums::RESET_REAPPLY_TYPE_SIGNAL ||
      request.reset_reapply_type() == enums::RESET_REAPPLY_TYPE_NONE) {
    excluded.insert(enums::RESET_REAPPLY_EXCLUDE_TYPE_UPDATE);
  }
  if (request.reset_reapply_type() == enums::RESET_REAPPLY_TYPE_NONE)
    excluded.insert(enums::RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL);
  return excluded;
}

bool ExcludesAll(const std::set<int>& excluded) {
  return excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL) &&
         excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_UPDATE) &&
         excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_NEXUS) &&
         excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST);
}

// The Go type of the variant, which the real server names.
std::string_view VariantName(const workflowpb::PostResetOperation& operation) {
  return operation.has_signal_workflow() ? "*workflow.PostResetOperation_SignalWorkflow_" : "<nil>";
}

}  // namespace

StatusOr<ws::ResetWorkflowExecutionResponse> Resets::Reset(
    const ws::ResetWorkflowExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (!request.has_workflow_execution()) return InvalidArgument("Execution is not set on request.");
  if (request.request_id().empty()) return InvalidArgument("RequestId is not set on request.");
  if (request.request_id().size() > kMaxIdLength)
    return InvalidArgument("RequestId length exceeds limit.");
  SQUALL_ASSIGN_OR_RETURN(
      auto base, core_.namespaces.FindRun(request.namespace_(), request.workflow_execution()));
  ws::ResetWorkflowExecutionResponse response;
  SQUALL_ASSIGN_OR_RETURN(*response.mutable_run_id(), ResetRun(base, request));
  return response;
}

StatusOr<std::string> Resets::ResetRun(const std::shared_ptr<Run>& base,
                                       const ws::ResetWorkflowExecutionRequest& request) {
  const std::int64_t finish = request.workflow_task_finish_event_id();
  if (finish <= 1 || finish >= base->history.next_event_id()) {
    return InvalidArgument("Workflow task finish ID must be > 1 && <= workflow last event ID.");
  }
  for (const auto& operation : request.post_reset_operations()) {
    if (operation.has_update_workflow_options()) continue;
    return InvalidArgument(
        fmt::format("unsupported post reset operation: {}", VariantName(operation)));
  }
  const std::shared_ptr<Run> current = base->ns->executions.at(base->workflow_id).current;
  if (current != nullptr && current->create_request_id == request.request_id())
    return current->run_id;
  if (!base->history.EndsBatch(finish - 1)) {
    return InvalidArgument(
        fmt::format("StateRebuilder unable to Rebuild mutable state to event ID: {}, version: 0, "
                    "this event must be at the boundary",
                    finish - 1));
  }
  std::shared_ptr<Run> run = Rebuild(*base, finish - 1);
  // After a failed task there is another, which the history does not know.
  if (!run->task.pending() && run->task.attempt > 1) {
    historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
    auto* attributes = event.mutable_workflow_task_scheduled_event_attributes();
    *attributes->mutable_task_queue() = WorkflowTasks::CurrentQueue(*run);
    *attributes->mutable_start_to_close_timeout() = run->start.workflow_task_timeout();
    attributes->set_attempt(1);
    run->history.Append(event);
    Replay(*run, event);
  }
  if (!run->task.pending()) {
    return InvalidArgument(
        fmt::format("Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, "
                    "WorkflowTaskStarted + 1]: {}",
                    finish));
  }
  base->reset_run_id = run->run_id;
  if (current != nullptr && current->open()) {
    current->closed_by_reset = true;
    core_.closing.Terminate(*current, request.reason(), nullptr, kResetter);
  }
  core_.namespaces.Insert(run, true);
  core_.WorkflowHappened("reset", *run, {}, "from " + base->run_id);
  FailTask(*run, *base, request.reason());
  Revive(*run);
  Reapply(*run, *base, finish, ExcludedTypes(request));
  core_.nexus_operations.Revive(*run);
  for (const auto& operation : request.post_reset_operations()) PostReset(*run, operation);
  core_.tasks.Settle(*run, true);
  ++run->transitions;
  return run->run_id;
}

void Resets::FailTask(Run& run, const Run& base, const std::string& reason) {
  if (!run.task.is_started()) {
    historypb::HistoryEvent started = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_STARTED);
    auto* attributes = started.mutable_workflow_task_started_event_attributes();
    attributes->set_scheduled_event_id(run.task.scheduled_event_id);
    attributes->set_identity(kHistoryService);
    attributes->set_request_id("emptyUuid");  // the real server's name for none
    attributes->set_history_size_bytes(run.history.size_bytes());
    run.task.started_event_id = run.history.Append(started);
    run.history.EndBatch();
  }
  historypb::HistoryEvent failed = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_FAILED);
  auto* attributes = failed.mutable_workflow_task_failed_event_attributes();
  attributes->set_scheduled_event_id(run.task.scheduled_event_id);
  attributes->set_started_event_id(run.task.started_event_id);
  attributes->set_cause(enums::WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW);
  attributes->mutable_failure()->set_message(reason);
  attributes->mutable_failure()->mutable_reset_workflow_failure_info();
  attributes->set_identity(kHistoryService);
  attributes->set_base_run_id(base.run_id);
  attributes->set_new_run_id(run.run_id);
  run.history.Append(failed);
  core_.tasks.Clear(run);
}

void Resets::Reapply(Run& run, const Run& from, std::int64_t first, const Excluded& excluded) {
  if (ExcludesAll(excluded)) return;
  const Run* source = &from;
  while (source != nullptr) {
    historypb::HistoryEvent event;
    for (std::int64_t id = first; id < source->history.next_event_id(); ++id) {
      event = source->history.Read(id);
      ReapplyEvent(run, event, excluded);
    }
    const std::string next =
        event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
            ? event.workflow_execution_continued_as_new_event_attributes().new_execution_run_id()
            : std::string();
    first = 1;
    source = nullptr;
    if (next.empty()) return;
    const auto& runs = run.ns->executions.at(run.workflow_id).runs;
    if (const auto it = runs.find(next); it != runs.end()) source = it->second.get();
  }
}

void Resets::ReapplyEvent(Run& run, const historypb::HistoryEvent& event,
                          const Excluded& excluded) {
  const auto again = [&] {
    historypb::HistoryEvent copy = core_.tasks.NewEvent(event.event_type());
    *copy.mutable_links() = event.links();
    return copy;
  };
  switch (event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: {
      if (excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL)) return;
      historypb::HistoryEvent copy = again();
      auto* attributes = copy.mutable_workflow_execution_signaled_event_attributes();
      *attributes = event.workflow_execution_signaled_event_attributes();
      attributes->clear_request_id();
      attributes->clear_external_workflow_execution();
      run.history.Buffer(std::move(copy));
      return;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: {
      if (excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_UPDATE)) return;
      const bool admitted =
          event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED;
      // Without a request an acceptance follows an admission that is in the history.
      if (!admitted &&
          !event.workflow_execution_update_accepted_event_attributes().has_accepted_request())
        return;
      historypb::HistoryEvent copy =
          core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED);
      auto* attributes = copy.mutable_workflow_execution_update_admitted_event_attributes();
      if (admitted) {
        *attributes = event.workflow_execution_update_admitted_event_attributes();
      } else {
        *attributes->mutable_request() =
            event.workflow_execution_update_accepted_event_attributes().accepted_request();
        attributes->set_origin(enums::UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY);
      }
      core_.updates.Restore(run, copy);
      run.history.Buffer(std::move(copy));
      return;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: {
      historypb::HistoryEvent copy = again();
      copy.set_worker_may_ignore(true);
      *copy.mutable_workflow_execution_options_updated_event_attributes() =
          event.workflow_execution_options_updated_event_attributes();
      Replay(run, copy);
      run.history.Buffer(std::move(copy));
      return;
    }
    case enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
      return ReapplyChild(
          run, event,
          event.start_child_workflow_execution_failed_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
      return ReapplyChild(
          run, event,
          event.child_workflow_execution_completed_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
      return ReapplyChild(
          run, event,
          event.child_workflow_execution_failed_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      return ReapplyChild(
          run, event,
          event.child_workflow_execution_canceled_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      return ReapplyChild(
          run, event,
          event.child_workflow_execution_timed_out_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      return ReapplyChild(
          run, event,
          event.child_workflow_execution_terminated_event_attributes().initiated_event_id());
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: {
      const auto& attributes = event.child_workflow_execution_started_event_attributes();
      const auto it = run.children.find(attributes.initiated_event_id());
      if (it == run.children.end() || it->second.started) return;
      it->second.started = true;
      it->second.run_id = attributes.workflow_execution().run_id();
      historypb::HistoryEvent copy = again();
      *copy.mutable_child_workflow_execution_started_event_attributes() = attributes;
      run.history.Buffer(std::move(copy));
      return;
    }
    case enums::EVENT_TYPE_NEXUS_OPERATION_STARTED:
    case enums::EVENT_TYPE_NEXUS_OPERATION_COMPLETED:
    case enums::EVENT_TYPE_NEXUS_OPERATION_FAILED:
    case enums::EVENT_TYPE_NEXUS_OPERATION_CANCELED:
    case enums::EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT:
      if (excluded.contains(enums::RESET_REAPPLY_EXCLUDE_TYPE_NEXUS)) return;
      if (core_.nexus_operations.Restore(run, event)) run.history.Buffer(Again(event));
      return;
    default:
      return;  // what the workflow did itself it will do again
  }
}

// What happened to a child that the copied history already knows.
void Resets::ReapplyChild(Run& run, const historypb::HistoryEvent& event,
                          std::int64_t initiated_id) {
  if (run.children.erase(initiated_id) == 0) return;
  run.history.Buffer(Again(event));
}

historypb::HistoryEvent Resets::Again(const historypb::HistoryEvent& event) {
  historypb::HistoryEvent copy = event;
  const historypb::HistoryEvent fresh = core_.tasks.NewEvent(event.event_type());
  *copy.mutable_event_time() = fresh.event_time();
  copy.set_task_id(fresh.task_id());
  copy.clear_event_id();
  return copy;
}

void Resets::PostReset(Run& run, const workflowpb::PostResetOperation& operation) {
  const auto& update = operation.update_workflow_options();
  const auto& options = update.workflow_execution_options();
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_workflow_execution_options_updated_event_attributes();
  bool changed = false;
  for (const std::string& path : update.update_mask().paths()) {
    if (path == "versioning_override" || path == "versioningOverride") {
      changed = true;
      if (options.has_versioning_override()) {
        *attributes->mutable_versioning_override() =
            Versioning::Modern(options.versioning_override());
      } else {
        attributes->set_unset_versioning_override(true);
      }
    } else if (path == "priority" || path.starts_with("priority.")) {
      changed = true;
      *attributes->mutable_priority() = options.priority();
    }
  }
  if (!changed) return;
  Replay(run, event);
  run.history.Buffer(std::move(event));
}

}  // namespace squall::fakes::engine
