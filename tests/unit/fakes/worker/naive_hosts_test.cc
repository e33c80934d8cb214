#include "fakes/worker/naive_hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fakes/worker/fake_factory.h"

namespace squall::fakes {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

class NaiveHostsTest : public ::testing::Test {
 protected:
  Host::Environment MakeEnvironment() {
    return {executor_, factory_,
            [this](const journal::WorkerEvent& event) { words_.push_back(event.what); },
            [this](int code) { exit_code_ = code; }};
  }
  void CloseWorkflow() {
    world_.listeners.begin()->second->OnWorkflowClosed(core::WorkflowInfo(), "completed");
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  testing::World world_;
  testing::FakeFactory factory_{world_, executor_};
  std::vector<std::string> words_;
  std::optional<int> exit_code_;
};

TEST_F(NaiveHostsTest, SingleHostRunsUntilItIsAsked) {
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.Advance(seconds(1000));
  EXPECT_EQ(exit_code_, std::nullopt);
  host.Stop();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 0);
  EXPECT_THAT(words_, ElementsAre("connecting", "connected", "started", "polling", "stopping"));
}

TEST_F(NaiveHostsTest, SingleHostThatIsCancelledFromInsideEndsThoughNobodyAsked) {
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.RunReady();
  host.Cancel();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 1);
  EXPECT_THAT(words_, ElementsAre("connecting", "connected", "started", "polling", "stopping"));
}

TEST_F(NaiveHostsTest, SingleHostDiesWithoutAServer) {
  world_.connect = Status(StatusCode::kUnavailable, "refused");
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 3);
  EXPECT_THAT(words_, ElementsAre("connecting", "fatal"));
}

TEST_F(NaiveHostsTest, SingleHostDiesWithoutItsNamespace) {
  world_.validate = Status(StatusCode::kNotFound, "Namespace nope is not found.");
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 3);
}

TEST_F(NaiveHostsTest, SingleHostEndsWithAFatalWorker) {
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.RunReady();
  core::WorkerRunner::Listener& listener = *world_.listeners.at(1);
  listener.OnFatal(Status(StatusCode::kPermissionDenied, "no"));
  listener.OnStopping();
  listener.OnStopped(Status(StatusCode::kPermissionDenied, "no"));
  EXPECT_EQ(exit_code_, 1);
  EXPECT_EQ(words_.back(), "stopping");
}

TEST_F(NaiveHostsTest, SingleHostStopsWhileConnecting) {
  world_.connect_silent = true;
  SingleHost host(MakeEnvironment());
  host.Start();
  executor_.RunReady();
  host.Stop();
  EXPECT_EQ(exit_code_, 0);
  EXPECT_EQ(world_.cancelled_connects, 1);
}

TEST_F(NaiveHostsTest, CancellingHostLeavesAfterTheFirstWorkflow) {
  CancellingHost host(MakeEnvironment(), {.after_workflows = 1, .exit_code = 0});
  host.Start();
  executor_.Advance(seconds(1000));
  EXPECT_EQ(exit_code_, std::nullopt);
  CloseWorkflow();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 0);
  EXPECT_EQ(words_.back(), "stopping");
}

TEST_F(NaiveHostsTest, CancellingHostLeavesAtOnceWithOne) {
  CancellingHost host(MakeEnvironment(), {.after_workflows = 0, .exit_code = 1});
  host.Start();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 1);
}

TEST_F(NaiveHostsTest, SharedClientTakesTheWorkerDown) {
  SharedClientHost host(MakeEnvironment(),
                        {.shared = true, .exit_code = 1, .workflow_id = "ping", .task_queue = "q"});
  host.Start();
  executor_.RunReady();
  ASSERT_EQ(world_.running_workflows.size(), 1U);
  EXPECT_EQ(world_.connections, 1);
  world_.running_workflows.front()(absl::OkStatus());
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 1);
  EXPECT_EQ(world_.connections, 0);
}

TEST_F(NaiveHostsTest, AClientOfItsOwnLeavesTheWorkerAlone) {
  SharedClientHost host(
      MakeEnvironment(),
      {.shared = false, .exit_code = 1, .workflow_id = "ping", .task_queue = "q"});
  host.Start();
  executor_.RunReady();
  ASSERT_EQ(world_.running_workflows.size(), 1U);
  EXPECT_EQ(world_.connections, 2);
  world_.running_workflows.front()(absl::OkStatus());
  executor_.Advance(seconds(1000));
  EXPECT_EQ(exit_code_, std::nullopt);
  EXPECT_EQ(world_.connections, 1);
  EXPECT_EQ(world_.workers_polling, 1);
}

}  // namespace
}  // namespace squall::fakes
