#include "fakes/engine/schedules.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

constexpr std::size_t kMaxNotes = 1000;     // of a patch
constexpr std::string_view kPrefix = "temporal-sys-scheduler:";
constexpr std::string_view kTimestamp = "-2009-11-10T23:00:00Z";  // as actions append them
constexpr int kMaxMatchingTimes = 1000;
constexpr int kFutureTimes = 10;

Status CheckWorkflowIdLength(std::size_t length) {
  if (length <= kMaxIdLength) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument,
                    "WorkflowId exceeds maximum allowed length ({}/{})", length, kMaxIdLength);
}

Status CheckTimeout(const google::protobuf::Duration& timeout, std::string_view name) {
  if (FromProto(timeout).count() >= 0) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument,
                    "An invalid {} is set on request. cause: negative duration", name);
}

Status SetCanonicalSpec(schedulepb::Schedule* schedule) {
  auto spec = CanonicalSpec(schedule->spec());
  Status status = spec.status();
  if (status.ok()) status = CompiledSpec::Compile(*spec).status();
  if (!status.ok())
    return MakeStatus(StatusCode::kInvalidArgument, "Invalid schedule spec: {}", Message(status));
  *schedule->mutable_spec() = *std::move(spec);
  return absl::OkStatus();
}

std::string TokenBytes(std::int64_t token) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(token >> shift & 0xFF));
  return bytes;
}

// What the real server answers when a query of the scheduler's workflow fails.
Status MissingTimes() {
  constexpr char kText[] = "missing or invalid query";
  failure::Failure failure;
  failure.set_message(kText);
  failure.set_source("GoSDK");
  failure.mutable_application_failure_info();
  return QueryFailed(kText, failure);
}

Status NotFoundSchedule(const std::string& id) {
  return NotFound(fmt::format("workflow not found for ID: {}{}", kPrefix, id));
}

}  // namespace

StatusOr<std::shared_ptr<Schedule>> Schedules::Find(const std::string& ns_name,
                                                    const std::string& id) const {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(ns_name));
  if (id.empty()) return InvalidArgument("Can't load workflow execution.  WorkflowId not set.");
  const auto it = ns->schedules.find(id);
  if (it == ns->schedules.end()) return NotFoundSchedule(id);
  return it->second;
}

StatusOr<std::shared_ptr<Schedule>> Schedules::FindOpen(const std::string& ns,
                                                        const std::string& id) const {
  SQUALL_ASSIGN_OR_RETURN(auto schedule, Find(ns, id));
  if (schedule->closed) return WorkflowClosed();
  return schedule;
}

Status Schedules::CheckAction(const Namespace& ns,
                              workflowpb::NewWorkflowExecutionInfo* action) const {
  SQUALL_RETURN_IF_ERROR(CheckWorkflowIdLength(action->workflow_id().size() + kTimestamp.size()));
  if (action->workflow_type().name().empty())
    return InvalidArgument("WorkflowType is not set on request.");
  if (action->workflow_type().name().size() > kMaxIdLength)
    return InvalidArgument("WorkflowType length exceeds limit.");
  if (!action->has_task_queue()) return InvalidArgument("taskQueue is not set");
  SQUALL_RETURN_IF_ERROR(NormalizeQueue(action->mutable_task_queue(), ""));
  SQUALL_RETURN_IF_ERROR(
      CheckTimeout(action->workflow_execution_timeout(), "WorkflowExecutionTimeoutSeconds"));
  SQUALL_RETURN_IF_ERROR(CheckTimeout(action->workflow_run_timeout(), "WorkflowRunTimeoutSeconds"));
  SQUALL_RETURN_IF_ERROR(
      CheckTimeout(action->workflow_task_timeout(), "WorkflowTaskTimeoutSeconds"));
  if (!action->cron_schedule().empty())
    return InvalidArgument("Scheduled workflow must not contain CronSchedule");
  if (action->workflow_id_reuse_policy() != enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED &&
      action->workflow_id_reuse_policy() != enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE) {
    return InvalidArgument("Scheduled workflow must not contain WorkflowIDReusePolicy");
  }
  return core_.visibility.CheckAttributes(ns, action->search_attributes());
}

