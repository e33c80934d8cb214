#pragma once
// What squall-worker and squall-host share: flags and environment, core's runtime, signals,
// lifecycle lines, and an end in bounded time whatever core does.

#include <functional>
#include <string>

#include "base/util/executor.h"
#include "core/connection.h"

namespace squall::fakes {

// Where the program is run by somebody else than the operating system (the simulator).
struct HostProgramHooks {
  // May change how the host connects, before its first connection; the executor is the host's.
  // Default: nothing.
  std::function<void(core::ConnectionOptions& connection, Executor& executor)> on_connection;
  int core_threads = 0;  // core::RuntimeOptions::worker_threads
};

// `kind` empty: the program offers --kind. Returns the process's exit code (see host.h).
int RunHostProgram(const std::string& program, const std::string& kind, int argc, char** argv,
                   const HostProgramHooks& hooks = {});

}  // namespace squall::fakes
