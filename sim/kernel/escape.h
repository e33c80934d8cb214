#pragma once
// Runs that cannot go on: something left the simulation, or nothing moves any more.

#include <functional>
#include <string>

namespace squall::sim {

enum class FailureKind { kEscape, kStuck };

// Exit codes of a run that ended here; nothing else of squall-sim uses them.
inline constexpr int kExitEscape = 71;
inline constexpr int kExitStuck = 72;

// Called before the program ends, with the whole story; whatever it does must not wait.
void OnFailure(std::function<void(FailureKind kind, const std::string& story)> callback);

[[noreturn]] void FailRun(FailureKind kind, const std::string& story);
// A call that the simulation does not have, by its name: it would have reached the machine's clock,
// network or luck.
[[noreturn]] void Escaped(const std::string& call);

}  // namespace squall::sim
