// Versioning overrides, UpdateWorkflowExecutionOptions, and what runs hand down to those that
// follow or belong to them.

#include <fmt/format.h>
#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/versioning.h"

namespace squall::fakes::engine {
namespace {

using Override = workflowpb::VersioningOverride;
using google::protobuf::util::MessageDifferencer;

const char* KindName(int kind) {
  return kind == enums::TASK_QUEUE_TYPE_WORKFLOW ? "Workflow" : "Activity";
}

}  // namespace

Status Versioning::CheckStructure(const Override& override) {
  switch (override.override_case()) {
    case Override::kAutoUpgrade:
      if (!override.auto_upgrade()) return InvalidArgument("auto-upgrade override must be true");
      return absl::OkStatus();
    case Override::kPinned:
      if (!override.pinned().has_version())
        return InvalidArgument("must provide version if override is pinned.");
      if (override.pinned().behavior() == Override::PINNED_OVERRIDE_BEHAVIOR_UNSPECIFIED)
        return InvalidArgument("must specify pinned override behavior if override is pinned.");
      return absl::OkStatus();
    case Override::kOneTime:
      if (!override.one_time().has_target_deployment_version()) {
        return InvalidArgument("must provide target deployment version if override is one-time.");
      }
      return absl::OkStatus();
    default:
      break;
  }
  switch (override.behavior()) {
    case enums::VERSIONING_BEHAVIOR_PINNED: {
      if (override.has_deployment()) {
        const auto& deployment = override.deployment();
        if (deployment.series_name().empty())
          return InvalidArgument("deployment name cannot be empty");
        if (deployment.series_name().find_first_of(".:") != std::string::npos)
          return InvalidArgument("deployment name cannot contain '.' or ':'");
        if (deployment.build_id().empty())
          return InvalidArgument("deployment build ID cannot be empty");
        return absl::OkStatus();
      }
      if (override.pinned_version().empty()) {
        return InvalidArgument(
            "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'");
      }
      if (!ParseVersion(override.pinned_version()).ok()) {
        return InvalidArgument(fmt::format(
            "invalid version string \"{}\", expected format is \"<deployment_name>.<build_id>\"",
            override.pinned_version()));
      }
      return absl::OkStatus();
    }
    case enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE:
      if (override.has_deployment())
        return InvalidArgument("only provide deployment if behavior is 'PINNED'");
      if (!override.pinned_version().empty())
        return InvalidArgument("only provide pinned version if behavior is 'PINNED'");
      return absl::OkStatus();
    case enums::VERSIONING_BEHAVIOR_UNSPECIFIED:
      return InvalidArgument("override behavior is required");
    default:
      return InvalidArgument(fmt::format("override behavior {} not recognized",
                                         static_cast<int>(override.behavior())));
  }
}

Status Versioning::CheckOverride(const Namespace& ns, const std::string& queue,
                                 const Override& override) {
  SQUALL_RETURN_IF_ERROR(CheckStructure(override));
  if (override.has_deployment() && !override.has_pinned() && !override.has_one_time())
    return absl::OkStatus();
  const MaybeVersion target = TargetOf(override);
  const bool names_version =
      override.has_pinned() || override.has_one_time() || !override.pinned_version().empty();
  if (!names_version) return absl::OkStatus();
  constexpr int kKind = enums::TASK_QUEUE_TYPE_WORKFLOW;
  if (target && core_.deployments.Has({ns.id, queue, kKind}, *target)) return absl::OkStatus();
  const Version named = target.value_or(Version{});
  return FailedPrecondition(
      fmt::format("Pinned version '{}:{}' is not present in task queue '{}' of type '{}'",
                  named.deployment, named.build, queue, KindName(kKind)));
}

// Only the fields of the current API, as events have them.
Override Versioning::Modern(const Override& override) {
  Override modern;
  if (override.override_case() != Override::OVERRIDE_NOT_SET) {
    modern = override;
    modern.clear_behavior();
    modern.clear_deployment();
    modern.clear_pinned_version();
  } else if (override.behavior() == enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE) {
    modern.set_auto_upgrade(true);
  } else if (override.behavior() == enums::VERSIONING_BEHAVIOR_PINNED) {
    modern.mutable_pinned()->set_behavior(Override::PINNED_OVERRIDE_BEHAVIOR_PINNED);
    if (const auto target = TargetOf(override))
      *modern.mutable_pinned()->mutable_version() = ToProto(*target);
  }
  return modern;
}

void Versioning::Overridden(const Namespace& ns, const Override& override) {
  if (const auto target = TargetOf(override)) core_.deployments.Reactivate(ns.id, *target);
}

void Versioning::SetOverride(Run& run, const Override* override) {
  const auto behavior = Behavior(run);
  const MaybeVersion version = Effective(run);
  if (override != nullptr) {
    const Override modern = Modern(*override);
    *Info(run).mutable_versioning_override() = modern;
    if (const auto target = TargetOf(modern)) run.deployment_name = target->deployment;
  } else if (run.versioning != nullptr) {
    run.versioning->info.clear_versioning_override();
    run.deployment_name = run.versioning->info.deployment_version().deployment_name();
  } else {
    run.deployment_name.clear();
  }
  if (behavior != Behavior(run) || version != Effective(run)) {
    if (run.versioning != nullptr) run.versioning->info.clear_version_transition();
    WorkflowTasks::ClearSticky(run);
    UpdateSearchAttributes(run, {});
    RescheduleTask(run);
  }
  core_.activities.Reschedule(run);
}

void Versioning::OptionsUpdated(
    Run& run, const historypb::WorkflowExecutionOptionsUpdatedEventAttributes& attributes) {
  if (attributes.unset_versioning_override()) {
    SetOverride(run, nullptr);
  } else if (attributes.has_versioning_override()) {
    SetOverride(run, &attributes.versioning_override());
  }
  if (attributes.has_priority()) {
    const bool changed = !MessageDifferencer::Equals(run.start.priority(), attributes.priority());
    *run.start.mutable_priority() = attributes.priority();
    if (changed) RescheduleTask(run);
  }
}

StatusOr<workflowpb::WorkflowExecutionOptions> Versioning::MergeOptions(
    Run& run, const workflowpb::WorkflowExecutionOptions& given,
    const google::protobuf::FieldMask& mask, const std::string& identity) {
  workflowpb::WorkflowExecutionOptions options = given;
  // A pin without a version keeps the workflow where it is.
  auto* pinned = options.mutable_versioning_override();
  if (!given.has_versioning_override()) {
    options.clear_versioning_override();
  } else if (pinned->pinned().behavior() != Override::PINNED_OVERRIDE_BEHAVIOR_UNSPECIFIED &&
             !pinned->pinned().has_version()) {
    if (!Pinned(run)) {
      return FailedPrecondition(fmt::format(
          "must specify a specific pinned override version because workflow with id {} has "
          "behavior "
          "{} and is not yet pinned to any version",
          run.workflow_id,
          Behavior(run) == enums::VERSIONING_BEHAVIOR_UNSPECIFIED
              ? "Unspecified"
              : PascalName(enums::VersioningBehavior_Name(Behavior(run)), "VERSIONING_BEHAVIOR_")));
    }
    if (const auto now = Effective(run))
      *pinned->mutable_pinned()->mutable_version() = ToProto(*now);
  }
  if (options.has_versioning_override()) {
    SQUALL_RETURN_IF_ERROR(
        CheckOverride(*run.ns, run.start.task_queue().name(), options.versioning_override()));
  }
  workflowpb::WorkflowExecutionOptions before;
  if (run.versioning != nullptr && run.versioning->info.has_versioning_override())
    *before.mutable_versioning_override() = run.versioning->info.versioning_override();
  if (run.start.has_priority()) *before.mutable_priority() = run.start.priority();
  workflowpb::WorkflowExecutionOptions merged = before;
  const auto has = [&](std::string_view path) {
    return std::find(mask.paths().begin(), mask.paths().end(), path) != mask.paths().end();
  };
  const auto refuse = [](std::string_view text) {
    return InvalidArgument(fmt::format("error applying update_options: {}", text));
  };
  const bool behavior = has("versioning_override.behavior"),
             deployment = has("versioning_override.deployment");
  if (behavior != deployment) return refuse("versioning_override fields must be updated together");
  for (const std::string& path : mask.paths()) {
    if (path.starts_with("versioning_override.") && path != "versioning_override.behavior" &&
        path != "versioning_override.deployment") {
      return refuse("versioning_override doesn't support partial updates");
    }
  }
  if (has("versioning_override") || behavior) {
    merged.clear_versioning_override();
    if (options.has_versioning_override())
      *merged.mutable_versioning_override() = options.versioning_override();
  }
  if (has("priority")) {
    merged.clear_priority();
    if (options.has_priority()) *merged.mutable_priority() = options.priority();
  }
  if (has("priority.priority_key"))
    merged.mutable_priority()->set_priority_key(options.priority().priority_key());
  if (has("priority.fairness_key"))
    merged.mutable_priority()->set_fairness_key(options.priority().fairness_key());
  if (has("priority.fairness_weight"))
    merged.mutable_priority()->set_fairness_weight(options.priority().fairness_weight());
  if (MessageDifferencer::Equals(merged, before)) return merged;

  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_workflow_execution_options_updated_event_attributes();
  if (merged.has_versioning_override()) {
    *attributes->mutable_versioning_override() = Modern(merged.versioning_override());
  } else {
    attributes->set_unset_versioning_override(true);
  }
  attributes->set_identity(identity);
  if (merged.has_priority()) *attributes->mutable_priority() = merged.priority();
  const auto applied = *attributes;
  run.history.Buffer(std::move(event));
  OptionsUpdated(run, applied);
  core_.tasks.Settle(run, false);
  if (merged.has_versioning_override()) Overridden(*run.ns, merged.versioning_override());
  return merged;
}

StatusOr<ws::UpdateWorkflowExecutionOptionsResponse> Versioning::UpdateOptions(
    const ws::UpdateWorkflowExecutionOptionsRequest& request) {
  if (request.workflow_execution().workflow_id().empty())
    return InvalidArgument("WorkflowId is not set on request.");
  if (!request.has_update_mask()) return InvalidArgument("UpdateMask is required");
  if (!request.has_workflow_execution_options())
    return InvalidArgument("WorkflowExecutionOptions is required");
  const auto& options = request.workflow_execution_options();
  for (const std::string& path : request.update_mask().paths()) {
    if (!google::protobuf::util::FieldMaskUtil::IsValidPath<workflowpb::WorkflowExecutionOptions>(
            path)) {
      return InvalidArgument(
          fmt::format("error parsing UpdateMask: proto: invalid path \"{}\" for message "
                      "\"temporal.api.workflow.v1.WorkflowExecutionOptions\"",
                      path));
    }
  }
  SQUALL_RETURN_IF_ERROR(CheckPriority(options.priority()));
  SQUALL_ASSIGN_OR_RETURN(
      auto run, core_.namespaces.FindRun(request.namespace_(), request.workflow_execution()));
  if (!run->open()) return WorkflowClosed();
  SQUALL_ASSIGN_OR_RETURN(auto merged,
                          MergeOptions(*run, options, request.update_mask(), request.identity()));
  ws::UpdateWorkflowExecutionOptionsResponse response;
  *response.mutable_workflow_execution_options() = std::move(merged);
  return response;
}

bool Versioning::HasWorkflowQueue(const std::string& ns_id, const std::string& queue,
                                  const MaybeVersion& version) const {
  return version &&
         core_.deployments.Has({ns_id, queue, enums::TASK_QUEUE_TYPE_WORKFLOW}, *version);
}

void Versioning::InheritByChild(
    const Run& parent, const historypb::StartChildWorkflowExecutionInitiatedEventAttributes& child,
    historypb::WorkflowExecutionStartedEventAttributes* started) {
  if (child.has_versioning_override()) {
    *started->mutable_versioning_override() = Modern(child.versioning_override());
    return;
  }
  if (parent.versioning == nullptr || child.namespace_id() != parent.ns->id) return;
  const MaybeVersion version = Effective(parent);
  const std::string& queue = child.task_queue().name();
  const bool stays =
      queue == parent.start.task_queue().name() || HasWorkflowQueue(parent.ns->id, queue, version);
  const auto& info = parent.versioning->info;
  if (Pinned(parent) && stays && version)
    *started->mutable_inherited_pinned_version() = ToProto(*version);
  if (info.has_versioning_override() && TargetOf(info.versioning_override()) && stays)
    *started->mutable_versioning_override() = info.versioning_override();
  if (Behavior(parent) == enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE && version && stays &&
      info.revision_number() != 0 && !started->has_inherited_pinned_version()) {
    auto* inherited = started->mutable_inherited_auto_upgrade_info();
    *inherited->mutable_source_deployment_version() = ToProto(*version);
    inherited->set_source_deployment_revision_number(info.revision_number());
  }
}

std::optional<historypb::DeclinedTargetVersionUpgrade> Versioning::Declined(const Run& run) {
  const RunVersioning& state = *run.versioning;
  const auto& noted = state.notified ? state.notified : state.declined;
  if (!noted) return {};
  historypb::DeclinedTargetVersionUpgrade declined;
  if (noted->version) *declined.mutable_deployment_version() = ToProto(*noted->version);
  declined.set_revision_number(noted->revision);
  return declined;
}

void Versioning::InheritByContinue(
    const Run& run, const command::ContinueAsNewWorkflowExecutionCommandAttributes& command,
    historypb::WorkflowExecutionStartedEventAttributes* next) {
  if (run.versioning == nullptr) return;
  const auto& info = run.versioning->info;
  const MaybeVersion version = Effective(run);
  const auto behavior = Behavior(run);
  const std::string& queue = command.task_queue().name();
  const bool stays = queue.empty() || queue == run.start.task_queue().name() ||
                     HasWorkflowQueue(run.ns->id, queue, version);
  const auto initial = command.initial_versioning_behavior();
  const bool pinned = behavior == enums::VERSIONING_BEHAVIOR_PINNED;
  if (pinned && initial == enums::CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_UNSPECIFIED && stays &&
      version) {
    *next->mutable_inherited_pinned_version() = ToProto(*version);
    if (auto declined = Declined(run))
      *next->mutable_declined_target_version_upgrade() = *std::move(declined);
  }
  if (info.versioning_override().has_pinned() && stays)
    *next->mutable_versioning_override() = info.versioning_override();
  const bool upgrades =
      behavior == enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE ||
      (pinned && initial != enums::CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_UNSPECIFIED);
  if (upgrades && version && stays && info.revision_number() != 0 &&
      !next->has_inherited_pinned_version()) {
    auto* inherited = next->mutable_inherited_auto_upgrade_info();
    *inherited->mutable_source_deployment_version() = ToProto(*version);
    inherited->set_source_deployment_revision_number(info.revision_number());
    inherited->set_continue_as_new_initial_versioning_behavior(initial);
  }
}

void Versioning::InheritByRetry(const Run& run, enums::ContinueAsNewInitiator initiator,
                                historypb::WorkflowExecutionStartedEventAttributes* next) {
  next->clear_versioning_override();
  next->clear_inherited_pinned_version();
  next->clear_inherited_auto_upgrade_info();
  if (run.versioning == nullptr) return;
  const auto& info = run.versioning->info;
  if (info.versioning_override().has_pinned())
    *next->mutable_versioning_override() = info.versioning_override();
  if (initiator != enums::CONTINUE_AS_NEW_INITIATOR_RETRY) return;
  const MaybeVersion version = Effective(run);
  if (!version) return;
  if (Pinned(run) && run.start.has_inherited_pinned_version()) {
    *next->mutable_inherited_pinned_version() = ToProto(*version);
  } else if (Behavior(run) == enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE &&
             info.revision_number() != 0) {
    auto* inherited = next->mutable_inherited_auto_upgrade_info();
    *inherited->mutable_source_deployment_version() = ToProto(*version);
    inherited->set_source_deployment_revision_number(info.revision_number());
    inherited->set_continue_as_new_initial_versioning_behavior(
        info.continue_as_new_initial_versioning_behavior());
  }
}

}  // namespace squall::fakes::engine
