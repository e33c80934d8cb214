// same_process, exits, stays_up, no_unexpected_exit, nothing_left_running, graceful_stop, order.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

// ------------------------------------------------------------------------------------------------------------
// same_process

constexpr const char* kSameProcess = "same_process: {worker: w, min_workflows: 3}";

TEST(SameProcess, PassesWhenOneProcessServesThemAll) {
  EXPECT_THAT(Judged(kSameProcess, Story()
                                       .Up("w")
                                       .Says("w", "task", "Ping", "a")
                                       .Says("w", "task", "Ping", "b")
                                       .Says("w", "task", "Ping", "c")),
              Passes("3 workflows in process 100"));
}

TEST(SameProcess, FailsWhenAnotherProcessTakesOver) {
  EXPECT_THAT(Judged(kSameProcess, Story()
                                       .Up("w")
                                       .Says("w", "task", "Ping", "a")
                                       .Exited("w", 0, "asked")
                                       .Up("w", "worker", 101)
                                       .Says("w", "task", "Ping", "b", 101)
                                       .Says("w", "task", "Ping", "c", 101)),
              Fails("served by 2 processes (pid 100 and 101)"));
}

TEST(SameProcess, FailsOnARestartThoughTheProcessIdWereTheSame) {
  EXPECT_THAT(Judged("same_process: {worker: w}", Story()
                                                      .Up("w", "worker", 0)
                                                      .Says("w", "task", "Ping", "a", 0)
                                                      .Exited("w", 0, "asked")
                                                      .Up("w", "worker", 0)
                                                      .Says("w", "task", "Ping", "b", 0)),
              Fails("2 processes"));
}

TEST(SameProcess, FailsOnAnEndNobodyAskedFor) {
  const Verdict verdict =
      Judged(kSameProcess, Story()
                               .Up("w")
                               .At(300ms)
                               .Says("w", "task", "Ping", "a")
                               .Exited("w", 1, "unexpected", "Worker cancelled"));
  EXPECT_THAT(verdict, Fails("after tasks of 1 workflow it exited with code 1 after 300.0ms, which "
                             "nobody had asked for"));
  EXPECT_THAT(verdict, Fails("\nWorker cancelled"));
}

TEST(SameProcess, TellsTheFirstEndWithWhatWasServedUntilThen) {
  const Verdict verdict = Judged(
      kSameProcess, Story()
                        .Up("w")
                        .Says("w", "task", "Ping", "a")
                        .Exited("w", 0, "unexpected", "exited with code 0; last output:\n  first")
                        .Up("w", "worker", 101)
                        .Says("w", "task", "Ping", "b", 101)
                        .Exited("w", 1, "unexpected", "second"));
  EXPECT_THAT(verdict, Fails("after tasks of 1 workflow it exited with code 0"));
  EXPECT_THAT(verdict, Fails("nobody had asked for\nlast output:\n  first"));
}

TEST(SameProcess, FailsWithFewerWorkflowsThanItMustServe) {
  EXPECT_THAT(Judged(kSameProcess, Story()
                                       .Up("w")
                                       .Says("w", "task", "Ping", "a")
                                       .Says("w", "task", "echo", "a")
                                       .Exited("w", 0, "asked")),
              Fails("only tasks of 1 workflow"));
}

TEST(SameProcess, IsUnknownWithoutATask) {
  EXPECT_THAT(Judged(kSameProcess, Story().Up("w").Says("v", "task", "Ping", "a")),
              IsUnknown("no task"));
  EXPECT_THAT(Judged(kSameProcess, Story()), IsUnknown("no task"));
}

TEST(SameProcess, EndingWhenAskedAfterTheLastTaskIsFine) {
  EXPECT_THAT(Judged("same_process: {worker: w}",
                     Story().Up("w").Says("w", "task", "Ping", "a").Exited("w", 0, "asked")),
              Passes(""));
}

// -------------------------------------------------------------------------------------------------------------------
// exits

