// Nexus operations of workflows: attempts, time-outs, cancellation, completion callbacks.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/nexus_support.h"

namespace squall::fakes::engine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Nexus, AnswersAtOnce) {
  Client c;
  auto call = CallNexus();
  (*call.mutable_schedule_nexus_operation_command_attributes()->mutable_nexus_header())["Key"] =
      "value";
  *call.mutable_schedule_nexus_operation_command_attributes()->mutable_schedule_to_close_timeout() =
      ToProto(seconds(5));
  const auto task = Called(c, call);
  const auto& header = task.request().header();
  EXPECT_EQ(header.at("key"), "value");
  EXPECT_EQ(header.at("request-timeout"), "4s");
  EXPECT_EQ(header.at("operation-timeout"), "5000ms");
  const auto& start = task.request().start_operation();
  EXPECT_EQ(start.callback(), "temporal://system");
  EXPECT_EQ(start.payload().data(), "1");
  const auto link = FromNexusLink(start.links(0));
  ASSERT_TRUE(link);
  EXPECT_EQ(link->workflow_event().event_ref().event_id(), 5);
  nexuspb::Response response = Sync();
  *response.mutable_start_operation()->mutable_sync_success()->add_links() = start.links(0);
  EXPECT_EQ(Respond(c, task.task_token(), response).code, 0);
  EXPECT_EQ(Respond(c, task.task_token(), response).message,
            "Nexus task not found or already expired");
  const auto event = c.History("caller").at(5);
  EXPECT_EQ(event.nexus_operation_completed_event_attributes().result().data(), "\"yes\"");
  EXPECT_EQ(event.nexus_operation_completed_event_attributes().request_id(), start.request_id());
  EXPECT_EQ(event.links(0).workflow_event().workflow_id(), "caller");
  EXPECT_EQ(c.EventNames("caller").back(), "WORKFLOW_TASK_SCHEDULED");
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations_size(), 0);
}

TEST(Nexus, SendsANullForNoInputAndNoResult) {
  Client c;
  auto call = CallNexus();
  call.mutable_schedule_nexus_operation_command_attributes()->clear_input();
  const auto task = Called(c, call);
  EXPECT_EQ(task.request().start_operation().payload().metadata().at("encoding"), "binary/null");
  nexuspb::Response response;
  response.mutable_start_operation()->mutable_sync_success();
  EXPECT_EQ(Respond(c, task.task_token(), response).code, 0);
  const auto completed = c.History("caller").at(5).nexus_operation_completed_event_attributes();
  EXPECT_EQ(completed.result().metadata().at("encoding"), "binary/null");
}

TEST(Nexus, FailsAndCancelsAsTheHandlerSays) {
  struct Case {
    std::string state, event, info;
  };
  for (const Case& one : {Case{"failed", "NEXUS_OPERATION_FAILED", "application"},
                          Case{"canceled", "NEXUS_OPERATION_CANCELED", "canceled"}}) {
    for (const bool old : {true, false}) {
      Client c;
      const auto task = Called(c);
      nexuspb::Response response;
      if (old) {
        auto* error = response.mutable_start_operation()->mutable_operation_error();
        error->set_operation_state(one.state);
        error->mutable_failure()->set_message("no");
        error->mutable_failure()->set_details("\"more\"");
      } else {
        auto* failure = response.mutable_start_operation()->mutable_failure();
        failure->set_message("no");
        if (one.info == "canceled") {
          failure->mutable_canceled_failure_info();
        } else {
          failure->mutable_application_failure_info()->set_type("NexusFailure");
        }
      }
      EXPECT_EQ(Respond(c, task.task_token(), response).code, 0);
      EXPECT_EQ(c.EventNames("caller").at(5), one.event);
      const auto event = c.History("caller").at(5);
      const failure::Failure& failure =
          one.info == "canceled" ? event.nexus_operation_canceled_event_attributes().failure()
                                 : event.nexus_operation_failed_event_attributes().failure();
      EXPECT_EQ(failure.message(), "nexus operation completed unsuccessfully");
      EXPECT_EQ(failure.nexus_operation_execution_failure_info().scheduled_event_id(), 5);
      EXPECT_EQ(failure.cause().message(), "no");
      EXPECT_EQ(failure.cause().has_canceled_failure_info(), one.info == "canceled");
      EXPECT_EQ(failure.cause().application_failure_info().type(),
                one.info == "canceled" ? "" : "NexusFailure");
    }
  }
}

