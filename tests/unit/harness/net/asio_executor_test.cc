#include "harness/net/asio_executor.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "tests/support/harness_loop.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class AsioExecutorTest : public ::squall::testing::HarnessLoop {};

TEST_F(AsioExecutorTest, PostRunsInOrderAndNeverInline) {
  std::vector<int> ran;
  executor_.Post([&] {
    executor_.Post([&] { ran.push_back(3); });
    ran.push_back(1);
  });
  executor_.Post([&] { ran.push_back(2); });
  EXPECT_TRUE(ran.empty());
  Await([&] { return ran.size() == 3; }, "three posts");
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST_F(AsioExecutorTest, TimersRunByDeadlineThenInTheOrderTheyWereSet) {
  std::vector<int> ran;
  const SteadyTime base = clock_.Now() + 20ms;
  executor_.At(base + 2ms, [&] { ran.push_back(4); });
  executor_.At(base, [&] { ran.push_back(1); });
  executor_.At(base, [&] { ran.push_back(2); });
  executor_.At(base + 1ms, [&] { ran.push_back(3); });
  Await([&] { return ran.size() == 4; }, "four timers");
  EXPECT_THAT(ran, ElementsAre(1, 2, 3, 4));
  EXPECT_GE(clock_.Now(), base + 2ms);
}

TEST_F(AsioExecutorTest, ACancelledTimerNeverRunsEvenWhenItWasDueWithTheOneThatCancels) {
  bool ran = false, last = false;
  const SteadyTime when = clock_.Now() + 5ms;
  TimerId second = 0;
  executor_.At(when, [&] { executor_.Cancel(second); });
  second = executor_.At(when, [&] { ran = true; });
  executor_.At(when, [&] { last = true; });
  Await([&] { return last; }, "the last timer");
  EXPECT_FALSE(ran);
}

TEST_F(AsioExecutorTest, ATimerThatSetsItselfForNowDoesNotStarveTheRest) {
  bool posted = false;
  int rounds = 0;
  std::function<void()> again = [&] {
    ++rounds;
    if (!posted) executor_.After(Duration::zero(), again);
  };
  executor_.After(Duration::zero(), again);
  executor_.Post([&] { executor_.Post([&] { posted = true; }); });
  Await([&] { return posted; }, "the post");
  EXPECT_GE(rounds, 1);
}

TEST_F(AsioExecutorTest, RunServesUntilStopAndAgain) {
  int stops = 0;
  for (int i = 0; i < 2; ++i) {
    executor_.Post([&] {
      ++stops;
      executor_.Stop();
    });
    executor_.Run();
  }
  EXPECT_EQ(stops, 2);
}

TEST_F(AsioExecutorTest, PostFromOtherThreadsLosesNothing) {
  int ran = 0;  // the loop's thread only
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) executor_.Post([&] { ++ran; });
    });
  }
  Await([&] { return ran == 4000; }, "all posts");
  for (std::thread& thread : threads) thread.join();
}

TEST_F(AsioExecutorTest, RunUntilGivesUpAfterItsLimit) {
  const SteadyTime begin = clock_.Now();
  EXPECT_FALSE(executor_.RunUntil([] { return false; }, 10ms));
  EXPECT_GE(clock_.Now() - begin, 10ms);
}

}  // namespace
}  // namespace squall::harness
