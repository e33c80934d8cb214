// The poll loops and the order of a worker's shutdown, against a port that answers when the test
// says so.

#include "core/worker/worker_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/activations.h"

namespace squall::core {
namespace {

using ::squall::testing::Activate;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct PortState {
  std::deque<std::function<void(WorkflowPoll)>> workflow_polls;
  std::deque<std::function<void(ActivityPoll)>> activity_polls;
  std::deque<std::function<void(Status)>> completions;
  std::vector<std::string> log;
  std::function<void(Status)> finalized;
};

class FakePort final : public WorkerPort {
 public:
  explicit FakePort(std::shared_ptr<PortState> state) : state_(std::move(state)) {}
  void PollWorkflowActivation(std::function<void(WorkflowPoll)> callback) override {
    state_->workflow_polls.push_back(std::move(callback));
  }
  void PollActivityTask(std::function<void(ActivityPoll)> callback) override {
    state_->activity_polls.push_back(std::move(callback));
  }
  void CompleteWorkflowActivation(const ActivationCompletion& completion,
                                  std::function<void(Status)> callback) override {
    for (const std::string& command : testing::Commands(completion)) state_->log.push_back(command);
    state_->completions.push_back(std::move(callback));
  }
  void CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion,
                            std::function<void(Status)> callback) override {
    state_->log.push_back("activity " + completion.task_token());
    state_->completions.push_back(std::move(callback));
  }
  Status RecordActivityHeartbeat(const coresdk::ActivityHeartbeat&) override {
    return absl::OkStatus();
  }
  void InitiateShutdown() override { state_->log.push_back("initiate shutdown"); }
  void FinalizeShutdown(std::function<void(Status)> callback) override {
    state_->log.push_back("finalize shutdown");
    state_->finalized = std::move(callback);
  }

 private:
  std::shared_ptr<PortState> state_;
};

class RecordingListener final : public WorkerRunner::Listener {
 public:
  void OnPolling(const std::string& types) override { log.push_back("polling " + types); }
  void OnTask(const std::string& kind, const std::string& type, const std::string& id) override {
    log.push_back("task " + kind + " " + type + " " + id);
  }
  void OnWorkflowClosed(const WorkflowInfo& info, const std::string& outcome) override {
    log.push_back(info.workflow_id + " " + outcome);
  }
  void OnWarning(const std::string& message) override { log.push_back("warning " + message); }
  void OnFatal(const Status& status) override {
    log.push_back("fatal " + std::string(Message(status)));
  }
  void OnStopping() override { log.push_back("stopping"); }
  void OnStopped(const Status& status) override {
    log.push_back("stopped " + std::string(CodeName(status.raw_code())));
  }
  std::vector<std::string> log;
};

class WorkerRunnerTest : public ::testing::Test {
 protected:
  WorkerRunnerTest() {
    registry_.AddWorkflow("Ping", [](WorkflowContext&, int n) -> Task<int> { co_return n; });
    registry_.AddActivity(
        "wait", [](ActivityContext& context) -> Task<void> { co_await context.Wait(seconds(5)); });
    WorkerRunner::Options options;
    options.task_queue = "queue";
    runner_ = std::make_unique<WorkerRunner>(std::make_unique<FakePort>(port_), registry_,
                                             executor_, options, listener_);
    runner_->Start();
  }

