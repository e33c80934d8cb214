// The checks that watch every run: zombies, shutdowns that hang, work lost or done twice.

#include "base/journal/words.h"
#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

// ------------------------------------------------------------------------------------------------------------
// no_zombie

TEST(NoZombie, AWorkerThatPollsIsNone) {
  EXPECT_THAT(
      Judged("no_zombie",
             Story().ServerUp().Up("w").At(1s).Says("w", "polling").Poll("arrived").At(10min)),
      Passes("1 worker watched"));
}

TEST(NoZombie, UpAndNotPollingForSoLongIsOne) {
  const Story story = Story()
                          .ServerUp()
                          .Up("w")
                          .At(1s)
                          .Says("w", "polling")
                          .Poll("arrived")
                          .At(2s)
                          .Poll("left", "100@box", 0);
  EXPECT_THAT(Judged("no_zombie", story, 47s), Fails("w was up, but nobody polled"));
  EXPECT_THAT(Judged("no_zombie", story, 46s), Passes(""));
  EXPECT_THAT(Judged("no_zombie: {within: 10s}", story, 12s), Fails("nobody polled"));
  EXPECT_THAT(JudgedSlowly("no_zombie", Story(story).At(47s), 2), Passes(""));
}

TEST(NoZombie, AServerThatGoesTakesOnlyItsOwnPolls) {
  const Story story =
      Story().ServerUp().ServerUp("other").Up("w").At(1s).Says("w", "polling").Poll("arrived");
  const auto restarted = [&story](const std::string& server) {
    return Story(story).At(2s).Exited(server, 0, "asked", "", "server").At(3s).ServerUp(server);
  };
  EXPECT_THAT(Judged("no_zombie", restarted("other"), 2min), Passes("1 worker watched"));
  EXPECT_THAT(Judged("no_zombie", restarted("temporal"), 2min), Fails("nobody polled"));
}

TEST(NoZombie, OneThatNeverPolledIsOne) {
  EXPECT_THAT(Judged("no_zombie", Story().ServerUp().Up("w"), 1min), Fails("w was up"));
}

TEST(NoZombie, ItIsSeenThoughItEndedLater) {
  EXPECT_THAT(Judged("no_zombie",
                     Story().ServerUp().Up("w").At(1min).Exited("w", 1, "unexpected").At(2min)),
              Fails("w was up"));
}

TEST(NoZombie, EachWorkerForItself) {
  const Story story = Story()
                          .ServerUp()
                          .Up("w")
                          .Says("w", "polling")
                          .Poll("arrived", "100@box")
                          .At(1s)
                          .Up("v", "worker", 200)
                          .At(5min);
  EXPECT_THAT(Judged("no_zombie", story), Fails("v was up"));
  EXPECT_THAT(Judged("no_zombie: {except: [v]}", story), Passes("1 worker"));
}

TEST(NoZombie, NobodyHasToPollWhileTheServerIsAway) {
  const Story story =
      Story().ServerUp().Up("w").At(1s).Killed("temporal", 9, "injected", "server").At(10min);
  EXPECT_THAT(Judged("no_zombie", story), Passes(""));
  EXPECT_THAT(Judged("no_zombie", Story(story).ServerUp().At(11min)), Fails("w was up"));
}

TEST(NoZombie, AFaultInForceBeforeTheWorkerWasStartedCounts) {
  const Story story = Story().ServerUp().Inject().At(1s).Up("w").At(10min);
  EXPECT_THAT(Judged("no_zombie", story), IsUnknown("no worker was up"));
  EXPECT_THAT(Judged("no_zombie", Story(story).Heal().At(11min)), Fails("w was up"));
}

TEST(NoZombie, WhoIsAskedToStopNeedNotPollAnyMore) {
  const Story story = Story()
                          .ServerUp()
                          .Up("w")
                          .Says("w", "polling")
                          .Poll("arrived")
                          .At(1s)
                          .Signalled("w", 15)
                          .Poll("left", "100@box", 0);
  EXPECT_THAT(Judged("no_zombie", Story(story).At(10min)), Passes(""));
  EXPECT_THAT(Judged("no_zombie", Story(story).Exited("w", 0, "asked").Up("w").At(10min)),
              Fails("w was up"))
      << "its next life was asked nothing";
}

TEST(NoZombie, NobodyWaitsForItsTimeToBeOver) {
  EXPECT_EQ(DeadlineAfter("no_zombie", Story().ServerUp().Up("w")), std::nullopt);
}

// ------------------------------------------------------------------------------------------------------------
// no_hung_shutdown

TEST(NoHungShutdown, WhoEndsWhenAskedPasses) {
  EXPECT_THAT(Judged("no_hung_shutdown",
                     Story().Up("w").At(1s).Signalled("w", 15).At(61s).Exited("w", 0, "asked")),
              Passes("1 stop seen"));
  EXPECT_THAT(Judged("no_hung_shutdown", Story().Up("w").At(1s)), IsUnknown("no worker was asked"));
}

