// The catalogue's faults of workers and the processes that host them.

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {

std::vector<FaultDefinition> WorkerFaults() {
  constexpr FaultTarget kWorker = FaultTarget::kWorker;
  constexpr FaultEvidence kInjection = FaultEvidence::kInjection;
  constexpr const char* kRestartOnly =
      "Nothing but a restart: by the worker's restart policy or by a step.";
  return {
      {.name = "interrupt",
       .target = kWorker,
       .doc = "SIGINT, as Ctrl-C sends it; its end is not waited for.",
       .healing = Healing::kOneShot,
       .restored_by = kRestartOnly,
       .evidence = kInjection},
      {.name = "kill",
       .target = kWorker,
       .doc = "SIGKILL, to its whole process group.",
       .healing = Healing::kOneShot,
       .restored_by = kRestartOnly,
       .evidence = kInjection},
      {.name = "pause",
       .target = kWorker,
       .doc = "SIGSTOP: the process stands still, its connections stay.",
       .restored_by = "Healing: SIGCONT.",
       .evidence = kInjection},
      {.name = "terminate",
       .target = kWorker,
       .doc = "SIGTERM, as a platform sends it; its end is not waited for.",
       .healing = Healing::kOneShot,
       .restored_by = kRestartOnly,
       .evidence = kInjection},
  };
}

}  // namespace squall::scenarios
