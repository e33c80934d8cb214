// When time may be skipped: only when nobody is at work and somebody waits for time alone.

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

constexpr Duration kOneYear = hours(24 * 365);

std::optional<Duration> SkipOf(Client& c) {
  const auto to = c.engine.NextSkip();
  if (!to) return std::nullopt;
  return *to - c.clock.Now();
}

// A workflow that has done its first task with these commands.
void StartAndDo(Client& c, const std::string& id, const std::vector<command::Command>& commands) {
  c.Start(id);
  EXPECT_EQ(c.Complete(c.PollTask(), commands).status.message, "");
}

TEST(Skipping, AnIdleServerStandsStill) {
  Client c;
  EXPECT_EQ(SkipOf(c), std::nullopt);
  c.SendWorkflowPoll();  // a deadline, but no workflow
  EXPECT_EQ(SkipOf(c), std::nullopt);
}

TEST(Skipping, GoesToATimerWhenItAloneIsWaitedFor) {
  Client c;
  c.Start("wf");
  EXPECT_EQ(SkipOf(c), std::nullopt);  // a task waits for a worker
  const auto task = c.PollTask();
  EXPECT_EQ(SkipOf(c), std::nullopt);  // a worker has it
  c.Complete(task, {StartTimer("t", kOneYear)});
  EXPECT_EQ(SkipOf(c), kOneYear);
  c.Advance(kOneYear);
  EXPECT_EQ(SkipOf(c), std::nullopt);  // its task waits
  c.Complete(c.PollTask(), {CompleteWorkflow("1")});
  EXPECT_EQ(SkipOf(c), std::nullopt);
}

TEST(Skipping, StopsAtEveryDeadlineOnTheWay) {
  Client c;
  StartAndDo(c, "wf", {StartTimer("t", kOneYear)});
  c.SendWorkflowPoll();
  EXPECT_EQ(SkipOf(c), seconds(60));  // the poll comes back empty
  c.Advance(seconds(60));
  EXPECT_EQ(SkipOf(c), kOneYear - seconds(60));
}

TEST(Skipping, AnActivityBlocksUntilItBacksOff) {
  Client c;
  StartAndDo(c, "timer", {StartTimer("t", kOneYear)});
  auto activity = Schedule("a", "q");
  activity.mutable_schedule_activity_task_command_attributes()
      ->mutable_retry_policy()
      ->mutable_initial_interval()
      ->set_seconds(3600);
  StartAndDo(c, "wf", {activity});
  EXPECT_EQ(SkipOf(c), std::nullopt);  // scheduled
  const auto started = c.PollActivity();
  EXPECT_EQ(SkipOf(c), std::nullopt);  // started
  c.FailActivity(started.task_token(), "Oops", false);
  EXPECT_EQ(SkipOf(c), hours(1));  // waits for its next attempt
  c.Advance(hours(1));
  EXPECT_EQ(SkipOf(c), std::nullopt);
}

TEST(Skipping, StartDelaysAndCronAreSkipped) {
  Client delayed;
  auto request = Client::StartRequest("wf");
  request.mutable_workflow_start_delay()->set_seconds(300);
  delayed.Start(request);
  EXPECT_EQ(SkipOf(delayed), minutes(5));

  Client cron;
  request = Client::StartRequest("wf");
  request.set_cron_schedule("@every 1h");
  cron.Start(request);
  EXPECT_EQ(SkipOf(cron), hours(1));
}

TEST(Skipping, WhoWaitsForASignalIsNotSkippedPast) {
  Client c;
  auto request = Client::StartRequest("wf");
  request.mutable_workflow_run_timeout()->set_seconds(60);
  c.Start(request);
  c.Complete(c.PollTask(), {});
  EXPECT_EQ(SkipOf(c), std::nullopt);
}

TEST(Skipping, QueriesAndFreshUpdatesBlock) {
  Client c;
  StartAndDo(c, "wf", {StartTimer("t", kOneYear)});
  ws::QueryWorkflowRequest query;
  query.set_namespace_("default");
  query.mutable_execution()->set_workflow_id("wf");
  query.mutable_query()->set_query_type("state");
  const auto asked = c.Send("QueryWorkflow", query);
  EXPECT_EQ(SkipOf(c), std::nullopt);
  c.Cancel(asked);
  ws::UpdateWorkflowExecutionRequest update;
  update.set_namespace_("default");
  update.mutable_workflow_execution()->set_workflow_id("wf");
  update.mutable_request()->mutable_meta()->set_update_id("u");
  update.mutable_request()->mutable_input()->set_name("set");
  c.Send("UpdateWorkflowExecution", update);
  EXPECT_EQ(SkipOf(c), std::nullopt);
}

TEST(Skipping, AnActivityOfItsOwnBlocksUntilItBacksOff) {
  Client c;
  StartAndDo(c, "timer", {StartTimer("t", kOneYear)});
  ws::StartActivityExecutionRequest request;
  request.set_namespace_("default");
  request.set_activity_id("alone");
  request.set_request_id("request");
  request.mutable_activity_type()->set_name("echo");
  request.mutable_task_queue()->set_name("q");
  *request.mutable_start_to_close_timeout() = ToProto(seconds(10));
  request.mutable_retry_policy()->mutable_initial_interval()->set_seconds(60);
  EXPECT_EQ(
      c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", request).status.message,
      "");
  EXPECT_EQ(SkipOf(c), std::nullopt);
  const auto started = c.PollActivity();
  EXPECT_EQ(SkipOf(c), std::nullopt);
  c.FailActivity(started.task_token(), "Oops", false);
  EXPECT_EQ(SkipOf(c), minutes(1));
}

TEST(Skipping, APausedActivityIsNobodysWork) {
  Client c;
  StartAndDo(c, "timer", {StartTimer("t", kOneYear)});
  StartAndDo(c, "wf", {Schedule("a", "q")});
  EXPECT_EQ(SkipOf(c), std::nullopt);
  ws::PauseActivityRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  request.set_id("a");
  EXPECT_EQ(c.Call<ws::PauseActivityResponse>("PauseActivity", request).status.message, "");
  EXPECT_NE(SkipOf(c), std::nullopt);
}

}  // namespace
}  // namespace squall::fakes::engine
