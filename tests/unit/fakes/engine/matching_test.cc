// Task queues: order, long polls, callers that leave, pollers in DescribeTaskQueue, shutting
// workers down.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

ws::DescribeTaskQueueResponse DescribeQueue(
    Client& c, const std::string& queue = "q",
    enums::TaskQueueType type = enums::TASK_QUEUE_TYPE_WORKFLOW) {
  ws::DescribeTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  request.set_task_queue_type(type);
  request.set_report_stats(true);
  const auto reply = c.Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", request);
  EXPECT_EQ(reply.status.message, "");
  return reply.response;
}

TEST(Matching, ServesTasksAndPollsInOrder) {
  Client c;
  const std::uint64_t first = c.SendWorkflowPoll(), second = c.SendWorkflowPoll();
  c.Start("a");
  EXPECT_TRUE(c.Answered(first));
  EXPECT_FALSE(c.Answered(second));
  c.Start("b");
  EXPECT_EQ(
      c.Take<ws::PollWorkflowTaskQueueResponse>(second).response.workflow_execution().workflow_id(),
      "b");
  c.Start("c");
  c.Start("d");
  EXPECT_EQ(c.PollTask().workflow_execution().workflow_id(), "c");
  EXPECT_EQ(c.PollTask().workflow_execution().workflow_id(), "d");
}

TEST(Matching, EndsALongPollAfterAMinuteOrShortlyBeforeItsDeadline) {
  Client c;
  const std::uint64_t minute = c.SendWorkflowPoll();
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name("q");
  const std::uint64_t shorter = c.Send("PollWorkflowTaskQueue", request, seconds(10));
  c.Advance(milliseconds(8999));
  EXPECT_FALSE(c.Answered(shorter));
  c.Advance(milliseconds(1));
  EXPECT_TRUE(c.Take<ws::PollWorkflowTaskQueueResponse>(shorter).response.task_token().empty());
  c.Advance(seconds(50));
  EXPECT_FALSE(c.Answered(minute));
  c.Advance(seconds(1));
  EXPECT_TRUE(c.Take<ws::PollWorkflowTaskQueueResponse>(minute).ok());
  EXPECT_EQ(c.engine.held_calls(), 0u);
}

TEST(Matching, RefusesPolls) {
  Client c;
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  auto reply = c.Call<ws::PollWorkflowTaskQueueResponse>("PollWorkflowTaskQueue", request);
  EXPECT_EQ(reply.status.message, "taskQueue is not set");
  request.mutable_task_queue()->set_name("q");
  reply = c.Take<ws::PollWorkflowTaskQueueResponse>(
      c.Send("PollWorkflowTaskQueue", request, milliseconds(1500)));
  EXPECT_EQ(reply.status.code, 9);
  EXPECT_EQ(reply.status.message, "Context timeout is too short.");
  request.set_namespace_("nope");
  EXPECT_EQ(
      c.Call<ws::PollWorkflowTaskQueueResponse>("PollWorkflowTaskQueue", request).status.message,
      "Namespace nope is not found.");
}

TEST(Matching, NeverGivesATaskToACallerWhoLeft) {
  Client c;
  const std::uint64_t dead = c.SendWorkflowPoll("q", "dead");
  const std::uint64_t alive = c.SendWorkflowPoll("q", "alive");
  c.Cancel(dead);
  c.Start("wf");
  EXPECT_FALSE(c.Answered(dead));
  EXPECT_TRUE(c.Answered(alive));
  c.Cancel(dead);  // again, and unknown ones
  c.Cancel(4711);
}

TEST(Matching, GivesATaskToAHalfOpenPollerAndTakesItBackByTimeOut) {
  Client c;
  c.SendWorkflowPoll("q", "frozen");  // answered into nowhere
  c.Start("wf");
  const std::uint64_t alive = c.SendWorkflowPoll("q", "alive");
  EXPECT_FALSE(c.Answered(alive));
  c.Advance(seconds(10));
  EXPECT_EQ(c.Take<ws::PollWorkflowTaskQueueResponse>(alive).response.attempt(), 2);
}

