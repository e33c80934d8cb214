// One workflow with one activity from start to end, and what the server tells about itself.

#include <gmock/gmock.h>

#include "health/v1/health.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

TEST(Server, RunsAWorkflowWithAnActivity) {
  Client c;
  c.Start("wf");
  auto task = c.PollTask();
  EXPECT_EQ(task.started_event_id(), 3);
  EXPECT_EQ(task.previous_started_event_id(), 0);
  EXPECT_EQ(task.attempt(), 1);
  EXPECT_EQ(task.history().events_size(), 3);
  EXPECT_EQ(c.Complete(task, {Schedule("1")}, "sticky").status.message, "");
  const auto activity = c.PollActivity();
  EXPECT_EQ(activity.activity_id(), "1");
  EXPECT_EQ(activity.attempt(), 1);
  EXPECT_EQ(activity.workflow_execution().workflow_id(), "wf");
  EXPECT_EQ(c.CompleteActivity(activity.task_token()).status.message, "");
  task = c.PollTask();
  EXPECT_EQ(task.previous_started_event_id(), 3);
  EXPECT_EQ(c.Complete(task, {CompleteWorkflow("\"pong\"")}).status.message, "");
  EXPECT_THAT(
      c.EventNames("wf"),
      ElementsAre("WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_COMPLETED", "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED",
                  "ACTIVITY_TASK_COMPLETED", "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED",
                  "WORKFLOW_TASK_COMPLETED", "WORKFLOW_EXECUTION_COMPLETED"));
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  EXPECT_EQ(c.engine.open_workflows(), 0u);
  const auto completed = c.sink.Of<journal::WorkflowEvent>("completed");
  ASSERT_EQ(completed.size(), 1u);
  EXPECT_EQ(completed[0].result, "\"pong\"");
}

TEST(Server, TellsOnlyWhatItCan) {
  Client c;
  const auto info = c.Call<ws::GetSystemInfoResponse>("GetSystemInfo", ws::GetSystemInfoRequest());
  EXPECT_EQ(info.response.server_version(), "1.32.0");
  EXPECT_TRUE(info.response.capabilities().signal_and_query_header());
  EXPECT_TRUE(info.response.capabilities().encoded_failure_attributes());
  EXPECT_TRUE(info.response.capabilities().supports_schedules());
  EXPECT_TRUE(info.response.capabilities().nexus());
  EXPECT_TRUE(info.response.capabilities().build_id_based_versioning());
  const auto cluster =
      c.Call<ws::GetClusterInfoResponse>("GetClusterInfo", ws::GetClusterInfoRequest());
  EXPECT_EQ(cluster.response.cluster_name(), "active");
}

TEST(Server, AnswersHealthChecks) {
  Client c;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(std::string(kWorkflowService));
  auto health = c.Call<grpc::health::v1::HealthCheckResponse>("Check", request, kHealthService);
  EXPECT_EQ(health.response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  request.set_service("nobody");
  health = c.Call<grpc::health::v1::HealthCheckResponse>("Check", request, kHealthService);
  EXPECT_EQ(health.status.code, 5);
  EXPECT_EQ(health.status.message, "unknown service");
}

TEST(Server, RefusesWhatItDoesNotHave) {
  Client c;
  auto reply =
      c.Call<ws::CreateScheduleResponse>("Watch", ws::CreateScheduleRequest(), kHealthService);
  EXPECT_EQ(reply.status.code, 12);
  EXPECT_EQ(reply.status.message,
            "squall fake server: Watch is not implemented: a stream: answered by the front end");
  reply = c.Call<ws::CreateScheduleResponse>("Brew", ws::CreateScheduleRequest());
  EXPECT_EQ(reply.status.code, 12);
  EXPECT_EQ(reply.status.message,
            "unknown method Brew for service temporal.api.workflowservice.v1.WorkflowService");
  reply = c.Call<ws::CreateScheduleResponse>("Brew", ws::CreateScheduleRequest(), "coffee.Maker");
  EXPECT_EQ(reply.status.message, "unknown service coffee.Maker");
}

TEST(Server, DeclaresEveryRpcOnce) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const RpcSupport& entry : Engine::SupportTable()) {
    EXPECT_TRUE(seen.emplace(entry.service, entry.method).second) << entry.method;
    if (entry.note.starts_with("answers UNIMPLEMENTED, as the real server")) continue;
    EXPECT_EQ(entry.level == RpcSupport::Level::kFull, entry.note.empty()) << entry.method;
  }
  EXPECT_GT(seen.size(), 100u);
}

