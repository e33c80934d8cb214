// What is larger than the real server accepts is refused, or takes the place of what was meant.

#include "fakes/engine/limits.h"

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

common::Payloads Large() { return Json(std::string(kBlobSizeError + 1, 'x')); }

// The failure that the activity's closing event tells; the activity has a first attempt only.
failure::Failure ClosedBy(Client& c) {
  for (const historypb::HistoryEvent& event : c.History("wf")) {
    if (event.event_type() == enums::EVENT_TYPE_ACTIVITY_TASK_FAILED)
      return event.activity_task_failed_event_attributes().failure();
  }
  ADD_FAILURE() << "no activity failed";
  return {};
}

struct Started {
  Client c;
  std::string token;
  Started() {
    c.Start("wf");
    c.Step({Schedule("1")});
    token = c.PollActivity().task_token();
  }
};

TEST(Limits, ALargeResultFailsTheActivityForGood) {
  Started s;
  ws::RespondActivityTaskCompletedRequest request;
  request.set_task_token(s.token);
  *request.mutable_result() = Large();
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskCompletedResponse>("RespondActivityTaskCompleted", request)
          .ok());
  const failure::Failure failure = ClosedBy(s.c);
  EXPECT_EQ(failure.message(), "Complete result exceeds size limit.");
  EXPECT_TRUE(failure.server_failure_info().non_retryable());
}

TEST(Limits, AResultAtTheLimitPasses) {
  Started s;
  ws::RespondActivityTaskCompletedRequest request;
  request.set_task_token(s.token);
  *request.mutable_result() = Large();
  std::string* data = request.mutable_result()->mutable_payloads(0)->mutable_data();
  // The lengths in front of it need fewer bytes when it is shorter.
  data->resize(data->size() - 100);
  data->append(kBlobSizeError - request.result().ByteSizeLong(), 'x');
  ASSERT_EQ(request.result().ByteSizeLong(), kBlobSizeError);
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskCompletedResponse>("RespondActivityTaskCompleted", request)
          .ok());
  EXPECT_THAT(s.c.EventNames("wf"), ::testing::Contains("ACTIVITY_TASK_COMPLETED"));
}

TEST(Limits, ALargeHeartbeatFailsTheActivityAndTellsTheWorkerToStop) {
  Started s;
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(s.token);
  *request.mutable_details() = Large();
  const auto reply =
      s.c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request);
  EXPECT_TRUE(reply.response.cancel_requested());
  EXPECT_EQ(ClosedBy(s.c).message(), "Heartbeat details exceed size limit.");
}

TEST(Limits, ALargeFailureIsCut) {
  Started s;
  ws::RespondActivityTaskFailedRequest request;
  request.set_task_token(s.token);
  request.mutable_failure()->set_message(std::string(kBlobSizeError, 'm'));
  request.mutable_failure()->mutable_application_failure_info()->set_type("Mine");
  request.mutable_failure()->mutable_cause()->set_message("deeper");
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request).ok());
  const failure::Failure failure = ClosedBy(s.c);
  EXPECT_EQ(failure.message(), "Failure exceeds size limit.");
  EXPECT_EQ(failure.cause().application_failure_info().type(), "Mine");
  EXPECT_LE(failure.ByteSizeLong(), kBlobSizeWarn + 200);
  EXPECT_FALSE(failure.cause().has_cause()) << "there was no room left";
}

TEST(Limits, LargeInputsAreRefused) {
  Client c;
  ws::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("wf");
  start.mutable_workflow_type()->set_name("t");
  start.mutable_task_queue()->set_name("q");
  *start.mutable_input() = Large();
  EXPECT_EQ(c.Start(start).status.message, kBlobExceedsLimit);
  start.clear_input();
  (*start.mutable_memo()->mutable_fields())["m"] = Large().payloads(0);
  EXPECT_EQ(c.Start(start).status.message, "Memo size exceeds limit.");
  start.clear_memo();
  EXPECT_TRUE(c.Start(start).ok());
  ws::SignalWorkflowExecutionRequest signal;
  signal.set_namespace_("default");
  signal.mutable_workflow_execution()->set_workflow_id("wf");
  signal.set_signal_name("s");
  *signal.mutable_input() = Large();
  EXPECT_EQ(
      c.Call<ws::SignalWorkflowExecutionResponse>("SignalWorkflowExecution", signal).status.message,
      kBlobExceedsLimit);
}

