// not_zombie: time without a poll counts only while one is due.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

constexpr const char* kZombie = "not_zombie: {worker: w, queue: q, within: 5s}";

Story WorkerUp() { return Story().ServerUp().At(1s).Up("w"); }

TEST(NotZombie, AHeldPollIsAWorker) {
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(2s).Poll("arrived"), 100s), Passes("a poll is held"));
  EXPECT_EQ(DeadlineAfter(kZombie, WorkerUp().At(2s).Poll("arrived")), std::nullopt);
}

TEST(NotZombie, AProcessThatNeverPollsIsOne) {
  EXPECT_EQ(DeadlineAfter(kZombie, WorkerUp()), 6s);
  EXPECT_THAT(Judged(kZombie, WorkerUp(), 6s - 1ns), IsUnknown("no poll yet"));
  EXPECT_THAT(Judged(kZombie, WorkerUp(), 6s),
              Fails("w was up, but nobody polled queue q for 5.00s from 1.00s on"));
}

TEST(NotZombie, AHealthPageDoesNotHelpIt) {
  EXPECT_THAT(
      Judged(kZombie, WorkerUp().At(2s).Says("w", "healthy").At(3s).Says("w", "polling"), 6s),
      Fails("nobody polled"));
}

TEST(NotZombie, TheLimitIsInclusive) {
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(6s).Poll("arrived")), Passes(""));
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(6s + 1ns).Poll("arrived"), 10s),
              Fails("from 1.00s on"));
}

TEST(NotZombie, OneThatStopsPollingBecomesOne) {
  const Story stopped = WorkerUp().At(2s).Poll("arrived").At(20s).Poll("left", "100@box", 0);
  EXPECT_EQ(DeadlineAfter(kZombie, stopped), 25s);
  EXPECT_THAT(Judged(kZombie, stopped, 25s), Fails("from 20.00s on"));
  Story again = stopped;
  EXPECT_THAT(Judged(kZombie, again.At(24s).Poll("arrived"), 100s), Passes(""));
  Story late = stopped;
  EXPECT_THAT(Judged(kZombie, late.At(26s).Poll("arrived"), 100s), Fails("from 20.00s on"));
}

TEST(NotZombie, SeveralPollsAreHeldUntilTheLastLeaves) {
  const Story two = WorkerUp()
                        .At(2s)
                        .Poll("arrived", "100@box", 1)
                        .Poll("arrived", "100@box", 2)
                        .Poll("left", "100@box", 1);
  EXPECT_THAT(Judged(kZombie, two, 100s), Passes("held"));
}

TEST(NotZombie, WhileSomethingIsDisturbedNoPollIsDue) {
  Story story =
      WorkerUp().At(2s).Poll("arrived").At(3s).Inject().Poll("left", "100@box", 0).At(60s).Heal();
  EXPECT_EQ(DeadlineAfter(kZombie, story), 65s);
  EXPECT_THAT(Judged(kZombie, story, 65s), Fails("from 1m00s on"));
  EXPECT_THAT(Judged(kZombie, story.At(64s).Poll("arrived"), 100s), Passes(""));
}

TEST(NotZombie, WithoutAServerNoPollIsDue) {
  Story story = Story().Up("w").At(60s).ServerUp();
  EXPECT_EQ(DeadlineAfter(kZombie, story), 65s);
  EXPECT_THAT(Judged(kZombie, story.At(61s).Poll("arrived")), Passes(""));
  Story down = WorkerUp().At(2s).Poll("arrived").At(3s).Killed("temporal", 9, "asked", "server");
  EXPECT_THAT(Judged(kZombie, down.At(60s).ServerUp().At(61s).Poll("arrived")), Passes(""));
}

TEST(NotZombie, AServerThatIsGoneHoldsNoPoll) {
  // It could not tell that its polls ended.
  const Story story = WorkerUp()
                          .At(2s)
                          .Poll("arrived")
                          .At(3s)
                          .Killed("temporal", 9, "asked", "server")
                          .At(5s)
                          .ServerUp();
  EXPECT_EQ(DeadlineAfter(kZombie, story), 10s);
  EXPECT_THAT(Judged(kZombie, story, 10s), Fails("from 5.00s on"));
}

TEST(NotZombie, AProcessThatIsGoneOrPausedIsNone) {
  EXPECT_THAT(Judged(kZombie,
                     WorkerUp()
                         .At(2s)
                         .Poll("arrived")
                         .At(3s)
                         .Poll("left", "100@box", 0)
                         .Exited("w", 0, "asked"),
                     100s),
              Passes("it polled"));
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(2s).Exited("w", 1, "unexpected"), 100s),
              IsUnknown("gone before it could be told"));
  EXPECT_THAT(
      Judged(kZombie,
             WorkerUp().At(2s).Poll("arrived").Process("paused", "w").Poll("left", "100@box", 0),
             100s),
      Passes("it polled"));
}