TEST(Exits, ByDefaultWithinTenSecondsOfTheStart) {
  EXPECT_THAT(Judged("exits: {worker: w, code: 3}",
                     Story().At(1s).Up("w").At(11s).Exited("w", 3, "unexpected")),
              Passes("code 3 after 10.00s"));
  EXPECT_THAT(Judged("exits: {worker: w, code: 3}",
                     Story().At(1s).Up("w").At(11s + 1ns).Exited("w", 3, "unexpected")),
              Fails("only after"));
}

TEST(Exits, ACodeMayBeOneOfSeveralOrNoneOfSeveral) {
  const Story one = Story().Up("w").Exited("w", 1, "unexpected", "last words");
  EXPECT_THAT(Judged("exits: {worker: w}", one), Passes(""));
  EXPECT_THAT(Judged("exits: {worker: w, code: [1, 3]}", one), Passes(""));
  EXPECT_THAT(Judged("exits: {worker: w, code: [0, 3]}", one), Fails("exited with code 1"));
  EXPECT_THAT(Judged("exits: {worker: w, code: 0}", one), Fails("\nlast words"));
  EXPECT_THAT(Judged("exits: {worker: w, code_not: 0}", one), Passes(""));
  EXPECT_THAT(Judged("exits: {worker: w, code_not: [1, 0]}", one), Fails("code 1"));
}

TEST(Exits, ASignalIsNoCode) {
  const Story killed = Story().Up("w").Killed("w", 6, "unexpected");
  EXPECT_THAT(Judged("exits: {worker: w, code_not: 0}", killed), Fails("killed by signal 6"));
  EXPECT_THAT(Judged("exits: {worker: w, code: 0}", killed), Fails("killed by signal 6"));
  EXPECT_THAT(Judged("exits: {worker: w, signal: 6}", killed), Passes(""));
  EXPECT_THAT(Judged("exits: {worker: w, signal: 9}", killed), Fails("signal 6"));
}

TEST(Exits, WhoWantedItMayMatter) {
  const Story asked = Story().Up("w").Exited("w", 0, "asked");
  EXPECT_THAT(Judged("exits: {worker: w, reason: asked}", asked), Passes(""));
  EXPECT_THAT(Judged("exits: {worker: w, reason: unexpected}", asked), Fails("as asked"));
}

TEST(Exits, CountsFromTheEventThatIsGiven) {
  const char* check = "exits: {worker: w, code: 0, within: 2s, after: process.signalled process=w}";
  const Story restarted = Story()
                              .Up("w")
                              .Exited("w", 1, "unexpected")
                              .At(5s)
                              .Up("w")
                              .At(10s)
                              .Signalled("w", 15)
                              .At(12s)
                              .Exited("w", 0, "asked");
  EXPECT_THAT(Judged(check, restarted), Passes("exited with code 0"));
  EXPECT_THAT(Judged(check, Story().Up("w").Exited("w", 0, "unexpected")),
              IsUnknown("never happened"));
}

TEST(Exits, StillRunningIsJudgedWhenTheTimeIsOver) {
  const Story up = Story().At(1s).Up("w");
  EXPECT_EQ(DeadlineAfter("exits: {worker: w, within: 2s}", up), 3s);
  EXPECT_THAT(Judged("exits: {worker: w, within: 2s}", up, 3s - 1ns),
              IsUnknown("still running when observation ended"));
  EXPECT_THAT(Judged("exits: {worker: w, within: 2s}", up, 3s), Fails("still running after 2.00s"));
  EXPECT_THAT(Judged("exits: {worker: w}", Story().Up("v").Exited("v", 0, "asked")),
              IsUnknown("never started"));
}

TEST(Exits, RefusesParametersThatContradict) {
  EXPECT_THAT(MakeChecker(Spec("exits: {worker: w, signal: 9, code: 0}")).status().ToString(),
              ::testing::HasSubstr("not both"));
  EXPECT_THAT(MakeChecker(Spec("exits: {worker: w, after: process.exploded}")).status().ToString(),
              ::testing::HasSubstr("exits: after: unknown process event 'exploded'"));
}

// ----------------------------------------------------------------------------------------------------------------
// stays_up

