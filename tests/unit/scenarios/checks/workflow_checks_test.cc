// workflow_completed, no_workflow_lost, effects_once.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

constexpr const char* kPing = "workflow_completed: {workflow: ping, result: hello, within: 5s}";

TEST(WorkflowCompleted, PassesWhenItCompletesOnceWithTheResult) {
  EXPECT_THAT(Judged(kPing, Story().At(1s).Begins("ping").At(2s).Workflow("completed", "ping", "r1",
                                                                          "\"hello\"")),
              Passes("after 1.00s"));
}

TEST(WorkflowCompleted, ComparesResultsAsJson) {
  const char* check = "workflow_completed: {workflow: ping, result: {b: 2, a: [1, true]}}";
  EXPECT_THAT(Judged(check, Story().Begins("ping").Workflow("completed", "ping", "r1",
                                                            R"({"a":[1,true],"b":2})")),
              Passes(""));
  EXPECT_THAT(Judged(check, Story().Begins("ping").Workflow("completed", "ping", "r1",
                                                            R"({"a":[true,1],"b":2})")),
              Fails("completed with"));
}

TEST(WorkflowCompleted, FailsOnAnotherResultOrEnd) {
  EXPECT_THAT(Judged(kPing, Story().Begins("ping").Workflow("completed", "ping", "r1", "\"bye\"")),
              Fails("completed with \"bye\""));
  EXPECT_THAT(Judged(kPing, Story().Begins("ping").Workflow("timed_out", "ping", "r1")),
              Fails("timed_out"));
  EXPECT_THAT(Judged("workflow_completed: {workflow: ping, status: cancelled}",
                     Story().Begins("ping").Workflow("cancelled", "ping", "r1")),
              Passes(""));
  EXPECT_THAT(Judged("workflow_completed: {workflow: ping, status: cancelled}",
                     Story().Begins("ping").Workflow("completed", "ping", "r1")),
              Fails("completed"));
}

TEST(WorkflowCompleted, IsUnknownWhenNobodyStartedItOrSawItsResult) {
  EXPECT_THAT(Judged(kPing, Story()), IsUnknown("nobody started"));
  EXPECT_THAT(Judged(kPing, Story().Begins("pong").Workflow("completed", "pong", "r1")),
              IsUnknown("nobody started workflow ping"));
  EXPECT_THAT(Judged(kPing, Story().Begins("ping").Workflow("completed", "ping", "r1")),
              IsUnknown("nobody saw its result"));
}

TEST(WorkflowCompleted, TheLimitIsInclusive) {
  const auto ends_at = [](Duration time) {
    return Story().At(1s).Begins("ping").At(time).Workflow("completed", "ping", "r1", "\"hello\"");
  };
  EXPECT_THAT(Judged(kPing, ends_at(6s)), Passes(""));
  EXPECT_THAT(Judged(kPing, ends_at(6s + 1ns)), Fails("only after"));
}

TEST(WorkflowCompleted, AnOpenWorkflowIsJudgedOnlyWhenItsTimeIsOver) {
  const Story open = Story().At(1s).Begins("ping");
  EXPECT_EQ(DeadlineAfter(kPing, open), 6s);
  EXPECT_THAT(Judged(kPing, open, 6s - 1ns), IsUnknown("still open when observation ended"));
  EXPECT_THAT(Judged(kPing, open, 6s), Fails("still open after 5.00s"));
  EXPECT_THAT(Judged("workflow_completed: {workflow: ping}", open), Fails("still open"));
  EXPECT_EQ(DeadlineAfter("workflow_completed: {workflow: ping}", open), std::nullopt);
}

TEST(WorkflowCompleted, RefusedAndLostAreNotCompleted) {
  Story refused = Story().Workflow("requested", "ping");
  refused.Add(WorkflowEvent{
      .what = "refused", .workflow_id = "ping", .code = 14, .detail = "no connection"});
  EXPECT_THAT(Judged(kPing, refused), Fails("refused: UNAVAILABLE: no connection"));
  EXPECT_THAT(Judged(kPing, Story().Begins("ping").Workflow("lost", "ping")), Fails("lost"));
}

