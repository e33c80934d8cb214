// What a batch operation does to one execution.

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/batches.h"
#include "fakes/engine/core.h"
#include "fakes/engine/rpc_table.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using Request = ws::StartBatchOperationRequest;

// The end of the first or the last workflow task; where none ended, the place where the first one
// would begin. 0: there is none.
std::int64_t ResetPoint(const Run& run, bool last) {
  std::int64_t completed = 0, scheduled = 0;
  for (std::int64_t id = 1; id < run.history.next_event_id(); ++id) {
    const auto type = run.history.Read(id).event_type();
    if (type == enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED && (last || completed == 0))
      completed = id;
    if (type == enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED && scheduled == 0) scheduled = id;
  }
  return completed != 0 ? completed : scheduled == 0 ? 0 : scheduled + 1;
}

// Where a build first completed a workflow task, perhaps in an earlier run of the chain. Null: not
// known, or not to be used.
const workflowpb::ResetPointInfo* BuildPoint(const Run& run, const common::ResetOptions& options,
                                             WallTime now) {
  const auto point =
      std::find_if(run.reset_points.begin(), run.reset_points.end(),
                   [&](const auto& known) { return known.build_id() == options.build_id(); });
  if (point == run.reset_points.end() || !point->resettable()) return nullptr;
  if (point->has_expire_time() && FromProto(point->expire_time()) < now) return nullptr;
  if (options.current_run_only() && point->run_id() != run.run_id) return nullptr;
  return &*point;
}

}  // namespace

void Batches::Invoke(Batch& batch, std::string_view method,
                     const google::protobuf::MessageLite& request) {
  const RpcEntry* entry = FindRpc(kWorkflowService, method);
  if (entry == nullptr || entry->handle == nullptr) {
    ++batch.failed;
    return;
  }
  const CallId call =
      core_.calls.OpenInternal([held = batch.shared_from_this()](const RpcResponse& answer) {
        // What is gone, or closed, needs nothing done to it.
        const bool fine = answer.status.code == 0 ||
                          answer.status.code == static_cast<int>(StatusCode::kNotFound);
        ++(fine ? held->succeeded : held->failed);
      });
  entry->handle(core_, call, request.SerializeAsString(), nullptr);
}

