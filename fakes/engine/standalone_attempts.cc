// Standalone activities: attempts, from the task queue to their end.

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/activities.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/standalone_state.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

using State_ = StandaloneActivity::Status;

// What waits in the task queue: one attempt.
class AttemptTask final : public ForeignTask {
 public:
  AttemptTask(
      std::weak_ptr<StandaloneActivity> activity, std::uint64_t stamp, common::Priority priority,
      std::function<std::string(StandaloneActivity&, const std::string&, const CallInfo&)> start)
      : activity_(std::move(activity)),
        stamp_(stamp),
        priority_(std::move(priority)),
        start_(std::move(start)) {}
  bool Wanted() const override {
    const auto held = activity_.lock();
    return held != nullptr && held->status == State_::kScheduled && held->stamp == stamp_;
  }
  const common::Priority& priority() const override { return priority_; }
  std::string Start(const std::string& identity, const CallInfo& client) override {
    return start_(*activity_.lock(), identity, client);
  }

 private:
  std::weak_ptr<StandaloneActivity> activity_;
  std::uint64_t stamp_;
  common::Priority priority_;
  std::function<std::string(StandaloneActivity&, const std::string&, const CallInfo&)> start_;
};

}  // namespace

void StandaloneActivities::State::Disarm(Activity& activity) {
  core.CancelTimer(activity.schedule_to_start);
  core.CancelTimer(activity.start_to_close);
  core.CancelTimer(activity.heartbeat);
  core.CancelTimer(activity.dispatch_timer);
}

