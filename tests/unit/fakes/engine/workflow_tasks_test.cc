// Workflow tasks: failures and time-outs, transient attempts, stickiness, commands that are
// refused, buffered events.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

TEST(WorkflowTasks, WritesOnlyTheFirstOfSeveralFailures) {
  Client c;
  c.Start("wf");
  EXPECT_TRUE(c.FailTask(c.PollTask()).ok());
  const auto second = c.PollTask();
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(second.started_event_id(), 6);  // its events follow the history but are not in it
  EXPECT_EQ(second.history().events_size(), 6);
  EXPECT_EQ(second.history().events(5).event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_STARTED);
  EXPECT_TRUE(c.FailTask(second).ok());
  const auto third = c.PollTask();
  EXPECT_EQ(third.attempt(), 3);
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED"));
  EXPECT_EQ(c.Describe("wf").pending_workflow_task().attempt(), 3);
  EXPECT_TRUE(c.Complete(third, {CompleteWorkflow()}).ok());
  EXPECT_THAT(
      c.EventNames("wf"),
      ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_COMPLETED", "WORKFLOW_EXECUTION_COMPLETED"));
  EXPECT_EQ(c.History("wf").at(4).workflow_task_scheduled_event_attributes().attempt(), 3);
}

TEST(WorkflowTasks, TimesOutAfterTenSecondsAndRefusesTheLateAnswer) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  c.Advance(milliseconds(9999));
  EXPECT_EQ(c.History("wf").size(), 3u);
  c.Advance(milliseconds(1));
  EXPECT_EQ(c.LastEvent("wf").workflow_task_timed_out_event_attributes().timeout_type(),
            enums::TIMEOUT_TYPE_START_TO_CLOSE);
  const auto late = c.Complete(task, {CompleteWorkflow()});
  EXPECT_EQ(late.status.code, 5);
  EXPECT_EQ(late.status.message, "Workflow task not found.");
  EXPECT_EQ(c.PollTask().attempt(), 2);
}

TEST(WorkflowTasks, GrowsTheTimeOutFromTheFourthAttempt) {
  Client c;
  c.Start("wf");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(c.PollTask().attempt(), attempt);
    c.Advance(seconds(10));
  }
  EXPECT_EQ(c.PollTask().attempt(), 4);
  c.Advance(milliseconds(13900));
  EXPECT_EQ(c.Describe("wf").pending_workflow_task().attempt(), 4);
  c.Advance(milliseconds(1200));
  EXPECT_EQ(c.Describe("wf").pending_workflow_task().attempt(), 5);
}

TEST(WorkflowTasks, ASignalEndsARowOfFailures) {
  Client c;
  c.Start("wf");
  c.FailTask(c.PollTask());
  const auto transient = c.PollTask();
  c.Signal("wf", "go");
  EXPECT_TRUE(c.FailTask(transient).ok());
  const auto task = c.PollTask();
  EXPECT_EQ(task.attempt(), 1);
  EXPECT_THAT(c.EventNames("wf"), ElementsAre("WORKFLOW_EXECUTION_STARTED",
                                              "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                                              "WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_SIGNALED",
                                              "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED"));
}

TEST(WorkflowTasks, BuffersEventsWhileATaskIsInProgress) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  c.Signal("wf", "one");
  EXPECT_EQ(c.History("wf").size(), 3u);
  EXPECT_TRUE(c.Complete(task, {StartTimer("t", hours(1))}).ok());
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED", "TIMER_STARTED",
                          "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"));
}

TEST(WorkflowTasks, PutsActivityEndsBehindOtherBufferedEvents) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1"), StartTimer("t", seconds(1))});
  const auto activity = c.PollActivity();
  c.Signal("wf", "wake");
  const auto task = c.PollTask();
  c.CompleteActivity(activity.task_token());
  c.Signal("wf", "later");
  c.Advance(seconds(1));
  EXPECT_TRUE(c.Complete(task, {}).ok());
  const auto names = c.EventNames("wf");
  EXPECT_THAT(std::vector<std::string>(names.end() - 5, names.end()),
              ElementsAre("ACTIVITY_TASK_STARTED", "WORKFLOW_EXECUTION_SIGNALED", "TIMER_FIRED",
                          "ACTIVITY_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED"));
  const auto events = c.History("wf");
  const auto& completed = events[events.size() - 2].activity_task_completed_event_attributes();
  EXPECT_EQ(completed.started_event_id(), events[events.size() - 5].event_id());
}

TEST(WorkflowTasks, RefusesToCloseOverUnseenEvents) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  c.Signal("wf", "go");
  const auto reply = c.Complete(task, {CompleteWorkflow()});
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_EQ(reply.status.message, "UnhandledCommand");
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED",
                          "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_FAILED",
                          "WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_TASK_SCHEDULED"));
  EXPECT_EQ(c.History("wf").at(3).workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND);
  c.Step({CompleteWorkflow()});
}

