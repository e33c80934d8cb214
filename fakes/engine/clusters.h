#pragma once
// What concerns clusters, archives and workflow rules: of all that the dev server has next to
// nothing, and says so.

#include "base/util/status.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Core;

class Clusters {
 public:
  explicit Clusters(Core& core) : core_(core) {}

  StatusOr<op::ListClustersResponse> List(const op::ListClustersRequest& request);
  StatusOr<op::AddOrUpdateRemoteClusterResponse> AddOrUpdate(
      const op::AddOrUpdateRemoteClusterRequest& request);
  StatusOr<op::RemoveRemoteClusterResponse> Remove(const op::RemoveRemoteClusterRequest& request);

  StatusOr<ws::ListArchivedWorkflowExecutionsResponse> ListArchived(
      const ws::ListArchivedWorkflowExecutionsRequest& request);

  // Workflow rules are off by default (frontend.workflowRulesAPIsEnabled).
  StatusOr<ws::CreateWorkflowRuleResponse> CreateRule(const ws::CreateWorkflowRuleRequest& request);
  StatusOr<ws::DescribeWorkflowRuleResponse> DescribeRule(
      const ws::DescribeWorkflowRuleRequest& request);
  StatusOr<ws::DeleteWorkflowRuleResponse> DeleteRule(const ws::DeleteWorkflowRuleRequest& request);
  StatusOr<ws::ListWorkflowRulesResponse> ListRules(const ws::ListWorkflowRulesRequest& request);
  StatusOr<ws::TriggerWorkflowRuleResponse> TriggerRule(
      const ws::TriggerWorkflowRuleRequest& request);

 private:
  Status NoRules(const std::string& ns, std::string_view method) const;

  Core& core_;
};

}  // namespace squall::fakes::engine
