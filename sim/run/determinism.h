#pragma once
// Whether a seed says everything: each is run in a forked child and in a freshly executed process,
// and both must agree.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/run/seed_run.h"

namespace squall::sim {

// The arguments with which this program, freshly executed, reports that seed.
std::vector<std::string> FreshArguments(const SeedRunOptions& options, std::uint64_t seed);

// Seeds that run twice, once in a forked child and once in a fresh process, and tell their stories.
class Pairs {
 public:
  // One of the two, whichever came. "" for the first, and when the second is the same; else lines
  // that name the first event that differs.
  std::string Take(std::uint64_t seed, const ChildResult& result);
  std::uint64_t same() const { return same_; }
  std::uint64_t different() const { return different_; }

 private:
  std::map<std::uint64_t, ChildResult> first_;
  std::uint64_t same_ = 0, different_ = 0;
};

// Prints what differs and a summary; the program's exit code.
int CheckDeterminism(std::uint64_t from, std::uint64_t to, int jobs, SeedRunOptions options);

}  // namespace squall::sim
