// Resets: to which events, what is copied, what is applied again, who follows whom.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ws::ResetWorkflowExecutionRequest ResetTo(const std::string& id, std::int64_t event,
                                          const std::string& run_id = {}) {
  ws::ResetWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.mutable_workflow_execution()->set_run_id(run_id);
  request.set_reason("why");
  request.set_workflow_task_finish_event_id(event);
  request.set_request_id("reset-" + id);
  return request;
}

Reply<ws::ResetWorkflowExecutionResponse> Reset(Client& c,
                                                const ws::ResetWorkflowExecutionRequest& request) {
  return c.Call<ws::ResetWorkflowExecutionResponse>("ResetWorkflowExecution", request);
}

TEST(Resets, CopiesTheHistoryAndFailsTheTask) {
  Client c;
  const std::string base = c.Start("wf");
  c.Step({StartTimer("t", seconds(100))});
  c.Advance(seconds(3));
  c.Signal("wf", "s");
  const auto reset = Reset(c, ResetTo("wf", 4));
  ASSERT_EQ(reset.status.message, "");
  const std::string run = reset.response.run_id();
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED",
                          "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"));
  const auto events = c.History("wf");
  EXPECT_EQ(events[0].workflow_execution_started_event_attributes().original_execution_run_id(),
            base);
  EXPECT_EQ(events[0].workflow_execution_started_event_attributes().first_execution_run_id(), base);
  const auto& failed = events[3].workflow_task_failed_event_attributes();
  EXPECT_EQ(failed.cause(), enums::WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW);
  EXPECT_EQ(failed.base_run_id(), base);
  EXPECT_EQ(failed.new_run_id(), run);
  EXPECT_EQ(failed.failure().message(), "why");
  EXPECT_TRUE(failed.failure().has_reset_workflow_failure_info());

  const auto old = c.LastEvent("wf", base);
  EXPECT_EQ(old.workflow_execution_terminated_event_attributes().identity(), "history-resetter");
  const auto described = c.Describe("wf", base);
  EXPECT_EQ(described.workflow_extended_info().reset_run_id(), run);
  ASSERT_EQ(described.workflow_execution_info().auto_reset_points().points_size(), 1);
  EXPECT_EQ(described.workflow_execution_info()
                .auto_reset_points()
                .points(0)
                .first_workflow_task_completed_id(),
            4);
  const auto now = c.Describe("wf");
  EXPECT_EQ(now.workflow_execution_info().execution().run_id(), run);
  EXPECT_EQ(now.workflow_execution_info().first_run_id(), base);
  EXPECT_EQ(FromProto(now.workflow_execution_info().start_time()) -
                FromProto(now.workflow_extended_info().original_start_time()),
            seconds(3));
  EXPECT_TRUE(now.workflow_extended_info().has_last_reset_time());
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

TEST(Resets, RefusesWhatIsNoWorkflowTaskBoundary) {
  Client c;
  const std::string base = c.Start("wf");
  c.Step({StartTimer("t", seconds(100))});
  c.Signal("wf", "s");  // 6, and 7: a task is scheduled
  const auto message = [&](std::int64_t event) {
    return Reset(c, ResetTo("wf", event, base)).status.message;
  };
  EXPECT_EQ(message(1), "Workflow task finish ID must be > 1 && <= workflow last event ID.");
  EXPECT_EQ(message(8), "Workflow task finish ID must be > 1 && <= workflow last event ID.");
  EXPECT_EQ(message(2),
            "StateRebuilder unable to Rebuild mutable state to event ID: 1, version: 0, this event "
            "must be at the boundary");
  EXPECT_EQ(message(5),
            "StateRebuilder unable to Rebuild mutable state to event ID: 4, version: 0, this event "
            "must be at the boundary");
  EXPECT_EQ(message(6),
            "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, "
            "WorkflowTaskStarted + 1]: 6");
  auto request = ResetTo("wf", 4);
  request.clear_request_id();
  EXPECT_EQ(Reset(c, request).status.message, "RequestId is not set on request.");
  request = ResetTo("wf", 4);
  request.clear_workflow_execution();
  EXPECT_EQ(Reset(c, request).status.message, "Execution is not set on request.");
  request = ResetTo("wf", 4);
  request.add_post_reset_operations();
  EXPECT_EQ(Reset(c, request).status.message, "unsupported post reset operation: <nil>");
  EXPECT_EQ(Reset(c, ResetTo("none", 4)).status.code, 5);
  EXPECT_TRUE(c.Describe("wf", base).workflow_execution_info().status() ==
              enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
}

TEST(Resets, TheStartersRequestIdNamesTheCurrentRun) {
  Client c;
  const std::string base = c.Start("wf");
  c.Step({});
  auto request = ResetTo("wf", 4);
  request.set_request_id("request-wf");
  EXPECT_EQ(Reset(c, request).response.run_id(), base);
}

TEST(Resets, BeforeATaskIsTakenItIsStartedToBeFailed) {
  Client c;
  c.Start("wf");
  EXPECT_EQ(Reset(c, ResetTo("wf", 3)).status.code, 3);  // there must be an event of that id
  c.Signal("wf", "s");
  ASSERT_EQ(Reset(c, ResetTo("wf", 3)).status.message, "");
  const auto started = c.History("wf").at(2).workflow_task_started_event_attributes();
  EXPECT_EQ(started.identity(), "history-service");
  EXPECT_EQ(started.request_id(), "emptyUuid");
}

TEST(Resets, SignalsComeBackUnlessExcluded) {
  Client c;
  for (const bool excluded : {false, true}) {
    const std::string id = excluded ? "without" : "with";
    c.Start(id);
    c.Step({});
    c.Signal(id, "a");
    c.Signal(id, "b");
    auto request = ResetTo(id, 4);
    if (excluded) request.add_reset_reapply_exclude_types(enums::RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL);
    ASSERT_EQ(Reset(c, request).status.message, "");
    const auto names = c.EventNames(id);
    EXPECT_EQ(std::count(names.begin(), names.end(), "WORKFLOW_EXECUTION_SIGNALED"),
              excluded ? 0 : 2);
    c.Step({CompleteWorkflow()});
  }
}

TEST(Resets, SignalsOfLaterRunsComeBackToo) {
  Client c;
  const std::string base = c.Start("wf");
  c.Step({});
  c.Signal("wf", "a");
  c.Step({ContinueAsNew()});
  c.Advance(seconds(2));
  c.Signal("wf", "b");
  ASSERT_EQ(Reset(c, ResetTo("wf", 4, base)).status.message, "");
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "WORKFLOW_EXECUTION_SIGNALED"), 2);
}