constexpr const char* kStays = "stays_up: {worker: w, for: 2s}";

TEST(StaysUp, IsWatchedLongEnough) {
  const Story up = Story().At(1s).Up("w");
  EXPECT_EQ(DeadlineAfter(kStays, up), 3s);
  EXPECT_THAT(Judged(kStays, up, 3s - 1ns), IsUnknown("observation ended"));
  EXPECT_THAT(Judged(kStays, up, 3s), Passes("up for 2.00s"));
}

TEST(StaysUp, FailsWithCodeAndLastLines) {
  const Verdict verdict = Judged(
      kStays, Story().Up("w").At(310ms).Exited("w", 1, "unexpected", "line 1\nRuntimeError: boom"));
  EXPECT_THAT(verdict, Fails("exited with code 1 after 310.0ms"));
  EXPECT_THAT(verdict, Fails("RuntimeError: boom"));
}

TEST(StaysUp, ACleanExitNobodyAskedForIsStillOne) {
  EXPECT_THAT(Judged(kStays, Story().Up("w").At(9s).Exited("w", 0, "unexpected")),
              Fails("exited with code 0"));
}

TEST(StaysUp, EndingWhenAskedOrInjectedIsNotItsFault) {
  EXPECT_THAT(Judged(kStays, Story().Up("w").Exited("w", 0, "asked")), Passes("as asked"));
  EXPECT_THAT(Judged(kStays, Story().Up("w").Killed("w", 9, "injected").At(1s).Up("w"), 10s),
              Passes("up for"));
}

TEST(StaysUp, AnyOfItsLivesCounts) {
  EXPECT_THAT(Judged(kStays, Story().Up("w").Exited("w", 1, "unexpected").At(1s).Up("w"), 10s),
              Fails("code 1"));
}

TEST(StaysUp, NeverStartedIsUnknownAndNotStartableFails) {
  EXPECT_THAT(Judged(kStays, Story().Up("v"), 10s), IsUnknown("never started"));
  Story story = Story().Process("starting", "w", "worker", 0);
  story.Add(ProcessEvent{
      .what = "start_failed", .process = "w", .role = "worker", .detail = "no such program"});
  EXPECT_THAT(Judged(kStays, story, 10s), Fails("no such program"));
}

// ------------------------------------------------------------------------------------------------------
// no_unexpected_exit

TEST(NoUnexpectedExit, WatchesEveryProcess) {
  const Story fine = Story()
                         .ServerUp()
                         .Up("w")
                         .Exited("w", 0, "asked")
                         .Exited("temporal", 0, "asked", "", "server");
  EXPECT_THAT(Judged("no_unexpected_exit", fine), Passes("2 processes"));
  EXPECT_THAT(Judged("no_unexpected_exit",
                     Story().ServerUp().Killed("temporal", 11, "unexpected", "server")),
              Fails("temporal was killed by signal 11"));
  EXPECT_THAT(Judged("no_unexpected_exit: {except: [w]}",
                     Story().ServerUp().Up("w").Exited("w", 1, "unexpected")),
              Passes("1 process"));
  EXPECT_THAT(Judged("no_unexpected_exit", Story()), IsUnknown("no process"));
}

TEST(NoUnexpectedExit, CommandsMayComeToTheirEnd) {
  EXPECT_THAT(Judged("no_unexpected_exit",
                     Story().Up("job", "command").Exited("job", 0, "unexpected", "", "command")),
              Passes(""));
  EXPECT_THAT(Judged("no_unexpected_exit",
                     Story().Up("job", "command").Exited("job", 2, "unexpected", "", "command")),
              Fails("job exited with code 2"));
}

// ----------------------------------------------------------------------------------------------------
// nothing_left_running

TEST(NothingLeftRunning, WaitsAfterTheLastStep) {
  const char* check = "nothing_left_running: {processes: [w, v], within: 2s}";
  Story story =
      Story().Up("w").Up("v", "worker", 101).Exited("v", 1, "unexpected").At(5s).Judging();
  EXPECT_EQ(DeadlineAfter(check, story), 7s);
  EXPECT_THAT(Judged(check, story, 7s - 1ns), IsUnknown("w (pid 100), when observation ended"));
  EXPECT_THAT(Judged(check, story, 7s), Fails("still running: w (pid 100)"));
  EXPECT_THAT(Judged(check, story.At(7s).Exited("w", 1, "unexpected")), Passes("2 ends"));
}

