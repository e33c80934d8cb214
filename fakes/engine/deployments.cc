#include "fakes/engine/deployments.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

// matching.maxDeployments, matching.maxVersionsInDeployment and
// matching.maxTaskQueuesInDeploymentVersion of the real server.
constexpr std::size_t kMaxDeployments = 100, kMaxVersions = 100, kMaxQueues = 100;
constexpr std::string_view kAutoCreated = "_auto_create_";

Status TooMany(const std::string& text) { return Status(StatusCode::kResourceExhausted, text); }

WallTime TimeOf(bool set, const google::protobuf::Timestamp& time) {
  return set ? FromProto(time) : WallTime{};
}

}  // namespace

std::pair<MaybeVersion, std::int64_t> QueueRouting::Target(const std::string& workflow_id,
                                                           bool use_ramping) const {
  if (use_ramping && ramping) return {ramping, ramping_revision};
  if (percentage <= 0) return {current, current_revision};
  if (percentage == 100 || RampThreshold(workflow_id) <= static_cast<double>(percentage))
    return {ramping, ramping_revision};
  return {current, current_revision};
}

Deployment* Deployments::Find(const std::string& ns_id, const std::string& name) {
  const auto it = deployments_.find({ns_id, name});
  return it == deployments_.end() ? nullptr : &it->second;
}

const DeploymentVersion* Deployments::Find(const std::string& ns_id, const Version& version) const {
  const auto it = deployments_.find({ns_id, version.deployment});
  if (it == deployments_.end()) return nullptr;
  const auto found = it->second.versions.find(version.build);
  return found == it->second.versions.end() ? nullptr : &found->second;
}

DeploymentVersion* Deployments::VersionIn(Deployment& deployment, const std::string& dotted) {
  const auto version = ParseVersion(dotted);
  if (!version.ok() || !*version || (*version)->deployment != deployment.name) return nullptr;
  const auto it = deployment.versions.find((*version)->build);
  return it == deployment.versions.end() ? nullptr : &it->second;
}

Deployment& Deployments::Make(const std::string& ns_id, const std::string& name,
                              const std::string& request_id) {
  Deployment& deployment = deployments_[{ns_id, name}];
  deployment.ns_id = ns_id;
  deployment.name = name;
  deployment.created = core_.now.wall;
  deployment.create_request_id = request_id;
  deployment.routing.set_current_version(std::string(kUnversionedName));
  Touch(deployment);
  return deployment;
}

// A new conflict token: opaque to clients, different after each change.
void Deployments::Touch(Deployment& deployment) {
  deployment.changed = ++order_;
  deployment.conflict_token =
      fmt::format("{:016x}", core_.now.wall.time_since_epoch().count() + deployment.changed);
}

StatusOr<DeploymentVersion*> Deployments::MakeVersion(Deployment& deployment,
                                                      const std::string& build) {
  if (auto it = deployment.versions.find(build); it != deployment.versions.end())
    return &it->second;
  if (deployment.versions.size() >= kMaxVersions) {
    // The oldest that nobody needs makes room.
    const DeploymentVersion* oldest = nullptr;
    for (const auto& [id, version] : deployment.versions) {
      const bool idle = version.status == enums::WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE ||
                        version.status == enums::WORKER_DEPLOYMENT_VERSION_STATUS_CREATED ||
                        version.status == enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED;
      if (idle && (oldest == nullptr || version.order < oldest->order) &&
          !HasPollers(deployment, version)) {
        oldest = &version;
      }
    }
    if (oldest == nullptr) {
      return TooMany(fmt::format(
          "cannot add version {} since maximum number of versions ({}) have been registered in the "
          "deployment",
          DottedName(Version{deployment.name, build}), kMaxVersions));
    }
    Erase(deployment, std::string(oldest->version.build));
  }
  DeploymentVersion& version = deployment.versions[build];
  version.version = {deployment.name, build};
  version.created = core_.now.wall;
  version.order = ++order_;
  return &version;
}

