// Updates: accepted, completed, rejected, polled, unprocessed, aborted; update-with-start.

#include <gmock/gmock.h>

#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::Contains;
constexpr auto kAccepted = enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED;
constexpr auto kCompleted = enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED;

ws::UpdateWorkflowExecutionRequest Request(const std::string& id, const std::string& update,
                                           enums::UpdateWorkflowExecutionLifecycleStage stage) {
  ws::UpdateWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.mutable_wait_policy()->set_lifecycle_stage(stage);
  request.mutable_request()->mutable_meta()->set_update_id(update);
  request.mutable_request()->mutable_input()->set_name("set");
  return request;
}

protocol::Message MessageOf(const std::string& update, const std::string& id,
                            const google::protobuf::Message& body) {
  protocol::Message message;
  message.set_id(id);
  message.set_protocol_instance_id(update);
  message.mutable_body()->PackFrom(body);
  return message;
}
protocol::Message Accept(const std::string& update) {
  updatepb::Acceptance body;
  body.set_accepted_request_message_id(update + "/request");
  body.set_accepted_request_sequencing_event_id(5);
  return MessageOf(update, update + "/accept", body);
}
protocol::Message Reject(const std::string& update) {
  updatepb::Rejection body;
  body.mutable_failure()->set_message("not now");
  return MessageOf(update, update + "/reject", body);
}
protocol::Message Finish(const std::string& update, const std::string& json) {
  updatepb::Response body;
  body.mutable_meta()->set_update_id(update);
  *body.mutable_outcome()->mutable_success() = Json(json);
  return MessageOf(update, update + "/complete", body);
}

RpcStatus CompleteWith(Client& c, const ws::PollWorkflowTaskQueueResponse& task,
                       const std::vector<protocol::Message>& messages,
                       const std::vector<command::Command>& commands = {}) {
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  request.set_identity("w");
  request.mutable_capabilities()->set_discard_speculative_workflow_task_with_events(true);
  for (const auto& message : messages) {
    *request.add_messages() = message;
    if (message.body().Is<updatepb::Rejection>()) continue;
    command::Command command;
    command.set_command_type(enums::COMMAND_TYPE_PROTOCOL_MESSAGE);
    command.mutable_protocol_message_command_attributes()->set_message_id(message.id());
    *request.add_commands() = command;
  }
  for (const auto& command : commands) *request.add_commands() = command;
  return c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
      .status;
}

std::uint64_t Send(Client& c, const ws::UpdateWorkflowExecutionRequest& request) {
  return c.Send("UpdateWorkflowExecution", request, minutes(1));
}

TEST(Updates, AreAcceptedAndCompletedOnAnIdleWorkflow) {
  Client c;
  c.Start("wf");
  c.Step({});
  const std::uint64_t accepted = Send(c, Request("wf", "u", kAccepted));
  const std::uint64_t completed = Send(c, Request("wf", "u", kCompleted));
  EXPECT_EQ(c.History("wf").size(), 4u);  // a speculative task leaves no trace yet
  auto task = c.PollTask();
  ASSERT_EQ(task.messages_size(), 1);
  EXPECT_EQ(task.messages(0).id(), "u/request");
  EXPECT_EQ(task.messages(0).event_id(), task.started_event_id() - 1);
  EXPECT_EQ(task.history().events_size(), 6);
  updatepb::Request body;
  EXPECT_TRUE(task.messages(0).body().UnpackTo(&body));
  EXPECT_EQ(body.input().name(), "set");
  EXPECT_EQ(CompleteWith(c, task, {Accept("u")}).message, "");
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(accepted).response.stage(), kAccepted);
  EXPECT_FALSE(c.Answered(completed));
  c.Signal("wf", "wake");
  task = c.PollTask();
  EXPECT_EQ(CompleteWith(c, task, {Finish("u", "3")}).message, "");
  const auto outcome = c.Take<ws::UpdateWorkflowExecutionResponse>(completed).response;
  EXPECT_EQ(outcome.stage(), kCompleted);
  EXPECT_EQ(outcome.outcome().success().payloads(0).data(), "3");
  const auto names = c.EventNames("wf");
  EXPECT_THAT(names, Contains("WORKFLOW_EXECUTION_UPDATE_ACCEPTED"));
  EXPECT_EQ(names.back(), "WORKFLOW_EXECUTION_UPDATE_COMPLETED");
  // The same id again: the same answer.
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, Request("wf", "u", kCompleted)))
                .response.outcome()
                .success()
                .payloads(0)
                .data(),
            "3");
}