TEST(WorkflowTasks, FailsForBadCommandsWithoutApplyingAny) {
  struct Case {
    command::Command command;
    std::string message;
  };
  command::Command unset_timer;
  unset_timer.set_command_type(enums::COMMAND_TYPE_START_TIMER);
  command::Command no_timeout = Schedule("1");
  no_timeout.mutable_schedule_activity_task_command_attributes()->clear_start_to_close_timeout();
  command::Command no_type = Schedule("1");
  no_type.mutable_schedule_activity_task_command_attributes()->clear_activity_type();
  command::Command marker;
  marker.set_command_type(enums::COMMAND_TYPE_RECORD_MARKER);
  marker.mutable_record_marker_command_attributes();
  const Case cases[] = {
      {unset_timer,
       "BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand."},
      {StartTimer("", seconds(1)),
       "BadStartTimerAttributes: TimerId is not set on StartTimerCommand."},
      {StartTimer("same", seconds(1)),
       "StartTimerDuplicateId: invalid history builder state for action: add-timer-started-event, "
       "TimerID: same"},
      {CancelTimer("no"),
       "BadCancelTimerAttributes: invalid history builder state for action: "
       "add-timer-canceled-event, TimerID: no"},
      {no_timeout,
       "BadScheduleActivityAttributes: a valid StartToCloseTimeout or ScheduleToCloseTimeout must "
       "be set on the "
       "activity. ActivityId=1 ActivityType=echo"},
      {no_type, "BadScheduleActivityAttributes: activityType is not set"},
      {CancelActivity(99),
       "BadRequestCancelActivityAttributes: invalid history builder state for action: "
       "add-activitytask-cancel-requested-event, ScheduledEventID: 99"},
      {marker, "BadRecordMarkerAttributes: MarkerName is not set on RecordMarkerCommand."},
  };
  for (const Case& one : cases) {
    Client c;
    c.Start("wf");
    const auto reply = c.Complete(c.PollTask(), {StartTimer("same", hours(1)), one.command});
    EXPECT_EQ(reply.status.code, 3);
    EXPECT_EQ(reply.status.message, one.message);
    const auto failed = c.LastEvent("wf").workflow_task_failed_event_attributes();
    EXPECT_EQ(failed.failure().message(), one.message);
    EXPECT_TRUE(failed.failure().has_server_failure_info());
    EXPECT_EQ(c.PollTask().attempt(), 2);
  }
}

TEST(WorkflowTasks, LeavesARepeatedlyBadTaskToItsTimeOut) {
  Client c;
  c.Start("wf");
  c.Complete(c.PollTask(), {CancelTimer("no")});
  const auto second = c.PollTask();
  EXPECT_EQ(c.Complete(second, {CancelTimer("no")}).status.code, 3);
  EXPECT_TRUE(c.Complete(second, {CompleteWorkflow()}).ok());  // still the same task
}

TEST(WorkflowTasks, RefusesCommandsAfterAClosingOne) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  const auto reply = c.Complete(task, {CompleteWorkflow(), StartTimer("t", seconds(1))});
  EXPECT_EQ(reply.status.message,
            "invalid command sequence: [CompleteWorkflowExecution, StartTimer], command "
            "CompleteWorkflowExecution must "
            "be the last command.");
  EXPECT_TRUE(c.Complete(task, {CompleteWorkflow()}).ok());
}

TEST(WorkflowTasks, HandsStickyTasksOnlyTheNewEvents) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  c.Advance(seconds(1));
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(sticky).response;
  ASSERT_EQ(task.history().events_size(), 5);
  EXPECT_EQ(task.history().events(0).event_type(), enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  EXPECT_EQ(task.workflow_execution_task_queue().name(), "q");
  const auto scheduled = c.History("wf").at(6).workflow_task_scheduled_event_attributes();
  EXPECT_EQ(scheduled.task_queue().kind(), enums::TASK_QUEUE_KIND_STICKY);
  EXPECT_EQ(scheduled.task_queue().normal_name(), "q");
}

TEST(WorkflowTasks, TurnsToTheNormalQueueWhenTheStickyWorkerIsGone) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  c.Cancel(sticky);  // the worker died a moment ago: its queue still counts as alive
  c.Advance(seconds(1));
  const std::uint64_t normal = c.SendWorkflowPoll();
  c.Advance(milliseconds(9999));
  EXPECT_FALSE(c.Answered(normal));
  c.Advance(milliseconds(2));
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(normal).response;
  EXPECT_EQ(task.attempt(), 1);
  EXPECT_EQ(task.history().events_size(), 10);
  EXPECT_EQ(task.history().events(7).workflow_task_timed_out_event_attributes().timeout_type(),
            enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
}

TEST(WorkflowTasks, SkipsAStickyQueueThatNobodyPolledForTenSeconds) {
  Client c;
  c.Start("wf");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(11))}, "sticky").ok());
  c.Advance(seconds(11));
  EXPECT_EQ(c.PollTask().history().events_size(), 8);  // at once, and no time-out in between
}

