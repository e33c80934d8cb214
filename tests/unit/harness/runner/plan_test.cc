#include "harness/runner/plan.h"

#include <gmock/gmock.h>

#include <set>

#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using scenarios::Scenario;
using scenarios::WorldKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> Labels(const std::vector<Job>& jobs) {
  std::vector<std::string> labels;
  for (const Job& job : jobs) labels.push_back(job.Label());
  return labels;
}

class PlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const scenarios::CheckTable checks = {{.name = "check", .doc = "A check."}};
    for (const char* id : {"E1", "E10", "R2"}) {
      const std::string text = fmt::format(
          "id: {0}\ntitle: t\ntags: [tag-{0}, all]\ntopology: {{servers: {{s: {{}}}}}}\nexpect: "
          "[check]\n"
          "subjects:\n  - {{name: broken, expect: {{fail: check}}}}\n  - {{name: fixed, expect: "
          "pass}}\n",
          id);
      auto loaded = scenarios::LoadScenario(text, fmt::format("lib/{}-long-name.yaml", id), checks);
      ASSERT_THAT(loaded, testing::IsOk());
      library_.push_back(*std::move(loaded));
    }
  }
  std::vector<Scenario> library_;
};

TEST(Glob, MatchesStarsAndQuestionMarks) {
  for (const auto& [pattern, text] :
       std::vector<std::pair<std::string, std::string>>{{"*", ""},
                                                        {"E*", "E10"},
                                                        {"E?", "E1"},
                                                        {"*/fixed", "E1/fixed"},
                                                        {"a*b*c", "axxbyybc"},
                                                        {"", ""},
                                                        {"E1", "E1"}}) {
    EXPECT_TRUE(GlobMatches(pattern, text)) << pattern << " " << text;
  }
  for (const auto& [pattern, text] : std::vector<std::pair<std::string, std::string>>{
           {"E1", "E10"}, {"E?", "E10"}, {"", "x"}, {"a*b", "ac"}, {"?", ""}, {"e1", "E1"}}) {
    EXPECT_FALSE(GlobMatches(pattern, text)) << pattern << " " << text;
  }
}

TEST_F(PlanTest, TakesAllSubjectsInEachWorldInOrder) {
  Selection selection;
  selection.worlds = {WorldKind::kFake, WorldKind::kReal};
  const auto plan = MakePlan(library_, selection, 1);
  ASSERT_OK(plan);
  ASSERT_THAT(*plan, SizeIs(12));
  EXPECT_EQ((*plan)[0].Label(), "E1/broken@fake");
  EXPECT_EQ((*plan)[1].Label(), "E1/broken@real");
  EXPECT_EQ((*plan)[11].Label(), "R2/fixed@real");
}

TEST_F(PlanTest, ChoosesByIdNameSubjectAndTag) {
  Selection selection;
  selection.patterns = {"E1"};
  EXPECT_THAT(Labels(*MakePlan(library_, selection, 1)),
              ElementsAre("E1/broken@fake", "E1/fixed@fake"));
  selection.patterns = {"*/fixed"};
  EXPECT_THAT(*MakePlan(library_, selection, 1), SizeIs(3));
  selection.patterns = {"R2-long-name", "E10/broken"};
  EXPECT_THAT(Labels(*MakePlan(library_, selection, 1)),
              ElementsAre("E10/broken@fake", "R2/broken@fake", "R2/fixed@fake"));
  selection.patterns = {};
  selection.tags = {"tag-R2"};
  EXPECT_THAT(*MakePlan(library_, selection, 1), SizeIs(2));
}

TEST_F(PlanTest, APatternThatFitsNothingIsAnError) {
  Selection selection;
  selection.patterns = {"E1", "R3"};
  EXPECT_THAT(MakePlan(library_, selection, 1),
              testing::StatusIs(StatusCode::kNotFound, HasSubstr("'R3' (did you mean 'R2'?)")));
}

TEST_F(PlanTest, ShardsPartitionThePlan) {
  std::multiset<std::string> all;
  for (int shard = 1; shard <= 4; ++shard) {
    Selection selection;
    selection.shard = shard;
    selection.shards = 4;
    for (const std::string& label : Labels(*MakePlan(library_, selection, 1))) all.insert(label);
  }
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 6u);
}

TEST_F(PlanTest, SeedsDependOnTheRunsSeedAndTheSubjectOnly) {
  const auto plan = MakePlan(library_, {}, 7);
  const auto again = MakePlan(library_, {}, 7);
  const auto other = MakePlan(library_, {}, 8);
  Selection one;
  one.patterns = {"R2/fixed"};
  const auto alone = MakePlan(library_, one, 7);
  std::set<std::uint64_t> seeds;
  for (std::size_t i = 0; i < plan->size(); ++i) {
    EXPECT_EQ((*plan)[i].seed, (*again)[i].seed);
    EXPECT_NE((*plan)[i].seed, (*other)[i].seed);
    seeds.insert((*plan)[i].seed);
  }
  EXPECT_EQ(seeds.size(), plan->size());
  EXPECT_EQ(alone->front().seed, plan->back().seed) << "what a failure report names repeats it";
}

TEST_F(PlanTest, TheRunSeedOfARepetitionRepeatsItAlone) {
  const auto plan = MakePlan(library_, {}, 7);
  const auto third = Repetition(*plan, 3, 7);
  EXPECT_EQ(third[0].Label(), "E1/broken@fake#3");
  EXPECT_NE(third[0].seed, (*plan)[0].seed);
  EXPECT_EQ(MakePlan(library_, {}, third[0].run_seed)->front().seed, third[0].seed);
  EXPECT_EQ(Repetition(*plan, 1, 7)[0].seed, (*plan)[0].seed);
}

}  // namespace
}  // namespace squall::harness
