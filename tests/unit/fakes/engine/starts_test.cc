// Starting workflows: what is refused, ids in use, time-outs, retries, delays, cron,
// continue-as-new, signal-with-start.

#include <gmock/gmock.h>

#include "fakes/engine/cron.h"
#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

namespace details = ::temporal::api::errordetails::v1;
using ::testing::ElementsAre;

TEST(Starts, RefusesWhatIsMissing) {
  struct Case {
    std::function<void(ws::StartWorkflowExecutionRequest&)> spoil;
    int code;
    std::string message;
  };
  const Case cases[] = {
      {[](auto& r) { r.clear_workflow_id(); }, 3, "WorkflowId is not set on request."},
      {[](auto& r) { r.clear_workflow_type(); }, 3, "WorkflowType is not set on request."},
      {[](auto& r) { r.clear_task_queue(); }, 3, "taskQueue is not set"},
      {[](auto& r) { r.mutable_task_queue()->clear_name(); }, 3, "missing task queue name"},
      {[](auto& r) { r.clear_namespace_(); }, 3, "Namespace is empty."},
      {[](auto& r) { r.set_namespace_("nope"); }, 5, "Namespace nope is not found."},
      {[](auto& r) { r.set_cron_schedule("x"); }, 3, "invalid CronSchedule."},
      {[](auto& r) { r.mutable_workflow_run_timeout()->set_seconds(-1); }, 3,
       "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration"},
      {[](auto& r) { r.mutable_retry_policy()->set_backoff_coefficient(0.5); }, 3,
       "BackoffCoefficient cannot be less than 1 on retry policy."},
      {[](auto& r) {
         r.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
         r.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
       },
       3,
       "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used "
       "together with "
       "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"},
      {[](auto& r) {
         (*r.mutable_search_attributes()->mutable_indexed_fields())["Foo"].set_data("1");
       },
       3, "Namespace default has no mapping defined for search attribute Foo"},
      {[](auto& r) { r.set_workflow_id(std::string(1001, 'x')); }, 3,
       "WorkflowId exceeds maximum allowed length (1001/1000)"},
  };
  for (const Case& one : cases) {
    Client c;
    auto request = Client::StartRequest("wf");
    one.spoil(request);
    const auto reply = c.Start(request);
    EXPECT_EQ(reply.status.code, one.code) << one.message;
    EXPECT_EQ(reply.status.message, one.message);
    EXPECT_EQ(c.engine.open_workflows(), 0u);
  }
}

TEST(Starts, NamesTheRunThatHasTheId) {
  Client c;
  const std::string run_id = c.Start("wf");
  auto request = Client::StartRequest("wf");
  request.set_request_id("another");
  const auto reply = c.Start(request);
  EXPECT_EQ(reply.status.code, 6);
  EXPECT_EQ(reply.status.message,
            "Workflow execution is already running. WorkflowId: wf, RunId: " + run_id + ".");
  details::WorkflowExecutionAlreadyStartedFailure detail;
  ASSERT_TRUE(UnpackDetail(reply.status, &detail));
  EXPECT_EQ(detail.run_id(), run_id);
  EXPECT_EQ(detail.start_request_id(), "request-wf");
  EXPECT_EQ(detail.first_execution_run_id(), run_id);
}

TEST(Starts, AnswersARepeatedRequestWithTheSameRun) {
  Client c;
  const auto first = c.Start(Client::StartRequest("wf"));
  const auto second = c.Start(Client::StartRequest("wf"));
  EXPECT_EQ(first.response.run_id(), second.response.run_id());
  EXPECT_TRUE(second.response.started());
  EXPECT_EQ(c.History("wf").size(), 2u);
}

