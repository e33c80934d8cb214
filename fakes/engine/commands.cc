#include "fakes/engine/commands.h"

#include <fmt/format.h>

#include "fakes/engine/command_limits.h"
#include "fakes/engine/completion_pages.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

// history.workflowTaskHeartbeatTimeout of the real server.
constexpr Duration kTaskHeartbeatLimit = std::chrono::minutes(30);
// history.discardSpeculativeWorkflowTaskMaximumEventsCount.
constexpr std::int64_t kDiscardEvents = 10;

bool IsClosing(enums::CommandType type) {
  return type == enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION ||
         type == enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION ||
         type == enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION ||
         type == enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION;
}

// Closing commands come last.
Status CheckSequence(const google::protobuf::RepeatedPtrField<command::Command>& commands) {
  for (int i = 0; i + 1 < commands.size(); ++i) {
    if (!IsClosing(commands[i].command_type())) continue;
    std::string names;
    for (const auto& command : commands) {
      if (!names.empty()) names += ", ";
      names += PascalName(enums::CommandType_Name(command.command_type()), "COMMAND_TYPE_");
    }
    return InvalidArgument(fmt::format(
        "invalid command sequence: [{}], command {} must be the last command.", names,
        PascalName(enums::CommandType_Name(commands[i].command_type()), "COMMAND_TYPE_")));
  }
  return absl::OkStatus();
}

// A speculative task from which nothing came leaves no trace.
bool CanDiscard(const Run& run, const ws::RespondWorkflowTaskCompletedRequest& request) {
  if (!run.task.speculative || request.commands_size() != 0 ||
      request.force_create_new_workflow_task())
    return false;
  const std::int64_t room =
      request.capabilities().discard_speculative_workflow_task_with_events() ? kDiscardEvents : 0;
  if (run.history.next_event_id() > run.previous_started_event_id + 2 + room) return false;
  for (const auto& message : request.messages()) {
    if (!message.body().Is<updatepb::Rejection>()) return false;
  }
  return true;
}

// The workflow ends with the task; what else is in it has room.
bool Closes(const ws::RespondWorkflowTaskCompletedRequest& request) {
  return !request.commands().empty() &&
         IsClosing(request.commands(request.commands_size() - 1).command_type());
}

}  // namespace

void Commands::RespondCompleted(CallId call, ws::RespondWorkflowTaskCompletedRequest& request) {
  core_.limits.TakeError();  // of work that was nobody's call
  auto response = Completed(request);
  if (response.ok()) {
    core_.calls.ReplyBytes(call, *std::move(response));
  } else {
    core_.calls.Fail(call, response.status());
  }
}

