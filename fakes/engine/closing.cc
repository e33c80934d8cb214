#include "fakes/engine/closing.h"

#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/cron.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// history.workflowIdReuseMinimalInterval: runs of a chain start at least this far apart.
constexpr Duration kMinRunInterval = std::chrono::seconds(1);

// The first payload when it is JSON, for the journal.
std::string JsonOf(const common::Payloads& payloads) {
  if (payloads.payloads_size() == 0) return "null";
  const common::Payload& payload = payloads.payloads(0);
  const auto encoding = payload.metadata().find("encoding");
  if (encoding == payload.metadata().end() || !encoding->second.starts_with("json/")) return "null";
  return payload.data();
}

// The next run of a chain may be reset to where the earlier ones may, as long as they are kept.
void CarryResetPoints(const Core& core, const Run& from,
                      historypb::WorkflowExecutionStartedEventAttributes& to) {
  to.clear_prev_auto_reset_points();
  for (const auto& given : from.reset_points) {
    auto* point = to.mutable_prev_auto_reset_points()->add_points();
    *point = given;
    if (!point->has_expire_time())
      *point->mutable_expire_time() = ToProto(core.now.wall + from.ns->retention);
  }
}

}  // namespace

Closing::Next Closing::AfterCron(const Run& run) {
  const auto backoff = CronBackoff(run.start.cron_schedule(), run.execution_time, core_.now.wall);
  if (!backoff) return {};
  if (run.execution_expires && core_.now.wall + *backoff > *run.execution_expires) return {};
  return {.initiator = enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE, .backoff = *backoff};
}

Closing::Next Closing::AfterFailure(const Run& run, const failure::Failure& failure) {
  Next next;
  if (!run.start.has_retry_policy()) {
    next.state = enums::RETRY_STATE_RETRY_POLICY_NOT_SET;
  } else if (!IsRetryable(failure, run.start.retry_policy())) {
    next.state = enums::RETRY_STATE_NON_RETRYABLE_FAILURE;
  } else {
    std::optional<SteadyTime> expires;
    if (run.execution_expires)
      expires = core_.now.steady + (*run.execution_expires - core_.now.wall);
    const Backoff backoff = NextBackoff(core_.now.steady, run.start.attempt(),
                                        run.start.retry_policy(), expires, RequestedDelay(failure));
    next.state = backoff.state;
    if (backoff.state == enums::RETRY_STATE_IN_PROGRESS) {
      next.initiator = enums::CONTINUE_AS_NEW_INITIATOR_RETRY;
      next.backoff = backoff.interval;
      return next;
    }
  }
  Next cron = AfterCron(run);
  cron.state = next.state;
  return cron;
}

void Closing::Complete(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& attributes = command.complete_workflow_execution_command_attributes();
  const Next next = AfterCron(run);
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* closed = event.mutable_workflow_execution_completed_event_attributes();
  closed->set_workflow_task_completed_event_id(completed_id);
  if (attributes.has_result()) *closed->mutable_result() = attributes.result();
  const std::string new_run_id = next.follows() ? core_.rng.Uuid() : "";
  closed->set_new_execution_run_id(new_run_id);
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_COMPLETED, "completed",
        JsonOf(attributes.result()), {}, new_run_id);
  if (next.follows()) StartNext(run, next, new_run_id, &attributes.result(), nullptr);
}

void Closing::Fail(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& attributes = command.fail_workflow_execution_command_attributes();
  const Next next = AfterFailure(run, attributes.failure());
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* closed = event.mutable_workflow_execution_failed_event_attributes();
  closed->set_workflow_task_completed_event_id(completed_id);
  *closed->mutable_failure() = attributes.failure();
  closed->set_retry_state(next.state);
  const std::string new_run_id = next.follows() ? core_.rng.Uuid() : "";
  closed->set_new_execution_run_id(new_run_id);
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_FAILED, "failed", {},
        attributes.failure().message(), new_run_id);
  if (next.follows()) {
    const bool cron = next.initiator == enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE;
    StartNext(run, next, new_run_id,
              cron && run.start.has_last_completion_result() ? &run.start.last_completion_result()
                                                             : nullptr,
              &attributes.failure());
  }
}

void Closing::Cancel(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& attributes = command.cancel_workflow_execution_command_attributes();
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* closed = event.mutable_workflow_execution_canceled_event_attributes();
  closed->set_workflow_task_completed_event_id(completed_id);
  if (attributes.has_details()) *closed->mutable_details() = attributes.details();
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_CANCELED, "cancelled", {}, {}, {});
}

