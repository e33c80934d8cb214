// Histories of every built-in workflow, captured from the real server
// (tests/data/histories/README.md), replayed through core's replay worker. Changed code must fail
// the same replay: that core really compares is seen in red.

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/worker/worker_runner.h"
#include "fakes/worker/builtins.h"
#include "tests/support/status_matchers.h"

namespace squall::core {
namespace {

using coresdk::workflow_activation::RemoveFromCache;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Replayed {
  std::vector<RemoveFromCache> evictions;
  std::vector<std::string> warnings;  // failed workflow tasks
  std::string outcome;                // of the last run: completed, ...
  Status stopped;
  bool done = false;
};

// Core's worker, with the evictions seen on their way.
class EvictionPort final : public WorkerPort {
 public:
  EvictionPort(std::unique_ptr<Worker> worker, Replayed& replayed)
      : port_(std::move(worker)), replayed_(replayed) {}
  void PollWorkflowActivation(std::function<void(WorkflowPoll)> callback) override {
    port_.PollWorkflowActivation([this, callback = std::move(callback)](WorkflowPoll poll) {
      bool evicted = false;
      if (poll.is_task()) {
        for (const auto& job : poll.task().jobs()) {
          if (!job.has_remove_from_cache()) continue;
          replayed_.evictions.push_back(job.remove_from_cache());
          evicted = true;
        }
      }
      callback(std::move(poll));
      // Closing is a request of its own; the run's eviction has been answered by now.
      if (evicted) {
        EXPECT_OK(port_.worker().CloseHistories());
      }
    });
  }
  void PollActivityTask(std::function<void(ActivityPoll)> callback) override {
    port_.PollActivityTask(std::move(callback));
  }
  void CompleteWorkflowActivation(const ActivationCompletion& completion,
                                  std::function<void(Status)> callback) override {
    port_.CompleteWorkflowActivation(completion, std::move(callback));
  }
  void CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion,
                            std::function<void(Status)> callback) override {
    port_.CompleteActivityTask(completion, std::move(callback));
  }
  Status RecordActivityHeartbeat(const coresdk::ActivityHeartbeat& heartbeat) override {
    return port_.RecordActivityHeartbeat(heartbeat);
  }
  void InitiateShutdown() override { port_.InitiateShutdown(); }
  void FinalizeShutdown(std::function<void(Status)> callback) override {
    port_.FinalizeShutdown(std::move(callback));
  }

 private:
  CoreWorkerPort port_;
  Replayed& replayed_;
};

class ReplayListener final : public WorkerRunner::Listener {
 public:
  explicit ReplayListener(Replayed& replayed) : replayed_(replayed) {}
  void OnWorkflowClosed(const WorkflowInfo&, const std::string& outcome) override {
    replayed_.outcome = outcome;
  }
  void OnWarning(const std::string& message) override { replayed_.warnings.push_back(message); }
  void OnStopped(const Status& status) override {
    replayed_.stopped = status;
    replayed_.done = true;
  }

 private:
  Replayed& replayed_;
};

ReplayHistory Load(const std::string& name) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const std::filesystem::path path = std::filesystem::path(source != nullptr ? source : ".") /
                                     "tests/data/histories" / (name + ".json");
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  ReplayHistory history;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status =
      google::protobuf::util::JsonStringToMessage(text.str(), &history.history, options);
  EXPECT_TRUE(status.ok()) << path << ": " << status.ToString();
  EXPECT_GT(history.history.events_size(), 0) << path;
  history.workflow_id =
      history.history.events(0).workflow_execution_started_event_attributes().workflow_id();
  return history;
}

