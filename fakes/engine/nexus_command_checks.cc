// What the real server refuses of the commands ScheduleNexusOperation and
// RequestCancelNexusOperation, and how it completes them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "fakes/engine/core.h"
#include "fakes/engine/nexus_operations.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// nexusoperation.limit.{service,operation}.name.length, .limit.header.size,
// .limit.operation.concurrencyPerWorkflow.max.
constexpr std::size_t kMaxOperationName = 1000, kMaxOperationHeader = 8192, kMaxPending = 2000;
// nexusoperation.disallowedHeaders.
constexpr std::array<std::string_view, 8> kDisallowedHeaders = {
    "request-timeout", "xdc-redirection-api", "xdc-redirection", "caller-name",
    "caller-type",     "call-initiation",     "principal-type",  "principal-name"};

template <typename... Args>
std::optional<TaskFailure> BadSchedule(fmt::format_string<Args...> text, Args&&... args) {
  return TaskFailure{enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES,
                     fmt::format(text, std::forward<Args>(args)...)};
}

template <typename... Args>
std::optional<TaskFailure> BadCancel(fmt::format_string<Args...> text, Args&&... args) {
  return TaskFailure{
      enums::WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES,
      fmt::format(text, std::forward<Args>(args)...)};
}

}  // namespace

std::optional<TaskFailure> NexusCommandCheck::Check(command::Command& command,
                                                    std::int64_t event_id) {
  return command.command_type() == enums::COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION
             ? Schedule(command, event_id)
             : Cancel(command);
}

std::optional<TaskFailure> NexusCommandCheck::Schedule(command::Command& command,
                                                       std::int64_t event_id) {
  if (!command.has_schedule_nexus_operation_command_attributes())
    return BadSchedule("empty ScheduleNexusOperationCommandAttributes");
  auto& attributes = *command.mutable_schedule_nexus_operation_command_attributes();
  if (core_.nexus_endpoints.FindByName(attributes.endpoint()) == nullptr)
    return BadSchedule("endpoint \"{}\" not found", attributes.endpoint());
  if (attributes.service().size() > kMaxOperationName) {
    return BadSchedule("ScheduleNexusOperationCommandAttributes.Service exceeds length limit of {}",
                       kMaxOperationName);
  }
  if (attributes.operation().size() > kMaxOperationName) {
    return BadSchedule(
        "ScheduleNexusOperationCommandAttributes.Operation exceeds length limit of {}",
        kMaxOperationName);
  }
  static constexpr char kNegative[] =
      "ScheduleNexusOperationCommandAttributes.{} is invalid: negative duration";
  if (Negative(attributes.schedule_to_close_timeout()))
    return BadSchedule(kNegative, "ScheduleToCloseTimeout");
  if (Negative(attributes.schedule_to_start_timeout()))
    return BadSchedule(kNegative, "ScheduleToStartTimeout");
  if (Negative(attributes.start_to_close_timeout()))
    return BadSchedule(kNegative, "StartToCloseTimeout");
  std::size_t size = 0;
  std::map<std::string, std::string> headers;
  for (const auto& [key, value] : attributes.nexus_header()) {
    std::string lower = key;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::find(kDisallowedHeaders.begin(), kDisallowedHeaders.end(), lower) !=
        kDisallowedHeaders.end()) {
      return BadSchedule(
          "ScheduleNexusOperationCommandAttributes.NexusHeader contains a disallowed header key: "
          "\"{}\"",
          key);
    }
    size += lower.size() + value.size();
    headers[lower] = value;
  }
  if (size > kMaxOperationHeader)
    return BadSchedule("ScheduleNexusOperationCommandAttributes.NexusHeader exceeds size limit");
  attributes.clear_nexus_header();
  attributes.mutable_nexus_header()->insert(headers.begin(), headers.end());
  if (run_.nexus_operations.size() + scheduled_.size() >= kMaxPending) {
    return TaskFailure{
        enums::WORKFLOW_TASK_FAILED_CAUSE_PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED,
        fmt::format(
            "workflow has reached the pending nexus operation limit of {} for this namespace",
            kMaxPending)};
  }

  // No time-out is longer than the run, or than the operation as a whole.
  const Duration run = FromProto(run_.start.workflow_run_timeout());
  Duration to_close = FromProto(attributes.schedule_to_close_timeout());
  if (run.count() > 0 && (to_close.count() == 0 || to_close > run)) {
    to_close = run;
    *attributes.mutable_schedule_to_close_timeout() = ToProto(run);
  }
  if (to_close.count() > 0) {
    if (FromProto(attributes.schedule_to_start_timeout()) > to_close)
      *attributes.mutable_schedule_to_start_timeout() = ToProto(to_close);
    if (FromProto(attributes.start_to_close_timeout()) > to_close)
      *attributes.mutable_start_to_close_timeout() = ToProto(to_close);
  }
  scheduled_.insert(event_id);
  return std::nullopt;
}

std::optional<TaskFailure> NexusCommandCheck::Cancel(const command::Command& command) {
  if (!command.has_request_cancel_nexus_operation_command_attributes())
    return BadCancel("empty CancelNexusOperationCommandAttributes");
  const std::int64_t id =
      command.request_cancel_nexus_operation_command_attributes().scheduled_event_id();
  const auto it = run_.nexus_operations.find(id);
  const bool pending = it != run_.nexus_operations.end();
  // An operation that ended while the task was at the worker may still be cancelled: to no effect.
  if (!pending && !scheduled_.contains(id) && !run_.history.HasBufferedNexusClose(id)) {
    return BadCancel(
        "requested cancelation for a non-existing or already completed operation with scheduled "
        "event ID of {}",
        id);
  }
  if ((pending && it->second.cancellation) || !cancelled_.insert(id).second) {
    return BadCancel(
        "cancelation was already requested for an operation with scheduled event ID {}", id);
  }
  return std::nullopt;
}

}  // namespace squall::fakes::engine
