#include "fakes/engine/workers.h"

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/worker_query.h"

namespace squall::fakes::engine {
namespace {

// matching.workerRegistryEntryTTL of the real server.
constexpr Duration kWorkerMemory = std::chrono::minutes(5);

// The queues of the real server's own workers.
bool IsInternal(std::string_view queue) {
  return queue.starts_with("temporal-sys-") || queue.starts_with("/temporal-sys/") ||
         queue == "default-worker-tq";
}

std::optional<std::string> LastKey(std::string_view token) {
  constexpr std::string_view kStart = "{\"l\":\"", kEnd = "\"}";
  if (!token.starts_with(kStart) || !token.ends_with(kEnd) ||
      token.size() < kStart.size() + kEnd.size()) {
    return {};
  }
  return std::string(token.substr(kStart.size(), token.size() - kStart.size() - kEnd.size()));
}

}  // namespace

StatusOr<ws::GetSystemInfoResponse> Workers::SystemInfo(const ws::GetSystemInfoRequest&) {
  ws::GetSystemInfoResponse response;
  response.set_server_version(core_.options.server_version);
  auto* capabilities = response.mutable_capabilities();
  capabilities->set_signal_and_query_header(true);
  capabilities->set_internal_error_differentiation(true);
  capabilities->set_activity_failure_include_heartbeat(true);
  capabilities->set_encoded_failure_attributes(true);
  capabilities->set_upsert_memo(true);
  capabilities->set_eager_workflow_start(true);
  capabilities->set_sdk_metadata(true);
  capabilities->set_count_group_by_execution_status(true);
  capabilities->set_nexus(true);
  capabilities->set_build_id_based_versioning(true);
  capabilities->set_server_scaled_deployments(true);
  capabilities->set_supports_schedules(true);
  return response;
}

StatusOr<ws::GetClusterInfoResponse> Workers::ClusterInfo(const ws::GetClusterInfoRequest&) {
  ws::GetClusterInfoResponse response;
  // Versions of SDKs that the real server names here.
  for (const std::string sdk : {"Nexus-go-sdk", "temporal-cli", "temporal-go", "temporal-java",
                                "temporal-php", "temporal-server", "temporal-typescript"}) {
    (*response.mutable_supported_clients())[sdk] = "<2.0.0";
  }
  (*response.mutable_supported_clients())["temporal-ui"] = "<3.0.0";
  response.set_server_version(core_.options.server_version);
  response.set_cluster_id(core_.cluster_id);
  response.mutable_version_info();
  response.set_cluster_name(core_.options.cluster_name);
  response.set_history_shard_count(1);
  response.set_persistence_store("squall");
  response.set_visibility_store("squall");
  response.set_failover_version_increment(10);
  response.set_initial_failover_version(1);
  return response;
}

StatusOr<ws::RecordWorkerHeartbeatResponse> Workers::Record(
    const ws::RecordWorkerHeartbeatRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  for (const auto& heartbeat : request.worker_heartbeat()) Store(*ns, heartbeat);
  return ws::RecordWorkerHeartbeatResponse();
}

void Workers::Store(Namespace& ns, const workerpb::WorkerHeartbeat& heartbeat) {
  if (heartbeat.status() == enums::WORKER_STATUS_SHUTDOWN) {
    ns.workers.erase(heartbeat.worker_instance_key());
    return;
  }
  auto& worker = ns.workers[heartbeat.worker_instance_key()];
  worker.heartbeat = heartbeat;
  worker.seen = core_.now.steady;
}

StatusOr<std::vector<const workerpb::WorkerHeartbeat*>> Workers::Find(Namespace& ns,
                                                                      const std::string& query,
                                                                      bool system) {
  const StatusOr<WorkerQuery> read = WorkerQuery::Parse(query);
  if (!read.ok() &&
      read.status().code() == StatusCode::kUnknown) {  // as the real frontend masks it
    return MakeStatus(StatusCode::kUnknown, "something went wrong, please retry ({})",
                      core_.rng.Uuid().substr(0, 8));
  }
  SQUALL_RETURN_IF_ERROR(read.status());
  const WorkerQuery& parsed = *read;
  std::erase_if(ns.workers, [&](const auto& entry) {
    return core_.now.steady - entry.second.seen > kWorkerMemory;
  });
  std::vector<const workerpb::WorkerHeartbeat*> found;
  for (const auto& [key, worker] : ns.workers) {
    if (!system && IsInternal(worker.heartbeat.task_queue())) continue;
    if (parsed.Matches(worker.heartbeat)) found.push_back(&worker.heartbeat);
  }
  return found;
}

StatusOr<ws::ListWorkersResponse> Workers::List(const ws::ListWorkersRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const auto found,
                          Find(*ns, request.query(), request.include_system_workers()));
  ws::ListWorkersResponse response;
  if (found.empty()) return response;
  // The real server's token is JSON: {"l":"<last key>"}.
  std::string after;
  if (!request.next_page_token().empty()) {
    const auto last = LastKey(request.next_page_token());
    if (!last) return InvalidArgument("invalid next_page_token");
    after = *last;
  }
  for (const workerpb::WorkerHeartbeat* worker : found) {
    if (!after.empty() && worker->worker_instance_key() <= after) continue;
    if (request.page_size() > 0 && response.workers_info_size() == request.page_size()) {
      response.set_next_page_token(fmt::format(
          "{{\"l\":\"{}\"}}", response.workers(response.workers_size() - 1).worker_instance_key()));
      break;
    }
    *response.add_workers_info()->mutable_worker_heartbeat() = *worker;
    auto* listed = response.add_workers();
    listed->set_worker_instance_key(worker->worker_instance_key());
    listed->set_worker_identity(worker->worker_identity());
    listed->set_task_queue(worker->task_queue());
    if (worker->has_deployment_version())
      *listed->mutable_deployment_version() = worker->deployment_version();
    listed->set_sdk_name(worker->sdk_name());
    listed->set_sdk_version(worker->sdk_version());
    listed->set_status(worker->status());
    if (worker->has_start_time()) *listed->mutable_start_time() = worker->start_time();
    listed->set_host_name(worker->host_info().host_name());
    listed->set_worker_grouping_key(worker->host_info().worker_grouping_key());
    listed->set_process_id(worker->host_info().process_id());
    *listed->mutable_plugins() = worker->plugins();
    *listed->mutable_drivers() = worker->drivers();
  }
  return response;
}

