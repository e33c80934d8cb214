#include "fakes/engine/clusters.h"

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {

StatusOr<op::ListClustersResponse> Clusters::List(const op::ListClustersRequest& request) {
  if (!request.next_page_token().empty()) {
    return Status(StatusCode::kInternal,
                  "error deserializing page token: Error in deserialization: unexpected EOF");
  }
  op::ListClustersResponse response;
  op::ClusterMetadata* cluster = response.add_clusters();
  cluster->set_cluster_name(core_.options.cluster_name);
  cluster->set_cluster_id(core_.cluster_id);
  cluster->set_initial_failover_version(1);
  cluster->set_history_shard_count(1);
  cluster->set_is_connection_enabled(true);
  return response;
}

StatusOr<op::AddOrUpdateRemoteClusterResponse> Clusters::AddOrUpdate(
    const op::AddOrUpdateRemoteClusterRequest& request) {
  const std::string& address = request.frontend_address();
  if (address.empty()) {
    return Status(StatusCode::kUnavailable,
                  "Unable connect to remote cluster  with error: dns resolver: missing address.");
  }
  // The engine has no network: every remote cluster is out of reach.
  return MakeStatus(StatusCode::kUnavailable,
                    "Unable connect to remote cluster {} with error: connection error: desc = "
                    "\"transport: Error while dialing: dial tcp {}: connect: connection refused\".",
                    address, address);
}

StatusOr<op::RemoveRemoteClusterResponse> Clusters::Remove(
    const op::RemoveRemoteClusterRequest& request) {
  if (request.cluster_name() == core_.options.cluster_name) {
    return Status(
        StatusCode::kInternal,
        "Unable to delete cluster info with error: Cannot delete current cluster metadata.");
  }
  return NotFound("The cluster to be deleted cannot be found in clusters cache.");
}

StatusOr<ws::ListArchivedWorkflowExecutionsResponse> Clusters::ListArchived(
    const ws::ListArchivedWorkflowExecutionsRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  return InvalidArgument("Cluster is not configured for visibility archival.");
}

Status Clusters::NoRules(const std::string& ns, std::string_view method) const {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(ns).status());
  return MakeStatus(StatusCode::kUnimplemented, "method {} not supported", method);
}

StatusOr<ws::CreateWorkflowRuleResponse> Clusters::CreateRule(
    const ws::CreateWorkflowRuleRequest& request) {
  return NoRules(request.namespace_(), "CreateWorkflowRule");
}
StatusOr<ws::DescribeWorkflowRuleResponse> Clusters::DescribeRule(
    const ws::DescribeWorkflowRuleRequest& request) {
  return NoRules(request.namespace_(), "DescribeWorkflowRule");
}
StatusOr<ws::DeleteWorkflowRuleResponse> Clusters::DeleteRule(
    const ws::DeleteWorkflowRuleRequest& request) {
  return NoRules(request.namespace_(), "DeleteWorkflowRule");
}
StatusOr<ws::ListWorkflowRulesResponse> Clusters::ListRules(
    const ws::ListWorkflowRulesRequest& request) {
  return NoRules(request.namespace_(), "ListWorkflowRules");
}
StatusOr<ws::TriggerWorkflowRuleResponse> Clusters::TriggerRule(
    const ws::TriggerWorkflowRuleRequest& request) {
  return NoRules(request.namespace_(), "TriggerWorkflowRule");
}

}  // namespace squall::fakes::engine
