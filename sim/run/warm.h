#pragma once
// What every run needs and no run may decide: made once, before the simulation begins, so that
// forked runs find it there.
//
// A forked child and a freshly executed process must have the same state when time becomes virtual:
// WarmUp is for both.

#include "sim/world/sim_world.h"

namespace squall::sim {

// Descriptors of Temporal's API, which protobuf builds when they are first asked for; the tables of
// scenarios and checks; who may read the cycle counter.
void WarmUp();

// For a process that forks many children, whose runs take this transport. The program's code and
// that of its libraries moves from its file into memory of its own, in huge pages where the machine
// has them: children inherit such pages, and would map those of a file one fault at a time. And
// certificates are minted, where runs may speak TLS.
void WarmForks(Transport transport);

}  // namespace squall::sim