TEST(Nexus, RetriesWhatIsRetryable) {
  Client c;
  const auto task = Called(c);
  EXPECT_EQ(Fail(c, task.task_token(), "INTERNAL").code, 0);
  auto pending = c.Describe("caller").pending_nexus_operations(0);
  EXPECT_EQ(pending.state(), enums::PENDING_NEXUS_OPERATION_STATE_BACKING_OFF);
  EXPECT_EQ(pending.attempt(), 1);
  EXPECT_EQ(pending.last_attempt_failure().cause().message(), "why");
  c.Advance(seconds(1));
  EXPECT_EQ(Fail(c, PollNexus(c).task_token(), "UNAVAILABLE").code, 0);
  const std::uint64_t poll = SendNexusPoll(c);
  c.Advance(milliseconds(1500));
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(milliseconds(500));
  const auto third = c.Take<ws::PollNexusTaskQueueResponse>(poll).response;
  EXPECT_EQ(third.request().start_operation().request_id(),
            task.request().start_operation().request_id());
  EXPECT_EQ(Fail(c, third.task_token(), "BAD_REQUEST").code, 0);
  const auto failed = c.History("caller").at(5).nexus_operation_failed_event_attributes();
  EXPECT_EQ(failed.failure().cause().nexus_handler_failure_info().type(), "BAD_REQUEST");
}

TEST(Nexus, EndsAttemptsThatNobodyAnswers) {
  Client c;
  const auto task = Called(c);
  c.Advance(seconds(9));
  const auto pending = c.Describe("caller").pending_nexus_operations(0);
  EXPECT_EQ(pending.last_attempt_failure().message(), "upstream timeout");
  EXPECT_EQ(Respond(c, task.task_token(), Sync()).code, 5);
  // The next attempt waits for a worker under its own deadline.
  c.Advance(seconds(1));
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations(0).state(),
            enums::PENDING_NEXUS_OPERATION_STATE_SCHEDULED);
  EXPECT_EQ(Respond(c, PollNexus(c).task_token(), Sync()).code, 0);
}

TEST(Nexus, TimesOut) {
  struct Case {
    enums::TimeoutType type;
    bool start;
    Duration after;
  };
  for (const Case& one : {Case{enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, false, seconds(3)},
                          Case{enums::TIMEOUT_TYPE_SCHEDULE_TO_START, false, seconds(3)},
                          Case{enums::TIMEOUT_TYPE_START_TO_CLOSE, true, seconds(3)},
                          // Too short for any attempt.
                          Case{enums::TIMEOUT_TYPE_SCHEDULE_TO_START, false, milliseconds(1200)}}) {
    Client c;
    Endpoint(c);
    c.Start("caller");
    auto call = CallNexus();
    auto* attributes = call.mutable_schedule_nexus_operation_command_attributes();
    *(one.type == enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
          ? attributes->mutable_schedule_to_close_timeout()
      : one.type == enums::TIMEOUT_TYPE_SCHEDULE_TO_START
          ? attributes->mutable_schedule_to_start_timeout()
          : attributes->mutable_start_to_close_timeout()) = ToProto(one.after);
    c.Step({call});
    if (one.start) {
      EXPECT_EQ(Respond(c, PollNexus(c).task_token(), Async()).code, 0);
      c.Step({});
    }
    c.Advance(one.after);
    const auto names = c.EventNames("caller");
    EXPECT_THAT(names, Contains("NEXUS_OPERATION_TIMED_OUT"));
    for (const auto& event : c.History("caller")) {
      if (!event.has_nexus_operation_timed_out_event_attributes()) continue;
      const auto& cause = event.nexus_operation_timed_out_event_attributes().failure().cause();
      EXPECT_EQ(cause.timeout_failure_info().timeout_type(), one.type);
      EXPECT_EQ(cause.message(), "operation timed out");
    }
    EXPECT_EQ(c.Describe("caller").pending_nexus_operations_size(), 0);
  }
}

