// Columns, cuts and wraps.

#include "reports/text_width.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace squall::reports {
namespace {

using ::testing::ElementsAre;

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0u);
  EXPECT_EQ(DisplayWidth("plain"), 5u);
  EXPECT_EQ(DisplayWidth("Größe"), 5u);
  EXPECT_EQ(DisplayWidth("漢字"), 4u);
  EXPECT_EQ(DisplayWidth("ｆｕｌｌ"), 8u);
  EXPECT_EQ(DisplayWidth("🌩"), 1u);  // text presentation by default: one column on terminals
  EXPECT_EQ(DisplayWidth("🚀"), 2u);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1u);  // combining accent
  EXPECT_EQ(DisplayWidth("a\u200bb"), 2u);
}

TEST(DisplayWidth, EachBrokenByteIsOneReplacement) {
  EXPECT_EQ(DisplayWidth("a\xff\xfe"
                         "b"),
            4u);
  EXPECT_EQ(DisplayWidth("\xe6\xbc"), 2u);          // cut in the middle of a character
  EXPECT_EQ(DisplayWidth("\xc0\xaf"), 2u);          // overlong
  EXPECT_EQ(DisplayWidth("\xed\xa0\x80"), 3u);      // surrogate
  EXPECT_EQ(DisplayWidth("\xf4\x90\x80\x80"), 4u);  // beyond Unicode
}

TEST(OneLine, MakesControlsAndBrokenBytesVisible) {
  EXPECT_EQ(OneLine("a\nb\tc"), "a\\x0ab\\x09c");
  EXPECT_EQ(OneLine("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(OneLine("\xc2\x9b"
                    "31m"),
            "\\x9b31m");  // CSI as one character
  EXPECT_EQ(OneLine("x\xffy"), "x\uFFFDy");
  EXPECT_EQ(OneLine("Größe 漢字"), "Größe 漢字");
}

TEST(Truncated, CutsBetweenCharactersAndSaysSo) {
  EXPECT_EQ(Truncated("exactly", 7), "exactly");
  EXPECT_EQ(Truncated("too long", 7), "too ...");
  EXPECT_EQ(Truncated("Größenwahn", 7), "Größ...");
  EXPECT_EQ(Truncated("漢字漢字", 6),
            "漢...");  // the second would need column 5 and 6 less the dots
  EXPECT_EQ(Truncated("漢字漢字", 7), "漢字...");
  EXPECT_EQ(Truncated("abc", 2), "..");
  EXPECT_EQ(Truncated("abc", 0), "");
}

TEST(Padded, IsExactlyAsWideAsAsked) {
  for (const char* text : {"", "x", "Größe", "漢字漢字", "a very long text indeed", "🚀🚀🚀"}) {
    for (std::size_t width : {0u, 1u, 3u, 5u, 6u, 7u, 12u})
      EXPECT_EQ(DisplayWidth(Padded(text, width)), width) << text << " " << width;
  }
}

TEST(Wrapped, BreaksAtSpaces) {
  EXPECT_THAT(Wrapped("the quick brown fox", 10), ElementsAre("the quick", "brown fox"));
  EXPECT_THAT(Wrapped("the quick brown fox", 9), ElementsAre("the quick", "brown fox"));
  EXPECT_THAT(Wrapped("", 10), ElementsAre(""));
  EXPECT_THAT(Wrapped("a\n\nb", 10), ElementsAre("a", "", "b"));
}

TEST(Wrapped, BreaksLongWordsWhereItMust) {
  EXPECT_THAT(Wrapped("abcdefgh", 3), ElementsAre("abc", "def", "gh"));
  EXPECT_THAT(Wrapped("漢字漢字", 5), ElementsAre("漢字", "漢字"));
  EXPECT_THAT(Wrapped("go /a/very/long/path on", 8),
              ElementsAre("go", "/a/very/", "long/pat", "h on"));
}

TEST(Wrapped, NoLineIsWiderAndNothingIsLost) {
  const std::string text = "one two  three fourfivesixseven 漢字漢字漢字 eight nine ten";
  for (std::size_t width = 2; width < 40; ++width) {
    std::string letters;
    for (const std::string& line : Wrapped(text, width)) {
      EXPECT_LE(DisplayWidth(line), width) << line;
      for (const char c : line) {
        if (c != ' ') letters += c;
      }
    }
    std::string expected;
    for (const char c : text) {
      if (c != ' ') expected += c;
    }
    EXPECT_EQ(letters, expected) << width;
  }
}

}  // namespace
}  // namespace squall::reports
