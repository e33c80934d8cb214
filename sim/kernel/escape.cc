#include "sim/kernel/escape.h"

#include <utility>

#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

// Never destroyed, as it may be called while the program ends.
std::function<void(FailureKind, const std::string&)>& Callback() {
  static auto* callback = new std::function<void(FailureKind, const std::string&)>();
  return *callback;
}
bool failing = false;

}  // namespace

void OnFailure(std::function<void(FailureKind, const std::string&)> callback) {
  Callback() = std::move(callback);
}

void FailRun(FailureKind kind, const std::string& story) {
  const int code = kind == FailureKind::kEscape ? kExitEscape : kExitStuck;
  if (std::exchange(failing, true)) RawExit(code);
  const std::string line = "squall-sim: " + story + "\n";
  if (Callback()) {
    Callback()(kind, story);
  } else {
    RawWrite(2, line.data(), line.size());
  }
  RawExit(code);
}

void Escaped(const std::string& call) {
  std::string who;
  if (Simulated()) {
    const Thread* thread = TheScheduler().current();
    who = " (process " + thread->process->name + ", thread " + std::to_string(thread->id) + ")";
  }
  FailRun(FailureKind::kEscape, "escape: " + call + who);
}

}  // namespace squall::sim
