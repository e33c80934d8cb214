// The page: whole, safe whatever its texts hold, and without secrets.

#include "reports/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/script_json.h"
#include "tests/unit/reports/sample.h"
#include "tests/unit/reports/sample_journal.h"

namespace squall::reports {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Escaped(std::string_view text) {
  std::string out;
  AppendScriptString(&out, text);
  return out;
}

TEST(ScriptString, HoldsNothingThatEndsItsScript) {
  const std::string out = Escaped(kHostileText);
  for (const char* bad : {"<", ">", "&", "\xe2\x80\xa8", "\xe2\x80\xa9", "\x1b", "\xff"})
    EXPECT_THAT(out, Not(HasSubstr(bad)));
}

TEST(ScriptString, ReadsBackAsItWas) {
  for (const std::string text :
       {"", "plain", "\"quoted\" and \\ and /", "</script>", "<!-- & -->", "a\nb\tc\r",
        "\xe2\x80\xa8\xe2\x80\xa9", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x8c\xa9", "\x01\x1f\x7f"}) {
    EXPECT_EQ(json::parse(Escaped(text)).get<std::string>(), text) << Escaped(text);
  }
}

TEST(ScriptString, ReplacesWhatIsNotUtf8) {
  // A lone byte, an overlong slash, a surrogate, beyond the last character, cut off.
  for (const std::string bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const auto read = json::parse(Escaped(bad)).get<std::string>();
    EXPECT_THAT(read, HasSubstr("\xef\xbf\xbd")) << Escaped(bad);
  }
}

TEST(StringTable, HoldsEveryTextOnceAndCutsLongOnes) {
  const Redactor redactor;
  StringTable table(redactor);
  EXPECT_EQ(table.Of("a"), 0u);
  EXPECT_EQ(table.Of("b"), 1u);
  EXPECT_EQ(table.Of("a"), 0u);
  table.Of(std::string(10'000, 'x'));
  const json read = json::parse(table.Json());
  ASSERT_EQ(read.size(), 3u);
  EXPECT_THAT(read[2].get<std::string>(), HasSubstr("(6000 more bytes)"));
}

// The content of the script element with this id.
std::string DataOf(const std::string& page, const std::string& id) {
  const std::string begin = "<script type=\"application/json\" id=\"" + id + "\">";
  const std::size_t at = page.find(begin);
  if (at == std::string::npos) return "";
  const std::size_t end = page.find("</script>", at);
  return page.substr(at + begin.size(), end - at - begin.size());
}

std::string PageOf(const RunReport& run, const Redactor& redactor) {
  TimelineShelf shelf;
  shelf.Add(TimelineKey(run.subjects[0]), TimelineJson(TimelineOf(SampleJournal()), redactor),
            true);
  return HtmlPage(run, shelf, redactor);
}

// Without printing all of a page where it is not as it should be.
bool Holds(const std::string& page, std::string_view part) {
  return page.find(part) != std::string::npos;
}

TEST(HtmlPage, HoldsTheRunAndItsTimelines) {
  const RunReport run = SampleRun();
  const std::string page = PageOf(run, Redactor());
  const json data = json::parse(DataOf(page, "run"));
  EXPECT_EQ(data["subjects"].size(), run.subjects.size());
  EXPECT_EQ(data["seed"], std::to_string(run.seed));
  EXPECT_EQ(data["subjects"][0]["status"], "CAUGHT");
  EXPECT_TRUE(data["subjects"][0]["timeline"].get<bool>());
  EXPECT_FALSE(data["subjects"][1]["timeline"].get<bool>());
  const json timeline = json::parse(DataOf(page, "timeline-0"));
  EXPECT_EQ(timeline["items"].size(), TimelineOf(SampleJournal()).items.size());
  for (const json& item : timeline["items"]) {
    ASSERT_EQ(item.size(), 10u);
    EXPECT_LT(item[7].get<std::size_t>(), timeline["strings"].size());
    for (const json& fact : item[9]) EXPECT_LT(fact.get<std::size_t>(), timeline["strings"].size());
  }
}

TEST(HtmlPage, NeedsNothingFromElsewhere) {
  const std::string page = PageOf(SampleRun(), Redactor());
  EXPECT_TRUE(Holds(page, "default-src 'none'"));
  for (const char* outside :
       {"http://", "https://", "<script src", "<img", "stylesheet", "@import", "url("})
    EXPECT_FALSE(Holds(page, outside)) << outside;
}

TEST(HtmlPage, TextsCannotBecomeMarkup) {
  RunReport run = SampleRun();
  run.subjects[0].title = kHostileText;
  run.subjects[0].explanation = kHostileText;
  run.subjects[0].checks[0].happened = kHostileText;
  const std::string page = PageOf(run, Redactor());
  EXPECT_FALSE(Holds(page, "<img"));
  // As many script elements as there are: the page's own, the run, one timeline.
  std::size_t ends = 0;
  for (std::size_t at = page.find("</script"); at != std::string::npos;
       at = page.find("</script", at + 1))
    ++ends;
  EXPECT_EQ(ends, 3u);
}

TEST(HtmlPage, HidesSecretsWhereverTheyStand) {
  RunReport run = SampleRun();
  run.subjects[0].explanation = std::string("refused with ") + kSampleSecret;
  run.subjects[0].last_lines = {std::string("key ") + kSampleSecret};
  const std::string with = PageOf(run, Redactor());
  EXPECT_TRUE(Holds(with, kSampleSecret)) << "the test would prove nothing";
  EXPECT_FALSE(Holds(PageOf(run, Redactor({kSampleSecret})), "sk-live-"));
}

TEST(TimelineShelf, DropsWhatIsAsItShouldBeFirst) {
  TimelineShelf shelf(100);
  shelf.Add("a", std::string(40, 'x'), true);
  shelf.Add("b", std::string(40, 'x'), true);
  shelf.Add("c", std::string(40, 'x'), false);
  shelf.Add("d", std::string(40, 'x'), false);
  EXPECT_NE(shelf.Find("a"), nullptr);
  EXPECT_EQ(shelf.Find("b"), nullptr);
  EXPECT_NE(shelf.Find("c"), nullptr);
  EXPECT_EQ(shelf.Find("d"), nullptr);
  EXPECT_EQ(shelf.left_out(), 2u);
}

}  // namespace
}  // namespace squall::reports
