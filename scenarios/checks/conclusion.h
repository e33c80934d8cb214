#pragma once
// What the checks and the step machine found, as the verdict on a subject.

#include <span>
#include <string>

#include "scenarios/format/scenario.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {

// What the results mean for a subject: the checks' judgement, and the machine's own results `steps`
// (counts where the subject was to pass; a broken one may well not get to its last step) and
// `infrastructure` (always unknown).
struct SubjectConclusion {
  Outcome verdict = Outcome::kUnknown;
  bool caught = false;
  std::string explanation;
};
SubjectConclusion ConcludeSubject(std::span<const CheckResult> results,
                                  const Expectation& expectation);

}  // namespace squall::scenarios
