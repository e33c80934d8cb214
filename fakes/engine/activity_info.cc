// What DescribeWorkflowExecution tells of a pending activity.

#include "fakes/engine/activities.h"
#include "fakes/engine/core.h"
#include "fakes/engine/releases.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {

workflowpb::PendingActivityInfo Activities::Describe(const Activity& activity) const {
  workflowpb::PendingActivityInfo info;
  info.set_activity_id(activity.attributes.activity_id());
  *info.mutable_activity_type() = activity.attributes.activity_type();
  info.set_attempt(activity.attempt);
  info.set_maximum_attempts(activity.attributes.retry_policy().maximum_attempts());
  if (activity.cancel_requested) {
    info.set_state(enums::PENDING_ACTIVITY_STATE_CANCEL_REQUESTED);
  } else {
    info.set_state(activity.started ? enums::PENDING_ACTIVITY_STATE_STARTED
                                    : enums::PENDING_ACTIVITY_STATE_SCHEDULED);
    if (activity.paused) {
      info.set_state(activity.started ? enums::PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
                                      : enums::PENDING_ACTIVITY_STATE_PAUSED);
    }
  }
  if (activity.paused) {
    info.set_paused(true);
    auto* pause = info.mutable_pause_info();
    *pause->mutable_pause_time() = ToProto(activity.pause_time);
    pause->mutable_manual()->set_identity(activity.pause_identity);
    pause->mutable_manual()->set_reason(activity.pause_reason);
  }
  if (activity.last_complete_time != WallTime{}) {
    *info.mutable_last_attempt_complete_time() = ToProto(activity.last_complete_time);
  }
  if (!activity.started &&
      (activity.retry != 0 || (activity.withheld && activity.scheduled > core_.now.wall))) {
    *info.mutable_next_attempt_schedule_time() = ToProto(activity.scheduled);
    *info.mutable_current_retry_interval() = ToProto(activity.retry_interval);
  } else if (!activity.started && activity.attempt == 1 && OlderThan(core_.options, "1.32")) {
    *info.mutable_current_retry_interval() = activity.attributes.retry_policy().initial_interval();
  }
  if (activity.last_heartbeat_time != WallTime{}) {
    *info.mutable_last_heartbeat_time() = ToProto(activity.last_heartbeat_time);
    if (activity.heartbeat_details) *info.mutable_heartbeat_details() = *activity.heartbeat_details;
  }
  *info.mutable_scheduled_time() = ToProto(activity.scheduled);
  if (activity.started) *info.mutable_last_started_time() = ToProto(activity.started_time);
  info.set_last_worker_identity(activity.identity.empty() ? activity.last_identity
                                                          : activity.identity);
  if (activity.version) {
    info.set_last_worker_deployment_version(DottedName(activity.version));
    *info.mutable_last_deployment_version() = ToProto(*activity.version);
  }
  if (activity.expires != WallTime{}) *info.mutable_expiration_time() = ToProto(activity.expires);
  if (activity.last_failure) *info.mutable_last_failure() = *activity.last_failure;
  if (activity.attributes.has_priority()) *info.mutable_priority() = activity.attributes.priority();
  auto* options = info.mutable_activity_options();
  options->mutable_task_queue()->set_name(activity.attributes.task_queue().name());
  options->mutable_task_queue()->set_normal_name(activity.attributes.task_queue().name());
  *options->mutable_schedule_to_close_timeout() = activity.attributes.schedule_to_close_timeout();
  *options->mutable_schedule_to_start_timeout() = activity.attributes.schedule_to_start_timeout();
  *options->mutable_start_to_close_timeout() = activity.attributes.start_to_close_timeout();
  *options->mutable_heartbeat_timeout() = activity.attributes.heartbeat_timeout();
  *options->mutable_retry_policy() = activity.attributes.retry_policy();
  // The real server does not tell these here.
  options->mutable_retry_policy()->clear_non_retryable_error_types();
  if (activity.attributes.has_priority())
    *options->mutable_priority() = activity.attributes.priority();
  return info;
}

}  // namespace squall::fakes::engine
