#pragma once
// The state of a simulated world at one moment, for people: processes, servers, connections,
// pollers, work that is open, faults in force, and what every thread waits for.

#include <span>
#include <string>

#include "base/journal/event.h"
#include "sim/world/sim_world.h"

namespace squall::sim {

// `events`: the journal so far.
std::string DumpOf(SimWorld& world, std::span<const journal::Event> events);

}  // namespace squall::sim
