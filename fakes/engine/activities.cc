#include "fakes/engine/activities.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/releases.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

const char* TypeName(enums::TimeoutType type) {
  switch (type) {
    case enums::TIMEOUT_TYPE_START_TO_CLOSE:
      return "StartToClose";
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_START:
      return "ScheduleToStart";
    case enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
      return "ScheduleToClose";
    case enums::TIMEOUT_TYPE_HEARTBEAT:
      return "Heartbeat";
    default:
      return "Unspecified";
  }
}

Status ActivityGone() {
  return NotFound(
      "invalid activityID or activity already timed out or invoking workflow is completed");
}

}  // namespace

std::string TokenOf(const Run& run, const Activity& activity) {
  return TaskToken{.namespace_id = run.ns->id,
                   .workflow_id = run.workflow_id,
                   .run_id = run.run_id,
                   .scheduled_event_id = activity.scheduled_event_id,
                   .attempt = activity.attempt,
                   .activity_id = activity.attributes.activity_id()}
      .Serialize();
}

Activity& Activities::Schedule(Run& run, std::int64_t scheduled_event_id,
                               const historypb::ActivityTaskScheduledEventAttributes& attributes,
                               bool eager) {
  Activity& activity = run.activities[scheduled_event_id];
  activity.scheduled_event_id = scheduled_event_id;
  activity.attributes = attributes;
  run.activity_ids[attributes.activity_id()] = scheduled_event_id;
  Begin(run, activity);
  if (eager) {
    ++activity.stamp;
    activity.scheduled_steady = core_.now.steady;
  } else {
    ArmScheduled(run, activity);
    if (run.pause) PutOff(activity);
  }
  return activity;
}

void Activities::Revive(Run& run, Activity& activity) {
  Begin(run, activity);
  ArmScheduled(run, activity);
}

