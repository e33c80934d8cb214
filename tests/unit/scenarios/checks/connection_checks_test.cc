// reconnects, backoff_envelope, fault_hit.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

// --------------------------------------------------------------------------------------------------------------
// reconnects

constexpr const char* kBack = "reconnects: {worker: w, within: 10s}";

// A worker on queue q whose link was cut from 5 s to 20 s.
Story Healed() {
  return Story()
      .ServerUp()
      .Up("w")
      .Says("w", "started")
      .At(1s)
      .Poll("arrived")
      .At(5s)
      .Inject()
      .At(6s)
      .Poll("left", "100@box", 0)
      .At(20s)
      .Heal();
}

TEST(Reconnects, APollAfterTheHealingShowsIt) {
  EXPECT_THAT(Judged(kBack, Healed().At(22s).Poll("arrived")),
              Passes("poll of queue q arrived 2.00s after reset on wire was healed at 20.00s"));
}

TEST(Reconnects, TheLimitIsInclusive) {
  EXPECT_THAT(Judged(kBack, Healed().At(30s).Poll("arrived")), Passes(""));
  EXPECT_THAT(Judged(kBack, Healed().At(30s + 1ns).Poll("arrived")),
              Fails("only poll of queue q arrived 10.00s after"));
  EXPECT_EQ(DeadlineAfter(kBack, Healed()), 30s);
  EXPECT_EQ(DeadlineAfter(kBack, Healed().At(22s).Poll("arrived")), std::nullopt);
  EXPECT_THAT(Judged(kBack, Healed(), 30s - 1ns), IsUnknown("when observation ended"));
  EXPECT_THAT(Judged(kBack, Healed(), 30s),
              Fails("nothing of it in 10.00s since reset on wire was healed"));
}

TEST(Reconnects, WhatCameBeforeTheHealingDoesNotCount) {
  EXPECT_THAT(Judged(kBack,
                     Story()
                         .ServerUp()
                         .Up("w")
                         .Says("w", "started")
                         .Poll("arrived")
                         .At(5s)
                         .Inject()
                         .At(7s)
                         .Poll("arrived")
                         .At(20s)
                         .Heal(),
                     30s),
              Fails("nothing of it"));
}

TEST(Reconnects, WhatCameWhileTheHealingWasUnderWayCounts) {
  Story story = Story()
                    .ServerUp()
                    .Up("w")
                    .Says("w", "started")
                    .At(5s)
                    .Inject()
                    .At(20s)
                    .Fault("healing")
                    .Poll("arrived")
                    .At(20500ms)
                    .Fault("healed");
  EXPECT_THAT(Judged(kBack, story), Passes("0ns after"));
}

TEST(Reconnects, OnlyTheLastRestorationCounts) {
  Story story = Healed().At(21s).Poll("arrived").At(25s).Inject("again").At(40s).Heal("again");
  EXPECT_EQ(DeadlineAfter(kBack, story), 50s);
  EXPECT_THAT(Judged(kBack, story, 50s), Fails("since reset on wire was healed at 40.00s"));
  EXPECT_THAT(Judged(kBack, story.At(41s).Poll("arrived")), Passes("1.00s after"));
}

TEST(Reconnects, MayCountFromOneFaultAlone) {
  const char* check = "reconnects: {worker: w, within: 10s, after: outage}";
  EXPECT_THAT(
      Judged(check, Healed().At(21s).Poll("arrived").At(25s).Inject("again").At(60s).Heal("again")),
      Passes("1.00s after outage was healed"));
  EXPECT_THAT(
      Judged(check, Story().ServerUp().Up("w").Inject("again").Heal("again").Poll("arrived")),
      IsUnknown("outage was never healed"));
}

TEST(Reconnects, AFaultOnSeveralNodesIsHealedWithTheLast) {
  const char* check = "reconnects: {worker: w, within: 10s, after: outage}";
  Story story = Story()
                    .ServerUp()
                    .Up("w")
                    .At(5s)
                    .Inject("outage@wire")
                    .Inject("outage@other")
                    .At(10s)
                    .Heal("outage@other")
                    .At(11s)
                    .Poll("arrived")
                    .At(20s);
  EXPECT_THAT(Judged(check, story, 40s), IsUnknown("outage was never healed"));
  EXPECT_THAT(Judged(check, story.Heal("outage@wire").At(22s).Poll("arrived")),
              Passes("2.00s after outage was healed"));
}

