#include "harness/doctor/worker_calls.h"

#include <algorithm>

#include "harness/doctor/api_answer.h"
#include "harness/doctor/rpc.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::doctor {
namespace {

namespace service = temporal::api::workflowservice::v1;

// No server has given out such a token: too short to hold one, and not empty, which some releases
// refuse before they ask who is calling.
constexpr std::string_view kNobodysToken = "squall-doctor";

template <typename Request>
Request WithToken(const std::string& ns, const std::string& identity) {
  Request request;
  request.set_namespace_(ns);
  request.set_identity(identity);
  request.set_task_token(std::string(kNobodysToken));
  return request;
}

std::set<std::string> TrueOnes(std::initializer_list<std::pair<const char*, bool>> flags) {
  std::set<std::string> names;
  for (const auto& [name, on] : flags) {
    if (on) names.insert(name);
  }
  return names;
}

// "" of a worker that polls without versioning.
std::string VersionOf(const temporal::api::taskqueue::v1::PollerInfo& poller) {
  const auto& options = poller.deployment_options();
  if (options.worker_versioning_mode() !=
      temporal::api::enums::v1::WORKER_VERSIONING_MODE_VERSIONED)
    return "";
  return fmt::format("{}.{}", options.deployment_name(), options.build_id());
}
std::string VersionOf(const temporal::api::deployment::v1::WorkerDeploymentVersion& version) {
  return version.build_id().empty()
             ? ""
             : fmt::format("{}.{}", version.deployment_name(), version.build_id());
}

WallTime ToWall(const google::protobuf::Timestamp& time) {
  return WallTime(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
}

}  // namespace

StatusOr<ServerFacts> ReadSystemInfo(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<service::GetSystemInfoResponse>(
                                               answer, "GetSystemInfoResponse"));
  const auto& c = read.capabilities();
  return ServerFacts{
      read.server_version(),
      TrueOnes({{"signal_and_query_header", c.signal_and_query_header()},
                {"internal_error_differentiation", c.internal_error_differentiation()},
                {"activity_failure_include_heartbeat", c.activity_failure_include_heartbeat()},
                {"supports_schedules", c.supports_schedules()},
                {"encoded_failure_attributes", c.encoded_failure_attributes()},
                {"build_id_based_versioning", c.build_id_based_versioning()},
                {"upsert_memo", c.upsert_memo()},
                {"eager_workflow_start", c.eager_workflow_start()},
                {"sdk_metadata", c.sdk_metadata()},
                {"count_group_by_execution_status", c.count_group_by_execution_status()},
                {"nexus", c.nexus()}})};
}

std::vector<WorkerCall> WorkerCalls(const std::string& ns, const std::string& own_queue,
                                    const std::string& identity) {
  std::vector<WorkerCall> calls;
  service::PollWorkflowTaskQueueRequest workflows;
  workflows.set_namespace_(ns);
  workflows.set_identity(identity);
  workflows.mutable_task_queue()->set_name(own_queue);
  calls.push_back({"PollWorkflowTaskQueue", workflows.SerializeAsString(), true});
  service::PollActivityTaskQueueRequest activities;
  activities.set_namespace_(ns);
  activities.set_identity(identity);
  activities.mutable_task_queue()->set_name(own_queue);
  calls.push_back({"PollActivityTaskQueue", activities.SerializeAsString(), true});
  const auto add = [&calls](std::string_view method, const auto& request) {
    calls.push_back({method, request.SerializeAsString(), false});
  };
  add("RespondWorkflowTaskCompleted",
      WithToken<service::RespondWorkflowTaskCompletedRequest>(ns, identity));
  add("RespondWorkflowTaskFailed",
      WithToken<service::RespondWorkflowTaskFailedRequest>(ns, identity));
  add("RespondActivityTaskCompleted",
      WithToken<service::RespondActivityTaskCompletedRequest>(ns, identity));
  add("RespondActivityTaskFailed",
      WithToken<service::RespondActivityTaskFailedRequest>(ns, identity));
  add("RespondActivityTaskCanceled",
      WithToken<service::RespondActivityTaskCanceledRequest>(ns, identity));
  add("RecordActivityTaskHeartbeat",
      WithToken<service::RecordActivityTaskHeartbeatRequest>(ns, identity));
  return calls;
}

