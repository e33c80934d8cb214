// Queries: with a workflow task, directly, on closed workflows, rejected, timed out.

#include <gmock/gmock.h>

#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

std::uint64_t Ask(Client& c, const std::string& id, Duration timeout = seconds(30),
                  enums::QueryRejectCondition reject = enums::QUERY_REJECT_CONDITION_NONE) {
  ws::QueryWorkflowRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(id);
  request.mutable_query()->set_query_type("state");
  request.set_query_reject_condition(reject);
  return c.Send("QueryWorkflow", request, timeout);
}

RpcStatus AnswerDirect(Client& c, const ws::PollWorkflowTaskQueueResponse& task,
                       const std::string& json, bool fail = false) {
  ws::RespondQueryTaskCompletedRequest request;
  request.set_namespace_("default");
  request.set_task_token(task.task_token());
  request.set_completed_type(fail ? enums::QUERY_RESULT_TYPE_FAILED
                                  : enums::QUERY_RESULT_TYPE_ANSWERED);
  if (fail) {
    request.set_error_message(json);
    request.mutable_failure()->set_message(json);
  } else {
    *request.mutable_query_result() = Json(json);
  }
  return c.Call<ws::RespondQueryTaskCompletedResponse>("RespondQueryTaskCompleted", request).status;
}

TEST(Queries, TravelWithTheWorkflowTask) {
  Client c;
  c.Start("wf");
  const std::uint64_t query = Ask(c, "wf");
  const auto task = c.PollTask();
  ASSERT_EQ(task.queries_size(), 1);
  EXPECT_EQ(task.queries().begin()->second.query_type(), "state");
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  auto& result = (*request.mutable_query_results())[task.queries().begin()->first];
  result.set_result_type(enums::QUERY_RESULT_TYPE_ANSWERED);
  *result.mutable_answer() = Json("42");
  EXPECT_TRUE(
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
          .ok());
  EXPECT_EQ(c.Take<ws::QueryWorkflowResponse>(query).response.query_result().payloads(0).data(),
            "42");
}

TEST(Queries, AreAnsweredByTheTaskThatEndsTheWorkflow) {
  Client c;
  c.Start("wf");
  const std::uint64_t query = Ask(c, "wf");
  const auto task = c.PollTask();
  ASSERT_EQ(task.queries_size(), 1);
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  *request.add_commands() = CompleteWorkflow();
  auto& result = (*request.mutable_query_results())[task.queries().begin()->first];
  result.set_result_type(enums::QUERY_RESULT_TYPE_ANSWERED);
  *result.mutable_answer() = Json("42");
  EXPECT_TRUE(
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
          .ok());
  EXPECT_EQ(c.Take<ws::QueryWorkflowResponse>(query).response.query_result().payloads(0).data(),
            "42");
}

TEST(Queries, GoDirectlyToAPollerOfAnIdleWorkflow) {
  Client c;
  c.Start("wf");
  c.Step({});
  const std::uint64_t query = Ask(c, "wf");
  const auto task = c.PollTask();
  EXPECT_EQ(task.query().query_type(), "state");
  EXPECT_EQ(task.history().events_size(), 4);
  EXPECT_EQ(task.started_event_id(), 0);
  EXPECT_EQ(AnswerDirect(c, task, "1").code, 0);
  EXPECT_EQ(c.Take<ws::QueryWorkflowResponse>(query).response.query_result().payloads(0).data(),
            "1");
  EXPECT_EQ(AnswerDirect(c, task, "1").code, 5);  // twice
  EXPECT_EQ(c.History("wf").size(), 4u);
}

TEST(Queries, UseTheStickyQueueWithoutHistory) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {}, "sticky").ok());
  const std::uint64_t query = Ask(c, "wf");
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(sticky).response;
  EXPECT_TRUE(task.has_query());
  EXPECT_EQ(task.history().events_size(), 0);
  EXPECT_EQ(AnswerDirect(c, task, "boom", true).code, 0);
  const auto failed = c.Take<ws::QueryWorkflowResponse>(query);
  EXPECT_EQ(failed.status.code, 3);
  EXPECT_EQ(failed.status.message, "boom");
  ::temporal::api::errordetails::v1::QueryFailedFailure detail;
  EXPECT_TRUE(UnpackDetail(failed.status, &detail));
  EXPECT_EQ(detail.failure().message(), "boom");
}