TEST(Reconnects, NothingDisturbedOrNotAllRestoredIsUnknown) {
  EXPECT_THAT(Judged(kBack, Story().ServerUp().Up("w").Poll("arrived"), 60s),
              IsUnknown("nothing was disturbed"));
  EXPECT_THAT(Judged(kBack, Healed().At(21s).Inject("again").At(22s).Poll("arrived"), 60s),
              IsUnknown("still in force"));
  EXPECT_THAT(Judged(kBack, Healed().At(21s).Exited("temporal", 0, "asked", "", "server"), 60s),
              IsUnknown("a server down"));
}

TEST(Reconnects, AServerThatIsReadyAgainIsARestorationToo) {
  Story story = Story()
                    .ServerUp()
                    .Up("w")
                    .Says("w", "started")
                    .At(5s)
                    .Killed("temporal", 9, "asked", "server")
                    .At(8s)
                    .Process("starting", "temporal", "server")
                    .At(9s)
                    .Process("ready", "temporal", "server");
  EXPECT_THAT(Judged(kBack, story, 19s), Fails("since temporal was ready again at 9.00s"));
  EXPECT_THAT(Judged(kBack, story.At(11s).Says("w", "task", "Ping", "a")),
              Passes("task Ping reached it 2.00s after temporal was ready again"));
}

TEST(Reconnects, AServerThatComesLateIsOne) {
  Story story = Story().Up("w").At(7s).ServerUp();
  EXPECT_THAT(Judged(kBack, story, 17s), Fails("temporal was ready at last"));
  EXPECT_THAT(Judged(kBack, story.At(9s).Says("w", "connected")),
              Passes("w said connected 2.00s after"));
}

TEST(Reconnects, AWorkerThatIsStartedAgainIsOne) {
  Story story =
      Story().ServerUp().Up("w").At(3s).Killed("w", 9, "injected").At(4s).Up("w", "worker", 101);
  EXPECT_THAT(Judged(kBack, story, 14s), Fails("w was started again at 4.00s"));
  EXPECT_THAT(Judged(kBack, story.At(5s).Poll("arrived", "101@box")),
              Passes("1.00s after w was started again"));
}

TEST(Reconnects, CrashingAfterTheHealingDoesNotStartTheTimeAnew) {
  Story story = Healed()
                    .At(22s)
                    .Exited("w", 1, "unexpected", "boom")
                    .At(28s)
                    .Up("w", "worker", 101)
                    .At(31s)
                    .Poll("arrived", "101@box");
  EXPECT_THAT(Judged(kBack, story), Fails("only poll"));
  EXPECT_THAT(Judged(kBack, Healed().At(22s).Exited("w", 1, "unexpected", "boom"), 60s),
              Fails("boom"));
}

TEST(Reconnects, AHealthPageShowsNothing) {
  EXPECT_THAT(Judged(kBack, Healed().At(21s).Says("w", "healthy"), 30s), Fails("nothing of it"));
}

TEST(Reconnects, PollersThatTheServerListsCountByTheirLastAccess) {
  EXPECT_THAT(Judged(kBack, Healed().At(25s).Poll("seen", "100@box", 1, 6s), 30s),
              Fails("nothing of it"));
  EXPECT_THAT(Judged(kBack, Healed().At(25s).Poll("seen", "100@box", 1, 4s)),
              Passes("1.00s after"));
}

TEST(Reconnects, OnASharedQueueOnlyItsOwnPollsCount) {
  Story story = Healed();
  story.At(20s).Says("v", "started", "", "", 200);
  Story other = story;
  EXPECT_THAT(Judged(kBack, other.At(21s).Poll("arrived", "200@box"), 30s), Fails("nothing of it"));
  EXPECT_THAT(Judged(kBack, story.At(21s).Poll("arrived", "100@box")), Passes(""));
}

