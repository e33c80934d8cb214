// Standalone activities: pause, unpause, reset, change of options; and the same for activities of
// workflows, which these calls take too.

#include <google/protobuf/field_mask.pb.h>

#include <algorithm>

#include "fakes/engine/activity_operators.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/standalone_state.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using State_ = StandaloneActivity::Status;

// Paths that MergeActivityOptions knows, in both spellings.
bool KnownPath(std::string_view path) {
  static constexpr std::string_view kKnown[] = {
      "task_queue",
      "task_queue.name",
      "taskQueue",
      "taskQueue.name",
      "schedule_to_close_timeout",
      "scheduleToCloseTimeout",
      "schedule_to_start_timeout",
      "scheduleToStartTimeout",
      "start_to_close_timeout",
      "startToCloseTimeout",
      "heartbeat_timeout",
      "heartbeatTimeout",
      "retry_policy",
      "retryPolicy",
      "retry_policy.initial_interval",
      "retryPolicy.initialInterval",
      "retry_policy.backoff_coefficient",
      "retryPolicy.backoffCoefficient",
      "retry_policy.maximum_interval",
      "retryPolicy.maximumInterval",
      "retry_policy.maximum_attempts",
      "retryPolicy.maximumAttempts",
      "priority",
      "priority.priority_key",
      "priority.priorityKey",
      "priority.fairness_key",
      "priority.fairnessKey",
      "priority.fairness_weight",
      "priority.fairnessWeight",
      "start_delay",
      "startDelay",
  };
  return std::find(std::begin(kKnown), std::end(kKnown), path) != std::end(kKnown);
}

bool MaskNames(const google::protobuf::FieldMask& mask, std::string_view snake,
               std::string_view camel) {
  return std::any_of(mask.paths().begin(), mask.paths().end(), [&](const std::string& path) {
    return path.starts_with(snake) || path.starts_with(camel);
  });
}

template <typename To, typename Request>
To ForWorkflow(const Request& request) {
  To to;
  to.set_namespace_(request.namespace_());
  to.mutable_execution()->set_workflow_id(request.workflow_id());
  to.mutable_execution()->set_run_id(request.run_id());
  to.set_identity(request.identity());
  to.set_id(request.activity_id());
  return to;
}

}  // namespace

Duration StandaloneActivities::State::Jitter(const google::protobuf::Duration& most) {
  const Duration limit = FromProto(most);
  if (limit.count() <= 0) return {};
  return Duration(
      static_cast<std::int64_t>(core.rng.Uniform() * static_cast<double>(limit.count())));
}

StatusOr<ws::PauseActivityExecutionResponse> StandaloneActivities::Pause(
    const ws::PauseActivityExecutionRequest& request) {
  if (!request.workflow_id().empty()) {
    auto to = ForWorkflow<ws::PauseActivityRequest>(request);
    to.set_reason(request.reason());
    to.set_request_id(request.request_id());
    SQUALL_RETURN_IF_ERROR(core_.operators.Pause(to).status());
    return ws::PauseActivityExecutionResponse();
  }
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  ws::PauseActivityExecutionResponse response;
  // A request that comes again does nothing, even after the activity was unpaused.
  if (request.request_id().empty() || activity->pause_request_id != request.request_id()) {
    if (activity->status == State_::kScheduled) {
      state_->Disarm(*activity);
      ++activity->stamp;
      activity->status = State_::kPaused;
    } else if (activity->status == State_::kStarted) {
      activity->status = State_::kPauseRequested;
    } else {
      return MakeStatus(StatusCode::kFailedPrecondition, "activity is in non-pausable state {}",
                        StatusName(activity->status));
    }
    activity->pause_request_id = request.request_id();
    state_->Happened("paused", *activity, request.reason());
  }
  state_->Changed(*activity);
  return response;
}

