#include "scenarios/checks/conclusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace squall::scenarios {
namespace {

using ::testing::HasSubstr;

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
}  // namespace squall::scenarios