Duration Closing::MinBackoff(const Run& run, Duration backoff) const {
  Duration lifetime = core_.now.wall - run.execution_time;
  if (lifetime.count() < 0) lifetime = std::max(Duration{}, core_.now.wall - run.started);
  return lifetime + backoff < kMinRunInterval ? kMinRunInterval - lifetime : backoff;
}

void Closing::ContinueAsNew(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& attributes = command.continue_as_new_workflow_execution_command_attributes();
  const auto initiator = attributes.initiator() == enums::CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED
                             ? enums::CONTINUE_AS_NEW_INITIATOR_WORKFLOW
                             : attributes.initiator();
  const std::string new_run_id = core_.rng.Uuid();
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* closed = event.mutable_workflow_execution_continued_as_new_event_attributes();
  closed->set_workflow_task_completed_event_id(completed_id);
  closed->set_new_execution_run_id(new_run_id);
  *closed->mutable_workflow_type() = attributes.workflow_type();
  *closed->mutable_task_queue() = attributes.task_queue();
  if (attributes.has_header()) *closed->mutable_header() = attributes.header();
  if (attributes.has_input()) *closed->mutable_input() = attributes.input();
  *closed->mutable_workflow_run_timeout() = attributes.workflow_run_timeout();
  *closed->mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  if (attributes.has_backoff_start_interval()) {
    *closed->mutable_backoff_start_interval() = attributes.backoff_start_interval();
  }
  closed->set_initiator(attributes.initiator());
  if (attributes.has_failure()) *closed->mutable_failure() = attributes.failure();
  if (attributes.has_last_completion_result()) {
    *closed->mutable_last_completion_result() = attributes.last_completion_result();
  }
  const bool memo = !attributes.memo().fields().empty();
  const bool search_attributes = !attributes.search_attributes().indexed_fields().empty();
  if (memo) *closed->mutable_memo() = attributes.memo();
  if (search_attributes) *closed->mutable_search_attributes() = attributes.search_attributes();
  closed->set_inherit_build_id(attributes.inherit_build_id());
  closed->set_initial_versioning_behavior(attributes.initial_versioning_behavior());

  NewRun start;
  start.ns = run.ns;
  start.workflow_id = run.workflow_id;
  start.run_id = new_run_id;
  start.request_id = core_.rng.Uuid();
  auto& next = start.attributes;
  *next.mutable_workflow_type() = attributes.workflow_type();
  next.mutable_task_queue()->set_name(attributes.task_queue().name());
  next.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (attributes.has_input()) *next.mutable_input() = attributes.input();
  if (attributes.has_header()) *next.mutable_header() = attributes.header();
  if (run.start.has_workflow_execution_timeout()) {
    *next.mutable_workflow_execution_timeout() = run.start.workflow_execution_timeout();
  }
  *next.mutable_workflow_run_timeout() = attributes.workflow_run_timeout();
  *next.mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  if (attributes.has_retry_policy()) *next.mutable_retry_policy() = attributes.retry_policy();
  next.set_cron_schedule(attributes.cron_schedule());
  if (memo) *next.mutable_memo() = attributes.memo();
  if (search_attributes) *next.mutable_search_attributes() = attributes.search_attributes();
  if (attributes.has_last_completion_result()) {
    *next.mutable_last_completion_result() = attributes.last_completion_result();
  }
  if (attributes.has_failure()) *next.mutable_continued_failure() = attributes.failure();
  if (run.start.has_priority()) *next.mutable_priority() = run.start.priority();
  core_.versioning.InheritByContinue(run, attributes, &next);
  next.set_initiator(initiator);
  next.set_attempt(initiator == enums::CONTINUE_AS_NEW_INITIATOR_RETRY ? run.start.attempt() + 1
                                                                       : 1);
  const Duration backoff = MinBackoff(run, FromProto(attributes.backoff_start_interval()));
  if (backoff.count() > 0) *next.mutable_first_workflow_task_backoff() = ToProto(backoff);
  core_.children.CopyParent(run, next);
  Callbacks::CopyTo(run, next);
  next.set_continued_execution_run_id(run.run_id);
  next.set_first_execution_run_id(run.first_run_id);
  if (run.start.has_workflow_execution_expiration_time()) {
    *next.mutable_workflow_execution_expiration_time() =
        run.start.workflow_execution_expiration_time();
  }
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, "continued", {},
        {}, new_run_id);
  CarryResetPoints(core_, run, start.attributes);
  core_.starts.Create(std::move(start));
}

void Closing::ForceTaskEnd(Run& run) {
  if (!run.task.is_started()) return;
  core_.tasks.Fail(run, enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND, nullptr,
                   kHistoryService);
  core_.tasks.Flush(run);
}