StatusOr<ws::UnpauseActivityExecutionResponse> StandaloneActivities::Unpause(
    const ws::UnpauseActivityExecutionRequest& request) {
  if (!request.workflow_id().empty()) {
    auto to = ForWorkflow<ws::UnpauseActivityRequest>(request);
    *to.mutable_jitter() = request.jitter();
    SQUALL_RETURN_IF_ERROR(core_.operators.Unpause(to).status());
    return ws::UnpauseActivityExecutionResponse();
  }
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  ws::UnpauseActivityExecutionResponse response;
  if (!request.request_id().empty() && activity->unpause_request_id == request.request_id()) {
    state_->Changed(*activity);
    return response;
  }
  if (!activity->open()) {
    return MakeStatus(StatusCode::kFailedPrecondition, "activity is in terminal state {}",
                      StatusName(activity->status));
  }
  if (activity->status == State_::kPaused) {
    WallTime at = core_.now.wall + state_->Jitter(request.jitter());
    if (activity->started == WallTime{}) at = std::max(at, activity->first_dispatch());
    if (activity->retry_interval)
      at = std::max(at, activity->completed + *activity->retry_interval);
    state_->Dispatch(*activity, at);
  } else if (activity->status == State_::kPauseRequested) {
    activity->status = State_::kStarted;
  } else {
    return MakeStatus(StatusCode::kFailedPrecondition, "activity is in non-unpausable state {}",
                      StatusName(activity->status));
  }
  activity->unpause_request_id = request.request_id();
  state_->Happened("unpaused", *activity, request.reason());
  state_->Changed(*activity);
  return response;
}

StatusOr<ws::ResetActivityExecutionResponse> StandaloneActivities::Reset(
    const ws::ResetActivityExecutionRequest& request) {
  if (!request.workflow_id().empty()) {
    auto to = ForWorkflow<ws::ResetActivityRequest>(request);
    to.set_reset_heartbeat(request.reset_heartbeat());
    to.set_keep_paused(request.keep_paused());
    to.set_restore_original_options(request.restore_original_options());
    *to.mutable_jitter() = request.jitter();
    SQUALL_RETURN_IF_ERROR(core_.operators.Reset(to).status());
    return ws::ResetActivityExecutionResponse();
  }
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  ws::ResetActivityExecutionResponse response;
  if (!request.request_id().empty() && activity->reset_request_id == request.request_id()) {
    state_->Changed(*activity);
    return response;
  }
  switch (activity->status) {
    case State_::kCancelRequested:
      return squall::Status(StatusCode::kFailedPrecondition,
                            "cannot reset an activity with a pending cancellation");
    case State_::kResetRequested:
      return squall::Status(StatusCode::kFailedPrecondition,
                            "cannot reset an activity with a pending reset");
    case State_::kStarted:
    case State_::kPauseRequested:
      // The worker goes on; what was asked for happens when its attempt fails.
      if (request.restore_original_options()) activity->reset_restores = true;
      if (request.reset_heartbeat()) activity->reset_clears_heartbeat = true;
      activity->reset_pauses = request.keep_paused() && activity->status == State_::kPauseRequested;
      activity->status = State_::kResetRequested;
      break;
    case State_::kPaused:
    case State_::kScheduled: {
      if (request.restore_original_options()) state_->RestoreOptions(*activity);
      if (request.reset_heartbeat()) State::ClearHeartbeat(*activity);
      activity->attempt = 1;
      activity->retry_interval.reset();
      if (activity->status == State_::kPaused && request.keep_paused()) {
        ++activity->stamp;
        break;
      }
      WallTime at = core_.now.wall + state_->Jitter(request.jitter());
      if (activity->started == WallTime{}) at = std::max(at, activity->first_dispatch());
      state_->Dispatch(*activity, at);
      break;
    }
    default:
      return squall::Status(StatusCode::kFailedPrecondition, "activity execution is not running");
  }
  activity->reset_request_id = request.request_id();
  state_->Happened("reset", *activity);
  state_->Changed(*activity);
  return response;
}

