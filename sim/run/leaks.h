#pragma once
// Five ways for luck to get into a run, planted on purpose: the determinism check must find each.

#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/executor.h"

namespace squall::sim {

// real_clock, real_randomness, hash_order, thread_order, address_order
const std::vector<std::string>& PlantedLeaks();

// Plants one: a second of virtual time later it lets something of the machine into the journal.
void PlantLeak(const std::string& name, Executor& loop, journal::Sink& journal);

}  // namespace squall::sim
