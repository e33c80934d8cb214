// Activities: retries, the four time-outs, heartbeats, cancellation, completion by id, tokens of
// past attempts.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {


command::Command WithTimeouts(command::Command command, Duration to_close, Duration to_start,
                              Duration start_to_close, Duration heartbeat) {
  auto* attributes = command.mutable_schedule_activity_task_command_attributes();
  *attributes->mutable_schedule_to_close_timeout() = ToProto(to_close);
  *attributes->mutable_schedule_to_start_timeout() = ToProto(to_start);
  *attributes->mutable_start_to_close_timeout() = ToProto(start_to_close);
  *attributes->mutable_heartbeat_timeout() = ToProto(heartbeat);
  return command;
}

command::Command WithAttempts(command::Command command, int attempts) {
  command.mutable_schedule_activity_task_command_attributes()
      ->mutable_retry_policy()
      ->set_maximum_attempts(attempts);
  return command;
}

Reply<ws::RecordActivityTaskHeartbeatResponse> Beat(Client& c, const std::string& token,
                                                    const std::string& details) {
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(token);
  *request.mutable_details() = Json(details);
  return c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request);
}

TEST(Activities, RetriesWithGrowingIntervals) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  auto task = c.PollActivity();
  EXPECT_EQ(task.retry_policy().initial_interval().seconds(), 1);
  EXPECT_EQ(task.retry_policy().maximum_interval().seconds(), 100);
  EXPECT_EQ(task.retry_policy().backoff_coefficient(), 2.0);
  Duration wait = seconds(1);
  for (int attempt = 2; attempt <= 9; ++attempt) {
    EXPECT_TRUE(c.FailActivity(task.task_token()).ok());
    const std::uint64_t poll = c.SendActivityPoll();
    c.Advance(wait - milliseconds(1));
    EXPECT_FALSE(c.Answered(poll)) << attempt;
    if (wait > seconds(60)) {  // the poll ends before
      c.Advance(milliseconds(1));
      task = c.PollActivity();
    } else {
      c.Advance(milliseconds(1));
      task = c.Take<ws::PollActivityTaskQueueResponse>(poll).response;
    }
    EXPECT_EQ(task.attempt(), attempt);
    wait = std::min<Duration>(wait * 2, seconds(100));
    if (wait > seconds(50)) break;
  }
  EXPECT_TRUE(c.CompleteActivity(task.task_token()).ok());
  const auto names = c.EventNames("wf");
  EXPECT_EQ(std::count(names.begin(), names.end(), "ACTIVITY_TASK_STARTED"),
            1);  // retries leave no trace
  const auto started = c.History("wf").at(5).activity_task_started_event_attributes();
  EXPECT_EQ(started.attempt(), task.attempt());
  EXPECT_EQ(started.last_failure().message(), "it broke");
}

TEST(Activities, GivesUpAfterTheLastAttempt) {
  Client c;
  c.Start("wf");
  c.Step({WithAttempts(Schedule("1"), 2)});
  c.FailActivity(c.PollActivity().task_token());
  EXPECT_EQ(c.Describe("wf").pending_activities(0).attempt(), 2);
  EXPECT_EQ(c.Describe("wf").pending_activities(0).last_failure().message(), "it broke");
  c.Advance(seconds(1));
  c.FailActivity(c.PollActivity().task_token());
  const auto failed = c.History("wf").at(6).activity_task_failed_event_attributes();
  EXPECT_EQ(failed.retry_state(), enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
  EXPECT_EQ(failed.started_event_id(), 6);
  EXPECT_EQ(failed.scheduled_event_id(), 5);
}

TEST(Activities, DoesNotRetryWhatMustNotBe) {
  Client c;
  c.Start("a");
  command::Command listed = Schedule("1");
  listed.mutable_schedule_activity_task_command_attributes()
      ->mutable_retry_policy()
      ->add_non_retryable_error_types("Fatal");
  c.Step({listed});
  c.FailActivity(c.PollActivity().task_token(), "Fatal");
  EXPECT_EQ(c.History("a").at(6).activity_task_failed_event_attributes().retry_state(),
            enums::RETRY_STATE_NON_RETRYABLE_FAILURE);
  c.Step({CompleteWorkflow()});
  c.Start("b");
  c.Step({Schedule("1")});
  c.FailActivity(c.PollActivity().task_token(), "Oops", true);
  EXPECT_EQ(c.History("b").at(6).activity_task_failed_event_attributes().retry_state(),
            enums::RETRY_STATE_NON_RETRYABLE_FAILURE);
}

TEST(Activities, HonoursTheDelayThatTheFailureAsksFor) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  ws::RespondActivityTaskFailedRequest request;
  request.set_task_token(c.PollActivity().task_token());
  request.mutable_failure()
      ->mutable_application_failure_info()
      ->mutable_next_retry_delay()
      ->set_seconds(7);
  EXPECT_TRUE(
      c.Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request).ok());
  EXPECT_EQ(c.Describe("wf").pending_activities(0).current_retry_interval().seconds(), 7);
  const auto poll = c.SendActivityPoll();
  c.Advance(milliseconds(6999));
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(milliseconds(1));
  EXPECT_TRUE(c.Answered(poll));
}