// --- Commands

command::Command LargeActivity(const std::string& id) {
  command::Command command = Schedule(id);
  *command.mutable_schedule_activity_task_command_attributes()->mutable_input() = Large();
  return command;
}

TEST(Limits, ALargeInputOfACommandEndsTheWorkflow) {
  Client c;
  c.Start("wf");
  const auto reply = c.Complete(c.PollTask(), {Schedule("1"), LargeActivity("2")});
  const std::string text =
      "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size "
      "limit.";
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_EQ(reply.status.message, text);
  EXPECT_THAT(
      c.EventNames("wf"),
      ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED"));
  const auto events = c.History("wf");
  EXPECT_EQ(events[3].workflow_task_failed_event_attributes().failure().message(), text);
  EXPECT_EQ(events[4].workflow_execution_terminated_event_attributes().reason(), text);
  EXPECT_EQ(events[4].workflow_execution_terminated_event_attributes().identity(),
            "history-service");
}

TEST(Limits, OfALaterAttemptALargeCommandIsOnlyRefused) {
  Client c;
  c.Start("wf");
  c.FailTask(c.PollTask());
  EXPECT_EQ(c.Complete(c.PollTask(), {LargeActivity("1")}).status.code, 3);
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
}

TEST(Limits, EachCommandHasItsText) {
  const auto reason = [](const command::Command& command) {
    Client c;
    c.Start("wf");
    const auto reply = c.Complete(c.PollTask(), {command});
    EXPECT_EQ(c.LastEvent("wf").workflow_execution_terminated_event_attributes().reason(),
              reply.status.message);
    return reply.status.message;
  };
  const std::string large(kBlobSizeError, 'x');
  command::Command command = CompleteWorkflow(large);
  EXPECT_EQ(reason(command),
            "BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result "
            "exceeds size limit.");
  EXPECT_EQ(reason(FailWorkflow(large)),
            "BadFailWorkflowExecutionAttributes: FailWorkflowExecutionCommandAttributes.Failure "
            "exceeds size limit.");
  EXPECT_EQ(reason(ContinueAsNew(large)),
            "BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes. Input "
            "exceeds size limit.");
  command = StartChild("child");
  (*command.mutable_start_child_workflow_execution_command_attributes()
        ->mutable_memo()
        ->mutable_fields())["m"] = Large().payloads(0);
  EXPECT_EQ(reason(command),
            "BadStartChildExecutionAttributes: StartChildWorkflowExecutionCommandAttributes.Memo "
            "exceeds size limit.");
  command.Clear();
  command.set_command_type(enums::COMMAND_TYPE_RECORD_MARKER);
  command.mutable_record_marker_command_attributes()->set_marker_name("m");
  (*command.mutable_record_marker_command_attributes()->mutable_details())["d"] = Large();
  EXPECT_EQ(reason(command),
            "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit.");
  command.Clear();
  command.set_command_type(enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES);
  auto* memo =
      command.mutable_modify_workflow_properties_command_attributes()->mutable_upserted_memo();
  (*memo->mutable_fields())["m"] = Large().payloads(0);
  EXPECT_EQ(reason(command),
            "BadModifyWorkflowPropertiesAttributes: ModifyWorkflowPropertiesCommandAttributes "
            "exceeds size limit.");
}

TEST(Limits, CommandsBringTheAttributesOfTheirType) {
  const std::pair<enums::CommandType, const char*> kMissing[] = {
      {enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
       "BadContinueAsNewAttributes: ContinueAsNewWorkflowExecutionCommandAttributes is not set on "
       "ContinueAsNewWorkflowExecutionCommand."},
      {enums::COMMAND_TYPE_CANCEL_TIMER,
       "BadCancelTimerAttributes: CancelTimerCommandAttributes is not set on CancelTimerCommand."},
      {enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
       "BadCompleteWorkflowExecutionAttributes: CompleteWorkflowExecutionCommandAttributes is not "
       "set on CompleteWorkflowExecutionCommand."}};
  for (const auto& [type, text] : kMissing) {
    Client c;
    c.Start("wf");
    command::Command command = StartTimer("t", seconds(1));
    command.set_command_type(type);
    EXPECT_EQ(c.Complete(c.PollTask(), {command}).status.message, text);
  }
}

// What the task fails with when `command` is one too many; `count` are let through.
std::string OneTooMany(const EngineLimits& limits, const std::vector<command::Command>& commands) {
  EngineOptions options = TestOptions();
  options.limits = limits;
  Client c(options);
  c.Start("wf");
  const auto reply = c.Complete(c.PollTask(), commands);
  const auto failed = c.LastEvent("wf").workflow_task_failed_event_attributes();
  EXPECT_EQ(failed.failure().message(), reply.status.message);
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_TRUE(c.Complete(c.PollTask(), {commands[0], commands[1]}).ok()) << "as many as may be";
  return reply.status.message;
}

TEST(Limits, SoMuchOfAKindMayBePending) {
  EngineLimits two;
  two.pending_activities = two.pending_children = two.pending_signals = two.pending_cancels = 2;
  EXPECT_EQ(OneTooMany(two, {Schedule("1"), Schedule("2"), Schedule("3")}),
            "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the "
            "per-workflow limit of 2");
  EXPECT_EQ(OneTooMany(two, {StartChild("1"), StartChild("2"), StartChild("3")}),
            "PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, "
            "2, has reached the per-workflow limit of 2");
  command::Command signal;
  signal.set_command_type(enums::COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION);
  auto* attributes = signal.mutable_signal_external_workflow_execution_command_attributes();
  attributes->mutable_execution()->set_workflow_id("other");
  attributes->set_signal_name("s");
  EXPECT_EQ(OneTooMany(two, {signal, signal, signal}),
            "PendingSignalsLimitExceeded: the number of pending signals to external workflows, 2, "
            "has reached the per-workflow limit of 2");
  command::Command cancel;
  cancel.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION);
  cancel.mutable_request_cancel_external_workflow_execution_command_attributes()->set_workflow_id(
      "other");
  EXPECT_EQ(OneTooMany(two, {cancel, cancel, cancel}),
            "PendingRequestCancelLimitExceeded: the number of pending requests to cancel external "
            "workflows, 2, has reached the per-workflow limit of 2");
}

