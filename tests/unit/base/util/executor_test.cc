// The executors: what was posted first runs first, timers run by (deadline, order of setting),
// cancelled ones never.

#include "base/util/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace squall {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ManualExecutorTest : public ::testing::Test {
 protected:
  Executor::Callback Say(std::string word) {
    return [this, word = std::move(word)] { said_.push_back(word); };
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  std::vector<std::string> said_;
};

TEST_F(ManualExecutorTest, NothingRunsUnasked) {
  executor_.Post(Say("posted"));
  executor_.After(0s, Say("timer"));
  EXPECT_THAT(said_, IsEmpty());
  executor_.RunReady();
  EXPECT_THAT(said_, ElementsAre("posted", "timer"));
}

TEST_F(ManualExecutorTest, PostedWorkRunsInOrderAndIncludesWhatItPosts) {
  executor_.Post([this] {
    said_.push_back("a");
    executor_.Post(Say("c"));
    said_.push_back("a-end");  // posting never runs inline
  });
  executor_.Post(Say("b"));
  executor_.RunReady();
  EXPECT_THAT(said_, ElementsAre("a", "a-end", "b", "c"));
}

TEST_F(ManualExecutorTest, TimersRunByDeadlineThenByOrderOfSetting) {
  executor_.After(2s, Say("late"));
  executor_.After(1s, Say("first"));
  executor_.After(1s, Say("second"));
  executor_.Advance(3s);
  EXPECT_THAT(said_, ElementsAre("first", "second", "late"));
}

TEST_F(ManualExecutorTest, TheClockStandsAtEachTimersDeadline) {
  std::vector<Duration> seen;
  for (const auto delay : {5s, 1s, 3s}) {
    executor_.After(delay, [&] { seen.push_back(clock_.Now().time_since_epoch()); });
  }
  executor_.AdvanceTo(SteadyTime(4s));
  EXPECT_THAT(seen, ElementsAre(1s, 3s));
  EXPECT_EQ(clock_.Now(), SteadyTime(4s));
  EXPECT_EQ(executor_.NextDeadline(), SteadyTime(5s));
}

TEST_F(ManualExecutorTest, ATimerSetByATimerRunsInTheSameAdvance) {
  executor_.After(1s, [this] {
    said_.push_back("one");
    executor_.After(1s, Say("two"));
  });
  executor_.Advance(2s);
  EXPECT_THAT(said_, ElementsAre("one", "two"));
}

TEST_F(ManualExecutorTest, ADeadlineInThePastIsDueAtOnce) {
  clock_.Advance(10s);
  executor_.At(SteadyTime(1s), Say("overdue"));
  executor_.RunReady();
  EXPECT_THAT(said_, ElementsAre("overdue"));
  EXPECT_EQ(clock_.Now(), SteadyTime(10s));
}

TEST_F(ManualExecutorTest, CancelledTimersNeverRun) {
  const TimerId cancelled = executor_.After(1s, Say("cancelled"));
  executor_.After(1s, Say("kept"));
  EXPECT_NE(cancelled, 0u);
  executor_.Cancel(cancelled);
  executor_.Cancel(cancelled);  // twice, unknown and never: ignored
  executor_.Cancel(12345);
  executor_.Cancel(0);
  executor_.Advance(2s);
  EXPECT_THAT(said_, ElementsAre("kept"));
}

TEST_F(ManualExecutorTest, ATimerCanCancelAnotherThatIsDueAtTheSameTime) {
  TimerId second = 0;
  executor_.After(1s, [&] {
    said_.push_back("first");
    executor_.Cancel(second);
  });
  second = executor_.After(1s, Say("second"));
  executor_.Advance(1s);
  EXPECT_THAT(said_, ElementsAre("first"));
}

TEST_F(ManualExecutorTest, CancellingTheTimerThatRunsIsHarmless) {
  TimerId self = 0;
  self = executor_.After(1s, [&] {
    executor_.Cancel(self);
    said_.push_back("ran");
  });
  executor_.Advance(1s);
  EXPECT_THAT(said_, ElementsAre("ran"));
  EXPECT_EQ(executor_.NextDeadline(), std::nullopt);
}

TEST_F(ManualExecutorTest, PostFromAnotherThreadWakesTheWaiter) {
  EXPECT_FALSE(executor_.WaitForPost(0s));
  std::thread other([this] { executor_.Post(Say("from afar")); });
  EXPECT_TRUE(executor_.WaitForPost(Scaled(10s)));
  other.join();
  executor_.RunReady();
  EXPECT_THAT(said_, ElementsAre("from afar"));
}

TEST(LoopExecutor, RunsPostsAndTimersOnTheLoopThreadInOrder) {
  const RealClock clock;
  LoopExecutor loop(clock);
  std::vector<std::string> said;
  const auto loop_thread = std::this_thread::get_id();
  bool on_loop_thread = true;
  const auto say = [&](std::string word) {
    return [&, word = std::move(word)] {
      on_loop_thread = on_loop_thread && std::this_thread::get_id() == loop_thread;
      said.push_back(word);
    };
  };
  loop.After(2ms, say("timer 2"));
  loop.After(1ms, say("timer 1"));
  const TimerId cancelled = loop.After(1ms, say("cancelled"));
  loop.Cancel(cancelled);
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) loop.Post(say("post " + std::to_string(i)));
  });
  other.join();
  loop.After(3ms, [&] { loop.Stop(); });
  loop.Run();
  EXPECT_THAT(said, ElementsAre("post 0", "post 1", "post 2", "timer 1", "timer 2"));
  EXPECT_TRUE(on_loop_thread);
}

TEST(LoopExecutor, ATimerNeverRunsBeforeItsTime) {
  const RealClock clock;
  LoopExecutor loop(clock);
  const SteadyTime due = clock.Now() + 5ms;
  SteadyTime ran{};
  loop.At(due, [&] {
    ran = clock.Now();
    loop.Stop();
  });
  loop.Run();
  EXPECT_GE(ran, due);
}

TEST(LoopExecutor, StopsFromAnotherThreadWhileItWaits) {
  const RealClock clock;
  LoopExecutor loop(clock);
  std::thread stopper;
  // The far timer makes the loop wait with a limit; the other thread is started once the loop runs.
  loop.After(1h, [] { FAIL() << "an hour has passed"; });
  loop.Post([&] { stopper = std::thread([&] { loop.Stop(); }); });
  loop.Run();
  stopper.join();
}

TEST(LoopExecutor, WorkLeftAtStopIsDroppedNotRun) {
  const RealClock clock;
  bool ran = false;
  {
    LoopExecutor loop(clock);
    loop.Stop();
    loop.Post([&] { ran = true; });
    loop.Run();
  }
  EXPECT_FALSE(ran);
}

TEST(TimerQueue, TakesOnlyWhatIsDue) {
  TimerQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.NextDeadline(), std::nullopt);
  int ran = 0;
  queue.Add(SteadyTime(2s), [&] { ran += 2; });
  queue.Add(SteadyTime(1s), [&] { ran += 1; });
  EXPECT_EQ(queue.NextDeadline(), SteadyTime(1s));
  EXPECT_EQ(queue.TakeDue(SteadyTime(1s - 1ns)), nullptr);
  const auto first = queue.TakeDue(SteadyTime(1s));
  ASSERT_NE(first, nullptr);
  first();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(queue.TakeDue(SteadyTime(1s)), nullptr);
  EXPECT_FALSE(queue.empty());
}

}  // namespace
}  // namespace squall
