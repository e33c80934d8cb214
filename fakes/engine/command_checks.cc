#include <fmt/format.h>

#include "fakes/engine/command_limits.h"
#include "fakes/engine/commands.h"
#include "fakes/engine/core.h"
#include "fakes/engine/cron.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

template <typename... Args>
std::optional<TaskFailure> Bad(enums::WorkflowTaskFailedCause cause,
                               fmt::format_string<Args...> text, Args&&... args) {
  return TaskFailure{cause, fmt::format(text, std::forward<Args>(args)...)};
}

std::optional<TaskFailure> Bad(enums::WorkflowTaskFailedCause cause, const Status& status) {
  return TaskFailure{cause, std::string(Message(status))};
}

}  // namespace

std::string PascalName(std::string_view enum_name, std::string_view prefix) {
  if (enum_name.starts_with(prefix)) enum_name.remove_prefix(prefix.size());
  std::string out;
  bool upper = true;
  for (const char c : enum_name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out.push_back(upper ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    upper = false;
  }
  return out;
}

std::string TaskFailure::Text() const {
  const std::string name =
      PascalName(enums::WorkflowTaskFailedCause_Name(cause), "WORKFLOW_TASK_FAILED_CAUSE_");
  return message.empty() ? name : name + ": " + message;
}

CommandCheck::CommandCheck(Core& core, const Run& run)
    : core_(core), run_(run), buffered_(run.history.buffered().size()) {
  for (const auto& [id, event_id] : run.activity_ids) activity_ids_.insert(id);
  for (const auto& [id, timer] : run.timers) timers_.insert(id);
  for (const auto& event : run.history.buffered()) {
    if (event.event_type() == enums::EVENT_TYPE_TIMER_FIRED) {
      fired_timers_.insert(event.timer_fired_event_attributes().timer_id());
    }
  }
}

std::optional<TaskFailure> CommandCheck::Check(
    google::protobuf::RepeatedPtrField<command::Command>* commands,
    const google::protobuf::RepeatedPtrField<protocol::Message>& messages) {
  std::set<std::string> message_ids, taken;
  NexusCommandCheck nexus(core_, run_);
  CommandLimits limits(core_.options.limits, run_);
  // The event that the next command will write; unwritten tasks write their two events first.
  const bool unwritten = run_.transient() || run_.task.speculative;
  std::int64_t event_id = run_.history.next_event_id() + (unwritten ? 3 : 1);
  for (const auto& message : messages) message_ids.insert(message.id());
  for (command::Command& command : *commands) {
    Result bad = MissingAttributes(command, buffered_ > 0);
    if (bad) return bad;
    switch (command.command_type()) {
      case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
        bad = Activity(command.mutable_schedule_activity_task_command_attributes());
        break;
      case enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK:
        bad = CancelActivity(command.request_cancel_activity_task_command_attributes());
        break;
      case enums::COMMAND_TYPE_START_TIMER:
        bad = StartTimer(command.start_timer_command_attributes());
        break;
      case enums::COMMAND_TYPE_CANCEL_TIMER:
        bad = CancelTimer(command.cancel_timer_command_attributes());
        break;
      case enums::COMMAND_TYPE_RECORD_MARKER:
        if (command.record_marker_command_attributes().marker_name().empty()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES,
                    "MarkerName is not set on RecordMarkerCommand.");
        }
        break;
      case enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
        bad = Child(command.mutable_start_child_workflow_execution_command_attributes());
        break;
      case enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION:
        bad =
            SignalExternal(command.mutable_signal_external_workflow_execution_command_attributes());
        break;
      case enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION:
        bad =
            CancelExternal(command.request_cancel_external_workflow_execution_command_attributes());
        break;
      case enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: {
        const auto& attributes = command.upsert_workflow_search_attributes_command_attributes();
        if (!attributes.has_search_attributes()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
                    "SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.");
        } else if (attributes.search_attributes().indexed_fields().empty()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
                    "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.");
        } else if (Status status =
                       core_.visibility.CheckAttributes(*run_.ns, attributes.search_attributes());
                   !status.ok()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, status);
        }
        break;
      }
      case enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: {
        const auto& attributes = command.modify_workflow_properties_command_attributes();
        if (!attributes.has_upserted_memo()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
                    "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.");
        } else if (attributes.upserted_memo().fields().empty()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
                    "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.");
        }
        break;
      }
      case enums::COMMAND_TYPE_PROTOCOL_MESSAGE: {
        const std::string& id = command.protocol_message_command_attributes().message_id();
        if (id.empty()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
                    "MessageID is not set on ProtocolMessageCommand.");
        } else if (!message_ids.contains(id) || !taken.insert(id).second) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
                    "ProtocolMessageCommand referenced absent message ID {}", id);
        } else {
          for (const auto& message : messages) {
            if (message.id() == id) bad = Message(message);
          }
        }
        break;
      }
      case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
      case enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
        if (buffered_ > 0)
          bad = TaskFailure{enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, ""};
        break;
      case enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
        if (buffered_ > 0) {
          bad = TaskFailure{enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, ""};
        } else if (!command.fail_workflow_execution_command_attributes().has_failure()) {
          bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
                    "Failure is not set on FailWorkflowExecutionCommand.");
        }
        break;
      case enums::COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION:
      case enums::COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION:
        bad = nexus.Check(command, event_id);
        break;
      case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
        bad =
            ContinueAsNew(command.mutable_continue_as_new_workflow_execution_command_attributes());
        break;
      default:
        bad = Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED,
                  "squall fake server: {} is not implemented",
                  enums::CommandType_Name(command.command_type()));
    }
    if (!bad) bad = limits.Check(command);
    if (bad) return bad;
    ++event_id;
  }
  for (const auto& message : messages) {
    if (taken.contains(message.id())) continue;
    if (Result bad = Message(message)) return bad;
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::Activity(
    command::ScheduleActivityTaskCommandAttributes* attributes) {
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES;
  if (!attributes->has_task_queue()) return Bad(kCause, "taskQueue is not set");
  if (Status bad = NormalizeQueue(attributes->mutable_task_queue(), ""); !bad.ok())
    return Bad(kCause, bad);
  if (attributes->activity_id().empty()) return Bad(kCause, "activityId is not set");
  if (attributes->activity_type().name().empty()) return Bad(kCause, "activityType is not set");
  EnsureRetryDefaults(attributes->mutable_retry_policy());
  if (Status bad = CheckRetryPolicy(attributes->retry_policy()); !bad.ok()) return Bad(kCause, bad);
  if (attributes->activity_id().size() > kMaxIdLength) {
    return Bad(kCause, "activityId exceeds length limit. Length={} Limit={}",
               attributes->activity_id().size(), kMaxIdLength);
  }
  if (Negative(attributes->schedule_to_close_timeout())) {
    return Bad(kCause, "invalid ScheduleToCloseTimeout: negative duration");
  }
  if (Negative(attributes->schedule_to_start_timeout())) {
    return Bad(kCause, "invalid ScheduleToStartTimeout: negative duration");
  }
  if (Negative(attributes->start_to_close_timeout())) {
    return Bad(kCause, "invalid StartToCloseTimeout: negative duration");
  }
  if (Negative(attributes->heartbeat_timeout()))
    return Bad(kCause, "invalid HeartbeatTimeout: negative duration");

  Duration to_close = FromProto(attributes->schedule_to_close_timeout());
  Duration to_start = FromProto(attributes->schedule_to_start_timeout());
  Duration start_to_close = FromProto(attributes->start_to_close_timeout());
  Duration heartbeat = FromProto(attributes->heartbeat_timeout());
  const Duration run = FromProto(run_.start.workflow_run_timeout());
  if (to_close.count() > 0) {
    to_start = to_start.count() > 0 ? std::min(to_start, to_close) : to_close;
    start_to_close = start_to_close.count() > 0 ? std::min(start_to_close, to_close) : to_close;
  } else if (start_to_close.count() > 0) {
    to_close = run;
    if (to_start.count() == 0) to_start = run;
  } else {
    return Bad(kCause,
               "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
               "ActivityId={} "
               "ActivityType={}",
               attributes->activity_id(), attributes->activity_type().name());
  }
  if (run.count() > 0) {
    to_close = std::min(to_close, run);
    to_start = std::min(to_start, run);
    start_to_close = std::min(start_to_close, run);
    heartbeat = std::min(heartbeat, run);
  }
  heartbeat = std::min(heartbeat, start_to_close);
  *attributes->mutable_schedule_to_close_timeout() = ToProto(to_close);
  *attributes->mutable_schedule_to_start_timeout() = ToProto(to_start);
  *attributes->mutable_start_to_close_timeout() = ToProto(start_to_close);
  *attributes->mutable_heartbeat_timeout() = ToProto(heartbeat);
  if (!activity_ids_.insert(attributes->activity_id()).second) {
    return Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID,
               "invalid history builder state for action: add-activitytask-scheduled-event, "
               "ActivityID: {}",
               attributes->activity_id());
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::CancelActivity(
    const command::RequestCancelActivityTaskCommandAttributes& attributes) {
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES;
  const std::int64_t id = attributes.scheduled_event_id();
  if (id <= 0)
    return Bad(kCause, "ScheduledEventId is not set on RequestCancelActivityTaskCommand.");
  const auto it = run_.activities.find(id);
  const bool pending = it != run_.activities.end();
  if ((!pending && !run_.history.HasBufferedActivityClose(id)) ||
      (pending && it->second.cancel_requested) || !cancelled_activities_.insert(id).second) {
    return Bad(kCause,
               "invalid history builder state for action: add-activitytask-cancel-requested-event, "
               "ScheduledEventID: {}",
               id);
  }
  // Cancelling an activity that no worker has ends it at once, and frees its id.
  if (pending && !it->second.started) {
    activity_ids_.erase(it->second.attributes.activity_id());
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::StartTimer(
    const command::StartTimerCommandAttributes& attributes) {
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES;
  if (attributes.timer_id().empty()) return Bad(kCause, "TimerId is not set on StartTimerCommand.");
  if (Negative(attributes.start_to_fire_timeout())) {
    return Bad(
        kCause,
        "An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId={}",
        attributes.timer_id());
  }
  if (!timers_.insert(attributes.timer_id()).second) {
    return Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID,
               "invalid history builder state for action: add-timer-started-event, TimerID: {}",
               attributes.timer_id());
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::CancelTimer(
    const command::CancelTimerCommandAttributes& attributes) {
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES;
  if (attributes.timer_id().empty())
    return Bad(kCause, "TimerId is not set on CancelTimerCommand.");
  if (timers_.erase(attributes.timer_id()) > 0) return std::nullopt;
  if (fired_timers_.erase(attributes.timer_id()) > 0) {
    --buffered_;
    return std::nullopt;
  }
  return Bad(kCause,
             "invalid history builder state for action: add-timer-canceled-event, TimerID: {}",
             attributes.timer_id());
}

CommandCheck::Result CommandCheck::Child(
    command::StartChildWorkflowExecutionCommandAttributes* attributes) {
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES;
  if (attributes->namespace_().empty()) attributes->set_namespace_(run_.ns->name);
  const std::string& id = attributes->workflow_id();
  const std::string& type = attributes->workflow_type().name();
  const std::string& ns = attributes->namespace_();
  if (ns != run_.ns->name) return Bad(kCause, "cross namespace commands are not allowed");
  if (id.empty()) {
    return Bad(kCause,
               "Required field WorkflowId is not set on StartChildWorkflowExecutionCommand. "
               "WorkflowType={} Namespace={}",
               type, ns);
  }
  if (type.empty()) {
    return Bad(kCause,
               "Required field WorkflowType is not set on StartChildWorkflowExecutionCommand. "
               "WorkflowId={} Namespace={}",
               id, ns);
  }
  const std::pair<const char*, const google::protobuf::Duration*> limits[] = {
      {"WorkflowExecutionTimeout", &attributes->workflow_execution_timeout()},
      {"WorkflowRunTimeout", &attributes->workflow_run_timeout()},
      {"WorkflowTaskTimeout", &attributes->workflow_task_timeout()},
  };
  for (const auto& [name, limit] : limits) {
    if (!Negative(*limit)) continue;
    return Bad(kCause,
               "Invalid {} on StartChildWorkflowExecutionCommand: negative duration. "
               "WorkflowId={} WorkflowType={} Namespace={}",
               name, id, type, ns);
  }
  if (attributes->has_retry_policy()) {
    EnsureRetryDefaults(attributes->mutable_retry_policy());
    if (Status bad = CheckRetryPolicy(attributes->retry_policy()); !bad.ok()) {
      return Bad(kCause,
                 "invalid WorkflowRetryPolicy on StartChildWorkflowExecutionCommand: {}. "
                 "WorkflowId={} WorkflowType={} Namespace={}",
                 squall::Message(bad), id, type, ns);
    }
  }
  if (attributes->has_versioning_override()) {
    if (Status bad = Versioning::CheckStructure(attributes->versioning_override()); !bad.ok())
      return Bad(kCause, "{}", squall::Message(bad));
  }
  if (Status bad = CheckCron(attributes->cron_schedule()); !bad.ok()) {
    return Bad(kCause,
               "invalid CronSchedule on StartChildWorkflowExecutionCommand: {}. WorkflowId={} "
               "WorkflowType={} Namespace={}",
               squall::Message(bad), id, type, ns);
  }
  if (Status bad = core_.visibility.CheckAttributes(*run_.ns, attributes->search_attributes());
      !bad.ok()) {
    return Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, bad);
  }
  if (Status bad = NormalizeQueue(attributes->mutable_task_queue(), run_.start.task_queue().name());
      !bad.ok()) {
    return Bad(kCause, bad);
  }
  const Duration run_timeout =
      EffectiveRunTimeout(FromProto(attributes->workflow_run_timeout()),
                          FromProto(attributes->workflow_execution_timeout()));
  *attributes->mutable_workflow_run_timeout() = ToProto(run_timeout);
  *attributes->mutable_workflow_task_timeout() =
      ToProto(EffectiveTaskTimeout(FromProto(attributes->workflow_task_timeout()), run_timeout,
                                   core_.options.workflow_task_timeout));
  if (attributes->parent_close_policy() == enums::PARENT_CLOSE_POLICY_UNSPECIFIED) {
    attributes->set_parent_close_policy(enums::PARENT_CLOSE_POLICY_TERMINATE);
  }
  if (attributes->workflow_id_reuse_policy() == enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED) {
    attributes->set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE);
  }
  children_.insert(id);
  return std::nullopt;
}

CommandCheck::Result CommandCheck::SignalExternal(
    command::SignalExternalWorkflowExecutionCommandAttributes* attributes) {
  constexpr auto kCause =
      enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES;
  if (!attributes->has_execution()) {
    return Bad(kCause, "Execution is not set on SignalExternalWorkflowExecutionCommand.");
  }
  const auto& to = attributes->execution();
  if (!attributes->namespace_().empty() && attributes->namespace_() != run_.ns->name) {
    return Bad(kCause, "cross namespace commands are not allowed");
  }
  if (to.workflow_id().empty()) {
    return Bad(kCause,
               "WorkflowId is not set on SignalExternalWorkflowExecutionCommand. Namespace={} "
               "RunId={} SignalName={}",
               attributes->namespace_(), to.run_id(), attributes->signal_name());
  }
  if (!to.run_id().empty() && !IsUuid(to.run_id())) {
    return Bad(kCause,
               "Invalid RunId set on SignalExternalWorkflowExecutionCommand. WorkflowId={} "
               "Namespace={} RunId={} SignalName={}",
               to.workflow_id(), attributes->namespace_(), to.run_id(), attributes->signal_name());
  }
  if (attributes->signal_name().empty()) {
    return Bad(kCause,
               "SignalName is not set on SignalExternalWorkflowExecutionCommand. WorkflowId={} "
               "Namespace={} RunId={}",
               to.workflow_id(), attributes->namespace_(), to.run_id());
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::CancelExternal(
    const command::RequestCancelExternalWorkflowExecutionCommandAttributes& attributes) {
  constexpr auto kCause =
      enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES;
  if (!attributes.namespace_().empty() && attributes.namespace_() != run_.ns->name) {
    return Bad(kCause, "cross namespace commands are not allowed");
  }
  if (attributes.workflow_id().empty()) {
    return Bad(kCause,
               "WorkflowId is not set on RequestCancelExternalWorkflowExecutionCommand. "
               "Namespace={} RunId={}",
               attributes.namespace_(), attributes.run_id());
  }
  if (!attributes.run_id().empty() && !IsUuid(attributes.run_id())) {
    return Bad(kCause,
               "Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand. WorkflowId={} "
               "RunId={} Namespace={}",
               attributes.workflow_id(), attributes.run_id(), attributes.namespace_());
  }
  if (children_.contains(attributes.workflow_id())) {
    return Bad(kCause,
               "Start and RequestCancel for child workflow is not allowed in same workflow task. "
               "WorkflowId={} RunId={} Namespace={}",
               attributes.workflow_id(), attributes.run_id(), attributes.namespace_());
  }
  return std::nullopt;
}

CommandCheck::Result CommandCheck::ContinueAsNew(
    command::ContinueAsNewWorkflowExecutionCommandAttributes* attributes) {
  if (buffered_ > 0) return TaskFailure{enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, ""};
  constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES;
  if (attributes->workflow_type().name().empty())
    *attributes->mutable_workflow_type() = run_.start.workflow_type();
  if (Status bad = NormalizeQueue(attributes->mutable_task_queue(), run_.start.task_queue().name());
      !bad.ok()) {
    return Bad(kCause, bad);
  }
  if (Negative(attributes->workflow_run_timeout())) {
    return Bad(
        kCause,
        "Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration.");
  }
  if (Negative(attributes->workflow_task_timeout())) {
    return Bad(
        kCause,
        "Invalid WorkflowTaskTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration.");
  }
  if (Negative(attributes->backoff_start_interval())) {
    return Bad(kCause,
               "Invalid BackoffStartInterval on ContinueAsNewWorkflowExecutionCommand: negative "
               "duration.");
  }
  if (attributes->has_retry_policy()) {
    EnsureRetryDefaults(attributes->mutable_retry_policy());
    if (Status bad = CheckRetryPolicy(attributes->retry_policy()); !bad.ok())
      return Bad(kCause, bad);
  }
  if (Status bad = core_.visibility.CheckAttributes(*run_.ns, attributes->search_attributes());
      !bad.ok()) {
    return Bad(enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, bad);
  }
  Duration run = FromProto(attributes->workflow_run_timeout());
  if (run.count() == 0) run = FromProto(run_.start.workflow_run_timeout());
  run = EffectiveRunTimeout(run, FromProto(run_.start.workflow_execution_timeout()));
  Duration task = FromProto(attributes->workflow_task_timeout());
  if (task.count() == 0) task = FromProto(run_.start.workflow_task_timeout());
  *attributes->mutable_workflow_run_timeout() = ToProto(run);
  *attributes->mutable_workflow_task_timeout() =
      ToProto(EffectiveTaskTimeout(task, run, core_.options.workflow_task_timeout));
  return std::nullopt;
}

CommandCheck::Result CommandCheck::Message(const protocol::Message& message) {
  if (Result bad = CommandLimits::CheckMessage(message)) return bad;
  if (auto why = core_.updates.Check(run_, message, &update_states_)) {
    return TaskFailure{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
                       *why};
  }
  return std::nullopt;
}

}  // namespace squall::fakes::engine