void Activities::Begin(Run& run, Activity& activity) {
  activity.first_scheduled = activity.scheduled = core_.now.wall;
  activity.first_scheduled_steady = core_.now.steady;
  const Duration to_close = FromProto(activity.attributes.schedule_to_close_timeout());
  if (to_close.count() > 0) {
    activity.expires = core_.now.wall + to_close;
    activity.schedule_to_close = ArmTimeout(run, activity, core_.now.steady + to_close,
                                            enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  }
  core_.ActivityHappened("scheduled", run, activity);
}

// An attempt is ready: to the task queue, under its schedule-to-start time-out.
void Activities::ArmScheduled(Run& run, Activity& activity) {
  ++activity.stamp;
  activity.withheld = false;
  activity.scheduled_steady = core_.now.steady;
  const Duration to_start = FromProto(activity.attributes.schedule_to_start_timeout());
  if (to_start.count() > 0) {
    activity.schedule_to_start = ArmTimeout(run, activity, core_.now.steady + to_start,
                                            enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
  }
  Enqueue(run, activity);
}

void Activities::Enqueue(Run& run, const Activity& activity) {
  core_.Defer([this, weak = run.weak_from_this(), id = activity.scheduled_event_id,
               stamp = activity.stamp] {
    auto held = weak.lock();
    if (held == nullptr || !held->open()) return;
    auto it = held->activities.find(id);
    if (it != held->activities.end() && it->second.stamp == stamp && !it->second.started) {
      core_.matching.AddActivityTask(held, it->second);
    }
  });
}

void Activities::Reschedule(Run& run) {
  for (auto& [id, activity] : run.activities) {
    if (activity.started || activity.retry != 0 || activity.paused || activity.withheld) continue;
    ++activity.stamp;
    Enqueue(run, activity);
  }
}

TimerId Activities::ArmTimeout(Run& run, const Activity& activity, SteadyTime at,
                               enums::TimeoutType type) {
  return core_.At(at, [this, weak = run.weak_from_this(), id = activity.scheduled_event_id, type] {
    if (auto held = weak.lock(); held != nullptr && held->open()) TimedOut(*held, id, type);
  });
}

void Activities::ArmHeartbeat(Run& run, Activity& activity) {
  const Duration limit = FromProto(activity.attributes.heartbeat_timeout());
  if (limit.count() <= 0) return;
  core_.CancelTimer(activity.heartbeat);
  activity.heartbeat =
      ArmTimeout(run, activity, activity.heartbeat_steady + limit, enums::TIMEOUT_TYPE_HEARTBEAT);
}

void Activities::DisarmAttempt(Activity& activity) {
  core_.CancelTimer(activity.schedule_to_start);
  core_.CancelTimer(activity.start_to_close);
  core_.CancelTimer(activity.heartbeat);
  core_.CancelTimer(activity.retry);
}

void Activities::Erase(Run& run, Activity& activity) {
  DisarmAttempt(activity);
  core_.CancelTimer(activity.schedule_to_close);
  run.activity_ids.erase(activity.attributes.activity_id());
  run.activities.erase(activity.scheduled_event_id);
}

void Activities::DropAll(Run& run) {
  for (auto& [id, activity] : run.activities) {
    core_.worker_commands.Cancel(run, activity);
    DisarmAttempt(activity);
    core_.CancelTimer(activity.schedule_to_close);
  }
  run.activities.clear();
  run.activity_ids.clear();
}

ws::PollActivityTaskQueueResponse Activities::StartTask(Run& run, Activity& activity,
                                                        const std::string& identity) {
  core_.CancelTimer(activity.schedule_to_start);
  activity.started = true;
  activity.identity = identity;
  activity.request_id = core_.rng.Uuid();
  activity.started_time = core_.now.wall;
  activity.started_steady = activity.heartbeat_steady = core_.now.steady;
  const Duration to_close = FromProto(activity.attributes.start_to_close_timeout());
  if (to_close.count() > 0) {
    activity.start_to_close =
        ArmTimeout(run, activity, core_.now.steady + to_close, enums::TIMEOUT_TYPE_START_TO_CLOSE);
  }
  ArmHeartbeat(run, activity);
  core_.ActivityHappened("started", run, activity);

  ws::PollActivityTaskQueueResponse response;
  response.set_task_token(TokenOf(run, activity));
  response.set_workflow_namespace(run.ns->name);
  response.mutable_workflow_type()->set_name(run.start.workflow_type().name());
  response.mutable_workflow_execution()->set_workflow_id(run.workflow_id);
  response.mutable_workflow_execution()->set_run_id(run.run_id);
  *response.mutable_activity_type() = activity.attributes.activity_type();
  response.set_activity_id(activity.attributes.activity_id());
  if (activity.attributes.has_header()) *response.mutable_header() = activity.attributes.header();
  if (activity.attributes.has_input()) *response.mutable_input() = activity.attributes.input();
  if (activity.heartbeat_details)
    *response.mutable_heartbeat_details() = *activity.heartbeat_details;
  *response.mutable_scheduled_time() = ToProto(activity.first_scheduled);
  *response.mutable_current_attempt_scheduled_time() = ToProto(activity.scheduled);
  *response.mutable_started_time() = ToProto(activity.started_time);
  response.set_attempt(activity.attempt);
  // The real server tells the time-outs of the scheduled event here, whatever became of them.
  const auto scheduled =
      activity.options_changed
          ? run.history.Read(activity.scheduled_event_id).activity_task_scheduled_event_attributes()
          : historypb::ActivityTaskScheduledEventAttributes();
  const auto& told = activity.options_changed ? scheduled : activity.attributes;
  *response.mutable_schedule_to_close_timeout() = told.schedule_to_close_timeout();
  *response.mutable_start_to_close_timeout() = told.start_to_close_timeout();
  *response.mutable_heartbeat_timeout() = told.heartbeat_timeout();
  *response.mutable_retry_policy() = activity.attributes.retry_policy();
  if (activity.attributes.has_priority()) {
    *response.mutable_priority() = activity.attributes.priority();
  } else if (run.start.has_priority()) {
    *response.mutable_priority() = run.start.priority();
  }
  return response;
}

std::string Activities::Start(Run& run, std::int64_t scheduled_event_id,
                              const std::string& identity) {
  ++run.transitions;
  return SerializeSorted(StartTask(run, run.activities.at(scheduled_event_id), identity));
}

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

StatusOr<Activities::Found> Activities::FindByToken(const std::string& bytes) {
  if (bytes.empty()) return InvalidArgument("Task token not set on request.");
  const auto token = TaskToken::Parse(bytes);
  if (!token) return InvalidArgument("Error deserializing task token.");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.GetById(token->namespace_id));
  SQUALL_ASSIGN_OR_RETURN(auto run, Namespaces::FindRun(*ns, token->workflow_id, token->run_id));
  if (!run->open()) return WorkflowClosed();
  auto it = run->activities.find(token->scheduled_event_id);
  if (it == run->activities.end() || !it->second.started || it->second.attempt != token->attempt) {
    return ActivityGone();
  }
  return Found{std::move(run), &it->second};
}

StatusOr<Activities::Found> Activities::FindById(const std::string& ns_name,
                                                 const std::string& workflow_id,
                                                 const std::string& run_id,
                                                 const std::string& activity_id,
                                                 bool force_complete) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(ns_name));
  if (workflow_id.empty()) return InvalidArgument("WorkflowId is not set on request.");
  if (activity_id.empty()) return InvalidArgument("ActivityId is not set on request.");
  SQUALL_ASSIGN_OR_RETURN(auto run, Namespaces::FindRun(*ns, workflow_id, run_id));
  if (!run->open()) return WorkflowClosed();
  auto it = run->activity_ids.find(activity_id);
  if (it == run->activity_ids.end()) {
    return NotFound(
        fmt::format("cannot find pending activity with ActivityID {}, check workflow execution "
                    "history for more details",
                    activity_id));
  }
  Activity& activity = run->activities.at(it->second);
  if (!activity.started && !force_complete) return ActivityGone();
  return Found{std::move(run), &activity};
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
  run.history.Buffer(std::move(event));
  core_.ActivityHappened("completed", run, activity);
  Erase(run, activity);
  core_.tasks.Settle(run, true);
}