TEST(Reconnects, ALinkComesBackWithANewConnection) {
  const char* check = "reconnects: {link: wire, within: 2s}";
  EXPECT_THAT(
      Judged(
          check,
          Healed().At(21s).Connection("attempt").Connection("accepted").Connection("established")),
      Passes("connection 1 of wire"));
  EXPECT_THAT(Judged(check, Healed().At(21s).Connection("attempt").Connection("accepted"), 22s),
              Fails("nothing of it"));
  EXPECT_THAT(Judged(check, Healed().At(21s).Connection("established", "outage"), 22s),
              Fails("nothing of it"));
  EXPECT_FALSE(MakeChecker(Spec("reconnects: {within: 2s}")).ok());
}

TEST(Reconnects, AFaultThatEndsAWorkerIsRestoredByItsNextStartAndNeverHealed) {
  Story story = Story()
                    .ServerUp()
                    .Up("w")
                    .At(3s)
                    .Fault("injecting", "outage", "kill", "w")
                    .Killed("w", 9, "injected")
                    .Fault("injected", "outage", "kill", "w")
                    .At(4s)
                    .Up("w", "worker", 101);
  EXPECT_THAT(Judged(kBack, story, 14s), Fails("w was started again at 4.00s"));
  EXPECT_THAT(Judged(kBack, story.At(5s).Poll("arrived", "101@box")),
              Passes("1.00s after w was started again"));
  // Of a server the same name is another fault, which healing ends.
  Story server = Story()
                     .ServerUp()
                     .Up("w")
                     .At(3s)
                     .Fault("injecting", "outage", "kill", "temporal")
                     .Fault("injected", "outage", "kill", "temporal")
                     .At(5s)
                     .Poll("arrived");
  EXPECT_THAT(Judged(kBack, server, 20s), IsUnknown("nothing was disturbed and restored"));
}

TEST(Reconnects, AFaultThatIsOverAtOnceRestoresItself) {
  Story story = Story()
                    .ServerUp()
                    .Up("w")
                    .At(5s)
                    .Fault("injecting", "outage", "drop_connections")
                    .Fault("injected", "outage", "drop_connections");
  EXPECT_THAT(Judged(kBack, story, 15s), Fails("drop_connections on wire was over"));
  EXPECT_THAT(Judged(kBack, story.At(6s).Says("w", "task", "Ping", "a")), Passes("1.00s after"));
}

// --------------------------------------------------------------------------------------------------------
// backoff_envelope

constexpr const char* kHost = "backoff_envelope: {worker: host, delays: [1s, 2s, 4s]}";
constexpr const char* kWire = "backoff_envelope: {link: wire, delays: [1s, 2s, 4s]}";

// `connecting` at these times, each failing at once.
Story Attempts(const std::vector<Duration>& times) {
  Story story = Story().Up("host");
  for (const Duration time : times) story.At(time).Says("host", "connecting").Retrying("host");
  return story;
}
Story OnWire(const std::vector<Duration>& times) {
  Story story;
  for (const Duration time : times)
    story.At(time).Connection("attempt", "outage").Connection("reset", "outage");
  return story;
}

TEST(BackoffEnvelope, FollowsTheDelaysAndRepeatsTheLast) {
  EXPECT_THAT(Judged(kHost, Attempts({0s, 1s, 3s, 7s, 11s})),
              Passes("5 attempts in a row; gaps: 1.00s 2.00s 4.00s 4.00s"));
  EXPECT_THAT(Judged(kWire, OnWire({0s, 1s, 3s, 7s, 11s})), Passes("5 attempts"));
}

TEST(BackoffEnvelope, NamesTheFirstGapOutside) {
  EXPECT_THAT(Judged(kHost, Attempts({0s, 1s, 2s, 6s})),
              Fails("attempt 3 at 2.00s came 1.00s after attempt 2 instead of 2.00s"));
  EXPECT_THAT(Judged(kWire, OnWire({0s, 1s, 3s, 13s})),
              Fails("attempt 4 at 13.00s came 10.00s after"));
}

