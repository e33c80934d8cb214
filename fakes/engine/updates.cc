#include "fakes/engine/updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/multi_operation.h"

namespace squall::fakes::engine {
namespace {

using State = Update::State;
// history.maxTotalUpdates.suggestContinueAsNewThreshold of the real server.
constexpr double kSuggestShare = 0.9;

failure::Failure ServerRejection(const std::string& message, const std::string& type) {
  failure::Failure failure;
  failure.set_message(message);
  failure.set_source("Server");
  failure.mutable_application_failure_info()->set_type(type);
  failure.mutable_application_failure_info()->set_non_retryable(true);
  return failure;
}

bool InFlight(const Update& update) { return update.state != State::kCompleted; }

// A limit of 0 is none.
bool Reached(std::size_t value, std::int64_t limit) {
  return limit > 0 && value >= static_cast<std::size_t>(limit);
}

// To the event that accepted the update; to the workflow when there is none.
void Link(const Run& run, const std::string& request_id,
          ws::UpdateWorkflowExecutionResponse& response) {
  const bool completed =
      response.stage() == enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED;
  if (completed && response.outcome().has_failure()) {
    auto* link = response.mutable_link()->mutable_workflow();
    link->set_namespace_(run.ns->name);
    link->set_workflow_id(run.workflow_id);
    link->set_run_id(run.run_id);
    link->set_reason("Update rejected");
  } else if (completed ||
             response.stage() == enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED) {
    *response.mutable_link() =
        RequestLink(run, request_id, enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED);
  }
}

}  // namespace

Status Updates::CheckLimits(const Run& run, const updatepb::Request& request) const {
  const EngineLimits& limits = core_.options.limits;
  std::size_t in_flight = 0, size = request.ByteSizeLong();
  for (const auto& [id, update] : run.updates) {
    if (!InFlight(update)) continue;
    ++in_flight;
    size += id.size() + update.request.ByteSizeLong();
  }
  if (Reached(in_flight, limits.updates_in_flight)) {
    return ConcurrentLimit(
        fmt::format("limit on number of concurrent in-flight updates has been reached ({})",
                    limits.updates_in_flight));
  }
  if (Reached(run.updates.size(), limits.updates)) {
    return {StatusCode::kFailedPrecondition,
            fmt::format(
                "The limit on the total number of distinct updates in this workflow has been "
                "reached ({}). Make sure any duplicate updates share an Update ID so the server "
                "can deduplicate them, and consider rejecting updates that you aren't going to "
                "process. You can also Continue-as-New to avoid this; we recommend you check "
                "Continue-as-New Suggested in your Workflow.",
                limits.updates)};
  }
  if (Reached(size, limits.updates_size)) {
    return ConcurrentLimit(
        fmt::format("limit on total payload size of in-flight updates has been reached ({} bytes)",
                    limits.updates_size));
  }
  return absl::OkStatus();
}

bool Updates::SuggestContinueAsNew(const Run& run) const {
  const std::int64_t limit = core_.options.limits.updates;
  return limit > 0 &&
         static_cast<double>(run.updates.size()) >= static_cast<double>(limit) * kSuggestShare;
}

enums::UpdateWorkflowExecutionLifecycleStage Updates::StageOf(const Update& update) {
  switch (update.state) {
    case State::kAccepted:
      return enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED;
    case State::kCompleted:
      return enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED;
    default:
      return enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED;
  }
}

Status Updates::CheckRequest(const ws::UpdateWorkflowExecutionRequest& request) {
  if (!request.request().has_meta()) return InvalidArgument("Update meta is not set on request.");
  if (!request.request().has_input()) return InvalidArgument("Update input is not set on request.");
  if (request.request().input().name().empty())
    return InvalidArgument("Update name is not set on request.");
  if (!request.request().completion_callbacks().empty() && request.request().request_id().empty()) {
    return InvalidArgument(
        "invalid *update.Request: request_id is required when completion_callbacks are set");
  }
  if (request.wait_policy().lifecycle_stage() ==
      enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED) {
    return {StatusCode::kPermissionDenied,
            "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not "
            "supported."};
  }
  return absl::OkStatus();
}

Status Updates::Begin(Run& run, const ws::UpdateWorkflowExecutionRequest& request) {
  if (!request.first_execution_run_id().empty() &&
      run.first_run_id != request.first_execution_run_id()) {
    return NotFound("workflow execution not found");
  }
  const std::string& id = request.request().meta().update_id();
  auto it = run.updates.find(id);
  if (!run.open()) return it != run.updates.end() ? absl::OkStatus() : WorkflowClosed();
  if (run.pause) {
    return Status(StatusCode::kFailedPrecondition,
                  "Workflow is paused. Cannot update the workflow.");
  }
  if (run.task.attempt >= kFailFastAttempt) {
    return WorkflowNotReady(
        "Unable to perform workflow execution update due to Workflow Task in failed state.");
  }
  if (run.close_attempted && run.task.is_started()) {
    return BusyWorkflow("workflow operation can not be applied because workflow is closing");
  }
  if (it != run.updates.end()) return absl::OkStatus();
  SQUALL_RETURN_IF_ERROR(CheckLimits(run, request.request()));
  Update& update = run.updates[id];
  update.id = id;
  update.request = request.request();
  update.admitted = next_admitted_++;
  // Also during the back-off of a first task: an update does not wait for it.
  if (!run.task.pending()) core_.tasks.Schedule(run, {.speculative = true});
  return absl::OkStatus();
}

void Updates::UpdateWorkflow(CallId call, const ws::UpdateWorkflowExecutionRequest& request) {
  if (auto ns = core_.namespaces.Get(request.namespace_()); !ns.ok())
    return core_.calls.Fail(call, ns.status());
  if (Status bad = CheckRequest(request); !bad.ok()) return core_.calls.Fail(call, bad);
  ws::UpdateWorkflowExecutionRequest named;
  const ws::UpdateWorkflowExecutionRequest* effective = &request;
  if (request.request().meta().update_id().empty()) {
    named = request;
    named.mutable_request()->mutable_meta()->set_update_id(core_.rng.Uuid());
    effective = &named;
  }
  auto run = core_.namespaces.FindRun(request.namespace_(), request.workflow_execution());
  if (!run.ok()) return core_.calls.Fail(call, run.status());
  if (Status bad = Begin(**run, *effective); !bad.ok()) return core_.calls.Fail(call, bad);
  Wait(call, **run, (*run)->updates.at(effective->request().meta().update_id()),
       {.call = call, .stage = Wanted(request.wait_policy())});
}

enums::UpdateWorkflowExecutionLifecycleStage Updates::Wanted(const updatepb::WaitPolicy& policy) {
  return policy.lifecycle_stage() == enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED
             ? enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
             : policy.lifecycle_stage();
}

void Updates::WaitWithStart(CallId call, Run& run,
                            const ws::UpdateWorkflowExecutionRequest& request,
                            ws::StartWorkflowExecutionResponse started,
                            std::shared_ptr<ws::ExecuteMultiOperationRequest> once_more) {
  auto shared = std::make_shared<ws::StartWorkflowExecutionResponse>(std::move(started));
  Wait(call, run, run.updates.at(request.request().meta().update_id()),
       {.call = call,
        .stage = Wanted(request.wait_policy()),
        .started = std::move(shared),
        .once_more = std::move(once_more)});
}

void Updates::Poll(CallId call, const ws::PollWorkflowExecutionUpdateRequest& request) {
  if (auto ns = core_.namespaces.Get(request.namespace_()); !ns.ok())
    return core_.calls.Fail(call, ns.status());
  if (!request.has_update_ref())
    return core_.calls.Fail(call, InvalidArgument("UpdateRef is not set on request."));
  auto run =
      core_.namespaces.FindRun(request.namespace_(), request.update_ref().workflow_execution());
  if (!run.ok()) return core_.calls.Fail(call, run.status());
  auto it = (*run)->updates.find(request.update_ref().update_id());
  if (it == (*run)->updates.end()) {
    return core_.calls.Fail(
        call, NotFound(fmt::format("update \"{}\" not found", request.update_ref().update_id())));
  }
  Wait(call, **run, it->second,
       {.call = call, .stage = request.wait_policy().lifecycle_stage(), .poll = true});
}

ws::UpdateWorkflowExecutionResponse Updates::Response(const Run& run, const Update& update) const {
  ws::UpdateWorkflowExecutionResponse response;
  auto* ref = response.mutable_update_ref();
  ref->mutable_workflow_execution()->set_workflow_id(run.workflow_id);
  ref->mutable_workflow_execution()->set_run_id(run.run_id);
  ref->set_update_id(update.id);
  if (update.outcome) *response.mutable_outcome() = *update.outcome;
  response.set_stage(StageOf(update));
  return response;
}

void Updates::Answer(Run& run, Update& update, const UpdateWaiter& waiter) {
  if (waiter.timer != 0) core_.timers.Cancel(waiter.timer);
  ws::UpdateWorkflowExecutionResponse response = Response(run, update);
  if (!waiter.poll) Link(run, update.request.request_id(), response);
  if (waiter.started != nullptr) {
    ws::ExecuteMultiOperationResponse both;
    *both.add_responses()->mutable_start_workflow() = *waiter.started;
    *both.add_responses()->mutable_update_workflow() = response;
    return core_.calls.Reply(waiter.call, both);
  }
  if (!waiter.poll) return core_.calls.Reply(waiter.call, response);
  ws::PollWorkflowExecutionUpdateResponse polled;
  *polled.mutable_update_ref() = response.update_ref();
  if (response.has_outcome()) *polled.mutable_outcome() = response.outcome();
  polled.set_stage(response.stage());
  core_.calls.Reply(waiter.call, polled);
}

void Updates::Wait(CallId call, Run& run, Update& update, UpdateWaiter waiter) {
  if (StageOf(update) >= waiter.stage) return Answer(run, update, waiter);
  const auto forget = [weak = run.weak_from_this(), id = update.id, call](Core& core) {
    auto held = weak.lock();
    if (held == nullptr) return;
    auto it = held->updates.find(id);
    if (it == held->updates.end()) return;
    std::erase_if(it->second.waiters, [&](const UpdateWaiter& waiting) {
      if (waiting.call != call) return false;
      if (waiting.timer != 0) core.timers.Cancel(waiting.timer);
      return true;
    });
  };
  // No longer than the history service waits: then the stage reached so far is the answer.
  waiter.timer = core_.After(
      core_.options.history_long_poll, [this, weak = run.weak_from_this(), id = update.id, call] {
        auto held = weak.lock();
        if (held == nullptr) return;
        auto it = held->updates.find(id);
        if (it == held->updates.end()) return;
        for (UpdateWaiter& waiting : it->second.waiters) {
          if (waiting.call != call) continue;
          waiting.timer = 0;
          const UpdateWaiter expired = waiting;
          std::erase_if(it->second.waiters,
                        [&](const UpdateWaiter& other) { return other.call == call; });
          Answer(*held, it->second, expired);
          return;
        }
      });
  update.waiters.push_back(waiter);
  core_.calls.Hold(call, [this, forget] { forget(core_); });
}

void Updates::Notify(Run& run, Update& update) {
  std::vector<UpdateWaiter> left;
  for (const UpdateWaiter& waiter : std::exchange(update.waiters, {})) {
    if (StageOf(update) >= waiter.stage) {
      Answer(run, update, waiter);
    } else {
      left.push_back(waiter);
    }
  }
  update.waiters = std::move(left);
}

void Updates::FailWaiters(Update& update, const Status& status) {
  for (const UpdateWaiter& waiter : std::exchange(update.waiters, {})) {
    if (waiter.timer != 0) core_.timers.Cancel(waiter.timer);
    core_.calls.Fail(waiter.call,
                     waiter.started == nullptr
                         ? status
                         : MultiOperationFailure(status, 1, waiter.started->started()));
  }
}

void Updates::Abort(Update& update) {
  const std::string text = "workflow update was aborted by closing workflow";
  // As the real server does with what it was to start as well: it may start another run now. A
  // second time the client is told to.
  std::erase_if(update.waiters, [&](const UpdateWaiter& waiter) {
    if (waiter.started == nullptr || waiter.started->started()) return false;
    if (waiter.timer != 0) core_.timers.Cancel(waiter.timer);
    if (waiter.once_more != nullptr) {
      core_.Defer([this, waiter] { core_.starts.CombineAgain(waiter.call, *waiter.once_more); });
    } else {
      core_.calls.Fail(waiter.call, MultiOperationFailure(absl::AbortedError(text), 1));
    }
    return true;
  });
  FailWaiters(update, NotFound(text));
}

bool Updates::HasOutgoing(const Run& run) const {
  return std::any_of(run.updates.begin(), run.updates.end(), [](const auto& entry) {
    return entry.second.state == State::kAdmitted || entry.second.state == State::kSent;
  });
}

void Updates::Send(Run& run, bool again,
                   google::protobuf::RepeatedPtrField<protocol::Message>* messages) {
  std::vector<Update*> outgoing;
  for (auto& [id, update] : run.updates) {
    if (update.state == State::kAdmitted || (again && update.state == State::kSent))
      outgoing.push_back(&update);
  }
  std::sort(outgoing.begin(), outgoing.end(),
            [](const Update* a, const Update* b) { return a->admitted < b->admitted; });
  for (Update* update : outgoing) {
    update->state = State::kSent;
    if (update->in_history) continue;
    protocol::Message* message = messages->Add();
    message->set_id(update->id + "/request");
    message->set_protocol_instance_id(update->id);
    message->set_event_id(run.task.started_event_id - 1);
    PackSorted(update->request, message->mutable_body());
  }
}

std::optional<std::string> Updates::Check(const Run& run, const protocol::Message& message,
                                          std::map<std::string, int>* states) const {
  const std::string& id = message.protocol_instance_id();
  const auto it = run.updates.find(id);
  const auto lost = [&] {
    return fmt::format(
        "update {} wasn't found on the server. This is most likely a transient error which will be "
        "resolved "
        "automatically by retries",
        id);
  };
  auto known = states->find(id);
  if (known == states->end() && it != run.updates.end()) {
    known = states->emplace(id, static_cast<int>(it->second.state)).first;
  }
  const auto wrong_state = [&](std::string_view type) {
    static constexpr std::string_view kNames[] = {"Admitted", "Sent", "Accepted", "Completed"};
    return fmt::format(
        "invalid state transition attempted for Update {}: received {} message while in state {}",
        id, type, kNames[known->second]);
  };
  const bool unaccepted = known != states->end() && known->second <= static_cast<int>(State::kSent);
  if (message.body().Is<updatepb::Acceptance>()) {
    updatepb::Acceptance body;
    message.body().UnpackTo(&body);
    // A worker may bring back an update that the server lost.
    if (known == states->end() && !body.has_accepted_request()) return lost();
    if (known != states->end() && !unaccepted) return wrong_state("*update.Acceptance");
    if (body.accepted_request_message_id().empty()) {
      return "invalid *update.Acceptance: accepted_request_message_id is not set";
    }
    (*states)[id] = static_cast<int>(State::kAccepted);
  } else if (message.body().Is<updatepb::Rejection>()) {
    updatepb::Rejection body;
    message.body().UnpackTo(&body);
    if (known == states->end() && !body.has_rejected_request()) return lost();
    if (known != states->end() && !unaccepted) return wrong_state("*update.Rejection");
    (*states)[id] = static_cast<int>(State::kCompleted);
  } else if (message.body().Is<updatepb::Response>()) {
    updatepb::Response body;
    message.body().UnpackTo(&body);
    if (known == states->end()) return lost();
    if (known->second != static_cast<int>(State::kAccepted)) return wrong_state("*update.Response");
    if (!body.has_outcome()) return "invalid *update.Response: outcome is not set";
    (*states)[id] = static_cast<int>(State::kCompleted);
  } else {
    return fmt::format("unsupported protocol type {}", message.body().type_url());
  }
  return std::nullopt;
}

void Updates::Apply(Run& run, const protocol::Message& message) {
  const std::string& id = message.protocol_instance_id();
  Update& update = run.updates[id];
  update.id = id;
  if (message.body().Is<updatepb::Rejection>()) {
    updatepb::Rejection body;
    message.body().UnpackTo(&body);
    update.state = State::kCompleted;
    update.rejected = true;
    update.outcome.emplace();
    *update.outcome->mutable_failure() = body.failure();
  } else if (!run.open()) {
    return;  // the workflow closed before: RunClosed told the waiters
  } else if (message.body().Is<updatepb::Acceptance>()) {
    updatepb::Acceptance body;
    message.body().UnpackTo(&body);
    if (body.has_accepted_request() && !update.request.has_meta())
      update.request = body.accepted_request();
    historypb::HistoryEvent event =
        core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED);
    auto* attributes = event.mutable_workflow_execution_update_accepted_event_attributes();
    attributes->set_protocol_instance_id(id);
    attributes->set_accepted_request_message_id(id + "/request");
    attributes->set_accepted_request_sequencing_event_id(
        body.accepted_request_sequencing_event_id());
    if (!update.in_history) *attributes->mutable_accepted_request() = update.request;
    update.accepted_event_id = run.history.Append(event);
    update.state = State::kAccepted;
  } else {
    updatepb::Response body;
    message.body().UnpackTo(&body);
    historypb::HistoryEvent event =
        core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED);
    auto* attributes = event.mutable_workflow_execution_update_completed_event_attributes();
    attributes->set_accepted_event_id(update.accepted_event_id);
    *attributes->mutable_meta() = body.meta();
    *attributes->mutable_outcome() = body.outcome();
    run.history.Append(event);
    update.state = State::kCompleted;
    update.outcome = body.outcome();
  }
  // Answers are given when the whole task is applied.
  core_.Defer([this, weak = run.weak_from_this(), id] {
    auto held = weak.lock();
    if (held == nullptr) return;
    auto it = held->updates.find(id);
    if (it == held->updates.end()) return;
    Notify(*held, it->second);
    // A rejected update leaves no trace: the same id may be tried again.
    if (it->second.rejected) held->updates.erase(it);
  });
}