TEST(Activities, RefusesFailuresThatAreNoApplicationFailures) {
  Client c;
  ws::RespondActivityTaskFailedRequest request;
  request.mutable_failure()->mutable_canceled_failure_info();
  EXPECT_EQ(c.Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request)
                .status.message,
            "Failure must have ApplicationFailureInfo.");
}

TEST(Activities, TimesOutFromStartToCloseAndTriesAgain) {
  Client c;
  c.Start("wf");
  c.Step({WithAttempts(Schedule("1"), 2)});
  const auto first = c.PollActivity();
  c.Advance(seconds(10));
  EXPECT_EQ(c.CompleteActivity(first.task_token()).status.message,
            "invalid activityID or activity already timed out or invoking workflow is completed");
  c.Advance(seconds(1));
  const auto second = c.PollActivity();
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(c.CompleteActivity(first.task_token()).status.code, 5);  // a past attempt
  c.Advance(seconds(10));
  const auto timed_out = c.History("wf").at(6).activity_task_timed_out_event_attributes();
  EXPECT_EQ(timed_out.failure().timeout_failure_info().timeout_type(),
            enums::TIMEOUT_TYPE_START_TO_CLOSE);
  EXPECT_EQ(timed_out.failure().message(), "activity StartToClose timeout");
  EXPECT_EQ(timed_out.retry_state(), enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
  EXPECT_TRUE(timed_out.failure().has_cause());
}

TEST(Activities, TimesOutWithoutHeartbeatAndKeepsTheDetails) {
  Client c;
  c.Start("wf");
  c.Step({WithTimeouts(Schedule("1"), {}, {}, minutes(5), seconds(5))});
  const auto first = c.PollActivity();
  for (int i = 0; i < 4; ++i) {
    c.Advance(seconds(4));
    const auto beat = Beat(c, first.task_token(), std::to_string(i));
    EXPECT_TRUE(beat.ok());
    EXPECT_FALSE(beat.response.cancel_requested());
  }
  EXPECT_EQ(c.Describe("wf").pending_activities(0).heartbeat_details().payloads(0).data(), "3");
  c.Advance(seconds(5));
  EXPECT_EQ(Beat(c, first.task_token(), "4").status.code, 5);
  c.Advance(seconds(1));
  const auto second = c.PollActivity();
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(second.heartbeat_details().payloads(0).data(), "3");
  EXPECT_EQ(c.sink.Of<journal::ActivityEvent>("timed_out").at(0).detail, "Heartbeat");
}

TEST(Activities, TimesOutFromScheduleToStartWithoutRetry) {
  Client c;
  c.Start("wf");
  c.Step({WithTimeouts(Schedule("1"), {}, seconds(3), seconds(10), {})});
  c.Advance(seconds(3));
  const auto timed_out = c.History("wf").at(5).activity_task_timed_out_event_attributes();
  EXPECT_EQ(timed_out.failure().timeout_failure_info().timeout_type(),
            enums::TIMEOUT_TYPE_SCHEDULE_TO_START);
  EXPECT_EQ(timed_out.retry_state(), enums::RETRY_STATE_TIMEOUT);
  EXPECT_EQ(timed_out.started_event_id(), 0);
}

TEST(Activities, StopsRetryingAtScheduleToClose) {
  Client c;
  c.Start("wf");
  c.Step({WithTimeouts(Schedule("1"), seconds(5), {}, {}, {})});
  auto task = c.PollActivity();
  c.FailActivity(task.task_token());
  c.Advance(seconds(1));
  c.FailActivity(c.PollActivity().task_token());
  c.Advance(seconds(2));
  // At 3 s: the next attempt would be at 7 s.
  c.FailActivity(c.PollActivity().task_token());
  const auto failed = c.History("wf").at(6).activity_task_failed_event_attributes();
  EXPECT_EQ(failed.retry_state(), enums::RETRY_STATE_TIMEOUT);
}

TEST(Activities, ClosesARunningAttemptAtScheduleToClose) {
  Client c;
  c.Start("wf");
  c.Step({WithTimeouts(Schedule("1"), seconds(5), {}, {}, {})});
  c.PollActivity();
  c.Advance(seconds(5));
  const auto names = c.EventNames("wf");
  EXPECT_EQ(names.at(6), "ACTIVITY_TASK_TIMED_OUT");
  const auto timed_out = c.History("wf").at(6).activity_task_timed_out_event_attributes();
  EXPECT_EQ(timed_out.retry_state(), enums::RETRY_STATE_TIMEOUT);
  EXPECT_EQ(timed_out.failure().timeout_failure_info().timeout_type(),
            enums::TIMEOUT_TYPE_SCHEDULE_TO_CLOSE);
}

TEST(Activities, CancelsAtOnceWhatNobodyStarted) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  c.Signal("wf", "wake");
  EXPECT_EQ(c.Complete(c.PollTask(), {CancelActivity(5)}).status.message, "");
  const auto canceled = c.History("wf").at(10).activity_task_canceled_event_attributes();
  EXPECT_EQ(canceled.details().payloads(0).data(), "\"ACTIVITY_ID_NOT_STARTED\"");
  EXPECT_EQ(canceled.latest_cancel_requested_event_id(), 10);
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  c.Step({Schedule("1"), CompleteWorkflow()});  // the id is free again
}