StatusOr<std::string> Commands::Completed(ws::RespondWorkflowTaskCompletedRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto held, core_.tasks.FindStarted(request.task_token()));
  Run& run = *held;
  const auto token = TaskToken::Parse(request.task_token());
  if (!run.open() || !run.task.is_started() || run.task.stamp != token->stamp) {
    return NotFound("Workflow task not found.");
  }
  if (run.pause && request.force_create_new_workflow_task()) {
    return Status(StatusCode::kFailedPrecondition,
                  "Workflow is paused and force create new workflow task is not allowed.");
  }
  if (core_.options.task_completion_pages) {
    SQUALL_ASSIGN_OR_RETURN(const bool kept, TakeCompletionPage(run, request));
    if (kept) return std::string();
  } else if (request.intermediate_page() || request.page_number() > 0) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "workflow task completion pagination is disabled for this namespace {}",
                      run.ns->name);
  }
  SQUALL_RETURN_IF_ERROR(CheckVersioning(
      request.has_deployment_options() ? &request.deployment_options() : nullptr,
      request.worker_version_stamp().use_versioning(), request.worker_version_stamp().build_id(),
      request.sticky_attributes().worker_task_queue()));
  if (request.versioning_behavior() != enums::VERSIONING_BEHAVIOR_UNSPECIFIED &&
      !request.has_deployment() &&
      request.deployment_options().worker_versioning_mode() !=
          enums::WORKER_VERSIONING_MODE_VERSIONED) {
    return InvalidArgument(
        "versioning behavior cannot be specified without deployment options being set with "
        "versioned mode");
  }
  if (Status bad = CheckSequence(request.commands()); !bad.ok()) {
    if (run.task.speculative) {
      // The real server forgets what it has in memory only, and sends the updates anew.
      for (auto& [id, update] : run.updates) {
        if (update.state == Update::State::kSent) update.state = Update::State::kAdmitted;
      }
      core_.tasks.Clear(run);
      core_.tasks.Schedule(run, {.speculative = true});
    }
    return bad;
  }

  const bool heartbeat = request.force_create_new_workflow_task() && request.commands_size() == 0 &&
                         request.messages_size() == 0;
  if (heartbeat && core_.now.wall > run.task.original_scheduled + kTaskHeartbeatLimit) {
    core_.tasks.StartToCloseTimedOut(run);
    if (auto refused = core_.limits.TakeError()) return *refused;
    return NotFound("workflow task heartbeat timeout");
  }

  auto bad = CommandCheck(core_, run).Check(request.mutable_commands(), request.messages());
  if (bad) {
    if (run.task.attempt > 1 && bad->cause != enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND) {
      core_.updates.TaskFailed(run);
      return InvalidArgument(bad->Text());  // it stays pending until its time-out
    }
    if (const auto refused = core_.limits.Refuse(run, WorkflowTasks::FailureEvents(run)))
      return *refused;
    failure::Failure failure;
    failure.set_message(bad->Text());
    failure.mutable_server_failure_info();
    core_.updates.TaskFailed(run);
    core_.tasks.Fail(run, bad->cause, &failure, request.identity(), request.binary_checksum());
    if (bad->terminates) {
      core_.closing.Terminate(run, bad->Text(), nullptr, "history-service");
    } else {
      core_.tasks.Settle(run, true);
    }
    return InvalidArgument(bad->Text());
  }

  const WallTime original_scheduled = run.task.original_scheduled;
  const bool discard = CanDiscard(run, request);
  if (!discard) {
    const bool closes = Closes(request);
    if (!closes) {
      if (const auto refused = core_.limits.Refuse(run, CompletionEvents(run, request)))
        return *refused;
    }
    if (const auto refused = core_.limits.RefuseCompletion(run, request, closes)) return *refused;
  }
  std::int64_t completed_id = 0;
  historypb::WorkflowTaskCompletedEventAttributes completed;
  if (!discard) {
    core_.tasks.WriteEvents(run, request.identity());
    historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
    auto* attributes = event.mutable_workflow_task_completed_event_attributes();
    attributes->set_scheduled_event_id(run.task.scheduled_event_id);
    attributes->set_started_event_id(run.task.started_event_id);
    attributes->set_identity(request.identity());
    attributes->set_binary_checksum(request.binary_checksum());
    if (request.has_worker_version_stamp())
      *attributes->mutable_worker_version() = request.worker_version_stamp();
    if (request.has_sdk_metadata()) *attributes->mutable_sdk_metadata() = request.sdk_metadata();
    if (request.has_metering_metadata())
      *attributes->mutable_metering_metadata() = request.metering_metadata();
    Versioning::FillCompleted(request, attributes);
    completed = *attributes;
    completed_id = run.history.Append(event);
    Resets::NoteCompletion(run, event);
    run.previous_started_event_id = run.task.started_event_id;
  }
  core_.tasks.Clear(run);
  if (completed_id != 0) core_.versioning.TaskCompleted(run, completed);
  if (request.sticky_attributes().worker_task_queue().name().empty()) {
    WorkflowTasks::ClearSticky(run);
  } else if (!Versioning::InTransition(run)) {
    run.sticky_queue = request.sticky_attributes().worker_task_queue().name();
    run.sticky_timeout = FromProto(request.sticky_attributes().schedule_to_start_timeout());
  }

  activity_not_started_cancelled_ = false;
  std::vector<std::int64_t> eager;
  std::set<std::string> taken;
  for (const auto& command : request.commands()) {
    if (command.command_type() == enums::COMMAND_TYPE_PROTOCOL_MESSAGE) {
      const std::string& id = command.protocol_message_command_attributes().message_id();
      taken.insert(id);
      for (const auto& message : request.messages()) {
        if (message.id() == id) core_.updates.Apply(run, message);
      }
    } else {
      Apply(run, completed_id, command, request, &eager);
    }
  }
  for (const auto& message : request.messages()) {
    if (!taken.contains(message.id())) core_.updates.Apply(run, message);
  }
  if (run.open() && !request.force_create_new_workflow_task()) core_.updates.RejectUnprocessed(run);

  ws::RespondWorkflowTaskCompletedResponse response;
  for (const std::int64_t id : eager) {
    auto it = run.activities.find(id);
    if (run.open() && it != run.activities.end()) {
      it->second.version = VersionOf(request.deployment_options(), {});
      it->second.control_queue = request.worker_control_task_queue();
      *response.add_activity_tasks() =
          core_.activities.StartTask(run, it->second, request.identity());
    }
  }
  if (discard) response.set_reset_history_event_id(run.previous_started_event_id);

  // What comes next: another task at once, handed back in the answer if the worker wants it.
  std::string new_task;
  bool scheduled = false;
  if (run.open()) {
    // On the way to another version the next task goes there through matching.
    const bool moves = Versioning::InTransition(run);
    ScheduleOptions options{.heartbeat = heartbeat,
                            .bypass_matching = request.return_new_workflow_task() && !moves};
    bool wanted = request.force_create_new_workflow_task() || run.history.has_buffered() ||
                  activity_not_started_cancelled_ || moves;
    if (!wanted && core_.updates.HasOutgoing(run)) {
      wanted = true;
      options.speculative = options.bypass_matching;
    }
    if (wanted && !run.pause) {
      scheduled = true;
      if (heartbeat) run.task.original_scheduled = original_scheduled;
      core_.tasks.Schedule(run, options);
      if (options.bypass_matching) {
        const taskqueue::TaskQueue queue = WorkflowTasks::CurrentQueue(run);
        core_.tasks.Start(run, request.identity(), queue.name(),
                          queue.kind() == enums::TASK_QUEUE_KIND_STICKY,
                          "request-from-RespondWorkflowTaskCompleted");
      }
    }
  }
  core_.queries.TaskCompleted(run, request.query_results(), scheduled);
  if (scheduled && run.task.is_started()) {
    new_task = core_.tasks.Response(run, request.force_create_new_workflow_task(), true);
  }
  ++run.transitions;
  if (run.open() && !run.task.is_started()) core_.tasks.Flush(run);
  if (!run.open()) run.history.DropBuffer();
  core_.reads.Notify(run);

  std::string bytes = SerializeSorted(response);
  if (!new_task.empty()) {
    AppendField(bytes, ws::RespondWorkflowTaskCompletedResponse::kWorkflowTaskFieldNumber,
                new_task);
  }
  return bytes;
}

