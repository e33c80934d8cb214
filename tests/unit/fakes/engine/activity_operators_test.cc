// Operators and activities of workflows: pause, unpause, reset, change of options; pauses of whole
// workflows.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

template <typename Request>
Request On(const std::string& id) {
  Request request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  if (!id.empty()) request.set_id(id);
  return request;
}

RpcStatus Pause(Client& c, const std::string& id, const std::string& request_id = {}) {
  auto request = On<ws::PauseActivityRequest>(id);
  request.set_identity("me");
  request.set_reason("why");
  request.set_request_id(request_id);
  return c.Call<ws::PauseActivityResponse>("PauseActivity", request).status;
}

RpcStatus Unpause(Client& c, const std::string& id) {
  return c.Call<ws::UnpauseActivityResponse>("UnpauseActivity", On<ws::UnpauseActivityRequest>(id))
      .status;
}

RpcStatus Reset(Client& c, const ws::ResetActivityRequest& request) {
  return c.Call<ws::ResetActivityResponse>("ResetActivity", request).status;
}

ws::RecordActivityTaskHeartbeatResponse Beat(Client& c, const std::string& token) {
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(token);
  *request.mutable_details() = Json("7");
  const auto reply =
      c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request);
  EXPECT_EQ(reply.status.message, "");
  return reply.response;
}

workflowpb::PendingActivityInfo Pending(Client& c) {
  return c.Describe("wf").pending_activities(0);
}

TEST(ActivityOperators, APausedActivityIsNotHandedOut) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  EXPECT_EQ(Pause(c, "1", "r").message, "");
  const auto paused = Pending(c);
  EXPECT_EQ(paused.state(), enums::PENDING_ACTIVITY_STATE_PAUSED);
  EXPECT_TRUE(paused.paused());
  EXPECT_EQ(paused.pause_info().manual().identity(), "me");
  EXPECT_EQ(paused.pause_info().manual().reason(), "why");
  EXPECT_EQ(Pause(c, "1", "r").message, "");
  EXPECT_EQ(Pause(c, "1", "other").message, "activity is already paused");
  const auto told = [&] {
    const auto info = c.Describe("wf").workflow_execution_info();
    const auto& fields = info.search_attributes().indexed_fields();
    const auto it = fields.find("TemporalPauseInfo");
    return it == fields.end() ? "" : it->second.data();
  };
  EXPECT_EQ(told(), R"(["property:activityType=echo"])");
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  EXPECT_EQ(Unpause(c, "1").message, "");
  EXPECT_TRUE(c.Answered(poll));
  EXPECT_FALSE(Pending(c).paused());
  EXPECT_EQ(told(), "");
}

TEST(ActivityOperators, TheWorkerHearsOfThePauseAndTheRetryWaits) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  const auto task = c.PollActivity();
  EXPECT_FALSE(Beat(c, task.task_token()).activity_paused());
  EXPECT_EQ(Pause(c, "1").message, "");
  EXPECT_EQ(Pending(c).state(), enums::PENDING_ACTIVITY_STATE_PAUSE_REQUESTED);
  EXPECT_TRUE(Beat(c, task.task_token()).activity_paused());
  EXPECT_TRUE(c.FailActivity(task.task_token()).ok());
  c.Advance(seconds(30));
  EXPECT_EQ(Pending(c).state(), enums::PENDING_ACTIVITY_STATE_PAUSED);
  EXPECT_EQ(Pending(c).attempt(), 2);
  auto request = On<ws::UnpauseActivityRequest>("");
  request.set_unpause_all(true);
  request.set_reset_attempts(true);
  request.set_reset_heartbeat(true);
  EXPECT_TRUE(c.Call<ws::UnpauseActivityResponse>("UnpauseActivity", request).ok());
  const auto again = c.PollActivity();
  EXPECT_EQ(again.attempt(), 1);
  EXPECT_FALSE(again.has_heartbeat_details());
  EXPECT_TRUE(c.CompleteActivity(again.task_token()).ok());
}

TEST(ActivityOperators, AResetBeginsAtTheFirstAttemptAtOnce) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  c.FailActivity(c.PollActivity().task_token());
  EXPECT_EQ(Reset(c, On<ws::ResetActivityRequest>("1")).message, "");
  const auto first = c.PollActivity();
  EXPECT_EQ(first.attempt(), 1);
  EXPECT_FALSE(Beat(c, first.task_token()).activity_reset());
  auto request = On<ws::ResetActivityRequest>("");
  request.set_type("echo");
  request.set_reset_heartbeat(true);
  EXPECT_EQ(Reset(c, request).message, "");
  EXPECT_TRUE(Beat(c, first.task_token()).activity_reset());
  EXPECT_TRUE(c.FailActivity(first.task_token()).ok());
  c.Advance(seconds(1));
  const auto next = c.PollActivity();
  EXPECT_EQ(next.attempt(), 1);
  EXPECT_FALSE(next.has_heartbeat_details());
}

