#pragma once
// Where a rule broke: the moment of a journal from which on a check's verdict is fail.

#include <map>
#include <span>
#include <string>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

// For each check or oracle that fails on this journal, the earliest moment at which it would have
// failed had the journal ended there: the event that broke it, or, where something did not happen
// in time, the end of that time. Found by bisection over the same fold that judged: a verdict that
// fails, recovers and fails again is placed at one of its failures. Checks that do not fail have no
// entry. Errors as of JudgeJournal.
StatusOr<std::map<std::string, SteadyTime>> BreakingPoints(std::span<const journal::Event> events,
                                                           std::span<const CheckSpec> checks);

}  // namespace squall::scenarios
