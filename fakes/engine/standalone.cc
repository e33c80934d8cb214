#include "fakes/engine/standalone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "fakes/engine/activity_operators.h"
#include "fakes/engine/completion_callbacks.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/standalone_state.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

using State_ = StandaloneActivity::Status;

Status TooLong(std::string_view what, std::size_t size) {
  return MakeStatus(StatusCode::kInvalidArgument, "{} exceeds length limit. Length={} Limit={}",
                    what, size, kMaxIdLength);
}

template <typename Request>
Status CheckNames(const Request& request) {
  if (request.request_id().size() > kMaxIdLength)
    return TooLong("request ID", request.request_id().size());
  if (request.identity().size() > kMaxIdLength)
    return TooLong("identity", request.identity().size());
  return absl::OkStatus();
}

}  // namespace

Status NoSuchActivity(const std::string& id) {
  return NotFound(fmt::format("activity not found for ID: {}", id));
}

Status CheckIds(const std::string& activity_id, const std::string& run_id) {
  if (activity_id.empty()) return InvalidArgument("activity ID is required");
  if (activity_id.size() > kMaxIdLength) return TooLong("activity ID", activity_id.size());
  if (!run_id.empty() && !IsUuid(run_id))
    return InvalidArgument("invalid run id: must be a valid UUID");
  return absl::OkStatus();
}

Duration StandaloneActivity::start_delay() const { return FromProto(options.start_delay()); }

std::string_view StatusName(State_ status) {
  static constexpr std::string_view kNames[] = {
      "Scheduled", "Started", "CancelRequested", "Paused",     "PauseRequested", "ResetRequested",
      "Completed", "Failed",  "Canceled",        "Terminated", "TimedOut"};
  return kNames[static_cast<std::size_t>(status)];
}

enums::ActivityExecutionStatus ApiStatus(State_ status) {
  switch (status) {
    case State_::kPaused:
      return enums::ACTIVITY_EXECUTION_STATUS_PAUSED;
    case State_::kCompleted:
      return enums::ACTIVITY_EXECUTION_STATUS_COMPLETED;
    case State_::kFailed:
      return enums::ACTIVITY_EXECUTION_STATUS_FAILED;
    case State_::kCanceled:
      return enums::ACTIVITY_EXECUTION_STATUS_CANCELED;
    case State_::kTerminated:
      return enums::ACTIVITY_EXECUTION_STATUS_TERMINATED;
    case State_::kTimedOut:
      return enums::ACTIVITY_EXECUTION_STATUS_TIMED_OUT;
    default:
      return enums::ACTIVITY_EXECUTION_STATUS_RUNNING;
  }
}

StandaloneActivities::StandaloneActivities(Core& core)
    : core_(core), state_(std::make_unique<State>(core)) {}
StandaloneActivities::~StandaloneActivities() = default;

StatusOr<std::shared_ptr<StandaloneActivity>> StandaloneActivities::State::Find(
    Namespace& ns, const std::string& activity_id, const std::string& run_id) {
  auto& executions = by_namespace[ns.id];
  const auto it = executions.find(activity_id);
  if (it == executions.end()) return NoSuchActivity(activity_id);
  if (run_id.empty()) {
    if (it->second.current == nullptr) return NoSuchActivity(activity_id);
    return it->second.current;
  }
  const auto run = it->second.runs.find(run_id);
  if (run == it->second.runs.end()) return NoSuchActivity(activity_id);
  return run->second;
}

StatusOr<std::shared_ptr<StandaloneActivity>> StandaloneActivities::State::Find(
    const std::string& ns_name, const std::string& activity_id, const std::string& run_id) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core.namespaces.Get(ns_name));
  SQUALL_RETURN_IF_ERROR(CheckIds(activity_id, run_id));
  return Find(*ns, activity_id, run_id);
}