TEST(ActivityOperators, AResetMayKeepThePause) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  EXPECT_EQ(Pause(c, "1").message, "");
  auto request = On<ws::ResetActivityRequest>("1");
  request.set_keep_paused(true);
  EXPECT_EQ(Reset(c, request).message, "");
  EXPECT_TRUE(Pending(c).paused());
  request.set_keep_paused(false);
  EXPECT_EQ(Reset(c, request).message, "");
  EXPECT_FALSE(Pending(c).paused());
  EXPECT_EQ(c.PollActivity().attempt(), 1);
}

TEST(ActivityOperators, OptionsChangeAndComeBack) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  auto request = On<ws::UpdateActivityOptionsRequest>("1");
  EXPECT_EQ(
      c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", request).status.message,
      "ActivityOptions are not provided");
  auto* options = request.mutable_activity_options();
  *options->mutable_start_to_close_timeout() = ToProto(seconds(3));
  EXPECT_EQ(
      c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", request).status.message,
      "UpdateMask is not provided");
  request.mutable_update_mask()->add_paths("startToCloseTimeout");
  request.mutable_update_mask()->add_paths("task_queue.name");
  EXPECT_EQ(
      c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", request).status.message,
      "TaskQueue is not provided");
  options->mutable_task_queue()->set_name("other");
  const auto updated = c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", request);
  ASSERT_EQ(updated.status.message, "");
  EXPECT_EQ(updated.response.activity_options().start_to_close_timeout().seconds(), 3);
  const auto poll = c.SendActivityPoll("q");
  EXPECT_FALSE(c.Answered(poll));
  const auto task = c.PollActivity("other");
  // The new time-out counts.
  c.Advance(seconds(3));
  EXPECT_EQ(Pending(c).attempt(), 2);
  auto restore = On<ws::UpdateActivityOptionsRequest>("1");
  restore.set_restore_original(true);
  EXPECT_TRUE(c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", restore).ok());
  EXPECT_EQ(Pending(c).activity_options().start_to_close_timeout().seconds(), 10);
  c.Advance(seconds(2));  // the wait is counted anew, as the real server counts it: 1 s x 2
  EXPECT_TRUE(c.Answered(poll));
  *restore.mutable_update_mask() = request.update_mask();
  EXPECT_EQ(
      c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", restore).status.message,
      "Both UpdateMask and RestoreOriginal are provided");
}

TEST(ActivityOperators, AChangedPolicyMovesThePendingRetry) {
  Client c;
  c.Start("wf");
  command::Command slow = Schedule("1");
  slow.mutable_schedule_activity_task_command_attributes()
      ->mutable_retry_policy()
      ->mutable_initial_interval()
      ->set_seconds(50);
  c.Step({slow});
  c.FailActivity(c.PollActivity().task_token());
  auto request = On<ws::UpdateActivityOptionsRequest>("1");
  *request.mutable_activity_options()->mutable_retry_policy()->mutable_initial_interval() =
      ToProto(seconds(2));
  request.mutable_update_mask()->add_paths("retry_policy.initial_interval");
  EXPECT_TRUE(c.Call<ws::UpdateActivityOptionsResponse>("UpdateActivityOptions", request).ok());
  const auto poll = c.SendActivityPoll();
  c.Advance(seconds(4) - milliseconds(1));
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(milliseconds(1));
  EXPECT_TRUE(c.Answered(poll));
}

TEST(ActivityOperators, RefuseWhatIsNotThere) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  EXPECT_EQ(Pause(c, "").message, "Either Activity.Id or Activity.Type should be set on request.");
  EXPECT_EQ(Unpause(c, "").message,
            "Either Activity.Id or Activity.Type should be set on request.");
  EXPECT_EQ(Reset(c, On<ws::ResetActivityRequest>("")).message,
            "Either Activity.Id or Activity.Type should be set on request.");
  EXPECT_EQ(Pause(c, "none").message,
            "Can't find pending activity with such ID. Invalid activityID or activity already "
            "completed");
  auto request = On<ws::ResetActivityRequest>("1");
  request.mutable_execution()->set_run_id("bad");
  EXPECT_EQ(Reset(c, request).message, "RunId is not valid UUID.");
  request.clear_execution();
  EXPECT_EQ(Reset(c, request).message, "WorkflowId is not set on request.");
  c.Signal("wf", "s");
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(Pause(c, "1").message, "workflow execution already completed");
}

ws::PauseWorkflowExecutionRequest PauseWorkflow(const std::string& request_id) {
  ws::PauseWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("wf");
  request.set_identity("me");
  request.set_reason("why");
  request.set_request_id(request_id);
  return request;
}

RpcStatus Call(Client& c, const ws::PauseWorkflowExecutionRequest& request) {
  return c.Call<ws::PauseWorkflowExecutionResponse>("PauseWorkflowExecution", request).status;
}

RpcStatus UnpauseWorkflow(Client& c) {
  ws::UnpauseWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("wf");
  return c.Call<ws::UnpauseWorkflowExecutionResponse>("UnpauseWorkflowExecution", request).status;
}

TEST(WorkflowPauses, AreOffUnlessEnabled) {
  Client c;
  c.Start("wf");
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message,
            "workflow pause is not enabled for namespace: default");
  EXPECT_EQ(UnpauseWorkflow(c).message, "workflow is not paused.");
}

