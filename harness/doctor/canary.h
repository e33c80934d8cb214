#pragma once
// --canary: one short workflow, by the user's own worker (--canary TYPE) or by the doctor itself on
// a queue of its own (--canary own). The one thing that changes the target, and only when asked.

#include <string>

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

struct CanaryOptions {
  std::string type;  // "own": the doctor's
  std::string tag;   // makes workflow id and queue unique
  // The workflow ends by itself then, whatever becomes of the doctor.
  Duration limit = std::chrono::seconds(10);
};

// The row of the layer "canary". False when it did not complete.
bool ProbeCanary(const Probe& probe, Rpc& rpc, const CanaryOptions& options);

}  // namespace squall::doctor
