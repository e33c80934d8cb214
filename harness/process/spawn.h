#pragma once
// The one place where Boost.Process is used: fork and exec with everything that process.h promises
// for the moment between. Internal to harness/process.

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/util/status.h"

namespace squall::harness {

struct SpawnRequest {
  std::string program;                             // a path
  std::vector<std::string> arguments;              // without the program
  std::map<std::string, std::string> environment;  // all of it
  std::string working_directory;                   // empty: unchanged
  int stdout_fd = -1, stderr_fd = -1;              // the child's ends; stay open here
};

// Squall's own environment, or the few variables of it that nothing runs without, with these set or
// (null) removed.
std::map<std::string, std::string> MakeEnvironment(
    bool clean, const std::map<std::string, std::optional<std::string>>& changes);

// The pid, which is also the id of its process group. The caller reaps it. Errors carry exec's own
// text.
StatusOr<pid_t> Spawn(const SpawnRequest& request);

}  // namespace squall::harness
