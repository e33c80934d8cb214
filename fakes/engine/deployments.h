#pragma once
// Worker deployments: their versions, which task queues belong to a version, and the routing that
// sends workflows to current, ramping or pinned versions. After service/worker/workerdeployment of
// the real server, which keeps them in workflows of its own and lets a change reach the task queues
// a moment later; here it does at once.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/version.h"

namespace squall::fakes::engine {

struct Core;
struct Namespace;

struct DeploymentVersion {
  using Time = std::optional<WallTime>;
  Version version;
  enums::WorkerDeploymentVersionStatus status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE;
  WallTime created{};
  std::uint64_t order = 0;  // of creation
  std::string create_request_id, last_modifier;
  Time routing_update, current_since, ramping_since, first_activation, last_current,
      last_deactivation;
  float ramp = 0;
  std::optional<deploymentpb::VersionDrainageInfo> drainage;
  std::optional<deploymentpb::VersionMetadata> metadata;
  std::set<std::pair<std::string, int>> queues;  // name and kind
  TimerId drainage_timer = 0;
};

struct Deployment {
  std::string ns_id, name;
  WallTime created{};
  std::uint64_t changed = 0;  // order of the last change: lists show the latest first
  deploymentpb::RoutingConfig routing;
  std::string last_modifier, manager, create_request_id, conflict_token;
  std::map<std::string, DeploymentVersion> versions;  // by build id
};

// Where a task queue sends what is not pinned.
struct QueueRouting {
  MaybeVersion current, ramping;
  std::int64_t current_revision = 0, ramping_revision = 0;
  WallTime current_changed{}, ramping_changed{};
  bool is_ramping = false;
  float percentage = 0;

  // Every workflow goes to the same version.
  bool uniform() const { return !is_ramping; }
  std::pair<MaybeVersion, std::int64_t> Target(const std::string& workflow_id,
                                               bool use_ramping) const;
};

class Deployments {
 public:
  explicit Deployments(Core& core) : core_(core) {}

  // A versioned worker polls: its version, and the deployment, exist from now on and have this
  // queue. RESOURCE_EXHAUSTED when there are too many.
  Status Register(const Namespace& ns, const Version& version, const std::string& queue, int kind);

  // Whether any version has this queue: without one there is nothing to route.
  bool Knows(const QueueKey& key) const { return members_.contains(key); }
  bool Has(const QueueKey& key, const Version& version) const;
  QueueRouting Route(const QueueKey& key) const;
  // Of this queue, as deployment and build id.
  std::set<Version> VersionsOf(const QueueKey& key) const;
  const DeploymentVersion* Find(const std::string& ns_id, const Version& version) const;
  // Something was pinned to this version: a drained one has work again.
  void Reactivate(const std::string& ns_id, const Version& version);
  void Clear();

