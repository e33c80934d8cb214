// The RPCs by which a worker, or whoever knows an activity's id, answers for it.

#include "fakes/engine/activities.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

// By id without a workflow: a standalone activity.
template <typename Request>
bool ForStandalone(const Request& request) {
  return request.workflow_id().empty() && !request.activity_id().empty();
}

template <typename Response>
StatusOr<Response> Done() {
  return Response();
}

}  // namespace

StatusOr<ws::RespondActivityTaskCompletedResponse> Activities::Completed(
    const ws::RespondActivityTaskCompletedRequest& request) {
  if (StandaloneActivities::Owns(request.task_token())) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Completed(
        {.token = request.task_token()}, request.has_result() ? &request.result() : nullptr,
        request.identity()));
    return Done<ws::RespondActivityTaskCompletedResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindByToken(request.task_token()));
  Complete(found, request.has_result() ? &request.result() : nullptr, request.identity());
  return Done<ws::RespondActivityTaskCompletedResponse>();
}

StatusOr<ws::RespondActivityTaskCompletedByIdResponse> Activities::CompletedById(
    const ws::RespondActivityTaskCompletedByIdRequest& request) {
  if (ForStandalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Completed(
        {.ns = request.namespace_(),
         .activity_id = request.activity_id(),
         .run_id = request.run_id()},
        request.has_result() ? &request.result() : nullptr, request.identity()));
    return Done<ws::RespondActivityTaskCompletedByIdResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found,
                          FindById(request.namespace_(), request.workflow_id(), request.run_id(),
                                   request.activity_id(), true));
  Complete(found, request.has_result() ? &request.result() : nullptr, request.identity());
  return Done<ws::RespondActivityTaskCompletedByIdResponse>();
}

StatusOr<ws::RespondActivityTaskFailedResponse> Activities::Failed(
    const ws::RespondActivityTaskFailedRequest& request) {
  if (request.has_failure() && !request.failure().has_application_failure_info()) {
    return InvalidArgument("Failure must have ApplicationFailureInfo.");
  }
  if (StandaloneActivities::Owns(request.task_token())) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Failed(
        {.token = request.task_token()}, request.failure(),
        request.has_last_heartbeat_details() ? &request.last_heartbeat_details() : nullptr,
        request.identity()));
    return Done<ws::RespondActivityTaskFailedResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindByToken(request.task_token()));
  FailAttempt(found, request.failure(),
              request.has_last_heartbeat_details() ? &request.last_heartbeat_details() : nullptr,
              request.identity());
  return Done<ws::RespondActivityTaskFailedResponse>();
}

StatusOr<ws::RespondActivityTaskFailedByIdResponse> Activities::FailedById(
    const ws::RespondActivityTaskFailedByIdRequest& request) {
  if (ForStandalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Failed(
        {.ns = request.namespace_(),
         .activity_id = request.activity_id(),
         .run_id = request.run_id()},
        request.failure(),
        request.has_last_heartbeat_details() ? &request.last_heartbeat_details() : nullptr,
        request.identity()));
    return Done<ws::RespondActivityTaskFailedByIdResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found,
                          FindById(request.namespace_(), request.workflow_id(), request.run_id(),
                                   request.activity_id(), false));
  FailAttempt(found, request.failure(),
              request.has_last_heartbeat_details() ? &request.last_heartbeat_details() : nullptr,
              request.identity());
  return Done<ws::RespondActivityTaskFailedByIdResponse>();
}

StatusOr<ws::RespondActivityTaskCanceledResponse> Activities::Canceled(
    const ws::RespondActivityTaskCanceledRequest& request) {
  if (StandaloneActivities::Owns(request.task_token())) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Canceled(
        {.token = request.task_token()}, request.has_details() ? &request.details() : nullptr,
        request.identity()));
    return Done<ws::RespondActivityTaskCanceledResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindByToken(request.task_token()));
  SQUALL_RETURN_IF_ERROR(
      Cancel(found, request.has_details() ? &request.details() : nullptr, request.identity()));
  return Done<ws::RespondActivityTaskCanceledResponse>();
}

StatusOr<ws::RespondActivityTaskCanceledByIdResponse> Activities::CanceledById(
    const ws::RespondActivityTaskCanceledByIdRequest& request) {
  if (ForStandalone(request)) {
    SQUALL_RETURN_IF_ERROR(core_.standalone.Canceled(
        {.ns = request.namespace_(),
         .activity_id = request.activity_id(),
         .run_id = request.run_id()},
        request.has_details() ? &request.details() : nullptr, request.identity()));
    return Done<ws::RespondActivityTaskCanceledByIdResponse>();
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found,
                          FindById(request.namespace_(), request.workflow_id(), request.run_id(),
                                   request.activity_id(), false));
  SQUALL_RETURN_IF_ERROR(
      Cancel(found, request.has_details() ? &request.details() : nullptr, request.identity()));
  return Done<ws::RespondActivityTaskCanceledByIdResponse>();
}

StatusOr<ws::RecordActivityTaskHeartbeatResponse> Activities::Heartbeat(
    const ws::RecordActivityTaskHeartbeatRequest& request) {
  if (StandaloneActivities::Owns(request.task_token())) {
    return core_.standalone.Heartbeat({.token = request.task_token()},
                                      request.has_details() ? &request.details() : nullptr,
                                      request.identity());
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found, FindByToken(request.task_token()));
  ws::RecordActivityTaskHeartbeatResponse response;
  if (!RecordHeartbeat(found, request.has_details() ? &request.details() : nullptr,
                       request.identity())) {
    response.set_cancel_requested(true);  // the activity has failed: nobody waits for it
    return response;
  }
  response.set_cancel_requested(found.activity->cancel_requested);
  response.set_activity_paused(found.activity->paused);
  response.set_activity_reset(found.activity->reset);
  return response;
}

StatusOr<ws::RecordActivityTaskHeartbeatByIdResponse> Activities::HeartbeatById(
    const ws::RecordActivityTaskHeartbeatByIdRequest& request) {
  if (ForStandalone(request)) {
    SQUALL_ASSIGN_OR_RETURN(
        const auto beat,
        core_.standalone.Heartbeat({.ns = request.namespace_(),
                                    .activity_id = request.activity_id(),
                                    .run_id = request.run_id()},
                                   request.has_details() ? &request.details() : nullptr,
                                   request.identity()));
    ws::RecordActivityTaskHeartbeatByIdResponse response;
    response.set_cancel_requested(beat.cancel_requested());
    response.set_activity_paused(beat.activity_paused());
    response.set_activity_reset(beat.activity_reset());
    return response;
  }
  SQUALL_ASSIGN_OR_RETURN(const Found found,
                          FindById(request.namespace_(), request.workflow_id(), request.run_id(),
                                   request.activity_id(), false));
  ws::RecordActivityTaskHeartbeatByIdResponse response;
  if (!RecordHeartbeat(found, request.has_details() ? &request.details() : nullptr,
                       request.identity())) {
    response.set_cancel_requested(true);  // the activity has failed: nobody waits for it
    return response;
  }
  response.set_cancel_requested(found.activity->cancel_requested);
  response.set_activity_paused(found.activity->paused);
  response.set_activity_reset(found.activity->reset);
  return response;
}

}  // namespace squall::fakes::engine
