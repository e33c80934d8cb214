// Worker deployments: what operators change. After workflow.go and version_workflow.go of
// service/worker/workerdeployment in the real server.

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/deployments.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

Status NoDeployment(const std::string& name) {
  return NotFound(fmt::format(
      "no Worker Deployment found with name '{}'; does your Worker Deployment have pollers?",
      name));
}

// The real server keeps deployments in workflows, and says so.
Status NoWorkflow(const std::string& name) {
  return NotFound("workflow not found for ID: temporal-sys-worker-deployment:" + name);
}

Status NotSupported() {
  return Status(
      StatusCode::kUnimplemented,
      "Deployments are deprecated and no longer supported, use Worker Deployments instead");
}

// An answer's version fields: unversioned is a name of its own in the old one, nothing in the new.
template <typename Response>
void FillPrevious(Response* response, const std::string& previous) {
  response->set_previous_version(previous);
  const auto version = ParseVersion(previous);
  if (version.ok() && *version)
    *response->mutable_previous_deployment_version() = ToProto(**version);
}

// The version that `text` names, which has to be one of `deployment`; nullopt for none of them.
StatusOr<MaybeVersion> VersionOf(const std::string& deployment, const std::string& text) {
  const auto parsed = ParseVersion(text);
  if (!parsed.ok())
    return InvalidArgument("invalid version string: " + std::string(Message(parsed.status())));
  if (*parsed && (*parsed)->deployment != deployment) {
    return InvalidArgument(fmt::format(
        "invalid version string '{}' does not match deployment name '{}'", text, deployment));
  }
  return *parsed;
}

}  // namespace

Status Deployments::CheckManager(const Deployment& deployment, const std::string& identity) const {
  if (deployment.manager.empty() || deployment.manager == identity) return absl::OkStatus();
  return FailedPrecondition(fmt::format(
      "ManagerIdentity '{}' is set and does not match user identity '{}'; to proceed, set your own "
      "identity as the ManagerIdentity, remove the ManagerIdentity, or wait for the other client "
      "to "
      "do so",
      deployment.manager, identity));
}

// Queues with work that the current version serves and the new one would not.
Status Deployments::CheckQueues(Deployment& deployment, const std::string& current,
                                const MaybeVersion& version, const char* what) {
  const DeploymentVersion* before = VersionIn(deployment, current);
  if (before == nullptr || !version) return absl::OkStatus();
  const DeploymentVersion& after = deployment.versions.at(version->build);
  for (const auto& [queue, kind] : before->queues) {
    if (after.queues.contains({queue, kind})) continue;
    const QueueKey key{deployment.ns_id, queue, kind};
    if (Route(key).current != MaybeVersion(before->version)) continue;  // it moved elsewhere
    const auto stats = core_.matching.VersionStats(key, before->version);
    if (stats.total.tasks_add_rate() == 0 && stats.total.approximate_backlog_count() == 0) continue;
    return FailedPrecondition(fmt::format(
        "proposed {} version '{}' is missing active task queues from the current version; these "
        "would become unversioned if it is set as the {} version",
        what, ColonName(version), what));
  }
  return absl::OkStatus();
}

StatusOr<Deployment*> Deployments::Prepare(const Namespace& ns, const Change& change,
                                           const MaybeVersion& version) {
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", change.deployment));
  Deployment* deployment = Find(ns.id, change.deployment);
  if (change.allow_no_pollers) {
    if (version) SQUALL_RETURN_IF_ERROR(CheckVersionField("BuildID", version->build));
    if (deployment == nullptr) deployment = &Make(ns.id, change.deployment, core_.rng.Uuid());
  }
  if (deployment == nullptr) return NoDeployment(change.deployment);
  return deployment;
}

Status Deployments::Admit(Deployment& deployment, const Change& change,
                          const MaybeVersion& version) {
  if (version && !deployment.versions.contains(version->build) && !change.allow_no_pollers) {
    return NotFound(fmt::format("build ID '{}' not found in Worker Deployment '{}'", version->build,
                                deployment.name));
  }
  SQUALL_RETURN_IF_ERROR(CheckManager(deployment, change.identity));
  return version ? MakeVersion(deployment, version->build).status() : absl::OkStatus();
}