TEST(Matching, TellsPollersWithTheirLastAccessAndForgetsThem) {
  Client c;
  const std::uint64_t poll = c.SendActivityPoll("q", "w1");
  c.Advance(seconds(5));
  c.SendActivityPoll("q", "w2");
  auto described = DescribeQueue(c, "q", enums::TASK_QUEUE_TYPE_ACTIVITY);
  ASSERT_EQ(described.pollers_size(), 2);
  EXPECT_EQ(described.pollers(0).identity(), "w2");  // latest first
  EXPECT_EQ(FromProto(described.pollers(0).last_access_time()), c.now().wall);
  EXPECT_EQ(FromProto(described.pollers(1).last_access_time()), c.now().wall - seconds(5));
  EXPECT_EQ(DescribeQueue(c).pollers_size(), 0);  // the other kind
  c.Cancel(poll);
  c.Advance(minutes(4));
  EXPECT_EQ(DescribeQueue(c, "q", enums::TASK_QUEUE_TYPE_ACTIVITY).pollers_size(), 2);
  c.Advance(minutes(3));
  EXPECT_EQ(DescribeQueue(c, "q", enums::TASK_QUEUE_TYPE_ACTIVITY).pollers_size(), 0);
}

TEST(Matching, CountsTheBacklogAndItsAge) {
  Client c;
  EXPECT_EQ(DescribeQueue(c).stats().approximate_backlog_count(), 0);
  c.Start("a");
  c.Advance(seconds(3));
  c.Start("b");
  auto stats = DescribeQueue(c).stats();
  EXPECT_EQ(stats.approximate_backlog_count(), 2);
  EXPECT_EQ(stats.approximate_backlog_age().seconds(), 3);
  EXPECT_GT(stats.tasks_add_rate(), 0);
  c.PollTask();
  stats = DescribeQueue(c).stats();
  EXPECT_EQ(stats.approximate_backlog_count(), 1);
  EXPECT_GT(stats.tasks_dispatch_rate(), 0);
}

TEST(Matching, DropsTasksOfClosedWorkflows) {
  Client c;
  c.Start("wf");
  ws::TerminateWorkflowExecutionRequest terminate;
  terminate.set_namespace_("default");
  terminate.mutable_workflow_execution()->set_workflow_id("wf");
  EXPECT_TRUE(
      c.Call<ws::TerminateWorkflowExecutionResponse>("TerminateWorkflowExecution", terminate).ok());
  EXPECT_EQ(DescribeQueue(c).stats().approximate_backlog_count(), 0);
  EXPECT_FALSE(c.Answered(c.SendWorkflowPoll()));
}

TEST(Matching, ShutdownForgetsTheStickyQueueAtOnce) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  c.Cancel(sticky);
  ws::ShutdownWorkerRequest request;
  request.set_namespace_("default");
  request.set_sticky_task_queue("sticky");
  request.set_identity("w");
  EXPECT_TRUE(c.Call<ws::ShutdownWorkerResponse>("ShutdownWorker", request).ok());
  c.Advance(seconds(1));
  EXPECT_EQ(c.PollTask().history().events_size(), 8);  // no sticky time-out in between
}

TEST(Matching, ShutdownTurnsWaitingStickyTasksToTheNormalQueue) {
  Client c;
  c.Start("wf");
  const std::uint64_t sticky = c.SendWorkflowPoll("sticky", "w", "q");
  EXPECT_TRUE(c.Complete(c.PollTask(), {StartTimer("t", seconds(1))}, "sticky").ok());
  c.Cancel(sticky);
  c.Advance(seconds(1));
  const std::uint64_t normal = c.SendWorkflowPoll();
  EXPECT_FALSE(c.Answered(normal));
  ws::ShutdownWorkerRequest request;
  request.set_namespace_("default");
  request.set_sticky_task_queue("sticky");
  EXPECT_TRUE(c.Call<ws::ShutdownWorkerResponse>("ShutdownWorker", request).ok());
  EXPECT_TRUE(c.Answered(normal));
}