TEST(Nexus, CompletesByTheCallbackOfAWorkflow) {
  struct Case {
    std::vector<command::Command> end;
    std::string event, text;
  };
  for (const Case& one :
       {Case{{CompleteWorkflow("7")}, "NEXUS_OPERATION_COMPLETED", "7"},
        Case{{FailWorkflow("bad")}, "NEXUS_OPERATION_FAILED", "bad"},
        Case{{CancelWorkflow()}, "NEXUS_OPERATION_CANCELED", "operation canceled"}}) {
    Client c;
    const auto task = Called(c);
    StartHandler(c, task);
    EXPECT_EQ(c.Describe("handler").callbacks(0).state(), enums::CALLBACK_STATE_STANDBY);
    EXPECT_EQ(Respond(c, task.task_token(), Async()).code, 0);
    const auto pending = c.Describe("caller").pending_nexus_operations(0);
    EXPECT_EQ(pending.state(), enums::PENDING_NEXUS_OPERATION_STATE_STARTED);
    EXPECT_EQ(pending.operation_token(), "token");
    c.Step({});
    c.Step(one.end, "hq");
    EXPECT_EQ(c.EventNames("caller").at(9), one.event);
    EXPECT_THAT(c.History("caller").at(9).ShortDebugString(), HasSubstr(one.text));
    const auto callback = c.Describe("handler").callbacks(0);
    EXPECT_EQ(callback.state(), enums::CALLBACK_STATE_SUCCEEDED);
    EXPECT_EQ(callback.attempt(), 1);
  }
}

ws::StartActivityExecutionRequest ActivityFor(const ws::PollNexusTaskQueueResponse& task) {
  ws::StartActivityExecutionRequest request;
  request.set_namespace_("default");
  request.set_activity_id("act");
  request.mutable_activity_type()->set_name("echo");
  request.mutable_task_queue()->set_name("aq");
  *request.mutable_schedule_to_close_timeout() = ToProto(seconds(60));
  request.mutable_retry_policy()->set_maximum_attempts(1);
  request.set_request_id(task.request().start_operation().request_id());
  auto* nexus = request.add_completion_callbacks()->mutable_nexus();
  nexus->set_url(task.request().start_operation().callback());
  *nexus->mutable_header() = task.request().start_operation().callback_header();
  return request;
}

ws::DescribeActivityExecutionResponse DescribeActivity(Client& c) {
  ws::DescribeActivityExecutionRequest request;
  request.set_namespace_("default");
  request.set_activity_id("act");
  return c.Call<ws::DescribeActivityExecutionResponse>("DescribeActivityExecution", request)
      .response;
}