class CoreReplayTest : public ::testing::TestWithParam<const char*> {
 protected:
  Replayed Replay(const Registry& registry, const std::string& name) {
    Replayed replayed;
    ManualClock clock;
    ManualExecutor executor(clock);
    RuntimeOptions runtime_options;
    runtime_options.worker_threads = 2;
    auto runtime = Runtime::Create(std::move(runtime_options));
    EXPECT_OK(runtime);
    WorkerOptions options;
    options.task_queue = "q";
    auto worker = Worker::CreateReplay(*runtime, options, executor);
    EXPECT_OK(worker);
    EXPECT_OK((*worker)->PushHistory(Load(name)));
    ReplayListener listener(replayed);
    WorkerRunner::Options runner_options;
    runner_options.task_queue = "q";
    runner_options.activities = false;
    WorkerRunner runner(std::make_unique<EvictionPort>(*std::move(worker), replayed), registry,
                        executor, runner_options, listener);
    runner.Start();
    while (!replayed.done) {
      executor.RunReady();
      if (replayed.done) break;
      if (!executor.WaitForPost(Scaled(seconds(20)))) {
        ADD_FAILURE() << "the replay of " << name << " does not end";
        break;
      }
    }
    return replayed;
  }
};

// What the workflow ended with when it was captured.
std::string CapturedOutcome(const std::string& name) {
  if (name == "cancellable") return "cancelled";
  return name == "loop_first_run" ? "continued" : "completed";
}

TEST_P(CoreReplayTest, ReplaysAsItWasRecorded) {
  Registry registry;
  fakes::RegisterBuiltins(registry);
  const Replayed replayed = Replay(registry, GetParam());
  EXPECT_OK(replayed.stopped);
  EXPECT_THAT(replayed.warnings, IsEmpty());
  EXPECT_EQ(replayed.outcome, CapturedOutcome(GetParam()));
  ASSERT_EQ(replayed.evictions.size(), 1U);
  EXPECT_NE(replayed.evictions[0].reason(), RemoveFromCache::NONDETERMINISM)
      << replayed.evictions[0].message();
  EXPECT_NE(replayed.evictions[0].reason(), RemoveFromCache::LANG_FAIL)
      << replayed.evictions[0].message();
}

INSTANTIATE_TEST_SUITE_P(All, CoreReplayTest,
                         ::testing::Values("ping", "echo", "chain", "timer", "slow", "signal_wait",
                                           "parent", "loop", "loop_first_run", "cancellable"),
                         [](const auto& param) { return std::string(param.param); });

// The mutants: a command of another kind, another activity, one activity more, a timer that is
// missing.
using CoreReplayMutantTest = CoreReplayTest;

void ExpectNondeterminism(const Replayed& replayed) {
  ASSERT_FALSE(replayed.evictions.empty());
  EXPECT_EQ(replayed.evictions[0].reason(), RemoveFromCache::NONDETERMINISM)
      << replayed.evictions[0].message();
  EXPECT_THAT(replayed.evictions[0].message(), HasSubstr("Nondeterminism"));
}

TEST_F(CoreReplayMutantTest, ATimerInsteadOfAnActivity) {
  Registry registry;
  registry.AddWorkflow("Echo", [](WorkflowContext& context, Json x) -> Task<Json> {
    co_await context.Sleep(seconds(1));
    co_return x;
  });
  ExpectNondeterminism(Replay(registry, "echo"));
}

TEST_F(CoreReplayMutantTest, AnotherActivity) {
  Registry registry;
  registry.AddWorkflow("Echo", [](WorkflowContext& context, Json x) -> Task<Json> {
    ActivityOptions options;
    options.start_to_close_timeout = seconds(30);
    co_return co_await context.ExecuteActivity<Json>("ecko", x, options);
  });
  ExpectNondeterminism(Replay(registry, "echo"));
}

TEST_F(CoreReplayMutantTest, OneActivityMore) {
  Registry registry;
  registry.AddWorkflow("Ping", [](WorkflowContext& context, Json x) -> Task<Json> {
    ActivityOptions options;
    options.start_to_close_timeout = seconds(30);
    co_return co_await context.ExecuteActivity<Json>("echo", x, options);
  });
  ExpectNondeterminism(Replay(registry, "ping"));
}

TEST_F(CoreReplayMutantTest, AMissingTimer) {
  Registry registry;
  registry.AddWorkflow("Timer",
                       [](WorkflowContext&, int) -> Task<std::string> { co_return "done"; });
  ExpectNondeterminism(Replay(registry, "timer"));
}

}  // namespace
}  // namespace squall::core