TEST(Starts, UsesOrTerminatesTheExistingRunByPolicy) {
  Client c;
  const std::string run_id = c.Start("wf");
  auto request = Client::StartRequest("wf");
  request.set_request_id("r2");
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
  auto reply = c.Start(request);
  EXPECT_EQ(reply.response.run_id(), run_id);
  EXPECT_FALSE(reply.response.started());
  request.set_request_id("r3");
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
  reply = c.Start(request);
  EXPECT_NE(reply.response.run_id(), run_id);
  const auto terminated = c.LastEvent("wf", run_id);
  EXPECT_EQ(terminated.workflow_execution_terminated_event_attributes().reason(),
            "TerminateIfRunning WorkflowIdReusePolicy");
  EXPECT_EQ(terminated.workflow_execution_terminated_event_attributes().identity(),
            "history-service");
  EXPECT_EQ(c.engine.open_workflows(), 1u);
}

TEST(Starts, AppliesTheReusePolicyToClosedRuns) {
  Client c;
  c.Start("wf");
  c.Step({CompleteWorkflow()});
  auto request = Client::StartRequest("wf");
  request.set_request_id("r2");
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  EXPECT_THAT(c.Start(request).status.message,
              ::testing::HasSubstr("reject duplicate workflow Id."));
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
  EXPECT_THAT(c.Start(request).status.message,
              ::testing::HasSubstr("allow duplicate workflow Id if last run failed."));
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE);
  EXPECT_TRUE(c.Start(request).ok());
  c.Step({FailWorkflow("no")});
  request.set_request_id("r3");
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
  EXPECT_TRUE(c.Start(request).ok());
}

TEST(Starts, WritesWhatTheRequestSaysIntoTheStartedEvent) {
  Client c;
  c.Start("wf");
  const auto events = c.History("wf");
  const auto& started = events.at(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.workflow_type().name(), "Ping");
  EXPECT_EQ(started.task_queue().kind(), enums::TASK_QUEUE_KIND_NORMAL);
  EXPECT_EQ(started.identity(), "starter");
  EXPECT_EQ(started.attempt(), 1);
  EXPECT_EQ(started.workflow_task_timeout().seconds(), 10);
  EXPECT_FALSE(started.has_workflow_run_timeout());
  EXPECT_FALSE(started.has_memo());
  EXPECT_EQ(started.first_execution_run_id(), started.original_execution_run_id());
  EXPECT_EQ(events.at(1).workflow_task_scheduled_event_attributes().attempt(), 1);
}

TEST(Starts, TimesOutARunAndItsTask) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_workflow_run_timeout()->set_seconds(5);
  request.mutable_workflow_task_timeout()->set_seconds(2);
  ASSERT_TRUE(c.Start(request).ok());
  c.PollTask();
  c.Advance(seconds(6));
  EXPECT_THAT(
      c.EventNames("wf"),
      ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_EXECUTION_TIMED_OUT"));
  EXPECT_EQ(c.LastEvent("wf").workflow_execution_timed_out_event_attributes().retry_state(),
            enums::RETRY_STATE_RETRY_POLICY_NOT_SET);
}

TEST(Starts, RetriesAFailedWorkflowByItsPolicy) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_retry_policy()->mutable_initial_interval()->set_seconds(3);
  request.mutable_retry_policy()->set_maximum_attempts(2);
  const std::string first = c.Start(request).response.run_id();
  c.Advance(seconds(2));
  c.Step({FailWorkflow("once")});
  const auto failed = c.LastEvent("wf", first).workflow_execution_failed_event_attributes();
  EXPECT_EQ(failed.retry_state(), enums::RETRY_STATE_IN_PROGRESS);
  const auto second = c.Describe("wf");
  EXPECT_EQ(second.workflow_execution_info().execution().run_id(), failed.new_execution_run_id());
  EXPECT_EQ(second.workflow_execution_info().first_run_id(), first);
  const auto started = c.History("wf").at(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.attempt(), 2);
  EXPECT_EQ(started.initiator(), enums::CONTINUE_AS_NEW_INITIATOR_RETRY);
  EXPECT_EQ(started.first_workflow_task_backoff().seconds(), 3);
  EXPECT_EQ(started.continued_failure().message(), "once");
  const auto poll = c.SendWorkflowPoll();
  c.Advance(milliseconds(2900));
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(milliseconds(200));
  const auto task = c.Take<ws::PollWorkflowTaskQueueResponse>(poll).response;
  EXPECT_EQ(c.Complete(task, {FailWorkflow("twice")}).status.message, "");
  EXPECT_EQ(c.LastEvent("wf").workflow_execution_failed_event_attributes().retry_state(),
            enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
}

