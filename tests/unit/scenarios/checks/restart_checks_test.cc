// no_crash_loop.

#include "tests/unit/scenarios/checks/story.h"

namespace squall::scenarios {
namespace {

constexpr const char* kLoop = "no_crash_loop: {worker: w, exits: 3, window: 10s}";

Story& LivesAndEnds(Story& story, Duration end, int code, const std::string& fatal = "") {
  story.Up("w");
  if (!fatal.empty()) {
    story.Add(WorkerEvent{.what = "fatal", .worker = "w", .pid = 100, .detail = fatal});
  }
  return story.At(end).Exited("w", code, "unexpected");
}

// As a platform tells of its container; its own process id is 100.
Story& Restart(Story& story, Duration at, const std::string& detail, std::int64_t pid = 100) {
  return story.At(at).Add(
      WorkerEvent{.what = "retrying", .worker = "w", .pid = pid, .detail = detail});
}

TEST(NoCrashLoop, IsOneFindingWithTheCommonCause) {
  Story story;
  LivesAndEnds(story, 1s, 3, "127.0.0.1:4711 refused");
  LivesAndEnds(story, 5s, 3, "127.0.0.1:4712 refused");
  EXPECT_THAT(Judged(kLoop, story), Passes("2 times, each time by: exit code 3, 127.0.0.1:4711"));
  LivesAndEnds(story, 11s, 3, "127.0.0.1:4713 refused");
  EXPECT_THAT(Judged(kLoop, story),
              Fails("it ended 3 times in 10.00s from 1.00s on, each time by: exit code 3, "
                    "127.0.0.1:4711 refused"));
}

TEST(NoCrashLoop, CountsWithinTheWindow) {
  Story story;
  for (const Duration at : {1s, 6s, 12s, 17s}) LivesAndEnds(story, at, 1);
  EXPECT_THAT(Judged(kLoop, story), Passes("4 times"));
  LivesAndEnds(story, 21s, 1);
  EXPECT_THAT(Judged(kLoop, story), Fails("3 times in 9.00s from 12.00s on"));
}

TEST(NoCrashLoop, TellsTheMostFrequentOfSeveralCauses) {
  Story story;
  LivesAndEnds(story, 1s, 3, "refused");
  LivesAndEnds(story, 2s, 1);
  LivesAndEnds(story, 3s, 3, "refused");
  EXPECT_THAT(Judged(kLoop, story), Fails("2 of 3 times by: exit code 3, refused"));
}

TEST(NoCrashLoop, WhatWasAskedForOrInjectedIsNoLoop) {
  Story story;
  for (const Duration at : {1s, 2s, 3s}) story.Up("w").At(at).Exited("w", 0, "asked");
  for (const Duration at : {4s, 5s, 6s}) story.Up("w").At(at).Killed("w", 9, "injected");
  EXPECT_THAT(Judged(kLoop, story), Passes("it did not end"));
}

TEST(NoCrashLoop, HearsOfThePlatformsContainer) {
  Story story;
  story.Up("w");
  Restart(story, 1s, "restart 1: liveness probe failed 3 times");
  Restart(story, 2s, "restart 2: liveness probe failed 3 times");
  // The container's own attempts to connect, and those of a host, are none.
  Restart(story, 2s, "restart 7: no", 101);
  Restart(story, 2s, "connection refused");
  EXPECT_THAT(Judged(kLoop, story), Passes("2 times"));
  Restart(story, 3s, "restart 3: liveness probe failed 3 times");
  EXPECT_THAT(Judged(kLoop, story), Fails("each time by: liveness probe failed 3 times"));
}

TEST(NoCrashLoop, NeverStartedIsUnknown) {
  EXPECT_THAT(Judged(kLoop, Story().Up("v")), IsUnknown("never started"));
}

}  // namespace
}  // namespace squall::scenarios
