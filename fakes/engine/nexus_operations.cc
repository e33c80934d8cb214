#include "fakes/engine/nexus_operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "fakes/engine/callbacks.h"
#include "fakes/engine/core.h"
#include "fakes/engine/null_payload.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// nexusoperation.request.timeout: one request to the handler.
constexpr Duration kRequestTimeout = seconds(10);
// nexusoperation.retryPolicy: doubled each time.
constexpr Duration kRetryInitial = seconds(1), kRetryMax = std::chrono::hours(1);
constexpr char kUserAgent[] = "temporalio/server";

// The failure of an operation; `cause` tells why.
failure::Failure OperationFailure(const NexusOperation& operation, failure::Failure cause) {
  failure::Failure failure;
  failure.set_message("nexus operation completed unsuccessfully");
  auto* info = failure.mutable_nexus_operation_execution_failure_info();
  info->set_scheduled_event_id(operation.scheduled_event_id);
  info->set_endpoint(operation.attributes.endpoint());
  info->set_service(operation.attributes.service());
  info->set_operation(operation.attributes.operation());
  info->set_operation_id(operation.token);
  info->set_operation_token(operation.token);
  *failure.mutable_cause() = std::move(cause);
  return failure;
}

void FillLinks(historypb::HistoryEvent& event,
               const google::protobuf::RepeatedPtrField<nexuspb::Link>& links) {
  for (const nexuspb::Link& nexus : links) {
    if (auto link = FromNexusLink(nexus)) *event.add_links() = *std::move(link);
  }
}

common::Link::WorkflowEvent ScheduledLink(const Run& run, std::int64_t scheduled_event_id) {
  common::Link::WorkflowEvent link;
  link.set_namespace_(run.ns->name);
  link.set_workflow_id(run.workflow_id);
  link.set_run_id(run.run_id);
  link.mutable_event_ref()->set_event_id(scheduled_event_id);
  link.mutable_event_ref()->set_event_type(enums::EVENT_TYPE_NEXUS_OPERATION_SCHEDULED);
  return link;
}

failure::Failure NotRegistered() { return HandlerFailure("NOT_FOUND", "endpoint not registered"); }

}  // namespace

NexusOperation* NexusOperations::Find(Run& run, std::int64_t id) const {
  const auto it = run.nexus_operations.find(id);
  return it == run.nexus_operations.end() ? nullptr : &it->second;
}

void NexusOperations::Guarded(const std::weak_ptr<Run>& weak, std::int64_t id,
                              const Work& work) const {
  const auto held = weak.lock();
  if (held == nullptr || !held->open()) return;
  if (NexusOperation* operation = Find(*held, id)) work(*held, *operation);
}

