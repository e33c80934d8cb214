#include "base/util/connection_pattern.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace squall {
namespace {

using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

// Of the first twelve connections.
std::string Chosen(std::string_view text) {
  const StatusOr<ConnectionPattern> pattern = ConnectionPattern::Parse(text);
  EXPECT_OK(pattern);
  std::string chosen;
  for (std::uint64_t i = 1; i <= 12; ++i) chosen += pattern->Matches(i) ? 'x' : '.';
  return chosen;
}

TEST(ConnectionPatternTest, ChoosesByNumber) {
  EXPECT_EQ(Chosen("1"), "x...........");
  EXPECT_EQ(Chosen("2-3"), ".xx.........");
  EXPECT_EQ(Chosen("5+"), "....xxxxxxxx");
  EXPECT_EQ(Chosen("1,3,6-7"), "x.x..xx.....");
  EXPECT_EQ(Chosen("2-3/3"), ".xx.xx.xx.xx");
  EXPECT_EQ(Chosen("1/4"), "x...x...x...");
  EXPECT_EQ(Chosen("3+/5"), "..xxx..xxx..");
}

TEST(ConnectionPatternTest, SaysWhatIsWrong) {
  for (const auto& [text, why] :
       {std::pair{"", "count from 1"}, std::pair{"0", "count from 1"},
        std::pair{"two", "count from 1"}, std::pair{"1,", "count from 1"},
        std::pair{"3-", "count from 1"}, std::pair{"-3", "count from 1"},
        std::pair{"3-2", "lower end"}, std::pair{"1/0", "behind the slash"},
        std::pair{"1/x", "behind the slash"}, std::pair{"4/3", "begins anew"}}) {
    EXPECT_THAT(ConnectionPattern::Parse(text),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)))
        << text;
  }
}

}  // namespace
}  // namespace squall