  template <typename Queue, typename Answer>
  void AnswerFirst(Queue& queue, Answer answer) {
    ASSERT_FALSE(queue.empty());
    const auto callback = std::move(queue.front());
    queue.pop_front();
    callback(std::move(answer));
    executor_.RunReady();
  }
  void GiveWorkflow(const Activation& activation) {
    AnswerFirst(port_->workflow_polls, WorkflowPoll(activation));
  }
  void EndWorkflowPoll() {
    AnswerFirst(port_->workflow_polls, WorkflowPoll(WorkflowPoll::ShutDown()));
  }
  void EndActivityPoll() {
    AnswerFirst(port_->activity_polls, ActivityPoll(ActivityPoll::ShutDown()));
  }
  void GiveActivity(const std::string& token) {
    coresdk::activity_task::ActivityTask task;
    task.set_task_token(token);
    task.mutable_start()->set_activity_type("wait");
    task.mutable_start()->mutable_workflow_execution()->set_workflow_id("wf-2");
    AnswerFirst(port_->activity_polls, ActivityPoll(task));
  }
  void TakeCompletion(const Status& status = absl::OkStatus()) {
    AnswerFirst(port_->completions, status);
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  Registry registry_;
  RecordingListener listener_;
  std::shared_ptr<PortState> port_ = std::make_shared<PortState>();
  std::unique_ptr<WorkerRunner> runner_;
};

TEST_F(WorkerRunnerTest, PollsOnAtOnceAndCompletes) {
  EXPECT_EQ(port_->workflow_polls.size(), 1U);
  EXPECT_EQ(port_->activity_polls.size(), 1U);
  GiveWorkflow(Activate("r1").Init("Ping", 7));
  GiveWorkflow(Activate("r2").Init("Ping", 8));
  EXPECT_EQ(port_->workflow_polls.size(), 1U);
  EXPECT_THAT(port_->log, ElementsAre("complete 7", "complete 8"));
  EXPECT_THAT(listener_.log,
              ElementsAre("polling workflow,activity", "task workflow Ping wf-1", "wf-1 completed",
                          "task workflow Ping wf-1", "wf-1 completed"));
}

TEST_F(WorkerRunnerTest, ShutdownWaitsForPollsActivitiesAndCompletions) {
  GiveActivity("a");
  GiveWorkflow(Activate("r1").Init("Ping", 7));
  runner_->RequestShutdown();
  runner_->RequestShutdown();
  EndWorkflowPoll();
  EndActivityPoll();
  TakeCompletion();
  EXPECT_EQ(runner_->running_activities(), 1U);
  EXPECT_THAT(port_->log, ElementsAre("complete 7", "initiate shutdown"));
  executor_.Advance(seconds(5));
  EXPECT_THAT(port_->log, ElementsAre("complete 7", "initiate shutdown", "activity a"));
  TakeCompletion();
  EXPECT_EQ(port_->log.back(), "finalize shutdown");
  port_->finalized(absl::OkStatus());
  EXPECT_EQ(listener_.log.back(), "stopped OK");
}

TEST_F(WorkerRunnerTest, PollErrorIsFatalAndTheOtherLoopGoesOnToItsEnd) {
  AnswerFirst(port_->workflow_polls, WorkflowPoll(Status(StatusCode::kPermissionDenied, "no")));
  EXPECT_THAT(listener_.log, ElementsAre("polling workflow,activity",
                                         "fatal poll workflow tasks: no", "stopping"));
  EXPECT_EQ(port_->workflow_polls.size(), 1U);
  EndActivityPoll();
  EXPECT_THAT(port_->log, ElementsAre("initiate shutdown"));
  EndWorkflowPoll();
  ASSERT_EQ(port_->log.back(), "finalize shutdown");
  port_->finalized(absl::OkStatus());
  EXPECT_EQ(listener_.log.back(), "stopped PERMISSION_DENIED");
}

TEST_F(WorkerRunnerTest, APollThatOnlyFailsIsGivenUp) {
  EndActivityPoll();
  for (int i = 0; i < 100 && !port_->workflow_polls.empty(); ++i) {
    AnswerFirst(port_->workflow_polls, WorkflowPoll(Status(StatusCode::kInternal, "broken")));
  }
  EXPECT_THAT(port_->workflow_polls, IsEmpty());
  EXPECT_EQ(port_->log.back(), "finalize shutdown");
}

TEST_F(WorkerRunnerTest, RefusedCompletionIsAWarning) {
  GiveWorkflow(Activate("r1").Init("Ping", 7));
  TakeCompletion(Status(StatusCode::kInvalidArgument, "malformed"));
  EXPECT_THAT(listener_.log.back(), HasSubstr("warning workflow completion refused: malformed"));
}

TEST_F(WorkerRunnerTest, FailedWorkflowTaskIsAWarningAndTheRunGoesWithItsEviction) {
  GiveWorkflow(Activate("r1").Init("Pong"));
  EXPECT_THAT(listener_.log.back(), HasSubstr("Workflow type Pong is not registered"));
  GiveWorkflow(Activate("r1").Evict());
  EXPECT_EQ(runner_->cached_workflows(), 0U);
  EXPECT_EQ(port_->completions.size(), 2U);
}

TEST_F(WorkerRunnerTest, NothingIsToldAfterDestruction) {
  GiveActivity("a");
  runner_.reset();
  const std::size_t told = listener_.log.size();
  executor_.Advance(seconds(10));
  EXPECT_EQ(listener_.log.size(), told);
}

}  // namespace
}  // namespace squall::core