TEST(Updates, LeaveNoTraceWhenRejected) {
  Client c;
  c.Start("wf");
  c.Step({});
  const std::uint64_t call = Send(c, Request("wf", "u", kAccepted));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Reject("u")}).message, "");
  const auto reply = c.Take<ws::UpdateWorkflowExecutionResponse>(call).response;
  EXPECT_EQ(reply.outcome().failure().message(), "not now");
  EXPECT_EQ(reply.stage(), kCompleted);
  EXPECT_EQ(c.History("wf").size(), 4u);
  c.Signal("wf", "go");
  EXPECT_EQ(c.PollTask().previous_started_event_id(), 3);
}

TEST(Updates, TravelWithATaskThatIsPendingAnyway) {
  Client c;
  c.Start("wf");
  const std::uint64_t call = Send(c, Request("wf", "u", kCompleted));
  const auto task = c.PollTask();
  EXPECT_EQ(task.messages_size(), 1);
  EXPECT_EQ(CompleteWith(c, task, {Accept("u"), Finish("u", "1")}).message, "");
  EXPECT_TRUE(c.Take<ws::UpdateWorkflowExecutionResponse>(call).ok());
  EXPECT_EQ(c.EventNames("wf").size(), 6u);
}

TEST(Updates, AreRejectedForWorkersThatIgnoreThem) {
  Client c;
  c.Start("wf");
  c.Step({});
  const std::uint64_t call = Send(c, Request("wf", "u", kAccepted));
  EXPECT_TRUE(c.Complete(c.PollTask(), {}).ok());
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(call)
                .response.outcome()
                .failure()
                .application_failure_info()
                .type(),
            "UnprocessedUpdate");
}

TEST(Updates, AnswerTheStageReachedAfterTwentySeconds) {
  Client c;
  c.Start("wf");
  const std::uint64_t call = Send(c, Request("wf", "u", kCompleted));
  c.Advance(seconds(20));
  const auto reply = c.Take<ws::UpdateWorkflowExecutionResponse>(call).response;
  EXPECT_EQ(reply.stage(), enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED);
  EXPECT_FALSE(reply.has_outcome());
}

TEST(Updates, ArePolledById) {
  Client c;
  c.Start("wf");
  const std::uint64_t call = Send(c, Request("wf", "u", kAccepted));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Accept("u")}).message, "");
  EXPECT_TRUE(c.Answered(call));
  ws::PollWorkflowExecutionUpdateRequest poll;
  poll.set_namespace_("default");
  EXPECT_EQ(c.Call<ws::PollWorkflowExecutionUpdateResponse>("PollWorkflowExecutionUpdate", poll)
                .status.message,
            "UpdateRef is not set on request.");
  poll.mutable_update_ref()->mutable_workflow_execution()->set_workflow_id("wf");
  poll.mutable_update_ref()->set_update_id("no");
  EXPECT_EQ(c.Call<ws::PollWorkflowExecutionUpdateResponse>("PollWorkflowExecutionUpdate", poll)
                .status.message,
            "update \"no\" not found");
  poll.mutable_update_ref()->set_update_id("u");
  EXPECT_EQ(c.Call<ws::PollWorkflowExecutionUpdateResponse>("PollWorkflowExecutionUpdate", poll)
                .response.stage(),
            kAccepted);
  poll.mutable_wait_policy()->set_lifecycle_stage(kCompleted);
  const std::uint64_t waiting = c.Send("PollWorkflowExecutionUpdate", poll, minutes(1));
  c.Signal("wf", "wake");
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Finish("u", "1")}).message, "");
  EXPECT_EQ(c.Take<ws::PollWorkflowExecutionUpdateResponse>(waiting)
                .response.outcome()
                .success()
                .payloads(0)
                .data(),
            "1");
}

