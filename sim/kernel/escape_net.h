#pragma once
// The net under the functions that are replaced: what reaches the machine past them, by an
// instruction of its own, ends the run by name like any other escape.
//
// - System calls: a filter (call_filter.h) traps all but the simulator's own and what libc needs
//   for memory, files and threads.
// - The cycle counter: rdtsc and rdtscp trap. protobuf reads it to seed its maps and is shown
//   virtual time; anybody else ends the run. The kernel's own page of code (vDSO), which tells the
//   time without a system call, reads it too.
//
// What cannot be trapped: rdrand and rdseed, and what a machine says of itself (cpuid).
// tests/sim/imports_test.py looks for the former.

namespace squall::sim {

// Learns who may read the cycle counter; before the simulation, so that forked runs know it. Calls
// after the first do nothing.
void PrepareEscapeNet();

// From here on, for the calling thread and all that it starts. Other faults go to the handlers that
// were there.
void SpanEscapeNet();

}  // namespace squall::sim
