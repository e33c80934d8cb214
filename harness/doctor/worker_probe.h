#pragma once
// The layers above the connection: may this client do what a worker does, does its namespace exist,
// and who polls its task queue?

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

struct WorkerProbeOptions {
  // A task queue without pollers is wrong, not just worth telling: workers should be up.
  bool expect_pollers = false;
  // Makes the doctor's own queue and identity unique.
  std::string tag;
  // Namespace and task queue only as far as they can be looked at without it.
  bool look_at_queue = true;
};

// Everything that was meant to be looked at was answered: Diagnosis::complete.
bool ProbeWorker(const Probe& probe, Rpc& rpc, const WorkerProbeOptions& options);

}  // namespace squall::doctor
