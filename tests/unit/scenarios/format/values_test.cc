#include "scenarios/format/values.h"

#include <gtest/gtest.h>

namespace squall::scenarios {
namespace {

using namespace std::chrono_literals;

TEST(Values, Durations) {
  EXPECT_EQ(ParseDuration("250ms"), Duration(250ms));
  EXPECT_EQ(ParseDuration("1.5s"), Duration(1500ms));
  EXPECT_EQ(ParseDuration("1m30s"), Duration(90s));
  EXPECT_EQ(ParseDuration("2h"), Duration(2h));
  EXPECT_EQ(ParseDuration("0s"), Duration(0));
  for (const char* bad : {"", "5", "s", "5 s", "-1s", "1s1m", "1s2s", "1.s", ".5s", "5sec", "1e3s",
                          "99999999999999h"}) {
    EXPECT_EQ(ParseDuration(bad), std::nullopt) << bad;
  }
}

TEST(Values, SizesAndRates) {
  EXPECT_EQ(ParseSize("64KiB"), 65536);
  EXPECT_EQ(ParseSize("1.5KB"), 1500);
  EXPECT_EQ(ParseSize("0B"), 0);
  EXPECT_EQ(ParseRate("1MiB/s"), 1048576);
  for (const char* bad : {"", "64", "64kib", "0.3B", "-1B", "1KiB/s"})
    EXPECT_EQ(ParseSize(bad), std::nullopt) << bad;
  EXPECT_EQ(ParseRate("1MiB"), std::nullopt);
}

TEST(Values, Numbers) {
  EXPECT_EQ(ParseInt("-12"), -12);
  EXPECT_EQ(ParseInt("0"), 0);
  for (const char* bad : {"", "+1", "01", "1.0", "0x1", "1 ", "99999999999999999999"}) {
    EXPECT_EQ(ParseInt(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(ParseNumber("0.25"), 0.25);
  for (const char* bad : {"nan", "inf", ".5", "1x", ""})
    EXPECT_EQ(ParseNumber(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace squall::scenarios