void Deployments::Rerouted(Deployment& deployment, const std::string& identity) {
  Touch(deployment);
  deployment.last_modifier = identity;
  Routed(deployment);
}

void Deployments::Sync(Deployment& deployment, DeploymentVersion& version) {
  const auto& routing = deployment.routing;
  const MaybeVersion self(version.version);
  const bool current = FromProto(routing.current_deployment_version()) == self;
  const bool ramping = FromProto(routing.ramping_deployment_version()) == self;
  const bool was_active = version.current_since || version.ramping_since;
  if (!current && !ramping && !was_active) return;
  version.current_since.reset();
  version.ramping_since.reset();
  version.ramp = 0;
  version.routing_update = core_.now.wall;
  if (!current && !ramping) {
    version.status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING;
    return StartDraining(deployment, version);
  }
  if (current) {
    version.status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT;
    version.current_since = version.last_current = version.routing_update =
        FromProto(routing.current_version_changed_time());
  } else {
    version.status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING;
    version.ramping_since = FromProto(routing.ramping_version_changed_time());
    version.ramp = routing.ramping_version_percentage();
    version.routing_update = FromProto(routing.ramping_version_percentage_changed_time());
  }
  if (!version.first_activation) version.first_activation = core_.now.wall;
  version.drainage.reset();
  version.last_deactivation.reset();
  core_.CancelTimer(version.drainage_timer);
}

StatusOr<ws::SetWorkerDeploymentCurrentVersionResponse> Deployments::SetCurrent(
    const ws::SetWorkerDeploymentCurrentVersionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (request.deployment_name().empty()) return InvalidArgument("deployment name cannot be empty");
  Change change{.deployment = request.deployment_name(),
                .version = request.version(),
                .identity = request.identity(),
                .conflict_token = request.conflict_token(),
                .ignore_missing = request.ignore_missing_task_queues(),
                .allow_no_pollers = request.allow_no_pollers(),
                .has_token = !request.conflict_token().empty()};
  if (change.version.empty()) {
    change.version = request.build_id().empty()
                         ? std::string(kUnversionedName)
                         : request.deployment_name() + "." + request.build_id();
  }
  SQUALL_ASSIGN_OR_RETURN(const MaybeVersion version, VersionOf(change.deployment, change.version));
  if (version) change.version = DottedName(version);
  SQUALL_ASSIGN_OR_RETURN(Deployment * found, Prepare(*ns, change, version));
  Deployment& deployment = *found;
  auto& routing = deployment.routing;
  const std::string previous = routing.current_version();
  ws::SetWorkerDeploymentCurrentVersionResponse response;
  FillPrevious(&response, previous);
  if (previous == change.version && deployment.last_modifier == change.identity) {
    response.set_conflict_token(deployment.conflict_token);
    return response;
  }
  if (change.has_token && change.conflict_token != deployment.conflict_token)
    return FailedPrecondition("conflict token mismatch");
  SQUALL_RETURN_IF_ERROR(Admit(deployment, change, version));
  if (!change.ignore_missing)
    SQUALL_RETURN_IF_ERROR(CheckQueues(deployment, previous, version, "current"));
  if (previous != change.version) {
    routing.set_revision_number(routing.revision_number() + 1);
    routing.set_current_version(change.version);
    routing.clear_current_deployment_version();
    if (version) *routing.mutable_current_deployment_version() = ToProto(*version);
    *routing.mutable_current_version_changed_time() = ToProto(core_.now.wall);
    if (change.version == routing.ramping_version()) {  // promoted
      routing.clear_ramping_version();
      routing.clear_ramping_deployment_version();
      routing.clear_ramping_version_percentage();
      *routing.mutable_ramping_version_changed_time() = ToProto(core_.now.wall);
      *routing.mutable_ramping_version_percentage_changed_time() = ToProto(core_.now.wall);
    }
    if (version) {
      DeploymentVersion& now = deployment.versions.at(version->build);
      Sync(deployment, now);
      now.drainage = Drainage(enums::VERSION_DRAINAGE_STATUS_UNSPECIFIED, core_.now.wall);
    }
    if (DeploymentVersion* before = VersionIn(deployment, previous)) Sync(deployment, *before);
  }
  Rerouted(deployment, change.identity);
  response.set_conflict_token(deployment.conflict_token);
  return response;
}