// The attempt goes to its task queue at `at`; the schedule-to-start time-out counts from there.
void StandaloneActivities::State::Dispatch(Activity& activity, WallTime at) {
  Disarm(activity);
  ++activity.stamp;
  activity.status = Activity::Status::kScheduled;
  activity.dispatch = at;
  const Duration delay = std::max(Duration{}, at - core.now.wall);
  if (const Duration limit = FromProto(activity.options.schedule_to_start_timeout());
      limit.count() > 0) {
    activity.schedule_to_start =
        core.After(delay + limit, [this, weak = activity.weak_from_this()] {
          if (const auto held = weak.lock(); held != nullptr) {
            held->schedule_to_start = 0;
            TimedOut(*held, enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
          }
        });
  }
  const auto add = [this, weak = activity.weak_from_this(), stamp = activity.stamp] {
    const auto held = weak.lock();
    if (held == nullptr || held->stamp != stamp || held->status != State_::kScheduled) return;
    held->dispatch_timer = 0;
    core.matching.AddForeignActivityTask(
        *held->ns, held->options.task_queue().name(),
        std::make_shared<AttemptTask>(
            weak, stamp, held->options.priority(),
            [this](Activity& started, const std::string& identity, const CallInfo& client) {
              return StartAttempt(started, identity, client);
            }));
  };
  if (delay.count() > 0) {
    activity.dispatch_timer = core.After(delay, add);
  } else {
    core.Defer(add);
  }
}

void StandaloneActivities::State::ArmScheduleToClose(Activity& activity) {
  core.CancelTimer(activity.schedule_to_close);
  const Duration limit = FromProto(activity.options.schedule_to_close_timeout());
  if (limit.count() <= 0) return;
  activity.schedule_to_close =
      core.At(activity.scheduled_steady + activity.start_delay() + limit,
              [this, weak = activity.weak_from_this()] {
                if (const auto held = weak.lock(); held != nullptr) {
                  held->schedule_to_close = 0;
                  // Both limits at once: the one of the wait tells.
                  const auto& limits = held->options;
                  const bool waits = held->schedule_to_start != 0 && held->attempt == 1 &&
                                     FromProto(limits.schedule_to_start_timeout()) ==
                                         FromProto(limits.schedule_to_close_timeout());
                  TimedOut(*held, waits ? enums::TIMEOUT_TYPE_SCHEDULE_TO_START
                                        : enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
                }
              });
}

// The time-outs of an attempt that a worker has.
void StandaloneActivities::State::ArmAttempt(Activity& activity) {
  core.CancelTimer(activity.start_to_close);
  core.CancelTimer(activity.heartbeat);
  if (const Duration limit = FromProto(activity.options.start_to_close_timeout());
      limit.count() > 0) {
    activity.start_to_close =
        core.At(activity.started_steady + limit, [this, weak = activity.weak_from_this()] {
          if (const auto held = weak.lock(); held != nullptr) {
            held->start_to_close = 0;
            TimedOut(*held, enums::TIMEOUT_TYPE_START_TO_CLOSE);
          }
        });
  }
  if (const Duration limit = FromProto(activity.options.heartbeat_timeout()); limit.count() > 0) {
    activity.heartbeat =
        core.At(activity.heartbeat_steady + limit, [this, weak = activity.weak_from_this()] {
          if (const auto held = weak.lock(); held != nullptr) {
            held->heartbeat = 0;
            TimedOut(*held, enums::TIMEOUT_TYPE_HEARTBEAT);
          }
        });
  }
}

std::string StandaloneActivities::State::StartAttempt(Activity& activity,
                                                      const std::string& identity,
                                                      const CallInfo& client) {
  Disarm(activity);
  activity.status = Activity::Status::kStarted;
  activity.started = core.now.wall;
  activity.started_steady = activity.heartbeat_steady = core.now.steady;
  activity.worker = identity;
  activity.sdk_name = client.client;
  activity.sdk_version = client.client_version;
  activity.retry_interval.reset();
  ArmAttempt(activity);
  Happened("started", activity);
  Changed(activity);

  ws::PollActivityTaskQueueResponse response;
  response.set_task_token(TaskToken{.namespace_id = activity.ns->id,
                                    .run_id = activity.run_id,
                                    .attempt = activity.attempt,
                                    .activity_id = activity.activity_id}
                              .Serialize());
  response.set_workflow_namespace(activity.ns->name);
  response.mutable_workflow_execution();
  *response.mutable_activity_type() = activity.type;
  response.set_activity_id(activity.activity_id);
  response.set_activity_run_id(activity.run_id);
  if (activity.header) *response.mutable_header() = *activity.header;
  if (activity.input) *response.mutable_input() = *activity.input;
  if (activity.heartbeat_details)
    *response.mutable_heartbeat_details() = *activity.heartbeat_details;
  *response.mutable_scheduled_time() = ToProto(activity.scheduled);
  *response.mutable_current_attempt_scheduled_time() = ToProto(activity.dispatch);
  *response.mutable_started_time() = ToProto(activity.started);
  response.set_attempt(activity.attempt);
  *response.mutable_schedule_to_close_timeout() = activity.options.schedule_to_close_timeout();
  *response.mutable_start_to_close_timeout() = activity.options.start_to_close_timeout();
  *response.mutable_heartbeat_timeout() = activity.options.heartbeat_timeout();
  *response.mutable_retry_policy() = activity.options.retry_policy();
  if (activity.options.has_priority()) *response.mutable_priority() = activity.options.priority();
  return SerializeSorted(response);
}

void StandaloneActivities::State::ClearHeartbeat(Activity& activity) {
  activity.heartbeat_details.reset();
  activity.heartbeat_time = {};
}

void StandaloneActivities::State::RestoreOptions(Activity& activity) {
  const activitypb::ActivityOptions changed = activity.options;
  activity.options = activity.original;
  // The delay of the start counts no more once the first attempt began.
  if (activity.started != WallTime{}) {
    activity.options.clear_start_delay();
    if (changed.has_start_delay()) *activity.options.mutable_start_delay() = changed.start_delay();
  }
  ArmScheduleToClose(activity);
}

enums::RetryState StandaloneActivities::State::Retry(Activity& activity,
                                                     const failure::Failure& failure) {
  if (activity.status == State_::kCancelRequested) return enums::RETRY_STATE_CANCEL_REQUESTED;
  const auto& policy = activity.options.retry_policy();
  if (!IsRetryable(failure, policy)) return enums::RETRY_STATE_NON_RETRYABLE_FAILURE;
  std::optional<SteadyTime> expires;
  if (const Duration limit = FromProto(activity.options.schedule_to_close_timeout());
      limit.count() > 0) {
    expires = activity.scheduled_steady + activity.start_delay() + limit;
  }
  const auto delay = RequestedDelay(failure);
  const Backoff backoff = NextBackoff(core.now.steady, activity.attempt, policy, expires, delay);
  if (backoff.state != enums::RETRY_STATE_IN_PROGRESS) return backoff.state;

  Disarm(activity);
  ++activity.stamp;
  activity.last_failure = failure;
  activity.completed = core.now.wall;
  if (activity.status == State_::kResetRequested) {
    if (std::exchange(activity.reset_restores, false)) RestoreOptions(activity);
    if (std::exchange(activity.reset_clears_heartbeat, false)) ClearHeartbeat(activity);
    activity.attempt = 1;
    activity.retry_interval.reset();
    if (std::exchange(activity.reset_pauses, false)) {
      activity.status = State_::kPaused;
    } else {
      Dispatch(activity, core.now.wall);
    }
    return enums::RETRY_STATE_IN_PROGRESS;
  }
  ++activity.attempt;
  activity.retry_interval = backoff.interval;
  activity.interval_from_policy = !delay || delay->count() == 0;
  if (activity.status == State_::kPauseRequested) {
    activity.status = State_::kPaused;
  } else {
    Dispatch(activity, core.now.wall + backoff.interval);
  }
  return enums::RETRY_STATE_IN_PROGRESS;
}

void StandaloneActivities::State::TimedOut(Activity& activity, enums::TimeoutType type) {
  if (!activity.open()) return;
  failure::Failure failure;
  failure.set_message(fmt::format("activity {} timeout", TimeoutName(type)));
  failure.mutable_timeout_failure_info()->set_timeout_type(type);
  Happened("timed_out", activity, TimeoutName(type));
  const bool of_attempt =
      type == enums::TIMEOUT_TYPE_START_TO_CLOSE || type == enums::TIMEOUT_TYPE_HEARTBEAT;
  enums::RetryState state = enums::RETRY_STATE_TIMEOUT;
  if (of_attempt) {
    state = Retry(activity, failure);
    if (state == enums::RETRY_STATE_IN_PROGRESS) return Changed(activity);
  }
  failure::Failure outcome = failure;
  if (activity.last_failure) *outcome.mutable_cause() = *activity.last_failure;
  if (activity.heartbeat_details) {
    *outcome.mutable_timeout_failure_info()->mutable_last_heartbeat_details() =
        *activity.heartbeat_details;
  }
  if (of_attempt) {
    activity.last_failure = failure;
    activity.completed = core.now.wall;
  }
  activity.retry_interval.reset();
  activity.failed = std::move(outcome);
  activity.retry_state = state;
  Close(activity, State_::kTimedOut);
  Changed(activity);
}

bool StandaloneActivities::Owns(const std::string& bytes) {
  const auto token = TaskToken::Parse(bytes);
  return token && token->workflow_id.empty() && !token->activity_id.empty();
}

StatusOr<std::shared_ptr<StandaloneActivity>> StandaloneActivities::State::FindAttempt(
    const Ref& ref, bool force) {
  std::shared_ptr<Activity> activity;
  std::int64_t attempt = 0;
  if (!ref.token.empty()) {
    const auto token = TaskToken::Parse(ref.token);
    if (!token) return InvalidArgument("Error deserializing task token.");
    SQUALL_ASSIGN_OR_RETURN(auto ns, core.namespaces.GetById(token->namespace_id));
    SQUALL_ASSIGN_OR_RETURN(activity, Find(*ns, token->activity_id, token->run_id));
    attempt = token->attempt;
  } else {
    SQUALL_ASSIGN_OR_RETURN(auto ns, core.namespaces.Get(ref.ns));
    SQUALL_ASSIGN_OR_RETURN(activity, Find(*ns, ref.activity_id, ref.run_id));
  }
  const bool usable =
      activity->running() || (force && (activity->status == Activity::Status::kScheduled ||
                                        activity->status == Activity::Status::kPaused));
  if (!usable || (attempt != 0 && attempt != activity->attempt))
    return NoSuchActivity(activity->activity_id);
  return activity;
}

Status StandaloneActivities::Completed(const Ref& ref, const common::Payloads* result,
                                       const std::string& identity) {
  SQUALL_ASSIGN_OR_RETURN(auto activity, state_->FindAttempt(ref, ref.token.empty()));
  if (!activity->running()) activity->started = core_.now.wall;
  activity->completed = core_.now.wall;
  activity->worker = identity;
  activity->result.emplace();
  if (result != nullptr) *activity->result = *result;
  activity->retry_interval.reset();
  state_->Close(*activity, State_::kCompleted);
  state_->Happened("completed", *activity);
  state_->Changed(*activity);
  return absl::OkStatus();
}

Status StandaloneActivities::Failed(const Ref& ref, const failure::Failure& given,
                                    const common::Payloads* heartbeat,
                                    const std::string& identity) {
  SQUALL_ASSIGN_OR_RETURN(auto activity, state_->FindAttempt(ref, false));
  failure::Failure failure = given;
  if (failure.ByteSizeLong() == 0)
    failure.set_message("activity task failed without failure details");
  if (heartbeat != nullptr) {
    activity->heartbeat_details = *heartbeat;
    activity->heartbeat_time = core_.now.wall;
  }
  if (!identity.empty()) activity->worker = identity;
  state_->Happened("failed", *activity, failure.message());
  const enums::RetryState state = state_->Retry(*activity, failure);
  if (state != enums::RETRY_STATE_IN_PROGRESS) {
    activity->last_failure = activity->failed = failure;
    activity->completed = core_.now.wall;
    activity->retry_interval.reset();
    activity->retry_state = state;
    state_->Close(*activity, State_::kFailed);
  }
  state_->Changed(*activity);
  return absl::OkStatus();
}

Status StandaloneActivities::Canceled(const Ref& ref, const common::Payloads* details,
                                      const std::string&) {
  SQUALL_ASSIGN_OR_RETURN(auto activity, state_->FindAttempt(ref, false));
  if (activity->status != State_::kCancelRequested) {
    return InvalidArgument(
        "unable to mark activity as canceled without activity being request canceled first");
  }
  activity->failed.emplace();
  activity->failed->set_message("Activity canceled");
  auto* info = activity->failed->mutable_canceled_failure_info();
  if (details != nullptr) *info->mutable_details() = *details;
  info->set_identity(activity->cancel_identity);
  state_->Close(*activity, State_::kCanceled);
  state_->Happened("cancelled", *activity);
  state_->Changed(*activity);
  return absl::OkStatus();
}

StatusOr<ws::RecordActivityTaskHeartbeatResponse> StandaloneActivities::Heartbeat(
    const Ref& ref, const common::Payloads* details, const std::string&) {
  SQUALL_ASSIGN_OR_RETURN(auto activity, state_->FindAttempt(ref, false));
  activity->heartbeat_details.reset();
  if (details != nullptr) activity->heartbeat_details = *details;
  activity->heartbeat_time = core_.now.wall;
  activity->heartbeat_steady = core_.now.steady;
  ++activity->heartbeats;
  state_->ArmAttempt(*activity);
  state_->Happened("heartbeat", *activity);
  state_->Changed(*activity);
  ws::RecordActivityTaskHeartbeatResponse response;
  response.set_cancel_requested(activity->status == State_::kCancelRequested);
  response.set_activity_paused(activity->status == State_::kPauseRequested);
  response.set_activity_reset(activity->status == State_::kResetRequested);
  return response;
}

}  // namespace squall::fakes::engine
