#include "fakes/engine/activity_operators.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/pause_info.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

Status NoSuchActivity() {
  return NotFound(
      "Can't find pending activity with such ID. Invalid activityID or activity already completed");
}

// Clients write paths in either case.
std::set<std::string> Paths(const google::protobuf::FieldMask& mask) {
  std::set<std::string> paths;
  for (const std::string& path : mask.paths()) {
    std::string snake;
    for (const char c : path) {
      if (std::isupper(static_cast<unsigned char>(c))) {
        snake.push_back('_');
        snake.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      } else {
        snake.push_back(c);
      }
    }
    paths.insert(snake);
  }
  return paths;
}

Status CheckNotNegative(const google::protobuf::Duration& duration, std::string_view name) {
  if (FromProto(duration).count() >= 0) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument, "invalid {}: negative duration", name);
}

activitypb::ActivityOptions OptionsOf(
    const historypb::ActivityTaskScheduledEventAttributes& attributes) {
  activitypb::ActivityOptions options;
  options.mutable_task_queue()->set_name(attributes.task_queue().name());
  *options.mutable_schedule_to_close_timeout() = attributes.schedule_to_close_timeout();
  *options.mutable_schedule_to_start_timeout() = attributes.schedule_to_start_timeout();
  *options.mutable_start_to_close_timeout() = attributes.start_to_close_timeout();
  *options.mutable_heartbeat_timeout() = attributes.heartbeat_timeout();
  auto* policy = options.mutable_retry_policy();
  *policy->mutable_initial_interval() = attributes.retry_policy().initial_interval();
  policy->set_backoff_coefficient(attributes.retry_policy().backoff_coefficient());
  if (attributes.retry_policy().has_maximum_interval())
    *policy->mutable_maximum_interval() = attributes.retry_policy().maximum_interval();
  policy->set_maximum_attempts(attributes.retry_policy().maximum_attempts());
  if (attributes.has_priority()) *options.mutable_priority() = attributes.priority();
  return options;
}

void SetOptions(const activitypb::ActivityOptions& options,
                historypb::ActivityTaskScheduledEventAttributes* attributes) {
  attributes->mutable_task_queue()->set_name(options.task_queue().name());
  *attributes->mutable_schedule_to_close_timeout() = options.schedule_to_close_timeout();
  *attributes->mutable_schedule_to_start_timeout() = options.schedule_to_start_timeout();
  *attributes->mutable_start_to_close_timeout() = options.start_to_close_timeout();
  *attributes->mutable_heartbeat_timeout() = options.heartbeat_timeout();
  const auto kept = attributes->retry_policy().non_retryable_error_types();
  *attributes->mutable_retry_policy() = options.retry_policy();
  *attributes->mutable_retry_policy()->mutable_non_retryable_error_types() = kept;
  attributes->clear_priority();
  if (options.has_priority()) *attributes->mutable_priority() = options.priority();
}

}  // namespace

Status MergeActivityOptions(const activitypb::ActivityOptions& from,
                            const google::protobuf::FieldMask& mask,
                            activitypb::ActivityOptions* into) {
  const std::set<std::string> paths = Paths(mask);
  const auto has = [&](const char* path) { return paths.contains(path); };
  if (has("task_queue") || has("task_queue.name")) {
    if (!from.has_task_queue()) return InvalidArgument("TaskQueue is not provided");
    into->mutable_task_queue()->set_name(from.task_queue().name());
  }
  if (has("schedule_to_close_timeout"))
    *into->mutable_schedule_to_close_timeout() = from.schedule_to_close_timeout();
  if (has("schedule_to_start_timeout"))
    *into->mutable_schedule_to_start_timeout() = from.schedule_to_start_timeout();
  if (has("start_to_close_timeout"))
    *into->mutable_start_to_close_timeout() = from.start_to_close_timeout();
  if (has("heartbeat_timeout")) *into->mutable_heartbeat_timeout() = from.heartbeat_timeout();
  const bool any_policy = std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
    return path.starts_with("retry_policy");
  });
  if (any_policy && !from.has_retry_policy()) return InvalidArgument("RetryPolicy is not provided");
  if (has("retry_policy")) *into->mutable_retry_policy() = from.retry_policy();
  if (has("retry_policy.initial_interval"))
    *into->mutable_retry_policy()->mutable_initial_interval() =
        from.retry_policy().initial_interval();
  if (has("retry_policy.backoff_coefficient"))
    into->mutable_retry_policy()->set_backoff_coefficient(
        from.retry_policy().backoff_coefficient());
  if (has("retry_policy.maximum_interval"))
    *into->mutable_retry_policy()->mutable_maximum_interval() =
        from.retry_policy().maximum_interval();
  if (has("retry_policy.maximum_attempts"))
    into->mutable_retry_policy()->set_maximum_attempts(from.retry_policy().maximum_attempts());
  if (has("priority")) {
    into->clear_priority();
    if (from.has_priority()) *into->mutable_priority() = from.priority();
  }
  if (has("priority.priority_key"))
    into->mutable_priority()->set_priority_key(from.priority().priority_key());
  if (has("priority.fairness_key"))
    into->mutable_priority()->set_fairness_key(from.priority().fairness_key());
  if (has("priority.fairness_weight"))
    into->mutable_priority()->set_fairness_weight(from.priority().fairness_weight());
  if (has("start_delay")) {
    into->clear_start_delay();
    if (from.has_start_delay()) *into->mutable_start_delay() = from.start_delay();
  }
  return absl::OkStatus();
}