std::int64_t Commands::Append(Run& run, historypb::HistoryEvent& event,
                              const command::Command& command) {
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  *event.mutable_event_group_markers() = command.event_group_markers();
  return run.history.Append(event);
}

void Commands::Apply(Run& run, std::int64_t completed_id, const command::Command& command,
                     const ws::RespondWorkflowTaskCompletedRequest& request,
                     std::vector<std::int64_t>* eager) {
  if (!run.open()) return;
  switch (command.command_type()) {
    case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
      return ScheduleActivity(run, completed_id, command, eager);
    case enums::COMMAND_TYPE_START_TIMER:
      return StartTimer(run, completed_id, command);
    case enums::COMMAND_TYPE_CANCEL_TIMER:
      return CancelTimer(run, completed_id, command, request.identity());
    case enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
      return StartChild(run, completed_id, command);
    case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
      return core_.closing.Complete(run, completed_id, command);
    case enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
      return core_.closing.Fail(run, completed_id, command);
    case enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
      return core_.closing.Cancel(run, completed_id, command);
    case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
      return core_.closing.ContinueAsNew(run, completed_id, command);
    case enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: {
      const std::int64_t id =
          command.request_cancel_activity_task_command_attributes().scheduled_event_id();
      historypb::HistoryEvent event =
          core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED);
      auto* attributes = event.mutable_activity_task_cancel_requested_event_attributes();
      attributes->set_scheduled_event_id(id);
      attributes->set_workflow_task_completed_event_id(completed_id);
      const std::int64_t cancel_id = Append(run, event, command);
      if (core_.activities.RequestCancel(run, id, cancel_id, request.identity()))
        activity_not_started_cancelled_ = true;
      return;
    }
    case enums::COMMAND_TYPE_RECORD_MARKER: {
      const auto& marker = command.record_marker_command_attributes();
      historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_MARKER_RECORDED);
      auto* attributes = event.mutable_marker_recorded_event_attributes();
      attributes->set_marker_name(marker.marker_name());
      *attributes->mutable_details() = marker.details();
      attributes->set_workflow_task_completed_event_id(completed_id);
      if (marker.has_header()) *attributes->mutable_header() = marker.header();
      if (marker.has_failure()) *attributes->mutable_failure() = marker.failure();
      Append(run, event, command);
      return;
    }
    case enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: {
      const auto& signal = command.signal_external_workflow_execution_command_attributes();
      historypb::HistoryEvent event =
          core_.tasks.NewEvent(enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
      auto* attributes =
          event.mutable_signal_external_workflow_execution_initiated_event_attributes();
      attributes->set_workflow_task_completed_event_id(completed_id);
      attributes->set_namespace_(signal.namespace_());
      attributes->set_namespace_id(run.ns->id);
      *attributes->mutable_workflow_execution() = signal.execution();
      attributes->set_signal_name(signal.signal_name());
      if (signal.has_input()) *attributes->mutable_input() = signal.input();
      attributes->set_control(signal.control());
      attributes->set_child_workflow_only(signal.child_workflow_only());
      if (signal.has_header()) *attributes->mutable_header() = signal.header();
      const std::int64_t id = Append(run, event, command);
      core_.children.SignalExternal(run, id, *attributes, request.identity());
      return;
    }
    case enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: {
      const auto& cancel = command.request_cancel_external_workflow_execution_command_attributes();
      historypb::HistoryEvent event = core_.tasks.NewEvent(
          enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED);
      auto* attributes =
          event.mutable_request_cancel_external_workflow_execution_initiated_event_attributes();
      attributes->set_workflow_task_completed_event_id(completed_id);
      attributes->set_namespace_(cancel.namespace_());
      attributes->set_namespace_id(run.ns->id);
      attributes->mutable_workflow_execution()->set_workflow_id(cancel.workflow_id());
      attributes->mutable_workflow_execution()->set_run_id(cancel.run_id());
      attributes->set_control(cancel.control());
      attributes->set_child_workflow_only(cancel.child_workflow_only());
      attributes->set_reason(cancel.reason());
      const std::int64_t id = Append(run, event, command);
      core_.children.CancelExternal(run, id, *attributes);
      return;
    }
    case enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: {
      const auto& upsert = command.upsert_workflow_search_attributes_command_attributes();
      historypb::HistoryEvent event =
          core_.tasks.NewEvent(enums::EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
      auto* attributes = event.mutable_upsert_workflow_search_attributes_event_attributes();
      attributes->set_workflow_task_completed_event_id(completed_id);
      *attributes->mutable_search_attributes() = upsert.search_attributes();
      for (auto& [key, value] : *attributes->mutable_search_attributes()->mutable_indexed_fields())
        SetType(*run.ns, key, &value);
      Append(run, event, command);
      for (const auto& [key, value] : attributes->search_attributes().indexed_fields()) {
        Visibility::Upsert(run.search_attributes, key, value);
      }
      return;
    }
    case enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: {
      const auto& modify = command.modify_workflow_properties_command_attributes();
      historypb::HistoryEvent event =
          core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED);
      auto* attributes = event.mutable_workflow_properties_modified_event_attributes();
      attributes->set_workflow_task_completed_event_id(completed_id);
      *attributes->mutable_upserted_memo() = modify.upserted_memo();
      Append(run, event, command);
      for (const auto& [key, value] : modify.upserted_memo().fields())
        Visibility::Upsert(run.memo, key, value);
      return;
    }
    case enums::COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION:
      return core_.nexus_operations.Schedule(run, completed_id, command);
    case enums::COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION:
      return core_.nexus_operations.RequestCancel(run, completed_id, command);
    default:
      return;  // CommandCheck let none through
  }
}