TEST(BackoffEnvelope, TheEdgesBelongToTheEnvelope) {
  // 1 s +- 20 % +- 100 ms.
  EXPECT_THAT(
      Judged("backoff_envelope: {link: wire, delays: [1s], min_attempts: 2}", OnWire({0s, 700ms})),
      Passes(""));
  EXPECT_THAT(
      Judged("backoff_envelope: {link: wire, delays: [1s], min_attempts: 2}", OnWire({0s, 1300ms})),
      Passes(""));
  EXPECT_THAT(Judged("backoff_envelope: {link: wire, delays: [1s], min_attempts: 2}",
                     OnWire({0s, 700ms - 1ns})),
              Fails(""));
  EXPECT_THAT(Judged("backoff_envelope: {link: wire, delays: [1s], min_attempts: 2}",
                     OnWire({0s, 1300ms + 1ns})),
              Fails(""));
}

TEST(BackoffEnvelope, ASlowMachineMayBeLateButNotEarly) {
  const std::string check = "backoff_envelope: {link: wire, delays: [1s], min_attempts: 2}";
  EXPECT_THAT(Judged(check, OnWire({0s, 1300ms + 1ns})), Fails(""));
  // 100 ms of slack become 300 ms, on the late side alone.
  EXPECT_THAT(JudgedSlowly(check, OnWire({0s, 1500ms}), 3), Passes(""));
  EXPECT_THAT(JudgedSlowly(check, OnWire({0s, 1500ms + 1ns}), 3), Fails(""));
  EXPECT_THAT(JudgedSlowly(check, OnWire({0s, 700ms - 1ns}), 3), Fails(""));
  EXPECT_THAT(JudgedSlowly(check, OnWire({0s}), 3), Fails("only 1 attempt"));
}

TEST(BackoffEnvelope, TooFewAttemptsFailAndNoneIsUnknown) {
  EXPECT_THAT(Judged(kHost, Attempts({0s, 1s, 3s})), Fails("only 3 attempts"));
  EXPECT_THAT(Judged("backoff_envelope: {worker: host, delays: [1s, 2s, 4s], min_attempts: 3}",
                     Attempts({0s, 1s, 3s})),
              Passes(""));
  EXPECT_THAT(Judged(kHost, Story().Up("host")), IsUnknown("no attempt"));
  EXPECT_THAT(Judged(kWire, Story().Connection("established")), IsUnknown("a link that refuses"));
}

TEST(BackoffEnvelope, TheDelayRunsFromTheFailureOfSlowAttempts) {
  Story story = Story().Up("host");
  // Each attempt hangs for 5 s before it fails.
  Duration now{};
  for (const Duration delay : {1s, 2s, 4s, 4s}) {
    story.At(now).Says("host", "connecting").At(now + 5s).Retrying("host", delay);
    now += 5s + delay;
  }
  EXPECT_THAT(Judged(kHost, story), Passes("gaps: 1.00s 2.00s 4.00s"));
}

TEST(BackoffEnvelope, AnAnnouncedDelayOutsideFails) {
  Story story = Story().Up("host");
  for (const Duration time : {0s, 1s, 3s, 7s})
    story.At(time).Says("host", "connecting").Retrying("host", 1s);
  EXPECT_THAT(Judged(kHost, story),
              Fails("after attempt 2 it announced a delay of 1.00s instead of 2.00s"));
}

TEST(BackoffEnvelope, WhatIsAnnouncedGetsNoSlack) {
  const std::string check = "backoff_envelope: {worker: host, delays: [100ms], min_attempts: 2}";
  const auto announced = [](Duration delay) {
    return Story()
        .Up("host")
        .Says("host", "connecting")
        .Retrying("host", delay)
        .At(delay)
        .Says("host", "connecting");
  };
  EXPECT_THAT(Judged(check, announced(80ms)), Passes(""));
  EXPECT_THAT(Judged(check, announced(120ms)), Passes(""));
  EXPECT_THAT(Judged(check, announced(80ms - 1ns)), Fails("announced a delay"));
  EXPECT_THAT(Judged(check, announced(120ms + 1ns)), Fails("announced a delay"));
  EXPECT_THAT(JudgedSlowly(check, announced(120ms + 1ns), 10), Fails("announced a delay"));
}

TEST(BackoffEnvelope, WorkersThatOnlyTellOfRetriesAreTimedByThem) {
  Story story = Story().Up("host");
  for (const Duration time : {0s, 1s, 3s, 7s}) story.At(time).Retrying("host");
  EXPECT_THAT(Judged(kHost, story), Passes("4 attempts"));
}