StatusOr<ws::SetWorkerDeploymentRampingVersionResponse> Deployments::SetRamping(
    const ws::SetWorkerDeploymentRampingVersionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  Change change{.deployment = request.deployment_name(),
                .version = request.version(),
                .identity = request.identity(),
                .conflict_token = request.conflict_token(),
                .ignore_missing = request.ignore_missing_task_queues(),
                .allow_no_pollers = request.allow_no_pollers(),
                .has_token = !request.conflict_token().empty()};
  const float percentage = request.percentage();
  if (change.version.empty()) {
    if (!request.build_id().empty()) {
      change.version = request.deployment_name() + "." + request.build_id();
    } else if (percentage > 0) {
      change.version = kUnversionedName;
    }
  }
  if (change.version == kUnversionedName && percentage == 0 && request.build_id().empty())
    change.version.clear();
  if (percentage < 0 || percentage > 100)
    return InvalidArgument("Percentage must be between 0 and 100 (inclusive)");
  MaybeVersion version;
  if (!change.version.empty()) {
    SQUALL_ASSIGN_OR_RETURN(version, VersionOf(change.deployment, change.version));
    if (version) change.version = DottedName(version);
  }
  SQUALL_ASSIGN_OR_RETURN(Deployment * found, Prepare(*ns, change, version));
  Deployment& deployment = *found;
  auto& routing = deployment.routing;
  const std::string previous = routing.ramping_version();
  ws::SetWorkerDeploymentRampingVersionResponse response;
  if (!previous.empty()) FillPrevious(&response, previous);
  response.set_previous_percentage(routing.ramping_version_percentage());
  const bool same =
      previous == change.version && percentage == routing.ramping_version_percentage();
  if (same && deployment.last_modifier == change.identity) {
    response.set_conflict_token(deployment.conflict_token);
    return response;
  }
  if (change.has_token && change.conflict_token != deployment.conflict_token)
    return FailedPrecondition("conflict token mismatch");
  if (change.version == routing.current_version() &&
      !(change.version == kUnversionedName && percentage == 0)) {
    return FailedPrecondition(
        fmt::format("requested ramping version {} is already current", change.version));
  }
  SQUALL_RETURN_IF_ERROR(Admit(deployment, change, version));
  if (!same) {
    if (!change.version.empty() && previous != change.version && !change.ignore_missing)
      SQUALL_RETURN_IF_ERROR(
          CheckQueues(deployment, routing.current_version(), version, "ramping"));
    routing.set_revision_number(routing.revision_number() + 1);
    routing.set_ramping_version(change.version);
    routing.clear_ramping_deployment_version();
    if (version) *routing.mutable_ramping_deployment_version() = ToProto(*version);
    routing.set_ramping_version_percentage(percentage);
    if (change.version.empty() || previous != change.version)
      *routing.mutable_ramping_version_changed_time() = ToProto(core_.now.wall);
    *routing.mutable_ramping_version_percentage_changed_time() = ToProto(core_.now.wall);
    if (version) Sync(deployment, deployment.versions.at(version->build));
    if (previous != change.version) {
      if (DeploymentVersion* before = VersionIn(deployment, previous)) Sync(deployment, *before);
    }
  }
  Rerouted(deployment, change.identity);
  response.set_conflict_token(deployment.conflict_token);
  return response;
}