std::optional<SteadyTime> Activities::Expires(const Activity& activity) const {
  const Duration limit = FromProto(activity.attributes.schedule_to_close_timeout());
  if (limit.count() <= 0) return std::nullopt;
  return activity.first_scheduled_steady + limit;
}

// The worker that had the attempt has it no more.
void Activities::EndAttempt(Activity& activity, const failure::Failure* failure) {
  DisarmAttempt(activity);
  ++activity.stamp;
  if (activity.started) {
    activity.last_identity = activity.identity;
    activity.last_complete_time = core_.now.wall;
  }
  activity.started = false;
  activity.identity.clear();
  activity.last_failure.reset();
  if (failure != nullptr) activity.last_failure = *failure;
}

void Activities::Withhold(Activity& activity) {
  DisarmAttempt(activity);
  ++activity.stamp;
}

void Activities::Redispatch(Run& run, Activity& activity, Duration delay) {
  EndAttempt(activity, nullptr);
  if (std::exchange(activity.reset_heartbeats, false)) {
    activity.heartbeat_details.reset();
    activity.last_heartbeat_time = {};
  }
  activity.reset = false;
  activity.scheduled = core_.now.wall + delay;
  activity.retry_interval = delay;
  if (delay.count() > 0) {
    ArmRetry(run, activity, delay);
  } else {
    ArmScheduled(run, activity);
  }
}

