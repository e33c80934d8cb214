#pragma once
// Makes a failing plan smaller: fewer faults, less load, one worker, no TLS, no ingress, one front
// end, shorter spans, as long as it fails in the same way.

#include <functional>

#include "sim/swarm/plan.h"

namespace squall::sim {

// Runs a plan and says whether it still fails as before; it may give the plan another seed, with
// which it does (what is left out shifts the luck of everything else).
using StillFails = std::function<bool(Plan&)>;

// Greedy passes over everything that can go, until nothing more does; the same plan and answers
// give the same result.
Plan Shrink(Plan plan, const StillFails& fails);

}  // namespace squall::sim