TEST(Limits, WhatEndsWithTheTaskMakesRoom) {
  EngineOptions options = TestOptions();
  options.limits.pending_activities = 1;
  Client c(options);
  c.Start("wf");
  c.Step({Schedule("1")});
  c.Signal("wf", "s");
  EXPECT_TRUE(c.Complete(c.PollTask(), {CancelActivity(5), Schedule("2")}).ok());
  options.limits.pending_activities = 0;  // none at all
  Client free(options);
  free.Start("wf");
  EXPECT_TRUE(free.Complete(free.PollTask(), {Schedule("1"), Schedule("2")}).ok());
}

// --- Histories

constexpr char kTooMany[] = "Workflow history count exceeds limit.";
constexpr char kTooLarge[] = "Workflow history size exceeds limit.";

EngineOptions AtMost(std::int64_t events) {
  EngineOptions options = TestOptions();
  options.limits.history_count = events;
  return options;
}

RpcStatus SendSignal(Client& c, const std::string& payload = "\"x\"") {
  ws::SignalWorkflowExecutionRequest signal;
  signal.set_namespace_("default");
  signal.mutable_workflow_execution()->set_workflow_id("wf");
  signal.set_signal_name("s");
  *signal.mutable_input() = Json(payload);
  return c.Call<ws::SignalWorkflowExecutionResponse>("SignalWorkflowExecution", signal).status;
}

