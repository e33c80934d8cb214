// never, spacing.

#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

TEST(Never, FailsWithHowOftenAndTheFirst) {
  const char* check = "never: {event: 'log.stdout process=w line=/not registered/'}";
  EXPECT_THAT(
      Judged(check,
             Story().Log("fine").At(2s).Log("echo not registered").Log("it is not registered")),
      Fails("2 times, the first at 2.00s: echo not registered"));
  EXPECT_THAT(Judged(check, Story().Log("fine").Log("echo not registered", "v")),
              Passes("it never happened"));
}

TEST(Never, SilenceOfAKindProvesNothing) {
  EXPECT_THAT(Judged("never: {event: connection.attempt link=wire}", Story().Log("noise")),
              IsUnknown("no connection event at all"));
  EXPECT_THAT(
      Judged("never: {event: connection.attempt link=wire}", Story().Connection("listening")),
      Passes(""));
}

TEST(Never, MayAllowSome) {
  const char* check = "never: {event: worker.retrying worker=w, at_most: 2}";
  EXPECT_THAT(Judged(check, Story().Retrying("w").Retrying("w")), Passes("2 times"));
  EXPECT_THAT(Judged(check, Story().Retrying("w").Retrying("w").Retrying("w")),
              Fails("3 times, the first at 0ns: connection refused"));
}

TEST(Never, CountsBetweenTwoEvents) {
  const char* check =
      "never: {event: connection.attempt link=wire, after: fault.injected, until: fault.healed}";
  const auto story = [] { return Story().Connection("attempt"); };
  EXPECT_THAT(Judged(check, story()), IsUnknown("fault.injected never happened"));
  EXPECT_THAT(Judged(check, story().Inject().Heal().Connection("attempt")), Passes(""));
  EXPECT_THAT(Judged(check, story().Inject().Connection("attempt").Heal()), Fails("1 time"));
  // What starts the time is not itself counted.
  EXPECT_THAT(
      Judged("never: {event: log.stdout process=w, after: log.stdout process=w}", Story().Log("a")),
      Passes(""));
  EXPECT_THAT(Judged("never: {event: log.stdout process=w, after: log.stdout process=w}",
                     Story().Log("a").Log("b")),
              Fails("1 time"));
}

constexpr const char* kSpacing =
    "spacing: {event: worker.task worker=w task=charge, delays: [1s, 2s], early: 10ms, within: "
    "100ms}";

TEST(Spacing, BoundsEachGap) {
  const auto at = [](std::initializer_list<Duration> times) {
    Story story;
    for (const Duration time : times) story.At(time).Says("w", "task", "charge", "order");
    return story;
  };
  EXPECT_THAT(Judged(kSpacing, at({1s, 2s, 4s})), Passes("3 times, gaps 1.00s and 2.00s"));
  EXPECT_THAT(Judged(kSpacing, at({1s, 2s - 10ms, 4s + 90ms, 6s + 90ms})), Passes(""));
  EXPECT_THAT(Judged(kSpacing, at({1s, 2s - 11ms, 4s})), Fails("occurrence 2 at 1.99s"));
  EXPECT_THAT(Judged(kSpacing, at({1s, 2s, 4s + 101ms})), Fails("instead of 2.00s"));
  EXPECT_THAT(JudgedSlowly(kSpacing, at({1s, 2s, 4s + 101ms}), 3), Passes(""));
  // The last delay repeats.
  EXPECT_THAT(Judged(kSpacing, at({1s, 2s, 4s, 5s})), Fails("occurrence 4"));
}

TEST(Spacing, TooFewProveNothingOrFail) {
  EXPECT_THAT(Judged(kSpacing, Story().Says("w", "task", "other", "order")),
              IsUnknown("never happened"));
  EXPECT_THAT(
      Judged(
          kSpacing,
          Story().Says("w", "task", "charge", "order").At(1s).Says("w", "task", "charge", "order")),
      Fails("only 2 times"));
}

TEST(Spacing, WantsADelay) {
  EXPECT_THAT(MakeChecker(Spec("spacing: {event: worker.task, delays: []}")).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at least one")));
}

}  // namespace
}  // namespace squall::scenarios