TEST(NoHungShutdown, WhoHasToBeKilledHangs) {
  const Story story =
      Story().Up("w").At(1s).Signalled("w", 2).At(11s).Signalled("w", 9).Killed("w", 9, "asked");
  EXPECT_THAT(Judged("no_hung_shutdown", story),
              Fails("w was asked to stop at 1.00s and had to be killed 10.00s later"));
  EXPECT_THAT(Judged("no_hung_shutdown: {except: [w]}", story), IsUnknown("no worker"));
}

TEST(NoHungShutdown, AKillOfWhomNobodyAskedIsNoHang) {
  EXPECT_THAT(Judged("no_hung_shutdown",
                     Story().Up("w").At(1s).Signalled("w", 9).Killed("w", 9, "injected")),
              IsUnknown("no worker"));
  EXPECT_THAT(
      Judged("no_hung_shutdown", Story().Up("w").Signalled("w", 15).At(1s).Signalled("w", 9).Killed(
                                     "w", 9, "injected")),
      Passes("1 stop"));
}

TEST(NoHungShutdown, WhoIsStillThereLongAfterHangs) {
  const Story story = Story().Up("w").At(1s).Signalled("w", 15);
  EXPECT_THAT(Judged("no_hung_shutdown", story, 61s), Passes(""));
  EXPECT_THAT(Judged("no_hung_shutdown", story, 62s), Fails("still runs 1m01s later"));
  EXPECT_THAT(Judged("no_hung_shutdown", Story(story).At(62s).Exited("w", 0, "asked")),
              Fails("ended only 1m01s later"));
}

TEST(NoHungShutdown, WhoIsFrozenOrKeptByAFaultCannotEnd) {
  EXPECT_THAT(Judged("no_hung_shutdown",
                     Story().Up("w").Process("paused", "w").Signalled("w", 15).At(10min)),
              Passes(""));
  EXPECT_THAT(Judged("no_hung_shutdown", Story()
                                             .Up("w")
                                             .Process("paused", "w")
                                             .Process("resumed", "w")
                                             .Signalled("w", 15)
                                             .At(10min)),
              Fails("still runs"));
  EXPECT_THAT(Judged("no_hung_shutdown", Story()
                                             .Up("w")
                                             .Fault("injected", "deaf", "ignores_sigterm", "w")
                                             .Signalled("w", 15)
                                             .At(10s)
                                             .Killed("w", 9, "asked")),
              Passes(""));
  EXPECT_THAT(Judged("no_hung_shutdown", Story()
                                             .Up("w")
                                             .Fault("injected", "outage", "stall", "wire")
                                             .Signalled("w", 15)
                                             .At(10min)),
              Fails("still runs"))
      << "a network that is away keeps nobody from ending";
}

TEST(NoHungShutdown, ANextLifeWasAskedNothing) {
  EXPECT_THAT(
      Judged("no_hung_shutdown",
             Story().Up("w").Signalled("w", 15).At(1s).Exited("w", 0, "asked").Up("w").At(10min)),
      Passes(""));
}

// ------------------------------------------------------------------------------------------------------------
// work_once

TEST(WorkOnce, WhatEndsOncePassesAndWhatIsOpenToo) {
  EXPECT_THAT(Judged("work_once", Story()
                                      .Begins("a")
                                      .Workflow("completed", "a", "r1")
                                      .Workflow("completed", "a", "r1", "", "server:temporal")
                                      .Begins("b", "r2")),
              Passes("2 workflows watched"));
  EXPECT_THAT(Judged("work_once", Story().ServerUp()), IsUnknown("nobody started"));
}

TEST(WorkOnce, WhatTheServerForgetsIsLost) {
  const Story story = Story().ServerUp().Begins("a").At(3s).Workflow("lost", "a");
  EXPECT_THAT(Judged("work_once", story), Fails("a was lost at 3.00s"));
  EXPECT_THAT(Judged("work_once: {except: [a]}", story), IsUnknown(""));
}

TEST(WorkOnce, AServerWithoutItsDataForgets) {
  Story restarted = Story().ServerUp().Begins("a").Killed("temporal", 9, "asked", "server");
  restarted.Add(ProcessEvent{.what = "starting",
                             .process = "temporal",
                             .role = "server",
                             .detail = std::string(kWithoutItsData)});
  EXPECT_THAT(Judged("work_once", restarted.Workflow("lost", "a")), Passes(""));
  EXPECT_THAT(Judged("work_once", Story().ServerUp().Begins("a").ServerUp().Workflow("lost", "a")),
              Fails("a was lost"))
      << "one that kept them does not";
  EXPECT_THAT(Judged("work_once", Story()
                                      .Up("dev", "server", 77)
                                      .Begins("a")
                                      .Up("dev", "server", 78)
                                      .Workflow("lost", "a")),
              Passes(""))
      << "nobody knows what a process of its own has kept";
}

