#include "harness/runner/conclusion.h"

#include <fmt/format.h>

#include "scenarios/checks/judge.h"
#include "scenarios/engine/step_machine.h"

namespace squall::harness {

using scenarios::CheckResult;
using scenarios::Outcome;

SubjectConclusion ConcludeSubject(std::span<const CheckResult> results,
                                  const scenarios::Expectation& expectation) {
  // Whatever else failed: when the infrastructure did, it may have been the cause.
  for (const CheckResult& result : results) {
    if (result.check != scenarios::kInfrastructureCheck) continue;
    return {Outcome::kUnknown, false,
            fmt::format("infrastructure: {}: {}", result.expected, result.happened)};
  }
  const scenarios::SubjectJudgement judgement = scenarios::JudgeSubject(results, expectation);
  return {judgement.verdict, judgement.caught, judgement.explanation};
}

}  // namespace squall::harness
