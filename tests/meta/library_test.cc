// The scenario library and docs/scenarios.md against the loader and the table of checks.

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "scenarios/format/schema.h"
#include "tests/support/status_matchers.h"

namespace squall::scenarios {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string Source() { return std::getenv("SQUALL_SOURCE_DIR"); }

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Library : public ::testing::Test {
 protected:
  void SetUp() override {
    auto entries = LoadLibrary(Source() + "/scenarios/library", Checks());
    ASSERT_OK(entries);
    for (LibraryEntry& entry : *entries) {
      ASSERT_OK(entry.scenario) << entry.path;
      scenarios_.push_back(*std::move(entry.scenario));
    }
  }
  std::vector<Scenario> scenarios_;
};

// Every row of the five accounts; docs/incidents.md tells of each.
TEST_F(Library, HoldsAllIncidentsOfTheAccounts) {
  std::vector<std::string> ids;
  for (const Scenario& scenario : scenarios_) ids.push_back(scenario.id);
  const std::string doc = ReadText(Source() + "/docs/incidents.md");
  for (const auto& [letter, rows] :
       std::map<char, int>{{'E', 11}, {'I', 7}, {'R', 7}, {'A', 8}, {'W', 8}}) {
    for (int row = 1; row <= rows; ++row) {
      const std::string id = letter + std::to_string(row);
      EXPECT_THAT(ids, Contains(id));
      EXPECT_THAT(doc, HasSubstr("| " + id + " |"));
    }
  }
}

TEST_F(Library, EveryScenarioHasABrokenAndAFixedSubjectAndSaysWhy) {
  for (const Scenario& scenario : scenarios_) {
    bool broken = false, fixed = false;
    for (const Subject& subject : scenario.subjects) {
      broken = broken || (subject.name.starts_with("broken") && !subject.expect.pass());
      fixed = fixed || (subject.name.starts_with("fixed") && subject.expect.pass());
      EXPECT_FALSE(subject.why.empty()) << scenario.id << "/" << subject.name;
    }
    EXPECT_TRUE(broken && fixed) << scenario.id;
    EXPECT_FALSE(scenario.why.empty()) << scenario.id;
    EXPECT_THAT(scenario.tags, Contains("incident")) << scenario.id;
  }
}

TEST_F(Library, EveryCheckCanBeMade) {
  for (const Scenario& scenario : scenarios_) {
    for (const Subject& subject : scenario.subjects) {
      for (const CheckSpec& check : subject.checks)
        EXPECT_OK(MakeChecker(check)) << scenario.id << "/" << subject.name << ": " << check.id;
    }
  }
}

// What `make prove-long` runs.
TEST(LongScenarios, LoadAndHaveABrokenAndAFixedSubject) {
  const auto entries = LoadLibrary(Source() + "/scenarios/long", Checks());
  ASSERT_OK(entries);
  EXPECT_GE(entries->size(), 2u);
  for (const LibraryEntry& entry : *entries) {
    ASSERT_OK(entry.scenario) << entry.path;
    EXPECT_THAT(entry.scenario->tags, Contains("long")) << entry.path;
    ASSERT_NE(entry.scenario->FindSubject("broken"), nullptr) << entry.path;
    EXPECT_FALSE(entry.scenario->FindSubject("broken")->expect.pass()) << entry.path;
    ASSERT_NE(entry.scenario->FindSubject("fixed"), nullptr) << entry.path;
    EXPECT_TRUE(entry.scenario->FindSubject("fixed")->expect.pass()) << entry.path;
    for (const CheckSpec& check : entry.scenario->checks) EXPECT_OK(MakeChecker(check));
  }
}

TEST_F(Library, UsesThePythonAndTheGoSdk) {
  int python = 0, go = 0;
  for (const Scenario& scenario : scenarios_) {
    bool uses_python = false, uses_go = false;
    for (const Subject& subject : scenario.subjects) {
      for (const WorkerSpec& worker : subject.topology.workers) {
        uses_python = uses_python || worker.kind == WorkerSpec::Kind::kPython;
        const bool service = !worker.command.empty() && worker.command[0] == "{bin}/squall-service";
        uses_go = uses_go || service;
        // Without Go the subject is to be skipped, with the reason.
        if (service) {
          EXPECT_THAT(subject.needs.tools, Contains("go")) << scenario.id << "/" << subject.name;
        }
      }
    }
    python += uses_python ? 1 : 0;
    go += uses_go ? 1 : 0;
  }
  EXPECT_GE(python, 15);
  EXPECT_GE(go, 13);
}

TEST(ScenarioDocs, EveryYamlBlockLoads) {
  std::istringstream doc(ReadText(Source() + "/docs/scenarios.md"));
  std::string line, block;
  bool inside = false;
  int blocks = 0;
  while (std::getline(doc, line)) {
    if (!inside && line == "```yaml") {
      inside = true;
      block.clear();
    } else if (inside && line == "```") {
      inside = false;
      ++blocks;
      const auto loaded =
          LoadScenario(block, "docs/scenarios.md block " + std::to_string(blocks), Checks());
      ASSERT_OK(loaded);
      for (const CheckSpec& check : loaded->checks) EXPECT_OK(MakeChecker(check));
    } else if (inside) {
      block += line + "\n";
    }
  }
  EXPECT_GE(blocks, 4);
}

// SQUALL_UPDATE_DOCS=1 writes the reference anew.
TEST(ScenarioDocs, ReferenceIsThatOfTheTables) {
  const std::string path = Source() + "/docs/scenarios.md";
  const std::string text = ReadText(path);
  const std::string heading = "## Reference\n";
  const std::size_t begin = text.find("### ", text.find(heading));
  const std::string expected = ReferenceMarkdown(Checks());
  if (std::getenv("SQUALL_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << text.substr(0, begin) << expected;
    return;
  }
  ASSERT_NE(begin, std::string::npos);
  EXPECT_TRUE(text.substr(begin) == expected) << "run this test with SQUALL_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace squall::scenarios
