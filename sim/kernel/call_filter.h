#pragma once
// Which system calls may leave a simulated run: a filter that the machine's kernel applies to each,
// whoever makes it and however.

#include <linux/filter.h>

#include <span>
#include <vector>

#include "sim/kernel/code_place.h"

namespace squall::sim {

// The filter's program. What lets a call pass:
// - it was made at `door`, the address behind the one instruction that the simulator itself uses;
// - or in `libc`, the code of libc and its loader, and is about memory, files, the beginnings and
//   ends of threads, or a wait without an end for libc's own locks, which some thread is about to
//   let go.
// Everything else traps (SIGSYS): whatever waits, tells the time, draws luck or reaches others, and
// every call by an instruction of somebody's own.
std::vector<sock_filter> CallFilter(const void* door, std::span<const CodeRange> libc);

// "getrandom"; null for one that the headers of this machine do not have.
const char* SystemCallName(long number);

}  // namespace squall::sim
