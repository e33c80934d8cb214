#pragma once
// The verdict, by the names that scenarios, checks and the step machine use.

#include "base/journal/verdict.h"

namespace squall::scenarios {

using journal::CheckResult;
using journal::Outcome;
using journal::OutcomeFromName;
using journal::OutcomeName;
using journal::Worst;

}  // namespace squall::scenarios
