// Cancelling Nexus operations: asked for by the workflow, told to the handler once the operation
// has started. And what DescribeWorkflowExecution tells about operations.

#include <fmt/format.h>

#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/nexus_operations.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

template <typename Info>
void DescribeAttempts(const NexusAttempts& attempts, Info* info) {
  info->set_attempt(attempts.completed);
  if (attempts.completed > 0)
    *info->mutable_last_attempt_complete_time() = ToProto(attempts.last_complete);
  if (attempts.last_failure) *info->mutable_last_attempt_failure() = *attempts.last_failure;
  if (attempts.backing_off) *info->mutable_next_attempt_schedule_time() = ToProto(attempts.next);
}

}  // namespace

void NexusOperations::RequestCancel(Run& run, std::int64_t completed_id,
                                    const command::Command& command) {
  const std::int64_t id =
      command.request_cancel_nexus_operation_command_attributes().scheduled_event_id();
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  auto* attributes = event.mutable_nexus_operation_cancel_requested_event_attributes();
  attributes->set_scheduled_event_id(id);
  attributes->set_workflow_task_completed_event_id(completed_id);
  const std::int64_t event_id = run.history.Append(event);
  NexusOperation* operation = Find(run, id);
  if (operation == nullptr) return;  // it ended meanwhile
  operation->cancellation.emplace().requested_event_id = event_id;
  if (!operation->started) return;
  core_.Defer([this, weak = run.weak_from_this(), id] {
    Guarded(weak, id, [&](Run& held, NexusOperation& pending) { AttemptCancel(held, pending); });
  });
}

void NexusOperations::AttemptCancel(Run& run, NexusOperation& operation) {
  NexusCancellation& cancellation = *operation.cancellation;
  cancellation.attempts.task = 0;
  if (cancellation.state == enums::NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED)
    cancellation.requested = core_.now.wall;
  cancellation.state = enums::NEXUS_OPERATION_CANCELLATION_STATE_SCHEDULED;
  const auto& attributes = operation.attributes;
  const auto* endpoint =
      core_.nexus_endpoints.Find(attributes.endpoint_id(), attributes.endpoint());
  if (endpoint == nullptr) {
    return CancelFailed(run, operation, HandlerFailure("NOT_FOUND", "endpoint not registered"),
                        false);
  }
  if (!endpoint->spec().target().has_worker()) return;
  const auto& target = endpoint->spec().target().worker();
  auto ns = core_.namespaces.Get(target.namespace_());
  if (!ns.ok()) {
    return CancelFailed(run, operation, HandlerFailure("NOT_FOUND", Message(ns.status())), false);
  }
  const Budget budget = TimeLeft(operation);
  if (budget.time < kMinRequestTimeout) {
    failure::Failure failure;
    failure.set_message(
        fmt::format("not enough time to execute another request before {} timeout",
                    PascalName(enums::TimeoutType_Name(budget.ends), "TIMEOUT_TYPE_")));
    failure.mutable_application_failure_info()->set_type("CallError");
    failure.mutable_application_failure_info()->set_non_retryable(true);
    return CancelFailed(run, operation, failure, false);
  }

  nexuspb::Request request;
  request.set_endpoint(endpoint->spec().name());
  request.mutable_capabilities();
  auto* cancel = request.mutable_cancel_operation();
  cancel->set_service(attributes.service());
  cancel->set_operation(attributes.operation());
  cancel->set_operation_id(operation.token);
  cancel->set_operation_token(operation.token);
  auto& header = *request.mutable_header();
  header = attributes.nexus_header();
  header["content-length"] = "0";
  header["user-agent"] = "temporalio/server";
  const auto weak = run.weak_from_this();
  const std::int64_t id = operation.scheduled_event_id;
  cancellation.attempts.task =
      core_.nexus_tasks.Add({.namespace_id = (*ns)->id,
                             .task_queue = target.task_queue(),
                             .request = std::move(request),
                             .timeout = budget.time,
                             .done =
                                 [this, weak, id](const NexusOutcome& outcome) {
                                   Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
                                     pending.cancellation->attempts.task = 0;
                                     CancelAnswered(held, pending, outcome);
                                   });
                                 },
                             .lost =
                                 [this, weak, id] {
                                   Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
                                     AttemptCancel(held, pending);
                                   });
                                 }});
}

