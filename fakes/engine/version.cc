#include "fakes/engine/version.h"

#include "fakes/engine/errors.h"
#include "fakes/engine/farm_hash.h"
#include "fakes/engine/limits.h"

namespace squall::fakes::engine {
namespace {

constexpr std::size_t kBuildIdLimit = 255;     // limit.workerBuildIdSize
constexpr std::size_t kWorkflowIdPrefix = 39;  // "temporal-sys-worker-deployment-version:"

}  // namespace

double RampThreshold(std::string_view workflow_id) {
  // The real server draws it within [0, 1) then.
  if (workflow_id.empty()) return 0.5;
  return 100.0 * (static_cast<double>(Fingerprint32(workflow_id)) / 4294967296.0);
}

deploymentpb::WorkerDeploymentVersion ToProto(const Version& version) {
  deploymentpb::WorkerDeploymentVersion out;
  out.set_deployment_name(version.deployment);
  out.set_build_id(version.build);
  return out;
}

MaybeVersion FromProto(const deploymentpb::WorkerDeploymentVersion& version) {
  if (version.deployment_name().empty() && version.build_id().empty()) return {};
  return Version{version.deployment_name(), version.build_id()};
}

std::string DottedName(const MaybeVersion& version) {
  return version ? version->deployment + "." + version->build : std::string(kUnversionedName);
}

std::string ColonName(const MaybeVersion& version) {
  return version ? version->deployment + ":" + version->build : "";
}

StatusOr<MaybeVersion> ParseVersion(std::string_view text) {
  if (text == kUnversionedName) return MaybeVersion();
  const std::size_t at = text.find_first_of(".:");
  if (at == std::string_view::npos) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "expected delimiter ':' or '.' not found in version string {}", text);
  }
  if (at == 0) {
    return MakeStatus(StatusCode::kInvalidArgument, "deployment name is empty in version string {}",
                      text);
  }
  if (at + 1 == text.size()) {
    return MakeStatus(StatusCode::kInvalidArgument, "build id is empty in version string {}", text);
  }
  return MaybeVersion(Version{std::string(text.substr(0, at)), std::string(text.substr(at + 1))});
}

MaybeVersion VersionOf(const deploymentpb::WorkerDeploymentOptions& options,
                       const common::WorkerVersionCapabilities& capabilities) {
  if (options.worker_versioning_mode() == enums::WORKER_VERSIONING_MODE_VERSIONED)
    return Version{options.deployment_name(), options.build_id()};
  if (capabilities.use_versioning() && !capabilities.deployment_series_name().empty() &&
      !capabilities.build_id().empty()) {
    return Version{capabilities.deployment_series_name(), capabilities.build_id()};
  }
  return {};
}

Status CheckVersionField(std::string_view field, const std::string& value) {
  if (value.empty()) return MakeStatus(StatusCode::kInvalidArgument, "{} cannot be empty", field);
  if (value.size() > (kMaxIdLength - kWorkflowIdPrefix) / 2) {
    return MakeStatus(StatusCode::kInvalidArgument, "size of {} larger than the maximum allowed",
                      field);
  }
  if (field == "WorkerDeploymentName") {
    for (const char banned : {'.', ':'}) {
      if (value.find(banned) != std::string::npos) {
        return MakeStatus(StatusCode::kInvalidArgument,
                          "worker deployment name cannot contain '{}'", banned);
      }
    }
  }
  if (value.starts_with("__"))
    return MakeStatus(StatusCode::kInvalidArgument, "{} cannot start with '__'", field);
  return absl::OkStatus();
}

Status CheckVersioning(const deploymentpb::WorkerDeploymentOptions* options, bool use_versioning,
                       const std::string& build_id, const taskqueue::TaskQueue& queue) {
  if (queue.kind() == enums::TASK_QUEUE_KIND_STICKY && queue.normal_name().empty() &&
      (use_versioning || options != nullptr)) {
    return InvalidArgument(
        "NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions "
        "are set.");
  }
  if (use_versioning && build_id.empty())
    return InvalidArgument("WorkerVersionStamp must be present if UseVersioning is true.");
  if (build_id.size() > kBuildIdLimit)
    return InvalidArgument(
        "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.");
  if (options == nullptr ||
      options->worker_versioning_mode() != enums::WORKER_VERSIONING_MODE_VERSIONED) {
    return absl::OkStatus();
  }
  if (options->deployment_name().empty() || options->build_id().empty()) {
    return InvalidArgument("Deployment name and build id must be set together.");
  }
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", options->deployment_name()));
  return CheckVersionField("BuildID", options->build_id());
}

}  // namespace squall::fakes::engine