TEST(Matching, ShutdownEndsTheWorkersPollsWhereTheServerDoesThat) {
  for (const bool ends : {false, true}) {
    EngineOptions options = TestOptions();
    options.complete_polls_on_shutdown = ends;
    Client c(options);
    ws::PollActivityTaskQueueRequest poll;
    poll.set_namespace_("default");
    poll.mutable_task_queue()->set_name("q");
    poll.set_worker_instance_key("key");
    const std::uint64_t call = c.Send("PollActivityTaskQueue", poll, seconds(70));
    ws::ShutdownWorkerRequest request;
    request.set_namespace_("default");
    request.set_worker_instance_key("key");
    request.set_task_queue("q");
    EXPECT_TRUE(c.Call<ws::ShutdownWorkerResponse>("ShutdownWorker", request).ok());
    EXPECT_EQ(c.Answered(call), ends);
    // A poll that the call overtook is answered too, for half a minute.
    const std::uint64_t late = c.Send("PollActivityTaskQueue", poll, seconds(70));
    EXPECT_EQ(c.Answered(late), ends);
    c.Advance(seconds(30));
    EXPECT_FALSE(c.Answered(c.Send("PollActivityTaskQueue", poll, seconds(70))));
    ws::DescribeNamespaceRequest describe;
    describe.set_namespace_("default");
    EXPECT_EQ(c.Call<ws::DescribeNamespaceResponse>("DescribeNamespace", describe)
                  .response.namespace_info()
                  .capabilities()
                  .worker_poll_complete_on_shutdown(),
              ends);
  }
}

TEST(Matching, KeepsHeartbeatsOfWorkers) {
  Client c;
  ws::RecordWorkerHeartbeatRequest request;
  request.set_namespace_("default");
  request.add_worker_heartbeat()->set_worker_instance_key("key");
  EXPECT_TRUE(c.Call<ws::RecordWorkerHeartbeatResponse>("RecordWorkerHeartbeat", request).ok());
  ws::DescribeWorkerRequest describe;
  describe.set_namespace_("default");
  describe.set_worker_instance_key("key");
  EXPECT_TRUE(c.Call<ws::DescribeWorkerResponse>("DescribeWorker", describe).ok());
  describe.set_worker_instance_key("other");
  EXPECT_EQ(c.Call<ws::DescribeWorkerResponse>("DescribeWorker", describe).status.code, 5);
  ws::ListWorkersRequest list;
  list.set_namespace_("default");
  EXPECT_EQ(c.Call<ws::ListWorkersResponse>("ListWorkers", list).response.workers_info_size(), 1);
}

TEST(Matching, JournalsPollersAndCalls) {
  Client c;
  const std::uint64_t poll = c.SendWorkflowPoll("q", "w");
  c.Cancel(poll);
  const auto pollers = c.sink.Of<journal::PollerEvent>();
  ASSERT_EQ(pollers.size(), 2u);
  EXPECT_EQ(pollers[0].what, "arrived");
  EXPECT_EQ(pollers[0].count, 1u);
  EXPECT_EQ(pollers[0].ns, "default");
  EXPECT_EQ(pollers[0].task_type, "workflow");
  EXPECT_EQ(pollers[1].what, "left");
  EXPECT_EQ(pollers[1].count, 0u);
  EXPECT_EQ(c.sink.Of<journal::RpcEvent>("cancelled").size(), 1u);
  EXPECT_EQ(c.sink.Of<journal::RpcEvent>("received").at(0).task_queue, "q");
  EXPECT_EQ(c.sink.sources.at(0), "server:temporal");
}

}  // namespace
}  // namespace squall::fakes::engine
