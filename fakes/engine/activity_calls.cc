// The RPCs by which a worker, or whoever knows an activity's id, answers for it. Each has two
// forms, by the task's token and by ids, and either may mean a standalone activity.

#include <fmt/format.h>

#include <optional>

#include "fakes/engine/activities.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/state_size.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

template <typename Request>
concept ByToken = requires(const Request& request) {
  request.task_token();
};

// The standalone activity that the request is about; nullopt: it is about one of a workflow.
template <typename Request>
std::optional<StandaloneActivities::Ref> Standalone(const Request& request) {
  if constexpr (ByToken<Request>) {
    if (!StandaloneActivities::Owns(request.task_token())) return std::nullopt;
    return StandaloneActivities::Ref{.token = request.task_token()};
  } else {
    if (!request.workflow_id().empty() || request.activity_id().empty()) return std::nullopt;
    return StandaloneActivities::Ref{.ns = request.namespace_(),
                                     .activity_id = request.activity_id(),
                                     .run_id = request.run_id()};
  }
}

template <typename Request>
const common::Payloads* DetailsOf(const Request& request) {
  return request.has_details() ? &request.details() : nullptr;
}

Status ActivityGone() {
  return NotFound(
      "invalid activityID or activity already timed out or invoking workflow is completed");
}

}  // namespace

StatusOr<Activities::Found> Activities::FindByToken(const std::string& bytes) {
  if (bytes.empty()) return InvalidArgument("Task token not set on request.");
  const auto token = TaskToken::Parse(bytes);
  if (!token) return InvalidArgument("Error deserializing task token.");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.GetById(token->namespace_id));
  SQUALL_ASSIGN_OR_RETURN(auto run, Namespaces::FindRun(*ns, token->workflow_id, token->run_id));
  if (!run->open()) return WorkflowClosed();
  auto it = run->activities.find(token->scheduled_event_id);
  if (it == run->activities.end() || !it->second.started || it->second.attempt != token->attempt) {
    return ActivityGone();
  }
  return Found{std::move(run), &it->second};
}

StatusOr<Activities::Found> Activities::FindById(const std::string& ns_name,
                                                 const std::string& workflow_id,
                                                 const std::string& run_id,
                                                 const std::string& activity_id,
                                                 bool force_complete) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(ns_name));
  if (workflow_id.empty()) return InvalidArgument("WorkflowId is not set on request.");
  if (activity_id.empty()) return InvalidArgument("ActivityId is not set on request.");
  SQUALL_ASSIGN_OR_RETURN(auto run, Namespaces::FindRun(*ns, workflow_id, run_id));
  if (!run->open()) return WorkflowClosed();
  auto it = run->activity_ids.find(activity_id);
  if (it == run->activity_ids.end()) {
    return NotFound(
        fmt::format("cannot find pending activity with ActivityID {}, check workflow execution "
                    "history for more details",
                    activity_id));
  }
  Activity& activity = run->activities.at(it->second);
  if (!activity.started && !force_complete) return ActivityGone();
  return Found{std::move(run), &activity};
}

template <typename Request>
StatusOr<Activities::Found> Activities::FindFor(const Request& request, bool force_complete) {
  if constexpr (ByToken<Request>) {
    return FindByToken(request.task_token());
  } else {
    return FindById(request.namespace_(), request.workflow_id(), request.run_id(),
                    request.activity_id(), force_complete);
  }
}

template <typename Response, typename Request>
StatusOr<Response> Activities::AnswerCompleted(const Request& request) {
  const common::Payloads* result = request.has_result() ? &request.result() : nullptr;
  if (const auto ref = Standalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Completed(*ref, result, request.identity()));
    return Response();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindFor(request, true));
  Complete(found, result, request.identity());
  return Response();
}

template <typename Response, typename Request>
StatusOr<Response> Activities::AnswerFailed(const Request& request) {
  const common::Payloads* heartbeat =
      request.has_last_heartbeat_details() ? &request.last_heartbeat_details() : nullptr;
  Response response;  // which tells what was too large
  if (ExceedsBlobLimit(heartbeat)) {
    heartbeat = nullptr;
    *response.add_failures() = ServerFailure(kHeartbeatExceedsLimit);
  }
  const failure::Failure failure = WithinBlobLimit(request.failure());
  if (ExceedsBlobLimit(&request.failure())) *response.add_failures() = failure;
  if (const auto ref = Standalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Failed(*ref, failure, heartbeat, request.identity()));
    return response;
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindFor(request, false));
  if (heartbeat != nullptr) {
    SQUALL_RETURN_IF_ERROR(RoomInState(core_, *found.run, StateGrowth(*found.activity, heartbeat)));
  }
  FailAttempt(found, failure, heartbeat, request.identity());
  return response;
}

