#pragma once
// Makes a failing plan smaller: fewer faults, less load, one worker, no TLS, shorter spans, as long
// as it fails in the same way.

#include <functional>

#include "sim/swarm/plan.h"

namespace squall::sim {

// `fails` runs a plan and says whether it still fails as before. Greedy passes over everything that
// can go, until nothing more does; the same plan and answers give the same result.
Plan Shrink(Plan plan, const std::function<bool(const Plan&)>& fails);

}  // namespace squall::sim
