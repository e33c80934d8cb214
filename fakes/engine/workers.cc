#include "fakes/engine/workers.h"

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {

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
  // Not told because not there: schedules, build id versioning, server-scaled deployments.
  return response;
}

StatusOr<ws::GetClusterInfoResponse> Workers::ClusterInfo(const ws::GetClusterInfoRequest&) {
  ws::GetClusterInfoResponse response;
  // Versions of SDKs that the real server names here.
  auto& clients = *response.mutable_supported_clients();
  clients["temporal-cli"] = "<2.0.0";
  clients["temporal-go"] = "<2.0.0";
  clients["temporal-java"] = "<2.0.0";
  clients["temporal-php"] = "<2.0.0";
  clients["temporal-server"] = "<2.0.0";
  clients["temporal-typescript"] = "<2.0.0";
  clients["temporal-ui"] = "<3.0.0";
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

StatusOr<ws::ListWorkersResponse> Workers::List(const ws::ListWorkersRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (!request.query().empty()) {
    return InvalidArgument("invalid query: not understood by the fake server: queries on workers");
  }
  ws::ListWorkersResponse response;
  for (const auto& [key, heartbeat] : ns->workers)
    *response.add_workers_info()->mutable_worker_heartbeat() = heartbeat;
  return response;
}

StatusOr<ws::DescribeWorkerResponse> Workers::Describe(const ws::DescribeWorkerRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  const auto it = ns->workers.find(request.worker_instance_key());
  if (it == ns->workers.end())
    return NotFound("Worker " + request.worker_instance_key() + " not found");
  ws::DescribeWorkerResponse response;
  *response.mutable_worker_info()->mutable_worker_heartbeat() = it->second;
  return response;
}

}  // namespace squall::fakes::engine
