#pragma once
// The faults of a plan: which kinds a seed has at all, how likely each is, and what is drawn.

#include <cstdint>

#include "base/util/rng.h"
#include "sim/swarm/plan.h"

namespace squall::sim {

// Into a plan whose topology is drawn; they begin within `window_ms`.
void DrawFaults(Plan& plan, Rng& rng, std::int64_t window_ms);
// One of what today's core is known not to bear.
PlannedFault HazardOf(Rng& rng, const Plan& plan, std::int64_t window_ms);

}  // namespace squall::sim
