// How activities of workflows end, and what their workers tell before: each end is an event in the
// history, behind the started event that was kept back until then.

#include <fmt/format.h>

#include "base/util/planted.h"
#include "fakes/engine/activities.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {

// The started event of an activity is written when the activity closes: retries leave no trace in
// the history.
void Activities::BufferStarted(Run& run, const Activity& activity) {
  if (!activity.started) return;
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_STARTED);
  *event.mutable_event_time() = ToProto(activity.started_time);
  auto* attributes = event.mutable_activity_task_started_event_attributes();
  attributes->set_scheduled_event_id(activity.scheduled_event_id);
  attributes->set_attempt(activity.attempt);
  attributes->set_request_id(activity.request_id);
  attributes->set_identity(activity.identity);
  if (activity.last_failure) *attributes->mutable_last_failure() = *activity.last_failure;
  run.history.Buffer(std::move(event));
}

bool Activities::RequestCancel(Run& run, std::int64_t scheduled_event_id,
                               std::int64_t cancel_event_id, const std::string& identity) {
  auto it = run.activities.find(scheduled_event_id);
  if (it == run.activities.end()) return false;  // its end waits in the buffer
  Activity& activity = it->second;
  activity.cancel_requested = true;
  activity.cancel_request_event_id = cancel_event_id;
  core_.ActivityHappened("cancel_requested", run, activity);
  if (activity.started) {
    core_.worker_commands.Cancel(run, activity);
    return false;
  }
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED);
  auto* attributes = event.mutable_activity_task_canceled_event_attributes();
  attributes->set_scheduled_event_id(scheduled_event_id);
  attributes->set_latest_cancel_requested_event_id(cancel_event_id);
  *attributes->mutable_details() = JsonText("ACTIVITY_ID_NOT_STARTED");
  attributes->set_identity(identity);
  run.history.Buffer(std::move(event));
  core_.ActivityHappened("cancelled", run, activity, "not started");
  Erase(run, activity);
  return true;
}

void Activities::Complete(const Found& found, const common::Payloads* result,
                          const std::string& identity) {
  if (ExceedsBlobLimit(result)) {
    return FailAttempt(found, ServerFailure("Complete result exceeds size limit."), nullptr,
                       identity);
  }
  Run& run = *found.run;
  Activity& activity = *found.activity;
  if (!activity.started) {  // completed by id before a worker took it
    activity.started = true;
    activity.started_time = core_.now.wall;
    activity.identity = identity;
  }
  BufferStarted(run, activity);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED);
  auto* attributes = event.mutable_activity_task_completed_event_attributes();
  attributes->set_scheduled_event_id(activity.scheduled_event_id);
  if (result != nullptr) *attributes->mutable_result() = *result;
  attributes->set_identity(identity);
  if (Planted(PlantedBug::kResolvedTwice) && activity.attempt > 1) run.history.Buffer(event);
  run.history.Buffer(std::move(event));
  core_.ActivityHappened("completed", run, activity);
  Erase(run, activity);
  core_.tasks.Settle(run, true);
}

void Activities::FailAttempt(const Found& found, const failure::Failure& failure,
                             const common::Payloads* heartbeat, const std::string& identity) {
  Run& run = *found.run;
  Activity& activity = *found.activity;
  if (heartbeat != nullptr) {
    activity.heartbeat_details = *heartbeat;
    activity.last_heartbeat_time = core_.now.wall;
  }
  core_.ActivityHappened("failed", run, activity, failure.message());
  const enums::RetryState state = Retry(run, activity, failure);
  if (state == enums::RETRY_STATE_IN_PROGRESS) {
    core_.tasks.Settle(run, false);
    return;
  }
  BufferStarted(run, activity);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_FAILED);
  auto* attributes = event.mutable_activity_task_failed_event_attributes();
  attributes->set_scheduled_event_id(activity.scheduled_event_id);
  *attributes->mutable_failure() = failure;
  attributes->set_retry_state(state);
  attributes->set_identity(identity);
  run.history.Buffer(std::move(event));
  Erase(run, activity);
  core_.tasks.Settle(run, true);
}