TEST(BackoffEnvelope, SuccessStartsTheSeriesAnew) {
  Story story = Attempts({0s, 1s, 3s, 7s});
  story.At(11s).Says("host", "connecting").Says("host", "connected");
  Story again = story;
  again.At(60s)
      .Says("host", "connecting")
      .Retrying("host")
      .At(61s)
      .Says("host", "connecting")
      .Retrying("host");
  EXPECT_THAT(Judged(kHost, again), Passes("5 attempts in a row"));
  Story wrong = story;
  wrong.At(60s).Says("host", "connecting").Retrying("host").At(64s).Says("host", "connecting");
  EXPECT_THAT(Judged(kHost, wrong), Fails("came 4.00s after attempt 1 instead of 1.00s"));
}

TEST(BackoffEnvelope, ConnectionsOpenedTogetherAreOneAttempt) {
  EXPECT_THAT(Judged(kWire, OnWire({0s, 20ms, 50ms, 1s, 1010ms, 3s, 7s})), Passes("4 attempts"));
}

TEST(BackoffEnvelope, SaysWhoseAttempts) {
  EXPECT_FALSE(MakeChecker(Spec("backoff_envelope: {delays: [1s]}")).ok());
  EXPECT_FALSE(MakeChecker(Spec("backoff_envelope: {worker: w, link: wire, delays: [1s]}")).ok());
  EXPECT_FALSE(MakeChecker(Spec("backoff_envelope: {worker: w, delays: []}")).ok());
}

// ---------------------------------------------------------------------------------------------------------------
// fault_hit

constexpr const char* kHit = "fault_hit: {fault: outage}";

TEST(FaultHit, AHitIsToldOrSeenOnTraffic) {
  EXPECT_THAT(Judged(kHit, Story().Inject().Fault("hit")), Passes("1 fault met"));
  EXPECT_THAT(Judged(kHit, Story().Inject().Connection("reset", "outage")), Passes(""));
  EXPECT_THAT(Judged(kHit, Story().Inject().Add(RpcEvent{
                               .what = "answered", .side = "server", .fault_id = "outage"})),
              Passes(""));
  EXPECT_THAT(
      Judged(kHit, Story().Fault("injected", "outage", "kill", "w").Killed("w", 9, "injected")),
      Passes(""));
}

TEST(FaultHit, AFaultThatNothingMetFails) {
  EXPECT_THAT(
      Judged(kHit,
             Story().Inject().Connection("established").Connection("reset", "another").Heal()),
      Fails("nothing met outage (reset on wire)"));
}

TEST(FaultHit, AllNodesAndRoundsOfAStepAreOneFault) {
  Story rounds = Story()
                     .Fault("injecting", "outage@w", "kill", "w")
                     .Fault("injected", "outage@w", "kill", "w")
                     .Fault("hit", "outage@w", "kill", "w")
                     .Fault("injecting", "outage@v#2", "kill", "v")
                     .Fault("failed", "outage@v#2", "kill", "v", "v does not run");
  EXPECT_THAT(Judged(kHit, rounds), Passes("1 fault met"))
      << "who is not there in one round is not met then";
  EXPECT_THAT(Judged(kHit, Story()
                               .Fault("injecting", "outage@v#2", "kill", "v")
                               .Fault("failed", "outage@v#2", "kill", "v", "v does not run")),
              IsUnknown("v does not run"));
  EXPECT_THAT(Judged(kHit, rounds.Fault("healing", "outage@w")
                               .Fault("failed", "outage@w", "reset", "wire", "port taken")),
              IsUnknown("port taken"));
}

TEST(FaultHit, AFaultThatDidNotWorkIsUnknown) {
  EXPECT_THAT(Judged(kHit, Story()), IsUnknown("never injected"));
  EXPECT_THAT(Judged(kHit, Story().Inject("another").Fault("hit", "another")),
              IsUnknown("never injected"));
  EXPECT_THAT(Judged(kHit, Story().Inject().Fault("hit").Fault("healing").Fault(
                               "failed", "outage", "reset", "wire", "port taken")),
              IsUnknown("failed: port taken"));
}

}  // namespace
}  // namespace squall::scenarios
