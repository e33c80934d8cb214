// ExecuteMultiOperation: start a workflow and update it, in one request.

#include "fakes/engine/multi_operation.h"

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"
#include "google/rpc/status.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

// What a start may not ask for when an update comes with it.
Status NotForUpdates(const ws::StartWorkflowExecutionRequest& start) {
  if (!start.cron_schedule().empty()) return InvalidArgument("CronSchedule is not allowed.");
  if (start.request_eager_execution())
    return InvalidArgument("RequestEagerExecution is not supported.");
  if (FromProto(start.workflow_start_delay()).count() > 0)
    return InvalidArgument("WorkflowStartDelay is not supported.");
  return absl::OkStatus();
}

// The run that takes the update without a start: its update is done already; or it runs, and the
// start is a repetition, or the update is known there, or the policy is to use it. Null: the start
// decides.
std::shared_ptr<Run> TakesUpdate(const StartRequest& start, const std::string& update) {
  const auto it = start.run.ns->executions.find(start.run.workflow_id);
  if (it == start.run.ns->executions.end() || it->second.current == nullptr) return nullptr;
  const std::shared_ptr<Run>& run = it->second.current;
  const auto known = run->updates.find(update);
  if (known != run->updates.end() && known->second.outcome) return run;
  const bool taken = known != run->updates.end() ||
                     run->create_request_id == start.run.request_id ||
                     start.conflict == enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING;
  return run->open() && taken ? run : nullptr;
}

}  // namespace

Status MultiOperationFailure(const Status& status, int failed_operation, bool other_done) {
  ::temporal::api::errordetails::v1::MultiOperationExecutionFailure failure;
  for (int i = 0; i < 2; ++i) {
    auto* operation = failure.add_statuses();
    if (i == failed_operation) {
      const RpcStatus rpc = ToRpcStatus(status);
      operation->set_code(rpc.code);
      operation->set_message(rpc.message);
      google::rpc::Status parsed;
      if (parsed.ParseFromString(rpc.details)) {
        for (const auto& detail : parsed.details()) *operation->add_details() = detail;
      }
    } else if (!other_done) {
      operation->set_code(static_cast<int>(StatusCode::kAborted));
      operation->set_message("Operation was aborted.");
      operation->add_details()->PackFrom(
          ::temporal::api::failure::v1::MultiOperationExecutionAborted());
    }
  }
  return WithDetail(status.code(), "Update-with-Start could not be executed.", failure);
}

void Starts::MultiOperation(CallId call, ws::ExecuteMultiOperationRequest& request) {
  if (auto ns = core_.namespaces.Get(request.namespace_()); !ns.ok())
    return core_.calls.Fail(call, ns.status());
  if (request.operations_size() != 2 || !request.operations(0).has_start_workflow() ||
      !request.operations(1).has_update_workflow()) {
    return core_.calls.Fail(call,
                            InvalidArgument("Operations have to be exactly [Start, Update]."));
  }
  auto& start = *request.mutable_operations(0)->mutable_start_workflow();
  auto& update = *request.mutable_operations(1)->mutable_update_workflow();
  // Preparing takes out of the request what the run is made of.
  auto again = std::make_shared<ws::ExecuteMultiOperationRequest>(request);
  Status bad;
  if (start.namespace_() != request.namespace_() || update.namespace_() != request.namespace_())
    bad = InvalidArgument("Operation namespace did not match request's namespace.");
  auto prepared = bad.ok() ? Prepare(start) : StatusOr<StartRequest>(bad);
  if (prepared.ok()) bad = NotForUpdates(start);
  if (!bad.ok()) prepared = bad;
  if (!prepared.ok()) return core_.calls.Fail(call, MultiOperationFailure(prepared.status(), 0));
  bad = Updates::CheckRequest(update);
  if (bad.ok() && !update.first_execution_run_id().empty())
    bad = InvalidArgument("FirstExecutionRunId is not allowed.");
  if (bad.ok() && !update.workflow_execution().run_id().empty())
    bad = InvalidArgument("RunId is not allowed.");
  if (bad.ok() && update.workflow_execution().workflow_id() != start.workflow_id()) {
    bad = InvalidArgument("WorkflowId is not consistent with previous operation(s).");
  }
  if (!bad.ok()) return core_.calls.Fail(call, MultiOperationFailure(bad, 1));
  if (update.request().meta().update_id().empty()) {
    update.mutable_request()->mutable_meta()->set_update_id(core_.rng.Uuid());
    *again->mutable_operations(1)->mutable_update_workflow() = update;
  }
  Combine(call, *std::move(prepared), update, std::move(again));
}

void Starts::CombineAgain(CallId call, ws::ExecuteMultiOperationRequest& request) {
  auto prepared = Prepare(*request.mutable_operations(0)->mutable_start_workflow());
  if (!prepared.ok()) return core_.calls.Fail(call, MultiOperationFailure(prepared.status(), 0));
  Combine(call, *std::move(prepared), request.operations(1).update_workflow(), nullptr);
}

void Starts::Combine(CallId call, StartRequest start,
                     const ws::UpdateWorkflowExecutionRequest& update,
                     std::shared_ptr<ws::ExecuteMultiOperationRequest> again) {
  StatusOr<StartOutcome> outcome =
      StartOutcome{TakesUpdate(start, update.request().meta().update_id())};
  if (outcome->run == nullptr) outcome = StartOrReuse(std::move(start));
  if (!outcome.ok()) return core_.calls.Fail(call, MultiOperationFailure(outcome.status(), 0));
  Run& run = *outcome->run;
  if (Status begun = core_.updates.Begin(run, update); !begun.ok())
    return core_.calls.Fail(call, MultiOperationFailure(begun, 1));
  ws::StartWorkflowExecutionResponse started;
  started.set_run_id(run.run_id);
  started.set_first_execution_run_id(run.first_run_id);
  started.set_started(outcome->started);
  started.set_status(run.status);
  *started.mutable_link() = StartedLink(run);
  core_.updates.WaitWithStart(call, run, update, std::move(started),
                              outcome->started ? nullptr : std::move(again));
}

}  // namespace squall::fakes::engine
