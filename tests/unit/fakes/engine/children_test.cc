// Child workflows, parent close policies, signals and cancellations between workflows and from
// clients.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

RpcStatus Terminate(Client& c, const std::string& id, const std::string& first_run_id = {}) {
  ws::TerminateWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.set_first_execution_run_id(first_run_id);
  return c.Call<ws::TerminateWorkflowExecutionResponse>("TerminateWorkflowExecution", request)
      .status;
}

RpcStatus RequestCancel(Client& c, const std::string& id) {
  ws::RequestCancelWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.set_reason("why");
  return c
      .Call<ws::RequestCancelWorkflowExecutionResponse>("RequestCancelWorkflowExecution", request)
      .status;
}

TEST(Children, RunAndReportToTheParent) {
  Client c;
  c.Start("parent");
  c.Step({StartChild("child")});
  EXPECT_EQ(c.Describe("parent").pending_children(0).workflow_id(), "child");
  const auto started = c.History("child").at(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.parent_workflow_execution().workflow_id(), "parent");
  EXPECT_EQ(started.parent_initiated_event_id(), 5);
  EXPECT_EQ(started.root_workflow_execution().workflow_id(), "parent");
  c.Step({CompleteWorkflow("\"c\"")}, "children");
  EXPECT_THAT(
      c.EventNames("parent"),
      ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_COMPLETED", "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
                  "CHILD_WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                  "CHILD_WORKFLOW_EXECUTION_COMPLETED"));
  const auto completed =
      c.History("parent").at(7).child_workflow_execution_completed_event_attributes();
  EXPECT_EQ(completed.started_event_id(), 6);
  EXPECT_EQ(completed.initiated_event_id(), 5);
  EXPECT_EQ(completed.result().payloads(0).data(), "\"c\"");
  EXPECT_EQ(c.Describe("parent").pending_children_size(), 0);
  c.Step({CompleteWorkflow()});
}

TEST(Children, TakeAMomentToReportToAParentAtWork) {
  Client c;
  c.Start("parent");
  c.Step({StartChild("child"), StartChild("other")});
  const auto task = c.PollTask();
  c.Step({CompleteWorkflow()}, "children");
  EXPECT_EQ(c.LastEvent("parent").event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_STARTED);
  c.Advance(milliseconds(5));
  EXPECT_EQ(c.Describe("parent").pending_children_size(), 1);
  c.Step({CompleteWorkflow()}, "children");
  // The first report came before, so it is this answer that the worker has to think over...
  EXPECT_EQ(c.Complete(task, {CompleteWorkflow()}).status.message, "UnhandledCommand");
  // ...and the second comes while it does.
  const auto next = c.PollTask();
  EXPECT_EQ(c.Complete(next, {CompleteWorkflow()}).status.message, "");
  c.Advance(milliseconds(5));
  EXPECT_EQ(c.LastEvent("parent").event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
}

TEST(Children, ReportTheirLastRunOnly) {
  Client c;
  c.Start("parent");
  c.Step({StartChild("child")});
  c.Advance(seconds(2));
  c.Step({ContinueAsNew()}, "children");
  EXPECT_EQ(c.EventNames("parent").back(), "WORKFLOW_TASK_SCHEDULED");
  c.Step({FailWorkflow("bad")}, "children");
  const auto failed = c.LastEvent("parent").child_workflow_execution_failed_event_attributes();
  EXPECT_EQ(failed.failure().message(), "bad");
  EXPECT_EQ(failed.started_event_id(), 6);
}

TEST(Children, FailToStartWhenTheIdIsTaken) {
  Client c;
  c.Start("child", "children");
  c.Start("parent");
  c.Step({StartChild("child")});
  const auto failed =
      c.History("parent").at(5).start_child_workflow_execution_failed_event_attributes();
  EXPECT_EQ(failed.cause(),
            enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS);
  EXPECT_EQ(failed.initiated_event_id(), 5);
  EXPECT_EQ(failed.workflow_task_completed_event_id(), 0);  // as the real server leaves it
  c.Step({CompleteWorkflow()});
}

TEST(Children, ShareTheFateThatTheirPolicySays) {
  struct Case {
    enums::ParentClosePolicy policy;
    enums::WorkflowExecutionStatus status;
    std::string last_event;
  };
  for (const Case& one :
       {Case{enums::PARENT_CLOSE_POLICY_UNSPECIFIED, enums::WORKFLOW_EXECUTION_STATUS_TERMINATED,
             "WORKFLOW_EXECUTION_TERMINATED"},
        Case{enums::PARENT_CLOSE_POLICY_ABANDON, enums::WORKFLOW_EXECUTION_STATUS_RUNNING,
             "WORKFLOW_TASK_SCHEDULED"},
        Case{enums::PARENT_CLOSE_POLICY_REQUEST_CANCEL, enums::WORKFLOW_EXECUTION_STATUS_RUNNING,
             "WORKFLOW_EXECUTION_CANCEL_REQUESTED"}}) {
    Client c;
    c.Start("parent");
    c.Step({StartChild("child", one.policy)});
    c.Step({CompleteWorkflow()});
    EXPECT_EQ(c.Describe("child").workflow_execution_info().status(), one.status);
    EXPECT_EQ(c.EventNames("child").back(), one.last_event);
  }
}

TEST(Children, StayPendingInWhatDescribeTellsOfAClosedParent) {
  Client c;
  c.Start("parent");
  c.Step({StartChild("child")});
  c.Step({CompleteWorkflow()});
  const auto parent = c.Describe("parent");
  ASSERT_EQ(parent.pending_children_size(), 1);
  EXPECT_EQ(parent.pending_children(0).workflow_id(), "child");
  EXPECT_NE(parent.pending_children(0).run_id(), "");
  EXPECT_EQ(c.LastEvent("parent").event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
}

TEST(Children, AreNotStartedByAParentThatEndsInTheSameTask) {
  Client c;
  c.Start("parent");
  c.Step({StartChild("child"), CompleteWorkflow()});
  EXPECT_EQ(c.EventNames("parent").back(), "WORKFLOW_EXECUTION_COMPLETED");
  ws::DescribeWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("child");
  EXPECT_EQ(c.Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", request)
                .status.code,
            5);
}

TEST(External, SignalsReachTheirTargetOrFail) {
  Client c;
  c.Start("target", "targets");
  c.Start("sender");
  command::Command signal;
  signal.set_command_type(enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
  auto* attributes = signal.mutable_signal_external_workflow_execution_command_attributes();
  attributes->mutable_execution()->set_workflow_id("target");
  attributes->set_signal_name("hello");
  command::Command lost = signal, self = signal;
  lost.mutable_signal_external_workflow_execution_command_attributes()
      ->mutable_execution()
      ->set_workflow_id("nobody");
  self.mutable_signal_external_workflow_execution_command_attributes()
      ->mutable_execution()
      ->set_workflow_id("sender");
  c.Step({signal, lost, self});
  const auto received = c.LastEvent("target").workflow_execution_signaled_event_attributes();
  EXPECT_EQ(received.signal_name(), "hello");
  EXPECT_EQ(received.external_workflow_execution().workflow_id(), "sender");
  const auto names = c.EventNames("sender");
  EXPECT_EQ(std::count(names.begin(), names.end(), "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED"), 2);
}

TEST(External, CancellationsReachTheirTargetOrFail) {
  Client c;
  c.Start("target", "targets");
  c.Start("sender");
  command::Command cancel;
  cancel.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION);
  cancel.mutable_request_cancel_external_workflow_execution_command_attributes()->set_workflow_id(
      "target");
  command::Command lost = cancel;
  lost.mutable_request_cancel_external_workflow_execution_command_attributes()->set_workflow_id(
      "nobody");
  c.Step({cancel, lost});
  EXPECT_EQ(c.EventNames("target").back(), "WORKFLOW_EXECUTION_CANCEL_REQUESTED");
  const auto names = c.EventNames("sender");
  EXPECT_THAT(names, Contains("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED"));
  EXPECT_THAT(names, Contains("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED"));
}

TEST(Clients, CancelOnceAndTheWorkflowDecides) {
  Client c;
  c.Start("wf");
  EXPECT_EQ(RequestCancel(c, "wf").code, 0);
  EXPECT_EQ(RequestCancel(c, "wf").code, 0);
  EXPECT_TRUE(c.Describe("wf").workflow_extended_info().cancel_requested());
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "WORKFLOW_EXECUTION_CANCEL_REQUESTED"), 1);
  c.Step({CancelWorkflow()});
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_CANCELED);
  EXPECT_EQ(RequestCancel(c, "wf").code, 0);  // a closed workflow: nothing to do
  EXPECT_EQ(RequestCancel(c, "no").message, "workflow not found for ID: no");
}

