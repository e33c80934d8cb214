#pragma once
// Whether a seed says everything: each is run in a forked child and in a freshly executed process,
// and both must agree.

#include <cstdint>

#include "sim/run/seed_run.h"

namespace squall::sim {

// Prints what differs and a summary; the program's exit code.
int CheckDeterminism(std::uint64_t from, std::uint64_t to, int jobs, const SeedRunOptions& options);

}  // namespace squall::sim
