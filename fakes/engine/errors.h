#pragma once
// The errors of the real frontend, with its texts and its details (temporal.api.errordetails.v1):
// SDKs turn the details into their exceptions. A Status carries its serialized google.rpc.Status as
// a payload.

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

// `code` and `message` with one detail.
Status WithDetail(StatusCode code, std::string_view message,
                  const google::protobuf::Message& detail);

Status NamespaceNotFound(std::string_view name);
// "Namespace has invalid state: Deleted. Must be Registered or Deprecated."
Status NamespaceInvalidState(std::string_view name, int state);
Status NamespaceExists(std::string_view name);
Status NotFound(std::string_view message);  // with NotFoundFailure, as serviceerror.NotFound has it
Status InvalidArgument(std::string_view message);
Status FailedPrecondition(std::string_view message);
Status WorkflowNotReady(std::string_view message);  // FAILED_PRECONDITION
Status QueryFailed(std::string_view message, const google::protobuf::Message& query_failed_failure);
Status AlreadyStarted(std::string_view message, std::string_view start_request_id,
                      std::string_view run_id, std::string_view first_run_id);
Status BusyWorkflow(std::string_view message);     // RESOURCE_EXHAUSTED
Status ConcurrentLimit(std::string_view message);  // RESOURCE_EXHAUSTED
Status WorkflowClosed();                           // "workflow execution already completed"
Status Unimplemented(std::string_view method, std::string_view why);

RpcStatus ToRpcStatus(const Status& status);

}  // namespace squall::fakes::engine
