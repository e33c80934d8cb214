// Time: the manual clock moves as told, the real one forward, and both are printed for people.

#include "base/util/clock.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace squall {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, StartsAtZeroAndAFixedDay) {
  const ManualClock clock;
  EXPECT_EQ(clock.Now(), SteadyTime{});
  EXPECT_EQ(FormatWall(clock.WallNow()), "2026-01-01T00:00:00.000000000Z");
}

TEST(ManualClock, AdvanceMovesBothClocks) {
  ManualClock clock;
  const WallTime wall = clock.WallNow();
  clock.Advance(1500ms);
  EXPECT_EQ(clock.Now(), SteadyTime(1500ms));
  EXPECT_EQ(clock.WallNow(), wall + 1500ms);
  const Moment moment = clock.MomentNow();
  EXPECT_EQ(moment.steady, clock.Now());
  EXPECT_EQ(moment.wall, clock.WallNow());
}

TEST(ManualClock, NeverGoesBack) {
  ManualClock clock;
  clock.Advance(10s);
  clock.Advance(-5s);
  EXPECT_EQ(clock.Now(), SteadyTime(10s));
  clock.AdvanceTo(SteadyTime(4s));
  EXPECT_EQ(clock.Now(), SteadyTime(10s));
  clock.AdvanceTo(SteadyTime(12s));
  EXPECT_EQ(clock.Now(), SteadyTime(12s));
}

TEST(ManualClock, SettingTheCalendarLeavesSteadyTimeAlone) {
  ManualClock clock;
  clock.Advance(3s);
  clock.SetWall(WallTime(0s));
  EXPECT_EQ(clock.Now(), SteadyTime(3s));
  clock.Advance(1s);
  EXPECT_EQ(clock.WallNow(), WallTime(1s));
}

TEST(RealClock, MovesForwardAndTellsThisCentury) {
  const RealClock clock;
  const SteadyTime first = clock.Now();
  EXPECT_LE(first, clock.Now());
  EXPECT_GT(clock.WallNow(), WallTime(1'700'000'000s));
  EXPECT_LT(clock.WallNow(), WallTime(4'000'000'000s));
}

TEST(FormatWall, PrintsNanosecondsAndPadsEveryPart) {
  EXPECT_EQ(FormatWall(WallTime(0s)), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatWall(WallTime(1'767'225'599s + 999'999'999ns)), "2025-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatWall(WallTime(1'772'323'445s + 7ns)), "2026-03-01T00:04:05.000000007Z");
}

TEST(FormatWall, BeforeTheEpochTheFractionStaysPositive) {
  EXPECT_EQ(FormatWall(WallTime(-1ns)), "1969-12-31T23:59:59.999999999Z");
}

TEST(FormatDuration, PicksTheUnitByMagnitude) {
  EXPECT_EQ(FormatDuration(0ns), "0ns");
  EXPECT_EQ(FormatDuration(999ns), "999ns");
  EXPECT_EQ(FormatDuration(850us), "850us");
  EXPECT_EQ(FormatDuration(12'300us), "12.3ms");
  EXPECT_EQ(FormatDuration(4'200ms), "4.20s");
  EXPECT_EQ(FormatDuration(125s), "2m05s");
  EXPECT_EQ(FormatDuration(60s), "1m00s");
  // Never a number that its unit does not hold: no 1000.0ms, no 60.00s.
  EXPECT_EQ(FormatDuration(999'960us), "1.00s");
  EXPECT_EQ(FormatDuration(59'999ms), "1m00s");
  EXPECT_EQ(FormatDuration(-4'200ms), "-4.20s");
}

// The scale is read once per process, so each value is tried in a process of its own.
class TimeoutScaleDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void ExitWithScaledTenSeconds(const char* value) {
  if (value != nullptr) {
    setenv("SQUALL_TIMEOUT_SCALE", value, 1);
  } else {
    unsetenv("SQUALL_TIMEOUT_SCALE");
  }
  std::exit(static_cast<int>(Scaled(10s) / 1s / 10));
}

TEST_F(TimeoutScaleDeathTest, ComesFromTheEnvironmentWithinBounds) {
  EXPECT_EXIT(ExitWithScaledTenSeconds(nullptr), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(ExitWithScaledTenSeconds("3"), ::testing::ExitedWithCode(3), "");
  EXPECT_EXIT(ExitWithScaledTenSeconds("0.01"), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(ExitWithScaledTenSeconds("1000"), ::testing::ExitedWithCode(100), "");
  EXPECT_EXIT(ExitWithScaledTenSeconds("3x"), ::testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace squall