Status Deployments::Register(const Namespace& ns, const Version& version, const std::string& queue,
                             int kind) {
  const QueueKey key{ns.id, queue, kind};
  if (Has(key, version)) return absl::OkStatus();
  Deployment* deployment = Find(ns.id, version.deployment);
  if (deployment == nullptr) {
    const auto first = deployments_.lower_bound({ns.id, ""});
    std::size_t count = 0;
    for (auto it = first; it != deployments_.end() && it->first.first == ns.id; ++it) ++count;
    if (count >= kMaxDeployments) {
      return TooMany(fmt::format("reached maximum deployments in namespace ({})", kMaxDeployments));
    }
    deployment =
        &Make(ns.id, version.deployment, fmt::format("{}{}", kAutoCreated, core_.rng.Uuid()));
  }
  SQUALL_ASSIGN_OR_RETURN(DeploymentVersion * made, MakeVersion(*deployment, version.build));
  std::set<std::string> names;
  for (const auto& [name, type] : made->queues) names.insert(name);
  if (!names.contains(queue) && names.size() >= kMaxQueues) {
    return TooMany(fmt::format(
        "cannot add task queue {} since maximum number of task queues ({}) have been registered in "
        "deployment",
        queue, kMaxQueues));
  }
  if (made->status == enums::WORKER_DEPLOYMENT_VERSION_STATUS_CREATED)
    made->status = enums::WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE;
  made->queues.insert({queue, kind});
  members_[key].insert(version.deployment);
  core_.matching.Rerouted(key);
  return absl::OkStatus();
}

bool Deployments::Has(const QueueKey& key, const Version& version) const {
  const DeploymentVersion* found = Find(std::get<0>(key), version);
  return found != nullptr && found->queues.contains({std::get<1>(key), std::get<2>(key)});
}

std::set<Version> Deployments::VersionsOf(const QueueKey& key) const {
  std::set<Version> versions;
  const auto it = members_.find(key);
  if (it == members_.end()) return versions;
  for (const std::string& name : it->second) {
    for (const auto& [build, version] : deployments_.at({std::get<0>(key), name}).versions) {
      if (version.queues.contains({std::get<1>(key), std::get<2>(key)}))
        versions.insert(version.version);
    }
  }
  return versions;
}

// A queue may be in versions of several deployments: the latest change that names a version which
// has the queue counts, before any that names none.
QueueRouting Deployments::Route(const QueueKey& key) const {
  QueueRouting routing;
  const auto it = members_.find(key);
  if (it == members_.end()) return routing;
  const deploymentpb::RoutingConfig *current = nullptr, *no_current = nullptr, *ramp = nullptr,
                                    *no_ramp = nullptr;
  const auto changed = [](const deploymentpb::RoutingConfig* config) {
    return config == nullptr ? WallTime{}
                             : TimeOf(config->has_current_version_changed_time(),
                                      config->current_version_changed_time());
  };
  const auto ramp_changed = [](const deploymentpb::RoutingConfig* config) {
    return config == nullptr ? WallTime{}
                             : TimeOf(config->has_ramping_version_percentage_changed_time(),
                                      config->ramping_version_percentage_changed_time());
  };
  for (const std::string& name : it->second) {
    const auto& config = deployments_.at({std::get<0>(key), name}).routing;
    const MaybeVersion now = FromProto(config.current_deployment_version());
    if (now && Has(key, *now)) {
      if (changed(&config) > changed(current)) current = &config;
    } else if (!now && changed(&config) > changed(no_current)) {
      no_current = &config;
    }
    const MaybeVersion next = FromProto(config.ramping_deployment_version());
    if (next && Has(key, *next)) {
      if (ramp_changed(&config) > ramp_changed(ramp)) ramp = &config;
    } else if (!next && ramp_changed(&config) > ramp_changed(no_ramp)) {
      no_ramp = &config;
    }
  }
  if (current == nullptr) current = no_current;
  if (ramp == nullptr) ramp = no_ramp;
  if (current != nullptr) {
    routing.current = FromProto(current->current_deployment_version());
    routing.current_revision = current->revision_number();
    routing.current_changed = changed(current);
  }
  if (ramp != nullptr) {
    routing.ramping = FromProto(ramp->ramping_deployment_version());
    routing.ramping_revision = ramp->revision_number();
    routing.ramping_changed = ramp_changed(ramp);
    routing.percentage = ramp->ramping_version_percentage();
    routing.is_ramping = routing.ramping.has_value() || routing.percentage != 0;
  }
  return routing;
}

void Deployments::Routed(const Deployment& deployment) {
  std::set<QueueKey> keys;
  for (const auto& [build, version] : deployment.versions) {
    for (const auto& [queue, kind] : version.queues) keys.insert({deployment.ns_id, queue, kind});
  }
  for (const QueueKey& key : keys) core_.matching.Rerouted(key);
}

bool Deployments::HasPollers(const Deployment& deployment, const DeploymentVersion& version) const {
  return std::any_of(version.queues.begin(), version.queues.end(), [&](const auto& queue) {
    return core_.matching.HasPollers({deployment.ns_id, queue.first, queue.second},
                                     version.version);
  });
}

