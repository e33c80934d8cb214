// docs/incidents.md tells what the library holds: the tables that people write name the checks that
// catch and the programs that run, and the track record has a row for each subject.
//
// SQUALL_UPDATE_DOCS=1 writes the track record anew, with the outcomes of SQUALL_TRACK_RECORD (a
// summary.json) where that is given.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "reports/summary.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "tests/meta/track_record.h"
#include "tests/support/status_matchers.h"

namespace squall::scenarios {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> BetweenBackquotes(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = text.find('`'); at != std::string_view::npos; at = text.find('`', at + 1)) {
    const std::size_t end = text.find('`', at + 1);
    if (end == std::string_view::npos) break;
    words.emplace_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  return words;
}

class IncidentsDoc : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string source = std::getenv("SQUALL_SOURCE_DIR");
    path_ = source + "/docs/incidents.md";
    page_ = FileText(path_);
    auto entries = LoadLibrary(source + "/scenarios/library", Checks());
    ASSERT_OK(entries);
    for (LibraryEntry& entry : *entries) {
      ASSERT_OK(entry.scenario) << entry.path;
      library_.push_back(*std::move(entry.scenario));
    }
    std::sort(library_.begin(), library_.end(), [](const Scenario& a, const Scenario& b) {
      return reports::NaturalLess(a.id, b.id);
    });
    begin_ = page_.find(kTrackRecordHeading);
  }

  std::string path_, page_;
  std::size_t begin_ = 0;  // of the track record
  std::vector<Scenario> library_;
};

TEST_F(IncidentsDoc, TheTrackRecordIsThatOfTheLibrary) {
  ASSERT_NE(begin_, std::string::npos);
  Outcomes outcomes = OutcomesIn(page_.substr(begin_));
  if (const char* update = std::getenv("SQUALL_UPDATE_DOCS");
      update != nullptr && std::string_view(update) == "1") {
    if (const char* summary = std::getenv("SQUALL_TRACK_RECORD")) {
      const char* commit = std::getenv("SQUALL_COMMIT");
      const auto run = reports::SummaryFromJson(FileText(summary));
      ASSERT_OK(run);
      outcomes = OutcomesOf(*run, commit != nullptr ? commit : "an unknown commit");
    }
    std::ofstream(path_) << page_.substr(0, begin_) << TrackRecord(library_, outcomes);
    page_ = FileText(path_);
    outcomes = OutcomesIn(page_.substr(begin_));
  }
  EXPECT_TRUE(page_.substr(begin_) == TrackRecord(library_, outcomes))
      << "it is not that of the library: write it anew with SQUALL_UPDATE_DOCS=1";
  for (const Scenario& scenario : library_) {
    for (const Subject& subject : scenario.subjects) {
      for (const WorldKind world : subject.needs.worlds) {
        if (world == WorldKind::kSim) continue;  // sim_library plays them at every test
        const std::string key =
            scenario.id + "/" + subject.name + "/" + std::string(WorldName(world));
        EXPECT_TRUE(Plausible(subject, outcomes.cells[key]))
            << key << ": '" << outcomes.cells[key] << "'";
      }
    }
  }
}

// Of each scenario one row: id, what happened, caught by, fixed, programs.
TEST_F(IncidentsDoc, TheTablesNameWhatCatchesAndWhatRuns) {
  std::map<std::string, std::vector<std::string>> rows;
  std::istringstream lines(page_.substr(0, begin_));
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells = CellsOf(line);
    if (cells.size() < 5 || cells[0] == "id") continue;
    EXPECT_TRUE(rows.emplace(cells[0], cells).second) << cells[0] << " is told twice";
  }
  EXPECT_EQ(rows.size(), library_.size());
  for (const Scenario& scenario : library_) {
    ASSERT_TRUE(rows.contains(scenario.id)) << scenario.id << " has no row";
    const std::vector<std::string>& cells = rows[scenario.id];
    std::set<std::string> catching, programs;
    for (const Subject& subject : scenario.subjects) {
      for (const std::string& program : ProgramsOf(subject)) programs.insert(program);
      for (const CheckSpec& check : subject.checks) {
        const auto& fail = subject.expect.fail;
        if (std::find(fail.begin(), fail.end(), check.id) == fail.end()) continue;
        catching.insert(check.id);
        catching.insert(check.name);
      }
    }
    const std::vector<std::string> named = BetweenBackquotes(cells[2]);
    EXPECT_FALSE(named.empty()) << scenario.id << " does not say what catches it";
    for (const std::string& word : named) EXPECT_THAT(catching, Contains(word)) << scenario.id;
    std::set<std::string> told;
    std::istringstream list(cells[4]);
    for (std::string word; list >> word;) told.insert(word.substr(0, word.find(',')));
    EXPECT_EQ(told, programs) << scenario.id;
  }
}

TEST(TrackRecord, KeepsWhatWasMeasuredAndNamesWhatWasNot) {
  const auto scenario = LoadScenario(R"(
id: E1
title: t
topology: {servers: {temporal: {}}, workers: {w: {}}}
steps: [{wait_healthy: w}]
expect: [stays_up: {worker: w, for: 1s}]
subjects:
  - {name: broken, expect: {fail: stays_up}, needs: {worlds: [fake]}}
  - {name: fixed, expect: pass}
)",
                                     "E1.yaml", Checks());
  ASSERT_OK(scenario);
  reports::RunReport run;
  run.jobs = 4;
  run.took = std::chrono::seconds(9);
  reports::SubjectReport& broken = run.subjects.emplace_back();
  broken.scenario = "E1";
  broken.subject = "broken";
  broken.world = "fake";
  broken.expected_failures = {"stays_up"};
  broken.verdict = journal::Outcome::kPass;
  broken.caught = true;
  broken.took = std::chrono::milliseconds(1240);
  const std::string text = TrackRecord({*scenario}, OutcomesOf(run, "abc"));
  EXPECT_THAT(text, HasSubstr("| E1 | broken | `stays_up` | core | caught in 1.2 s |  |\n"));
  EXPECT_THAT(text, HasSubstr("| E1 | fixed |  | core | not measured | not measured |\n"));
  EXPECT_THAT(text, HasSubstr(" at abc: 1 of 1 as they should be in 9 s"));
  EXPECT_EQ(TrackRecord({*scenario}, OutcomesIn(text)), text);
  EXPECT_TRUE(Plausible(scenario->subjects[0], "caught in 1.2 s"));
  EXPECT_FALSE(Plausible(scenario->subjects[0], "passes in 1.2 s"));
  EXPECT_FALSE(Plausible(scenario->subjects[0], "MISSED"));
  EXPECT_FALSE(Plausible(scenario->subjects[1], "caught in 1.2 s"));
  EXPECT_THAT(CellsOf("| a |  | b, c |"), ElementsAre("a", "", "b, c"));
  EXPECT_THAT(CellsOf("no table"), IsEmpty());
}

}  // namespace
}  // namespace squall::scenarios