void StandaloneActivities::State::Happened(const char* what, const Activity& activity,
                                           const std::string& detail) {
  if (!core.options.journal_state) return;
  journal::ActivityEvent event;
  event.what = what;
  event.run_id = activity.run_id;
  event.activity_id = activity.activity_id;
  event.type = activity.type.name();
  event.task_queue = activity.options.task_queue().name();
  event.identity = activity.worker;
  event.attempt = activity.attempt;
  event.detail = detail;
  core.sink.Append(core.source, std::move(event));
}

StatusOr<ws::StartActivityExecutionResponse> StandaloneActivities::Start(
    ws::StartActivityExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (FromProto(request.start_delay()).count() < 0)
    return InvalidArgument("invalid StartDelay: negative duration");
  if (!request.has_task_queue()) return InvalidArgument("taskQueue is not set");
  SQUALL_RETURN_IF_ERROR(NormalizeQueue(request.mutable_task_queue(), ""));
  if (request.activity_id().empty()) return InvalidArgument("activityId is not set");
  if (request.activity_type().name().empty()) return InvalidArgument("activityType is not set");
  EnsureRetryDefaults(request.mutable_retry_policy());
  SQUALL_RETURN_IF_ERROR(CheckRetryPolicy(request.retry_policy()));
  if (request.activity_id().size() > kMaxIdLength)
    return TooLong("activityId", request.activity_id().size());
  if (request.activity_type().name().size() > kMaxIdLength)
    return TooLong("activityType", request.activity_type().name().size());
  if (request.priority().priority_key() < 0)
    return InvalidArgument("invalid priorities: priority key can't be negative");
  activitypb::ActivityOptions options;
  *options.mutable_task_queue() = request.task_queue();
  *options.mutable_schedule_to_close_timeout() = request.schedule_to_close_timeout();
  *options.mutable_schedule_to_start_timeout() = request.schedule_to_start_timeout();
  *options.mutable_start_to_close_timeout() = request.start_to_close_timeout();
  *options.mutable_heartbeat_timeout() = request.heartbeat_timeout();
  *options.mutable_retry_policy() = request.retry_policy();
  if (request.has_priority()) *options.mutable_priority() = request.priority();
  if (request.has_start_delay()) *options.mutable_start_delay() = request.start_delay();
  SQUALL_RETURN_IF_ERROR(NormalizeActivityTimeouts(
      request.activity_id(), request.activity_type().name(), Duration{}, &options));
  SQUALL_RETURN_IF_ERROR(CheckNames(request));
  SQUALL_RETURN_IF_ERROR(core_.visibility.CheckAttributes(*ns, request.search_attributes()));
  SQUALL_RETURN_IF_ERROR(NormalizeCallbacks(request.mutable_completion_callbacks()));
  if (request.has_on_conflict_options()) {
    const auto& conflict = request.on_conflict_options();
    if (conflict.attach_completion_callbacks() && !conflict.attach_request_id()) {
      return InvalidArgument(
          "on_conflict_options: attach_completion_callbacks requires attach_request_id to be set");
    }
    if (conflict.attach_request_id() && request.completion_callbacks().empty() &&
        request.links().empty()) {
      return InvalidArgument(
          "on_conflict_options: attach_request_id requires at least one completion callback or "
          "link");
    }
  }
  if (request.id_reuse_policy() > enums::ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE) {
    return MakeStatus(StatusCode::kInvalidArgument, "unsupported ID reuse policy: {}",
                      static_cast<int>(request.id_reuse_policy()));
  }
  if (request.id_conflict_policy() > enums::ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING) {
    return MakeStatus(StatusCode::kInvalidArgument, "unsupported ID conflict policy: {}",
                      static_cast<int>(request.id_conflict_policy()));
  }
  if (request.request_id().empty()) request.set_request_id(core_.rng.Uuid());

  State::Execution& execution = state_->by_namespace[ns->id][request.activity_id()];
  ws::StartActivityExecutionResponse response;
  const auto answer = [&](const StandaloneActivity& activity) {
    response.set_run_id(activity.run_id);
    auto* link = response.mutable_link()->mutable_activity();
    link->set_namespace_(ns->name);
    link->set_activity_id(activity.activity_id);
    link->set_run_id(activity.run_id);
    return response;
  };
  if (const auto current = execution.current; current != nullptr) {
    if (current->request_id == request.request_id()) return answer(*current);
    bool refused = false;
    if (current->open()) {
      if (request.id_conflict_policy() == enums::ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING) {
        if (request.on_conflict_options().attach_completion_callbacks()) {
          SQUALL_RETURN_IF_ERROR(state_->Attach(*current, request));
          state_->Changed(*current);
        }
        if (request.on_conflict_options().attach_links()) {
          current->links.insert(current->links.end(), request.links().begin(),
                                request.links().end());
          state_->Changed(*current);
        }
        return answer(*current);
      }
      refused = true;
    } else {
      const auto reuse = request.id_reuse_policy();
      refused = reuse == enums::ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE ||
                (reuse == enums::ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY &&
                 current->status == State_::kCompleted);
    }
    if (refused) {
      ::temporal::api::errordetails::v1::ActivityExecutionAlreadyStartedFailure detail;
      detail.set_start_request_id(current->request_id);
      detail.set_run_id(current->run_id);
      return WithDetail(StatusCode::kAlreadyExists, "activity execution already started", detail);
    }
  }

  auto activity = std::make_shared<StandaloneActivity>();
  activity->ns = ns;
  activity->activity_id = request.activity_id();
  activity->run_id = core_.rng.Uuid();
  activity->request_id = request.request_id();
  activity->type = request.activity_type();
  activity->options = activity->original = options;
  if (request.has_input()) activity->input = request.input();
  if (request.has_header()) activity->header = request.header();
  if (request.has_user_metadata()) activity->user_metadata = request.user_metadata();
  for (const auto& [key, value] : request.search_attributes().indexed_fields())
    Visibility::Upsert(activity->search_attributes, key, value);
  activity->links.assign(request.links().begin(), request.links().end());
  SQUALL_RETURN_IF_ERROR(state_->Attach(*activity, request));
  activity->scheduled = core_.now.wall;
  activity->scheduled_steady = core_.now.steady;
  execution.current = activity;
  execution.runs[activity->run_id] = activity;
  state_->Happened("scheduled", *activity);
  state_->ArmScheduleToClose(*activity);
  state_->Dispatch(*activity, activity->first_dispatch());
  response.set_started(true);
  return answer(*activity);
}

