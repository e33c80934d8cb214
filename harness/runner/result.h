#pragma once
// What came of one subject in one world: written by the process that ran it, read by the one that
// started it.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "scenarios/engine/step_machine.h"
#include "scenarios/format/scenario.h"
#include "scenarios/format/verdict.h"

namespace squall::harness {

struct SubjectResult {
  std::string scenario, title, file, subject, world;
  int repetition = 1;
  std::uint64_t seed = 0;                      // --seed that repeats it
  std::string skipped;                         // the reason; "" = it ran
  std::vector<std::string> expected_failures;  // empty: it was to pass
  scenarios::Outcome verdict = scenarios::Outcome::kUnknown;
  bool caught = false;      // it was to fail, and exactly the named checks did
  std::string explanation;  // one line; "" where all is as it should be
  std::vector<scenarios::CheckResult> checks;
  bool flaky = false;  // repetitions differ
  bool timed_out = false, aborted = false;
  std::vector<std::string> leaks;  // what was left after the clean-up; not empty: leaky
  Duration took{};
  WallTime began{};
  std::map<std::string, std::string> versions;
  std::string work_directory;  // journal.jsonl, logs, scenario.yaml; gone when not kept
  std::string repeat_command;

  bool ran() const { return skipped.empty(); }
};

std::string ResultToJson(const SubjectResult& result);
StatusOr<SubjectResult> ResultFromJson(std::string_view text);

// What the results mean for a subject: the checks' judgement, and the machine's own results `steps`
// (counts where the subject was to pass; a broken one may well not get to its last step) and
// `infrastructure` (always unknown).
struct SubjectConclusion {
  scenarios::Outcome verdict = scenarios::Outcome::kUnknown;
  bool caught = false;
  std::string explanation;
};
SubjectConclusion ConcludeSubject(std::span<const scenarios::CheckResult> results,
                                  const scenarios::Expectation& expectation);

}  // namespace squall::harness
