#include "core/worker/activity_dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/util/executor.h"

namespace squall::core {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

coresdk::activity_task::ActivityTask StartTask(const std::string& token, const std::string& type,
                                               const Payloads& input = {}) {
  coresdk::activity_task::ActivityTask task;
  task.set_task_token(token);
  task.mutable_start()->set_activity_type(type);
  task.mutable_start()->set_activity_id("1");
  task.mutable_start()->set_attempt(2);
  task.mutable_start()->mutable_workflow_execution()->set_workflow_id("wf");
  task.mutable_start()->mutable_heartbeat_timeout()->set_seconds(5);
  for (const Payload& payload : input) *task.mutable_start()->add_input() = payload;
  return task;
}

coresdk::activity_task::ActivityTask CancelTask(const std::string& token, CancelReason reason) {
  coresdk::activity_task::ActivityTask task;
  task.set_task_token(token);
  task.mutable_cancel()->set_reason(reason);
  return task;
}

class ActivityDispatcherTest : public ::testing::Test {
 protected:
  std::unique_ptr<ActivityDispatcher> Make(int threads = 0) {
    ActivityDispatcher::Callbacks callbacks;
    callbacks.complete = [this](const coresdk::ActivityTaskCompletion& completion) {
      const auto& result = completion.result();
      if (result.has_completed()) {
        ended_.push_back(completion.task_token() + " completed " +
                         *PayloadToJson(result.completed().result()));
      } else if (result.has_failed()) {
        ended_.push_back(completion.task_token() + " failed " +
                         result.failed().failure().message());
      } else if (result.has_cancelled()) {
        ended_.push_back(completion.task_token() + " cancelled");
      }
    };
    callbacks.heartbeat = [this](const coresdk::ActivityHeartbeat& heartbeat) {
      beats_.push_back(*PayloadToJson(heartbeat.details(0)));
    };
    callbacks.on_task = [this](const ActivityInfo& info) {
      started_.push_back(
          fmt::format("{} {} attempt {}", info.workflow_id, info.activity_type, info.attempt));
    };
    return std::make_unique<ActivityDispatcher>(
        registry_, executor_,
        ActivityDispatcher::Options{.task_queue = "queue", .threads = threads},
        std::move(callbacks));
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  Registry registry_;
  std::vector<std::string> ended_, beats_, started_;
};

TEST_F(ActivityDispatcherTest, FunctionsAndCoroutinesComplete) {
  registry_.AddActivity("twice", [](ActivityContext&, int n) { return 2 * n; });
  registry_.AddActivity("later", [](ActivityContext& context, int n) -> Task<int> {
    co_await context.Wait(seconds(3));
    co_return n;
  });
  registry_.AddActivity("nothing", [](ActivityContext&) {});
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "twice", {Encode(21)}));
  dispatcher->Handle(StartTask("b", "later", {Encode(7)}));
  dispatcher->Handle(StartTask("c", "nothing"));
  executor_.RunReady();
  EXPECT_THAT(ended_, ElementsAre("a completed 42", "c completed null"));
  EXPECT_EQ(dispatcher->running(), 1U);
  executor_.Advance(seconds(3));
  EXPECT_THAT(ended_, ElementsAre("a completed 42", "c completed null", "b completed 7"));
  EXPECT_EQ(dispatcher->running(), 0U);
  EXPECT_THAT(started_,
              ElementsAre("wf twice attempt 2", "wf later attempt 2", "wf nothing attempt 2"));
}

TEST_F(ActivityDispatcherTest, UnknownTypeFailsAndNamesWhatThereIs) {
  registry_.AddActivity("echo", [](ActivityContext&) {});
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "ecko"));
  EXPECT_THAT(
      ended_,
      ElementsAre(
          "a failed Activity function ecko for workflow wf is not registered on this worker, "
          "available activities: echo"));
}

TEST_F(ActivityDispatcherTest, ExceptionsAndBadArgumentsFailTheAttempt) {
  registry_.AddActivity("throws", [](ActivityContext&) { throw std::runtime_error("boom"); });
  registry_.AddActivity("number", [](ActivityContext&, int n) { return n; });
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "throws"));
  dispatcher->Handle(StartTask("b", "number", {Encode(std::string("x"))}));
  executor_.RunReady();
  EXPECT_THAT(ended_, ElementsAre("a failed boom",
                                  "b failed argument 1: expected an integer, found string"));
}