TEST(Queries, TurnToTheNormalQueueWhenTheStickyWorkerIsSilent) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {}, "sticky").ok());
  const std::uint64_t query = Ask(c, "wf");
  EXPECT_TRUE(c.Answered(sticky));  // taken, and never answered
  const std::uint64_t normal = c.SendWorkflowPoll();
  c.Advance(seconds(10));
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(normal).response;
  EXPECT_EQ(task.history().events_size(), 4);
  EXPECT_EQ(AnswerDirect(c, task, "2").code, 0);
  EXPECT_TRUE(c.Take<ws::QueryWorkflowResponse>(query).ok());
}

TEST(Queries, TimeOutWithoutAWorker) {
  Client c;
  c.Start("wf");
  const std::uint64_t first = Ask(c, "wf", seconds(5));
  c.Advance(seconds(5));
  auto reply = c.Take<ws::QueryWorkflowResponse>(first);
  EXPECT_EQ(reply.status.code, 4);
  EXPECT_EQ(reply.status.message, "query timed out before a worker could process it");
  EXPECT_EQ(c.PollTask().queries_size(), 0);
}

TEST(Queries, TimeOutForCallersWithoutALimitToo) {
  Client c;
  c.Start("wf");
  ws::QueryWorkflowRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  request.mutable_query()->set_query_type("state");
  const std::uint64_t query = c.Send("QueryWorkflow", request);
  c.Advance(seconds(10));
  EXPECT_EQ(c.Take<ws::QueryWorkflowResponse>(query).status.code, 4);
}

TEST(Queries, AnswerOnClosedWorkflowsUnlessRejected) {
  Client c;
  c.Start("wf");
  c.Step({FailWorkflow("x")});
  auto rejected = c.Take<ws::QueryWorkflowResponse>(
      Ask(c, "wf", seconds(5), enums::QUERY_REJECT_CONDITION_NOT_OPEN));
  EXPECT_EQ(rejected.response.query_rejected().status(), enums::WORKFLOW_EXECUTION_STATUS_FAILED);
  rejected = c.Take<ws::QueryWorkflowResponse>(
      Ask(c, "wf", seconds(5), enums::QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY));
  EXPECT_TRUE(rejected.response.has_query_rejected());
  const std::uint64_t query = Ask(c, "wf");
  EXPECT_EQ(AnswerDirect(c, c.PollTask(), "9").code, 0);
  EXPECT_EQ(c.Take<ws::QueryWorkflowResponse>(query).response.query_result().payloads(0).data(),
            "9");
}

TEST(Queries, FailFastWhereTheyCannotBeAnswered) {
  Client c;
  c.Start("failing");
  for (int i = 0; i < 2; ++i) c.FailTask(c.PollTask());
  auto reply = c.Take<ws::QueryWorkflowResponse>(Ask(c, "failing"));
  EXPECT_EQ(reply.status.code, 9);
  EXPECT_EQ(reply.status.message, "Unable to query workflow due to Workflow Task in failed state.");
  reply = c.Take<ws::QueryWorkflowResponse>(Ask(c, "no"));
  EXPECT_EQ(reply.status.code, 5);
  ws::QueryWorkflowRequest empty;
  empty.set_namespace_("default");
  empty.mutable_execution()->set_workflow_id("failing");
  EXPECT_EQ(c.Call<ws::QueryWorkflowResponse>("QueryWorkflow", empty).status.message,
            "WorkflowQuery is not set on request.");
  empty.mutable_query();
  EXPECT_EQ(c.Call<ws::QueryWorkflowResponse>("QueryWorkflow", empty).status.message,
            "QueryType is not set on request.");
}

TEST(Queries, AreForgottenWhenTheAskerLeaves) {
  Client c;
  c.Start("wf");
  c.Step({});
  c.Cancel(Ask(c, "wf"));
  EXPECT_FALSE(c.Answered(c.SendWorkflowPoll()));
  EXPECT_EQ(c.engine.held_calls(), 1u);
}

}  // namespace
}  // namespace squall::fakes::engine
