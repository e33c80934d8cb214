#pragma once
// Plays one subject of a scenario in virtual time, in this process, from its beginning to its end.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/journal/event.h"
#include "base/util/status.h"
#include "scenarios/engine/step_machine.h"
#include "scenarios/format/scenario.h"
#include "sim/kernel/scheduler.h"
#include "sim/swarm/hits.h"
#include "sim/world/core_assertions.h"
#include "sim/world/sim_world.h"

namespace squall::sim {

struct RunOptions {
  std::uint64_t seed = 1;
  SimWorldOptions world;  // but for its seed
  double preemption = 0.1;
  bool trace = false;        // keep the scheduler's choices as text
  std::string journal_file;  // the journal is written there as it comes; "": in memory only
  bool story = false;        // and the journal
  // Ends the run at this virtual time, with the state of everything (RunResult::dump); kNever: at
  // its own end.
  std::int64_t until = kNever;
  // What is planted to prove that it is found: "" or one of PlantedLeaks() or
  // PlantedEscapes().
  std::string leak;
};

struct RunResult {
  scenarios::Outcome verdict = scenarios::Outcome::kUnknown;
  std::string explanation;
  bool caught = false;
  bool timed_out = false;
  std::vector<std::string> leaks;  // what the clean-up left
  std::map<std::string, std::string> versions;
  std::vector<scenarios::CheckResult> checks;
  std::vector<std::string> journal;   // lines of JSON; with options.story
  std::uint64_t journal_digest = 0;   // over every field of every event
  std::uint64_t schedule_digest = 0;  // over every choice of the scheduler
  std::uint64_t choices = 0;
  std::int64_t virtual_ns = 0;
  std::string trace;
  HitTable hits;
  CoreAssertionTable core_assertions;
  std::string dump;
};

// Once in the life of a process; time is virtual from then on. Not finding its way out (a deadlock,
// an escape) ends the program with FailRun.
StatusOr<RunResult> RunSubject(const scenarios::Scenario& scenario,
                               const scenarios::Subject& subject, const RunOptions& options);

}  // namespace squall::sim