StatusOr<ws::CreateScheduleResponse> Schedules::Create(const ws::CreateScheduleRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  if (request.schedule_id().empty())
    return InvalidArgument("Can't load workflow execution.  WorkflowId not set.");
  SQUALL_RETURN_IF_ERROR(CheckWorkflowIdLength(kPrefix.size() + request.schedule_id().size()));
  if (request.request_id().empty()) return InvalidArgument("RequestId is not set on request.");
  if (request.request_id().size() > kMaxIdLength)
    return InvalidArgument("RequestId length exceeds limit.");
  schedulepb::Schedule wanted = request.schedule();
  SQUALL_RETURN_IF_ERROR(SetCanonicalSpec(&wanted));
  if (wanted.action().has_start_workflow())
    SQUALL_RETURN_IF_ERROR(CheckAction(*ns, wanted.mutable_action()->mutable_start_workflow()));
  SQUALL_RETURN_IF_ERROR(core_.visibility.CheckAttributes(*ns, request.search_attributes()));

  ws::CreateScheduleResponse response;
  response.set_conflict_token(TokenBytes(1));
  if (const auto it = ns->schedules.find(request.schedule_id()); it != ns->schedules.end()) {
    // The same request again.
    if (it->second->create_request_id == request.request_id()) return response;
    if (!it->second->closed) {
      return WithDetail(
          StatusCode::kAlreadyExists,
          fmt::format("schedule \"{}\" is already registered", request.schedule_id()),
          ::temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure());
    }
  }
  auto schedule = std::make_shared<Schedule>();
  schedule->ns = ns;
  schedule->id = request.schedule_id();
  schedule->jitter_seed = fmt::format("{}-{}", ns->id, schedule->id);
  schedule->create_request_id = request.request_id();
  schedule->serial = ++serial_;
  schedule->schedule = std::move(wanted);
  SQUALL_RETURN_IF_ERROR(Scheduler::Adopt(*schedule));
  *schedule->info.mutable_create_time() = ToProto(core_.now.wall);
  schedule->last_processed = core_.now.wall;
  for (const auto& [key, value] : request.memo().fields()) schedule->memo[key] = value;
  schedule->row->workflow_id = schedule->id;
  schedule->row->started = schedule->row->execution_time = core_.now.wall;
  for (const auto& [key, value] : request.search_attributes().indexed_fields())
    Visibility::Upsert(schedule->row->search_attributes, key, value);
  ns->schedules[schedule->id] = schedule;
  core_.Defer([this, schedule, patch = request.initial_patch()] {
    core_.scheduler.Wake(*schedule, &patch);
  });
  return response;
}

StatusOr<ws::DescribeScheduleResponse> Schedules::Describe(
    const ws::DescribeScheduleRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto schedule, Find(request.namespace_(), request.schedule_id()));
  if (schedule->closed) return NotFound("schedule not found");
  const auto ns = schedule->ns.lock();
  ws::DescribeScheduleResponse response;
  *response.mutable_schedule() = schedule->schedule;
  FillRanges(response.mutable_schedule()->mutable_spec());
  if (response.schedule().action().has_start_workflow()) {
    auto* action = response.mutable_schedule()->mutable_action()->mutable_start_workflow();
    if (action->has_search_attributes()) {
      for (auto& [key, value] : *action->mutable_search_attributes()->mutable_indexed_fields())
        SetType(*ns, key, &value);
    }
  }
  auto* info = response.mutable_info();
  *info = schedule->info;
  for (const WallTime time : Scheduler::FutureTimes(*schedule, kFutureTimes))
    *info->add_future_action_times() = ToProto(time);
  info->set_buffer_size(static_cast<std::int64_t>(schedule->buffer.size()));
  info->clear_running_workflows();
  for (const auto& started : schedule->info.running_workflows()) {
    if (Scheduler::Runs(*ns, started)) *info->add_running_workflows() = started;
  }
  if (info->running_workflows_size() < schedule->info.running_workflows_size()) {
    // Seen here first; the schedule learns it afterwards.
    core_.Defer([this, schedule] {
      schedule->need_refresh = true;
      core_.scheduler.Wake(*schedule);
    });
  }
  response.set_conflict_token(TokenBytes(schedule->conflict_token));
  for (const auto& [key, value] : schedule->memo)
    (*response.mutable_memo()->mutable_fields())[key] = value;
  for (const auto& [key, value] : schedule->row->search_attributes) {
    if (key == kSchedulePaused) continue;
    auto* shown = &(*response.mutable_search_attributes()->mutable_indexed_fields())[key];
    *shown = value;
    SetType(*ns, key, shown);
  }
  return response;
}