TEST(Nexus, CompletesByTheCallbackOfAStandaloneActivity) {
  for (const bool succeeds : {true, false}) {
    Client c;
    const auto task = Called(c);
    EXPECT_TRUE(
        c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", ActivityFor(task))
            .ok());
    auto told = DescribeActivity(c);
    ASSERT_EQ(told.callbacks_size(), 1);
    EXPECT_TRUE(told.callbacks(0).trigger().has_activity_closed());
    EXPECT_EQ(told.callbacks(0).info().state(), enums::CALLBACK_STATE_STANDBY);
    EXPECT_EQ(Respond(c, task.task_token(), Async()).code, 0);
    const auto attempt = c.PollActivity("aq");
    if (succeeds) {
      EXPECT_TRUE(c.CompleteActivity(attempt.task_token(), "7").ok());
    } else {
      EXPECT_TRUE(c.FailActivity(attempt.task_token(), "Bad").ok());
    }
    const auto closed = c.History("caller").back();
    if (succeeds) {
      EXPECT_EQ(closed.nexus_operation_completed_event_attributes().result().data(), "7");
    } else {
      EXPECT_EQ(closed.nexus_operation_failed_event_attributes()
                    .failure()
                    .cause()
                    .application_failure_info()
                    .type(),
                "Bad");
    }
    told = DescribeActivity(c);
    EXPECT_EQ(told.callbacks(0).info().state(), enums::CALLBACK_STATE_SUCCEEDED);
    EXPECT_EQ(told.callbacks(0).info().attempt(), 1);
  }
}

TEST(Nexus, AttachesCallbacksToARunningActivity) {
  Client c;
  const auto task = Called(c);
  auto request = ActivityFor(task);
  request.clear_completion_callbacks();
  request.set_request_id("first");
  EXPECT_TRUE(c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", request).ok());
  request = ActivityFor(task);
  request.set_id_conflict_policy(enums::ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING);
  request.mutable_on_conflict_options()->set_attach_request_id(true);
  request.mutable_on_conflict_options()->set_attach_completion_callbacks(true);
  for (int i = 0; i < 2; ++i) {  // the second time nothing more happens
    EXPECT_TRUE(c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", request).ok());
    EXPECT_EQ(DescribeActivity(c).callbacks_size(), 1);
  }
  EXPECT_TRUE(c.CompleteActivity(c.PollActivity("aq").task_token(), "7").ok());
  EXPECT_THAT(c.EventNames("caller"), Contains("NEXUS_OPERATION_COMPLETED"));
  request.mutable_completion_callbacks(0)->mutable_nexus()->set_url("ftp://x");
  EXPECT_EQ(
      c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", request).status.message,
      "invalid url: unknown scheme: ftp://x");
}

TEST(Nexus, StartsAnOperationWhoseCallbackWasFaster) {
  Client c;
  const auto task = Called(c);
  StartHandler(c, task);
  // It continues in another run, which takes the callback over.
  c.Advance(seconds(2));
  c.Step({ContinueAsNew()}, "hq");
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations_size(), 1);
  c.Step({CompleteWorkflow()}, "hq");
  EXPECT_THAT(c.EventNames("caller"), Contains("NEXUS_OPERATION_STARTED"));
  EXPECT_EQ(c.EventNames("caller").at(6), "NEXUS_OPERATION_COMPLETED");
  EXPECT_EQ(c.History("caller").at(5).links(0).workflow_event().workflow_id(), "handler");
  EXPECT_EQ(Respond(c, task.task_token(), Async()).code, 0);  // too late to matter
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations_size(), 0);
}

TEST(Nexus, TellsCallbacksThatCameToNothing) {
  Client c;
  const auto task = Called(c);
  StartHandler(c, task);
  EXPECT_EQ(Respond(c, task.task_token(), Sync()).code, 0);
  c.Step({CompleteWorkflow()}, "hq");
  auto callback = c.Describe("handler").callbacks(0);
  EXPECT_EQ(callback.state(), enums::CALLBACK_STATE_FAILED);
  EXPECT_EQ(callback.last_attempt_failure().message(),
            "handler error (NOT_FOUND): stale reference: state machine not found: "
            "nexusoperations.Operation:5");
  c.Step({CompleteWorkflow()});
  StartHandler(c, task, "late");
  c.Step({CompleteWorkflow()}, "hq");
  EXPECT_EQ(c.Describe("late").callbacks(0).last_attempt_failure().message(),
            "handler error (NOT_FOUND): workflow execution already completed");
  auto request = Client::StartRequest("loner");
  request.add_completion_callbacks()->mutable_nexus()->set_url("temporal://system");
  EXPECT_EQ(c.Start(request).status.code, 0);
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.Describe("loner").callbacks(0).last_attempt_failure().message(),
            "handler error (BAD_REQUEST): invalid callback token");
}

