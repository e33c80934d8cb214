#include "fakes/engine/versioning.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using Override = workflowpb::VersioningOverride;

enums::VersioningBehavior BehaviorOf(const Override& override) {
  if (override.auto_upgrade()) return enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE;
  // A one-time override routes like a pinned one until a task completed there.
  if (override.has_pinned() || override.has_one_time()) return enums::VERSIONING_BEHAVIOR_PINNED;
  return override.behavior();
}

std::string Quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// The lists that this file writes: no escapes but those of Quote.
std::vector<std::string> ReadList(const std::map<std::string, common::Payload>& attributes,
                                  const std::string& name) {
  std::vector<std::string> values;
  const auto it = attributes.find(name);
  if (it == attributes.end()) return values;
  std::string value;
  bool inside = false;
  const std::string& data = it->second.data();
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (inside && data[i] == '\\' && i + 1 < data.size()) {
      value += data[++i];
    } else if (data[i] == '"') {
      if (inside) values.push_back(std::exchange(value, {}));
      inside = !inside;
    } else if (inside) {
      value += data[i];
    }
  }
  return values;
}

void WriteList(std::map<std::string, common::Payload>& attributes, const std::string& name,
               const std::vector<std::string>& values) {
  std::string data = "[";
  for (const std::string& value : values) data += (data.size() > 1 ? "," : "") + Quote(value);
  attributes[name] = TypedAttribute(data + "]", enums::INDEXED_VALUE_TYPE_KEYWORD_LIST);
}

void WriteKeyword(std::map<std::string, common::Payload>& attributes, const std::string& name,
                  const std::string& value) {
  if (value.empty()) {
    attributes.erase(name);
  } else {
    attributes[name] = TypedAttribute(Quote(value), enums::INDEXED_VALUE_TYPE_KEYWORD);
  }
}

}  // namespace

workflowpb::WorkflowExecutionVersioningInfo& Versioning::Info(Run& run) {
  if (run.versioning == nullptr) run.versioning = std::make_shared<RunVersioning>();
  run.versioning->deployments = true;
  return run.versioning->info;
}

MaybeVersion Versioning::TargetOf(const Override& override) {
  if (override.has_pinned()) return FromProto(override.pinned().version());
  if (override.has_one_time()) return FromProto(override.one_time().target_deployment_version());
  if (override.auto_upgrade() || override.behavior() != enums::VERSIONING_BEHAVIOR_PINNED)
    return {};
  if (!override.pinned_version().empty()) {
    const auto parsed = ParseVersion(override.pinned_version());
    return parsed.ok() ? *parsed : MaybeVersion();
  }
  if (override.has_deployment()) {
    return Version{override.deployment().series_name(), override.deployment().build_id()};
  }
  return {};
}

enums::VersioningBehavior Versioning::Behavior(const Run& run) {
  if (run.versioning == nullptr) return enums::VERSIONING_BEHAVIOR_UNSPECIFIED;
  const auto& info = run.versioning->info;
  if (info.has_version_transition()) return enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE;
  if (info.has_versioning_override()) return BehaviorOf(info.versioning_override());
  return info.behavior();
}

MaybeVersion Versioning::Effective(const Run& run) {
  if (run.versioning == nullptr) return {};
  const auto& info = run.versioning->info;
  if (info.has_version_transition())
    return FromProto(info.version_transition().deployment_version());
  if (info.has_versioning_override()) {
    if (auto target = TargetOf(info.versioning_override())) return target;
  }
  if (Behavior(run) != enums::VERSIONING_BEHAVIOR_UNSPECIFIED)
    return FromProto(info.deployment_version());
  return {};
}

bool Versioning::InTransition(const Run& run) {
  return run.versioning != nullptr && run.versioning->info.has_version_transition();
}

bool Versioning::UseRamping(const Run& run) {
  return run.versioning != nullptr && run.previous_started_event_id == 0 &&
         run.versioning->info.continue_as_new_initial_versioning_behavior() ==
             enums::CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_USE_RAMPING_VERSION;
}

