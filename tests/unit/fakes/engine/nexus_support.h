#pragma once
// Callers and handlers of Nexus operations in a few words.

#include "fakes/engine/nexus_text.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {

inline op::CreateNexusEndpointRequest EndpointRequest(const std::string& name,
                                                      const std::string& queue) {
  op::CreateNexusEndpointRequest request;
  request.mutable_spec()->set_name(name);
  auto* worker = request.mutable_spec()->mutable_target()->mutable_worker();
  worker->set_namespace_("default");
  worker->set_task_queue(queue);
  return request;
}

inline nexuspb::Endpoint Endpoint(Client& c, const std::string& name = "endpoint",
                                  const std::string& queue = "nq") {
  const auto reply = c.Call<op::CreateNexusEndpointResponse>(
      "CreateNexusEndpoint", EndpointRequest(name, queue), kOperatorService);
  EXPECT_EQ(reply.status.message, "");
  return reply.response.endpoint();
}

inline command::Command CallNexus(const std::string& endpoint = "endpoint") {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION);
  auto* attributes = command.mutable_schedule_nexus_operation_command_attributes();
  attributes->set_endpoint(endpoint);
  attributes->set_service("svc");
  attributes->set_operation("op");
  *attributes->mutable_input() = Json("1").payloads(0);
  return command;
}

inline command::Command CancelNexus(std::int64_t scheduled_event_id) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION);
  command.mutable_request_cancel_nexus_operation_command_attributes()->set_scheduled_event_id(
      scheduled_event_id);
  return command;
}

inline std::uint64_t SendNexusPoll(Client& c, const std::string& queue = "nq") {
  ws::PollNexusTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  request.set_identity("w");
  return c.Send("PollNexusTaskQueue", request, seconds(70));
}

inline ws::PollNexusTaskQueueResponse PollNexus(Client& c) {
  const std::uint64_t call = SendNexusPoll(c);
  if (!c.Answered(call)) {
    ADD_FAILURE() << "no Nexus task";
    c.Cancel(call);
    return {};
  }
  return c.Take<ws::PollNexusTaskQueueResponse>(call).response;
}

inline RpcStatus Respond(Client& c, const std::string& token, const nexuspb::Response& response) {
  ws::RespondNexusTaskCompletedRequest request;
  request.set_namespace_("default");
  request.set_task_token(token);
  *request.mutable_response() = response;
  return c.Call<ws::RespondNexusTaskCompletedResponse>("RespondNexusTaskCompleted", request).status;
}

inline RpcStatus Fail(Client& c, const std::string& token, const std::string& type) {
  ws::RespondNexusTaskFailedRequest request;
  request.set_namespace_("default");
  request.set_task_token(token);
  request.mutable_error()->set_error_type(type);
  request.mutable_error()->mutable_failure()->set_message("why");
  return c.Call<ws::RespondNexusTaskFailedResponse>("RespondNexusTaskFailed", request).status;
}

inline nexuspb::Response Sync(const std::string& json = "\"yes\"") {
  nexuspb::Response response;
  *response.mutable_start_operation()->mutable_sync_success()->mutable_payload() =
      Json(json).payloads(0);
  return response;
}

inline nexuspb::Response Async(const std::string& token = "token") {
  nexuspb::Response response;
  response.mutable_start_operation()->mutable_async_success()->set_operation_token(token);
  return response;
}

inline nexuspb::Response CancelOk() {
  nexuspb::Response response;
  response.mutable_cancel_operation();
  return response;
}

// A workflow "caller" that called, and the task that came of it.
inline ws::PollNexusTaskQueueResponse Called(Client& c,
                                             const command::Command& command = CallNexus()) {
  Endpoint(c);
  c.Start("caller");
  c.Step({command});
  return PollNexus(c);
}

// Starts a workflow in queue "hq" with the callback of a start task.
inline void StartHandler(Client& c, const ws::PollNexusTaskQueueResponse& task,
                         const std::string& id = "handler") {
  auto request = Client::StartRequest(id, "hq");
  auto* nexus = request.add_completion_callbacks()->mutable_nexus();
  nexus->set_url(task.request().start_operation().callback());
  *nexus->mutable_header() = task.request().start_operation().callback_header();
  EXPECT_EQ(c.Start(request).status.message, "");
}

}  // namespace squall::fakes::engine