void StandaloneActivities::Describe(CallId call,
                                    const ws::DescribeActivityExecutionRequest& request) {
  const auto check = [&]() -> Status {
    SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
    SQUALL_RETURN_IF_ERROR(CheckIds(request.activity_id(), ""));
    if (!request.long_poll_token().empty() && request.run_id().empty())
      return InvalidArgument("run id is required when long poll token is provided");
    return CheckIds(request.activity_id(), request.run_id());
  };
  if (Status bad = check(); !bad.ok()) return core_.calls.Fail(call, bad);
  auto found = state_->Find(request.namespace_(), request.activity_id(), request.run_id());
  if (!found.ok()) return core_.calls.Fail(call, found.status());
  if (request.long_poll_token().empty())
    return core_.calls.Reply(call, state_->Description(**found, request));
  const auto token = PageToken::Parse(request.long_poll_token());
  if (!token) return core_.calls.Fail(call, InvalidArgument("invalid long poll token"));
  if (token->run_id != (*found)->run_id) {
    return core_.calls.Fail(call, InvalidArgument("long poll token does not match execution"));
  }
  if (token->first < (*found)->transitions)
    return core_.calls.Reply(call, state_->Description(**found, request));
  state_->Wait(*found, {.call = call, .describe = request});
}

void StandaloneActivities::Poll(CallId call, const ws::PollActivityExecutionRequest& request) {
  auto found = state_->Find(request.namespace_(), request.activity_id(), request.run_id());
  if (!found.ok()) return core_.calls.Fail(call, found.status());
  if (!(*found)->open()) return core_.calls.Reply(call, State::Outcome(**found));
  state_->Wait(*found, {.call = call});
}