bool Versioning::TargetChanged(const Run& run) {
  return run.versioning != nullptr && run.versioning->notified && Pinned(run);
}

void Versioning::Started(Run& run) {
  const auto& start = run.start;
  if (start.has_versioning_override())
    *Info(run).mutable_versioning_override() = start.versioning_override();
  if (start.has_inherited_pinned_version()) {
    *Info(run).mutable_deployment_version() = start.inherited_pinned_version();
    Info(run).set_behavior(enums::VERSIONING_BEHAVIOR_PINNED);
    if (!start.continued_execution_run_id().empty() &&
        start.has_declined_target_version_upgrade()) {
      const auto& declined = start.declined_target_version_upgrade();
      run.versioning->declined =
          NotedTarget{FromProto(declined.deployment_version()), declined.revision_number()};
    }
  }
  if (start.has_inherited_auto_upgrade_info()) {
    const auto& inherited = start.inherited_auto_upgrade_info();
    auto& info = Info(run);
    info.set_revision_number(inherited.source_deployment_revision_number());
    *info.mutable_deployment_version() = inherited.source_deployment_version();
    info.set_behavior(enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE);
    info.set_continue_as_new_initial_versioning_behavior(
        inherited.continue_as_new_initial_versioning_behavior());
  }
  if (run.versioning == nullptr) return;
  if (start.has_versioning_override() && !start.has_parent_workflow_execution() &&
      start.continued_execution_run_id().empty()) {
    Overridden(*run.ns, start.versioning_override());
  }
  if (Behavior(run) != enums::VERSIONING_BEHAVIOR_UNSPECIFIED) UpdateSearchAttributes(run, {});
  if (const auto effective = Effective(run)) run.deployment_name = effective->deployment;
}

// A pinned run learns once that its target is another version by now, so that it can continue as
// new there.
void Versioning::TaskStarting(Run& run, const TaskRoute& route) {
  if (run.versioning == nullptr) return;
  RunVersioning& state = *run.versioning;
  const auto behavior = Behavior(run);
  if (behavior == enums::VERSIONING_BEHAVIOR_UNSPECIFIED) return;
  const std::int64_t revision = route.matched ? route.revision : -1;
  const std::int64_t seen = std::max(state.notified ? state.notified->revision : 0,
                                     state.declined ? state.declined->revision : 0);
  const bool overridden = state.info.has_versioning_override();
  if (!overridden && behavior == enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE) return;
  if (overridden || (Effective(run) == route.target && revision >= seen)) {
    state.notified.reset();
    state.declined.reset();
  } else if (state.declined && revision <= state.declined->revision) {
    return;
  } else if (revision >= seen) {
    state.notified = NotedTarget{route.target, revision};
    state.declined.reset();
  }
}

void Versioning::TaskStarted(Run& run, const TaskRoute& route) {
  if (!route.matched || run.task.speculative || route.poller == Effective(run)) return;
  StartTransition(run, route.poller, route.revision);
}

void Versioning::StartTransition(Run& run, const MaybeVersion& to, std::int64_t revision) {
  if (Pinned(run)) return;
  auto& info = Info(run);
  info.clear_version_transition();
  auto* transition = info.mutable_version_transition();
  if (to) *transition->mutable_deployment_version() = ToProto(*to);
  info.set_revision_number(revision);
  WorkflowTasks::ClearSticky(run);
  RescheduleTask(run);
}

void Versioning::RescheduleTask(Run& run) {
  if (!run.task.pending() || run.task.is_started() || run.task.speculative) return;
  ++run.task.stamp;
  core_.tasks.Dispatch(run);
}

