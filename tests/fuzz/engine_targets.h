#pragma once
// Entry points for fuzzing fakes/engine and fakes/frontend, as in wire_targets.h. All invariants of
// the engine are checked after each input (EngineOptions::check_invariants).

#include <string>
#include <string_view>
#include <vector>

namespace squall::fuzz {

// A program of calls, of any method with typed requests, of leaving callers, of time and restarts.
// Every call is answered exactly once, or its caller left. Returns how many were answered with OK,
// as does the next: a fuzzer that no longer reaches anything would find nothing.
std::size_t EngineCalls(std::string_view program);
// Raw bytes as the request of any method, against workflows and activities in progress.
std::size_t EngineBytes(std::string_view bytes);
// A client's bytes on a connection of the whole front end, down to the engine: pieces, time,
// limits, API keys, misbehaviour by the first bytes. Nothing is left when the connection is over.
// Returns how many calls reached the engine.
std::size_t FrontendBytes(std::string_view bytes);

std::vector<std::string> EngineSeeds();
std::vector<std::string> FrontendSeeds();

}  // namespace squall::fuzz
