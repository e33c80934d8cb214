#pragma once
// Whether a seed says everything: each is run in a forked child and in a freshly executed process,
// and both must agree.

#include <cstdint>
#include <string>
#include <vector>

#include "sim/run/seed_run.h"

namespace squall::sim {

// The arguments with which this program, freshly executed, reports that seed.
std::vector<std::string> FreshArguments(const SeedRunOptions& options, std::uint64_t seed);
// Of two runs of a seed that told their stories: "" when they are the same, else lines that name
// the first event that differs.
std::string DifferenceOf(std::uint64_t seed, const ChildResult& one, const ChildResult& other);

// Prints what differs and a summary; the program's exit code.
int CheckDeterminism(std::uint64_t from, std::uint64_t to, int jobs, const SeedRunOptions& options);

}  // namespace squall::sim