void ExpectTerminated(Client& c, const std::string& reason) {
  const historypb::HistoryEvent last = c.LastEvent("wf");
  ASSERT_EQ(last.event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED);
  EXPECT_EQ(last.workflow_execution_terminated_event_attributes().reason(), reason);
  EXPECT_EQ(last.workflow_execution_terminated_event_attributes().identity(), "history-service");
}

TEST(Limits, AHistoryOfTooManyEventsEndsTheWorkflow) {
  Client c(AtMost(6));
  c.Start("wf");
  c.Step({});                            // 4 events
  EXPECT_EQ(SendSignal(c).message, "");  // 6: the signal and the next task
  EXPECT_EQ(SendSignal(c).message, "");  // it counts once it is stored
  const RpcStatus refused = SendSignal(c);
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(refused.message, kTooMany);
  ExpectTerminated(c, kTooMany);
  EXPECT_EQ(c.History("wf").size(), 8u) << "the last signal is dropped";
  EXPECT_EQ(SendSignal(c).message, "workflow execution already completed");
}

TEST(Limits, WhatMustNotBeStoredIsTakenBack) {
  Client c(AtMost(5));
  c.Start("wf");
  c.Step({});
  EXPECT_EQ(SendSignal(c).message, kTooMany);  // 6 with the next task
  ExpectTerminated(c, kTooMany);
  EXPECT_EQ(c.History("wf").size(), 5u);
  EXPECT_FALSE(c.Describe("wf").has_pending_workflow_task());
}

TEST(Limits, APollGetsNoTaskThatHasNoRoom) {
  Client c(AtMost(2));
  c.Start("wf");
  const std::uint64_t poll = c.SendWorkflowPoll();
  EXPECT_FALSE(c.Answered(poll));
  ExpectTerminated(c, kTooMany);
  EXPECT_EQ(c.History("wf").size(), 3u);
}

TEST(Limits, ACompletionThatHasNoRoomIsRefusedAsAWhole) {
  Client c(AtMost(6));
  c.Start("wf");
  const auto task = c.PollTask();
  const auto reply = c.Complete(
      task, {StartTimer("1", hours(1)), StartTimer("2", hours(1)), StartTimer("3", hours(1))});
  EXPECT_EQ(reply.status.message, kTooMany);
  ExpectTerminated(c, kTooMany);
  const auto events = c.History("wf");
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[3].workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);

  Client fits(AtMost(6));
  fits.Start("wf");
  EXPECT_TRUE(
      fits.Complete(fits.PollTask(), {StartTimer("1", hours(1)), StartTimer("2", hours(1))}).ok());
}

TEST(Limits, WhatClosesTheWorkflowHasRoom) {
  Client c(AtMost(3));
  c.Start("wf");
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.EventNames("wf").back(), "WORKFLOW_EXECUTION_COMPLETED");
  Client chain(AtMost(3));
  chain.Start("wf");
  chain.Step({ContinueAsNew()});
  EXPECT_EQ(chain.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_THAT(chain.EventNames("wf"), ElementsAre("WORKFLOW_EXECUTION_STARTED"));
}

TEST(Limits, ATimeOutThatHasNoRoomEndsTheWorkflow) {
  Client c(AtMost(3));
  c.Start("wf");
  c.PollTask();
  c.Advance(seconds(10));
  ExpectTerminated(c, kTooMany);
  EXPECT_EQ(c.History("wf")[3].workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);
}