void StandaloneActivities::State::Wait(const std::shared_ptr<Activity>& activity,
                                       Activity::Waiter waiter) {
  SteadyTime until = core.now.steady + core.options.history_long_poll;
  if (const auto deadline = core.calls.deadline(waiter.call))
    until = std::min(until, *deadline - core.options.long_poll_margin);
  const CallId call = waiter.call;
  const auto forget = [this, weak = std::weak_ptr(activity), call](bool answer) {
    const auto held = weak.lock();
    if (held == nullptr) return;
    std::erase_if(held->waiters, [&](const Activity::Waiter& waiting) {
      if (waiting.call != call) return false;
      if (!answer) core.timers.Cancel(waiting.timer);
      return true;
    });
    if (answer) core.calls.ReplyBytes(call, {});  // the caller asks again
  };
  waiter.timer = core.timers.Add(until, [forget] { forget(true); });
  activity->waiters.push_back(std::move(waiter));
  core.calls.Hold(call, [forget] { forget(false); });
}

void StandaloneActivities::State::Changed(Activity& activity) {
  ++activity.transitions;
  for (Activity::Waiter& waiter : std::exchange(activity.waiters, {})) {
    if (waiter.describe) {
      core.timers.Cancel(waiter.timer);
      core.calls.Reply(waiter.call, Description(activity, *waiter.describe));
    } else if (!activity.open()) {
      core.timers.Cancel(waiter.timer);
      core.calls.Reply(waiter.call, Outcome(activity));
    } else {
      activity.waiters.push_back(std::move(waiter));
    }
  }
}

void StandaloneActivities::State::Close(Activity& activity, Activity::Status status) {
  activity.status = status;
  activity.closed = core.now.wall;
  Disarm(activity);
  CallBackAll(activity);
  core.CancelTimer(activity.schedule_to_close);
  activity.retention = core.After(activity.ns->retention, [this, weak = activity.weak_from_this()] {
    const auto held = weak.lock();
    if (held == nullptr) return;
    held->retention = 0;
    Remove(held);
  });
}

void StandaloneActivities::State::Remove(const std::shared_ptr<Activity>& activity) {
  Disarm(*activity);
  core.CancelTimer(activity->schedule_to_close);
  core.CancelTimer(activity->retention);
  for (const Activity::Waiter& waiter : std::exchange(activity->waiters, {})) {
    core.timers.Cancel(waiter.timer);
    core.calls.Fail(waiter.call, NoSuchActivity(activity->activity_id));
  }
  auto& executions = by_namespace[activity->ns->id];
  const auto it = executions.find(activity->activity_id);
  if (it == executions.end()) return;
  it->second.runs.erase(activity->run_id);
  if (it->second.current == activity) it->second.current = nullptr;
  if (it->second.runs.empty()) executions.erase(it);
}

StatusOr<ws::RequestCancelActivityExecutionResponse> StandaloneActivities::RequestCancel(
    const ws::RequestCancelActivityExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  SQUALL_RETURN_IF_ERROR(CheckIds(request.activity_id(), ""));
  SQUALL_RETURN_IF_ERROR(CheckNames(request));
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  ws::RequestCancelActivityExecutionResponse response;
  if (!request.request_id().empty() && activity->cancel_request_id == request.request_id()) {
    state_->Changed(*activity);
    return response;
  }
  if (!activity->open()) {
    return MakeStatus(StatusCode::kFailedPrecondition, "activity is in terminal state {}",
                      StatusName(activity->status));
  }
  if (activity->status == State_::kCancelRequested) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "cancellation already requested with request ID {}",
                      activity->cancel_request_id);
  }
  activity->cancel_known = true;
  activity->cancel_identity = request.identity();
  activity->cancel_reason = request.reason();
  activity->cancel_request_id =
      request.request_id().empty() ? core_.rng.Uuid() : request.request_id();
  activity->reset_restores = activity->reset_clears_heartbeat = false;
  state_->Happened("cancel_requested", *activity, request.reason());
  if (activity->running()) {
    activity->status = State_::kCancelRequested;
  } else {
    const common::Payloads details = JsonText(request.reason());
    activity->failed.emplace();
    activity->failed->set_message("Activity canceled");
    auto* info = activity->failed->mutable_canceled_failure_info();
    *info->mutable_details() = details;
    info->set_identity(request.identity());
    state_->Close(*activity, State_::kCanceled);
    state_->Happened("cancelled", *activity, "not started");
  }
  state_->Changed(*activity);
  return response;
}