Status NormalizeActivityTimeouts(const std::string& activity_id, const std::string& type,
                                 Duration run_timeout, activitypb::ActivityOptions* options) {
  SQUALL_RETURN_IF_ERROR(
      CheckNotNegative(options->schedule_to_close_timeout(), "ScheduleToCloseTimeout"));
  SQUALL_RETURN_IF_ERROR(
      CheckNotNegative(options->schedule_to_start_timeout(), "ScheduleToStartTimeout"));
  SQUALL_RETURN_IF_ERROR(
      CheckNotNegative(options->start_to_close_timeout(), "StartToCloseTimeout"));
  SQUALL_RETURN_IF_ERROR(CheckNotNegative(options->heartbeat_timeout(), "HeartbeatTimeout"));
  Duration to_close = FromProto(options->schedule_to_close_timeout());
  Duration to_start = FromProto(options->schedule_to_start_timeout());
  Duration start_to_close = FromProto(options->start_to_close_timeout());
  Duration heartbeat = FromProto(options->heartbeat_timeout());
  if (to_close.count() > 0) {
    to_start = to_start.count() > 0 ? std::min(to_start, to_close) : to_close;
    start_to_close = start_to_close.count() > 0 ? std::min(start_to_close, to_close) : to_close;
  } else if (start_to_close.count() > 0) {
    to_close = run_timeout;
    if (to_start.count() == 0) to_start = run_timeout;
  } else {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the "
                      "activity. ActivityId={} ActivityType={}",
                      activity_id, type);
  }
  if (run_timeout.count() > 0) {
    to_close = std::min(to_close, run_timeout);
    to_start = std::min(to_start, run_timeout);
    start_to_close = std::min(start_to_close, run_timeout);
    heartbeat = std::min(heartbeat, run_timeout);
  }
  heartbeat = std::min(heartbeat, start_to_close);
  *options->mutable_schedule_to_close_timeout() = ToProto(to_close);
  *options->mutable_schedule_to_start_timeout() = ToProto(to_start);
  *options->mutable_start_to_close_timeout() = ToProto(start_to_close);
  *options->mutable_heartbeat_timeout() = ToProto(heartbeat);
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<Run>> ActivityOperators::Find(const std::string& ns_name,
                                                       const common::WorkflowExecution& execution) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(ns_name));
  if (execution.workflow_id().empty()) return InvalidArgument("WorkflowId is not set on request.");
  auto found = core_.namespaces.FindRun(ns_name, execution);
  if (!found.ok() && Message(found.status()) == "Invalid RunId.")
    return InvalidArgument("RunId is not valid UUID.");
  SQUALL_RETURN_IF_ERROR(found.status());
  if (!(*found)->open()) return WorkflowClosed();
  return *found;
}

StatusOr<std::vector<std::int64_t>> ActivityOperators::Select(const Run& run, const std::string& id,
                                                              const std::string& type, bool all) {
  std::vector<std::int64_t> selected;
  for (const auto& [scheduled, activity] : run.activities) {
    if (all || (!id.empty() && activity.attributes.activity_id() == id) ||
        (!type.empty() && activity.attributes.activity_type().name() == type)) {
      selected.push_back(scheduled);
    }
  }
  if (selected.empty()) return NoSuchActivity();
  return selected;
}

Duration ActivityOperators::Jitter(const google::protobuf::Duration& most) {
  const Duration limit = FromProto(most);
  if (limit.count() <= 0) return {};
  return Duration(
      static_cast<std::int64_t>(core_.rng.Uniform() * static_cast<double>(limit.count())));
}

StatusOr<ws::PauseActivityResponse> ActivityOperators::Pause(
    const ws::PauseActivityRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.activity_case() == ws::PauseActivityRequest::ACTIVITY_NOT_SET) {
    return InvalidArgument("Either Activity.Id or Activity.Type should be set on request.");
  }
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.execution()));
  SQUALL_ASSIGN_OR_RETURN(const auto selected, Select(*run, request.id(), request.type(), false));
  for (const std::int64_t id : selected) {
    Activity& activity = run->activities.at(id);
    if (activity.paused) {
      if (activity.pause_request_id == request.request_id()) continue;
      return Status(StatusCode::kFailedPrecondition, "activity is already paused");
    }
    activity.paused = true;
    activity.pause_time = core_.now.wall;
    activity.pause_identity = request.identity();
    activity.pause_reason = request.reason();
    activity.pause_request_id = request.request_id();
    if (!activity.started) core_.activities.Withhold(activity);
    core_.ActivityHappened("paused", *run, activity, request.reason());
  }
  TellPauses(*run);
  core_.tasks.Settle(*run, false);
  return ws::PauseActivityResponse();
}