void NexusOperations::Schedule(Run& run, std::int64_t completed_id,
                               const command::Command& command) {
  const auto& schedule = command.schedule_nexus_operation_command_attributes();
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_SCHEDULED);
  if (command.has_user_metadata()) *event.mutable_user_metadata() = command.user_metadata();
  *event.mutable_event_group_markers() = command.event_group_markers();
  auto* attributes = event.mutable_nexus_operation_scheduled_event_attributes();
  attributes->set_endpoint(schedule.endpoint());
  if (const auto* endpoint = core_.nexus_endpoints.FindByName(schedule.endpoint()))
    attributes->set_endpoint_id(endpoint->id());
  attributes->set_service(schedule.service());
  attributes->set_operation(schedule.operation());
  if (schedule.has_input()) *attributes->mutable_input() = schedule.input();
  if (schedule.has_schedule_to_close_timeout())
    *attributes->mutable_schedule_to_close_timeout() = schedule.schedule_to_close_timeout();
  if (schedule.has_schedule_to_start_timeout())
    *attributes->mutable_schedule_to_start_timeout() = schedule.schedule_to_start_timeout();
  if (schedule.has_start_to_close_timeout())
    *attributes->mutable_start_to_close_timeout() = schedule.start_to_close_timeout();
  *attributes->mutable_nexus_header() = schedule.nexus_header();
  attributes->set_workflow_task_completed_event_id(completed_id);
  attributes->set_request_id(core_.rng.Uuid());
  const std::int64_t id = run.history.Append(event);

  NexusOperation& operation = run.nexus_operations[id];
  operation.scheduled_event_id = id;
  operation.attributes = *attributes;
  operation.scheduled = core_.now.wall;
  operation.scheduled_steady = core_.now.steady;
  if (const Duration limit = FromProto(attributes->schedule_to_close_timeout());
      limit.count() > 0) {
    operation.schedule_to_close =
        ArmTimeout(run, id, core_.now.steady + limit, enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  }
  if (const Duration limit = FromProto(attributes->schedule_to_start_timeout());
      limit.count() > 0) {
    operation.schedule_to_start =
        ArmTimeout(run, id, core_.now.steady + limit, enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
  }
  core_.Defer([this, weak = run.weak_from_this(), id] {
    Guarded(weak, id, [&](Run& held, NexusOperation& pending) { Attempt(held, pending); });
  });
}

TimerId NexusOperations::ArmTimeout(Run& run, std::int64_t id, SteadyTime at,
                                    enums::TimeoutType type) {
  return core_.At(at, [this, weak = run.weak_from_this(), id, type] {
    Guarded(weak, id,
            [&](Run& held, NexusOperation& operation) { TimedOut(held, operation, type); });
  });
}

NexusOperations::Budget NexusOperations::TimeLeft(const NexusOperation& operation) const {
  Budget budget{.time = kRequestTimeout};
  const auto limit = [&](const google::protobuf::Duration& timeout, SteadyTime since,
                         enums::TimeoutType type) {
    if (FromProto(timeout).count() == 0) return;
    const Duration left = since + FromProto(timeout) - core_.now.steady;
    if (left < budget.time) budget = {.time = left, .ends = type};
  };
  const auto& attributes = operation.attributes;
  limit(attributes.schedule_to_close_timeout(), operation.scheduled_steady,
        enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
  if (operation.started) {
    limit(attributes.start_to_close_timeout(), operation.started_steady,
          enums::TIMEOUT_TYPE_START_TO_CLOSE);
  } else {
    limit(attributes.schedule_to_start_timeout(), operation.scheduled_steady,
          enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
  }
  return budget;
}

void NexusOperations::Attempt(Run& run, NexusOperation& operation) {
  operation.attempts.task = 0;
  if (operation.started) return;
  const auto& attributes = operation.attributes;
  const auto* endpoint =
      core_.nexus_endpoints.Find(attributes.endpoint_id(), attributes.endpoint());
  if (endpoint == nullptr) return Failed(run, operation, NotRegistered());
  if (!endpoint->spec().target().has_worker()) return;
  const auto& target = endpoint->spec().target().worker();
  auto ns = core_.namespaces.Get(target.namespace_());
  if (!ns.ok()) return Failed(run, operation, HandlerFailure("NOT_FOUND", Message(ns.status())));
  const Budget budget = TimeLeft(operation);
  if (budget.time < kMinRequestTimeout) return TimedOut(run, operation, budget.ends);

  nexuspb::Request request;
  request.set_endpoint(endpoint->spec().name());
  request.mutable_capabilities()->set_temporal_failure_responses(true);
  auto* start = request.mutable_start_operation();
  start->set_service(attributes.service());
  start->set_operation(attributes.operation());
  start->set_request_id(attributes.request_id());
  start->set_callback(kSystemUrl);
  *start->mutable_payload() = attributes.has_input() ? attributes.input() : NullPayload();
  (*start->mutable_callback_header())["temporal-callback-token"] =
      CallbackToken{.namespace_id = run.ns->id,
                    .workflow_id = run.workflow_id,
                    .run_id = run.run_id,
                    .request_id = attributes.request_id(),
                    .scheduled_event_id = operation.scheduled_event_id}
          .Serialize();
  const nexuspb::Link link = ToNexusLink(ScheduledLink(run, operation.scheduled_event_id));
  *start->add_links() = link;
  auto& header = *request.mutable_header();
  header = attributes.nexus_header();
  header["nexus-link"] = fmt::format("<{}>; type=\"{}\"", link.url(), link.type());
  header["nexus-request-id"] = attributes.request_id();
  header["user-agent"] = kUserAgent;
  // How long the operation may take as a whole, counted from its schedule.
  Duration operation_timeout = FromProto(attributes.schedule_to_close_timeout());
  if (const Duration other = FromProto(attributes.start_to_close_timeout());
      other.count() > 0 && (operation_timeout.count() == 0 || other < operation_timeout)) {
    operation_timeout = other;
  }
  if (const auto own = header.find("operation-timeout"); own != header.end()) {
    if (const auto other = ParseNexusDuration(own->second);
        other && (operation_timeout.count() == 0 || *other < operation_timeout)) {
      operation_timeout = *other;
    }
  }
  if (operation_timeout.count() > 0) {
    const Duration left = operation.scheduled_steady + operation_timeout - core_.now.steady;
    header["operation-timeout"] =
        fmt::format("{}ms", std::chrono::duration_cast<milliseconds>(left).count());
  }
  const auto weak = run.weak_from_this();
  const std::int64_t id = operation.scheduled_event_id;
  operation.attempts.task = core_.nexus_tasks.Add(
      {.namespace_id = (*ns)->id,
       .task_queue = target.task_queue(),
       .request = std::move(request),
       .timeout = budget.time,
       .done =
           [this, weak, id](const NexusOutcome& outcome) {
             Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
               pending.attempts.task = 0;
               Answered(held, pending, outcome);
             });
           },
       .lost =
           [this, weak, id] {
             Guarded(weak, id, [&](Run& held, NexusOperation& pending) { Attempt(held, pending); });
           }});
}

void NexusOperations::Answered(Run& run, NexusOperation& operation, const NexusOutcome& outcome) {
  if (operation.started) return;  // a completion was faster than the answer
  if (const auto* failure = std::get_if<failure::Failure>(&outcome))
    return AttemptFailed(run, operation, *failure);
  const auto& start = std::get<nexuspb::Response>(outcome).start_operation();
  switch (start.variant_case()) {
    case nexuspb::StartOperationResponse::kSyncSuccess: {
      const auto& sync = start.sync_success();
      return Succeeded(run, operation, sync.has_payload() ? sync.payload() : NullPayload(),
                       sync.links());
    }
    case nexuspb::StartOperationResponse::kAsyncSuccess: {
      const auto& async = start.async_success();
      return Started(
          run, operation,
          async.operation_token().empty() ? async.operation_id() : async.operation_token(),
          async.links());
    }
    case nexuspb::StartOperationResponse::kOperationError: {
      const auto& error = start.operation_error();
      failure::Failure cause = FromNexusFailure(error.failure());
      if (error.operation_state() == "failed") return Failed(run, operation, cause);
      if (error.operation_state() == "canceled") return Canceled(run, operation, std::move(cause));
      return AttemptFailed(run, operation, HandlerFailure("INTERNAL", ""));
    }
    case nexuspb::StartOperationResponse::kFailure:
      return start.failure().has_canceled_failure_info() ? Canceled(run, operation, start.failure())
                                                         : Failed(run, operation, start.failure());
    default:
      return AttemptFailed(run, operation, HandlerFailure("INTERNAL", "empty outcome"));
  }
}

void NexusOperations::RecordAttempt(NexusAttempts& attempts,
                                    const failure::Failure* failure) const {
  ++attempts.completed;
  attempts.last_complete = core_.now.wall;
  attempts.last_failure.reset();
  if (failure != nullptr) attempts.last_failure = *failure;
}

Duration NexusOperations::Backoff(int attempt) {
  const double grown = static_cast<double>(kRetryInitial.count()) * std::pow(2.0, attempt - 1);
  const double capped = std::min(grown, static_cast<double>(kRetryMax.count()));
  return Duration(static_cast<std::int64_t>(capped * (0.8 + 0.2 * core_.rng.Uniform())));
}

void NexusOperations::AttemptFailed(Run& run, NexusOperation& operation,
                                    const failure::Failure& failure) {
  if (!IsRetryable(failure.nexus_handler_failure_info())) return Failed(run, operation, failure);
  NexusAttempts& attempts = operation.attempts;
  RecordAttempt(attempts, &failure);
  const Duration wait = Backoff(attempts.completed);
  attempts.next = core_.now.wall + wait;
  attempts.backing_off = true;
  attempts.retry =
      core_.After(wait, [this, weak = run.weak_from_this(), id = operation.scheduled_event_id] {
        Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
          pending.attempts.retry = 0;
          pending.attempts.backing_off = false;
          ++held.transitions;
          Attempt(held, pending);
        });
      });
  ++run.transitions;
}