TEST(Limits, AHistoryThatIsTooLargeTakesNothingMore) {
  EngineOptions options = TestOptions();
  options.limits.history_size = 2000;
  Client c(options);
  c.Start("wf");
  EXPECT_EQ(SendSignal(c, std::string(3000, 'x')).message, "");
  const RpcStatus refused = SendSignal(c);
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(refused.message, kTooLarge);
  ExpectTerminated(c, kTooLarge);
  EXPECT_EQ(c.History("wf").size(), 4u);
}

TEST(Limits, TooMuchBehindATaskInProgressEndsTheTask) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  for (int i = 0; i < 100; ++i) SendSignal(c);
  EXPECT_EQ(c.History("wf").size(), 3u);
  SendSignal(c);
  const auto events = c.History("wf");
  ASSERT_EQ(events.size(), 105u);  // with 101 signals
  EXPECT_EQ(events[3].workflow_task_failed_event_attributes().cause(),
            enums::WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND);
  EXPECT_EQ(events[3].workflow_task_failed_event_attributes().identity(), "history-service");
  EXPECT_EQ(c.Complete(task, {}).status.message, "Workflow task not found.");
  const auto next = c.PollTask();
  EXPECT_EQ(next.attempt(), 2);
  EXPECT_TRUE(c.Complete(next, {}).ok());

  Client bytes;
  bytes.Start("wf");
  bytes.PollTask();
  SendSignal(bytes, std::string(kBlobSizeError - 100, 'x'));
  SendSignal(bytes, std::string(100, 'x'));
  EXPECT_THAT(bytes.EventNames("wf"), ::testing::Contains("WORKFLOW_TASK_FAILED"));
}

TEST(Limits, SoManySignalsReachAWorkflow) {
  EngineOptions options = TestOptions();
  options.limits.signals = 2;
  Client c(options);
  c.Start("wf");
  SendSignal(c);
  c.PollTask();
  SendSignal(c);  // waits in the buffer
  constexpr char kFull[] = "exceeded workflow execution limit for signal events";
  const RpcStatus refused = SendSignal(c);
  EXPECT_EQ(refused.code, 3);
  EXPECT_EQ(refused.message, kFull);
  ws::SignalWithStartWorkflowExecutionRequest with_start;
  with_start.set_namespace_("default");
  with_start.set_workflow_id("wf");
  with_start.mutable_workflow_type()->set_name("t");
  with_start.mutable_task_queue()->set_name("q");
  with_start.set_signal_name("s");
  EXPECT_EQ(c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                                 with_start)
                .status.message,
            kFull);
  *with_start.mutable_signal_input() = Large();
  EXPECT_EQ(c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                                 with_start)
                .status.message,
            kBlobExceedsLimit);
}

TEST(Limits, WorkersAreAdvisedToContinueAsNew) {
  EngineOptions options = TestOptions();
  options.limits.history_size_suggest = 1;
  options.limits.history_count_suggest = 3;
  options.limits.updates = 1;
  Client c(options);
  c.Start("wf");
  ws::UpdateWorkflowExecutionRequest update;
  update.set_namespace_("default");
  update.mutable_workflow_execution()->set_workflow_id("wf");
  update.mutable_request()->mutable_meta()->set_update_id("u");
  update.mutable_request()->mutable_input()->set_name("u");
  c.Send("UpdateWorkflowExecution", update);
  const auto task = c.PollTask();
  const auto& started = task.history().events(2).workflow_task_started_event_attributes();
  EXPECT_TRUE(started.suggest_continue_as_new());
  EXPECT_THAT(started.suggest_continue_as_new_reasons(),
              ElementsAre(enums::SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE,
                          enums::SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS,
                          enums::SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES));
  EXPECT_GT(started.history_size_bytes(), 0);

  Client usual;
  usual.Start("wf");
  EXPECT_FALSE(usual.PollTask()
                   .history()
                   .events(2)
                   .workflow_task_started_event_attributes()
                   .suggest_continue_as_new());
}

}  // namespace
}  // namespace squall::fakes::engine
