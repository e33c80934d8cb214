// Suggestions for mistyped words, and output that cannot break a line.

#include "base/util/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace squall {
namespace {

const std::vector<std::string> kWords = {"workflow_completed", "not_zombie", "exits", "reconnects"};

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(Nearest("workflow_complete", kWords), "workflow_completed");
  EXPECT_EQ(Nearest("not_zmobie", kWords), "not_zombie");
  EXPECT_EQ(Nearest("exit", kWords), "exits");
  EXPECT_EQ(Nearest("exits", kWords), "exits");
}

TEST(Nearest, ASwapOfNeighboursIsOneEdit) {
  const std::vector<std::string> words = {"abc"};
  EXPECT_EQ(Nearest("acb", words), "abc");  // one edit of three letters is near; two would not be
  EXPECT_EQ(Nearest("cab", words), std::nullopt);
}

TEST(Nearest, FindsNothingWhenNothingIsNear) {
  EXPECT_EQ(Nearest("zebra", kWords), std::nullopt);
  EXPECT_EQ(Nearest("", kWords), std::nullopt);
  EXPECT_EQ(Nearest("exits", {}), std::nullopt);
}

TEST(Nearest, TheFirstOfEquallyNearWins) {
  const std::vector<std::string> words = {"cart", "card"};
  EXPECT_EQ(Nearest("carx", words), "cart");
}

TEST(DidYouMean, IsReadyToAppend) {
  EXPECT_EQ(DidYouMean("reconects", kWords), " (did you mean 'reconnects'?)");
  EXPECT_EQ(DidYouMean("zebra", kWords), "");
}

TEST(EscapeControl, LeavesTextAndEscapesTheRest) {
  EXPECT_EQ(EscapeControl("plain, Größe ✓"), "plain, Größe ✓");
  EXPECT_EQ(EscapeControl(std::string_view("a\nb\x1b[31m\x7f\0c", 11)),
            "a\\x0ab\\x1b[31m\\x7f\\x00c");
}

TEST(Trim, TakesTheSpaceOfBothEndsAlone) {
  EXPECT_EQ(Trim(" \t\r\n\v\fa b\n "), "a b");
  EXPECT_EQ(Trim("a"), "a");
  EXPECT_EQ(Trim(" \n"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(Split, GivesTheEmptyPartsToo) {
  EXPECT_THAT(Split("a,,b,", ','), ::testing::ElementsAre("a", "", "b", ""));
  EXPECT_THAT(Split("", ','), ::testing::ElementsAre(""));
}

TEST(LowerCase, ChangesLettersOfAsciiAlone) {
  EXPECT_EQ(LowerCase("TEMPORAL_Tls-1Ä"), "temporal_tls-1Ä");
}

TEST(Contains, FindsAPart) {
  EXPECT_TRUE(Contains("abc", "bc"));
  EXPECT_TRUE(Contains("abc", ""));
  EXPECT_FALSE(Contains("abc", "cb"));
}

TEST(FormatSecond, LeavesFractionsOut) {
  EXPECT_EQ(FormatSecond(WallTime(std::chrono::milliseconds(1767225600999))),
            "2026-01-01T00:00:00Z");
}

TEST(MarkdownCell, EscapesWhatWouldEndTheCell) {
  EXPECT_EQ(MarkdownCell("a word"), "a word");
  EXPECT_EQ(MarkdownCell("|a||b"), "\\|a\\|\\|b");
}

}  // namespace
}  // namespace squall