std::string DescribeNamespaceRequest(const std::string& ns) {
  service::DescribeNamespaceRequest request;
  request.set_namespace_(ns);
  return request.SerializeAsString();
}

StatusOr<NamespaceInfo> ReadNamespace(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<service::DescribeNamespaceResponse>(
                                               answer, "DescribeNamespaceResponse"));
  NamespaceInfo info;
  info.name = read.namespace_info().name();
  switch (read.namespace_info().state()) {
    case temporal::api::enums::v1::NAMESPACE_STATE_REGISTERED:
      info.state = NamespaceState::kRegistered;
      break;
    case temporal::api::enums::v1::NAMESPACE_STATE_DEPRECATED:
      info.state = NamespaceState::kDeprecated;
      break;
    case temporal::api::enums::v1::NAMESPACE_STATE_DELETED:
      info.state = NamespaceState::kDeleted;
      break;
    default:
      break;
  }
  const auto& c = read.namespace_info().capabilities();
  info.capabilities =
      TrueOnes({{"eager_workflow_start", c.eager_workflow_start()},
                {"worker_heartbeats", c.worker_heartbeats()},
                {"worker_poll_complete_on_shutdown", c.worker_poll_complete_on_shutdown()},
                {"poller_autoscaling", c.poller_autoscaling()}});
  info.retention = std::chrono::seconds(read.config().workflow_execution_retention_ttl().seconds());
  return info;
}

std::string ListNamespacesRequest() {
  service::ListNamespacesRequest request;
  request.set_page_size(200);
  request.mutable_namespace_filter()->set_include_deleted(true);
  return request.SerializeAsString();
}

NamespaceNames ReadNamespaceNames(const std::string& answer) {
  NamespaceNames names;
  const auto read = ParseAnswer<service::ListNamespacesResponse>(answer, "ListNamespacesResponse");
  if (!read.ok()) return names;
  for (const auto& one : read->namespaces()) {
    const auto& info = one.namespace_info();
    if (info.state() == temporal::api::enums::v1::NAMESPACE_STATE_DELETED)
      names.deleted.push_back(info.name());
    else if (info.name() != "temporal-system")
      names.there.push_back(info.name());
  }
  return names;
}

std::string DescribeTaskQueueRequest(const std::string& ns, const std::string& queue,
                                     bool activities) {
  service::DescribeTaskQueueRequest request;
  request.set_namespace_(ns);
  request.mutable_task_queue()->set_name(queue);
  request.set_task_queue_type(activities ? temporal::api::enums::v1::TASK_QUEUE_TYPE_ACTIVITY
                                         : temporal::api::enums::v1::TASK_QUEUE_TYPE_WORKFLOW);
  request.set_report_stats(true);
  return request.SerializeAsString();
}

StatusOr<QueueInfo> ReadQueue(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<service::DescribeTaskQueueResponse>(
                                               answer, "DescribeTaskQueueResponse"));
  QueueInfo info;
  for (const auto& one : read.pollers())
    info.pollers.push_back({one.identity(), ToWall(one.last_access_time()), VersionOf(one)});
  info.backlog = read.stats().approximate_backlog_count();
  const auto& routing = read.versioning_info();
  info.current_version = VersionOf(routing.current_deployment_version());
  info.ramping_version = VersionOf(routing.ramping_deployment_version());
  info.ramping_share = routing.ramping_version_percentage();
  return info;
}

std::string ListExecutionsRequest(const std::string& ns) {
  service::ListWorkflowExecutionsRequest request;
  request.set_namespace_(ns);
  request.set_page_size(200);
  return request.SerializeAsString();
}