void Versioning::FillCompleted(const ws::RespondWorkflowTaskCompletedRequest& request,
                               historypb::WorkflowTaskCompletedEventAttributes* attributes) {
  const auto& options = request.deployment_options();
  attributes->set_worker_deployment_name(options.deployment_name().empty()
                                             ? request.deployment().series_name()
                                             : options.deployment_name());
  const bool versioned =
      options.worker_versioning_mode() == enums::WORKER_VERSIONING_MODE_VERSIONED;
  // SDKs name a behavior also where versioning is off.
  if (!request.has_deployment_options() || versioned)
    attributes->set_versioning_behavior(request.versioning_behavior());
  MaybeVersion version;
  if (versioned) {
    version = Version{options.deployment_name(), options.build_id()};
  } else if (request.has_deployment()) {
    version = Version{request.deployment().series_name(), request.deployment().build_id()};
  }
  if (version && !version->deployment.empty() && !version->build.empty())
    *attributes->mutable_deployment_version() = ToProto(*version);
}

void Versioning::TaskCompleted(Run& run,
                               const historypb::WorkflowTaskCompletedEventAttributes& attributes) {
  run.deployment_name = attributes.worker_deployment_name();
  if (attributes.has_worker_version()) {
    if (run.versioning == nullptr) run.versioning = std::make_shared<RunVersioning>();
    run.versioning->stamp = attributes.worker_version();
  } else if (run.versioning != nullptr) {
    run.versioning->stamp.Clear();
  }
  const auto behavior = attributes.versioning_behavior();
  MaybeVersion version;
  if (attributes.has_deployment_version()) version = FromProto(attributes.deployment_version());
  if (run.versioning == nullptr && behavior == enums::VERSIONING_BEHAVIOR_UNSPECIFIED && !version) {
    if (!run.deployment_name.empty()) UpdateSearchAttributes(run, version);
    return;
  }
  bool completed_transition = false;
  if (InTransition(run) &&
      FromProto(run.versioning->info.version_transition().deployment_version()) == version) {
    run.versioning->info.clear_version_transition();
    completed_transition = true;
  }
  const auto behavior_before = Behavior(run);
  const MaybeVersion version_before = Effective(run);
  if (behavior == enums::VERSIONING_BEHAVIOR_UNSPECIFIED) {
    if (run.versioning != nullptr) {
      auto& info = run.versioning->info;
      info.set_behavior(behavior);
      info.clear_deployment_version();
      info.clear_version();
    }
  } else {
    auto& info = Info(run);
    info.set_behavior(behavior);
    info.set_version(DottedName(version));
    info.clear_deployment_version();
    if (version) *info.mutable_deployment_version() = ToProto(*version);
  }
  if (run.versioning != nullptr) {
    auto& info = run.versioning->info;
    if (info.versioning_override().has_one_time() && version &&
        TargetOf(info.versioning_override()) == version) {
      info.clear_versioning_override();
    }
  }
  if (completed_transition || version_before != Effective(run) || behavior_before != Behavior(run))
    core_.activities.Reschedule(run);
  UpdateSearchAttributes(run, version);
}

bool Versioning::ActivityMayStart(Run& run, const TaskRoute& route) {
  if (run.versioning == nullptr && !route.poller) return true;
  if (InTransition(run)) return false;
  if (route.poller == Effective(run) || Pinned(run)) return true;
  // The workflow moves only if its own tasks would go there too; else the activity is independently
  // versioned.
  const QueueKey key{run.ns->id, run.start.task_queue().name(), enums::TASK_QUEUE_TYPE_WORKFLOW};
  const auto [target, revision] = core_.deployments.Route(key).Target(run.workflow_id, false);
  const bool behind = route.poller && target && route.poller->deployment == target->deployment &&
                      route.revision > revision;
  if (route.poller != target && !behind) return true;
  StartTransition(run, route.poller, route.revision);
  core_.tasks.Settle(run, true);
  return false;
}

