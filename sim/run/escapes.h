#pragma once
// Ways out of the simulation past all functions that it replaces, planted on purpose: each must end
// the run by name (sim/kernel/escape_net.h).

#include <string>
#include <vector>

#include "base/util/executor.h"

namespace squall::sim {

const std::vector<std::string>& PlantedEscapes();

// Plants one: it is taken a second of virtual time later. Names of none are passed over.
void PlantEscape(const std::string& name, Executor& loop);

}  // namespace squall::sim