TEST(NothingLeftRunning, ByDefaultSpeaksOfWorkersAndNeedsOne) {
  EXPECT_THAT(Judged("nothing_left_running", Story().ServerUp().Judging(), 10s),
              IsUnknown("none of them"));
  EXPECT_THAT(Judged("nothing_left_running", Story().ServerUp().Up("w").Judging(), 10s),
              Fails("w (pid 100)"));
  EXPECT_THAT(Judged("nothing_left_running",
                     Story().ServerUp().Up("w").Exited("w", 1, "unexpected").Judging(), 10s),
              Passes(""));
}

// -----------------------------------------------------------------------------------------------------------
// graceful_stop

constexpr const char* kGraceful = "graceful_stop: {worker: w, within: 8s}";

Story Stopping() {
  return Story()
      .Up("w")
      .Says("w", "task", "slow", "a")
      .Activity("scheduled", "a", 0)
      .Activity("started", "a", 1)
      .At(1s)
      .Signalled("w", 15);
}

TEST(GracefulStop, PassesWhenTheRunningAttemptCompletes) {
  EXPECT_THAT(
      Judged(kGraceful,
             Stopping().At(6s).Activity("completed", "a", 1).At(9s).Exited("w", 0, "asked")),
      Passes("1 task in flight finished"));
}

TEST(GracefulStop, TheLimitIsInclusive) {
  EXPECT_THAT(Judged(kGraceful,
                     Stopping().Activity("completed", "a", 1).At(9s + 1ns).Exited("w", 0, "asked")),
              Fails("ended only"));
  const Story hanging = Stopping().Activity("completed", "a", 1);
  EXPECT_EQ(DeadlineAfter(kGraceful, hanging), 9s);
  EXPECT_THAT(Judged(kGraceful, hanging, 9s - 1ns), IsUnknown("still running"));
  EXPECT_THAT(Judged(kGraceful, hanging, 9s), Fails("still running 8.00s after signal 15"));
}

TEST(GracefulStop, FailsWhenTheAttemptIsLost) {
  const Story dropped = Stopping().At(2s).Exited("w", 0, "asked");
  EXPECT_THAT(Judged(kGraceful, dropped), Fails("not finished: activity slow of a"));
  Story again = dropped;
  EXPECT_THAT(Judged(kGraceful, again.At(7s)
                                    .Activity("timed_out", "a", 1)
                                    .Activity("started", "a", 2)
                                    .Activity("completed", "a", 2)),
              Fails("attempt 1 was lost, 2 completed"));
}

TEST(GracefulStop, FailsWithAnotherCodeOrASignal) {
  EXPECT_THAT(Judged(kGraceful, Stopping().Activity("completed", "a", 1).Exited("w", 1, "asked")),
              Fails("exited with code 1"));
  EXPECT_THAT(Judged(kGraceful, Stopping().Activity("completed", "a", 1).Killed("w", 15, "asked")),
              Fails("killed by signal 15"));
}

TEST(GracefulStop, NothingInFlightOrNoSignalShowsNothing) {
  const Story idle = Story().Up("w").At(1s).Signalled("w", 15).Exited("w", 0, "asked");
  EXPECT_THAT(Judged(kGraceful, idle), IsUnknown("nothing was in flight"));
  EXPECT_THAT(Judged("graceful_stop: {worker: w, in_flight: false}", idle), Passes("0 tasks"));
  EXPECT_THAT(Judged(kGraceful, Story().Up("w").Exited("w", 0, "asked")),
              IsUnknown("never asked to stop"));
  EXPECT_THAT(Judged(kGraceful, Story().Up("w").Signalled("w", 9).Killed("w", 9, "injected")),
              IsUnknown("never asked to stop"));
}