template <typename Response, typename Request>
StatusOr<Response> Activities::AnswerCanceled(const Request& request) {
  if (const auto ref = Standalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Canceled(*ref, DetailsOf(request), request.identity()));
    return Response();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindFor(request, false));
  SQUALL_RETURN_IF_ERROR(Cancel(found, DetailsOf(request), request.identity()));
  return Response();
}

template <typename Response, typename Request>
StatusOr<Response> Activities::AnswerHeartbeat(const Request& request) {
  Response response;
  if (const auto ref = Standalone(request)) {
    SQUALL_ASSIGN_OR_RETURN(
        const auto beat, core_.standalone.Heartbeat(*ref, DetailsOf(request), request.identity()));
    response.set_cancel_requested(beat.cancel_requested());
    response.set_activity_paused(beat.activity_paused());
    response.set_activity_reset(beat.activity_reset());
    return response;
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindFor(request, false));
  if (!ExceedsBlobLimit(DetailsOf(request))) {
    SQUALL_RETURN_IF_ERROR(
        RoomInState(core_, *found.run, StateGrowth(*found.activity, DetailsOf(request))));
  }
  if (!RecordHeartbeat(found, DetailsOf(request), request.identity())) {
    response.set_cancel_requested(true);  // the activity has failed: nobody waits for it
    return response;
  }
  response.set_cancel_requested(found.activity->cancel_requested);
  response.set_activity_paused(found.activity->paused);
  response.set_activity_reset(found.activity->reset);
  return response;
}

StatusOr<ws::RespondActivityTaskCompletedResponse> Activities::Completed(
    const ws::RespondActivityTaskCompletedRequest& request) {
  return AnswerCompleted<ws::RespondActivityTaskCompletedResponse>(request);
}

StatusOr<ws::RespondActivityTaskCompletedByIdResponse> Activities::CompletedById(
    const ws::RespondActivityTaskCompletedByIdRequest& request) {
  return AnswerCompleted<ws::RespondActivityTaskCompletedByIdResponse>(request);
}

StatusOr<ws::RespondActivityTaskFailedResponse> Activities::Failed(
    const ws::RespondActivityTaskFailedRequest& request) {
  if (request.has_failure() && !request.failure().has_application_failure_info()) {
    return InvalidArgument("Failure must have ApplicationFailureInfo.");
  }
  return AnswerFailed<ws::RespondActivityTaskFailedResponse>(request);
}

StatusOr<ws::RespondActivityTaskFailedByIdResponse> Activities::FailedById(
    const ws::RespondActivityTaskFailedByIdRequest& request) {
  return AnswerFailed<ws::RespondActivityTaskFailedByIdResponse>(request);
}

StatusOr<ws::RespondActivityTaskCanceledResponse> Activities::Canceled(
    const ws::RespondActivityTaskCanceledRequest& request) {
  return AnswerCanceled<ws::RespondActivityTaskCanceledResponse>(request);
}

StatusOr<ws::RespondActivityTaskCanceledByIdResponse> Activities::CanceledById(
    const ws::RespondActivityTaskCanceledByIdRequest& request) {
  return AnswerCanceled<ws::RespondActivityTaskCanceledByIdResponse>(request);
}

StatusOr<ws::RecordActivityTaskHeartbeatResponse> Activities::Heartbeat(
    const ws::RecordActivityTaskHeartbeatRequest& request) {
  return AnswerHeartbeat<ws::RecordActivityTaskHeartbeatResponse>(request);
}

StatusOr<ws::RecordActivityTaskHeartbeatByIdResponse> Activities::HeartbeatById(
    const ws::RecordActivityTaskHeartbeatByIdRequest& request) {
  return AnswerHeartbeat<ws::RecordActivityTaskHeartbeatByIdResponse>(request);
}

}  // namespace squall::fakes::engine
