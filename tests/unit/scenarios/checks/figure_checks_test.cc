// figure, same_text.

#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

Story Took(std::initializer_list<const char*> figures, const std::string& process = "w") {
  Story story;
  for (const char* figure : figures) story.Log(std::string("took ") + figure + " ms", process);
  return story;
}

TEST(Figure, BoundsAllTheMedianTheLastOrTheGrowth) {
  const auto of = [](const std::string& which) {
    return "figure: {process: w, pattern: 'took (.*) ms', of: " + which + ", at_most: 5}";
  };
  EXPECT_THAT(Judged(of("all"), Took({"1", "2.5", "5"})),
              Passes("3 figures: first 1, last 5, lowest 1, median 2.5, highest 5"));
  EXPECT_THAT(Judged(of("all"), Took({"1", "5.01", "2"})), Fails("highest 5.01"));
  EXPECT_THAT(Judged(of("lowest"), Took({"99", "5", "98"})), Passes(""));
  EXPECT_THAT(Judged(of("lowest"), Took({"99", "6", "98"})), Fails("lowest 6"));
  EXPECT_THAT(Judged(of("median"), Took({"1", "99", "2"})), Passes(""));
  EXPECT_THAT(Judged(of("median"), Took({"1", "99", "98"})), Fails("median 98"));
  EXPECT_THAT(Judged(of("last"), Took({"99", "5"})), Passes(""));
  EXPECT_THAT(Judged(of("last"), Took({"1", "6"})), Fails("last 6"));
  EXPECT_THAT(Judged(of("growth"), Took({"90", "95"})), Passes(""));
  EXPECT_THAT(Judged(of("growth"), Took({"0", "6"})), Fails(""));
}

TEST(Figure, LeavesOutTheFirstAndWantsEnough) {
  const char* check =
      "figure: {process: w, pattern: 'took (.*) ms', at_least: 10, skip: 1, min: 2}";
  EXPECT_THAT(Judged(check, Took({"1", "10", "11"})), Passes("2 figures"));
  EXPECT_THAT(Judged(check, Took({"1", "10"})), IsUnknown("1 figure of at least 2"));
  EXPECT_THAT(Judged(check, Took({"20", "10", "9"})), Fails("lowest 9"));
  EXPECT_THAT(Judged(check, Took({"20", "20", "20"}, "v")), IsUnknown("0 figures"));
}

TEST(Figure, WhatIsNoNumberFails) {
  EXPECT_THAT(Judged("figure: {process: w, pattern: 'took (.*) ms', at_most: 5}", Took({"1x"})),
              Fails("'1x' is no number"));
}

TEST(Figure, RefusesWhatMakesNoSense) {
  EXPECT_THAT(MakeChecker(Spec("figure: {process: w, pattern: 'took .* ms', at_most: 5}")).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("exactly one (group)")));
  EXPECT_THAT(MakeChecker(Spec("figure: {process: w, pattern: 'took (.*) ms'}")).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at_most")));
}

constexpr const char* kSameText =
    "same_text: {processes: [w, v], pattern: 'found ([0-9]+) events'}";

TEST(SameText, ComparesWhatProgramsWrite) {
  EXPECT_THAT(Judged(kSameText, Story().Log("found 7 events").Log("found 7 events", "v")),
              Passes("7"));
  EXPECT_THAT(Judged(kSameText, Story().Log("found 7 events").Log("found 9 events", "v")),
              Fails("w: 7; v: 9"));
  EXPECT_THAT(Judged(kSameText, Story().Log("found 7 events").Log("found 8 events")),
              Fails("w: 7 and 8"));
  EXPECT_THAT(Judged(kSameText, Story().Log("found 7 events").Log("found 8 events", "host")),
              IsUnknown("no such line of v"));
}

TEST(SameText, WantsTwoProcessesAndAGroup) {
  EXPECT_THAT(MakeChecker(Spec("same_text: {processes: [w], pattern: '(x)'}")).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at least two")));
  EXPECT_THAT(MakeChecker(Spec("same_text: {processes: [w, v], pattern: 'x'}")).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("exactly one (group)")));
}

}  // namespace
}  // namespace squall::scenarios