TEST(Updates, AreAbortedWithTheirWorkflow) {
  Client c;
  c.Start("wf");
  const std::uint64_t accepted = Send(c, Request("wf", "a", kCompleted));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Accept("a")}).message, "");
  const std::uint64_t waiting = Send(c, Request("wf", "b", kAccepted));
  ws::TerminateWorkflowExecutionRequest terminate;
  terminate.set_namespace_("default");
  terminate.mutable_workflow_execution()->set_workflow_id("wf");
  EXPECT_TRUE(
      c.Call<ws::TerminateWorkflowExecutionResponse>("TerminateWorkflowExecution", terminate).ok());
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(accepted)
                .response.outcome()
                .failure()
                .application_failure_info()
                .type(),
            "AcceptedUpdateCompletedWorkflow");
  const auto lost = c.Take<ws::UpdateWorkflowExecutionResponse>(waiting);
  EXPECT_EQ(lost.status.code, 5);
  EXPECT_EQ(lost.status.message, "workflow update was aborted by closing workflow");
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, Request("wf", "c", kAccepted)))
                .status.message,
            "workflow execution already completed");
}

TEST(Updates, ThatNoWorkerHasSeenOutliveATaskThatFails) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  const std::uint64_t call = Send(c, Request("wf", "u", kCompleted));
  EXPECT_NE(CompleteWith(c, task, {}, {CancelTimer("no")}).message, "");
  EXPECT_FALSE(c.answers.contains(call));
  const auto next = c.PollTask();
  ASSERT_EQ(next.messages_size(), 1);
  EXPECT_EQ(CompleteWith(c, next, {Accept("u"), Finish("u", "1")}).message, "");
  EXPECT_TRUE(c.Take<ws::UpdateWorkflowExecutionResponse>(call).ok());
}

// The second task stays pending until its time-out, but what it brought is over.
TEST(Updates, SeenByATaskThatFailsFailWithItAtEveryAttempt) {
  Client c;
  c.Start("wf");
  EXPECT_NE(CompleteWith(c, c.PollTask(), {}, {CancelTimer("no")}).message, "");
  const std::uint64_t call = Send(c, Request("wf", "u", kCompleted));
  const auto again = c.PollTask();
  ASSERT_EQ(again.attempt(), 2);
  ASSERT_EQ(again.messages_size(), 1);
  EXPECT_NE(CompleteWith(c, again, {}, {CancelTimer("no")}).message, "");
  ASSERT_TRUE(c.answers.contains(call));
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(call).status.message,
            "Unable to perform workflow execution update due to unexpected workflow task failure.");
}

TEST(Updates, BecomeRealWhenASignalComesBetween) {
  Client c;
  c.Start("wf");
  c.Step({});
  const std::uint64_t call = Send(c, Request("wf", "u", kAccepted));
  c.Signal("wf", "go");
  const auto names = c.EventNames("wf");
  EXPECT_EQ(names.at(4), "WORKFLOW_TASK_SCHEDULED");
  EXPECT_EQ(names.at(5), "WORKFLOW_EXECUTION_SIGNALED");
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Reject("u")}).message, "");
  EXPECT_TRUE(c.Answered(call));
  EXPECT_EQ(c.EventNames("wf").back(), "WORKFLOW_TASK_COMPLETED");
}

TEST(Updates, FailTheTaskForMessagesThatDoNotFit) {
  Client c;
  c.Start("wf");
  const RpcStatus status = CompleteWith(c, c.PollTask(), {Finish("ghost", "1")});
  EXPECT_EQ(status.code, 3);
  EXPECT_THAT(status.message, ::testing::StartsWith(
                                  "BadUpdateWorkflowExecutionMessage: update ghost wasn't found"));
  command::Command absent;
  absent.set_command_type(enums::COMMAND_TYPE_PROTOCOL_MESSAGE);
  absent.mutable_protocol_message_command_attributes()->set_message_id("absent");
  Client d;
  d.Start("wf");
  EXPECT_THAT(CompleteWith(d, d.PollTask(), {}, {absent}).message,
              ::testing::HasSubstr("ProtocolMessageCommand referenced absent message ID absent"));
}