TEST(Clients, TerminateAtOnce) {
  Client c;
  c.Start("wf");
  c.PollTask();
  c.Signal("wf", "unseen");
  EXPECT_EQ(Terminate(c, "wf").code, 0);
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED",
                          "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_TERMINATED"));
  EXPECT_EQ(c.History("wf").at(3).workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);
  EXPECT_EQ(Terminate(c, "wf").message, "workflow execution already completed");
  EXPECT_EQ(c.sink.Of<journal::WorkflowEvent>("terminated").size(), 1u);
}

TEST(Clients, TerminateOnlyTheChainTheyMean) {
  Client c;
  c.Start("wf");
  EXPECT_EQ(Terminate(c, "wf", "11111111-1111-4111-8111-111111111111").message,
            "workflow execution not found");
  EXPECT_EQ(c.engine.open_workflows(), 1u);
}

TEST(Clients, SignalOncePerRequest) {
  Client c;
  c.Start("wf");
  ws::SignalWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id("wf");
  request.set_request_id("r");
  constexpr std::string_view kSignal = "SignalWorkflowExecution";
  EXPECT_EQ(c.Call<ws::SignalWorkflowExecutionResponse>(kSignal, request).status.message,
            "SignalName is not set on request.");
  request.set_signal_name("s");
  c.Call<ws::SignalWorkflowExecutionResponse>(kSignal, request);
  c.Call<ws::SignalWorkflowExecutionResponse>(kSignal, request);
  EXPECT_EQ(c.History("wf").size(), 3u);
  Terminate(c, "wf");
  request.set_request_id("r2");
  EXPECT_EQ(c.Call<ws::SignalWorkflowExecutionResponse>(kSignal, request).status.message,
            "workflow execution already completed");
}

TEST(Clients, DeleteExecutions) {
  Client c;
  c.Start("wf");
  ws::DeleteWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id("wf");
  EXPECT_TRUE(c.Call<ws::DeleteWorkflowExecutionResponse>("DeleteWorkflowExecution", request).ok());
  EXPECT_EQ(
      c.Call<ws::DeleteWorkflowExecutionResponse>("DeleteWorkflowExecution", request).status.code,
      5);
  c.Start("wf");
}

}  // namespace
}  // namespace squall::fakes::engine