void NexusOperations::Started(Run& run, NexusOperation& operation, const std::string& token,
                              const google::protobuf::RepeatedPtrField<nexuspb::Link>& links) {
  RecordAttempt(operation.attempts, nullptr);
  operation.started = true;
  operation.started_steady = core_.now.steady;
  operation.token = token;
  core_.CancelTimer(operation.schedule_to_start);
  if (const Duration limit = FromProto(operation.attributes.start_to_close_timeout());
      limit.count() > 0) {
    operation.start_to_close =
        ArmTimeout(run, operation.scheduled_event_id, core_.now.steady + limit,
                   enums::TIMEOUT_TYPE_START_TO_CLOSE);
  }
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_STARTED);
  auto* attributes = event.mutable_nexus_operation_started_event_attributes();
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  attributes->set_operation_id(token);
  attributes->set_operation_token(token);
  attributes->set_request_id(operation.attributes.request_id());
  FillLinks(event, links);
  run.history.Buffer(std::move(event));
  if (operation.cancellation) {
    core_.Defer([this, weak = run.weak_from_this(), id = operation.scheduled_event_id] {
      Guarded(weak, id, [&](Run& held, NexusOperation& pending) { AttemptCancel(held, pending); });
    });
  }
  core_.tasks.Settle(run, true);
}