TEST(Starts, DelaysTheFirstTaskButNotTheSignal) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_workflow_start_delay()->set_seconds(30);
  ASSERT_TRUE(c.Start(request).ok());
  c.Signal("wf", "go");
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED"));
  c.Advance(seconds(30));
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED",
                          "WORKFLOW_TASK_SCHEDULED"));
}

TEST(Starts, ContinuesAsNewInTheSameChain) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_user_metadata()->mutable_summary()->set_data("\"why\"");
  const std::string first = c.Start(request).response.run_id();
  EXPECT_TRUE(c.Describe("wf").execution_config().has_user_metadata());
  c.Advance(seconds(2));
  c.Step({ContinueAsNew("2")});
  EXPECT_FALSE(
      c.Describe("wf").execution_config().has_user_metadata());  // as the real server has it
  const auto started = c.History("wf").at(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.continued_execution_run_id(), first);
  EXPECT_EQ(started.first_execution_run_id(), first);
  EXPECT_EQ(started.initiator(), enums::CONTINUE_AS_NEW_INITIATOR_WORKFLOW);
  EXPECT_EQ(started.input().payloads(0).data(), "2");
  EXPECT_EQ(started.workflow_type().name(), "Ping");
  EXPECT_EQ(c.Describe("wf", first).workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW);
  c.Step({CompleteWorkflow()});
}

TEST(Starts, SpacesRunsOfAChainASecondApart) {
  Client c;
  c.Start("wf");
  c.Step({ContinueAsNew()});
  EXPECT_EQ(c.History("wf")
                .at(0)
                .workflow_execution_started_event_attributes()
                .first_workflow_task_backoff()
                .seconds(),
            1);
  c.Advance(seconds(1));
  c.Step({CompleteWorkflow()});
}

TEST(Starts, SignalsWithStartOnceOrTheRunningOne) {
  Client c;
  ws::SignalWithStartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("wf");
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name("q");
  request.set_signal_name("go");
  request.set_request_id("r1");
  auto reply = c.Call<ws::SignalWithStartWorkflowExecutionResponse>(
      "SignalWithStartWorkflowExecution", request);
  EXPECT_TRUE(reply.response.started());
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED",
                          "WORKFLOW_TASK_SCHEDULED"));
  reply = c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                               request);
  EXPECT_EQ(c.History("wf").size(), 3u);  // the same request again
  request.set_request_id("r2");
  reply = c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                               request);
  EXPECT_FALSE(reply.response.started());
  EXPECT_EQ(c.History("wf").size(), 4u);
  request.set_cron_schedule("never");
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_FAIL);
  reply = c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                               request);
  EXPECT_EQ(reply.status.message, "invalid CronSchedule.");  // the first thing that is looked at
}

TEST(Starts, SignalsWithStartTakeTheRunsRequestIdForNoReasonToKeepIt) {
  Client c;
  ws::SignalWithStartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("wf");
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name("q");
  request.set_signal_name("go");
  request.set_request_id("r1");
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING);
  const auto call = [&] {
    return c.Call<ws::SignalWithStartWorkflowExecutionResponse>("SignalWithStartWorkflowExecution",
                                                                request);
  };
  const std::string first = call().response.run_id();
  auto reply = call();
  EXPECT_TRUE(reply.response.started());
  EXPECT_NE(reply.response.run_id(), first);
  EXPECT_EQ(c.EventNames("wf", first).back(), "WORKFLOW_EXECUTION_TERMINATED");
  c.Step({CompleteWorkflow()});
  // A run that has ended: the policy of reuse is asked, too.
  request.set_workflow_id_conflict_policy(enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING);
  request.set_workflow_id_reuse_policy(enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE);
  EXPECT_EQ(call().status.code, 6);  // ALREADY_EXISTS
}

