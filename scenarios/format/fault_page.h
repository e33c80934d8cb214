#pragma once
// What is made from the fault catalogue for readers: docs/faults.md, and a scenario for each fault
// that can be run as it is.

#include <string>

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {

// "link/stall": how `squall list --example` names a row.
std::string FaultKey(const FaultDefinition& fault);

// A whole scenario file: a worker is healthy, the fault comes, something meets it, the fault is
// healed, and work goes on.
std::string FaultExample(const FaultDefinition& fault);

// docs/faults.md.
std::string FaultsPage();

}  // namespace squall::scenarios