void NexusOperations::Close(Run& run, NexusOperation& operation, historypb::HistoryEvent event) {
  Disarm(operation);
  run.nexus_operations.erase(operation.scheduled_event_id);
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, true);
}

void NexusOperations::Succeeded(Run& run, NexusOperation& operation, const common::Payload& result,
                                const google::protobuf::RepeatedPtrField<nexuspb::Link>& links) {
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_COMPLETED);
  auto* attributes = event.mutable_nexus_operation_completed_event_attributes();
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  *attributes->mutable_result() = result;
  attributes->set_request_id(operation.attributes.request_id());
  FillLinks(event, links);
  Close(run, operation, std::move(event));
}

void NexusOperations::Failed(Run& run, NexusOperation& operation, const failure::Failure& cause) {
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_FAILED);
  auto* attributes = event.mutable_nexus_operation_failed_event_attributes();
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  *attributes->mutable_failure() = OperationFailure(operation, cause);
  attributes->set_request_id(operation.attributes.request_id());
  Close(run, operation, std::move(event));
}

void NexusOperations::Canceled(Run& run, NexusOperation& operation, failure::Failure cause) {
  // Handlers of older SDKs tell it by the state of the operation alone.
  if (!cause.has_canceled_failure_info()) {
    failure::Failure canceled;
    canceled.set_message(cause.message());
    canceled.set_stack_trace(cause.stack_trace());
    canceled.mutable_canceled_failure_info();
    if (cause.has_cause()) *canceled.mutable_cause() = cause.cause();
    cause = std::move(canceled);
  }
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_CANCELED);
  auto* attributes = event.mutable_nexus_operation_canceled_event_attributes();
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  *attributes->mutable_failure() = OperationFailure(operation, std::move(cause));
  attributes->set_request_id(operation.attributes.request_id());
  Close(run, operation, std::move(event));
}

void NexusOperations::TimedOut(Run& run, NexusOperation& operation, enums::TimeoutType type) {
  failure::Failure cause;
  cause.set_message("operation timed out");
  cause.mutable_timeout_failure_info()->set_timeout_type(type);
  historypb::HistoryEvent event = core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT);
  auto* attributes = event.mutable_nexus_operation_timed_out_event_attributes();
  attributes->set_scheduled_event_id(operation.scheduled_event_id);
  *attributes->mutable_failure() = OperationFailure(operation, std::move(cause));
  attributes->set_request_id(operation.attributes.request_id());
  Close(run, operation, std::move(event));
}

std::optional<std::string> NexusOperations::Complete(const CallbackToken& token,
                                                     const NexusCompletion& completion) {
  auto ns = core_.namespaces.GetById(token.namespace_id);
  if (!ns.ok()) return std::string(Message(ns.status()));
  auto found = Namespaces::FindRun(**ns, token.workflow_id, token.run_id);
  std::string error;
  // The run may have been reset since: the current one then has the operation too.
  for (const bool last : {false, true}) {
    if (last) found = Namespaces::FindRun(**ns, token.workflow_id, "");
    if (!found.ok()) {
      if (error.empty()) error = std::string(Message(found.status()));
      continue;
    }
    Run& run = **found;
    NexusOperation* operation = Find(run, token.scheduled_event_id);
    if (!run.open()) {
      error = "workflow execution already completed";
    } else if (operation == nullptr) {
      error = fmt::format("stale reference: state machine not found: nexusoperations.Operation:{}",
                          token.scheduled_event_id);
    } else if (operation->attributes.request_id() != token.request_id) {
      error = "operation not found";
    } else {
      if (!operation->started) {
        historypb::HistoryEvent event =
            core_.tasks.NewEvent(enums::EVENT_TYPE_NEXUS_OPERATION_STARTED);
        *event.mutable_event_time() = ToProto(completion.started);
        auto* attributes = event.mutable_nexus_operation_started_event_attributes();
        attributes->set_scheduled_event_id(operation->scheduled_event_id);
        attributes->set_request_id(operation->attributes.request_id());
        if (completion.link) *event.add_links() = *completion.link;
        run.history.Buffer(std::move(event));
      }
      if (!completion.failure) {
        Succeeded(run, *operation, completion.result, {});
      } else if (completion.canceled) {
        Canceled(run, *operation, *completion.failure);
      } else {
        Failed(run, *operation, *completion.failure);
      }
      return std::nullopt;
    }
  }
  return error;
}