TEST(Nexus, AttachesCallbacksToARunningWorkflow) {
  Client c;
  const auto task = Called(c);
  c.Start("handler", "hq");
  auto request = Client::StartRequest("handler", "hq");
  request.set_request_id("attached");
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
  auto* nexus = request.add_completion_callbacks()->mutable_nexus();
  nexus->set_url(task.request().start_operation().callback());
  *nexus->mutable_header() = task.request().start_operation().callback_header();
  request.mutable_on_conflict_options()->set_attach_completion_callbacks(true);
  EXPECT_EQ(c.Start(request).status.message,
            "attaching request ID is required for attaching completion callbacks");
  request.mutable_on_conflict_options()->set_attach_request_id(true);
  for (int i = 0; i < 2; ++i) {  // the second time nothing more happens
    const auto reply = c.Start(request);
    EXPECT_FALSE(reply.response.started());
    EXPECT_EQ(reply.response.link().workflow_event().request_id_ref().request_id(), "attached");
  }
  EXPECT_THAT(c.EventNames("handler"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_EXECUTION_OPTIONS_UPDATED"));
  EXPECT_EQ(
      c.Describe("handler").workflow_extended_info().request_id_infos().at("attached").event_id(),
      3);
  c.Step({CompleteWorkflow()}, "hq");
  EXPECT_THAT(c.EventNames("caller"), Contains("NEXUS_OPERATION_COMPLETED"));
  EXPECT_EQ(c.History("caller").at(5).links(0).workflow_event().request_id_ref().request_id(),
            "attached");
}

TEST(Nexus, CancelsOnceTheOperationHasStarted) {
  Client c;
  auto task = Called(c);
  c.Signal("caller", "go");
  c.Step({CancelNexus(5)});
  EXPECT_TRUE(c.Describe("caller").pending_nexus_operations(0).has_cancellation_info());
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations(0).cancellation_info().state(),
            enums::NEXUS_OPERATION_CANCELLATION_STATE_UNSPECIFIED);
  const std::uint64_t poll = SendNexusPoll(c);
  EXPECT_FALSE(c.Answered(poll));
  EXPECT_EQ(Respond(c, task.task_token(), Async()).code, 0);
  task = c.Take<ws::PollNexusTaskQueueResponse>(poll).response;
  EXPECT_EQ(task.request().cancel_operation().operation_token(), "token");
  // Tried again when that is allowed.
  EXPECT_EQ(Fail(c, task.task_token(), "INTERNAL").code, 0);
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations(0).cancellation_info().state(),
            enums::NEXUS_OPERATION_CANCELLATION_STATE_BACKING_OFF);
  c.Advance(seconds(1));
  EXPECT_EQ(Respond(c, PollNexus(c).task_token(), CancelOk()).code, 0);
  EXPECT_THAT(c.EventNames("caller"), Contains("NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED"));
  const auto info = c.Describe("caller").pending_nexus_operations(0).cancellation_info();
  EXPECT_EQ(info.state(), enums::NEXUS_OPERATION_CANCELLATION_STATE_SUCCEEDED);
  EXPECT_EQ(info.attempt(), 2);
}

TEST(Nexus, TellsWhenTheCancellationIsRefused) {
  Client c;
  EXPECT_EQ(Respond(c, Called(c).task_token(), Async()).code, 0);
  c.Step({CancelNexus(5)});
  EXPECT_EQ(Fail(c, PollNexus(c).task_token(), "NOT_IMPLEMENTED").code, 0);
  const auto failed = c.History("caller").at(10);
  EXPECT_TRUE(failed.worker_may_ignore());
  EXPECT_EQ(failed.nexus_operation_cancel_request_failed_event_attributes().requested_event_id(),
            10);
}

