#pragma once
// One seed of the swarm, as text that crosses from a child process.

#include <cstdint>
#include <memory>
#include <string>

#include "base/util/status.h"
#include "scenarios/format/scenario.h"
#include "sim/run/child.h"
#include "sim/run/subject_run.h"
#include "sim/swarm/hits.h"
#include "sim/swarm/plan.h"
#include "sim/world/core_assertions.h"

namespace squall::sim {

// What is asked of a run besides its seed.
struct SeedRunOptions {
  RunOptions run;
  std::string scenario_file;  // "": the swarm's own for this seed
  std::string scenario_text;  // set: this scenario of the swarm's
  // What scenario_file holds, if it was read before.
  std::shared_ptr<const scenarios::Scenario> scenario;
  bool hazards = false;       // PlanOptions::hazards
  std::string subject;        // "": the first
  bool story = false;         // the journal, and with run.trace the scheduler's choices
};

// The result of a run as the parent needs it.
struct SeedReport {
  std::uint64_t seed = 0;
  std::string verdict;  // pass, unknown, fail; or "stuck", "escape", "died": the run did not end
  std::string explanation;
  bool caught = false;  // the subject failed as its scenario expects, and passed for that
  std::string failed;   // names of the checks that failed, with commas
  std::uint64_t journal_digest = 0, schedule_digest = 0, choices = 0;
  std::int64_t virtual_ns = 0;
  std::string journal, trace;  // with `story`
  HitTable hits;
  CoreAssertionTable core_assertions;
  std::string dump;  // of a run that was ended by RunOptions::until

  bool SameAs(const SeedReport& other) const {
    return verdict == other.verdict && journal_digest == other.journal_digest &&
           schedule_digest == other.schedule_digest;
  }
};

PlanOptions PlanOptionsOf(const SeedRunOptions& options);
// The scenario of the options' seed: the file's, or the swarm's.
StatusOr<std::shared_ptr<const scenarios::Scenario>> ScenarioFor(const SeedRunOptions& options);
// Reads the file, for all that follow; one that cannot be read is their failure.
void ReadOnce(SeedRunOptions& options);
// Runs it in this process, which is virtual from then on.
SeedReport RunSeed(const SeedRunOptions& options);

std::string ToText(const SeedReport& report);
StatusOr<SeedReport> FromText(const std::string& text);
// One line for people.
std::string Line(const SeedReport& report);
// Of a child that ran RunSeed; a run that did not end tells why.
SeedReport ReportOf(std::uint64_t seed, const ChildResult& result);

}  // namespace squall::sim