StatusOr<ws::UpdateActivityExecutionOptionsResponse> StandaloneActivities::UpdateOptions(
    const ws::UpdateActivityExecutionOptionsRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (!request.workflow_id().empty()) {
    auto to = ForWorkflow<ws::UpdateActivityOptionsRequest>(request);
    if (request.has_activity_options()) *to.mutable_activity_options() = request.activity_options();
    if (request.has_update_mask()) *to.mutable_update_mask() = request.update_mask();
    to.set_restore_original(request.restore_original());
    SQUALL_ASSIGN_OR_RETURN(auto updated, core_.operators.UpdateOptions(to));
    ws::UpdateActivityExecutionOptionsResponse response;
    *response.mutable_activity_options() = updated.activity_options();
    return response;
  }
  SQUALL_RETURN_IF_ERROR(CheckIds(request.activity_id(), request.run_id()));
  const auto& mask = request.update_mask();
  if (request.restore_original()) {
    if (request.has_update_mask())
      return InvalidArgument("Both UpdateMask and RestoreOriginal are provided");
  } else {
    if (!request.has_activity_options()) return InvalidArgument("ActivityOptions are not provided");
    if (!request.has_update_mask()) return InvalidArgument("UpdateMask is not provided");
    if (mask.paths().empty()) return InvalidArgument("UpdateMask must specify at least one path");
    for (const std::string& path : mask.paths()) {
      if (!KnownPath(path)) {
        return MakeStatus(StatusCode::kInvalidArgument, "unsupported update_mask path: \"{}\"",
                          path);
      }
    }
    if (MaskNames(mask, "task_queue", "taskQueue") && !request.activity_options().has_task_queue())
      return InvalidArgument("taskQueue is not set");
  }
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  ws::UpdateActivityExecutionOptionsResponse response;
  const auto answer = [&] {
    state_->Changed(*activity);
    *response.mutable_activity_options() = activity->options;
    return response;
  };
  if (!request.request_id().empty() && activity->options_request_id == request.request_id())
    return answer();
  if (!activity->open() || activity->status == State_::kCancelRequested ||
      activity->status == State_::kResetRequested) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "Cannot update options for activity in state {}",
                      StatusName(activity->status));
  }
  if (request.restore_original()) {
    state_->RestoreOptions(*activity);
  } else {
    const bool delay = MaskNames(mask, "start_delay", "startDelay");
    if (delay) {
      if (FromProto(request.activity_options().start_delay()).count() < 0)
        return InvalidArgument("invalid StartDelay: negative duration");
      const bool early = activity->first_dispatch() > core_.now.wall ||
                         (activity->started == WallTime{} && activity->status == State_::kPaused);
      if (!early) {
        return squall::Status(
            StatusCode::kFailedPrecondition,
            "cannot update start_delay: the first activity attempt has already been dispatched");
      }
    }
    activitypb::ActivityOptions options = activity->options;
    SQUALL_RETURN_IF_ERROR(MergeActivityOptions(request.activity_options(), mask, &options));
    if (MaskNames(mask, "retry_policy", "retryPolicy")) {
      EnsureRetryDefaults(options.mutable_retry_policy());
      SQUALL_RETURN_IF_ERROR(CheckRetryPolicy(options.retry_policy()));
    }
    if (options.priority().priority_key() < 0)
      return InvalidArgument("invalid priorities: priority key can't be negative");
    SQUALL_RETURN_IF_ERROR(NormalizeQueue(options.mutable_task_queue(), ""));
    SQUALL_RETURN_IF_ERROR(NormalizeActivityTimeouts(request.activity_id(), activity->type.name(),
                                                     Duration{}, &options));
    activity->options = options;
  }
  const bool policy = request.restore_original() || MaskNames(mask, "retry_policy", "retryPolicy");
  if (!activity->running() && activity->retry_interval && activity->interval_from_policy &&
      policy) {
    common::RetryPolicy unlimited = activity->options.retry_policy();
    unlimited.clear_maximum_attempts();
    activity->retry_interval =
        NextBackoff(core_.now.steady, activity->attempt - 1, unlimited, {}, {}).interval;
  }
  state_->ArmScheduleToClose(*activity);
  if (activity->running()) {
    state_->ArmAttempt(*activity);
  } else if (activity->status == State_::kScheduled) {
    WallTime at = core_.now.wall;
    if (activity->retry_interval) {
      at = activity->completed + *activity->retry_interval;
    } else if (activity->started == WallTime{}) {
      at = std::max(at, activity->first_dispatch());
    }
    state_->Dispatch(*activity, at);
  }
  activity->options_request_id = request.request_id();
  return answer();
}

}  // namespace squall::fakes::engine
