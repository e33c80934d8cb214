#include "fakes/engine/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/releases.h"
#include "fakes/engine/rpc_table.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"
#include "fakes/engine/visibility_query.h"
#include "temporal/api/enums/v1/failed_cause.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

using Request = ws::StartBatchOperationRequest;

constexpr int kMaxRunning = 1;  // frontend.maxConcurrentBatchOperationPerNamespace
// worker.batcherRPS, and about what the real limiter lets through at once.
constexpr double kPerSecond = 50;
constexpr int kBurst = 10;
// The real batcher reports its progress this often.
constexpr Duration kProgressInterval = std::chrono::milliseconds(2500);

bool OfActivities(const Request& request) {
  switch (request.operation_case()) {
    case Request::kCancelActivitiesOperation:
    case Request::kTerminateActivitiesOperation:
    case Request::kDeleteActivitiesOperation:
      return true;
    default:
      return false;
  }
}

const google::protobuf::FieldDescriptor* OperationField(const Request& request) {
  return request.operation_case() == Request::OPERATION_NOT_SET
             ? nullptr
             : Request::descriptor()->FindFieldByNumber(request.operation_case());
}

std::string Identity(const Request& request) {
  const auto* field = OperationField(request);
  if (field == nullptr) return {};
  const auto& operation = request.GetReflection()->GetMessage(request, field);
  const auto* identity = operation.GetDescriptor()->FindFieldByName("identity");
  if (identity == nullptr) return {};
  return operation.GetReflection()->GetString(operation, identity);
}

// "termination_operation": the name that Go gives to its type.
std::string GoName(const Request& request) {
  std::string name;
  bool upper = true;
  for (const char c : OperationField(request)->name()) {
    if (c == '_') {
      upper = true;
    } else {
      name.push_back(upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c);
      upper = false;
    }
  }
  return "*workflowservice.StartBatchOperationRequest_" + name;
}

enums::BatchOperationType TypeOf(const Request& request) {
  switch (request.operation_case()) {
    case Request::kTerminationOperation:
      return enums::BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW;
    case Request::kSignalOperation:
      return enums::BATCH_OPERATION_TYPE_SIGNAL_WORKFLOW;
    case Request::kCancellationOperation:
      return enums::BATCH_OPERATION_TYPE_CANCEL_WORKFLOW;
    case Request::kDeletionOperation:
      return enums::BATCH_OPERATION_TYPE_DELETE_WORKFLOW;
    case Request::kResetOperation:
      return enums::BATCH_OPERATION_TYPE_RESET_WORKFLOW;
    case Request::kUpdateWorkflowOptionsOperation:
      return enums::BATCH_OPERATION_TYPE_UPDATE_WORKFLOW_EXECUTION_OPTIONS;
    case Request::kUnpauseActivitiesOperation:
      return enums::BATCH_OPERATION_TYPE_UNPAUSE_ACTIVITY;
    case Request::kResetActivitiesOperation:
      return enums::BATCH_OPERATION_TYPE_RESET_ACTIVITY;
    case Request::kUpdateActivityOptionsOperation:
      return enums::BATCH_OPERATION_TYPE_UPDATE_ACTIVITY_OPTIONS;
    case Request::kCancelActivitiesOperation:
      return enums::BATCH_OPERATION_TYPE_CANCEL_ACTIVITY;
    case Request::kTerminateActivitiesOperation:
      return enums::BATCH_OPERATION_TYPE_TERMINATE_ACTIVITY;
    case Request::kDeleteActivitiesOperation:
      return enums::BATCH_OPERATION_TYPE_DELETE_ACTIVITY;
    default:
      return enums::BATCH_OPERATION_TYPE_UNSPECIFIED;
  }
}

// Releases before 1.32 have other names for what is done to workflows, in the same order.
enums::BatchOperationType TypeOf(const EngineOptions& options, const Request& request) {
  const enums::BatchOperationType type = TypeOf(request);
  if (type < enums::BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW || !OlderThan(options, "1.32"))
    return type;
  constexpr int kRenamed =
      enums::BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW - enums::BATCH_OPERATION_TYPE_TERMINATE;
  return static_cast<enums::BatchOperationType>(type - kRenamed);
}

// By type or all of them.
template <typename Operation>
Status CheckFilter(const Operation& operation) {
  constexpr char kText[] = "Either activity type must be set, or match all should be set to true";
  if (operation.activity_case() == Operation::kType && operation.type().empty())
    return InvalidArgument(kText);
  if (operation.activity_case() == Operation::kMatchAll && !operation.match_all())
    return InvalidArgument(kText);
  return absl::OkStatus();
}