void Updates::RejectUnprocessed(Run& run) {
  for (auto& [id, update] : run.updates) {
    if (update.state != State::kSent) continue;
    protocol::Message message;
    message.set_protocol_instance_id(id);
    updatepb::Rejection body;
    *body.mutable_failure() = ServerRejection(
        "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow "
        "Update is not supported "
        "by the worker.",
        "UnprocessedUpdate");
    PackSorted(body, message.mutable_body());
    Apply(run, message);
  }
}

void Updates::Restore(Run& run, const historypb::HistoryEvent& event) {
  if (event.has_workflow_execution_update_completed_event_attributes()) {
    const auto& attributes = event.workflow_execution_update_completed_event_attributes();
    const auto it = run.updates.find(attributes.meta().update_id());
    if (it == run.updates.end()) return;
    it->second.state = State::kCompleted;
    it->second.outcome = attributes.outcome();
    return;
  }
  if (event.has_workflow_execution_update_accepted_event_attributes()) {
    const auto& attributes = event.workflow_execution_update_accepted_event_attributes();
    Update& update = run.updates[attributes.protocol_instance_id()];
    update.id = attributes.protocol_instance_id();
    if (attributes.has_accepted_request()) update.request = attributes.accepted_request();
    update.state = State::kAccepted;
    update.accepted_event_id = event.event_id();
    return;
  }
  const auto& attributes = event.workflow_execution_update_admitted_event_attributes();
  Update& update = run.updates[attributes.request().meta().update_id()];
  update.id = attributes.request().meta().update_id();
  update.request = attributes.request();
  update.in_history = true;
  update.admitted = next_admitted_++;
}