TEST(WorkflowCompleted, SeveralReportsOfOneEndAreOneEnd) {
  EXPECT_THAT(Judged(kPing, Story()
                                .Begins("ping")
                                .Workflow("accepted", "ping", "r1", "", "server:temporal")
                                .Workflow("completed", "ping", "r1", "\"hello\"", "server:temporal")
                                .Workflow("completed", "ping", "r1", "\"hello\"")
                                .Workflow("completed", "ping", "", "\"hello\"")),
              Passes(""));
}

TEST(WorkflowCompleted, CompletingTwiceFails) {
  const auto twice = [] {
    return Story().Begins("ping").Workflow("completed", "ping", "r1", "\"hello\"",
                                           "server:temporal");
  };
  EXPECT_THAT(
      Judged(kPing, twice().Workflow("completed", "ping", "r2", "\"hello\"", "server:temporal")),
      Fails("closed 2 times"));
  EXPECT_THAT(
      Judged(kPing, twice().Workflow("completed", "ping", "r1", "\"hello\"", "server:temporal")),
      Fails("closed the same run twice"));
  EXPECT_THAT(Judged(kPing, twice().Workflow("failed", "ping", "r1")),
              Fails("completed and failed"));
  EXPECT_THAT(Judged(kPing, twice().Workflow("completed", "ping", "r1", "\"hello!\"")),
              Fails("with \"hello\" and with \"hello!\""));
}

TEST(WorkflowCompleted, AsManyRunsAsWereStartedMayClose) {
  EXPECT_THAT(
      Judged("workflow_completed: {workflow: ping}", Story()
                                                         .Begins("ping", "r1")
                                                         .Workflow("completed", "ping", "r1")
                                                         .Begins("ping", "r2")
                                                         .Workflow("completed", "ping", "r2")),
      Passes(""));
  EXPECT_THAT(
      Judged("workflow_completed: {workflow: ping}",
             Story().Begins("ping", "r1").Workflow("completed", "ping", "r1").Begins("ping", "r2")),
      Fails("still open"));
}

TEST(WorkflowCompleted, ContinuingAsNewIsNotAnEnd) {
  const Story on =
      Story().Begins("ping", "r1").Workflow("continued", "ping", "r1", "", "server:temporal");
  EXPECT_THAT(Judged("workflow_completed: {workflow: ping}", on), Fails("still open"));
  Story done = on;
  EXPECT_THAT(
      Judged("workflow_completed: {workflow: ping}", done.Workflow("completed", "ping", "r2")),
      Passes(""));
}

TEST(WorkflowCompleted, CountsNumberedWorkflows) {
  const char* check = "workflow_completed: {workflow: ping, count: 3}";
  Story story;
  for (const char* id : {"ping-1", "ping-2", "ping-3"}) story.Begins(id, id).At(1s);
  story.Workflow("completed", "ping-1", "ping-1").Workflow("completed", "ping-3", "ping-3");
  EXPECT_THAT(Judged(check, story), Fails("ping-2 was accepted and is still open"));
  EXPECT_THAT(Judged(check, story.Workflow("completed", "ping-2", "ping-2")),
              Passes("all 3 completed"));
}

TEST(WorkflowCompleted, WithoutANameSpeaksOfAllThatWereStarted) {
  EXPECT_THAT(Judged("workflow_completed", Story()), IsUnknown("nobody started a workflow"));
  Story story = Story().Begins("a", "r1").Begins("b", "r2").Workflow("completed", "a", "r1");
  EXPECT_THAT(Judged("workflow_completed", story), Fails("b was accepted"));
  EXPECT_THAT(Judged("workflow_completed", story.Workflow("completed", "b", "r2")),
              Passes("all 2 completed"));
}

// --------------------------------------------------------------------------------------------------------
// no_workflow_lost

constexpr const char* kLost = "no_workflow_lost: {within: 10s}";

TEST(NoWorkflowLost, EveryEndIsAnEnd) {
  EXPECT_THAT(Judged(kLost, Story()
                                .Begins("a", "r1")
                                .Begins("b", "r2")
                                .Workflow("completed", "a", "r1")
                                .Workflow("failed", "b", "r2")),
              Passes("2 accepted workflows"));
}