void Batches::Do(Batch& batch, const common::Execution& target) {
  const Request& request = batch.request;
  // Those operations that the real batcher does through its own SDK client bear its identity.
  const std::string sdk_identity = fmt::format("1@{}@", core_.options.name);
  const auto aim = [&](auto* call, common::WorkflowExecution* execution) {
    call->set_namespace_(request.namespace_());
    execution->set_workflow_id(target.business_id());
    execution->set_run_id(target.run_id());
  };
  switch (request.operation_case()) {
    case Request::kTerminationOperation: {
      ws::TerminateWorkflowExecutionRequest call;
      aim(&call, call.mutable_workflow_execution());
      call.set_reason(request.reason());
      call.set_identity(sdk_identity);
      return Invoke(batch, "TerminateWorkflowExecution", call);
    }
    case Request::kCancellationOperation: {
      ws::RequestCancelWorkflowExecutionRequest call;
      aim(&call, call.mutable_workflow_execution());
      call.set_identity(sdk_identity);
      call.set_request_id(core_.rng.Uuid());
      return Invoke(batch, "RequestCancelWorkflowExecution", call);
    }
    case Request::kSignalOperation: {
      const auto& operation = request.signal_operation();
      ws::SignalWorkflowExecutionRequest call;
      aim(&call, call.mutable_workflow_execution());
      call.set_signal_name(operation.signal());
      if (operation.has_input()) *call.mutable_input() = operation.input();
      call.set_identity(operation.identity());
      call.set_request_id(core_.rng.Uuid());
      return Invoke(batch, "SignalWorkflowExecution", call);
    }
    case Request::kDeletionOperation: {
      ws::DeleteWorkflowExecutionRequest call;
      aim(&call, call.mutable_workflow_execution());
      return Invoke(batch, "DeleteWorkflowExecution", call);
    }
    case Request::kResetOperation: {
      const auto& operation = request.reset_operation();
      ws::ResetWorkflowExecutionRequest call;
      aim(&call, call.mutable_workflow_execution());
      const auto run = core_.namespaces.FindRun(request.namespace_(), call.workflow_execution());
      if (!run.ok()) {
        ++batch.failed;
        return;
      }
      std::int64_t point = 0;
      if (operation.has_options()) {
        const auto& options = operation.options();
        if (options.target_case() == common::ResetOptions::kWorkflowTaskId) {
          point = options.workflow_task_id();
        } else if (options.target_case() == common::ResetOptions::kBuildId) {
          if (const auto* known = BuildPoint(**run, options, core_.now.wall)) {
            call.mutable_workflow_execution()->set_run_id(known->run_id());
            point = known->first_workflow_task_completed_id();
          }
        } else {
          point =
              ResetPoint(**run, options.target_case() == common::ResetOptions::kLastWorkflowTask);
        }
        call.set_reset_reapply_type(options.reset_reapply_type());
        *call.mutable_reset_reapply_exclude_types() = options.reset_reapply_exclude_types();
      } else {
        point = ResetPoint(**run, operation.reset_type() == enums::RESET_TYPE_LAST_WORKFLOW_TASK);
        call.set_reset_reapply_type(operation.reset_reapply_type());
      }
      if (point == 0) {
        ++batch.failed;
        return;
      }
      call.set_reason(request.reason());
      call.set_request_id(core_.rng.Uuid());
      call.set_workflow_task_finish_event_id(point);
      *call.mutable_post_reset_operations() = operation.post_reset_operations();
      call.set_identity(operation.identity());
      return Invoke(batch, "ResetWorkflowExecution", call);
    }
    case Request::kUpdateWorkflowOptionsOperation: {
      const auto& operation = request.update_workflow_options_operation();
      ws::UpdateWorkflowExecutionOptionsRequest call;
      aim(&call, call.mutable_workflow_execution());
      *call.mutable_workflow_execution_options() = operation.workflow_execution_options();
      *call.mutable_update_mask() = operation.update_mask();
      call.set_identity(operation.identity());
      return Invoke(batch, "UpdateWorkflowExecutionOptions", call);
    }
    case Request::kUnpauseActivitiesOperation: {
      const auto& operation = request.unpause_activities_operation();
      ws::UnpauseActivityRequest call;
      aim(&call, call.mutable_execution());
      call.set_identity(operation.identity());
      call.set_reset_attempts(operation.reset_attempts());
      call.set_reset_heartbeat(operation.reset_heartbeat());
      if (operation.has_jitter()) *call.mutable_jitter() = operation.jitter();
      if (operation.has_type()) {
        call.set_type(operation.type());
      } else {
        call.set_unpause_all(true);
      }
      return Invoke(batch, "UnpauseActivity", call);
    }
    case Request::kResetActivitiesOperation: {
      const auto& operation = request.reset_activities_operation();
      ws::ResetActivityRequest call;
      aim(&call, call.mutable_execution());
      call.set_identity(operation.identity());
      call.set_reset_heartbeat(operation.reset_heartbeat());
      call.set_keep_paused(operation.keep_paused());
      call.set_restore_original_options(operation.restore_original_options());
      if (operation.has_jitter()) *call.mutable_jitter() = operation.jitter();
      if (operation.has_type()) {
        call.set_type(operation.type());
      } else {
        call.set_match_all(true);
      }
      return Invoke(batch, "ResetActivity", call);
    }
    case Request::kUpdateActivityOptionsOperation: {
      const auto& operation = request.update_activity_options_operation();
      ws::UpdateActivityOptionsRequest call;
      aim(&call, call.mutable_execution());
      call.set_identity(operation.identity());
      call.set_restore_original(operation.restore_original());
      *call.mutable_update_mask() = operation.update_mask();
      if (operation.has_activity_options())
        *call.mutable_activity_options() = operation.activity_options();
      if (operation.has_type()) {
        call.set_type(operation.type());
      } else if (operation.has_match_all()) {
        call.set_match_all(true);
      } else {  // accepted by the frontend, refused by the batcher
        ++batch.failed;
        return;
      }
      return Invoke(batch, "UpdateActivityOptions", call);
    }
    case Request::kCancelActivitiesOperation: {
      ws::RequestCancelActivityExecutionRequest call;
      call.set_namespace_(request.namespace_());
      call.set_activity_id(target.business_id());
      call.set_run_id(target.run_id());
      call.set_identity(request.cancel_activities_operation().identity());
      call.set_reason(request.cancel_activities_operation().reason());
      call.set_request_id(core_.rng.Uuid());
      return Invoke(batch, "RequestCancelActivityExecution", call);
    }
    case Request::kTerminateActivitiesOperation: {
      ws::TerminateActivityExecutionRequest call;
      call.set_namespace_(request.namespace_());
      call.set_activity_id(target.business_id());
      call.set_run_id(target.run_id());
      call.set_identity(request.terminate_activities_operation().identity());
      call.set_reason(request.terminate_activities_operation().reason());
      call.set_request_id(core_.rng.Uuid());
      return Invoke(batch, "TerminateActivityExecution", call);
    }
    case Request::kDeleteActivitiesOperation: {
      ws::DeleteActivityExecutionRequest call;
      call.set_namespace_(request.namespace_());
      call.set_activity_id(target.business_id());
      call.set_run_id(target.run_id());
      return Invoke(batch, "DeleteActivityExecution", call);
    }
    case Request::OPERATION_NOT_SET:
      return;
  }
}

}  // namespace squall::fakes::engine