TEST(Updates, RefuseIncompleteRequests) {
  Client c;
  c.Start("wf");
  auto request = Request("wf", "u", kAccepted);
  request.mutable_request()->clear_meta();
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, request)).status.message,
            "Update meta is not set on request.");
  request = Request("wf", "u", kAccepted);
  request.mutable_request()->mutable_input()->clear_name();
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, request)).status.message,
            "Update name is not set on request.");
  request = Request("wf", "u", enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED);
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, request)).status.code, 7);
  for (int i = 0; i < 10; ++i) Send(c, Request("wf", "u" + std::to_string(i), kAccepted));
  EXPECT_EQ(
      c.Take<ws::UpdateWorkflowExecutionResponse>(Send(c, Request("wf", "one more", kAccepted)))
          .status.code,
      8);
}

TEST(Updates, StartTheirWorkflow) {
  Client c;
  ws::ExecuteMultiOperationRequest request;
  request.set_namespace_("default");
  *request.add_operations()->mutable_start_workflow() = Client::StartRequest("wf");
  auto bad = c.Call<ws::ExecuteMultiOperationResponse>("ExecuteMultiOperation", request);
  EXPECT_EQ(bad.status.message, "Operations have to be exactly [Start, Update].");
  *request.add_operations()->mutable_update_workflow() = Request("wf", "u", kAccepted);
  const std::uint64_t call = c.Send("ExecuteMultiOperation", request, minutes(1));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Accept("u")}).message, "");
  const auto both = c.Take<ws::ExecuteMultiOperationResponse>(call).response;
  ASSERT_EQ(both.responses_size(), 2);
  EXPECT_TRUE(both.responses(0).start_workflow().started());
  EXPECT_EQ(both.responses(1).update_workflow().stage(), kAccepted);
  // An update that is known there needs no start; another one does.
  request.mutable_operations(0)->mutable_start_workflow()->set_request_id("r2");
  const auto known = c.Call<ws::ExecuteMultiOperationResponse>("ExecuteMultiOperation", request);
  EXPECT_FALSE(known.response.responses(0).start_workflow().started());
  EXPECT_EQ(known.response.responses(1).update_workflow().stage(), kAccepted);
  *request.mutable_operations(1)->mutable_update_workflow() = Request("wf", "v", kAccepted);
  bad = c.Call<ws::ExecuteMultiOperationResponse>("ExecuteMultiOperation", request);
  EXPECT_EQ(bad.status.code, 6);
  EXPECT_EQ(bad.status.message, "Update-with-Start could not be executed.");
  ::temporal::api::errordetails::v1::MultiOperationExecutionFailure failure;
  ASSERT_TRUE(UnpackDetail(bad.status, &failure));
  ASSERT_EQ(failure.statuses_size(), 2);
  EXPECT_EQ(failure.statuses(0).code(), 6);
  EXPECT_EQ(failure.statuses(1).message(), "Operation was aborted.");
  ASSERT_EQ(failure.statuses(1).details_size(), 1);
  EXPECT_TRUE(failure.statuses(1)
                  .details(0)
                  .Is<::temporal::api::failure::v1::MultiOperationExecutionAborted>());
}

TEST(Updates, OfAStartFailWithItWhenTheRunEndsBefore) {
  Client c;
  ws::ExecuteMultiOperationRequest request;
  request.set_namespace_("default");
  *request.add_operations()->mutable_start_workflow() = Client::StartRequest("wf");
  *request.add_operations()->mutable_update_workflow() = Request("wf", "u", kAccepted);
  const std::uint64_t call = c.Send("ExecuteMultiOperation", request, minutes(1));
  c.Step({CompleteWorkflow()});
  const RpcStatus status = c.Take<ws::ExecuteMultiOperationResponse>(call).status;
  EXPECT_EQ(status.code, 5);
  EXPECT_EQ(status.message, "Update-with-Start could not be executed.");
  ::temporal::api::errordetails::v1::MultiOperationExecutionFailure failure;
  ASSERT_TRUE(UnpackDetail(status, &failure));
  EXPECT_EQ(failure.statuses(0).code(), 0);  // it was started
  EXPECT_EQ(failure.statuses(1).code(), 5);
  EXPECT_EQ(failure.statuses(1).message(), "workflow update was aborted by closing workflow");
}