void Commands::ScheduleActivity(Run& run, std::int64_t completed_id,
                                const command::Command& command, std::vector<std::int64_t>* eager) {
  const auto& schedule = command.schedule_activity_task_command_attributes();
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
  auto* attributes = event.mutable_activity_task_scheduled_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_id);
  attributes->set_activity_id(schedule.activity_id());
  *attributes->mutable_activity_type() = schedule.activity_type();
  *attributes->mutable_task_queue() = schedule.task_queue();
  if (schedule.has_header()) *attributes->mutable_header() = schedule.header();
  if (schedule.has_input()) *attributes->mutable_input() = schedule.input();
  *attributes->mutable_schedule_to_close_timeout() = schedule.schedule_to_close_timeout();
  *attributes->mutable_schedule_to_start_timeout() = schedule.schedule_to_start_timeout();
  *attributes->mutable_start_to_close_timeout() = schedule.start_to_close_timeout();
  *attributes->mutable_heartbeat_timeout() = schedule.heartbeat_timeout();
  *attributes->mutable_retry_policy() = schedule.retry_policy();
  attributes->set_use_workflow_build_id(schedule.use_workflow_build_id());
  if (schedule.has_priority()) *attributes->mutable_priority() = schedule.priority();
  const std::int64_t id = Append(run, event, command);
  const bool at_once = schedule.request_eager_execution() && !run.pause;
  core_.activities.Schedule(run, id, *attributes, at_once);
  if (at_once) eager->push_back(id);
}

