// What is kept of a workflow beside its history, what one completion writes, and what is cut or
// told when it is too large.

#include <gmock/gmock.h>

#include "fakes/engine/limits.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

constexpr char kStateTooLarge[] = "Workflow mutable state size exceeds limit.";

common::Payloads Sized(std::size_t bytes) { return Json(std::string(bytes, 'x')); }

EngineOptions StateOf(std::int64_t bytes) {
  EngineOptions options = TestOptions();
  options.limits.state_size = bytes;
  return options;
}

RpcStatus Heartbeat(Client& c, const std::string& token, std::size_t bytes) {
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(token);
  *request.mutable_details() = Sized(bytes);
  return c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request)
      .status;
}

command::Command Memo(const std::string& key, std::size_t bytes) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES);
  auto* memo =
      command.mutable_modify_workflow_properties_command_attributes()->mutable_upserted_memo();
  (*memo->mutable_fields())[key] = Sized(bytes).payloads(0);
  return command;
}

std::string Reason(Client& c) {
  const historypb::HistoryEvent last = c.LastEvent("wf");
  EXPECT_EQ(last.event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED);
  EXPECT_EQ(last.workflow_execution_terminated_event_attributes().identity(), "history-service");
  return last.workflow_execution_terminated_event_attributes().reason();
}

TEST(StateLimits, HeartbeatsOfAllActivitiesCountTogether) {
  Client c(StateOf(100'000));
  c.Start("wf");
  c.Step({Schedule("1"), Schedule("2"), Schedule("3")});
  const std::string one = c.PollActivity().task_token(), two = c.PollActivity().task_token(),
                    three = c.PollActivity().task_token();
  EXPECT_EQ(Heartbeat(c, one, 40'000).message, "");
  EXPECT_EQ(Heartbeat(c, two, 40'000).message, "");
  EXPECT_EQ(Heartbeat(c, two, 40'000).message, "") << "in the place of the last";
  const RpcStatus refused = Heartbeat(c, three, 40'000);
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(refused.message, kStateTooLarge);
  EXPECT_EQ(Reason(c), kStateTooLarge);
  EXPECT_FALSE(c.Describe("wf").pending_activities(2).has_heartbeat_details()) << "it is dropped";
}

TEST(StateLimits, AMemoThatHasNoRoomRefusesTheCompletionAsAWhole) {
  Client c(StateOf(100'000));
  c.Start("wf");
  c.Step({Memo("m", 60'000), Schedule("1")});
  ASSERT_EQ(c.CompleteActivity(c.PollActivity().task_token()).status.message, "");
  c.Step({Memo("m", 70'000), Schedule("2")});  // in the place of the first
  ASSERT_EQ(c.CompleteActivity(c.PollActivity().task_token()).status.message, "");
  const auto reply = c.Complete(c.PollTask(), {Memo("n", 60'000)});
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_EQ(reply.status.message, kStateTooLarge);
  EXPECT_EQ(Reason(c), kStateTooLarge);
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().memo().fields().count("n"), 0u);
}

TEST(StateLimits, WhatClosesTheWorkflowNeedsNoRoom) {
  Client c(StateOf(100'000));
  c.Start("wf");
  EXPECT_TRUE(c.Complete(c.PollTask(), {Memo("m", 200'000), CompleteWorkflow()}).ok());
}

command::Command Marker(std::size_t bytes) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_RECORD_MARKER);
  command.mutable_record_marker_command_attributes()->set_marker_name("m");
  (*command.mutable_record_marker_command_attributes()->mutable_details())["d"] = Sized(bytes);
  return command;
}

TEST(StateLimits, ACompletionThatWritesTooMuchAtOnceEndsTheWorkflow) {
  EngineOptions options = TestOptions();
  options.limits.transaction_size = 100'000;
  Client c(options);
  c.Start("wf");
  c.Step({Marker(40'000), Marker(40'000), Schedule("1")});
  ASSERT_EQ(c.CompleteActivity(c.PollActivity().task_token()).status.message, "");
  const auto reply = c.Complete(
      c.PollTask(), {Marker(40'000), Marker(40'000), Marker(40'000), CompleteWorkflow()});
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_THAT(
      reply.status.message,
      ::testing::MatchesRegex("transaction size of 12.... bytes exceeds limit of 100000 bytes"));
  EXPECT_EQ(Reason(c), "Transaction size exceeds limit.");
  EXPECT_EQ(c.LastEvent("wf")
                .workflow_execution_terminated_event_attributes()
                .details()
                .payloads(0)
                .data(),
            "\"" + reply.status.message + "\"");
}

struct Failing {
  Client c;
  std::string token;
  Failing() {
    c.Start("wf");
    c.Step({Schedule("1")});
    token = c.PollActivity().task_token();
  }
  ws::RespondActivityTaskFailedResponse Fail(const std::string& message, std::size_t heartbeat) {
    ws::RespondActivityTaskFailedRequest request;
    request.set_task_token(token);
    request.mutable_failure()->set_message(message);
    request.mutable_failure()->mutable_application_failure_info()->set_type("Mine");
    if (heartbeat > 0) *request.mutable_last_heartbeat_details() = Sized(heartbeat);
    return c.Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request)
        .response;
  }
  workflowpb::PendingActivityInfo Pending() { return c.Describe("wf").pending_activities(0); }
};

TEST(StateLimits, AFailureThatIsRetriedIsCut) {
  Failing f;
  EXPECT_EQ(f.Fail(std::string(5'000, 'm'), 0).failures_size(), 0);
  const failure::Failure kept = f.Pending().last_failure();
  EXPECT_EQ(kept.message(), "Failure exceeds size limit.");
  EXPECT_FALSE(kept.server_failure_info().non_retryable());
  EXPECT_EQ(kept.source(), "");
  EXPECT_EQ(kept.cause().application_failure_info().type(), "Mine");
  // 4,096 less the type, its cost and that of the application's part.
  EXPECT_EQ(kept.cause().message(), std::string(4'096 - 4 - 4 - 8, 'm'));
}

TEST(StateLimits, AFailureAtTheLimitIsKept) {
  Failing f;
  EXPECT_EQ(f.Fail(std::string(4'000, 'm'), 0).failures_size(), 0);
  EXPECT_EQ(f.Pending().last_failure().message().size(), 4'000u);
}

TEST(StateLimits, NoCharacterIsDivided) {
  Failing f;
  std::string text;
  while (text.size() < 6'000) text += "\xE2\x82\xAC";  // a euro sign
  f.Fail(text, 0);
  EXPECT_EQ(f.Pending().last_failure().cause().message().size(), (4'096u - 16) / 3 * 3);
}

TEST(StateLimits, TheWorkerIsToldWhatWasTooLarge) {
  Failing f;
  const auto response = f.Fail(std::string(kBlobSizeError, 'm'), kBlobSizeError);
  ASSERT_EQ(response.failures_size(), 2);
  EXPECT_EQ(response.failures(0).message(), "Heartbeat details exceed size limit.");
  EXPECT_TRUE(response.failures(0).server_failure_info().non_retryable());
  EXPECT_EQ(response.failures(1).message(), "Failure exceeds size limit.");
  EXPECT_EQ(response.failures(1).cause().application_failure_info().type(), "Mine");
}

}  // namespace
}  // namespace squall::fakes::engine