void Activities::RearmTimeouts(Run& run, Activity& activity) {
  const auto& attributes = activity.attributes;
  core_.CancelTimer(activity.schedule_to_close);
  if (const auto expires = Expires(activity)) {
    activity.schedule_to_close =
        ArmTimeout(run, activity, *expires, enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  }
  if (activity.started) {
    core_.CancelTimer(activity.start_to_close);
    core_.CancelTimer(activity.heartbeat);
    activity.start_to_close = ArmTimeout(
        run, activity, activity.started_steady + FromProto(attributes.start_to_close_timeout()),
        enums::TIMEOUT_TYPE_START_TO_CLOSE);
    ArmHeartbeat(run, activity);
    return;
  }
  if (activity.paused) return;
  if (activity.retry != 0) {  // the wait that the policy asks for now
    common::RetryPolicy policy = attributes.retry_policy();
    policy.clear_maximum_attempts();
    const Backoff backoff = NextBackoff(core_.now.steady, activity.attempt, policy, {}, {});
    activity.last_failure.reset();
    core_.CancelTimer(activity.retry);
    activity.retry_interval = backoff.interval;
    activity.scheduled = activity.last_complete_time + backoff.interval;
    ArmRetry(run, activity, std::max(Duration{}, activity.scheduled - core_.now.wall));
    return;
  }
  core_.CancelTimer(activity.schedule_to_start);
  ArmScheduled(run, activity);
}

enums::RetryState Activities::Retry(Run& run, Activity& activity, const failure::Failure& failure) {
  if (activity.cancel_requested) return enums::RETRY_STATE_CANCEL_REQUESTED;
  if (failure.has_timeout_failure_info()) {
    const auto type = failure.timeout_failure_info().timeout_type();
    if (type == enums::TIMEOUT_TYPE_SCHEDULE_TO_START ||
        type == enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE) {
      return enums::RETRY_STATE_TIMEOUT;
    }
  }
  const common::RetryPolicy& policy = activity.attributes.retry_policy();
  if (!IsRetryable(failure, policy)) return enums::RETRY_STATE_NON_RETRYABLE_FAILURE;
  if (activity.paused) {  // it waits to be unpaused
    EndAttempt(activity, &failure);
    ++activity.attempt;
    return enums::RETRY_STATE_IN_PROGRESS;
  }
  const Backoff backoff = NextBackoff(core_.now.steady, activity.attempt, policy, Expires(activity),
                                      RequestedDelay(failure));
  if (backoff.state != enums::RETRY_STATE_IN_PROGRESS) return backoff.state;

  EndAttempt(activity, &failure);
  activity.attempt = activity.reset ? 1 : activity.attempt + 1;
  if (std::exchange(activity.reset_heartbeats, false)) {
    activity.heartbeat_details.reset();
    activity.last_heartbeat_time = {};
  }
  activity.reset = false;
  activity.retry_interval = backoff.interval;
  activity.scheduled = core_.now.wall + backoff.interval;
  ArmRetry(run, activity, backoff.interval);
  return enums::RETRY_STATE_IN_PROGRESS;
}

void Activities::ArmRetry(Run& run, Activity& activity, Duration delay) {
  activity.retry =
      core_.After(delay, [this, weak = run.weak_from_this(), id = activity.scheduled_event_id] {
        auto held = weak.lock();
        if (held == nullptr || !held->open()) return;
        auto it = held->activities.find(id);
        if (it == held->activities.end()) return;
        it->second.retry = 0;
        ArmScheduled(*held, it->second);
      });
}

void Activities::FailAttempt(const Found& found, const failure::Failure& given,
                             const common::Payloads* heartbeat, const std::string& identity) {
  Run& run = *found.run;
  Activity& activity = *found.activity;
  const failure::Failure failure = WithinBlobLimit(given);
  if (heartbeat != nullptr && !ExceedsBlobLimit(heartbeat)) {
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
    FailAttempt(found, ServerFailure("Heartbeat details exceed size limit."), nullptr, identity);
    return false;
  }
  Activity& activity = *found.activity;
  if (!identity.empty()) activity.last_identity = identity;
  activity.heartbeat_details.reset();
  if (details != nullptr) activity.heartbeat_details = *details;
  activity.last_heartbeat_time = core_.now.wall;
  activity.heartbeat_steady = core_.now.steady;
  ArmHeartbeat(*found.run, activity);
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
      TimeoutFailure(fmt::format("activity {} timeout", TypeName(type)), type);
  core_.ActivityHappened("timed_out", run, activity, TypeName(type));
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