TEST(WorkflowPauses, HoldTasksUntilTheWorkflowGoesOn) {
  EngineOptions options = TestOptions();
  options.workflow_pause = true;
  Client c(options);
  c.Start("wf");
  c.Step({Schedule("1"), StartTimer("t", seconds(1))});
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
  EXPECT_EQ(Call(c, PauseWorkflow("other")).message, "workflow is already paused.");
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_PAUSED);
  EXPECT_EQ(c.Describe("wf").workflow_extended_info().pause_info().reason(), "why");
  const auto activities = c.SendActivityPoll();
  const auto tasks = c.SendWorkflowPoll();
  c.Advance(seconds(2));
  c.Signal("wf", "s");
  EXPECT_FALSE(c.Answered(activities));
  EXPECT_FALSE(c.Answered(tasks));
  const auto paused = c.EventNames("wf");
  EXPECT_THAT(paused, Contains("TIMER_FIRED"));
  EXPECT_EQ(paused.back(), "WORKFLOW_EXECUTION_SIGNALED");
  EXPECT_EQ(UnpauseWorkflow(c).message, "");
  EXPECT_TRUE(c.Answered(activities));
  EXPECT_TRUE(c.Answered(tasks));
  EXPECT_EQ(UnpauseWorkflow(c).message, "workflow is not paused.");
}

TEST(WorkflowPauses, TakeBackATaskThatNobodyHas) {
  EngineOptions options = TestOptions();
  options.workflow_pause = true;
  Client c(options);
  c.Start("wf");
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_PAUSED"));
  const auto poll = c.SendWorkflowPoll();
  EXPECT_FALSE(c.Answered(poll));
  EXPECT_EQ(UnpauseWorkflow(c).message, "");
  EXPECT_TRUE(c.Answered(poll));
  EXPECT_EQ(Call(c,
                 [] {
                   auto request = PauseWorkflow("r");
                   request.clear_workflow_id();
                   return request;
                 }())
                .message,
            "Can't load workflow execution.  WorkflowId not set.");
}

EngineOptions WithPauses() {
  EngineOptions options = TestOptions();
  options.workflow_pause = true;
  return options;
}

TEST(WorkflowPauses, LetTheRetriesOfAttemptsInProgressHappen) {
  Client c(WithPauses());
  c.Start("wf");
  c.Step({Schedule("1")});
  const auto first = c.PollActivity();
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
  EXPECT_TRUE(c.FailActivity(first.task_token()).ok());
  EXPECT_TRUE(c.Describe("wf").pending_activities(0).has_next_attempt_schedule_time());
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(seconds(1));
  const auto second = c.Take<ws::PollActivityTaskQueueResponse>(poll).response;
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_TRUE(c.CompleteActivity(second.task_token()).ok());
  EXPECT_EQ(c.EventNames("wf").back(), "ACTIVITY_TASK_COMPLETED");
}

TEST(WorkflowPauses, PutOffRetriesThatWaitedBefore) {
  for (const Duration paused : {Duration(milliseconds(400)), Duration(seconds(5))}) {
    Client c(WithPauses());
    c.Start("wf");
    c.Step({Schedule("1")});
    EXPECT_TRUE(c.FailActivity(c.PollActivity().task_token()).ok());
    EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
    EXPECT_TRUE(c.Describe("wf").pending_activities(0).has_next_attempt_schedule_time());
    const auto poll = c.SendActivityPoll();
    c.Advance(paused);
    EXPECT_FALSE(c.Answered(poll));
    EXPECT_EQ(UnpauseWorkflow(c).message, "");
    const bool due = paused > seconds(1);
    EXPECT_EQ(c.Answered(poll), due);
    c.Advance(milliseconds(599));
    EXPECT_EQ(c.Answered(poll), due);
    c.Advance(milliseconds(1));
    EXPECT_EQ(c.Take<ws::PollActivityTaskQueueResponse>(poll).response.attempt(), 2);
  }
}

TEST(WorkflowPauses, PutOffWhatTheTaskInProgressSchedules) {
  Client c(WithPauses());
  c.Start("wf");
  const auto task = c.PollTask();
  EXPECT_EQ(Call(c, PauseWorkflow("r")).message, "");
  ws::RespondWorkflowTaskCompletedRequest completed;
  completed.set_task_token(task.task_token());
  *completed.add_commands() = Schedule("1");
  completed.mutable_commands(0)
      ->mutable_schedule_activity_task_command_attributes()
      ->set_request_eager_execution(true);
  completed.set_force_create_new_workflow_task(true);
  EXPECT_EQ(
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", completed)
          .status.message,
      "Workflow is paused and force create new workflow task is not allowed.");
  completed.set_force_create_new_workflow_task(false);
  const auto reply =
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", completed);
  EXPECT_EQ(reply.status.message, "");
  EXPECT_EQ(reply.response.activity_tasks_size(), 0);
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  EXPECT_EQ(UnpauseWorkflow(c).message, "");
  EXPECT_EQ(c.Take<ws::PollActivityTaskQueueResponse>(poll).response.attempt(), 1);
}

}  // namespace
}  // namespace squall::fakes::engine