TEST(GracefulStop, ActivitiesOfOtherQueuesAreOthersBusiness) {
  Story story = Stopping();
  story.Activity("completed", "a", 1);
  Story other = Story().Up("w").Says("w", "task", "slow", "a");
  other.Add(ActivityEvent{.what = "started",
                          .workflow_id = "b",
                          .activity_id = "1",
                          .type = "slow",
                          .task_queue = "elsewhere",
                          .attempt = 1});
  other.Activity("started", "a", 1)
      .At(1s)
      .Signalled("w", 15)
      .Activity("completed", "a", 1)
      .Exited("w", 0, "asked");
  EXPECT_THAT(Judged(kGraceful, other), Passes("1 task in flight"));
}

TEST(GracefulStop, WithoutActivityEventsTheWorkersOwnLinesShowIt) {
  const auto stopping = [] {
    return Story().Up("w").Begins("a").Says("w", "task", "Slow", "a").At(1s).Signalled("w", 15);
  };
  EXPECT_THAT(
      Judged(kGraceful, stopping().At(3s).Says("w", "effect", "slow", "a").Exited("w", 0, "asked")),
      Passes("1 task in flight finished"));
  EXPECT_THAT(Judged(kGraceful, stopping().At(3s).Exited("w", 0, "asked")),
              Fails("not finished: workflow a"));
  EXPECT_THAT(Judged(kGraceful, Story()
                                    .Up("w")
                                    .Begins("a")
                                    .Says("w", "task", "Ping", "a")
                                    .Workflow("completed", "a", "r1")
                                    .Signalled("w", 15)
                                    .Exited("w", 0, "asked")),
              IsUnknown("nothing was in flight"));
}

TEST(GracefulStop, WhatAnotherWorkerCompletesLaterWasNotFinished) {
  const auto stopping = [] {
    return Story().Up("w").Begins("a").Says("w", "task", "Slow", "a").At(1s).Signalled("w", 15);
  };
  EXPECT_THAT(Judged(kGraceful, stopping()
                                    .At(2s)
                                    .Exited("w", 0, "asked")
                                    .Says("v", "effect", "slow", "a", 200)
                                    .Workflow("completed", "a", "r1")),
              Fails("not finished: workflow a"));
  EXPECT_THAT(
      Judged(kGraceful, stopping().At(2s).Workflow("completed", "a", "r1").Exited("w", 0, "asked")),
      Passes("1 task"));
}

// -------------------------------------------------------------------------------------------------------------------
// order

constexpr const char* kOrder =
    "order: {events: [process.exited process=w, process.exited process=temporal]}";

TEST(Order, FirstOccurrencesComeInTheOrderGiven) {
  EXPECT_THAT(Judged(kOrder, Story().Exited("w", 0, "asked").Exited("temporal", 0, "asked")),
              Passes(""));
  EXPECT_THAT(
      Judged(kOrder, Story().At(1s).Exited("temporal", 0, "asked").At(2s).Exited("w", 0, "asked")),
      Fails("at 1.00s, before process.exited process=w at 2.00s"));
  EXPECT_THAT(
      Judged(
          kOrder,
          Story().Exited("w", 0, "asked").Exited("temporal", 0, "asked").Exited("w", 0, "asked")),
      Passes(""));
}

TEST(Order, WhatIsMissingFailsUnlessAllIs) {
  EXPECT_THAT(Judged(kOrder, Story().Exited("w", 0, "asked")),
              Fails("never happened: process.exited process=temporal"));
  EXPECT_THAT(Judged(kOrder, Story().Up("w")), IsUnknown("none of it happened"));
}

TEST(Order, NeedsTheKindsItSpeaksOf) {
  const auto checker = MakeChecker(Spec("order: {events: [worker.polling, workflow.accepted]}"));
  ASSERT_TRUE(checker.ok());
  EXPECT_THAT((*checker)->Needs(), ::testing::ElementsAre("worker", "workflow"));
  EXPECT_FALSE(MakeChecker(Spec("order: {events: [worker.polling]}")).ok());
}

}  // namespace
}  // namespace squall::scenarios