  StatusOr<ws::DescribeWorkerDeploymentResponse> Describe(
      const ws::DescribeWorkerDeploymentRequest& request);
  StatusOr<ws::DescribeWorkerDeploymentVersionResponse> DescribeVersion(
      const ws::DescribeWorkerDeploymentVersionRequest& request);
  StatusOr<ws::ListWorkerDeploymentsResponse> List(const ws::ListWorkerDeploymentsRequest& request);
  StatusOr<ws::SetWorkerDeploymentCurrentVersionResponse> SetCurrent(
      const ws::SetWorkerDeploymentCurrentVersionRequest& request);
  StatusOr<ws::SetWorkerDeploymentRampingVersionResponse> SetRamping(
      const ws::SetWorkerDeploymentRampingVersionRequest& request);
  StatusOr<ws::SetWorkerDeploymentManagerResponse> SetManager(
      const ws::SetWorkerDeploymentManagerRequest& request);
  StatusOr<ws::DeleteWorkerDeploymentResponse> Delete(
      const ws::DeleteWorkerDeploymentRequest& request);
  StatusOr<ws::DeleteWorkerDeploymentVersionResponse> DeleteVersion(
      const ws::DeleteWorkerDeploymentVersionRequest& request);
  StatusOr<ws::UpdateWorkerDeploymentVersionMetadataResponse> UpdateMetadata(
      const ws::UpdateWorkerDeploymentVersionMetadataRequest& request);
  StatusOr<ws::CreateWorkerDeploymentResponse> Create(
      const ws::CreateWorkerDeploymentRequest& request);
  StatusOr<ws::CreateWorkerDeploymentVersionResponse> CreateVersion(
      const ws::CreateWorkerDeploymentVersionRequest& request);
  StatusOr<ws::UpdateWorkerDeploymentVersionComputeConfigResponse> UpdateComputeConfig(
      const ws::UpdateWorkerDeploymentVersionComputeConfigRequest& request);
  StatusOr<ws::ValidateWorkerDeploymentVersionComputeConfigResponse> ValidateComputeConfig(
      const ws::ValidateWorkerDeploymentVersionComputeConfigRequest& request);
  // DescribeDeployment and its kin: no longer supported by the real server either.
  StatusOr<ws::DescribeDeploymentResponse> OldDescribe(const ws::DescribeDeploymentRequest&);
  StatusOr<ws::ListDeploymentsResponse> OldList(const ws::ListDeploymentsRequest&);
  StatusOr<ws::GetDeploymentReachabilityResponse> OldReachability(
      const ws::GetDeploymentReachabilityRequest&);
  StatusOr<ws::GetCurrentDeploymentResponse> OldCurrent(const ws::GetCurrentDeploymentRequest&);
  StatusOr<ws::SetCurrentDeploymentResponse> OldSetCurrent(const ws::SetCurrentDeploymentRequest&);

  // The violated invariant, or "".
  std::string Check() const;

 private:
  using Id = std::pair<std::string, std::string>;  // namespace id, name
  // What SetCurrent and SetRamping have in common.
  struct Change {
    std::string deployment, version;  // v0.31 string; "" unsets a ramp
    std::string identity, conflict_token;
    bool ignore_missing = false, allow_no_pollers = false, has_token = false;
  };

  Deployment* Find(const std::string& ns_id, const std::string& name);
  Deployment& Make(const std::string& ns_id, const std::string& name,
                   const std::string& request_id);
  StatusOr<DeploymentVersion*> MakeVersion(Deployment& deployment, const std::string& build);
  void Touch(Deployment& deployment);
  // The deployment that a change is about, with the version there when it may be made.
  StatusOr<Deployment*> Prepare(const Namespace& ns, const Change& change,
                                const MaybeVersion& version);
  Status CheckComputeConfig(const ::temporal::api::compute::v1::ComputeConfig& config);
  Status CheckManager(const Deployment& deployment, const std::string& identity) const;
  // Whether the version may be routed to by whoever asks; then it is there.
  Status Admit(Deployment& deployment, const Change& change, const MaybeVersion& version);
  // The end of a change of the routing.
  void Rerouted(Deployment& deployment, const std::string& identity);
  Status CheckQueues(Deployment& deployment, const std::string& current,
                     const MaybeVersion& version, const char* what);
  // Gives a version its part of the deployment's routing.
  void Sync(Deployment& deployment, DeploymentVersion& version);
  static deploymentpb::VersionDrainageInfo Drainage(enums::VersionDrainageStatus status,
                                                    WallTime now);
  void StartDraining(Deployment& deployment, DeploymentVersion& version);
  void ArmDrainage(DeploymentVersion& version, const std::string& ns_id);
  void RefreshDrainage(const std::string& ns_id, const Version& version);
  bool HasPollers(const Deployment& deployment, const DeploymentVersion& version) const;
  void Erase(Deployment& deployment, const std::string& build);
  // The task queues look at their tasks again.
  void Routed(const Deployment& deployment);
  DeploymentVersion* VersionIn(Deployment& deployment, const std::string& dotted);

  static deploymentpb::WorkerDeploymentInfo::WorkerDeploymentVersionSummary Summary(
      const DeploymentVersion& version);

  Core& core_;
  std::map<Id, Deployment> deployments_;
  std::map<QueueKey, std::set<std::string>> members_;  // names of deployments
  std::uint64_t order_ = 0;
};

}  // namespace squall::fakes::engine