StatusOr<ws::SetWorkerDeploymentManagerResponse> Deployments::SetManager(
    const ws::SetWorkerDeploymentManagerRequest& request) {
  if (request.identity().empty()) return InvalidArgument("Identity is required");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", request.deployment_name()));
  Deployment* deployment = Find(ns->id, request.deployment_name());
  if (deployment == nullptr) return NoWorkflow(request.deployment_name());
  const std::string manager = request.self() ? request.identity() : request.manager_identity();
  ws::SetWorkerDeploymentManagerResponse response;
  response.set_previous_manager_identity(deployment->manager);
  if (deployment->manager == manager && deployment->last_modifier == request.identity()) {
    response.set_conflict_token(deployment->conflict_token);
    return response;
  }
  if (!request.conflict_token().empty() && request.conflict_token() != deployment->conflict_token)
    return FailedPrecondition("conflict token mismatch");
  deployment->manager = manager;
  deployment->last_modifier = request.identity();
  Touch(*deployment);
  response.set_conflict_token(deployment->conflict_token);
  return response;
}

StatusOr<ws::DeleteWorkerDeploymentResponse> Deployments::Delete(
    const ws::DeleteWorkerDeploymentRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", request.deployment_name()));
  const auto it = deployments_.find({ns->id, request.deployment_name()});
  if (it == deployments_.end()) return ws::DeleteWorkerDeploymentResponse();
  if (!it->second.versions.empty())
    return FailedPrecondition("deployment has versions, can't be deleted");
  deployments_.erase(it);
  return ws::DeleteWorkerDeploymentResponse();
}

StatusOr<ws::DeleteWorkerDeploymentVersionResponse> Deployments::DeleteVersion(
    const ws::DeleteWorkerDeploymentVersionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  std::string text = request.version();
  if (request.has_deployment_version()) {
    text = request.deployment_version().deployment_name() + "." +
           request.deployment_version().build_id();
  }
  const auto parsed = ParseVersion(text);
  if (!parsed.ok()) {
    return InvalidArgument(fmt::format(
        "invalid version string \"{}\", expected format is \"<deployment_name>.<build_id>\"",
        text));
  }
  const Version which = parsed->value_or(Version{});
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", which.deployment));
  Deployment* deployment = Find(ns->id, which.deployment);
  if (deployment == nullptr) return NoWorkflow(which.deployment);
  const auto it = deployment->versions.find(which.build);
  if (it == deployment->versions.end()) return ws::DeleteWorkerDeploymentVersionResponse();
  const auto& routing = deployment->routing;
  const auto refuse = [&](const char* why) {
    return FailedPrecondition(
        fmt::format("version '{}' cannot be deleted since it {}", ColonName(which), why));
  };
  if (routing.current_version() == DottedName(which) ||
      routing.ramping_version() == DottedName(which)) {
    return refuse("is current or ramping");
  }
  SQUALL_RETURN_IF_ERROR(CheckManager(*deployment, request.identity()));
  const DeploymentVersion& version = it->second;
  if (!request.skip_drainage() && version.drainage &&
      version.drainage->status() == enums::VERSION_DRAINAGE_STATUS_DRAINING) {
    return refuse("is draining");
  }
  if (HasPollers(*deployment, version)) return refuse("has active pollers");
  Erase(*deployment, which.build);
  deployment->last_modifier = request.identity().empty() ? core_.rng.Uuid() : request.identity();
  return ws::DeleteWorkerDeploymentVersionResponse();
}

StatusOr<ws::UpdateWorkerDeploymentVersionMetadataResponse> Deployments::UpdateMetadata(
    const ws::UpdateWorkerDeploymentVersionMetadataRequest& request) {
  if (request.remove_entries().empty() && request.upsert_entries().empty()) {
    return InvalidArgument("At least one of remove_entries or upsert_entries must be provided");
  }
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  Version which{request.deployment_version().deployment_name(),
                request.deployment_version().build_id()};
  if (!request.has_deployment_version()) {
    const auto parsed = ParseVersion(request.version());
    if (parsed.ok()) which = parsed->value_or(Version{});
  }
  Deployment* deployment = Find(ns->id, which.deployment);
  if (deployment == nullptr || !deployment->versions.contains(which.build)) {
    return NotFound(fmt::format(
        "workflow not found for ID: temporal-sys-worker-deployment-version:{}", ColonName(which)));
  }
  DeploymentVersion& version = deployment->versions.at(which.build);
  if (!request.upsert_entries().empty() && !version.metadata) version.metadata.emplace();
  for (const auto& [key, value] : request.upsert_entries())
    (*version.metadata->mutable_entries())[key] = value;
  for (const auto& key : request.remove_entries()) {
    if (version.metadata) version.metadata->mutable_entries()->erase(key);
  }
  version.last_modifier = request.identity();
  ws::UpdateWorkerDeploymentVersionMetadataResponse response;
  if (version.metadata) *response.mutable_metadata() = *version.metadata;
  return response;
}

