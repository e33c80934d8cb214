#include "fakes/engine/nexus_standalone.h"

#include "fakes/engine/core.h"

namespace squall::fakes::engine {

Status NexusStandalone::Disabled(const std::string& ns) const {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(ns).status());
  return {StatusCode::kUnimplemented, "Standalone Nexus operation is disabled"};
}

StatusOr<ws::StartNexusOperationExecutionResponse> NexusStandalone::Start(
    const ws::StartNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::DescribeNexusOperationExecutionResponse> NexusStandalone::Describe(
    const ws::DescribeNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::PollNexusOperationExecutionResponse> NexusStandalone::Poll(
    const ws::PollNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::ListNexusOperationExecutionsResponse> NexusStandalone::List(
    const ws::ListNexusOperationExecutionsRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::CountNexusOperationExecutionsResponse> NexusStandalone::Count(
    const ws::CountNexusOperationExecutionsRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::RequestCancelNexusOperationExecutionResponse> NexusStandalone::RequestCancel(
    const ws::RequestCancelNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::TerminateNexusOperationExecutionResponse> NexusStandalone::Terminate(
    const ws::TerminateNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

StatusOr<ws::DeleteNexusOperationExecutionResponse> NexusStandalone::Delete(
    const ws::DeleteNexusOperationExecutionRequest& request) {
  return Disabled(request.namespace_());
}

}  // namespace squall::fakes::engine