void Deployments::Erase(Deployment& deployment, const std::string& build) {
  auto it = deployment.versions.find(build);
  if (it == deployment.versions.end()) return;
  core_.CancelTimer(it->second.drainage_timer);
  const auto queues = it->second.queues;
  deployment.versions.erase(it);
  for (const auto& [queue, kind] : queues) {
    const QueueKey key{deployment.ns_id, queue, kind};
    const bool left = std::any_of(deployment.versions.begin(), deployment.versions.end(),
                                  [&, name = queue, type = kind](const auto& entry) {
                                    return entry.second.queues.contains({name, type});
                                  });
    if (!left) {
      auto member = members_.find(key);
      member->second.erase(deployment.name);
      if (member->second.empty()) members_.erase(member);
    }
    core_.matching.Rerouted(key);
  }
}

void Deployments::Clear() {
  for (auto& [id, deployment] : deployments_) {
    for (auto& [build, version] : deployment.versions) core_.CancelTimer(version.drainage_timer);
  }
  deployments_.clear();
  members_.clear();
}

deploymentpb::WorkerDeploymentInfo::WorkerDeploymentVersionSummary Deployments::Summary(
    const DeploymentVersion& version) {
  deploymentpb::WorkerDeploymentInfo::WorkerDeploymentVersionSummary summary;
  summary.set_version(DottedName(version.version));
  *summary.mutable_deployment_version() = ToProto(version.version);
  summary.set_status(version.status);
  *summary.mutable_create_time() = ToProto(version.created);
  if (version.drainage) {
    summary.set_drainage_status(version.drainage->status());
    *summary.mutable_drainage_info() = *version.drainage;
  }
  if (version.current_since)
    *summary.mutable_current_since_time() = ToProto(*version.current_since);
  if (version.ramping_since)
    *summary.mutable_ramping_since_time() = ToProto(*version.ramping_since);
  if (version.routing_update)
    *summary.mutable_routing_update_time() = ToProto(*version.routing_update);
  if (version.first_activation)
    *summary.mutable_first_activation_time() = ToProto(*version.first_activation);
  if (version.last_current) *summary.mutable_last_current_time() = ToProto(*version.last_current);
  if (version.last_deactivation)
    *summary.mutable_last_deactivation_time() = ToProto(*version.last_deactivation);
  return summary;
}

StatusOr<ws::DescribeWorkerDeploymentResponse> Deployments::Describe(
    const ws::DescribeWorkerDeploymentRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", request.deployment_name()));
  const Deployment* deployment = Find(ns->id, request.deployment_name());
  if (deployment == nullptr) {
    return NotFound(fmt::format(
        "no Worker Deployment found with name '{}'; does your Worker Deployment have pollers?",
        request.deployment_name()));
  }
  ws::DescribeWorkerDeploymentResponse response;
  response.set_conflict_token(deployment->conflict_token);
  auto* info = response.mutable_worker_deployment_info();
  info->set_name(deployment->name);
  *info->mutable_create_time() = ToProto(deployment->created);
  *info->mutable_routing_config() = deployment->routing;
  info->set_last_modifier_identity(deployment->last_modifier);
  info->set_manager_identity(deployment->manager);
  info->set_routing_config_update_state(enums::ROUTING_CONFIG_UPDATE_STATE_COMPLETED);
  std::vector<const DeploymentVersion*> versions;
  for (const auto& [build, version] : deployment->versions) versions.push_back(&version);
  std::sort(versions.begin(), versions.end(),
            [](const auto* a, const auto* b) { return a->order > b->order; });
  for (const DeploymentVersion* version : versions)
    *info->add_version_summaries() = Summary(*version);
  return response;
}