TEST(Nexus, AcceptsToCancelWhatEndsMeanwhile) {
  Client c;
  Endpoint(c);
  c.Start("caller");
  c.Step({CallNexus()});
  c.Signal("caller", "go");
  const auto workflow_task = c.PollTask();
  EXPECT_EQ(Respond(c, PollNexus(c).task_token(), Sync()).code, 0);
  EXPECT_EQ(c.Complete(workflow_task, {CancelNexus(5)}).status.message, "");
  const auto names = c.EventNames("caller");
  EXPECT_EQ(names.at(names.size() - 3), "NEXUS_OPERATION_CANCEL_REQUESTED");
  EXPECT_EQ(names.at(names.size() - 2), "NEXUS_OPERATION_COMPLETED");
}

TEST(Nexus, LeavesExternalEndpointsAlone) {
  Client c;
  auto request = EndpointRequest("outside", "q");
  request.mutable_spec()->mutable_target()->mutable_external()->set_url("http://127.0.0.1:1/x");
  EXPECT_EQ(
      c.Call<op::CreateNexusEndpointResponse>("CreateNexusEndpoint", request, kOperatorService)
          .status.code,
      0);
  c.Start("caller");
  auto call = CallNexus("outside");
  *call.mutable_schedule_nexus_operation_command_attributes()->mutable_schedule_to_close_timeout() =
      ToProto(seconds(60));
  c.Step({call});
  c.Advance(seconds(59));
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations(0).attempt(), 0);
  c.Advance(seconds(1));
  EXPECT_THAT(c.EventNames("caller"), Contains("NEXUS_OPERATION_TIMED_OUT"));
}

TEST(Nexus, FailsWhenItsEndpointIsGone) {
  Client c;
  const nexuspb::Endpoint endpoint = Endpoint(c);
  c.Start("caller");
  c.Step({CallNexus()});
  const auto task = PollNexus(c);
  op::DeleteNexusEndpointRequest remove;
  remove.set_id(endpoint.id());
  remove.set_version(1);
  c.Call<op::DeleteNexusEndpointResponse>("DeleteNexusEndpoint", remove, kOperatorService);
  EXPECT_EQ(Fail(c, task.task_token(), "INTERNAL").code, 0);
  c.Advance(seconds(1));
  const auto failed = c.History("caller").at(5).nexus_operation_failed_event_attributes();
  EXPECT_EQ(failed.failure().cause().message(), "endpoint not registered");
}

TEST(Nexus, ClosesWithOperationsPending) {
  Client c;
  const auto task = Called(c);
  c.Signal("caller", "go");
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.Describe("caller").pending_nexus_operations_size(), 1);  // as the real server
  EXPECT_EQ(Respond(c, task.task_token(), Sync()).code, 0);
  EXPECT_EQ(c.EventNames("caller").back(), "WORKFLOW_EXECUTION_COMPLETED");
  // One that closes in the task in which it calls has called nobody.
  c.Start("hasty");
  c.Step({CallNexus(), CompleteWorkflow()});
  const std::uint64_t poll = SendNexusPoll(c);
  EXPECT_FALSE(c.Answered(poll));
}

TEST(Nexus, MakesItsRequestsAgainAfterARestart) {
  Client c;
  const auto task = Called(c);
  c.engine.Restart(c.now(), true);
  c.Collect();
  EXPECT_EQ(Respond(c, task.task_token(), Sync()).code, 5);
  EXPECT_EQ(Respond(c, PollNexus(c).task_token(), Sync()).code, 0);
  c.engine.Restart(c.now(), false);
  c.Collect();
  EXPECT_EQ(c.Call<op::ListNexusEndpointsResponse>(
                 "ListNexusEndpoints", op::ListNexusEndpointsRequest(), kOperatorService)
                .response.endpoints_size(),
            0);
}

}  // namespace
}  // namespace squall::fakes::engine