Status Activities::Cancel(const Found& found, const common::Payloads* details,
                          const std::string& identity) {
  Run& run = *found.run;
  Activity& activity = *found.activity;
  if (!activity.cancel_requested) {
    return InvalidArgument(
        "unable to mark activity as canceled without activity being request canceled first");
  }
  if (ExceedsBlobLimit(details)) {
    FailAttempt(found, ServerFailure("Cancel details exceed size limit."), nullptr, identity);
    return absl::OkStatus();
  }
  BufferStarted(run, activity);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED);
  auto* attributes = event.mutable_activity_task_canceled_event_attributes();
  attributes->set_scheduled_event_id(activity.scheduled_event_id);
  attributes->set_latest_cancel_requested_event_id(activity.cancel_request_event_id);
  if (details != nullptr) *attributes->mutable_details() = *details;
  attributes->set_identity(identity);
  run.history.Buffer(std::move(event));
  core_.ActivityHappened("cancelled", run, activity);
  Erase(run, activity);
  core_.tasks.Settle(run, true);
  return absl::OkStatus();
}

bool Activities::RecordHeartbeat(const Found& found, const common::Payloads* details,
                                 const std::string& identity) {
  if (ExceedsBlobLimit(details)) {
    FailAttempt(found, ServerFailure(kHeartbeatExceedsLimit), nullptr, identity);
    return false;
  }
  Activity& activity = *found.activity;
  if (!identity.empty()) activity.last_identity = identity;
  activity.heartbeat_details.reset();
  if (details != nullptr) activity.heartbeat_details = *details;
  activity.last_heartbeat_time = core_.now.wall;
  activity.heartbeat_steady = core_.now.steady;
  if (!Planted(PlantedBug::kHeartbeatIgnored)) ArmHeartbeat(*found.run, activity);
  core_.ActivityHappened("heartbeat", *found.run, activity);
  ++found.run->transitions;
  return true;
}

void Activities::TimedOut(Run& run, std::int64_t scheduled_event_id, enums::TimeoutType type) {
  auto it = run.activities.find(scheduled_event_id);
  if (it == run.activities.end()) return;
  Activity& activity = it->second;
  switch (type) {  // this timer is spent
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
      activity.schedule_to_close = 0;
      break;
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_START:
      activity.schedule_to_start = 0;
      break;
    case enums::TIMEOUT_TYPE_START_TO_CLOSE:
      activity.start_to_close = 0;
      break;
    default:
      activity.heartbeat = 0;
      break;
  }
  failure::Failure failure =
      TimeoutFailure(fmt::format("activity {} timeout", TimeoutName(type)), type);
  core_.ActivityHappened("timed_out", run, activity, TimeoutName(type));
  const enums::RetryState state = Retry(run, activity, failure);
  if (state == enums::RETRY_STATE_IN_PROGRESS) {
    core_.tasks.Settle(run, false);
    return;
  }
  if (state == enums::RETRY_STATE_TIMEOUT && type != enums::TIMEOUT_TYPE_SCHEDULE_TO_START) {
    failure = TimeoutFailure(
        "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up "
        "retrying",
        enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  }
  if (activity.heartbeat_details) {
    *failure.mutable_timeout_failure_info()->mutable_last_heartbeat_details() =
        *activity.heartbeat_details;
  }
  // What really went wrong in the last attempt.
  if (activity.last_failure) *failure.mutable_cause() = *activity.last_failure;
  BufferStarted(run, activity);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT);
  auto* attributes = event.mutable_activity_task_timed_out_event_attributes();
  attributes->set_scheduled_event_id(scheduled_event_id);
  *attributes->mutable_failure() = std::move(failure);
  attributes->set_retry_state(state);
  run.history.Buffer(std::move(event));
  Erase(run, activity);
  core_.tasks.Settle(run, true);
}

}  // namespace squall::fakes::engine