void Closing::Terminate(Run& run, const std::string& reason, const common::Payloads* details,
                        const std::string& identity,
                        const google::protobuf::RepeatedPtrField<common::Link>* links) {
  ForceTaskEnd(run);
  core_.tasks.Flush(run);
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED);
  auto* attributes = event.mutable_workflow_execution_terminated_event_attributes();
  attributes->set_reason(reason);
  if (details != nullptr) *attributes->mutable_details() = *details;
  attributes->set_identity(identity);
  if (links != nullptr) *event.mutable_links() = *links;
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_TERMINATED, "terminated", {},
        reason, {});
  core_.tasks.Settle(run, false);
}

void Closing::TimedOut(Run& run) {
  const failure::Failure failure =
      TimeoutFailure("workflow timeout", enums::TIMEOUT_TYPE_START_TO_CLOSE);
  Next next;
  next.state = enums::RETRY_STATE_TIMEOUT;
  if (!run.execution_expires || *run.execution_expires > core_.now.wall)
    next = AfterFailure(run, failure);
  ForceTaskEnd(run);
  core_.tasks.Flush(run);
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT);
  auto* attributes = event.mutable_workflow_execution_timed_out_event_attributes();
  attributes->set_retry_state(next.state);
  const std::string new_run_id = next.follows() ? core_.rng.Uuid() : "";
  attributes->set_new_execution_run_id(new_run_id);
  Close(run, std::move(event), enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT, "timed_out", {},
        "workflow timeout", new_run_id);
  if (next.follows()) {
    StartNext(
        run, next, new_run_id,
        run.start.has_last_completion_result() ? &run.start.last_completion_result() : nullptr,
        &failure);
  }
  core_.tasks.Settle(run, false);
}

void Closing::Close(Run& run, historypb::HistoryEvent event, enums::WorkflowExecutionStatus status,
                    const char* journal_what, const std::string& result, const std::string& detail,
                    const std::string& new_run_id) {
  run.history.Append(event);
  const VisibilityKey old_key = Namespaces::KeyOf(run);
  run.status = status;
  run.closed = core_.now.wall;
  run.new_run_id = new_run_id;
  core_.namespaces.Reindex(run, old_key);
  core_.CancelTimer(run.run_timer);
  core_.CancelTimer(run.execution_timer);
  core_.CancelTimer(run.backoff_timer);
  run.retention = core_.After(run.ns->retention, [this, weak = run.weak_from_this()] {
    const auto held = weak.lock();
    if (held == nullptr) return;
    held->retention = 0;
    core_.signals.Remove(held);
  });
  run.task_at_close = run.task;
  for (const auto& [id, activity] : run.activities)
    run.activities_at_close.push_back(core_.activities.Describe(activity));
  core_.tasks.Clear(run);
  core_.activities.DropAll(run);
  for (auto& [id, timer] : run.timers) core_.CancelTimer(timer.timer);
  run.timers.clear();
  run.pending_signals.clear();
  run.pending_cancels.clear();
  core_.nexus_operations.RunClosed(run);
  core_.callbacks.RunClosed(run, event);
  core_.WorkflowHappened(journal_what, run, result, detail);
  core_.updates.RunClosed(run);
  core_.scheduler.RunClosed(run);
  core_.Defer([this, held = run.shared_from_this(), event = std::move(event)] {
    // After the task that closes the run has given its answers to queries.
    core_.queries.Unblock(*held);
    core_.children.RunClosed(*held, event);
  });
}

void Closing::StartNext(Run& run, const Next& next, const std::string& new_run_id,
                        const common::Payloads* last_result, const failure::Failure* last_failure) {
  const bool retry = next.initiator == enums::CONTINUE_AS_NEW_INITIATOR_RETRY;
  NewRun start;
  start.ns = run.ns;
  start.workflow_id = run.workflow_id;
  start.run_id = new_run_id;
  start.request_id = core_.rng.Uuid();
  auto& attributes = start.attributes;
  attributes = run.start;
  attributes.clear_identity();
  attributes.clear_last_completion_result();
  attributes.clear_continued_failure();
  attributes.clear_eager_execution_accepted();
  Callbacks::CopyTo(run, attributes);
  core_.versioning.InheritByRetry(run, next.initiator, &attributes);
  attributes.set_initiator(next.initiator);
  attributes.set_attempt(retry ? run.start.attempt() + 1 : 1);
  attributes.set_continued_execution_run_id(run.run_id);
  if (last_result != nullptr) *attributes.mutable_last_completion_result() = *last_result;
  if (last_failure != nullptr) *attributes.mutable_continued_failure() = *last_failure;
  *attributes.mutable_first_workflow_task_backoff() = ToProto(MinBackoff(run, next.backoff));
  CarryResetPoints(core_, run, start.attributes);
  core_.starts.Create(std::move(start));
}

}  // namespace squall::fakes::engine