// As the real server does: without a start the update would fail, with one it may have another run.
TEST(Updates, ThatMayStartAreAppliedOnceMoreWhenTheirRunCloses) {
  Client c;
  c.Start("wf");
  ws::ExecuteMultiOperationRequest request;
  request.set_namespace_("default");
  auto& start = *request.add_operations()->mutable_start_workflow();
  start = Client::StartRequest("wf");
  start.set_request_id("r2");
  start.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
  *request.add_operations()->mutable_update_workflow() = Request("wf", "u", kAccepted);
  std::uint64_t call = c.Send("ExecuteMultiOperation", request, minutes(1));
  c.Step({CompleteWorkflow()});
  const auto task = c.PollTask();
  ASSERT_EQ(task.messages_size(), 1);
  EXPECT_EQ(task.history()
                .events(0)
                .workflow_execution_started_event_attributes()
                .input()
                .payloads_size(),
            start.input().payloads_size());
  EXPECT_EQ(CompleteWith(c, task, {Accept("u")}).message, "");
  const auto both = c.Take<ws::ExecuteMultiOperationResponse>(call).response;
  EXPECT_TRUE(both.responses(0).start_workflow().started());
  EXPECT_EQ(both.responses(0).start_workflow().run_id(), task.workflow_execution().run_id());

  // Where no run may be started any more, that is the answer.
  start.set_request_id("r3");
  start.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  *request.mutable_operations(1)->mutable_update_workflow() = Request("wf", "v", kAccepted);
  call = c.Send("ExecuteMultiOperation", request, minutes(1));
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.Take<ws::ExecuteMultiOperationResponse>(call).status.code, 6);  // ALREADY_EXISTS
}

TEST(Updates, DoNotWaitForADelayOfTheStart) {
  Client c;
  auto delayed = Client::StartRequest("wf");
  delayed.mutable_workflow_start_delay()->set_seconds(30);
  ASSERT_TRUE(c.Start(delayed).ok());
  const std::uint64_t call = Send(c, Request("wf", "u", kAccepted));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Accept("u")}).message, "");
  EXPECT_EQ(c.Take<ws::UpdateWorkflowExecutionResponse>(call).response.stage(), kAccepted);
}

TEST(Updates, AreSentAgainAfterAnAnswerThatCannotBe) {
  Client c;
  c.Start("wf");
  c.Step({});
  Send(c, Request("wf", "u", kAccepted));
  const auto refused =
      CompleteWith(c, c.PollTask(), {Accept("u")}, {CompleteWorkflow(), StartTimer("t", hours(1))});
  EXPECT_EQ(refused.code, 3);
  const auto again = c.PollTask();
  ASSERT_EQ(again.messages_size(), 1);
  EXPECT_EQ(again.messages(0).protocol_instance_id(), "u");
}

TEST(Updates, LinkToTheirEventOrToTheWorkflowThatRejectedThem) {
  Client c;
  c.Start("wf");
  auto request = Request("wf", "u", kAccepted);
  request.mutable_request()->set_request_id("r");
  std::uint64_t call = Send(c, request);
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Accept("u")}).message, "");
  const auto accepted = c.Take<ws::UpdateWorkflowExecutionResponse>(call).response.link();
  EXPECT_EQ(accepted.workflow_event().workflow_id(), "wf");
  EXPECT_EQ(accepted.workflow_event().request_id_ref().request_id(), "r");
  EXPECT_EQ(accepted.workflow_event().request_id_ref().event_type(),
            enums::EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED);
  call = Send(c, Request("wf", "no", kAccepted));
  EXPECT_EQ(CompleteWith(c, c.PollTask(), {Reject("no")}).message, "");
  const auto rejected = c.Take<ws::UpdateWorkflowExecutionResponse>(call).response.link();
  EXPECT_EQ(rejected.workflow().workflow_id(), "wf");
  EXPECT_EQ(rejected.workflow().reason(), "Update rejected");
}

}  // namespace
}  // namespace squall::fakes::engine