TEST(NoWorkflowLost, NothingAcceptedProvesNothing) {
  EXPECT_THAT(Judged(kLost, Story()), IsUnknown("0 workflows of at least 1"));
  EXPECT_THAT(Judged(kLost, Story().Workflow("requested", "a").Workflow("refused", "a")),
              IsUnknown("0 workflows"));
  EXPECT_THAT(
      Judged("no_workflow_lost: {min: 2}", Story().Begins("a").Workflow("completed", "a", "r1")),
      IsUnknown("1 workflow of at least 2"));
}

TEST(NoWorkflowLost, WaitsForTheBacklogFromTheLastDisturbanceOn) {
  Story story = Story()
                    .ServerUp()
                    .At(1s)
                    .Begins("a")
                    .Begins("b", "r2")
                    .Workflow("completed", "b", "r2")
                    .At(2s)
                    .Inject()
                    .At(20s)
                    .Heal()
                    .At(21s)
                    .Judging();
  EXPECT_EQ(DeadlineAfter(kLost, story), 31s);
  EXPECT_THAT(Judged(kLost, story, 31s - 1ns), IsUnknown("observation ended"));
  EXPECT_THAT(Judged(kLost, story, 31s), Fails("1 of 2 accepted workflows still open: a"));
  story.At(31s).Workflow("completed", "a", "r1");
  EXPECT_EQ(DeadlineAfter(kLost, story), std::nullopt);
  EXPECT_THAT(Judged(kLost, story), Passes(""));
}

TEST(NoWorkflowLost, LostOrClosedTwiceFailsAtOnce) {
  EXPECT_THAT(Judged(kLost, Story().Begins("a").Workflow("lost", "a")), Fails("the server lost a"));
  EXPECT_THAT(
      Judged(kLost,
             Story().Begins("a").Workflow("completed", "a", "r1").Workflow("completed", "a", "r2")),
      Fails("closed 2 times"));
}

TEST(NoWorkflowLost, LooksAtTheWorkflowsOfItsPatternOnly) {
  const Story story =
      Story().Begins("order-1", "r1").Begins("other", "r2").Workflow("completed", "order-1", "r1");
  EXPECT_THAT(Judged("no_workflow_lost: {workflows: ^order-}", story),
              Passes("1 accepted workflow"));
  EXPECT_THAT(Judged("no_workflow_lost: {workflows: other}", story, 10s), Fails("other"));
}

// ------------------------------------------------------------------------------------------------------------
// effects_once

TEST(EffectsOnce, CountsForEachKeyAndWorkflow) {
  const Story once = Story().Says("w", "effect", "charge", "a").Says("w", "effect", "charge", "b");
  EXPECT_THAT(Judged("effects_once: {key: charge}", once), Passes("2 effects"));
  Story twice = once;
  twice.Says("v", "effect", "charge", "a");
  EXPECT_THAT(Judged("effects_once: {key: charge}", twice), Fails("charge happened 2 times in a"));
  EXPECT_THAT(Judged("effects_once", twice), Fails("charge happened 2 times in a"));
  EXPECT_THAT(Judged("effects_once: {key: charge, at_most: 2}", twice), Passes(""));
}

TEST(EffectsOnce, AnEffectThatNeverHappenedIsNotOnce) {
  EXPECT_THAT(Judged("effects_once: {key: charge}", Story().Says("w", "effect", "mail", "a")),
              Fails("never happened"));
  EXPECT_THAT(Judged("effects_once: {key: charge, at_least: 0}", Story()),
              IsUnknown("no side effect"));
  EXPECT_THAT(Judged("effects_once", Story().Says("w", "task", "charge", "a")),
              IsUnknown("no side effect"));
  EXPECT_THAT(Judged("effects_once: {key: charge, workflows: 2}",
                     Story().Says("w", "effect", "charge", "a")),
              Fails("in 1 of 2 workflows"));
}

}  // namespace
}  // namespace squall::scenarios
