// Compute configurations of deployment versions: workers that the server starts by itself. The dev
// server knows the API and has no provider to start anything with, so it accepts none; the same
// here, with its texts.

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/deployments.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

// What the API knows and the dev server cannot instantiate.
constexpr std::string_view kLambda = "aws-lambda";

Status CheckProvider(const std::string& group, const std::string& type) {
  if (type == kLambda) {
    return InvalidArgument(
        fmt::format("{}: Could not instantiate compute provider with type '{}'", group, type));
  }
  return InvalidArgument(fmt::format("entry {}: invalid compute provider type '{}'", group, type));
}

// The first group by name: the real server looks at them in no order.
template <typename Groups>
Status CheckFirst(const Groups& groups) {
  std::map<std::string, std::string> types;
  for (const auto& entry : groups) {
    const auto& group = entry.second;
    std::string& type = types[entry.first];
    if constexpr (requires { group.scaling_group(); }) {
      type = group.scaling_group().provider().type();
    } else {
      type = group.provider().type();
    }
  }
  if (types.empty()) return absl::OkStatus();
  return CheckProvider(types.begin()->first, types.begin()->second);
}

// The dev server's answer to an empty configuration.
Status WentWrong(Core& core) {
  return Status(StatusCode::kInternal, fmt::format("something went wrong, please retry ({})",
                                                   core.rng.Uuid().substr(0, 8)));
}

Status CheckTarget(const deploymentpb::WorkerDeploymentVersion& version) {
  if (version.deployment_name().empty()) return InvalidArgument("deployment name cannot be empty");
  if (version.build_id().empty()) return InvalidArgument("build ID cannot be empty");
  return absl::OkStatus();
}

}  // namespace

Status Deployments::CheckComputeConfig(const ::temporal::api::compute::v1::ComputeConfig& config) {
  if (config.scaling_groups().empty()) return WentWrong(core_);
  return CheckFirst(config.scaling_groups());
}

StatusOr<ws::UpdateWorkerDeploymentVersionComputeConfigResponse> Deployments::UpdateComputeConfig(
    const ws::UpdateWorkerDeploymentVersionComputeConfigRequest& request) {
  if (request.namespace_().empty()) return InvalidArgument("Namespace not set on request.");
  const auto& which = request.deployment_version();
  SQUALL_RETURN_IF_ERROR(CheckTarget(which));
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (Find(ns->id, Version{which.deployment_name(), which.build_id()}) == nullptr) {
    return NotFound(fmt::format("build ID '{}' not found in Worker Deployment '{}'",
                                which.build_id(), which.deployment_name()));
  }
  SQUALL_RETURN_IF_ERROR(CheckFirst(request.compute_config_scaling_groups()));
  return WentWrong(core_);
}

StatusOr<ws::ValidateWorkerDeploymentVersionComputeConfigResponse>
Deployments::ValidateComputeConfig(
    const ws::ValidateWorkerDeploymentVersionComputeConfigRequest& request) {
  if (request.namespace_().empty()) return InvalidArgument("Namespace not set on request.");
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (!request.compute_config_scaling_groups().empty())
    return CheckFirst(request.compute_config_scaling_groups());
  if (request.has_deployment_version()) return InvalidArgument("spec must have at least one entry");
  return InvalidArgument(
      "No prior compute config found, which means nothing can be removed and something needs to be "
      "added to be valid");
}

}  // namespace squall::fakes::engine