StatusOr<ws::CountWorkersResponse> Workers::Count(const ws::CountWorkersRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const auto found,
                          Find(*ns, request.query(), request.include_system_workers()));
  ws::CountWorkersResponse response;
  response.set_count(static_cast<std::int64_t>(found.size()));
  return response;
}

StatusOr<ws::DescribeWorkerResponse> Workers::Describe(const ws::DescribeWorkerRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(Find(*ns, "", true).status());  // forgets the dead
  const auto it = ns->workers.find(request.worker_instance_key());
  if (it == ns->workers.end())
    return NotFound("Worker " + request.worker_instance_key() + " not found");
  ws::DescribeWorkerResponse response;
  *response.mutable_worker_info()->mutable_worker_heartbeat() = it->second.heartbeat;
  return response;
}

StatusOr<ws::FetchWorkerConfigResponse> Workers::FetchConfig(const ws::FetchWorkerConfigRequest&) {
  return Status(StatusCode::kUnimplemented, "FetchWorkerConfig command is not enabled.");
}

StatusOr<ws::UpdateWorkerConfigResponse> Workers::UpdateConfig(
    const ws::UpdateWorkerConfigRequest& request) {
  if (!request.has_worker_config()) return InvalidArgument("WorkerConfig is not set");
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  return Status(StatusCode::kUnimplemented, "UpdateWorkerConfig command is not enabled.");
}

}  // namespace squall::fakes::engine