TEST(Server, RefusesBytesThatAreNoMessage) {
  Client c;
  c.engine.Call(c.now(), 1000,
                {.service = std::string(kWorkflowService),
                 .method = "StartWorkflowExecution",
                 .message = "\xff\xff\xff"});
  c.Collect();
  EXPECT_EQ(c.Take<ws::StartWorkflowExecutionResponse>(1000).status.code, 13);
}

TEST(Server, RepeatsItselfForTheSameSeed) {
  const auto run = [](std::uint64_t seed) {
    EngineOptions options = TestOptions();
    options.seed = seed;
    Client c(options);
    c.Start("wf");
    const auto task = c.PollTask();
    return task.SerializeAsString();
  };
  EXPECT_EQ(run(7).size(), run(7).size());
  Client a, b;
  EXPECT_EQ(a.Start("wf"), b.Start("wf"));
  EngineOptions other = TestOptions();
  other.seed = 2;
  Client d(other);
  EXPECT_NE(a.Start("x"), d.Start("x"));
}

TEST(Server, HookRefusesCallsAndNamesTheFault) {
  Client c;
  c.engine.SetFaultId("f1");
  c.engine.SetRpcHook([](const RpcRequest& request) -> std::optional<RpcStatus> {
    if (request.method != "StartWorkflowExecution") return std::nullopt;
    return RpcStatus{.code = 7, .message = "no"};
  });
  const auto reply = c.Start(Client::StartRequest("wf"));
  EXPECT_EQ(reply.status.code, 7);
  EXPECT_EQ(reply.status.message, "no");
  const auto answered = c.sink.Of<journal::RpcEvent>("answered");
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_EQ(answered[0].fault_id, "f1");
  EXPECT_EQ(answered[0].code, 7);
  EXPECT_EQ(answered[0].workflow_id, "wf");
  c.engine.SetRpcHook(nullptr);
  EXPECT_TRUE(c.Start(Client::StartRequest("wf")).ok());
}

TEST(Server, RestartWithDataKeepsWorkflowsAndDropsCalls) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  const std::uint64_t held = c.SendWorkflowPoll();
  EXPECT_EQ(c.engine.held_calls(), 1u);
  c.engine.Restart(c.now(), true);
  c.Collect();
  EXPECT_EQ(c.engine.held_calls(), 0u);
  EXPECT_FALSE(c.Answered(held));
  EXPECT_EQ(c.Complete(task, {CompleteWorkflow()}).status.message, "");
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
}

TEST(Server, RestartWithDataFiresWhatBecameDue) {
  Client c;
  c.Start("wf");
  c.Step({StartTimer("t", seconds(5))});
  c.clock.Advance(minutes(1));  // nobody calls the engine: the server is down
  c.engine.Restart(c.now(), true);
  c.Collect();
  EXPECT_EQ(c.PollTask().history().events_size(), 8);
}

TEST(Server, RestartFiresADeadlineOnceHoweverLongItWasDown) {
  Client c;
  c.Start("wf");
  c.PollTask();
  c.clock.Advance(minutes(5));  // thirty workflow task time-outs long
  c.engine.Restart(c.now(), true);
  c.Collect();
  const auto task = c.PollTask();
  EXPECT_EQ(task.attempt(), 2);
  EXPECT_EQ(FromProto(c.LastEvent("wf").event_time()), c.now().wall);
}

TEST(Server, RestartWithoutDataForgetsAll) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  c.engine.Restart(c.now(), false);
  c.Collect();
  ws::DescribeWorkflowExecutionRequest describe;
  describe.set_namespace_("default");
  describe.mutable_execution()->set_workflow_id("wf");
  const auto gone =
      c.Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", describe);
  EXPECT_EQ(gone.status.code, 5);
  EXPECT_EQ(gone.status.message, "workflow not found for ID: wf");
  EXPECT_EQ(c.Complete(task, {CompleteWorkflow()}).status.code, 5);
  EXPECT_EQ(c.engine.NextDeadline(), std::nullopt);
  c.Start("wf");
}

}  // namespace
}  // namespace squall::fakes::engine
