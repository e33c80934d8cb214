#pragma once
// Which subjects a run consists of: chosen by name, tag and world, repeated, sharded, each with its
// seed.

#include <cstdint>
#include <string>
#include <vector>

#include "base/util/status.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

struct Selection {
  // Globs (* and ?) over a scenario's id, its file's name without ending, or "id/subject". Empty:
  // all.
  std::vector<std::string> patterns;
  std::vector<std::string> tags;  // any of them
  std::vector<scenarios::WorldKind> worlds = {scenarios::WorldKind::kFake};
  int shard = 1, shards = 1;  // the shard-th of so many, counted from 1
};

struct Job {
  const scenarios::Scenario* scenario = nullptr;
  const scenarios::Subject* subject = nullptr;
  scenarios::WorldKind world = scenarios::WorldKind::kFake;
  int repetition = 1;
  std::uint64_t run_seed = 0;  // what --seed takes to repeat it
  std::uint64_t seed = 0;      // the subject's: the scenario's own, or drawn from run_seed
  std::string Label() const;   // "E1/broken@fake", "E1/broken@fake#2"
};

bool GlobMatches(std::string_view pattern, std::string_view text);

// In the order of the scenarios, their subjects, and the worlds. A pattern that fits nothing is
// NOT_FOUND with the nearest name.
StatusOr<std::vector<Job>> MakePlan(const std::vector<scenarios::Scenario>& scenarios,
                                    const Selection& selection, std::uint64_t seed);

// The same jobs with the seeds of another repetition (1: unchanged).
std::vector<Job> Repetition(const std::vector<Job>& plan, int repetition, std::uint64_t seed);

}  // namespace squall::harness