StatusOr<ws::TerminateActivityExecutionResponse> StandaloneActivities::Terminate(
    const ws::TerminateActivityExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  SQUALL_RETURN_IF_ERROR(CheckIds(request.activity_id(), ""));
  SQUALL_RETURN_IF_ERROR(CheckNames(request));
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  if (activity->status == State_::kTerminated) {
    if (activity->terminate_request_id != request.request_id()) {
      return MakeStatus(StatusCode::kFailedPrecondition, "already terminated with request ID {}",
                        activity->terminate_request_id);
    }
    state_->Changed(*activity);
    return ws::TerminateActivityExecutionResponse();
  }
  if (!activity->open()) {
    return MakeStatus(StatusCode::kFailedPrecondition, "invalid transition from {}",
                      StatusName(activity->status));
  }
  activity->terminate_request_id =
      request.request_id().empty() ? core_.rng.Uuid() : request.request_id();
  activity->failed.emplace();
  activity->failed->set_message(request.reason());
  activity->failed->mutable_terminated_failure_info()->set_identity(request.identity());
  state_->Close(*activity, State_::kTerminated);
  state_->Happened("terminated", *activity, request.reason());
  state_->Changed(*activity);
  return ws::TerminateActivityExecutionResponse();
}

StatusOr<ws::DeleteActivityExecutionResponse> StandaloneActivities::Delete(
    const ws::DeleteActivityExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(
      auto activity, state_->Find(request.namespace_(), request.activity_id(), request.run_id()));
  if (activity->open()) {
    activity->failed.emplace();
    activity->failed->set_message("Delete activity execution");
    activity->failed->mutable_terminated_failure_info();
    state_->Close(*activity, State_::kTerminated);
    state_->Changed(*activity);
  }
  core_.Defer([this, activity] { state_->Remove(activity); });
  return ws::DeleteActivityExecutionResponse();
}

void StandaloneActivities::ForgetWaiters() {
  for (auto& [ns, executions] : state_->by_namespace) {
    for (auto& [id, execution] : executions) {
      for (auto& [run_id, activity] : execution.runs) {
        for (const auto& waiter : std::exchange(activity->waiters, {}))
          core_.timers.Cancel(waiter.timer);
      }
    }
  }
}

void StandaloneActivities::Clear(const Namespace* ns) {
  std::vector<std::shared_ptr<StandaloneActivity>> gone;
  for (auto& [ns_id, executions] : state_->by_namespace) {
    if (ns != nullptr && ns_id != ns->id) continue;
    for (auto& [id, execution] : executions) {
      for (auto& [run_id, activity] : execution.runs) gone.push_back(activity);
    }
  }
  for (const auto& activity : gone) state_->Remove(activity);
  if (ns == nullptr) state_->by_namespace.clear();
}

std::string StandaloneActivities::Check() const {
  for (const auto& [ns, executions] : state_->by_namespace) {
    for (const auto& [id, execution] : executions) {
      for (const auto& [run_id, activity] : execution.runs) {
        if (activity->open() && execution.current != activity)
          return id + ": an open standalone activity is not the current one";
        if (!activity->open() && !activity->waiters.empty())
          return id + ": calls wait for a closed standalone activity";
        if (!activity->open() && !activity->result && !activity->failed)
          return id + ": a closed standalone activity has no outcome";
        const bool attempt_timers = activity->start_to_close != 0 || activity->heartbeat != 0;
        if (attempt_timers && !activity->running())
          return id + ": time-outs of an attempt that nobody has";
        if (activity->dispatch_timer != 0 && activity->status != State_::kScheduled)
          return id + ": a standalone activity waits for its attempt in the wrong state";
      }
    }
  }
  return {};
}

}  // namespace squall::fakes::engine