StatusOr<ws::UpdateScheduleResponse> Schedules::Update(const ws::UpdateScheduleRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(request.namespace_()));
  ws::UpdateScheduleRequest update = request;
  auto* wanted = update.mutable_schedule();
  if (wanted->action().has_start_workflow())
    SQUALL_RETURN_IF_ERROR(CheckAction(*ns, wanted->mutable_action()->mutable_start_workflow()));
  SQUALL_RETURN_IF_ERROR(SetCanonicalSpec(wanted));
  SQUALL_RETURN_IF_ERROR(core_.visibility.CheckAttributes(*ns, update.search_attributes()));
  if (!wanted->action().has_start_workflow())
    return InvalidArgument("Only StartWorkflow action is supported for schedules");
  if (update.has_memo()) {
    return Status(StatusCode::kFailedPrecondition,
                  "memo updates are not supported on workflow-backed schedules");
  }
  if (update.request_id().size() > kMaxIdLength)
    return InvalidArgument("RequestId length exceeds limit.");
  SQUALL_ASSIGN_OR_RETURN(auto schedule, FindOpen(update.namespace_(), update.schedule_id()));
  if (!update.request_id().empty() && !schedule->request_ids.insert(update.request_id()).second)
    return ws::UpdateScheduleResponse();
  core_.Defer([this, schedule, update = std::move(update)] {
    core_.scheduler.Wake(*schedule, nullptr, &update);
  });
  return ws::UpdateScheduleResponse();
}

StatusOr<ws::PatchScheduleResponse> Schedules::Patch(const ws::PatchScheduleRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.request_id().size() > kMaxIdLength)
    return InvalidArgument("RequestId length exceeds limit.");
  if (!request.has_patch()) return InvalidArgument("Patch is not set on request.");
  if (request.patch().pause().size() > kMaxNotes || request.patch().unpause().size() > kMaxNotes)
    return InvalidArgument("Schedule notes exceeds limit.");
  SQUALL_ASSIGN_OR_RETURN(auto schedule, FindOpen(request.namespace_(), request.schedule_id()));
  if (!request.request_id().empty() && !schedule->request_ids.insert(request.request_id()).second)
    return ws::PatchScheduleResponse();
  core_.Defer(
      [this, schedule, patch = request.patch()] { core_.scheduler.Wake(*schedule, &patch); });
  return ws::PatchScheduleResponse();
}

StatusOr<ws::ListScheduleMatchingTimesResponse> Schedules::MatchingTimes(
    const ws::ListScheduleMatchingTimesRequest& request) {
  // Also of deleted schedules.
  SQUALL_ASSIGN_OR_RETURN(const auto schedule, Find(request.namespace_(), request.schedule_id()));
  if (!request.has_start_time() || !request.has_end_time()) return MissingTimes();
  ws::ListScheduleMatchingTimesResponse response;
  const WallTime end = FromProto(request.end_time());
  WallTime after = FromProto(request.start_time());
  while (response.start_time_size() < kMaxMatchingTimes) {
    const auto next = schedule->spec->Next(schedule->jitter_seed, after);
    if (!next || next->actual > end) break;
    after = next->actual;
    *response.add_start_time() = ToProto(after);
  }
  return response;
}

StatusOr<ws::DeleteScheduleResponse> Schedules::Delete(const ws::DeleteScheduleRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto schedule,
                          FindOpen(request.namespace_(), request.schedule_id()));
  core_.scheduler.Close(*schedule);
  return ws::DeleteScheduleResponse();
}

}  // namespace squall::fakes::engine