StatusOr<ws::UnpauseActivityResponse> ActivityOperators::Unpause(
    const ws::UnpauseActivityRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.activity_case() == ws::UnpauseActivityRequest::ACTIVITY_NOT_SET) {
    return InvalidArgument("Either Activity.Id or Activity.Type should be set on request.");
  }
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.execution()));
  SQUALL_ASSIGN_OR_RETURN(const auto selected,
                          Select(*run, request.id(), request.type(), request.unpause_all()));
  for (const std::int64_t id : selected) {
    Activity& activity = run->activities.at(id);
    if (!activity.paused) continue;
    activity.paused = false;
    if (request.reset_attempts()) activity.attempt = 1;
    if (request.reset_heartbeat()) {
      activity.heartbeat_details.reset();
      activity.last_heartbeat_time = {};
    }
    core_.ActivityHappened("unpaused", *run, activity);
    if (!activity.started) core_.activities.Redispatch(*run, activity, Jitter(request.jitter()));
  }
  TellPauses(*run);
  core_.tasks.Settle(*run, false);
  return ws::UnpauseActivityResponse();
}

StatusOr<ws::ResetActivityResponse> ActivityOperators::Reset(
    const ws::ResetActivityRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.activity_case() == ws::ResetActivityRequest::ACTIVITY_NOT_SET) {
    return InvalidArgument("Either Activity.Id or Activity.Type should be set on request.");
  }
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.execution()));
  SQUALL_ASSIGN_OR_RETURN(const auto selected,
                          Select(*run, request.id(), request.type(), request.match_all()));
  for (const std::int64_t id : selected) {
    Activity& activity = run->activities.at(id);
    activity.attempt = 1;
    activity.reset = true;
    if (request.reset_heartbeat()) activity.reset_heartbeats = true;
    if (request.restore_original_options()) Restore(*run, activity);
    core_.ActivityHappened("reset", *run, activity);
    if (activity.paused && request.keep_paused()) continue;
    activity.paused = false;
    if (!activity.started) core_.activities.Redispatch(*run, activity, Jitter(request.jitter()));
  }
  TellPauses(*run);
  core_.tasks.Settle(*run, false);
  return ws::ResetActivityResponse();
}

void ActivityOperators::Restore(Run& run, Activity& activity) {
  const auto original =
      run.history.Read(activity.scheduled_event_id).activity_task_scheduled_event_attributes();
  activity.attributes = original;
  activity.options_changed = false;
  core_.activities.RearmTimeouts(run, activity);
}

StatusOr<ws::UpdateActivityOptionsResponse> ActivityOperators::UpdateOptions(
    const ws::UpdateActivityOptionsRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.execution().workflow_id().empty())
    return InvalidArgument("WorkflowId is not set on request.");
  if (request.activity_case() == ws::UpdateActivityOptionsRequest::ACTIVITY_NOT_SET) {
    return InvalidArgument("Either Activity.Id or Activity.Type should be set on request.");
  }
  if (request.restore_original()) {
    if (request.has_update_mask())
      return InvalidArgument("Both UpdateMask and RestoreOriginal are provided");
  } else {
    if (!request.has_activity_options()) return InvalidArgument("ActivityOptions are not provided");
    if (!request.has_update_mask()) return InvalidArgument("UpdateMask is not provided");
  }
  SQUALL_ASSIGN_OR_RETURN(auto run, Find(request.namespace_(), request.execution()));
  SQUALL_ASSIGN_OR_RETURN(const auto selected,
                          Select(*run, request.id(), request.type(), request.match_all()));
  ws::UpdateActivityOptionsResponse response;
  for (const std::int64_t id : selected) {
    Activity& activity = run->activities.at(id);
    activitypb::ActivityOptions options = OptionsOf(activity.attributes);
    if (request.restore_original()) {
      options = OptionsOf(run->history.Read(id).activity_task_scheduled_event_attributes());
    } else {
      SQUALL_RETURN_IF_ERROR(
          MergeActivityOptions(request.activity_options(), request.update_mask(), &options));
      if (options.priority().priority_key() < 0)
        return InvalidArgument("priority key can't be negative");
      if (options.retry_policy().maximum_attempts() < 0)
        return InvalidArgument("MaximumAttempts cannot be negative on retry policy.");
      if (options.task_queue().name().empty()) return InvalidArgument("missing task queue name");
      options.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
      SQUALL_RETURN_IF_ERROR(NormalizeActivityTimeouts(
          activity.attributes.activity_id(), activity.attributes.activity_type().name(),
          FromProto(run->start.workflow_run_timeout()), &options));
    }
    SetOptions(options, &activity.attributes);
    activity.options_changed = !request.restore_original();
    core_.activities.RearmTimeouts(*run, activity);
    *response.mutable_activity_options() = options;
  }
  core_.tasks.Settle(*run, false);
  return response;
}

}  // namespace squall::fakes::engine