void Updates::TaskFailed(Run& run) {
  for (auto it = run.updates.begin(); it != run.updates.end();) {
    Update& update = it->second;
    // One that no worker has seen stays admitted: the real frontend asks again, and its client
    // hears nothing of it.
    if (update.state == State::kSent) {
      FailWaiters(update, WorkflowNotReady("Unable to perform workflow execution update due to "
                                           "unexpected workflow task failure."));
      if (!update.in_history) {
        it = run.updates.erase(it);
        continue;
      }
      update.state = State::kAdmitted;
    }
    ++it;
  }
}

void Updates::RunClosed(Run& run) {
  for (auto it = run.updates.begin(); it != run.updates.end();) {
    Update& update = it->second;
    switch (update.state) {
      case State::kAdmitted:
      case State::kSent:
        if (run.new_run_id.empty()) {
          Abort(update);
        } else {
          FailWaiters(update, BusyWorkflow("workflow operation can not be applied because workflow "
                                           "is closing"));
        }
        it = run.updates.erase(it);
        continue;
      case State::kAccepted:
        update.state = State::kCompleted;
        update.outcome.emplace();
        *update.outcome->mutable_failure() = ServerRejection(
            "Workflow Update failed because the Workflow completed before the Update completed.",
            "AcceptedUpdateCompletedWorkflow");
        Notify(run, update);
        break;
      case State::kCompleted:
        break;
    }
    ++it;
  }
}

}  // namespace squall::fakes::engine