Status CheckOperation(const Request& request) {
  switch (request.operation_case()) {
    case Request::kSignalOperation:
      if (request.signal_operation().signal().empty())
        return InvalidArgument("must provide signal name");
      break;
    case Request::kUpdateWorkflowOptionsOperation: {
      const auto& operation = request.update_workflow_options_operation();
      if (!operation.has_workflow_execution_options())
        return InvalidArgument("must provide UpdateOptions");
      if (!operation.has_update_mask()) return InvalidArgument("must provide UpdateMask");
      break;
    }
    case Request::kResetOperation: {
      const auto& operation = request.reset_operation();
      if (operation.has_options()) {
        if (operation.options().target_case() == common::ResetOptions::TARGET_NOT_SET)
          return InvalidArgument("batch reset missing target");
      } else if (operation.reset_type() == enums::RESET_TYPE_UNSPECIFIED ||
                 !enums::ResetType_IsValid(operation.reset_type())) {
        return InvalidArgument(
            fmt::format("unknown batch reset type {}",
                        operation.reset_type() == enums::RESET_TYPE_UNSPECIFIED
                            ? std::string("Unspecified")
                            : std::to_string(static_cast<int>(operation.reset_type()))));
      }
      break;
    }
    case Request::kUnpauseActivitiesOperation:
      if (request.unpause_activities_operation().activity_case() == 0)
        return InvalidArgument("activity filter must be set");
      return CheckFilter(request.unpause_activities_operation());
    case Request::kResetActivitiesOperation:
      if (request.reset_activities_operation().activity_case() == 0)
        return InvalidArgument("must provide ActivityType or MatchAll");
      return CheckFilter(request.reset_activities_operation());
    case Request::kUpdateActivityOptionsOperation: {
      const auto& operation = request.update_activity_options_operation();
      if (operation.has_activity_options() && operation.restore_original())
        return InvalidArgument("cannot set both activity options and restore original");
      if (!operation.has_activity_options() && !operation.restore_original()) {
        return InvalidArgument(
            "Either activity type must be set, or restore original should be set to true");
      }
      return CheckFilter(operation);
    }
    default:
      break;
  }
  return absl::OkStatus();
}

Status Check(const Request& request) {
  const int given = (request.visibility_query().empty() ? 0 : 1) +
                    (request.executions().empty() ? 0 : 1) +
                    (request.target_executions().empty() ? 0 : 1);
  if (request.operation_case() == Request::OPERATION_NOT_SET || request.reason().empty() ||
      given == 0) {
    return InvalidArgument(
        "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR "
        "Executions OR TargetExecutions)");
  }
  if (request.job_id().empty()) return InvalidArgument("JobId is not set on request.");
  if (given > 1) {
    return InvalidArgument(
        "visibility query, executions, and target executions are mutually exclusive");
  }
  SQUALL_RETURN_IF_ERROR(CheckOperation(request));
  const auto wanted =
      OfActivities(request) ? enums::EXECUTION_TYPE_ACTIVITY : enums::EXECUTION_TYPE_WORKFLOW;
  const auto name = [](enums::ExecutionType type) {
    return PascalName(enums::ExecutionType_Name(type), "EXECUTION_TYPE_");
  };
  for (int i = 0; i < request.target_executions_size(); ++i) {
    const auto type = request.target_executions(i).type();
    if (type == wanted) continue;
    return InvalidArgument(
        fmt::format("target_executions[{}] has type {}, but operation {} requires {}", i,
                    name(type), GoName(request), name(wanted)));
  }
  return absl::OkStatus();
}

Status TooMany() {
  ::temporal::api::errordetails::v1::ResourceExhaustedFailure detail;
  detail.set_cause(enums::RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT);
  detail.set_scope(enums::RESOURCE_EXHAUSTED_SCOPE_NAMESPACE);
  return WithDetail(StatusCode::kResourceExhausted, "Max concurrent batch operations is reached",
                    detail);
}

}  // namespace

