// Deployment versions that take no new workflows: draining while open workflows are pinned to them,
// then drained. The real server looks every three minutes.

#include "fakes/engine/core.h"
#include "fakes/engine/deployments.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {

deploymentpb::VersionDrainageInfo Deployments::Drainage(enums::VersionDrainageStatus status,
                                                        WallTime now) {
  deploymentpb::VersionDrainageInfo info;
  info.set_status(status);
  *info.mutable_last_changed_time() = ToProto(now);
  *info.mutable_last_checked_time() = ToProto(now);
  return info;
}

void Deployments::StartDraining(Deployment& deployment, DeploymentVersion& version) {
  version.last_deactivation = core_.now.wall;
  version.drainage = Drainage(enums::VERSION_DRAINAGE_STATUS_DRAINING, core_.now.wall);
  ArmDrainage(version, deployment.ns_id);
}

void Deployments::ArmDrainage(DeploymentVersion& version, const std::string& ns_id) {
  core_.CancelTimer(version.drainage_timer);
  version.drainage_timer =
      core_.After(core_.options.version_drainage_interval,
                  [this, ns_id, which = version.version] { RefreshDrainage(ns_id, which); });
}

// Drained once no open workflow is pinned to it.
void Deployments::RefreshDrainage(const std::string& ns_id, const Version& which) {
  Deployment* deployment = Find(ns_id, which.deployment);
  if (deployment == nullptr) return;
  const auto it = deployment->versions.find(which.build);
  if (it == deployment->versions.end()) return;
  DeploymentVersion& version = it->second;
  version.drainage_timer = 0;
  if (!version.drainage || version.drainage->status() != enums::VERSION_DRAINAGE_STATUS_DRAINING) {
    return;
  }
  const auto ns = core_.namespaces.GetById(ns_id);
  const bool pinned = ns.ok() && core_.versioning.AnyPinned(**ns, which);
  *version.drainage->mutable_last_checked_time() = ToProto(core_.now.wall);
  if (pinned) return ArmDrainage(version, ns_id);
  version.drainage->set_status(enums::VERSION_DRAINAGE_STATUS_DRAINED);
  *version.drainage->mutable_last_changed_time() = ToProto(core_.now.wall);
  version.status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED;
}

void Deployments::Reactivate(const std::string& ns_id, const Version& which) {
  Deployment* deployment = Find(ns_id, which.deployment);
  if (deployment == nullptr) return;
  const auto it = deployment->versions.find(which.build);
  if (it == deployment->versions.end()) return;
  DeploymentVersion& version = it->second;
  if (version.status != enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED &&
      version.status != enums::WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE) {
    return;
  }
  version.status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING;
  version.drainage = Drainage(enums::VERSION_DRAINAGE_STATUS_DRAINING, core_.now.wall);
  ArmDrainage(version, ns_id);
}

}  // namespace squall::fakes::engine
