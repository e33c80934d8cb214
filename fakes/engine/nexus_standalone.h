#pragma once
// Nexus operations started by clients, outside workflows. The real server has them switched off
// (nexusoperation.enableStandalone) unless configured otherwise, and says so; this one too.

#include "base/util/status.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Core;

class NexusStandalone {
 public:
  explicit NexusStandalone(Core& core) : core_(core) {}

  StatusOr<ws::StartNexusOperationExecutionResponse> Start(
      const ws::StartNexusOperationExecutionRequest& request);
  StatusOr<ws::DescribeNexusOperationExecutionResponse> Describe(
      const ws::DescribeNexusOperationExecutionRequest& request);
  StatusOr<ws::PollNexusOperationExecutionResponse> Poll(
      const ws::PollNexusOperationExecutionRequest& request);
  StatusOr<ws::ListNexusOperationExecutionsResponse> List(
      const ws::ListNexusOperationExecutionsRequest& request);
  StatusOr<ws::CountNexusOperationExecutionsResponse> Count(
      const ws::CountNexusOperationExecutionsRequest& request);
  StatusOr<ws::RequestCancelNexusOperationExecutionResponse> RequestCancel(
      const ws::RequestCancelNexusOperationExecutionRequest& request);
  StatusOr<ws::TerminateNexusOperationExecutionResponse> Terminate(
      const ws::TerminateNexusOperationExecutionRequest& request);
  StatusOr<ws::DeleteNexusOperationExecutionResponse> Delete(
      const ws::DeleteNexusOperationExecutionRequest& request);

 private:
  // Namespace errors come first.
  Status Disabled(const std::string& ns) const;

  Core& core_;
};

}  // namespace squall::fakes::engine
