#include "base/api/messages.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/generated_message_reflection.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/util/text.h"
#include "google/rpc/status.pb.h"
#include "health/v1/health.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"
#include "temporal/api/operatorservice/v1/service.pb.h"
#include "temporal/api/sdk/v1/workflow_metadata.pb.h"
#include "temporal/api/workflowservice/v1/service.pb.h"

namespace squall::api {

namespace {

// What a generated file does with its descriptor before main. As a class of our own: the linker
// takes protobuf's out of squall-server's start (fakes/server/lazy_descriptors.cc), and a derived
// class is constructed by another symbol than that.
struct Registration : google::protobuf::internal::AddDescriptorsRunner {
  using AddDescriptorsRunner::AddDescriptorsRunner;
};

}  // namespace

// Descriptors register themselves only where something refers to their file, and in squall-server
// not before they are needed; each brings what it imports, and one that is there is left alone.
const google::protobuf::DescriptorPool& Pool() {
  static const Registration registered[] = {
      Registration(&descriptor_table_temporal_2fapi_2fworkflowservice_2fv1_2fservice_2eproto),
      Registration(&descriptor_table_temporal_2fapi_2foperatorservice_2fv1_2fservice_2eproto),
      Registration(&descriptor_table_temporal_2fapi_2ferrordetails_2fv1_2fmessage_2eproto),
      Registration(&descriptor_table_temporal_2fapi_2fsdk_2fv1_2fworkflow_5fmetadata_2eproto),
      Registration(&descriptor_table_google_2frpc_2fstatus_2eproto),
      Registration(&descriptor_table_health_2fv1_2fhealth_2eproto),
  };
  static_cast<void>(registered);
  return *google::protobuf::DescriptorPool::generated_pool();
}

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using nlohmann::json;

constexpr const char* kServices[] = {"temporal.api.workflowservice.v1.WorkflowService",
                                     "temporal.api.operatorservice.v1.OperatorService",
                                     "grpc.health.v1.Health"};

const MethodDescriptor* FindMethod(std::string_view service, std::string_view method) {
  for (const char* known : kServices) {
    if (!service.empty() && service != known) continue;
    const ServiceDescriptor* found = Pool().FindServiceByName(known);
    if (found == nullptr) continue;
    if (const auto* descriptor = found->FindMethodByName(std::string(method))) return descriptor;
  }
  return nullptr;
}

std::unique_ptr<Message> New(const Descriptor* type) {
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  return std::unique_ptr<Message>(prototype == nullptr ? nullptr : prototype->New());
}

std::string TextOf(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() || field->type() != FieldDescriptor::TYPE_STRING)
    return {};
  return message.GetReflection()->GetString(message, field);
}

std::string NestedTextOf(const Message& message, const char* name, const char* inner) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() || field->message_type() == nullptr ||
      !message.GetReflection()->HasField(message, field)) {
    return {};
  }
  return TextOf(message.GetReflection()->GetMessage(message, field), inner);
}

const FieldDescriptor* FindField(const Descriptor* type, const std::string& name) {
  const FieldDescriptor* field = type->FindFieldByName(name);
  return field != nullptr ? field : type->FindFieldByCamelcaseName(name);
}

Status Merge(const json& fields, Message& into, const std::string& place) {
  const Descriptor* type = into.GetDescriptor();
  for (const auto& [name, value] : fields.items()) {
    const std::string where = place.empty() ? name : fmt::format("{}.{}", place, name);
    const FieldDescriptor* field = FindField(type, name);
    if (field == nullptr) {
      std::vector<std::string> names;
      for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
      return MakeStatus(StatusCode::kInvalidArgument, "{}: {} has no such field{}", where,
                        type->name(), DidYouMean(name, names));
    }
    if (value.is_object() && field->message_type() != nullptr && !field->is_repeated() &&
        field->message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
      SQUALL_RETURN_IF_ERROR(
          Merge(value, *into.GetReflection()->MutableMessage(&into, field), where));
      continue;
    }
    into.GetReflection()->ClearField(&into, field);
    if (value.is_null()) continue;
    // One field by protobuf's own JSON reader, which knows durations, maps, enums and bytes.
    const std::unique_ptr<Message> one = New(type);
    const auto status =
        google::protobuf::util::JsonStringToMessage(json({{name, value}}).dump(), one.get());
    if (!status.ok()) {
      return MakeStatus(StatusCode::kInvalidArgument, "{}: {}", where, status.message().ToString());
    }
    into.MergeFrom(*one);
  }
  return absl::OkStatus();
}

StatusOr<json> Parse(const std::string& fields) {
  json parsed = json::parse(fields, nullptr, false);
  if (!parsed.is_object()) return MakeStatus(StatusCode::kInvalidArgument, "not a JSON object");
  return parsed;
}

}  // namespace

CallFields FieldsOf(std::string_view service, std::string_view method, const std::string& request) {
  const MethodDescriptor* descriptor = FindMethod(service, method);
  if (descriptor == nullptr) return {};
  const std::unique_ptr<Message> message = New(descriptor->input_type());
  if (message == nullptr || !message->ParseFromString(request)) return {};
  CallFields fields;
  fields.ns = TextOf(*message, "namespace");
  fields.identity = TextOf(*message, "identity");
  fields.workflow_id = TextOf(*message, "workflow_id");
  if (fields.workflow_id.empty())
    fields.workflow_id = NestedTextOf(*message, "workflow_execution", "workflow_id");
  if (fields.workflow_id.empty())
    fields.workflow_id = NestedTextOf(*message, "execution", "workflow_id");
  fields.task_queue = NestedTextOf(*message, "task_queue", "name");
  if (fields.task_queue.empty()) fields.task_queue = TextOf(*message, "task_queue");
  return fields;
}

StatusOr<std::string> ChangeAnswer(std::string_view service, std::string_view method,
                                   const std::string& answer, const std::string& fields) {
  const MethodDescriptor* descriptor = FindMethod(service, method);
  if (descriptor == nullptr)
    return MakeStatus(StatusCode::kInvalidArgument, "no RPC is called '{}'", method);
  SQUALL_ASSIGN_OR_RETURN(const json parsed, Parse(fields));
  const std::unique_ptr<Message> message = New(descriptor->output_type());
  if (message == nullptr || !message->ParseFromString(answer)) {
    return MakeStatus(StatusCode::kInvalidArgument, "the answer is no {}",
                      descriptor->output_type()->name());
  }
  SQUALL_RETURN_IF_ERROR(Merge(parsed, *message, ""));
  return message->SerializeAsString();
}

StatusOr<std::string> EncodeMessage(std::string_view type, const std::string& fields) {
  const Descriptor* descriptor = Pool().FindMessageTypeByName(std::string(type));
  if (descriptor == nullptr) {
    return MakeStatus(StatusCode::kInvalidArgument, "there is no message '{}'", type);
  }
  SQUALL_ASSIGN_OR_RETURN(const json parsed, Parse(fields));
  const std::unique_ptr<Message> message = New(descriptor);
  SQUALL_RETURN_IF_ERROR(Merge(parsed, *message, ""));
  return message->SerializeAsString();
}

std::vector<std::string> ServiceNames() { return {std::begin(kServices), std::end(kServices)}; }

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  for (const char* known : kServices) {
    const ServiceDescriptor* service = Pool().FindServiceByName(known);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i)
      names.push_back(service->method(i)->name());
  }
  return names;
}

}  // namespace squall::api
