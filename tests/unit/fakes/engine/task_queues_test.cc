// Task queues beyond first come, first served: priorities, rate limits, advice to pollers,
// configuration; and workers as they tell of themselves.

#include <gmock/gmock.h>

#include "fakes/engine/worker_query.h"
#include "tests/unit/fakes/engine/versioned.h"

namespace squall::fakes::engine {
namespace {

TEST(TaskQueues, ServeByPriority) {
  Client c;
  for (const int priority : {0, 5, 1, 2}) {
    auto request = Client::StartRequest("p" + std::to_string(priority));
    if (priority != 0) request.mutable_priority()->set_priority_key(priority);
    EXPECT_EQ(c.Start(request).status.message, "");
  }
  for (const char* expected : {"p1", "p2", "p0", "p5"})
    EXPECT_EQ(c.PollTask().workflow_execution().workflow_id(), expected);
}

// Starts workflows whose tasks wait; "a3" is the third of the key a.
void StartOfKey(Client& c, const std::string& key, int count, float weight = 0) {
  for (int i = 1; i <= count; ++i) {
    auto request = Client::StartRequest(key + std::to_string(i));
    request.mutable_priority()->set_fairness_key(key);
    request.mutable_priority()->set_fairness_weight(weight);
    EXPECT_EQ(c.Start(request).status.message, "");
  }
}

std::string Served(Client& c, int count) {
  std::string order;
  for (int i = 0; i < count; ++i)
    order += (order.empty() ? "" : " ") + c.PollTask().workflow_execution().workflow_id();
  return order;
}

EngineOptions Fair() {
  EngineOptions options = TestOptions();
  options.fairness = true;
  return options;
}

TEST(TaskQueues, ServeInOrderOfArrivalUnlessTheyAreFair) {
  Client c;
  StartOfKey(c, "a", 3);
  StartOfKey(c, "b", 1);
  EXPECT_EQ(Served(c, 4), "a1 a2 a3 b1");
}

TEST(TaskQueues, FairOnesLetTheKeysTakeTurns) {
  Client c(Fair());
  StartOfKey(c, "a", 4);
  StartOfKey(c, "b", 2);
  EXPECT_EQ(Served(c, 3), "a1 b1 a2");
  StartOfKey(c, "c", 1);  // its turn is now: behind what has been served
  EXPECT_EQ(Served(c, 4), "b2 c1 a3 a4");
}

TEST(TaskQueues, FairOnesHonourWeights) {
  Client c(Fair());
  StartOfKey(c, "a", 3);
  StartOfKey(c, "b", 4, 2);  // two of its tasks for one of the others'
  EXPECT_EQ(Served(c, 7), "b1 a1 b2 b3 a2 b4 a3");
}

TEST(TaskQueues, FairOnesHonourTheWeightsOfTheirConfiguration) {
  Client c(Fair());
  ws::UpdateTaskQueueConfigRequest request;
  request.set_namespace_("default");
  request.set_task_queue("q");
  request.set_task_queue_type(enums::TASK_QUEUE_TYPE_WORKFLOW);
  (*request.mutable_set_fairness_weight_overrides())["b"] = 2;
  c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", request);
  StartOfKey(c, "a", 3);
  StartOfKey(c, "b", 4, 0.1F);
  EXPECT_EQ(Served(c, 7), "b1 a1 b2 b3 a2 b4 a3");
}

TEST(TaskQueues, ATaskThatMeetsAPollTakesNoTurn) {
  Client c(Fair());
  const auto poll = c.SendWorkflowPoll();
  StartOfKey(c, "a", 1);
  EXPECT_TRUE(c.Answered(poll));
  c.Take<ws::PollWorkflowTaskQueueResponse>(poll);
  auto second = Client::StartRequest("a2");
  second.mutable_priority()->set_fairness_key("a");
  c.Start(second);
  StartOfKey(c, "b", 1);
  EXPECT_EQ(Served(c, 2), "a2 b1") << "both are the first of their keys that wait";
}

ws::UpdateTaskQueueConfigRequest Limit(float rate) {
  ws::UpdateTaskQueueConfigRequest request;
  request.set_namespace_("default");
  request.set_task_queue("q");
  request.set_task_queue_type(enums::TASK_QUEUE_TYPE_ACTIVITY);
  request.set_identity("op");
  request.mutable_update_queue_rate_limit()->mutable_rate_limit()->set_requests_per_second(rate);
  request.mutable_update_queue_rate_limit()->set_reason("slow");
  return request;
}

TEST(TaskQueues, HonourTheirRateLimit) {
  Client c;
  EXPECT_EQ(
      c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", Limit(1)).status.message,
      "");
  c.Start("wf");
  c.Step({Schedule("a"), Schedule("b"), Schedule("c"), Schedule("d")});
  int served = 0;
  const auto poll = [&] {
    const auto call = c.SendActivityPoll();
    if (c.Answered(call)) {
      c.Take<ws::PollActivityTaskQueueResponse>(call);
      ++served;
      return true;
    }
    return false;
  };
  while (poll()) continue;
  EXPECT_LE(served, 2);  // a second's worth
  EXPECT_GE(served, 1);
  const auto held = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(held));
  c.Advance(seconds(2));
  EXPECT_TRUE(c.Answered(held));
  // 0 pauses the queue.
  c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", Limit(0));
  c.Signal("wf", "s");
  c.Step({Schedule("e")});
  const auto paused = c.SendActivityPoll();
  c.Advance(seconds(20));
  EXPECT_FALSE(c.Answered(paused));
}

TEST(TaskQueues, TellTheirConfiguration) {
  Client c;
  auto request = Limit(7);
  (*request.mutable_set_fairness_weight_overrides())["vip"] = 3;
  const auto reply =
      c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", request).response;
  EXPECT_EQ(reply.config().queue_rate_limit().metadata().update_identity(), "op");
  ws::DescribeTaskQueueRequest describe;
  describe.set_namespace_("default");
  describe.mutable_task_queue()->set_name("q");
  describe.set_task_queue_type(enums::TASK_QUEUE_TYPE_ACTIVITY);
  describe.set_report_config(true);
  auto told = c.Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", describe).response;
  EXPECT_EQ(told.effective_rate_limit().requests_per_second(), 7);
  EXPECT_EQ(told.effective_rate_limit().rate_limit_source(), enums::RATE_LIMIT_SOURCE_API);
  EXPECT_EQ(told.config().fairness_weight_overrides().at("vip"), 3);
  ws::UpdateTaskQueueConfigRequest unset = request;
  unset.clear_set_fairness_weight_overrides();
  unset.mutable_update_queue_rate_limit()->clear_rate_limit();
  unset.add_unset_fairness_weight_overrides("vip");
  c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", unset);
  told = c.Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", describe).response;
  EXPECT_EQ(told.effective_rate_limit().rate_limit_source(), enums::RATE_LIMIT_SOURCE_SYSTEM);
  EXPECT_TRUE(told.config().fairness_weight_overrides().empty());
}

TEST(TaskQueues, RefuseConfigurations) {
  Client c;
  const auto refusal = [&](const ws::UpdateTaskQueueConfigRequest& request) {
    return c.Call<ws::UpdateTaskQueueConfigResponse>("UpdateTaskQueueConfig", request)
        .status.message;
  };
  auto request = Limit(-1);
  EXPECT_EQ(refusal(request),
            "RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative.");
  request = Limit(1);
  request.set_task_queue_type(enums::TASK_QUEUE_TYPE_WORKFLOW);
  EXPECT_EQ(refusal(request), "Setting rate limit on workflow task queues is not allowed.");
  request = Limit(1);
  request.add_unset_fairness_weight_overrides("a");
  (*request.mutable_set_fairness_weight_overrides())["a"] = 1;
  EXPECT_EQ(refusal(request),
            "fairness weight override key \"a\" present in both set and unset lists");
  (*request.mutable_set_fairness_weight_overrides())["a"] = 0;
  EXPECT_EQ(refusal(request),
            "invalid fairness weight weight for key \"a\": must be greater than zero");
}

TEST(TaskQueues, AdviseFewerPollersAfterIdleWaitsAndMoreOverABacklog) {
  Client c;
  const auto idle = c.SendWorkflowPoll();
  c.Advance(seconds(1));
  for (int i = 0; i < 5; ++i) c.Start("wf" + std::to_string(i));
  EXPECT_EQ(c.Take<ws::PollWorkflowTaskQueueResponse>(idle)
                .response.poller_scaling_decision()
                .poll_request_delta_suggestion(),
            -1);
  c.Advance(milliseconds(300));
  EXPECT_EQ(c.PollTask().poller_scaling_decision().poll_request_delta_suggestion(), 1);
  EXPECT_FALSE(c.PollTask().has_poller_scaling_decision());  // not again at once
}

TEST(TaskQueues, TellVersionsApart) {
  Versioned c;
  c.Poll("1");
  c.Register("2");
  c.SetCurrent("2");
  c.Start("wf");
  ws::DescribeTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name("q");
  auto told = c.Client::Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", request).response;
  EXPECT_EQ(told.versioning_info().current_version(), "d.2");
  EXPECT_EQ(told.pollers_size(), 2);
  request.set_api_mode(enums::DESCRIBE_TASK_QUEUE_MODE_ENHANCED);
  request.mutable_versions()->set_all_active(true);
  request.set_report_stats(true);
  request.set_report_pollers(true);
  request.add_task_queue_types(enums::TASK_QUEUE_TYPE_WORKFLOW);
  told = c.Client::Call<ws::DescribeTaskQueueResponse>("DescribeTaskQueue", request).response;
  const auto waiting = [&](const char* build) {
    return told.versions_info().at(build).types_info().at(1).stats().approximate_backlog_count();
  };
  EXPECT_EQ(waiting("d:2"), 1);
  EXPECT_EQ(waiting("d:1"), 0);
  EXPECT_EQ(waiting(""), 0);
  EXPECT_EQ(told.versions_info().at("d:1").types_info().at(1).pollers_size(), 1);
}

workerpb::WorkerHeartbeat Heartbeat(const std::string& key, const std::string& queue = "q") {
  workerpb::WorkerHeartbeat heartbeat;
  heartbeat.set_worker_instance_key(key);
  heartbeat.set_task_queue(queue);
  heartbeat.set_sdk_name("squall");
  heartbeat.set_status(enums::WORKER_STATUS_RUNNING);
  heartbeat.mutable_host_info()->set_host_name("host-" + key);
  heartbeat.mutable_start_time()->set_seconds(1700000000);
  return heartbeat;
}

void Record(Client& c, const workerpb::WorkerHeartbeat& heartbeat) {
  ws::RecordWorkerHeartbeatRequest request;
  request.set_namespace_("default");
  *request.add_worker_heartbeat() = heartbeat;
  EXPECT_TRUE(c.Call<ws::RecordWorkerHeartbeatResponse>("RecordWorkerHeartbeat", request).ok());
}

TEST(Workers, AreListedInPagesAndCounted) {
  Client c;
  for (const char* key : {"c", "a", "b"}) Record(c, Heartbeat(key));
  Record(c, Heartbeat("sys", "temporal-sys-something"));
  ws::ListWorkersRequest request;
  request.set_namespace_("default");
  request.set_page_size(2);
  auto page = c.Call<ws::ListWorkersResponse>("ListWorkers", request).response;
  ASSERT_EQ(page.workers_size(), 2);
  EXPECT_EQ(page.workers(0).worker_instance_key(), "a");
  EXPECT_EQ(page.workers(0).host_name(), "host-a");
  request.set_next_page_token(page.next_page_token());
  page = c.Call<ws::ListWorkersResponse>("ListWorkers", request).response;
  ASSERT_EQ(page.workers_size(), 1);
  EXPECT_EQ(page.next_page_token(), "");
  request.set_next_page_token("nonsense");
  EXPECT_EQ(c.Call<ws::ListWorkersResponse>("ListWorkers", request).status.message,
            "invalid next_page_token");
  ws::CountWorkersRequest count;
  count.set_namespace_("default");
  EXPECT_EQ(c.Call<ws::CountWorkersResponse>("CountWorkers", count).response.count(), 3);
  count.set_include_system_workers(true);
  EXPECT_EQ(c.Call<ws::CountWorkersResponse>("CountWorkers", count).response.count(), 4);
  count.set_query("nonsense here");
  EXPECT_EQ(c.Call<ws::CountWorkersResponse>("CountWorkers", count).status.code, 3);
}

TEST(Workers, AreForgottenWhenTheyShutDownOrFallSilent) {
  Client c;
  auto heartbeat = Heartbeat("a");
  Record(c, heartbeat);
  Record(c, Heartbeat("b"));
  heartbeat.set_status(enums::WORKER_STATUS_SHUTDOWN);
  Record(c, heartbeat);
  ws::DescribeWorkerRequest request;
  request.set_namespace_("default");
  request.set_worker_instance_key("a");
  EXPECT_EQ(c.Call<ws::DescribeWorkerResponse>("DescribeWorker", request).status.message,
            "Worker a not found");
  request.set_worker_instance_key("b");
  EXPECT_TRUE(c.Call<ws::DescribeWorkerResponse>("DescribeWorker", request).ok());
  c.Advance(minutes(6));
  EXPECT_FALSE(c.Call<ws::DescribeWorkerResponse>("DescribeWorker", request).ok());
}

TEST(Workers, AreFoundByQuery) {
  const auto matches = [](const std::string& text) {
    const auto query = WorkerQuery::Parse(text);
    EXPECT_TRUE(query.ok()) << text;
    return query.ok() && query->Matches(Heartbeat("k"));
  };
  for (const char* yes :
       {"", "WorkerInstanceKey=\"k\"", "TaskQueue = 'q' AND SdkName != 'x'",
        "(TaskQueue = 'x' OR HostName starts_with 'host')", "WorkerStatus = 'Running'",
        "status = 'Running'", "StartTime > '2020-01-01T00:00:00Z'", "BuildId IS NULL",
        "StartTime between '2020-01-01T00:00:00Z' and '2030-01-01T00:00:00Z'",
        "TaskQueue not starts_with 'x'"}) {
    EXPECT_TRUE(matches(yes)) << yes;
  }
  for (const char* no : {"TaskQueue = 'x'", "Unknown = 'q'", "TaskQueue > 'a'",
                         "not TaskQueue = 'x'", "HeartbeatTime IS NOT NULL", "TaskQueue"}) {
    EXPECT_FALSE(matches(no)) << no;
  }
  for (const char* bad : {"TaskQueue = ", "= 'q'", "TaskQueue = 'q", "(TaskQueue = 'q'", "a b"})
    EXPECT_FALSE(WorkerQuery::Parse(bad).ok()) << bad;
}

TEST(Workers, HaveNoRemoteConfiguration) {
  Client c;
  EXPECT_EQ(
      c.Call<ws::FetchWorkerConfigResponse>("FetchWorkerConfig", ws::FetchWorkerConfigRequest())
          .status.code,
      12);
  ws::UpdateWorkerConfigRequest request;
  request.set_namespace_("default");
  EXPECT_EQ(c.Call<ws::UpdateWorkerConfigResponse>("UpdateWorkerConfig", request).status.message,
            "WorkerConfig is not set");
  request.mutable_worker_config();
  EXPECT_EQ(c.Call<ws::UpdateWorkerConfigResponse>("UpdateWorkerConfig", request).status.code, 12);
}

}  // namespace
}  // namespace squall::fakes::engine