TEST_F(ActivityDispatcherTest, CancellationWakesACoroutineAtOnce) {
  registry_.AddActivity("wait", [](ActivityContext& context) -> Task<void> {
    if (co_await context.Wait(seconds(3600))) context.ThrowIfCancelled();
  });
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "wait"));
  executor_.Advance(seconds(1));
  dispatcher->Handle(CancelTask("a", CancelReason::CANCELLED));
  executor_.RunReady();
  EXPECT_THAT(ended_, ElementsAre("a cancelled"));
  EXPECT_EQ(executor_.NextDeadline(), std::nullopt);
  // The crossing of completion and cancellation is no error.
  dispatcher->Handle(CancelTask("a", CancelReason::CANCELLED));
}

TEST_F(ActivityDispatcherTest, CancelledWithoutARequestIsAFailure) {
  registry_.AddActivity("odd", [](ActivityContext&) { throw CancelledFailure("by myself"); });
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "odd"));
  executor_.RunReady();
  EXPECT_THAT(ended_, ElementsAre("a failed by myself"));
}

TEST_F(ActivityDispatcherTest, IgnoredCancellationIsASuccess) {
  registry_.AddActivity("deaf", [](ActivityContext& context) -> Task<int> {
    co_await context.Wait(seconds(5));
    co_return 1;
  });
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "deaf"));
  dispatcher->Handle(CancelTask("a", CancelReason::WORKER_SHUTDOWN));
  executor_.RunReady();
  EXPECT_THAT(ended_, ElementsAre("a completed 1"));
}

TEST_F(ActivityDispatcherTest, HeartbeatsCarryTheirDetails) {
  registry_.AddActivity("beat", [](ActivityContext& context) -> Task<void> {
    for (int i = 1; i <= 3; ++i) {
      context.Heartbeat(i);
      co_await context.Wait(seconds(1));
    }
  });
  const auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "beat"));
  executor_.Advance(seconds(10));
  EXPECT_THAT(beats_, ElementsAre("1", "2", "3"));
}

TEST_F(ActivityDispatcherTest, DestructionEndsWaitingCoroutinesSilently) {
  bool went_on = false;
  registry_.AddActivity("wait", [&went_on](ActivityContext& context) -> Task<void> {
    co_await context.Wait(seconds(5));
    went_on = true;
  });
  auto dispatcher = Make();
  dispatcher->Handle(StartTask("a", "wait"));
  dispatcher.reset();
  executor_.Advance(seconds(10));
  EXPECT_FALSE(went_on);
  EXPECT_THAT(ended_, IsEmpty());
}

TEST_F(ActivityDispatcherTest, FunctionsOnThePoolMayBlockUntilCancelled) {
  registry_.AddActivity("block", [](ActivityContext& context) {
    context.Heartbeat(1);
    while (!context.WaitForCancel(seconds(60))) {
    }
    context.ThrowIfCancelled();
  });
  const auto dispatcher = Make(/*threads=*/2);
  dispatcher->Handle(StartTask("a", "block"));
  dispatcher->Handle(StartTask("b", "block"));
  while (beats_.size() < 2) {
    ASSERT_TRUE(executor_.WaitForPost(Scaled(seconds(10))));
    executor_.RunReady();
  }
  dispatcher->Handle(CancelTask("b", CancelReason::TIMED_OUT));
  dispatcher->Handle(CancelTask("a", CancelReason::CANCELLED));
  while (ended_.size() < 2) {
    ASSERT_TRUE(executor_.WaitForPost(Scaled(seconds(10))));
    executor_.RunReady();
  }
  EXPECT_THAT(ended_, ::testing::UnorderedElementsAre("a cancelled", "b cancelled"));
}

TEST_F(ActivityDispatcherTest, DestructionCancelsAndAwaitsFunctionsOnThePool) {
  bool ended = false;  // written on the pool's thread, read after it was joined
  registry_.AddActivity("block", [&ended](ActivityContext& context) {
    context.Heartbeat(1);
    while (!context.WaitForCancel(seconds(60))) {
    }
    ended = true;
  });
  auto dispatcher = Make(/*threads=*/1);
  dispatcher->Handle(StartTask("a", "block"));
  ASSERT_TRUE(executor_.WaitForPost(Scaled(seconds(10))));
  dispatcher.reset();
  EXPECT_TRUE(ended);
  executor_.RunReady();
  EXPECT_THAT(ended_, IsEmpty());
}

}  // namespace
}  // namespace squall::core
