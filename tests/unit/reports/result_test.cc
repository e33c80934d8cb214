// Results: status words, counts, order of ids, last lines, and the way to JSON and back.

#include "reports/result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "reports/summary.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/reports/sample.h"

namespace squall::reports {
namespace {

using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(StatusWord, TellsEveryKindOfResult) {
  std::vector<std::string> words;
  for (const SubjectReport& subject : SampleRun().subjects)
    words.emplace_back(StatusWordText(StatusOf(subject)));
  EXPECT_THAT(words, ElementsAre("CAUGHT", "PASS", "CAUGHT", "PASS", "FAIL", "MISSED", "UNKNOWN",
                                 "SKIP", "FLAKY", "FAIL", "LEAK", "UNKNOWN"));
}

TEST(CountOf, CountsEachSubjectOnceAndFlagsBeside) {
  const Counts counts = CountOf(SampleRun().subjects);
  EXPECT_EQ(counts.ran, 11u);
  EXPECT_EQ(counts.passed, 4u);
  EXPECT_EQ(counts.caught, 2u);
  EXPECT_EQ(counts.failed, 2u);
  EXPECT_EQ(counts.missed, 1u);
  EXPECT_EQ(counts.unknown, 2u);
  EXPECT_EQ(counts.skipped, 1u);
  EXPECT_EQ(counts.flaky, 2u);
  EXPECT_EQ(counts.leaky, 1u);
  EXPECT_EQ(counts.passed + counts.caught + counts.failed + counts.missed + counts.unknown,
            counts.ran);
}

TEST(NaturalLess, OrdersNumbersAsNumbers) {
  std::vector<std::string> ids = {"R10", "E2", "R2", "E10", "E1", "A", "A1", "R2b", "R02"};
  std::stable_sort(ids.begin(), ids.end(), NaturalLess);
  EXPECT_THAT(ids, ElementsAre("A", "A1", "E1", "E2", "E10", "R2", "R02", "R2b", "R10"));
  EXPECT_FALSE(NaturalLess("E1", "E1"));
}

TEST(VersionsOf, JoinsWhatDiffers) {
  const auto versions = VersionsOf(SampleRun().subjects);
  EXPECT_EQ(versions.at("core"), "0.10.1");
  EXPECT_EQ(versions.at("server"), "fake 0.1.0, temporal 1.9.1 (server 1.32.0)");
}

TEST(LastLines, AreTheLastInOrderAndHarmless) {
  std::vector<journal::Event> events;
  for (const char* line : {"one", "two", "\x1b[2Jthree"}) {
    events.push_back(
        {.sequence = events.size() + 1,
         .payload = journal::LogEvent{.what = "stdout", .process = "w", .line = line}});
    events.push_back(
        {.sequence = events.size() + 1, .payload = journal::StepEvent{.what = "begun"}});
    events.push_back(
        {.sequence = events.size() + 1,
         .payload = journal::LogEvent{.what = "stdout", .process = "v", .line = line}});
  }
  EXPECT_THAT(LastLines(events, 3),
              ElementsAre("v | two", "w | \\x1b[2Jthree", "v | \\x1b[2Jthree"));
  EXPECT_THAT(LastLines(events, 2, "w"), ElementsAre("w | two", "w | \\x1b[2Jthree"));
  EXPECT_THAT(LastLines(events, 100, "x"), ElementsAre());
}

TEST(SubjectJson, ComesBackTheSame) {
  for (const SubjectReport& subject : SampleRun().subjects) {
    if (subject.aborted) continue;  // its bytes are no UTF-8: below
    const std::string text = SubjectJson(subject);
    const auto back = SubjectFromJson(text);
    ASSERT_OK(back);
    EXPECT_EQ(SubjectJson(*back), text);
    EXPECT_EQ(back->seed, subject.seed);
    EXPECT_EQ(back->took, subject.took);
    EXPECT_EQ(back->began, subject.began);
    EXPECT_EQ(back->title, subject.title);
    EXPECT_EQ(back->last_lines, subject.last_lines);
    EXPECT_EQ(StatusOf(*back), StatusOf(subject));
  }
}

TEST(SubjectJson, WhatIsCutOffIsRefused) {
  const std::string whole = SubjectJson(SampleRun().subjects[0]);
  for (std::size_t i = 0; i + 2 < whole.size(); i += 7)
    EXPECT_FALSE(SubjectFromJson(whole.substr(0, i)).ok()) << i;
  EXPECT_FALSE(SubjectFromJson("{}").ok());
}

TEST(SubjectJson, BrokenBytesAreReplacedNotRefused) {
  const auto back = SubjectFromJson(SubjectJson(SampleRun().subjects.back()));
  ASSERT_OK(back);
  EXPECT_EQ(back->explanation, "cannot be told: \uFFFD\uFFFD bytes and \x01 controls");
}

TEST(SummaryJson, HoldsTheRunAndComesBackTheSame) {
  const RunReport run = SampleRun();
  const std::string text = SummaryJson(run);
  const auto parsed = nlohmann::json::parse(text);
  EXPECT_EQ(parsed["schema"], "squall-summary");
  EXPECT_EQ(parsed["version"], 1);
  EXPECT_EQ(parsed["counts"]["caught"], 2);
  EXPECT_EQ(parsed["subjects"].size(), 12u);
  EXPECT_EQ(parsed["subjects"][4]["status"], "FAIL");
  EXPECT_EQ(parsed["seed"], 11400714819323198485u);
  const auto back = SummaryFromJson(text);
  ASSERT_OK(back);
  EXPECT_EQ(SummaryJson(*back), text);
}

// docs/reports.md names every key that is written, and no other.
TEST(SummaryJson, IsDescribedKeyByKey) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  std::ifstream in(std::string(source != nullptr ? source : ".") + "/docs/reports.md");
  ASSERT_TRUE(in);
  std::vector<std::set<std::string>> tables;  // those headed "key"
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("| key |")) tables.emplace_back();
    inside = line.starts_with("|") && (inside || line.starts_with("| key |"));
    if (!inside || !line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find(" | "));
    for (std::size_t at = cell.find('`'); at != std::string::npos; at = cell.find('`', at + 1)) {
      const std::size_t end = cell.find('`', at + 1);
      tables.back().insert(cell.substr(at + 1, end - at - 1));
      at = end;
    }
  }
  ASSERT_EQ(tables.size(), 2u);
  const auto keys = [](const nlohmann::json& object) {
    std::set<std::string> names;
    for (const auto& [key, value] : object.items()) names.insert(key);
    return names;
  };
  const auto parsed = nlohmann::json::parse(SummaryJson(SampleRun()));
  EXPECT_EQ(tables[0], keys(parsed));
  EXPECT_EQ(tables[1], keys(parsed["subjects"][0]));
}

TEST(SummaryJson, RefusesWhatIsNone) {
  EXPECT_THAT(SummaryFromJson("{"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a summary")));
  EXPECT_THAT(SummaryFromJson("{}"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a summary")));
  EXPECT_THAT(SummaryFromJson(R"({"schema":"squall-summary","version":2})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("of version 1")));
  EXPECT_THAT(SubjectFromJson("[]"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a subject's result")));
  auto subject = nlohmann::json::parse(SubjectJson(SampleRun().subjects[0]));
  subject["verdict"] = "perhaps";
  EXPECT_THAT(SubjectFromJson(subject.dump()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no verdict 'perhaps'")));
}

}  // namespace
}  // namespace squall::reports
