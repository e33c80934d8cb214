#include "fakes/engine/command_limits.h"

#include <fmt/format.h>

#include <array>

#include "fakes/engine/limits.h"
#include "fakes/engine/versioning.h"
#include "fakes/engine/visibility.h"

namespace squall::fakes::engine {
namespace {

// frontend.searchAttributesSizeOfValueLimit, frontend.searchAttributesTotalSizeLimit.
constexpr std::size_t kMaxAttribute = std::size_t{2} << 10, kMaxAttributes = std::size_t{40} << 10;

std::optional<TaskFailure> TooLarge(std::size_t size, enums::WorkflowTaskFailedCause cause,
                                    std::string_view message, std::size_t limit = kBlobSizeError) {
  if (size <= limit) return std::nullopt;
  return TaskFailure{.cause = cause, .message = std::string(message), .terminates = true};
}

std::size_t SizeOf(const google::protobuf::Map<std::string, common::Payload>& fields) {
  std::size_t size = 0;
  for (const auto& [key, value] : fields) size += key.size() + value.data().size();
  return size;
}

}  // namespace

std::optional<TaskFailure> MissingAttributes(const command::Command& command, bool unhandled) {
  using Command = command::Command;
  struct Kind {
    enums::CommandType type;
    Command::AttributesCase attributes;
    enums::WorkflowTaskFailedCause cause;
    bool closes = false;
  };
  static constexpr std::array kKinds = {
      Kind{enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
           Command::kScheduleActivityTaskCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
           Command::kRequestCancelActivityTaskCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_START_TIMER, Command::kStartTimerCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_CANCEL_TIMER, Command::kCancelTimerCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_RECORD_MARKER, Command::kRecordMarkerCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
           Command::kCompleteWorkflowExecutionCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES, true},
      Kind{enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
           Command::kFailWorkflowExecutionCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES, true},
      Kind{enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
           Command::kCancelWorkflowExecutionCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES, true},
      Kind{enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
           Command::kContinueAsNewWorkflowExecutionCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES, true},
      Kind{
          enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
          Command::kRequestCancelExternalWorkflowExecutionCommandAttributes,
          enums::
              WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
           Command::kSignalExternalWorkflowExecutionCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
           Command::kUpsertWorkflowSearchAttributesCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES,
           Command::kModifyWorkflowPropertiesCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES},
      Kind{enums::COMMAND_TYPE_PROTOCOL_MESSAGE, Command::kProtocolMessageCommandAttributes,
           enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE},
  };
  for (const Kind& kind : kKinds) {
    if (kind.type != command.command_type()) continue;
    if (command.attributes_case() == kind.attributes || (kind.closes && unhandled)) break;
    const std::string name = PascalName(enums::CommandType_Name(kind.type), "COMMAND_TYPE_");
    return TaskFailure{
        .cause = kind.cause,
        .message = fmt::format("{0}CommandAttributes is not set on {0}Command.", name)};
  }
  return std::nullopt;
}

std::int64_t CompletionEvents(const Run& run,
                              const ws::RespondWorkflowTaskCompletedRequest& request) {
  std::int64_t events = run.transient() || run.task.speculative ? 3 : 1;
  bool wanted = request.force_create_new_workflow_task() || run.history.has_buffered() ||
                Versioning::InTransition(run);
  for (const command::Command& command : request.commands()) {
    if (command.command_type() == enums::COMMAND_TYPE_PROTOCOL_MESSAGE) continue;
    ++events;
    if (command.command_type() != enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK) continue;
    const auto activity = run.activities.find(
        command.request_cancel_activity_task_command_attributes().scheduled_event_id());
    // One that no worker has is cancelled at once.
    if (activity == run.activities.end() || activity->second.started) continue;
    ++events;
    wanted = true;
  }
  for (const auto& message : request.messages()) {
    if (!message.body().Is<updatepb::Rejection>()) ++events;
  }
  if (!wanted || run.pause) return events;
  const bool at_once = request.return_new_workflow_task() && !Versioning::InTransition(run);
  return events + static_cast<std::int64_t>(run.history.buffered().size()) + (at_once ? 2 : 1);
}

CommandLimits::CommandLimits(const EngineLimits& limits, const Run& run)
    : limits_(limits),
      run_(run),
      activities_(static_cast<std::int64_t>(run.activities.size())),
      children_(static_cast<std::int64_t>(run.children.size())),
      signals_(static_cast<std::int64_t>(run.pending_signals.size())),
      cancels_(static_cast<std::int64_t>(run.pending_cancels.size())) {}

CommandLimits::Result CommandLimits::Pending(std::int64_t& pending, std::int64_t limit,
                                             std::string_view what,
                                             enums::WorkflowTaskFailedCause cause) {
  if (limit <= 0 || pending < limit) {
    ++pending;
    return std::nullopt;
  }
  return TaskFailure{
      .cause = cause,
      .message = fmt::format("the number of {}, {}, has reached the per-workflow limit of {}", what,
                             pending, limit)};
}

CommandLimits::Result CommandLimits::Attributes(const common::SearchAttributes& attributes,
                                                enums::WorkflowTaskFailedCause cause) const {
  for (const auto& [key, value] : attributes.indexed_fields()) {
    if (value.data().size() <= kMaxAttribute) continue;
    return TooLarge(value.data().size(), cause,
                    fmt::format("search attribute {} value size {} exceeds size limit {}", key,
                                value.data().size(), kMaxAttribute),
                    kMaxAttribute);
  }
  const std::size_t total = attributes.ByteSizeLong();
  return TooLarge(total, cause,
                  fmt::format("total size of search attributes {} exceeds size limit {}", total,
                              kMaxAttributes),
                  kMaxAttributes);
}

CommandLimits::Result CommandLimits::CheckMessage(const protocol::Message& message) {
  const std::string& url = message.body().type_url();
  return TooLarge(message.body().ByteSizeLong(),
                  enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
                  fmt::format("Message type {} exceeds size limit.",
                              std::string_view(url).substr(url.rfind('/') + 1)));
}

CommandLimits::Result CommandLimits::Check(const command::Command& command) {
  switch (command.command_type()) {
    case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: {
      const auto& schedule = command.schedule_activity_task_command_attributes();
      if (Result bad =
              TooLarge(schedule.input().ByteSizeLong(),
                       enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
                       "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.")) {
        return bad;
      }
      return Pending(activities_, limits_.pending_activities, "pending activities",
                     enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED);
    }
    case enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: {
      const auto activity = run_.activities.find(
          command.request_cancel_activity_task_command_attributes().scheduled_event_id());
      // One that no worker has is gone at once.
      if (activity != run_.activities.end() && !activity->second.started) --activities_;
      return std::nullopt;
    }
    case enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
      // The real server names this cause.
      return TooLarge(
          command.complete_workflow_execution_command_attributes().result().ByteSizeLong(),
          enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
          "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.");
    case enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
      return TooLarge(command.fail_workflow_execution_command_attributes().failure().ByteSizeLong(),
                      enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
                      "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.");
    case enums::COMMAND_TYPE_RECORD_MARKER: {
      std::size_t size = 0;
      for (const auto& [key, value] : command.record_marker_command_attributes().details())
        size += key.size() + value.ByteSizeLong();
      return TooLarge(size, enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES,
                      "RecordMarkerCommandAttributes.Details exceeds size limit.");
    }
    case enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: {
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES;
      const auto& next = command.continue_as_new_workflow_execution_command_attributes();
      if (Result bad = TooLarge(
              next.input().ByteSizeLong(), kCause,
              "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.")) {
        return bad;
      }
      if (Result bad =
              TooLarge(next.memo().ByteSizeLong(), kCause,
                       "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.",
                       kMemoSizeError)) {
        return bad;
      }
      return Attributes(next.search_attributes(), kCause);
    }
    case enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: {
      constexpr auto kCause =
          enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES;
      const auto& child = command.start_child_workflow_execution_command_attributes();
      if (Result bad =
              TooLarge(child.input().ByteSizeLong(), kCause,
                       "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.")) {
        return bad;
      }
      if (Result bad =
              TooLarge(child.memo().ByteSizeLong(), kCause,
                       "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.",
                       kMemoSizeError)) {
        return bad;
      }
      if (Result bad = Attributes(child.search_attributes(), kCause)) return bad;
      return Pending(children_, limits_.pending_children, "pending child workflow executions",
                     enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED);
    }
    case enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: {
      if (Result bad =
              Pending(signals_, limits_.pending_signals, "pending signals to external workflows",
                      enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED)) {
        return bad;
      }
      return TooLarge(
          command.signal_external_workflow_execution_command_attributes().input().ByteSizeLong(),
          enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
          "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.");
    }
    case enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION:
      return Pending(cancels_, limits_.pending_cancels,
                     "pending requests to cancel external workflows",
                     enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED);
    case enums::COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION:
      return TooLarge(command.schedule_nexus_operation_command_attributes().input().ByteSizeLong(),
                      enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES,
                      "ScheduleNexusOperationCommandAttributes.Input exceeds size limit");
    case enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: {
      constexpr auto kCause = enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES;
      const auto& fields = command.upsert_workflow_search_attributes_command_attributes()
                               .search_attributes()
                               .indexed_fields();
      if (Result bad = TooLarge(SizeOf(fields), kCause,
                                "UpsertWorkflowSearchAttributesCommandAttributes exceeds size "
                                "limit.")) {
        return bad;
      }
      common::SearchAttributes all;
      if (!attributes_) attributes_ = run_.search_attributes;
      for (const auto& [key, value] : fields) Visibility::Upsert(*attributes_, key, value);
      for (const auto& [key, value] : *attributes_) (*all.mutable_indexed_fields())[key] = value;
      return Attributes(all, kCause);
    }
    case enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: {
      constexpr auto kCause =
          enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES;
      const auto& fields =
          command.modify_workflow_properties_command_attributes().upserted_memo().fields();
      if (Result bad = TooLarge(SizeOf(fields), kCause,
                                "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.")) {
        return bad;
      }
      common::Memo all;
      if (!memo_) memo_ = run_.memo;
      for (const auto& [key, value] : fields) Visibility::Upsert(*memo_, key, value);
      for (const auto& [key, value] : *memo_) (*all.mutable_fields())[key] = value;
      return TooLarge(all.ByteSizeLong(), kCause,
                      "ModifyWorkflowPropertiesCommandAttributes. Memo exceeds size limit.",
                      kMemoSizeError);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace squall::fakes::engine