void Versioning::Describe(const Run& run, workflowpb::WorkflowExecutionInfo* info) {
  info->set_worker_deployment_name(run.deployment_name);
  if (run.versioning == nullptr) return;
  if (!run.versioning->stamp.build_id().empty() || run.versioning->stamp.use_versioning())
    *info->mutable_most_recent_worker_version_stamp() = run.versioning->stamp;
  if (!run.versioning->deployments) return;
  auto* out = info->mutable_versioning_info();
  *out = run.versioning->info;
  // The fields of older APIs beside the stored ones.
  if (out->version().empty() && out->has_deployment_version())
    out->set_version(DottedName(FromProto(out->deployment_version())));
  if (out->has_version_transition()) {
    auto* transition = out->mutable_version_transition();
    transition->set_version(DottedName(transition->has_deployment_version()
                                           ? FromProto(transition->deployment_version())
                                           : MaybeVersion()));
  }
  if (out->has_versioning_override()) {
    auto* override = out->mutable_versioning_override();
    if (override->auto_upgrade()) {
      override->set_behavior(enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE);
    } else if (override->has_pinned()) {
      override->set_behavior(enums::VERSIONING_BEHAVIOR_PINNED);
      override->set_pinned_version(DottedName(FromProto(override->pinned().version())));
    }
  }
}

bool Versioning::AnyPinned(const Namespace& ns, const Version& version) const {
  for (const auto& [key, run] : ns.by_visibility) {
    if (!run->open()) break;  // open runs come first
    if (run->versioning == nullptr) continue;
    const auto& info = run->versioning->info;
    const bool overridden = info.has_versioning_override();
    const auto behavior = overridden ? BehaviorOf(info.versioning_override()) : info.behavior();
    MaybeVersion on = overridden ? TargetOf(info.versioning_override()) : MaybeVersion();
    if (!on) on = FromProto(info.deployment_version());
    if (behavior == enums::VERSIONING_BEHAVIOR_PINNED && on == MaybeVersion(version)) return true;
  }
  return false;
}

void Versioning::UpdateSearchAttributes(Run& run, const MaybeVersion& used) {
  auto& attributes = run.search_attributes;
  enums::VersioningBehavior behavior = enums::VERSIONING_BEHAVIOR_UNSPECIFIED;
  MaybeVersion version;
  if (run.versioning != nullptr) {
    const auto& info = run.versioning->info;
    const bool overridden = info.has_versioning_override();
    behavior = overridden ? BehaviorOf(info.versioning_override()) : info.behavior();
    if (overridden) version = TargetOf(info.versioning_override());
    if (!version) version = FromProto(info.deployment_version());
  }
  std::vector<std::string> builds;
  std::string build;
  bool by_build_id = false;
  if (run.versioning != nullptr) {
    const auto& stamp = run.versioning->stamp;
    by_build_id = stamp.use_versioning();
    if (!stamp.build_id().empty())
      build = (by_build_id ? "versioned:" : "unversioned:") + stamp.build_id();
  }
  if (behavior == enums::VERSIONING_BEHAVIOR_UNSPECIFIED && !by_build_id)
    builds.push_back("unversioned");
  if (behavior == enums::VERSIONING_BEHAVIOR_PINNED)
    builds.push_back("pinned:" + ColonName(version));
  for (const std::string& value : ReadList(attributes, "BuildIds")) {
    if (value != "unversioned" && !value.starts_with("assigned:") && !value.starts_with("pinned:"))
      builds.push_back(value);
  }
  if (!build.empty() && std::find(builds.begin(), builds.end(), build) == builds.end())
    builds.push_back(build);
  if (builds.empty()) {
    attributes.erase("BuildIds");
  } else {
    WriteList(attributes, "BuildIds", builds);
  }
  if (used) {
    auto versions = ReadList(attributes, "TemporalUsedWorkerDeploymentVersions");
    if (std::find(versions.begin(), versions.end(), ColonName(used)) == versions.end()) {
      versions.push_back(ColonName(used));
      WriteList(attributes, "TemporalUsedWorkerDeploymentVersions", versions);
    }
  }
  WriteKeyword(attributes, "TemporalWorkerDeployment",
               version ? version->deployment : run.deployment_name);
  WriteKeyword(attributes, "TemporalWorkerDeploymentVersion", ColonName(version));
  WriteKeyword(attributes, "TemporalWorkflowVersioningBehavior",
               behavior == enums::VERSIONING_BEHAVIOR_UNSPECIFIED
                   ? ""
                   : PascalName(enums::VersioningBehavior_Name(behavior), "VERSIONING_BEHAVIOR_"));
}

}  // namespace squall::fakes::engine
