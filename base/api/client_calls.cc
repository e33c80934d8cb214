#include "base/api/client_calls.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <memory>

#include "base/api/messages.h"
#include "temporal/api/history/v1/message.pb.h"

namespace squall::api {
namespace {

using google::protobuf::Message;
using HistoryEvent = temporal::api::history::v1::HistoryEvent;

// The message that a method takes or gives, by the naming rule of Temporal's protos.
StatusOr<std::unique_ptr<Message>> MessageOf(std::string_view method, std::string_view suffix) {
  std::string name = PathOf(method).substr(1);
  const std::size_t slash = name.rfind('/');
  const std::string package = name.substr(0, name.rfind('.', slash));
  name = package + "." + name.substr(slash + 1) + std::string(suffix);
  const auto* descriptor = Pool().FindMessageTypeByName(name);
  const Message* prototype =
      descriptor == nullptr
          ? nullptr
          : google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
  if (prototype == nullptr)
    return MakeStatus(StatusCode::kInvalidArgument, "no method '{}' (there is no message {})",
                      method, name);
  return std::unique_ptr<Message>(prototype->New());
}

}  // namespace

std::string PathOf(std::string_view method) {
  if (method.starts_with("/")) return std::string(method);
  if (method.starts_with("operator/")) {
    return "/temporal.api.operatorservice.v1.OperatorService/" +
           std::string(method.substr(method.find('/') + 1));
  }
  return "/temporal.api.workflowservice.v1.WorkflowService/" + std::string(method);
}

void AddJson(temporal::api::common::v1::Payloads* payloads, std::string_view json) {
  auto* payload = payloads->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(std::string(json));
}

std::string JsonOf(const temporal::api::common::v1::Payloads& payloads) {
  return payloads.payloads_size() == 0 || payloads.payloads(0).data().empty()
             ? "null"
             : payloads.payloads(0).data();
}

std::string TextOf(const temporal::api::failure::v1::Failure& failure) {
  std::string text = failure.message();
  for (const auto* cause = &failure; cause->has_cause();) {
    cause = &cause->cause();
    if (!cause->message().empty()) text += ": " + cause->message();
  }
  return text;
}

bool Retryable(const Status& status) {
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnknown:
    case StatusCode::kInternal:
    case StatusCode::kResourceExhausted:
    case StatusCode::kCancelled:
    case StatusCode::kAborted:
      return true;
    case StatusCode::kNotFound: {
      const auto details = status.GetPayload(kStatusDetails);
      return details && std::string(*details).find("NamespaceNotFound") != std::string::npos;
    }
    default:
      return false;
  }
}

std::optional<RunEnd> RunEndOf(const HistoryEvent& event) {
  switch (event.attributes_case()) {
    case HistoryEvent::kWorkflowExecutionCompletedEventAttributes: {
      const auto& at = event.workflow_execution_completed_event_attributes();
      return RunEnd{"completed", JsonOf(at.result()), "", at.new_execution_run_id()};
    }
    case HistoryEvent::kWorkflowExecutionFailedEventAttributes: {
      const auto& at = event.workflow_execution_failed_event_attributes();
      return RunEnd{"failed", "", TextOf(at.failure()), at.new_execution_run_id()};
    }
    case HistoryEvent::kWorkflowExecutionTimedOutEventAttributes:
      return RunEnd{"timed_out", "", "workflow timed out",
                    event.workflow_execution_timed_out_event_attributes().new_execution_run_id()};
    case HistoryEvent::kWorkflowExecutionCanceledEventAttributes:
      return RunEnd{"cancelled", "", "", ""};
    case HistoryEvent::kWorkflowExecutionTerminatedEventAttributes:
      return RunEnd{"terminated", "",
                    event.workflow_execution_terminated_event_attributes().reason(), ""};
    case HistoryEvent::kWorkflowExecutionContinuedAsNewEventAttributes:
      return RunEnd{
          "continued", "", "",
          event.workflow_execution_continued_as_new_event_attributes().new_execution_run_id()};
    default:
      return std::nullopt;
  }
}

StatusOr<std::string> RequestOf(std::string_view method, std::string_view json,
                                const std::string& ns) {
  auto request = MessageOf(method, "Request");
  if (!request.ok()) return request.status();
  const std::string text(json.empty() ? "{}" : json);
  if (const auto parsed = google::protobuf::util::JsonStringToMessage(text, request->get());
      !parsed.ok())
    return MakeStatus(StatusCode::kInvalidArgument, "request of {}: {}", method, parsed.ToString());
  const auto* field = (*request)->GetDescriptor()->FindFieldByName("namespace");
  if (field != nullptr && field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING &&
      !field->is_repeated() && (*request)->GetReflection()->GetString(**request, field).empty())
    (*request)->GetReflection()->SetString(request->get(), field, ns);
  return (*request)->SerializeAsString();
}

StatusOr<std::string> AnswerToJson(std::string_view method, const std::string& answer) {
  auto response = MessageOf(method, "Response");
  if (!response.ok() || !(*response)->ParseFromString(answer))
    return MakeStatus(StatusCode::kInternal, "{}: the answer cannot be parsed", method);
  std::string text;
  if (const auto printed = google::protobuf::util::MessageToJsonString(**response, &text);
      !printed.ok())
    return MakeStatus(StatusCode::kInternal, "{}: {}", method, printed.ToString());
  return text;
}

}  // namespace squall::api
