#pragma once
// JUnit XML, as CI systems read it: one suite per world, one case per subject.

#include <string>

#include "reports/result.h"

namespace squall::reports {

// Valid against reports/junit.xsd, which is within what Maven Surefire, Jenkins and junitparser
// read.
//   failure  verdict fail; type "fail", or "missed" for a broken subject that was not caught as it
//   should be error    verdict unknown (type "unknown", "timeout", "aborted"), or something left
//   behind (type "leaky") skipped  with the reason flakyFailure  beside a good result whose
//   repetitions differ
// Each of the first two carries in its text what was expected, what happened and the command that
// repeats it; the last lines of output are in system-out. Characters that XML does not know are
// written as \x1b. `hostname` is the machine's.
std::string JUnitXml(const RunReport& run, const std::string& hostname);

}  // namespace squall::reports