bool NexusOperations::Restore(Run& run, const historypb::HistoryEvent& event) {
  const WallTime time = FromProto(event.event_time());
  const SteadyTime steady = core_.now.steady + (time - core_.now.wall);
  const auto end = [&](std::int64_t id) { return run.nexus_operations.erase(id) > 0; };
  switch (event.event_type()) {
    case enums::EVENT_TYPE_NEXUS_OPERATION_SCHEDULED: {
      NexusOperation& operation = run.nexus_operations[event.event_id()];
      operation.scheduled_event_id = event.event_id();
      operation.attributes = event.nexus_operation_scheduled_event_attributes();
      operation.scheduled = time;
      operation.scheduled_steady = steady;
      return true;
    }
    case enums::EVENT_TYPE_NEXUS_OPERATION_STARTED: {
      const auto& attributes = event.nexus_operation_started_event_attributes();
      NexusOperation* operation = Find(run, attributes.scheduled_event_id());
      if (operation == nullptr || operation->started) return false;
      operation->started = true;
      operation->started_steady = steady;
      operation->token = attributes.operation_token();
      ++operation->attempts.completed;
      operation->attempts.last_complete = time;
      return true;
    }
    case enums::EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED: {
      NexusOperation* operation =
          Find(run, event.nexus_operation_cancel_requested_event_attributes().scheduled_event_id());
      if (operation == nullptr) return false;
      operation->cancellation.emplace().requested_event_id = event.event_id();
      return true;
    }
    case enums::EVENT_TYPE_NEXUS_OPERATION_COMPLETED:
      return end(event.nexus_operation_completed_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_NEXUS_OPERATION_FAILED:
      return end(event.nexus_operation_failed_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_NEXUS_OPERATION_CANCELED:
      return end(event.nexus_operation_canceled_event_attributes().scheduled_event_id());
    case enums::EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT:
      return end(event.nexus_operation_timed_out_event_attributes().scheduled_event_id());
    default:
      return false;
  }
}

void NexusOperations::Revive(Run& run) {
  for (auto& [id, operation] : run.nexus_operations) {
    const auto arm = [&, id = id](const google::protobuf::Duration& timeout, SteadyTime since,
                                  enums::TimeoutType type) -> TimerId {
      const Duration limit = FromProto(timeout);
      return limit.count() > 0 ? ArmTimeout(run, id, since + limit, type) : 0;
    };
    const auto& attributes = operation.attributes;
    operation.schedule_to_close =
        arm(attributes.schedule_to_close_timeout(), operation.scheduled_steady,
            enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
    if (operation.started) {
      operation.start_to_close = arm(attributes.start_to_close_timeout(), operation.started_steady,
                                     enums::TIMEOUT_TYPE_START_TO_CLOSE);
      if (!operation.cancellation) continue;
    } else {
      operation.schedule_to_start =
          arm(attributes.schedule_to_start_timeout(), operation.scheduled_steady,
              enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
    }
    core_.Defer([this, weak = run.weak_from_this(), id = id] {
      Guarded(weak, id, [&](Run& held, NexusOperation& pending) {
        if (!pending.started) return Attempt(held, pending);
        if (pending.cancellation) AttemptCancel(held, pending);
      });
    });
  }
}

void NexusOperations::Disarm(NexusOperation& operation) {
  core_.CancelTimer(operation.schedule_to_close);
  core_.CancelTimer(operation.schedule_to_start);
  core_.CancelTimer(operation.start_to_close);
  core_.CancelTimer(operation.attempts.retry);
  if (operation.cancellation) core_.CancelTimer(operation.cancellation->attempts.retry);
}

void NexusOperations::RunClosed(Run& run) {
  for (auto& [id, operation] : run.nexus_operations) Disarm(operation);
}

}  // namespace squall::fakes::engine