TEST(WorkOnce, ClosedTwiceOrInTwoWays) {
  const Story once = Story().Begins("a").Workflow("completed", "a", "r1", "", "server:temporal");
  EXPECT_THAT(
      Judged("work_once", Story(once).Workflow("completed", "a", "r1", "", "server:temporal")),
      Fails("closed the same run twice"));
  EXPECT_THAT(Judged("work_once", Story(once).Workflow("failed", "a", "r1")),
              Fails("completed and failed"));
}

TEST(WorkOnce, AnActivityThatCompletedIsNotStartedAgain) {
  const Story done = Story()
                         .Begins("a")
                         .Activity("scheduled", "a", 1)
                         .Activity("started", "a", 1)
                         .Activity("completed", "a", 1);
  EXPECT_THAT(Judged("work_once", done), Passes(""));
  EXPECT_THAT(Judged("work_once", Story(done).At(2s).Activity("started", "a", 2)),
              Fails("activity slow of a was started again at 2.00s, after it had completed"));
  EXPECT_THAT(Judged("work_once", Story(done).Activity("completed", "a", 1)),
              Fails("completed again"));
  EXPECT_THAT(Judged("work_once", Story(done).Activity("started", "a", 1, "2")), Passes(""))
      << "another activity";
}

TEST(WorkOnce, ALaterAttemptAfterOneThatFailedIsAsItShouldBe) {
  EXPECT_THAT(Judged("work_once", Story()
                                      .Begins("a")
                                      .Activity("started", "a", 1)
                                      .Activity("timed_out", "a", 1)
                                      .Activity("started", "a", 2)
                                      .Activity("completed", "a", 2)),
              Passes(""));
}

// ------------------------------------------------------------------------------------------------------------
// as oracles

std::vector<std::string> Failed(const std::string& checks, const Story& story) {
  const auto scenario = LoadChecks(checks);
  EXPECT_TRUE(scenario.ok()) << scenario.status();
  const auto judgement = JudgeJournal(story.events(), scenario->checks, {});
  EXPECT_TRUE(judgement.ok()) << judgement.status();
  std::vector<std::string> failed;
  for (const CheckResult& result : judgement->results) {
    if (result.outcome == Outcome::kFail) failed.push_back(result.check);
  }
  return failed;
}

TEST(Oracles, WatchUnaskedWhereNoCheckSpeaks) {
  const Story zombie = Story().Run().ServerUp().Up("w").At(1min).Judging().Finished();
  EXPECT_THAT(Failed("  - reconnects: {worker: v, within: 1s}\n", zombie),
              ::testing::ElementsAre("oracle:no_zombie"));
  EXPECT_THAT(Failed("  - not_zombie: {worker: w, within: 5m}\n", zombie), ::testing::IsEmpty());
  const Story hung = Story()
                         .Run()
                         .ServerUp()
                         .Up("w")
                         .Poll("arrived")
                         .Signalled("w", 15)
                         .At(10s)
                         .Killed("w", 9, "asked")
                         .Judging()
                         .Finished();
  EXPECT_THAT(Failed("  - reconnects: {worker: v, within: 1s}\n", hung),
              ::testing::ElementsAre("oracle:no_hung_shutdown"));
  EXPECT_THAT(Failed("  - exits: {worker: w}\n", hung), ::testing::IsEmpty());
  const Story lost =
      Story().Run().ServerUp().Begins("a").Workflow("lost", "a").At(1s).Judging().Finished();
  EXPECT_THAT(Failed("  - reconnects: {worker: v, within: 1s}\n", lost),
              ::testing::ElementsAre("oracle:work_once"));
  EXPECT_THAT(Failed("  - workflow_completed: {workflow: b}\n", lost),
              ::testing::ElementsAre("oracle:work_once"));
  EXPECT_THAT(Failed("  - workflow_completed: {workflow: a}\n", lost),
              ::testing::ElementsAre("workflow_completed"));
  EXPECT_THAT(Failed("  - no_workflow_lost\n", lost), ::testing::ElementsAre("no_workflow_lost"));
}

TEST(Oracles, AScenarioMayExpectThemToFail) {
  const auto load = [](const std::string& id) {
    return LoadScenario(
               "id: T\ntitle: t\ntopology: {servers: {s: {}}}\nexpect: [work_once]\nsubjects: "
               "[{name: x, expect: {fail: '" +
                   id + "'}}]\n",
               "T.yaml", Checks())
        .ok();
  };
  EXPECT_TRUE(load("oracle:no_zombie"));
  EXPECT_FALSE(load("oracle:no_zombies"));
  EXPECT_FALSE(load("oracle:exits"));
}

}  // namespace
}  // namespace squall::scenarios