TEST(Resets, ActivitiesAndTimersGoOn) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1"), StartTimer("long", seconds(20)), StartTimer("short", seconds(1))});
  const auto old = c.PollActivity();
  c.Advance(seconds(1));
  const auto task = c.PollTask();
  ASSERT_TRUE(c.Complete(task, {}).ok());
  ASSERT_EQ(Reset(c, ResetTo("wf", task.started_event_id() + 1)).status.message, "");
  EXPECT_EQ(c.CompleteActivity(old.task_token()).status.message,
            "workflow execution already completed");
  const auto again = c.PollActivity();
  EXPECT_EQ(again.attempt(), 1);
  c.Step({});
  c.Advance(seconds(18));
  EXPECT_NE(c.LastEvent("wf").event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
  c.Advance(seconds(1));
  EXPECT_EQ(c.LastEvent("wf").event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
}

TEST(Resets, RunTimeoutsBeginAnew) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_workflow_run_timeout()->set_seconds(10);
  c.Start(request);
  c.Step({});
  c.Advance(seconds(8));
  c.Signal("wf", "s");
  ASSERT_EQ(Reset(c, ResetTo("wf", 4)).status.message, "");
  c.Advance(seconds(9));
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  c.Advance(seconds(1));
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_TIMED_OUT);
}

TEST(Resets, ChildrenStayAndAnswerTheNewRun) {
  Client c;
  c.Start("wf");
  c.Step({StartChild("child")});
  const auto task = c.PollTask();
  ASSERT_TRUE(c.Complete(task, {}).ok());
  ASSERT_EQ(Reset(c, ResetTo("wf", task.started_event_id() + 1)).status.message, "");
  EXPECT_EQ(c.Describe("child").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_EQ(c.Describe("wf").pending_children_size(), 1);
  c.Step({CompleteWorkflow()}, "children");
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "CHILD_WORKFLOW_EXECUTION_COMPLETED"), 1);
  EXPECT_THAT(c.Describe("wf").pending_children(), IsEmpty());
}

TEST(Resets, AParentHearsOfTheRunThatTheChildWasResetTo) {
  Client c;
  c.Start("wf");
  c.Step({StartChild("child")});
  c.Step({StartTimer("t", seconds(100))}, "children");
  const auto reset = Reset(c, ResetTo("child", 4));
  ASSERT_EQ(reset.status.message, "");
  EXPECT_EQ(c.Describe("wf").pending_children_size(), 1);
  c.Step({CompleteWorkflow()}, "children");
  c.Step({});
  const auto events = c.History("wf");
  const auto completed = std::find_if(events.begin(), events.end(), [](const auto& event) {
    return event.event_type() == enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED;
  });
  ASSERT_NE(completed, events.end());
  EXPECT_EQ(completed->child_workflow_execution_completed_event_attributes()
                .workflow_execution()
                .run_id(),
            reset.response.run_id());
}

TEST(Resets, UpdatesComeBackAsAdmitted) {
  Client c;
  c.Start("wf");
  c.Step({});
  ws::UpdateWorkflowExecutionRequest update;
  update.set_namespace_("default");
  update.mutable_workflow_execution()->set_workflow_id("wf");
  update.mutable_request()->mutable_meta()->set_update_id("u");
  update.mutable_request()->mutable_input()->set_name("up");
  update.mutable_wait_policy()->set_lifecycle_stage(
      enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED);
  const auto call = c.Send("UpdateWorkflowExecution", update, seconds(10));
  const auto accept = [&](const ws::PollWorkflowTaskQueueResponse& task) {
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(task.task_token());
    auto* message = request.add_messages();
    message->set_id("a");
    message->set_protocol_instance_id("u");
    updatepb::Acceptance body;
    body.set_accepted_request_message_id("u/request");
    *body.mutable_accepted_request() = update.request();
    PackSorted(body, message->mutable_body());
    EXPECT_EQ(
        c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
            .status.message,
        "");
  };
  accept(c.PollTask());
  EXPECT_TRUE(c.Answered(call));
  ASSERT_EQ(Reset(c, ResetTo("wf", 4)).status.message, "");
  const auto admitted = c.History("wf").at(4).workflow_execution_update_admitted_event_attributes();
  EXPECT_EQ(admitted.origin(), enums::UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY);
  EXPECT_EQ(admitted.request().meta().update_id(), "u");
  const auto task = c.PollTask();
  EXPECT_THAT(task.messages(), IsEmpty());  // the worker finds it in the history
  accept(task);
  const auto accepted = c.LastEvent("wf").workflow_execution_update_accepted_event_attributes();
  EXPECT_EQ(accepted.protocol_instance_id(), "u");
  EXPECT_FALSE(accepted.has_accepted_request());
}

}  // namespace
}  // namespace squall::fakes::engine
