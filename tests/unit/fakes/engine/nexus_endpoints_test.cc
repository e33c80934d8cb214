// Nexus endpoints, what is refused around Nexus, and how Nexus writes things.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/nexus_support.h"

namespace squall::fakes::engine {
namespace {

using ::testing::HasSubstr;

std::string BadTask(Client& c, const std::vector<command::Command>& commands) {
  return c.Complete(c.PollTask(), commands).status.message;
}

TEST(NexusEndpoints, AreKeptWithVersions) {
  Client c;
  const nexuspb::Endpoint endpoint = Endpoint(c);
  EXPECT_EQ(endpoint.version(), 1);
  EXPECT_EQ(endpoint.url_prefix(), "/nexus/endpoints/" + endpoint.id() + "/services");
  op::UpdateNexusEndpointRequest update;
  update.set_id(endpoint.id());
  update.set_version(1);
  *update.mutable_spec() = EndpointRequest("renamed", "nq").spec();
  const auto updated =
      c.Call<op::UpdateNexusEndpointResponse>("UpdateNexusEndpoint", update, kOperatorService);
  EXPECT_EQ(updated.response.endpoint().version(), 2);
  EXPECT_TRUE(updated.response.endpoint().has_last_modified_time());
  const auto stale =
      c.Call<op::UpdateNexusEndpointResponse>("UpdateNexusEndpoint", update, kOperatorService);
  EXPECT_EQ(stale.status.code, 9);
  EXPECT_EQ(stale.status.message, "nexus endpoint version mismatch. received: 1 expected 2");
  Endpoint(c, "second");
  op::ListNexusEndpointsRequest list;
  list.set_page_size(1);
  std::vector<std::string> ids;
  do {
    const auto page =
        c.Call<op::ListNexusEndpointsResponse>("ListNexusEndpoints", list, kOperatorService);
    for (const auto& one : page.response.endpoints()) ids.push_back(one.id());
    list.set_next_page_token(page.response.next_page_token());
  } while (!list.next_page_token().empty());
  EXPECT_EQ(ids.size(), 2);
  list.set_name("renamed");
  EXPECT_EQ(c.Call<op::ListNexusEndpointsResponse>("ListNexusEndpoints", list, kOperatorService)
                .response.endpoints(0)
                .id(),
            endpoint.id());
  op::DeleteNexusEndpointRequest remove;
  remove.set_id(endpoint.id());
  remove.set_version(2);
  EXPECT_EQ(c.Call<op::DeleteNexusEndpointResponse>("DeleteNexusEndpoint", remove, kOperatorService)
                .status.code,
            0);
  op::GetNexusEndpointRequest get;
  get.set_id(endpoint.id());
  EXPECT_EQ(c.Call<op::GetNexusEndpointResponse>("GetNexusEndpoint", get, kOperatorService)
                .status.message,
            "Nexus endpoint with ID `" + endpoint.id() + "` not found");
}

TEST(NexusEndpoints, RefuseWhatIsWrong) {
  Client c;
  const auto refuse = [&](const op::CreateNexusEndpointRequest& request) {
    const auto reply =
        c.Call<op::CreateNexusEndpointResponse>("CreateNexusEndpoint", request, kOperatorService);
    EXPECT_NE(reply.status.code, 0);
    return reply.status.message;
  };
  EXPECT_EQ(refuse({}), "endpoint name not set, empty target variant");
  EXPECT_THAT(refuse(EndpointRequest("_", "")),
              HasSubstr(", invalid target task queue: \"taskQueue is not set\""));
  auto request = EndpointRequest("name", "q");
  request.mutable_spec()->mutable_target()->mutable_worker()->set_namespace_("nobody");
  EXPECT_EQ(refuse(request),
            "could not verify namespace referenced by target exists: Namespace nobody is not "
            "found.");
  request.mutable_spec()->mutable_target()->mutable_external()->set_url("ftp://x");
  EXPECT_EQ(refuse(request), "invalid target URL scheme: \"ftp\", expected http or https");
  Endpoint(c, "taken");
  EXPECT_EQ(refuse(EndpointRequest("taken", "q")),
            "error creating Nexus endpoint. Endpoint with name taken already registered");
  op::GetNexusEndpointRequest get;
  get.set_id("zz");
  EXPECT_EQ(c.Call<op::GetNexusEndpointResponse>("GetNexusEndpoint", get, kOperatorService)
                .status.message,
            "malformed endpoint ID: \"invalid UUID length: 2\"");
}

TEST(NexusRefusals, RefusesBadCommands) {
  struct Case {
    std::vector<command::Command> commands;
    std::string text;
  };
  auto header = CallNexus();
  (*header.mutable_schedule_nexus_operation_command_attributes()
        ->mutable_nexus_header())["Request-Timeout"] = "1s";
  auto large = CallNexus();
  (*large.mutable_schedule_nexus_operation_command_attributes()->mutable_nexus_header())["x"] =
      std::string(9000, 'x');
  auto service = CallNexus();
  service.mutable_schedule_nexus_operation_command_attributes()->set_service(
      std::string(1001, 's'));
  auto negative = CallNexus();
  negative.mutable_schedule_nexus_operation_command_attributes()
      ->mutable_start_to_close_timeout()
      ->set_seconds(-1);
  const std::string schedule = "BadScheduleNexusOperationAttributes: ";
  const std::string attributes = schedule + "ScheduleNexusOperationCommandAttributes.";
  const std::string cancel = "BadRequestCancelNexusOperationAttributes: ";
  for (const Case& one :
       {Case{{CallNexus("nobody")}, schedule + "endpoint \"nobody\" not found"},
        Case{{service}, attributes + "Service exceeds length limit of 1000"},
        Case{{negative}, attributes + "StartToCloseTimeout is invalid: negative duration"},
        Case{{header},
             attributes + "NexusHeader contains a disallowed header key: "
                          "\"Request-Timeout\""},
        Case{{large}, attributes + "NexusHeader exceeds size limit"},
        Case{{CancelNexus(7)},
             cancel + "requested cancelation for a non-existing or already completed "
                      "operation with scheduled event ID of 7"},
        Case{{CallNexus(), CancelNexus(5), CancelNexus(5)},
             cancel +
                 "cancelation was already requested for an operation with scheduled event ID 5"}}) {
    Client c;
    Endpoint(c);
    c.Start("caller");
    EXPECT_EQ(BadTask(c, one.commands), one.text);
    EXPECT_EQ(c.EventNames("caller").at(3), "WORKFLOW_TASK_FAILED");
  }
}

TEST(NexusRefusals, RefusesBadAnswers) {
  Client c;
  const auto task = Called(c);
  EXPECT_EQ(Respond(c, "", Sync()).message, "Task token not set on request.");
  EXPECT_EQ(Respond(c, "junk", Sync()).message, "Error deserializing task token.");
  EXPECT_EQ(Respond(c, task.task_token(), Async("")).message, "missing opration token in response");
  EXPECT_EQ(Respond(c, task.task_token(), Async(std::string(5000, 'x'))).message,
            "operation token length exceeds allowed limit (5000/4096)");
  nexuspb::Response response;
  response.mutable_start_operation()->mutable_operation_error()->mutable_failure()->set_details(
      "no json");
  EXPECT_EQ(Respond(c, task.task_token(), response).message,
            "failure details must be JSON serializable");
  ws::RespondNexusTaskFailedRequest failed;
  failed.set_namespace_("default");
  failed.set_task_token(task.task_token());
  const auto fail = [&] {
    return c.Call<ws::RespondNexusTaskFailedResponse>("RespondNexusTaskFailed", failed)
        .status.message;
  };
  EXPECT_EQ(fail(), "request must contain error or failure");
  failed.mutable_failure()->set_message("x");
  EXPECT_EQ(fail(), "request Failure must contain error or failure with NexusHandlerFailureInfo");
  // An answer to another question counts as none.
  EXPECT_EQ(Respond(c, task.task_token(), CancelOk()).code, 0);
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations(0).last_attempt_failure().message(),
            "empty outcome");
}

TEST(NexusRefusals, RefusesStrangeCallbacks) {
  Client c;
  const auto refuse = [&](const common::Callback& callback) {
    auto request = Client::StartRequest("w");
    *request.add_completion_callbacks() = callback;
    return c.Start(request).status.message;
  };
  common::Callback callback;
  EXPECT_EQ(refuse(callback), "unknown callback variant: <nil>");
  callback.mutable_nexus()->set_url("http://localhost/x");
  EXPECT_EQ(refuse(callback),
            "invalid url: url does not match any configured callback address: http://localhost/x");
  callback.mutable_nexus()->set_url("ftp://x");
  EXPECT_EQ(refuse(callback), "invalid url: unknown scheme: ftp://x");
  callback.mutable_nexus()->set_url("temporal://system");
  (*callback.mutable_nexus()->mutable_header())["x"] = std::string(9000, 'x');
  EXPECT_EQ(refuse(callback), "invalid header: header size longer than max allowed size of 8192");
}

TEST(NexusRefusals, AnswersStandaloneOperationsAsDisabled) {
  Client c;
  ws::StartNexusOperationExecutionRequest request;
  request.set_namespace_("default");
  const auto reply =
      c.Call<ws::StartNexusOperationExecutionResponse>("StartNexusOperationExecution", request);
  EXPECT_EQ(reply.status.code, 12);
  EXPECT_EQ(reply.status.message, "Standalone Nexus operation is disabled");
}

TEST(NexusText, WritesDurationsAsGoDoes) {
  EXPECT_EQ(GoDuration({}), "0s");
  EXPECT_EQ(GoDuration(std::chrono::nanoseconds(5)), "5ns");
  EXPECT_EQ(GoDuration(std::chrono::nanoseconds(983'686'805)), "983.686805ms");
  EXPECT_EQ(GoDuration(milliseconds(8500)), "8.5s");
  EXPECT_EQ(GoDuration(seconds(3661)), "1h1m1s");
  EXPECT_EQ(GoDuration(-seconds(60)), "-1m0s");
  EXPECT_EQ(ParseNexusDuration("1.5s"), Duration(milliseconds(1500)));
  EXPECT_EQ(ParseNexusDuration("20ms"), Duration(milliseconds(20)));
  EXPECT_EQ(ParseNexusDuration("20"), std::nullopt);
}

TEST(NexusText, ReadsTheLinksItWrites) {
  common::Link link;
  auto* event = link.mutable_workflow_event();
  event->set_namespace_("name space");
  event->set_workflow_id("a/b?c");
  event->set_run_id("r");
  event->mutable_request_id_ref()->set_request_id("id &=");
  event->mutable_request_id_ref()->set_event_type(
      enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
  const nexuspb::Link nexus = ToNexusLink(*event);
  EXPECT_EQ(nexus.url(),
            "temporal:///namespaces/name%20space/workflows/a%2Fb%3Fc/r/history?eventType="
            "WorkflowExecutionOptionsUpdated&referenceType=RequestIdReference&requestID=id+%26%3D");
  const auto read = FromNexusLink(nexus);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ShortDebugString(), link.ShortDebugString());
  nexuspb::Link other = nexus;
  other.set_url("http://x");
  EXPECT_FALSE(FromNexusLink(other));
  other = nexus;
  other.set_type("other");
  EXPECT_FALSE(FromNexusLink(other));
}

}  // namespace
}  // namespace squall::fakes::engine
