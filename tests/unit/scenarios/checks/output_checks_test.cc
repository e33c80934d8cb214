// log_seen, log_never, error_names.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

TEST(LogSeen, FindsALineInTime) {
  const char* check = "log_seen: {process: w, pattern: 'shut.*down', within: 5s}";
  EXPECT_THAT(Judged(check, Story().At(5s).Log("shutting down")),
              Passes("at 5.00s: shutting down"));
  EXPECT_THAT(Judged(check, Story().At(5s + 1ns).Log("shutting down")), Fails("not among 1 line"));
  EXPECT_THAT(Judged(check, Story().At(1s).Log("shutting down", "v"), 5s),
              Fails("not among 0 lines"));
  EXPECT_EQ(DeadlineAfter(check, Story()), 5s);
  EXPECT_THAT(Judged(check, Story(), 5s - 1ns), IsUnknown("when observation ended"));
  EXPECT_THAT(Judged(check, Story(), 5s), Fails("not among"));
}

TEST(LogSeen, CountsFromAnEventOn) {
  const char* check = "log_seen: {pattern: bye, within: 2s, after: process.signalled process=w}";
  EXPECT_THAT(Judged(check, Story().At(1s).Log("bye").At(3s).Signalled("w", 15), 5s),
              Fails("not among 1 line"));
  EXPECT_THAT(Judged(check, Story().At(3s).Signalled("w", 15).At(5s).Log("bye")), Passes(""));
  EXPECT_THAT(Judged(check, Story().Log("bye"), 5s), IsUnknown("never happened"));
  EXPECT_EQ(DeadlineAfter(check, Story()), std::nullopt);
}

TEST(LogSeen, MayWantALevelAndANumber) {
  const char* check = "log_seen: {pattern: retry, level: WARN, min: 2, within: 9s}";
  EXPECT_THAT(
      Judged(check, Story().Log("retry", "w", "WARN").Log("retry", "w", "INFO").Log("retry"), 9s),
      Fails("only 1 time"));
  EXPECT_THAT(Judged(check, Story().Log("retry", "w", "WARN").Log("retry", "w", "ERROR")),
              Passes(""));
}

TEST(LogNever, FailsWithTheFirstSuchLine) {
  const char* check = "log_never: {process: w, pattern: 'secret-[a-z]+'}";
  EXPECT_THAT(Judged(check, Story().Log("fine").At(2s).Log("key secret-abc").Log("secret-x")),
              Fails("2 times, the first at 2.00s: key secret-abc"));
  EXPECT_THAT(Judged(check, Story().Log("fine").Log("secret-abc", "v")),
              Passes("none among 1 line"));
}

TEST(LogNever, SilenceProvesNothing) {
  EXPECT_THAT(Judged("log_never: {process: w, pattern: x}", Story().Log("noise", "v")),
              IsUnknown("no output"));
}

TEST(Log, LongLinesAreShortenedBetweenCharacters) {
  std::string line = "x";
  for (int i = 0; i < 200; ++i) line += "ü";
  const Verdict verdict = Judged("log_never: {pattern: x}", Story().Log(line));
  EXPECT_THAT(verdict, Fails("üü..."));
}

constexpr const char* kNames = "error_names: {process: w, text: [orders, not found], within: 10s}";

TEST(ErrorNames, OneErrorNamesTheCause) {
  EXPECT_THAT(
      Judged(kNames, Story().Up("w").At(1s).Add(WorkerEvent{
                         .what = "fatal", .worker = "w", .detail = "namespace orders not found"})),
      Passes("at 1.00s: namespace orders not found"));
  EXPECT_THAT(
      Judged(kNames, Story().Up("w").At(10s).Log("Namespace orders is not found.", "w", "ERROR")),
      Passes(""));
  EXPECT_THAT(Judged(kNames, Story().Up("w").Exited("w", 1, "unexpected",
                                                    "RuntimeError: orders not found")),
              Passes(""));
  EXPECT_THAT(Judged(kNames, Story().Up("w").Log("orders not found", "w", "", "stderr")),
              Passes(""));
}

TEST(ErrorNames, TwoErrorsTogetherDoNot) {
  EXPECT_THAT(
      Judged(kNames, Story().Up("w").Log("orders", "w", "ERROR").Log("not found", "w", "ERROR"),
             10s),
      Fails("none of 2 errors does, the last: not found"));
}

TEST(ErrorNames, WhatIsNoErrorOrSomebodyElsesOrTooLateDoesNotCount) {
  EXPECT_THAT(Judged(kNames,
                     Story()
                         .Up("w")
                         .Log("orders not found", "w", "INFO")
                         .Log("orders not found", "v", "ERROR"),
                     10s),
              Fails("no error"));
  EXPECT_THAT(Judged(kNames, Story().Up("w").At(10s + 1ns).Log("orders not found", "w", "ERROR")),
              Fails("none of 1 error"));
}

TEST(ErrorNames, TheTimeRunsFromItsStart) {
  const Story late = Story().At(20s).Up("w").At(30s);
  Story in_time = late;
  EXPECT_THAT(Judged(kNames, in_time.Log("orders not found", "w", "ERROR")), Passes("at 30.00s"));
  EXPECT_EQ(DeadlineAfter(kNames, late), 30s);
  EXPECT_EQ(DeadlineAfter(kNames, Story()), std::nullopt);
}

TEST(ErrorNames, TheTimeMayRunFromAnEvent) {
  const char* check =
      "error_names: {process: w, text: refused, within: 1s, after: worker.connecting worker=w}";
  // A slow start is no slow error.
  const auto names = [](Duration after) {
    return Story()
        .Up("w")
        .At(3s)
        .Says("w", "connecting")
        .At(3s + after)
        .Log("refused", "w", "ERROR");
  };
  EXPECT_THAT(Judged(check, names(1s)), Passes("at 4.00s: refused"));
  EXPECT_THAT(Judged(check, names(1s + 1ns)), Fails("none of 1 error"));
  EXPECT_EQ(DeadlineAfter(check, Story().Up("w").At(3s).Says("w", "connecting")), 4s);
  EXPECT_EQ(DeadlineAfter(check, Story().Up("w").At(3s)), std::nullopt);
  // What it complained of before does not count, nor does another worker's attempt.
  EXPECT_THAT(
      Judged(check, Story().Up("w").Log("refused", "w", "ERROR").At(3s).Says("w", "connecting"),
             4s),
      Fails("none of 1 error"));
  EXPECT_THAT(Judged(check, Story().Up("w").Says("v", "connecting").Log("refused", "w", "ERROR")),
              IsUnknown("worker.connecting worker=w never happened"));
}

TEST(ErrorNames, WaitsForTheErrorAndKnowsWhenThereWasNobody) {
  EXPECT_EQ(DeadlineAfter(kNames, Story().Up("w")), 10s);
  EXPECT_THAT(Judged(kNames, Story().Up("w"), 10s - 1ns), IsUnknown("not yet"));
  EXPECT_THAT(Judged(kNames, Story(), 10s), IsUnknown("nothing was seen of it"));
}

TEST(ErrorNames, AClientsErrorsAreThoseOfItsCalls) {
  const char* check = "error_names: {process: app, text: refused}";
  EXPECT_THAT(
      Judged(check, Story().Call(14, 1s, "StartWorkflowExecution", "app", "connection refused")),
      Passes(""));
  EXPECT_THAT(Judged(check, Story().Call(0, 1s, "StartWorkflowExecution", "app"), 30s),
              Fails("no error"));
}

}  // namespace
}  // namespace squall::scenarios