void Commands::StartTimer(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& timer = command.start_timer_command_attributes();
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_TIMER_STARTED);
  auto* attributes = event.mutable_timer_started_event_attributes();
  attributes->set_timer_id(timer.timer_id());
  *attributes->mutable_start_to_fire_timeout() = timer.start_to_fire_timeout();
  attributes->set_workflow_task_completed_event_id(completed_id);
  UserTimer& started = run.timers[timer.timer_id()];
  started.started_event_id = Append(run, event, command);
  started.timer = core_.After(FromProto(timer.start_to_fire_timeout()),
                              [this, weak = run.weak_from_this(), id = timer.timer_id()] {
                                auto held = weak.lock();
                                if (held != nullptr && held->open()) TimerFired(*held, id);
                              });
}

void Commands::TimerFired(Run& run, const std::string& timer_id) {
  auto it = run.timers.find(timer_id);
  if (it == run.timers.end()) return;
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_TIMER_FIRED);
  event.mutable_timer_fired_event_attributes()->set_timer_id(timer_id);
  event.mutable_timer_fired_event_attributes()->set_started_event_id(it->second.started_event_id);
  run.timers.erase(it);
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, true);
}

void Commands::CancelTimer(Run& run, std::int64_t completed_id, const command::Command& command,
                           const std::string& identity) {
  const std::string& id = command.cancel_timer_command_attributes().timer_id();
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_TIMER_CANCELED);
  auto* attributes = event.mutable_timer_canceled_event_attributes();
  attributes->set_timer_id(id);
  attributes->set_workflow_task_completed_event_id(completed_id);
  attributes->set_identity(identity);
  if (auto it = run.timers.find(id); it != run.timers.end()) {
    attributes->set_started_event_id(it->second.started_event_id);
    core_.CancelTimer(it->second.timer);
    run.timers.erase(it);
  } else {
    for (const auto& buffered : run.history.buffered()) {
      if (buffered.event_type() == enums::EVENT_TYPE_TIMER_FIRED &&
          buffered.timer_fired_event_attributes().timer_id() == id) {
        attributes->set_started_event_id(
            buffered.timer_fired_event_attributes().started_event_id());
      }
    }
    run.history.RemoveTimerFired(id);
  }
  Append(run, event, command);
}

void Commands::StartChild(Run& run, std::int64_t completed_id, const command::Command& command) {
  const auto& child = command.start_child_workflow_execution_command_attributes();
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED);
  auto* attributes = event.mutable_start_child_workflow_execution_initiated_event_attributes();
  attributes->set_workflow_task_completed_event_id(completed_id);
  attributes->set_namespace_(child.namespace_());
  attributes->set_namespace_id(run.ns->id);
  attributes->set_workflow_id(child.workflow_id());
  *attributes->mutable_workflow_type() = child.workflow_type();
  *attributes->mutable_task_queue() = child.task_queue();
  if (child.has_header()) *attributes->mutable_header() = child.header();
  if (child.has_input()) *attributes->mutable_input() = child.input();
  if (child.has_workflow_execution_timeout()) {
    *attributes->mutable_workflow_execution_timeout() = child.workflow_execution_timeout();
  }
  *attributes->mutable_workflow_run_timeout() = child.workflow_run_timeout();
  *attributes->mutable_workflow_task_timeout() = child.workflow_task_timeout();
  attributes->set_parent_close_policy(child.parent_close_policy());
  attributes->set_control(child.control());
  attributes->set_workflow_id_reuse_policy(child.workflow_id_reuse_policy());
  if (child.has_retry_policy()) *attributes->mutable_retry_policy() = child.retry_policy();
  attributes->set_cron_schedule(child.cron_schedule());
  if (!child.memo().fields().empty()) *attributes->mutable_memo() = child.memo();
  if (!child.search_attributes().indexed_fields().empty()) {
    *attributes->mutable_search_attributes() = child.search_attributes();
  }
  attributes->set_inherit_build_id(child.inherit_build_id());
  if (child.has_versioning_override())
    *attributes->mutable_versioning_override() = child.versioning_override();
  if (child.has_priority()) *attributes->mutable_priority() = child.priority();
  const std::int64_t id = Append(run, event, command);
  core_.children.Start(run, id, *attributes, command);
}

}  // namespace squall::fakes::engine