StatusOr<ws::StartBatchOperationResponse> Batches::Start(const Request& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(Check(request));
  const auto running = std::count_if(ns->batches.begin(), ns->batches.end(), [](const auto& job) {
    return job.second->state == enums::BATCH_OPERATION_STATE_RUNNING;
  });
  if (running >= kMaxRunning) return TooMany();
  if (request.job_id().size() > kMaxIdLength)
    return InvalidArgument("WorkflowId exceeds length limit.");
  if (const auto it = ns->batches.find(request.job_id()); it != ns->batches.end()) {
    return AlreadyStarted(
        fmt::format("Workflow execution already finished. WorkflowId: {}, RunId: {}. Workflow Id "
                    "reuse policy: reject duplicate workflow Id.",
                    request.job_id(), it->second->run_id),
        it->second->start_request_id, it->second->run_id, it->second->run_id);
  }
  auto batch = std::make_shared<Batch>();
  batch->ns = ns;
  batch->request = request;
  batch->run_id = core_.rng.Uuid();
  batch->start_request_id = core_.rng.Uuid();
  batch->serial = ++serial_;
  batch->started = core_.now.wall;
  ns->batches[request.job_id()] = batch;
  core_.Defer([this, batch] { Begin(*batch); });
  return ws::StartBatchOperationResponse();
}

StatusOr<std::vector<common::Execution>> Batches::Targets(const Batch& batch) {
  std::vector<common::Execution> targets;
  const Request& request = batch.request;
  if (request.visibility_query().empty()) {
    for (const auto& execution : request.executions()) {
      common::Execution& target = targets.emplace_back();
      target.set_business_id(execution.workflow_id());
      target.set_run_id(execution.run_id());
    }
    targets.insert(targets.end(), request.target_executions().begin(),
                   request.target_executions().end());
    return targets;
  }
  if (OfActivities(request)) {
    ws::ListActivityExecutionsRequest list;
    list.set_namespace_(request.namespace_());
    list.set_query(request.visibility_query());
    const RpcEntry* entry = FindRpc(kWorkflowService, "ListActivityExecutions");
    if (entry == nullptr || entry->handle == nullptr)
      return Unimplemented("ListActivityExecutions", "no activities to choose from");
    RpcResponse answer{
        .call = 0, .status = {.code = 14, .message = {}, .details = {}}, .message = {}};
    const CallId call =
        core_.calls.OpenInternal([&answer](const RpcResponse& response) { answer = response; });
    entry->handle(core_, call, list.SerializeAsString(), nullptr);
    ws::ListActivityExecutionsResponse response;
    if (answer.status.code != 0 || !response.ParseFromString(answer.message))
      return InvalidArgument(answer.status.message);
    for (const auto& activity : response.executions()) {
      common::Execution& target = targets.emplace_back();
      target.set_business_id(activity.activity_id());
      target.set_run_id(activity.run_id());
    }
    return targets;
  }
  const auto ns = batch.ns.lock();
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query,
                          ParseVisibilityQuery(request.visibility_query(), *ns));
  const bool closed_too = request.operation_case() == Request::kDeletionOperation ||
                          request.operation_case() == Request::kResetOperation;
  for (const auto& [key, run] : ns->by_visibility) {
    if ((!closed_too && !run->open()) || !query.matches(*run)) continue;
    common::Execution& target = targets.emplace_back();
    target.set_business_id(run->workflow_id);
    target.set_run_id(run->run_id);
  }
  return targets;
}

void Batches::Begin(Batch& batch) {
  auto targets = Targets(batch);
  if (!targets.ok()) return End(batch, enums::BATCH_OPERATION_STATE_FAILED);
  batch.todo.assign(targets->begin(), targets->end());
  batch.total = static_cast<std::int64_t>(batch.todo.size());
  Work(batch, kBurst);
}

void Batches::End(Batch& batch, enums::BatchOperationState state) {
  batch.state = state;
  batch.closed = core_.now.wall;
  batch.todo.clear();
  core_.CancelTimer(batch.timer);
}

void Batches::Work(Batch& batch, int count) {
  const auto ns = batch.ns.lock();
  if (ns == nullptr || batch.state != enums::BATCH_OPERATION_STATE_RUNNING) return;
  for (int i = 0; i < count && !batch.todo.empty(); ++i) {
    const common::Execution target = std::move(batch.todo.front());
    batch.todo.pop_front();
    Do(batch, target);
  }
  if (batch.todo.empty()) return End(batch, enums::BATCH_OPERATION_STATE_COMPLETED);
  double rate = kPerSecond;
  if (const double asked = batch.request.max_operations_per_second(); asked > 0)
    rate = std::min(rate, asked);
  const Duration pause(static_cast<std::int64_t>(1e9 / rate));
  batch.timer = core_.After(pause, [this, weak = batch.weak_from_this()] {
    const auto held = weak.lock();
    if (held == nullptr) return;
    held->timer = 0;
    Work(*held, 1);
  });
}