StatusOr<ws::DescribeWorkerDeploymentVersionResponse> Deployments::DescribeVersion(
    const ws::DescribeWorkerDeploymentVersionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  std::string text = request.version();
  if (text.empty()) {
    if (!request.has_deployment_version())
      return InvalidArgument("deployment version cannot be empty");
    text = request.deployment_version().deployment_name() + "." +
           request.deployment_version().build_id();
  }
  const auto parsed = ParseVersion(text);
  if (!parsed.ok() || !*parsed) {
    return InvalidArgument(fmt::format(
        "invalid version string \"{}\", expected format is \"<deployment_name>.<build_id>\"",
        text));
  }
  SQUALL_RETURN_IF_ERROR(CheckVersionField("WorkerDeploymentName", (*parsed)->deployment));
  SQUALL_RETURN_IF_ERROR(CheckVersionField("BuildID", (*parsed)->build));
  const DeploymentVersion* version = Find(ns->id, **parsed);
  if (version == nullptr) return NotFound("Worker Deployment Version not found");
  ws::DescribeWorkerDeploymentVersionResponse response;
  auto* info = response.mutable_worker_deployment_version_info();
  info->set_version(DottedName(version->version));
  *info->mutable_deployment_version() = ToProto(version->version);
  info->set_status(version->status);
  *info->mutable_create_time() = ToProto(version->created);
  if (version->routing_update)
    *info->mutable_routing_changed_time() = ToProto(*version->routing_update);
  if (version->current_since)
    *info->mutable_current_since_time() = ToProto(*version->current_since);
  if (version->ramping_since)
    *info->mutable_ramping_since_time() = ToProto(*version->ramping_since);
  info->set_ramp_percentage(version->ramp);
  if (version->drainage &&
      version->drainage->status() != enums::VERSION_DRAINAGE_STATUS_UNSPECIFIED) {
    *info->mutable_drainage_info() = *version->drainage;
  }
  if (version->metadata) *info->mutable_metadata() = *version->metadata;
  info->set_last_modifier_identity(version->last_modifier);
  for (const auto& [queue, kind] : version->queues) {
    auto* listed = info->add_task_queue_infos();
    listed->set_name(queue);
    listed->set_type(static_cast<enums::TaskQueueType>(kind));
    auto* detailed = response.add_version_task_queues();
    detailed->set_name(queue);
    detailed->set_type(static_cast<enums::TaskQueueType>(kind));
    if (request.report_task_queue_stats()) {
      const auto stats = core_.matching.VersionStats({ns->id, queue, kind}, version->version);
      *detailed->mutable_stats() = stats.total;
      for (const auto& [priority, part] : stats.by_priority)
        (*detailed->mutable_stats_by_priority_key())[priority] = part;
    }
  }
  return response;
}

StatusOr<ws::ListWorkerDeploymentsResponse> Deployments::List(
    const ws::ListWorkerDeploymentsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  std::int64_t skip = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token) return InvalidArgument("Invalid NextPageToken.");
    skip = token->first;
  }
  const int size =
      request.page_size() <= 0 || request.page_size() > kMaxPage ? kMaxPage : request.page_size();
  std::vector<const Deployment*> found;
  for (const auto& [id, deployment] : deployments_) {
    if (id.first == ns->id) found.push_back(&deployment);
  }
  std::sort(found.begin(), found.end(),
            [](const auto* a, const auto* b) { return a->changed > b->changed; });
  ws::ListWorkerDeploymentsResponse response;
  for (std::size_t i = static_cast<std::size_t>(skip); i < found.size(); ++i) {
    if (response.worker_deployments_size() == size) {
      response.set_next_page_token(PageToken{.first = static_cast<std::int64_t>(i)}.Serialize());
      break;
    }
    const Deployment& deployment = *found[i];
    auto* listed = response.add_worker_deployments();
    listed->set_name(deployment.name);
    *listed->mutable_create_time() = ToProto(deployment.created);
    *listed->mutable_routing_config() = deployment.routing;
    const DeploymentVersion* latest = nullptr;
    for (const auto& [build, version] : deployment.versions) {
      if (latest == nullptr || version.order > latest->order) latest = &version;
      const std::string name = DottedName(version.version);
      if (name == deployment.routing.current_version())
        *listed->mutable_current_version_summary() = Summary(version);
      if (name == deployment.routing.ramping_version())
        *listed->mutable_ramping_version_summary() = Summary(version);
    }
    if (latest != nullptr) {
      auto summary = Summary(*latest);
      *listed->mutable_latest_version_summary() = std::move(summary);
    }
  }
  return response;
}

std::string Deployments::Check() const {
  for (const auto& [id, deployment] : deployments_) {
    for (const auto& [build, version] : deployment.versions) {
      for (const auto& [queue, kind] : version.queues) {
        const auto it = members_.find({id.first, queue, kind});
        if (it == members_.end() || !it->second.contains(deployment.name))
          return "queue " + queue + " does not know its deployment " + deployment.name;
      }
    }
  }
  for (const auto& [key, names] : members_) {
    if (names.empty()) return "queue " + std::get<1>(key) + " is in no deployment but listed";
  }
  return {};
}

}  // namespace squall::fakes::engine