std::vector<std::string> ReadQueueNames(const std::string& answer) {
  std::vector<std::string> names;
  const auto read = ParseAnswer<service::ListWorkflowExecutionsResponse>(
      answer, "ListWorkflowExecutionsResponse");
  if (!read.ok()) return names;
  for (const auto& one : read->executions()) {
    if (!one.task_queue().empty() && std::ranges::find(names, one.task_queue()) == names.end())
      names.push_back(one.task_queue());
  }
  return names;
}

// Field 1, a string.
std::string HealthRequest() {
  constexpr std::string_view name = Rpc::kWorkflowService;
  static_assert(name.size() < 128, "the length is one byte");
  return fmt::format("\x0a{}{}", static_cast<char>(name.size()), name);
}

// Field 1, the enumeration's 1.
bool ReadServing(const std::string& answer) { return answer == std::string_view("\x08\x01", 2); }

std::string PollRequest(const std::string& ns, const std::string& queue) {
  service::PollWorkflowTaskQueueRequest request;
  request.set_namespace_(ns);
  request.set_identity(queue);
  request.mutable_task_queue()->set_name(queue);
  return request.SerializeAsString();
}

std::string LargeHeartbeat(const std::string& ns, const std::string& identity, std::size_t bytes) {
  auto request = WithToken<service::RecordActivityTaskHeartbeatRequest>(ns, identity);
  request.mutable_details()->add_payloads()->set_data(std::string(bytes, 'x'));
  return request.SerializeAsString();
}

std::string StartRequest(const std::string& ns, const std::string& id, const std::string& type,
                         const std::string& queue, Duration limit) {
  service::StartWorkflowExecutionRequest request;
  request.set_namespace_(ns);
  request.set_workflow_id(id);
  request.set_request_id(id);
  request.set_identity("squall-doctor");
  request.mutable_workflow_type()->set_name(type);
  request.mutable_task_queue()->set_name(queue);
  request.mutable_workflow_execution_timeout()->set_seconds(
      std::chrono::ceil<std::chrono::seconds>(limit).count());
  return request.SerializeAsString();
}

StatusOr<std::string> ReadRunId(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<service::StartWorkflowExecutionResponse>(
                                               answer, "StartWorkflowExecutionResponse"));
  return read.run_id();
}

StatusOr<std::string> ReadTaskToken(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<service::PollWorkflowTaskQueueResponse>(
                                               answer, "PollWorkflowTaskQueueResponse"));
  if (read.task_token().empty()) return absl::NotFoundError("the poll came back empty");
  return read.task_token();
}

std::string CompleteRequest(const std::string& ns, const std::string& token) {
  service::RespondWorkflowTaskCompletedRequest request;
  request.set_namespace_(ns);
  request.set_identity("squall-doctor");
  request.set_task_token(token);
  auto* command = request.add_commands();
  command->set_command_type(temporal::api::enums::v1::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  command->mutable_complete_workflow_execution_command_attributes();
  return request.SerializeAsString();
}

std::string CloseEventRequest(const std::string& ns, const std::string& id,
                              const std::string& run) {
  service::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_(ns);
  request.mutable_execution()->set_workflow_id(id);
  request.mutable_execution()->set_run_id(run);
  request.set_wait_new_event(true);
  request.set_history_event_filter_type(
      temporal::api::enums::v1::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  return request.SerializeAsString();
}

Status ReadCloseEvent(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read,
                          ParseAnswer<service::GetWorkflowExecutionHistoryResponse>(
                              answer, "GetWorkflowExecutionHistoryResponse"));
  if (read.history().events().empty()) return absl::DeadlineExceededError("it did not end in time");
  switch (read.history().events(read.history().events_size() - 1).event_type()) {
    case temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
      return absl::OkStatus();
    case temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
      return absl::DeadlineExceededError("it ran into its time-out: no worker completed it");
    case temporal::api::enums::v1::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
      return absl::AbortedError("it failed");
    default:
      return absl::AbortedError("it ended otherwise than completed");
  }
}

}  // namespace squall::doctor
