#include "fakes/engine/errors.h"

#include <fmt/format.h>

#include "fakes/engine/pb.h"
#include "google/rpc/status.pb.h"
#include "temporal/api/enums/v1/failed_cause.pb.h"
#include "temporal/api/enums/v1/namespace.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

namespace details = ::temporal::api::errordetails::v1;
constexpr char kPayload[] = "type.googleapis.com/google.rpc.Status";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string_view StateName(int state) {
  switch (state) {
    case enums::NAMESPACE_STATE_REGISTERED:
      return "Registered";
    case enums::NAMESPACE_STATE_DEPRECATED:
      return "Deprecated";
    case enums::NAMESPACE_STATE_DELETED:
      return "Deleted";
    default:
      return "Unspecified";
  }
}

}  // namespace

Status WithDetail(StatusCode code, std::string_view message,
                  const google::protobuf::Message& detail) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(code));
  proto.set_message(std::string(message));
  PackSorted(detail, proto.add_details());
  Status status(code, View(message));
  status.SetPayload(kPayload, absl::Cord(proto.SerializeAsString()));
  return status;
}

Status NamespaceNotFound(std::string_view name) {
  details::NamespaceNotFoundFailure detail;
  detail.set_namespace_(std::string(name));
  return WithDetail(StatusCode::kNotFound, fmt::format("Namespace {} is not found.", name), detail);
}

Status NamespaceInvalidState(std::string_view name, int state) {
  details::NamespaceInvalidStateFailure detail;
  detail.set_namespace_(std::string(name));
  detail.set_state(static_cast<enums::NamespaceState>(state));
  detail.add_allowed_states(enums::NAMESPACE_STATE_REGISTERED);
  detail.add_allowed_states(enums::NAMESPACE_STATE_DEPRECATED);
  return WithDetail(
      StatusCode::kFailedPrecondition,
      fmt::format("Namespace has invalid state: {}. Must be Registered or Deprecated.",
                  StateName(state)),
      detail);
}

Status NamespaceExists(std::string_view name) {
  return WithDetail(StatusCode::kAlreadyExists,
                    fmt::format("Namespace \"{}\" already exists", name),
                    details::NamespaceAlreadyExistsFailure());
}

Status NotFound(std::string_view message) {
  return WithDetail(StatusCode::kNotFound, message, details::NotFoundFailure());
}

Status InvalidArgument(std::string_view message) {
  return {StatusCode::kInvalidArgument, View(message)};
}

Status FailedPrecondition(std::string_view message) {
  return {StatusCode::kFailedPrecondition, View(message)};
}

Status WorkflowNotReady(std::string_view message) {
  return WithDetail(StatusCode::kFailedPrecondition, message, details::WorkflowNotReadyFailure());
}

Status QueryFailed(std::string_view message,
                   const google::protobuf::Message& query_failed_failure) {
  details::QueryFailedFailure detail;
  detail.mutable_failure()->CopyFrom(query_failed_failure);
  return WithDetail(StatusCode::kInvalidArgument, message, detail);
}

Status AlreadyStarted(std::string_view message, std::string_view start_request_id,
                      std::string_view run_id, std::string_view first_run_id) {
  details::WorkflowExecutionAlreadyStartedFailure detail;
  detail.set_start_request_id(std::string(start_request_id));
  detail.set_run_id(std::string(run_id));
  detail.set_first_execution_run_id(std::string(first_run_id));
  return WithDetail(StatusCode::kAlreadyExists, message, detail);
}

namespace {

Status Exhausted(std::string_view message, enums::ResourceExhaustedCause cause) {
  details::ResourceExhaustedFailure detail;
  detail.set_cause(cause);
  detail.set_scope(enums::RESOURCE_EXHAUSTED_SCOPE_NAMESPACE);
  return WithDetail(StatusCode::kResourceExhausted, message, detail);
}

}  // namespace

Status BusyWorkflow(std::string_view message) {
  return Exhausted(message, enums::RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW);
}

Status ConcurrentLimit(std::string_view message) {
  return Exhausted(message, enums::RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT);
}

Status WorkflowClosed() { return NotFound("workflow execution already completed"); }

Status Unimplemented(std::string_view method, std::string_view why) {
  return MakeStatus(StatusCode::kUnimplemented, "squall fake server: {} is not implemented{}{}",
                    method, why.empty() ? "" : ": ", why);
}

RpcStatus ToRpcStatus(const Status& status) {
  RpcStatus result;
  result.code = static_cast<int>(status.code());
  result.message = std::string(Message(status));
  if (auto payload = status.GetPayload(kPayload)) result.details = std::string(*payload);
  return result;
}

}  // namespace squall::fakes::engine
