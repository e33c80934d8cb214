#include "harness/runner/result.h"

#include <gmock/gmock.h>

#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using scenarios::CheckResult;
using scenarios::Expectation;
using scenarios::Outcome;
using ::testing::HasSubstr;

TEST(Result, SurvivesTheWayThroughJson) {
  SubjectResult in;
  in.scenario = "E1";
  in.title = "quotes \" and \n lines";
  in.subject = "broken";
  in.world = "fake";
  in.seed = 0x7fffffffffffffff;
  in.repetition = 3;
  in.expected_failures = {"a", "b"};
  in.verdict = Outcome::kFail;
  in.caught = true;
  in.checks = {{"a", Outcome::kFail, "e", "h"}, {"b", Outcome::kUnknown, "", ""}};
  in.leaks = {"process 1"};
  in.took = Duration(12345);
  in.began = WallTime(Duration(1767225600000000001));
  in.versions = {{"squall", "0.1.0"}};
  const auto out = ResultFromJson(ResultToJson(in));
  ASSERT_OK(out);
  EXPECT_EQ(ResultToJson(*out), ResultToJson(in));
  EXPECT_EQ(out->seed, in.seed);
  EXPECT_EQ(out->checks[1].outcome, Outcome::kUnknown);
}

TEST(Result, BytesThatAreNotTextDoNotBreakIt) {
  SubjectResult in;
  in.explanation = "last line: \xff\xfe";
  EXPECT_OK(ResultFromJson(ResultToJson(in)));
}

TEST(Result, WhatIsCutOffIsRefused) {
  const std::string whole = ResultToJson({});
  for (std::size_t i = 0; i + 2 < whole.size(); i += 7)
    EXPECT_FALSE(ResultFromJson(whole.substr(0, i)).ok()) << i;
  EXPECT_FALSE(ResultFromJson("{}").ok());
  EXPECT_FALSE(ResultFromJson("[1]").ok());
}

TEST(Conclude, ABrokenSubjectsStepsDoNotCountAgainstBeingCaught) {
  const std::vector<CheckResult> results = {{"zombie", Outcome::kFail, "", ""},
                                            {"steps", Outcome::kFail, "", ""}};
  const SubjectConclusion broken = ConcludeSubject(results, Expectation{{"zombie"}});
  EXPECT_EQ(broken.verdict, Outcome::kPass);
  EXPECT_TRUE(broken.caught);
  EXPECT_EQ(ConcludeSubject(results, Expectation{}).verdict, Outcome::kFail);
}

TEST(Conclude, StepsAloneCatchNothing) {
  const std::vector<CheckResult> results = {{"zombie", Outcome::kPass, "", ""},
                                            {"steps", Outcome::kFail, "", ""}};
  EXPECT_EQ(ConcludeSubject(results, Expectation{{"zombie"}}).verdict, Outcome::kFail);
  EXPECT_EQ(ConcludeSubject(results, Expectation{}).verdict, Outcome::kFail);
}

TEST(Conclude, InfrastructureIsUnknownWhateverElseFailed) {
  const std::vector<CheckResult> results = {
      {"zombie", Outcome::kFail, "", ""},
      {"infrastructure", Outcome::kUnknown, "heal cut", "no port"}};
  for (const Expectation& expectation : {Expectation{}, Expectation{{"zombie"}}}) {
    const SubjectConclusion conclusion = ConcludeSubject(results, expectation);
    EXPECT_EQ(conclusion.verdict, Outcome::kUnknown);
    EXPECT_FALSE(conclusion.caught);
    EXPECT_THAT(conclusion.explanation, HasSubstr("heal cut: no port"));
  }
}

}  // namespace
}  // namespace squall::harness
