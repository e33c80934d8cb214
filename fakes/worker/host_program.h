#pragma once
// What squall-worker and squall-host share: flags and environment, core's runtime, signals,
// lifecycle lines, and an end in bounded time whatever core does.

#include <string>

namespace squall::fakes {

// `kind` empty: the program offers --kind. Returns the process's exit code (see host.h).
int RunHostProgram(const std::string& program, const std::string& kind, int argc, char** argv);

}  // namespace squall::fakes
