// The picture of a journal: which lanes there are, what lies in them, and where rules broke.

#include "reports/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/reports/sample_journal.h"

namespace squall::reports {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// "bar 0-60ms plain label" of every item of a lane, by time.
std::vector<std::string> Told(const Timeline& timeline, LaneGroup group, std::string_view name) {
  constexpr std::array<const char*, 10> kLooks = {"bar",  "pending", "paused", "waiting", "dot",
                                                  "ring", "cross",   "tick",   "diamond", "flag"};
  constexpr std::array<const char*, 5> kTones = {"quiet", "plain", "good", "warn", "bad"};
  std::vector<std::string> told;
  for (const Item& item : timeline.items) {
    const Lane& lane = timeline.lanes[item.lane];
    if (lane.group != group || lane.name != name) continue;
    const auto ms = [](Duration d) { return std::to_string(d / 1ms); };
    told.push_back(std::string(kLooks[static_cast<std::size_t>(item.look)]) + " " + ms(item.begin) +
                   (IsBar(item.look) ? "-" + ms(item.end) : "") + (item.open ? "..." : "") +
                   " row " + std::to_string(item.row) + " " +
                   kTones[static_cast<std::size_t>(item.tone)] + " " + item.label);
  }
  return told;
}

std::vector<std::string> Lanes(const Timeline& timeline) {
  std::vector<std::string> names;
  for (const Lane& lane : timeline.lanes)
    names.push_back(std::string(LaneGroupName(lane.group)) + "/" + lane.name);
  return names;
}

const Fact* FactOf(const Item& item, std::string_view key) {
  const auto it = std::find_if(item.facts.begin(), item.facts.end(),
                               [key](const Fact& fact) { return fact.key == key; });
  return it == item.facts.end() ? nullptr : &*it;
}

TEST(Timeline, OfAnEmptyJournalIsEmpty) {
  const Timeline timeline = TimelineOf({});
  EXPECT_THAT(timeline.lanes, IsEmpty());
  EXPECT_THAT(timeline.items, IsEmpty());
  EXPECT_EQ(timeline.end, 0ms);
}

TEST(Timeline, HasALaneForEverythingInTheOrderOfItsGroups) {
  const Timeline timeline = TimelineOf(SampleJournal());
  EXPECT_THAT(Lanes(timeline), ElementsAre("checks/checks", "steps/steps", "faults/refuse on wire",
                                           "processes/temporal", "processes/w", "connections/wire",
                                           "calls/PollWorkflowTaskQueue", "pollers/q (workflow)",
                                           "workflows/order-1", "logs/w"));
  EXPECT_EQ(timeline.scenario, "R1");
  EXPECT_EQ(timeline.origin, WallTime(1795267800s));
  EXPECT_EQ(timeline.end, 4150ms);
  EXPECT_EQ(timeline.events, SampleJournal().size());
  EXPECT_TRUE(std::is_sorted(timeline.items.begin(), timeline.items.end(),
                             [](const Item& a, const Item& b) { return a.begin < b.begin; }));
  for (const Item& item : timeline.items) {
    ASSERT_LT(item.lane, timeline.lanes.size());
    EXPECT_LT(item.row, timeline.lanes[item.lane].rows) << item.label;
    EXPECT_LE(item.begin, item.end) << item.label;
    EXPECT_LE(item.end, timeline.end) << item.label;
    EXPECT_NE(item.sequence, 0u) << item.label;
  }
}

TEST(Timeline, ShadesAFaultFromItsInjectionToItsHealing) {
  const Timeline timeline = TimelineOf(SampleJournal());
  ASSERT_THAT(timeline.shades, SizeIs(1));
  EXPECT_EQ(timeline.shades[0].begin, 60ms);
  EXPECT_EQ(timeline.shades[0].end, 2005ms);
  EXPECT_FALSE(timeline.shades[0].open);
  EXPECT_THAT(Told(timeline, LaneGroup::kFaults, "refuse on wire"),
              ElementsAre("pending 55-60 row 0 warn refuse", "bar 60-2005 row 0 warn refuse",
                          "tick 100 row 0 warn refuse was met"));
}

TEST(Timeline, AFaultThatIsNotHealedLastsToTheEnd) {
  Telling t;
  t.At(1ms).Add(FaultEvent{.what = "injecting", .fault_id = "f", .fault = "stall", .target = "l"});
  t.At(2ms).Add(FaultEvent{.what = "injected", .fault_id = "f", .fault = "stall", .target = "l"});
  t.At(9ms).Add(RunEvent{.what = "finished"});
  const Timeline timeline = TimelineOf(t.events());
  ASSERT_THAT(timeline.shades, SizeIs(1));
  EXPECT_EQ(timeline.shades[0].end, 9ms);
  EXPECT_TRUE(timeline.shades[0].open);
}

TEST(Timeline, AFaultThatCouldNotBeInjectedShadesNothing) {
  Telling t;
  t.At(1ms).Add(FaultEvent{.what = "injecting", .fault_id = "f", .fault = "stall", .target = "l"});
  t.At(2ms).Add(FaultEvent{.what = "failed", .fault_id = "f", .fault = "stall", .target = "l"});
  const Timeline timeline = TimelineOf(t.events());
  EXPECT_THAT(timeline.shades, IsEmpty());
  EXPECT_THAT(Told(timeline, LaneGroup::kFaults, "stall on l"),
              Contains("cross 2 row 0 bad stall failed"));
}

TEST(Timeline, EveryAttemptToConnectIsAMark) {
  const Timeline timeline = TimelineOf(SampleJournal());
  EXPECT_THAT(
      Told(timeline, LaneGroup::kConnections, "wire"),
      ElementsAre(
          "diamond 45 row 0 quiet listening", "cross 100 row 0 bad attempt, connection 1",
          "cross 200 row 0 bad attempt, connection 2", "cross 400 row 0 bad attempt, connection 3",
          "cross 800 row 0 bad attempt, connection 4", "cross 1600 row 0 bad attempt, connection 5",
          "dot 3200 row 0 good attempt, connection 6", "pending 3200-3205 row 1 plain connection 6",
          "bar 3205-3800 row 1 plain connection 6", "cross 3800 row 1 bad connection 6 reset"));
}

TEST(Timeline, AnAttemptWithoutAnAnswerStaysOpen) {
  Telling t;
  t.At(1ms).Add(ConnectionEvent{.what = "attempt", .link = "l", .connection = 1});
  t.At(2ms).Add(ConnectionEvent{.what = "attempt", .link = "l", .connection = 2});
  t.At(7ms).Add(
      ConnectionEvent{.what = "failed", .link = "l", .connection = 2, .detail = "no answer"});
  t.At(8ms).Add(ConnectionEvent{.what = "reset", .link = "l", .connection = 2});
  t.At(9ms).Add(RunEvent{.what = "finished"});
  EXPECT_THAT(
      Told(TimelineOf(t.events()), LaneGroup::kConnections, "l"),
      ElementsAre("ring 1 row 0 plain attempt, connection 1",
                  "pending 1-9... row 1 plain connection 1",
                  "cross 2 row 0 bad attempt, connection 2", "pending 2-7 row 2 bad connection 2"));
}

TEST(Timeline, ConnectionsShareARowWhereTheyDoNotOverlap) {
  Telling t;
  const auto life = [&t](std::uint64_t n, Duration from, Duration to) {
    t.At(from).Add(ConnectionEvent{.what = "established", .link = "l", .connection = n});
    t.At(to).Add(ConnectionEvent{.what = "closed", .link = "l", .connection = n});
  };
  life(1, 1ms, 5ms);
  life(2, 6ms, 9ms);
  life(3, 10ms, 12ms);
  EXPECT_EQ(TimelineOf(t.events()).lanes[0].rows, 2);
  life(4, 13ms, 20ms);
  t.At(15ms).Add(ConnectionEvent{.what = "established", .link = "l", .connection = 5});
  EXPECT_EQ(TimelineOf(t.events()).lanes[0].rows, 3);
}

TEST(Timeline, TellsTheLifeOfAProcessAndWhyItEnded) {
  const Timeline timeline = TimelineOf(SampleJournal());
  const std::vector<std::string> told = Told(timeline, LaneGroup::kProcesses, "w");
  EXPECT_THAT(told, Contains("pending 70-3205 row 0 plain starting"));
  EXPECT_THAT(told, Contains("bar 3205-3810 row 0 plain running"));
  EXPECT_THAT(told, Contains("cross 3810 row 0 bad exit 1, unexpected"));
  EXPECT_THAT(told, Contains("waiting 801-1601 row 1 warn waits 800.0ms"));
  EXPECT_THAT(Told(timeline, LaneGroup::kProcesses, "temporal"),
              Contains("cross 4150 row 0 quiet SIGTERM, asked"));
}

TEST(Timeline, ShowsPausesRestartsAndFailedStarts) {
  Telling t;
  const auto say = [&t](Duration at, ProcessEvent event) {
    event.process = "p";
    t.At(at).Add(std::move(event));
  };
  say(1ms, {.what = "starting"});
  say(2ms, {.what = "ready"});
  say(3ms, {.what = "signalled", .signal = 19});
  say(3ms, {.what = "paused"});
  say(6ms, {.what = "resumed"});
  say(7ms, {.what = "exited", .signal = 9, .reason = "injected"});
  say(8ms, {.what = "starting"});
  say(9ms, {.what = "start_failed", .detail = "no such file"});
  EXPECT_THAT(Told(TimelineOf(t.events()), LaneGroup::kProcesses, "p"),
              ElementsAre("pending 1-2 row 0 plain starting", "dot 2 row 0 good ready",
                          "bar 2-7 row 0 plain running", "diamond 3 row 0 warn SIGSTOP",
                          "diamond 3 row 0 warn paused", "paused 3-6 row 0 warn paused",
                          "cross 7 row 0 warn SIGKILL, injected",
                          "pending 8-9 row 0 plain starting", "cross 9 row 0 bad could not start"));
}

TEST(Timeline, DrawsEveryAttemptOfAnActivityAndTheTimeBetween) {
  const Timeline timeline = TimelineOf(SampleJournal());
  EXPECT_THAT(
      Told(timeline, LaneGroup::kWorkflows, "order-1"),
      ElementsAre("ring 3300 row 0 plain start requested", "pending 3300-3303 row 0 good Order",
                  "bar 3303-3680 row 0 good Order", "pending 3320-3330 row 1 plain Charge",
                  "bar 3330-3380 row 1 bad Charge, attempt 1", "cross 3380 row 1 bad Charge failed",
                  "waiting 3380-3600 row 1 plain Charge, until the next attempt",
                  "bar 3600-3650 row 1 good Charge, attempt 2",
                  "dot 3650 row 1 good Charge completed", "dot 3680 row 0 good completed"));
}

TEST(Timeline, WorkflowsBeyondTheLimitShareALane) {
  Telling t;
  for (int n = 0; n < 5; ++n)
    t.At(n * 1ms).Add(WorkflowEvent{.what = "requested", .workflow_id = "wf-" + std::to_string(n)});
  TimelineOptions options;
  options.most_workflow_lanes = 2;
  EXPECT_THAT(Lanes(TimelineOf(t.events(), options)),
              ElementsAre("workflows/wf-0", "workflows/wf-1", "workflows/further workflows"));
}

TEST(Timeline, ACallLastsFromItsArrivalToItsAnswer) {
  const Timeline timeline = TimelineOf(SampleJournal());
  EXPECT_THAT(Told(timeline, LaneGroup::kCalls, "PollWorkflowTaskQueue"),
              ElementsAre("bar 3210-3305 row 0 plain PollWorkflowTaskQueue"));
  EXPECT_THAT(Told(timeline, LaneGroup::kPollers, "q (workflow)"),
              ElementsAre("bar 3210-3305 row 0 good w@box"));
  Telling t;
  t.At(9ms).Add(RpcEvent{.what = "failed",
                         .side = "client",
                         .endpoint = "app",
                         .call = 1,
                         .method = "Start",
                         .code = 14,
                         .latency = 4ms});
  EXPECT_THAT(Told(TimelineOf(t.events()), LaneGroup::kCalls, "Start"),
              ElementsAre("bar 5-9 row 0 bad Start UNAVAILABLE (14)"));
}

TEST(Timeline, AViolationStandsWhereItBroke) {
  TimelineOptions options;
  options.broke_at["stays_up"] = SteadyTime(3810ms);
  const Timeline timeline = TimelineOf(SampleJournal(), options);
  ASSERT_THAT(timeline.violations, SizeIs(1));
  EXPECT_EQ(timeline.violations[0].check, "stays_up");
  EXPECT_EQ(timeline.violations[0].at, 3810ms);
  EXPECT_TRUE(timeline.violations[0].placed);
  EXPECT_THAT(
      Told(timeline, LaneGroup::kChecks, "checks"),
      ElementsAre("flag 3810 row 0 bad stays_up: fail", "dot 4100 row 0 good reconnects: pass"));
}

TEST(Timeline, AViolationWithoutAPlaceStandsWhereItWasJudged) {
  const Timeline timeline = TimelineOf(SampleJournal());
  ASSERT_THAT(timeline.violations, SizeIs(1));
  EXPECT_EQ(timeline.violations[0].at, 4100ms);
  EXPECT_FALSE(timeline.violations[0].placed);
}

TEST(Timeline, StepsThatFailBreakWhereTheyFailed) {
  Telling t;
  t.At(1ms).Add(StepEvent{.what = "begun", .index = 1, .step = "wait for w"});
  t.At(5ms).Add(StepEvent{.what = "timed_out", .index = 1, .step = "wait for w", .took = 4ms});
  t.At(9ms).Add(AssertionEvent{.what = "fail", .check = "steps"});
  const Timeline timeline = TimelineOf(t.events());
  ASSERT_THAT(timeline.violations, SizeIs(1));
  EXPECT_EQ(timeline.violations[0].at, 5ms);
  EXPECT_THAT(Told(timeline, LaneGroup::kSteps, "steps"),
              ElementsAre("bar 1-5 row 0 bad wait for w"));
}

TEST(Timeline, KeepsWhatAnEventSaysBesides) {
  const Timeline timeline = TimelineOf(SampleJournal());
  const auto exit = std::find_if(timeline.items.begin(), timeline.items.end(),
                                 [](const Item& item) { return item.label.starts_with("exit 1"); });
  ASSERT_NE(exit, timeline.items.end());
  ASSERT_NE(FactOf(*exit, "detail"), nullptr);
  EXPECT_EQ(FactOf(*exit, "detail")->value, "panic");
  EXPECT_EQ(FactOf(*exit, "exit_code")->value, "1");
  EXPECT_EQ(FactOf(*exit, "process")->value, "w");
}

TEST(Timeline, LeavesOutOutputAndCallsBeyondTheLimitAndSaysHowMany) {
  TimelineOptions options;
  options.most_items = 1000;
  const std::vector<Event> events = LargeJournal(20'000);
  const Timeline timeline = TimelineOf(events, options);
  EXPECT_GT(timeline.left_out, 1000u);
  // What tells the story stays: processes and connections are not left out.
  EXPECT_THAT(Lanes(timeline), Contains(HasSubstr("connections/wire")));
  EXPECT_EQ(TimelineOf(events).left_out, 0u);
}

}  // namespace
}  // namespace squall::reports
