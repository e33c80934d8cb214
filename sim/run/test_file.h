#pragma once
// A failure of the swarm as a GoogleTest: a file that holds the scenario and plays it with
// squall-sim.

#include <string>

#include "sim/run/seed_run.h"

namespace squall::sim {

// Its test passes once the scenario does; needs GoogleTest alone, and SQUALL_BIN_DIR where it runs.
std::string TestFileOf(const std::string& scenario, const SeedReport& report,
                       const SeedRunOptions& options);

}  // namespace squall::sim
