// The RPCs by which a worker, or whoever knows an activity's id, answers for it. Each has two
// forms, by the task's token and by ids, and either may mean a standalone activity.

#include <optional>

#include "fakes/engine/activities.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

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

}  // namespace

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
  if (const auto ref = Standalone(request)) {
    SQUALL_RETURN_IF_ERROR(
        core_.standalone.Failed(*ref, request.failure(), heartbeat, request.identity()));
    return Response();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindFor(request, false));
  FailAttempt(found, request.failure(), heartbeat, request.identity());
  return Response();
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