void NexusOperations::CancelAnswered(Run& run, NexusOperation& operation,
                                     const NexusOutcome& outcome) {
  if (const auto* failure = std::get_if<failure::Failure>(&outcome)) {
    return CancelFailed(run, operation, *failure,
                        IsRetryable(failure->nexus_handler_failure_info()));
  }
  if (!std::get<nexuspb::Response>(outcome).has_cancel_operation())
    return CancelFailed(run, operation, HandlerFailure("INTERNAL", "empty outcome"), true);
  NexusCancellation& cancellation = *operation.cancellation;
  RecordAttempt(cancellation.attempts, nullptr);
  cancellation.state = enums::NEXUS_OPERATION_CANCELLATION_STATE_SUCCEEDED;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_nexus_operation_cancel_request_completed_event_attributes();
  attributes->set_requested_event_id(cancellation.requested_event_id);
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, true);
}

void NexusOperations::CancelFailed(Run& run, NexusOperation& operation,
                                   const failure::Failure& failure, bool retryable) {
  NexusCancellation& cancellation = *operation.cancellation;
  RecordAttempt(cancellation.attempts, &failure);
  if (retryable) {
    cancellation.state = enums::NEXUS_OPERATION_CANCELLATION_STATE_BACKING_OFF;
    const Duration wait = Backoff(cancellation.attempts.completed);
    cancellation.attempts.next = core_.now.wall + wait;
    cancellation.attempts.backing_off = true;
    cancellation.attempts.retry =
        core_.After(wait, [this, weak = run.weak_from_this(), id = operation.scheduled_event_id] {
          Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
            pending.cancellation->attempts.retry = 0;
            pending.cancellation->attempts.backing_off = false;
            AttemptCancel(held, pending);
          });
        });
    ++run.transitions;
    return;
  }
  cancellation.state = enums::NEXUS_OPERATION_CANCELLATION_STATE_FAILED;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED);
  event.set_worker_may_ignore(true);
  auto* attributes = event.mutable_nexus_operation_cancel_request_failed_event_attributes();
  attributes->set_requested_event_id(cancellation.requested_event_id);
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  *attributes->mutable_failure() = failure;
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, true);
}

void NexusOperations::Describe(const Run& run,
                               ws::DescribeWorkflowExecutionResponse* response) const {
  for (const auto& [id, operation] : run.nexus_operations) {
    workflowpb::PendingNexusOperationInfo* info = response->add_pending_nexus_operations();
    const auto& attributes = operation.attributes;
    info->set_endpoint(attributes.endpoint());
    info->set_service(attributes.service());
    info->set_operation(attributes.operation());
    info->set_operation_id(operation.token);
    info->set_operation_token(operation.token);
    if (attributes.has_schedule_to_close_timeout())
      *info->mutable_schedule_to_close_timeout() = attributes.schedule_to_close_timeout();
    if (attributes.has_schedule_to_start_timeout())
      *info->mutable_schedule_to_start_timeout() = attributes.schedule_to_start_timeout();
    if (attributes.has_start_to_close_timeout())
      *info->mutable_start_to_close_timeout() = attributes.start_to_close_timeout();
    *info->mutable_scheduled_time() = ToProto(operation.scheduled);
    info->set_state(operation.started ? enums::PENDING_NEXUS_OPERATION_STATE_STARTED
                    : operation.attempts.backing_off
                        ? enums::PENDING_NEXUS_OPERATION_STATE_BACKING_OFF
                        : enums::PENDING_NEXUS_OPERATION_STATE_SCHEDULED);
    info->set_scheduled_event_id(id);
    DescribeAttempts(operation.attempts, info);
    if (!operation.cancellation) continue;
    auto* cancellation = info->mutable_cancellation_info();
    cancellation->set_state(operation.cancellation->state);
    if (operation.cancellation->state != enums::NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED)
      *cancellation->mutable_requested_time() = ToProto(operation.cancellation->requested);
    DescribeAttempts(operation.cancellation->attempts, cancellation);
  }
}

std::string NexusOperations::Check(const Run& run) {
  for (const auto& [id, operation] : run.nexus_operations) {
    const bool armed = operation.schedule_to_close != 0 || operation.schedule_to_start != 0 ||
                       operation.start_to_close != 0 || operation.attempts.retry != 0;
    if (!run.open() && armed) return "a closed run has deadlines of Nexus operations";
    if (id >= run.history.next_event_id())
      return "a Nexus operation is scheduled by an event that does not exist";
    if (operation.started && operation.attempts.retry != 0)
      return "a started Nexus operation waits for its retry";
    if (operation.started && operation.schedule_to_start != 0)
      return "a started Nexus operation has a time-out for its start";
    if (operation.attempts.task != 0 && operation.attempts.retry != 0)
      return "a Nexus operation is tried and waits for its retry";
  }
  return {};
}

}  // namespace squall::fakes::engine