StatusOr<ws::StopBatchOperationResponse> Batches::Stop(
    const ws::StopBatchOperationRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  if (request.job_id().empty()) return InvalidArgument("JobId is not set on request.");
  if (request.reason().empty()) return InvalidArgument("Reason is not set on request.");
  const auto it = ns->batches.find(request.job_id());
  if (it == ns->batches.end())
    return NotFound(fmt::format("workflow not found for ID: {}", request.job_id()));
  if (it->second->state != enums::BATCH_OPERATION_STATE_RUNNING) return WorkflowClosed();
  End(*it->second, enums::BATCH_OPERATION_STATE_FAILED);
  return ws::StopBatchOperationResponse();
}

StatusOr<ws::DescribeBatchOperationResponse> Batches::Describe(
    const ws::DescribeBatchOperationRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  if (request.job_id().empty()) return InvalidArgument("JobId is not set on request.");
  const auto it = ns->batches.find(request.job_id());
  ws::DescribeBatchOperationResponse response;
  if (it == ns->batches.end()) {
    // Any workflow passes for a job, since jobs are workflows on the real server.
    SQUALL_ASSIGN_OR_RETURN(const auto run, Namespaces::FindRun(*ns, request.job_id(), ""));
    response.set_job_id(request.job_id());
    response.set_state(run->open() ? enums::BATCH_OPERATION_STATE_RUNNING
                       : run->status == enums::WORKFLOW_EXECUTION_STATUS_COMPLETED
                           ? enums::BATCH_OPERATION_STATE_COMPLETED
                           : enums::BATCH_OPERATION_STATE_FAILED);
    *response.mutable_start_time() = ToProto(run->started);
    if (!run->open()) *response.mutable_close_time() = ToProto(run->closed);
    return response;
  }
  const Batch& batch = *it->second;
  response.set_operation_type(TypeOf(core_.options, batch.request));
  response.set_job_id(request.job_id());
  response.set_state(batch.state);
  *response.mutable_start_time() = ToProto(batch.started);
  const bool running = batch.state == enums::BATCH_OPERATION_STATE_RUNNING;
  if (!running) *response.mutable_close_time() = ToProto(batch.closed);
  // A job that failed or was stopped tells no counts, one that runs not before its first report.
  if (batch.state == enums::BATCH_OPERATION_STATE_COMPLETED ||
      (running && core_.now.wall - batch.started >= kProgressInterval)) {
    response.set_total_operation_count(batch.total);
    response.set_complete_operation_count(batch.succeeded);
    response.set_failure_operation_count(batch.failed);
  }
  response.set_identity(Identity(batch.request));
  response.set_reason(batch.request.reason());
  response.set_query(batch.request.visibility_query());
  for (const auto& execution : batch.request.executions()) {
    common::Execution* shown = response.add_executions();
    shown->set_type(enums::EXECUTION_TYPE_WORKFLOW);
    shown->set_business_id(execution.workflow_id());
    shown->set_run_id(execution.run_id());
  }
  response.mutable_executions()->MergeFrom(batch.request.target_executions());
  return response;
}

StatusOr<ws::ListBatchOperationsResponse> Batches::List(
    const ws::ListBatchOperationsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  std::vector<const Batch*> jobs;
  for (const auto& [id, batch] : ns->batches) jobs.push_back(batch.get());
  // As visibility lists them: who runs first, then the last to end.
  std::sort(jobs.begin(), jobs.end(), [](const Batch* a, const Batch* b) {
    const auto key = [](const Batch* job) {
      return std::tuple(job->state == enums::BATCH_OPERATION_STATE_RUNNING, job->closed,
                        job->started, job->serial);
    };
    return key(a) > key(b);
  });
  std::size_t at = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token || token->first < 0) return InvalidArgument("unable to deserialize page token");
    at = static_cast<std::size_t>(token->first);
  }
  int size = request.page_size();
  if (size <= 0 || size > kMaxPage) size = kMaxPage;
  ws::ListBatchOperationsResponse response;
  for (; at < jobs.size(); ++at) {
    if (response.operation_info_size() == size) {
      response.set_next_page_token(
          PageToken{.run_id = {}, .first = static_cast<std::int64_t>(at)}.Serialize());
      break;
    }
    auto* info = response.add_operation_info();
    info->set_job_id(jobs[at]->request.job_id());
    info->set_state(jobs[at]->state);
    *info->mutable_start_time() = ToProto(jobs[at]->started);
    if (jobs[at]->state != enums::BATCH_OPERATION_STATE_RUNNING)
      *info->mutable_close_time() = ToProto(jobs[at]->closed);
    info->set_operation_type(TypeOf(core_.options, jobs[at]->request));
  }
  return response;
}

}  // namespace squall::fakes::engine
