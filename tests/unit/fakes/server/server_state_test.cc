// The fake server with a state file, and with time of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/util/rng.h"
#include "fakes/server/fake_server.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

namespace ws = temporal::api::workflowservice::v1;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kWorkflows(kWorkflowService);
constexpr std::int64_t kYearSeconds = 365 * 24 * 3600;

class ServerStateTest : public ::testing::Test {
 protected:
  ServerStateTest()
      : path_(std::filesystem::temp_directory_path() /
              ("squall-state-" + Rng(SeedFromSystem()).Hex(12))) {}
  ~ServerStateTest() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  void Start(FakeServerOptions options) {
    server_.reset();
    auto server = FakeServer::Start(std::move(options));
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  FakeServerOptions WithFile() const {
    FakeServerOptions options;
    options.state_file = {.path = path_};
    return options;
  }

  template <typename Response, typename Request>
  Response Call(SocketClient& client, const std::string& method, const Request& request) {
    const auto answer = client.Call(kWorkflows, method, request.SerializeAsString());
    EXPECT_EQ(answer.status.code, 0) << method << ": " << answer.status.message;
    Response response;
    EXPECT_TRUE(response.ParseFromString(answer.message));
    return response;
  }
  std::string StartWorkflow(const std::string& id, std::int64_t delay_seconds = 0) {
    SocketClient client(server_->port());
    ws::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.set_request_id(id);
    request.mutable_workflow_type()->set_name("Ping");
    request.mutable_task_queue()->set_name("q");
    if (delay_seconds > 0) request.mutable_workflow_start_delay()->set_seconds(delay_seconds);
    return Call<ws::StartWorkflowExecutionResponse>(client, "StartWorkflowExecution", request)
        .run_id();
  }
  static ws::PollWorkflowTaskQueueRequest PollRequest() {
    ws::PollWorkflowTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name("q");
    return request;
  }
  ws::DescribeWorkflowExecutionResponse Describe(const std::string& id) {
    SocketClient client(server_->port());
    ws::DescribeWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.mutable_execution()->set_workflow_id(id);
    return Call<ws::DescribeWorkflowExecutionResponse>(client, "DescribeWorkflowExecution",
                                                       request);
  }

  const std::string path_;
  std::unique_ptr<FakeServer> server_;
};

TEST_F(ServerStateTest, WorkflowsOutliveTheServer) {
  Start(WithFile());
  const std::string run = StartWorkflow("wf");
  Start(WithFile());
  EXPECT_EQ(server_->state_report().inputs, 1u);
  EXPECT_EQ(Describe("wf").workflow_execution_info().execution().run_id(), run);
  SocketClient worker(server_->port());
  const auto task =
      Call<ws::PollWorkflowTaskQueueResponse>(worker, "PollWorkflowTaskQueue", PollRequest());
  EXPECT_EQ(task.workflow_execution().run_id(), run);
  auto reset = WithFile();
  reset.state_file->reset = true;
  Start(std::move(reset));
  server_->WithEngine([](Engine& engine, Moment) { EXPECT_EQ(engine.open_workflows(), 0u); });
}

TEST_F(ServerStateTest, TwoServersCannotShareAFile) {
  Start(WithFile());
  EXPECT_THAT(FakeServer::Start(WithFile()).status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("another server uses it")));
}

TEST_F(ServerStateTest, TheJournalOfTheNextServerTellsNothingTwice) {
  Start(WithFile());
  StartWorkflow("old");
  RealClock clock;
  journal::Journal journal(clock);
  auto options = WithFile();
  options.journal = &journal;
  Start(std::move(options));
  StartWorkflow("new");
  server_.reset();
  std::vector<std::string> ids;
  for (const journal::Event& event : journal.Events()) {
    if (const auto* workflow = event.As<journal::WorkflowEvent>()) {
      ids.push_back(workflow->workflow_id);
    }
    if (const auto* rpc = event.As<journal::RpcEvent>()) {
      EXPECT_NE(rpc->workflow_id, "old");
    }
  }
  EXPECT_EQ(ids, std::vector<std::string>{"new"});
}

TEST_F(ServerStateTest, WhatCannotBeWrittenIsNotAnswered) {
  auto options = WithFile();
  options.state_file->path = "/dev/full";
  EXPECT_THAT(FakeServer::Start(std::move(options)).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("/dev/full")));
}

TEST_F(ServerStateTest, ManualTimeStandsUntilItIsMoved) {
  FakeServerOptions options;
  options.time = TimeMode::kManual;
  Start(std::move(options));
  const Moment before = server_->Now();
  StartWorkflow("wf", 60);
  SocketClient worker(server_->port());
  const auto poll =
      worker.Begin(kWorkflows, "PollWorkflowTaskQueue", PollRequest().SerializeAsString());
  worker.Call(kWorkflows, "GetSystemInfo", "");  // answered after the poll has come
  EXPECT_EQ(Describe("wf").workflow_execution_info().history_length(), 1);
  EXPECT_FALSE(poll->done);
  server_->AdvanceTime(59s);
  EXPECT_EQ(Describe("wf").workflow_execution_info().history_length(), 1);
  server_->AdvanceTime(1s);
  ASSERT_TRUE(worker.Until([&] { return poll->done; }));
  EXPECT_NE(poll->response.message, "");
  EXPECT_EQ(server_->Now().wall, before.wall + 60s);
  EXPECT_EQ(server_->Now().steady, before.steady + 60s);
}

TEST_F(ServerStateTest, AHeldPollComesBackEmptyWhenTimeMovesPastIt) {
  FakeServerOptions options;
  options.time = TimeMode::kManual;
  Start(std::move(options));
  SocketClient worker(server_->port());
  const auto poll =
      worker.Begin(kWorkflows, "PollWorkflowTaskQueue", PollRequest().SerializeAsString());
  worker.Call(kWorkflows, "GetSystemInfo", "");  // answered after the poll has come
  server_->AdvanceTime(24h);
  ASSERT_TRUE(worker.Until([&] { return poll->done; }));
  EXPECT_EQ(poll->response.status.code, 0);
  EXPECT_EQ(poll->response.message, "");
}

TEST_F(ServerStateTest, SkippingTimeTakesAYearInNoTime) {
  auto options = WithFile();
  options.time = TimeMode::kSkipping;
  Start(options);
  const WallTime before = server_->Now().wall;
  StartWorkflow("wf", kYearSeconds);
  SocketClient worker(server_->port());
  const auto task =
      Call<ws::PollWorkflowTaskQueueResponse>(worker, "PollWorkflowTaskQueue", PollRequest());
  ASSERT_EQ(task.workflow_execution().workflow_id(), "wf");
  EXPECT_GE(server_->Now().wall, before + std::chrono::seconds(kYearSeconds));
  // The task is in work: the next delay is not skipped.
  StartWorkflow("other", kYearSeconds);
  EXPECT_LT(server_->Now().wall, before + std::chrono::seconds(kYearSeconds) + 24h);
  // A restart does not turn time back.
  Start(options);
  EXPECT_GE(server_->Now().wall, before + std::chrono::seconds(kYearSeconds));
}

}  // namespace
}  // namespace squall::fakes
