#pragma once
// The scenarios that a command works on.

#include <string>
#include <vector>

#include "base/util/status.h"
#include "harness/cli/options.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

struct LoadedLibrary {
  std::vector<scenarios::Scenario> scenarios;  // those that loaded, in the order of their paths
  std::vector<Status> errors;  // one line each: of files, and of checks whose values make no sense
};

// The library (`--library`, or the one that comes with squall), and the `files` besides. Patterns
// that are paths of files or folders are taken out of `patterns` and loaded; where there are only
// such, the library is not looked at.
StatusOr<LoadedLibrary> LoadScenarios(const LibraryOptions& options,
                                      std::vector<std::string>* patterns);

// Everything below these paths.
LoadedLibrary LoadPaths(const std::vector<std::string>& paths);

}  // namespace squall::harness