TEST(NotZombie, NeverUpIsUnknown) {
  EXPECT_THAT(Judged(kZombie, Story().ServerUp(), 100s), IsUnknown("never up"));
  EXPECT_THAT(Judged(kZombie, Story().Up("w"), 100s),
              IsUnknown("never up while the server was well"));
}

TEST(NotZombie, OtherQueuesAndOtherWorkersDoNotCount) {
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(2s).Poll("arrived", "100@box", 1, {}, "Q"), 6s),
              Fails("nobody polled"));
  Story shared = WorkerUp().At(2s).Says("v", "started", "", "", 200).Poll("arrived", "200@box");
  EXPECT_THAT(Judged(kZombie, shared, 6s), Fails("nobody polled"));
  EXPECT_THAT(Judged(kZombie, shared.At(3s).Poll("arrived", "w@box")), Passes(""));
}

TEST(NotZombie, ListedPollersCountWhenFreshAndOfThisLife) {
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(4s).Poll("seen", "100@box", 1, 2s)),
              Passes("it polled"));
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(4s).Poll("seen", "99@box", 1, 3500ms), 6s),
              Fails("nobody polled"));
  EXPECT_THAT(Judged(kZombie, WorkerUp().At(4s).Poll("none", "", 0), 6s), Fails("nobody polled"));
  // A poll that waits on a real server was last seen when it came: still polling a minute later,
  // not after more than that.
  Story idle = WorkerUp().At(2s).Poll("seen", "100@box", 1, 0s);
  for (Duration t = 6s; t <= 62s; t += 4s) idle.At(t).Poll("seen", "100@box", 1, t - 2s);
  EXPECT_THAT(Judged(kZombie, idle), Passes(""));
  for (Duration t = 66s; t <= 90s; t += 4s) idle.At(t).Poll("seen", "100@box", 1, t - 2s);
  EXPECT_THAT(Judged(kZombie, idle), Fails("nobody polled"));
}

TEST(NotZombie, SeeingItAgainAndAgainAsksForNoMoreTime) {
  EXPECT_EQ(DeadlineAfter(kZombie, WorkerUp().At(2s).Poll("seen", "100@box", 1, 0s)), std::nullopt);
}

TEST(NotZombie, WithoutItsQueueTheWorkersLinesTellIt) {
  const char* check = "not_zombie: {worker: w, within: 5s}";
  EXPECT_THAT(Judged(check, WorkerUp().At(2s).Says("w", "started").Poll("arrived")), Passes(""));
  EXPECT_THAT(
      Judged(check,
             WorkerUp().At(2s).Says("w", "started").Poll("arrived", "100@box", 1, {}, "other"), 6s),
      Fails("queue q"));
  EXPECT_THAT(Judged(check, WorkerUp().At(2s).Poll("arrived", "x", 1, {}, "any")), Passes(""));
}

TEST(NotZombie, WorkThatWaitsForNobodyIsCaughtByItsQueue) {
  const char* check = "not_zombie: {queue: q, within: 5s}";
  EXPECT_THAT(Judged(check, Story().ServerUp(), 100s), IsUnknown("no work"));
  Story waiting = Story().ServerUp().At(1s).Begins("a");
  EXPECT_EQ(DeadlineAfter(check, waiting), 6s);
  EXPECT_THAT(Judged(check, waiting, 6s),
              Fails("work was waiting, but nobody polled queue q for 5.00s"));
  EXPECT_THAT(Judged(check, waiting.At(3s).Poll("arrived", "anybody")), Passes(""));
  // Whoever did it was there, however soon it was done; an end without a worker tells nothing.
  Story begun = Story().ServerUp().At(1s).Begins("a").At(1100ms);
  EXPECT_THAT(Judged(check, Story(begun).Workflow("completed", "a"), 2s), Passes("it polled"));
  EXPECT_THAT(Judged(check, Story(begun).Workflow("terminated", "a"), 2s), IsUnknown("gone before"));
  EXPECT_FALSE(MakeChecker(Spec("not_zombie: {within: 5s}")).ok());
}

TEST(NotZombie, SuggestsTheQueueThatIsPolled) {
  const char* check = "not_zombie: {queue: food-truck, within: 5s}";
  Story story = Story().ServerUp().At(1s).Add(
      WorkflowEvent{.what = "accepted", .workflow_id = "a", .task_queue = "food-truck"});
  story.Poll("arrived", "w", 1, {}, "food-trucks").Poll("arrived", "w", 1, {}, "other");
  EXPECT_THAT(Judged(check, story, 6s),
              Fails("from 1.00s on; polled was food-trucks and other (did you mean"));
  EXPECT_THAT(Judged(check, story, 6s).happened, ::testing::HasSubstr("'food-trucks'"));
}

}  // namespace
}  // namespace squall::scenarios
