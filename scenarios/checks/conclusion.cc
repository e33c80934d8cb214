#include "scenarios/checks/conclusion.h"

#include <fmt/format.h>

#include "scenarios/checks/judge.h"
#include "scenarios/engine/step_machine.h"

namespace squall::scenarios {

SubjectConclusion ConcludeSubject(std::span<const CheckResult> results,
                                  const Expectation& expectation) {
  // Whatever else failed: when the infrastructure did, it may have been the cause.
  for (const CheckResult& result : results) {
    if (result.check != kInfrastructureCheck) continue;
    return {Outcome::kUnknown, false,
            fmt::format("infrastructure: {}: {}", result.expected, result.happened)};
  }
  const SubjectJudgement judgement = JudgeSubject(results, expectation);
  return {judgement.verdict, judgement.caught, judgement.explanation};
}

}  // namespace squall::scenarios
