#pragma once
// A campaign: many seeds, each in a process of its own; what failed, made small, and written down.

#include <cstdint>
#include <optional>
#include <string>

#include "sim/run/seed_run.h"

namespace squall::sim {

struct SwarmOptions {
  SeedRunOptions run;  // of each seed
  std::uint64_t from = 1;
  std::optional<std::uint64_t> to;  // unset: as long as there is time
  double minutes = 0;               // 0: no limit
  int jobs = 1;
  // Of all runs so many are made twice, the second time in a fresh process, and compared.
  double twice = 0.05;
  bool stop_at_first = false;  // the first failure ends the campaign
  std::string shrink;          // folder for the smallest failing scenario and test of each failure
  std::string out = "squall-out/sim";  // folder for the journals of failed seeds; "": nowhere
  std::string hits;                    // file for the table of faults and phases; "": none
};

// What follows the program's name to repeat a seed.
std::string RepeatOf(const SeedRunOptions& options, std::uint64_t seed);
// Prints failures and a summary. 0: all passed and all that ran twice were the same, else 1.
int RunSwarm(const SwarmOptions& options);

// The commit that this program was built from.
const char* Commit();

}  // namespace squall::sim