TEST(WorkflowTasks, ForgetsStickinessWithAFailure) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  c.Advance(seconds(1));
  EXPECT_TRUE(c.FailTask(c.Take<ws::PollWorkflowTaskQueueResponse>(sticky).response).ok());
  const auto task = c.PollTask();
  EXPECT_EQ(task.attempt(), 1);  // a first failure of an uncached workflow: in the history
  EXPECT_EQ(task.history().events(0).event_id(), 1);
}

TEST(WorkflowTasks, ResetsStickinessWhenAsked) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  ws::ResetStickyTaskQueueRequest reset;
  reset.set_namespace_("default");
  reset.mutable_execution()->set_workflow_id("wf");
  EXPECT_TRUE(c.Call<ws::ResetStickyTaskQueueResponse>("ResetStickyTaskQueue", reset).ok());
  c.Advance(seconds(1));
  EXPECT_FALSE(c.Answered(sticky));
  c.PollTask();
}

TEST(WorkflowTasks, HandsTheNextTaskBackWhenTheWorkerAsks) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  request.set_identity("w");
  request.set_return_new_workflow_task(true);
  request.set_force_create_new_workflow_task(true);
  const auto reply =
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request);
  ASSERT_TRUE(reply.response.has_workflow_task());
  EXPECT_EQ(reply.response.workflow_task().started_event_id(), 6);
  EXPECT_EQ(c.LastEvent("wf").workflow_task_started_event_attributes().request_id(),
            "request-from-RespondWorkflowTaskCompleted");
  EXPECT_TRUE(c.Complete(reply.response.workflow_task(), {CompleteWorkflow()}).ok());
}

TEST(WorkflowTasks, FiresTimersInOrderAndCancelsThem) {
  Client c;
  c.Start("wf");
  c.Step({StartTimer("a", seconds(2)), StartTimer("b", seconds(1)), StartTimer("c", seconds(3))});
  c.Advance(seconds(1));
  EXPECT_EQ(c.Complete(c.PollTask(), {CancelTimer("c")}).status.message, "");
  c.Advance(seconds(5));
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "TIMER_FIRED"), 2);
  EXPECT_EQ(std::count(names.begin(), names.end(), "TIMER_CANCELED"), 1);
}

TEST(WorkflowTasks, CancelsATimerThatFiredMeanwhile) {
  Client c;
  c.Start("wf");
  c.Step({StartTimer("t", seconds(1))});
  c.Signal("wf", "wake");
  const auto task = c.PollTask();
  c.Advance(seconds(1));  // buffered
  EXPECT_EQ(c.Complete(task, {CancelTimer("t"), CompleteWorkflow()}).status.message, "");
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "TIMER_FIRED"), 0);
  EXPECT_EQ(names.back(), "WORKFLOW_EXECUTION_COMPLETED");
}

TEST(WorkflowTasks, RefusesForeignTokens) {
  Client c;
  ws::RespondWorkflowTaskCompletedRequest request;
  auto reply =
      c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request);
  EXPECT_EQ(reply.status.message, "Task token not set on request.");
  request.set_task_token("junk");
  reply = c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request);
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_EQ(reply.status.message, "Error deserializing task token.");
}

TEST(WorkflowTasks, RecordsMarkersMemoAndSearchAttributes) {
  Client c;
  op::AddSearchAttributesRequest add;
  add.set_namespace_("default");
  (*add.mutable_search_attributes())["Color"] = enums::INDEXED_VALUE_TYPE_KEYWORD;
  EXPECT_TRUE(
      c.Call<op::AddSearchAttributesResponse>("AddSearchAttributes", add, kOperatorService).ok());
  c.Start("wf");
  command::Command marker, upsert, memo;
  marker.set_command_type(enums::COMMAND_TYPE_RECORD_MARKER);
  marker.mutable_record_marker_command_attributes()->set_marker_name("m");
  upsert.set_command_type(enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
  (*upsert.mutable_upsert_workflow_search_attributes_command_attributes()
        ->mutable_search_attributes()
        ->mutable_indexed_fields())["Color"] = Json("\"red\"").payloads(0);
  memo.set_command_type(enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES);
  (*memo.mutable_modify_workflow_properties_command_attributes()
        ->mutable_upserted_memo()
        ->mutable_fields())["k"] = Json("7").payloads(0);
  EXPECT_EQ(c.Complete(c.PollTask(), {marker, upsert, memo}).status.message, "");
  const auto info = c.Describe("wf").workflow_execution_info();
  EXPECT_EQ(info.search_attributes().indexed_fields().at("Color").data(), "\"red\"");
  EXPECT_EQ(info.memo().fields().at("k").data(), "7");
  EXPECT_EQ(c.History("wf").size(), 7u);
}

}  // namespace
}  // namespace squall::fakes::engine