TEST(Activities, TellsARunningActivityToCancel) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  const auto task = c.PollActivity();
  ws::RespondActivityTaskCanceledRequest request;
  request.set_task_token(task.task_token());
  auto reply =
      c.Call<ws::RespondActivityTaskCanceledResponse>("RespondActivityTaskCanceled", request);
  EXPECT_EQ(reply.status.message,
            "unable to mark activity as canceled without activity being request canceled first");
  c.Signal("wf", "wake");
  c.Step({CancelActivity(5)});
  EXPECT_TRUE(Beat(c, task.task_token(), "1").response.cancel_requested());
  reply = c.Call<ws::RespondActivityTaskCanceledResponse>("RespondActivityTaskCanceled", request);
  EXPECT_TRUE(reply.ok());
  const auto names = c.EventNames("wf");
  EXPECT_EQ(names.at(names.size() - 2), "ACTIVITY_TASK_CANCELED");
}

TEST(Activities, DoesNotRetryACancelledOne) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1")});
  const auto task = c.PollActivity();
  c.Signal("wf", "wake");
  c.Step({CancelActivity(5)});
  c.FailActivity(task.task_token());
  const auto events = c.History("wf");
  EXPECT_EQ(events.at(events.size() - 2).activity_task_failed_event_attributes().retry_state(),
            enums::RETRY_STATE_CANCEL_REQUESTED);
}

TEST(Activities, WorksById) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("a"), Schedule("b"), Schedule("c")});
  c.PollActivity();
  ws::RecordActivityTaskHeartbeatByIdRequest beat;
  beat.set_namespace_("default");
  beat.set_workflow_id("wf");
  beat.set_activity_id("a");
  EXPECT_TRUE(
      c.Call<ws::RecordActivityTaskHeartbeatByIdResponse>("RecordActivityTaskHeartbeatById", beat)
          .ok());
  beat.set_activity_id("b");
  EXPECT_EQ(
      c.Call<ws::RecordActivityTaskHeartbeatByIdResponse>("RecordActivityTaskHeartbeatById", beat)
          .status.code,
      5);
  ws::RespondActivityTaskCompletedByIdRequest complete;
  complete.set_namespace_("default");
  complete.set_workflow_id("wf");
  complete.set_activity_id("b");  // nobody started it
  EXPECT_TRUE(c.Call<ws::RespondActivityTaskCompletedByIdResponse>(
                   "RespondActivityTaskCompletedById", complete)
                  .ok());
  complete.set_activity_id("no");
  EXPECT_EQ(c.Call<ws::RespondActivityTaskCompletedByIdResponse>("RespondActivityTaskCompletedById",
                                                                 complete)
                .status.message,
            "cannot find pending activity with ActivityID no, check workflow execution history for "
            "more details");
  ws::RespondActivityTaskFailedByIdRequest fail;
  fail.set_namespace_("default");
  fail.set_workflow_id("wf");
  fail.set_activity_id("a");
  fail.mutable_failure()->mutable_application_failure_info()->set_non_retryable(true);
  EXPECT_TRUE(
      c.Call<ws::RespondActivityTaskFailedByIdResponse>("RespondActivityTaskFailedById", fail)
          .ok());
  EXPECT_EQ(c.PollActivity().activity_id(), "c");
}

TEST(Activities, RunEagerlyWhereTheWorkflowTaskRan) {
  Client c;
  c.Start("wf");
  command::Command eager = Schedule("1");
  eager.mutable_schedule_activity_task_command_attributes()->set_request_eager_execution(true);
  const auto reply = c.Complete(c.PollTask(), {eager});
  ASSERT_EQ(reply.response.activity_tasks_size(), 1);
  EXPECT_TRUE(c.CompleteActivity(reply.response.activity_tasks(0).task_token()).ok());
  c.Step({CompleteWorkflow()});
}

TEST(Activities, EndWithTheirWorkflow) {
  Client c;
  c.Start("wf");
  c.Step({Schedule("1"), Schedule("2")});
  const auto task = c.PollActivity();
  c.Signal("wf", "wake");
  c.Step({CompleteWorkflow()});
  EXPECT_EQ(c.CompleteActivity(task.task_token()).status.message,
            "workflow execution already completed");
  const auto poll = c.SendActivityPoll();  // the second one is not handed out any more
  EXPECT_FALSE(c.Answered(poll));
}

}  // namespace
}  // namespace squall::fakes::engine
