#pragma once
// Scenario files in virtual time: every subject of every file, each in a process of its own.

#include <string>

#include "sim/run/seed_run.h"

namespace squall::sim {

// `path`: a file or a folder. One line for each subject: pass, caught (it failed as its scenario
// expects), skipped with the reason, or what went wrong. The program's exit code: 1 when any other
// verdict came, 2 when a file cannot be read.
int RunLibrary(const std::string& path, int jobs, const SeedRunOptions& options);

}  // namespace squall::sim
