#include "fakes/engine/activities.h"

#include <algorithm>

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {

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
  if (to_close.count() > 0 && !Planted(PlantedBug::kActivityTimeoutForgotten)) {
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
  if (failure != nullptr) {
    activity.last_failure = WithinStateLimit(*failure, core_.options.limits.activity_failure_size);
  }
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
  if (Planted(PlantedBug::kRetryForgotten) && failure.has_timeout_failure_info())
    return enums::RETRY_STATE_IN_PROGRESS;
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

}  // namespace squall::fakes::engine
