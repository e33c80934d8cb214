// Where a rule broke: at the event that broke it, or when its time was up.

#include "scenarios/checks/breaking_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::map<std::string, SteadyTime> Points(const Story& story, const std::string& check) {
  const std::vector<CheckSpec> checks = {Spec(check)};
  const auto points = BreakingPoints(story.events(), checks);
  EXPECT_TRUE(points.ok()) << points.status();
  return points.ok() ? *points : std::map<std::string, SteadyTime>();
}

Story& Concluded(Story& story, const char* outcome = "fail") {
  return story.Judging().Add(AssertionEvent{.what = outcome, .check = "c"}).Finished();
}

TEST(BreakingPoint, OfAnEventIsItsTime) {
  Story story;
  story.Run()
      .At(10ms)
      .Up("w")
      .At(700ms)
      .Says("w", "polling")
      .At(1234ms)
      .Exited("w", 1, "unexpected");
  story.At(2s).Says("v", "polling").At(5s);
  EXPECT_THAT(Points(Concluded(story), "stays_up: {worker: w, for: 2s}"),
              ElementsAre(Pair("stays_up", SteadyTime(1234ms))));
}

TEST(BreakingPoint, OfAnOracleToo) {
  Story story;
  story.Run().Up("w").Up("v").At(300ms).Exited("v", 1, "unexpected").At(3s);
  EXPECT_THAT(Points(Concluded(story), "stays_up: {worker: w, for: 2s}"),
              ElementsAre(Pair("oracle:no_unexpected_exit", SteadyTime(300ms))));
}

TEST(BreakingPoint, OfADeadlineIsWhenTimeWasUp) {
  Story story;
  story.Run().Up("w").At(1s).Begins("slow").At(9s).Workflow("completed", "slow", "r1").At(10s);
  const auto points = Points(Concluded(story), "workflow_completed: {workflow: slow, within: 4s}");
  ASSERT_EQ(points.size(), 1u);
  // Accepted at 1 s, so due at 5 s.
  EXPECT_GE(points.begin()->second, SteadyTime(5s));
  EXPECT_LE(points.begin()->second, SteadyTime(5s + 2us));
}

TEST(BreakingPoint, AScaledLimitIsUpLater) {
  Story story;
  story.Add(RunEvent{.what = "started",
                     .scenario = "T1",
                     .subject = "s",
                     .world = "fake",
                     .observes = {"workflow"},
                     .versions = {{"timeout_scale", "2"}}});
  story.At(1s).Begins("slow").At(20s);
  const auto points = Points(Concluded(story), "workflow_completed: {workflow: slow, within: 4s}");
  ASSERT_EQ(points.size(), 1u);
  EXPECT_GE(points.begin()->second, SteadyTime(9s));
  EXPECT_LE(points.begin()->second, SteadyTime(9s + 2us));
}

TEST(BreakingPoint, WhatDoesNotFailHasNone) {
  Story story;
  story.Run().At(1s).Up("w").At(5s);
  EXPECT_THAT(Points(Concluded(story, "pass"), "stays_up: {worker: w, for: 2s}"), IsEmpty());
  EXPECT_THAT(Points(Story(), "stays_up: {worker: w, for: 2s}"), IsEmpty());
}

}  // namespace
}  // namespace squall::scenarios