TEST(Starts, ASignalWithStartDoesNotWaitForTheDelay) {
  Client c;
  auto delayed = Client::StartRequest("wf");
  delayed.mutable_workflow_start_delay()->set_seconds(30);
  ASSERT_TRUE(c.Start(delayed).ok());
  ws::SignalWithStartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id("wf");
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name("q");
  request.set_signal_name("go");
  EXPECT_TRUE(c.Call<ws::SignalWithStartWorkflowExecutionResponse>(
                   "SignalWithStartWorkflowExecution", request)
                  .ok());
  EXPECT_THAT(c.EventNames("wf"),
              ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED",
                          "WORKFLOW_TASK_SCHEDULED"));
  c.Advance(seconds(30));  // nothing is left to be begun
  EXPECT_EQ(c.History("wf").size(), 3u);
  c.Step({CompleteWorkflow()});
}

TEST(Starts, GivesTheFirstTaskToAnEagerStarter) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.set_request_eager_execution(true);
  const auto reply = c.Start(request);
  ASSERT_TRUE(reply.response.has_eager_workflow_task());
  EXPECT_EQ(reply.response.eager_workflow_task().history().events_size(), 3);
  EXPECT_TRUE(c.Complete(reply.response.eager_workflow_task(), {CompleteWorkflow()}).ok());
}

TEST(Starts, RunsCronSchedules) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.set_cron_schedule("@every 1m");
  ASSERT_TRUE(c.Start(request).ok());
  c.Advance(minutes(1));
  c.Step({CompleteWorkflow("1")});
  const auto started = c.History("wf").at(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.initiator(), enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
  EXPECT_EQ(started.last_completion_result().payloads(0).data(), "1");
  c.Advance(minutes(1));
  c.Step({FailWorkflow("x")});
  EXPECT_EQ(c.History("wf")
                .at(0)
                .workflow_execution_started_event_attributes()
                .last_completion_result()
                .payloads(0)
                .data(),
            "1");
  EXPECT_EQ(c.engine.open_workflows(), 1u);
}

TEST(Cron, FindsTheNextTime) {
  // 2026-01-01T00:00:00Z, a Thursday.
  const WallTime t(seconds(1767225600));
  EXPECT_EQ(CronBackoff("", t, t), std::nullopt);
  EXPECT_EQ(CronBackoff("*/15 * * * *", t, t), minutes(15));
  EXPECT_EQ(CronBackoff("30 6 * * *", t, t), hours(6) + minutes(30));
  EXPECT_EQ(CronBackoff("@hourly", t, t + minutes(20)), minutes(40));
  EXPECT_EQ(CronBackoff("0 0 * * mon", t, t), hours(24 * 4));
  EXPECT_EQ(CronBackoff("0 12 31 1 *", t, t), hours(24 * 30 + 12));
  EXPECT_EQ(CronBackoff("@every 90s", t, t + seconds(100)), seconds(80));
  // By the clocks of a zone: five hours behind in winter.
  EXPECT_EQ(CronBackoff("CRON_TZ=America/New_York 30 6 * * *", t, t), hours(11) + minutes(30));
  EXPECT_EQ(CronBackoff("TZ=UTC 30 6 * * *", t, t), hours(6) + minutes(30));
  // 2026-03-08: clocks skip 02:00 to 03:00; the next 02:30 is a day later, an hour less far.
  const WallTime spring(seconds(1772946000));  // 2026-03-08T05:00:00Z, midnight there
  EXPECT_EQ(CronBackoff("CRON_TZ=America/New_York 30 2 * * *", spring, spring),
            hours(25) + minutes(30));
  for (const char* bad : {"CRON_TZ=Nowhere/At_All * * * * *", "* * * *", "60 * * * *", "a * * * *",
                          "@every", "@every -1s", "1-0 * * * *", "*/0 * * * *"}) {
    EXPECT_FALSE(CheckCron(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace squall::fakes::engine