StatusOr<ws::CreateWorkerDeploymentResponse> Deployments::Create(
    const ws::CreateWorkerDeploymentRequest& request) {
  if (request.namespace_().empty()) return InvalidArgument("Namespace not set on request.");
  if (request.deployment_name().empty()) return InvalidArgument("deployment name cannot be empty");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", request.deployment_name()));
  ws::CreateWorkerDeploymentResponse response;
  Deployment* deployment = Find(ns->id, request.deployment_name());
  if (deployment == nullptr) {
    deployment = &Make(ns->id, request.deployment_name(),
                       request.request_id().empty() ? core_.rng.Uuid() : request.request_id());
    deployment->last_modifier = request.identity();
  } else if (request.request_id().empty() ||
             deployment->create_request_id != request.request_id()) {
    std::string text =
        fmt::format("Worker Deployment with name \"{}\" already exists", deployment->name);
    if (deployment->create_request_id.starts_with("_auto_create_"))
      text += " (auto-created from worker polls)";
    return Status(StatusCode::kAlreadyExists, text);
  }
  response.set_conflict_token(deployment->conflict_token);
  return response;
}

StatusOr<ws::CreateWorkerDeploymentVersionResponse> Deployments::CreateVersion(
    const ws::CreateWorkerDeploymentVersionRequest& request) {
  const auto& which = request.deployment_version();
  if (which.deployment_name().empty()) return InvalidArgument("deployment name cannot be empty");
  if (which.build_id().empty()) return InvalidArgument("build ID cannot be empty");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", which.deployment_name()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("BuildID", which.build_id()));
  Deployment* deployment = Find(ns->id, which.deployment_name());
  if (deployment == nullptr) return NoDeployment(which.deployment_name());
  if (const auto it = deployment->versions.find(which.build_id());
      it != deployment->versions.end()) {
    if (!request.request_id().empty() && it->second.create_request_id == request.request_id())
      return ws::CreateWorkerDeploymentVersionResponse();
    return Status(StatusCode::kAlreadyExists,
                  fmt::format("Worker Deployment Version \"{}\" already exists",
                              DottedName(FromProto(which))));
  }
  if (request.has_compute_config())
    SQUALL_RETURN_IF_ERROR(CheckComputeConfig(request.compute_config()));
  SQUALL_ASSIGN_OR_RETURN(DeploymentVersion * version, MakeVersion(*deployment, which.build_id()));
  version->status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_CREATED;
  version->create_request_id = request.request_id();
  Touch(*deployment);
  return ws::CreateWorkerDeploymentVersionResponse();
}

StatusOr<ws::DescribeDeploymentResponse> Deployments::OldDescribe(
    const ws::DescribeDeploymentRequest&) {
  return NotSupported();
}
StatusOr<ws::ListDeploymentsResponse> Deployments::OldList(const ws::ListDeploymentsRequest&) {
  return NotSupported();
}
StatusOr<ws::GetDeploymentReachabilityResponse> Deployments::OldReachability(
    const ws::GetDeploymentReachabilityRequest&) {
  return NotSupported();
}
StatusOr<ws::GetCurrentDeploymentResponse> Deployments::OldCurrent(
    const ws::GetCurrentDeploymentRequest&) {
  return NotSupported();
}
StatusOr<ws::SetCurrentDeploymentResponse> Deployments::OldSetCurrent(
    const ws::SetCurrentDeploymentRequest&) {
  return NotSupported();
}

}  // namespace squall::fakes::engine
