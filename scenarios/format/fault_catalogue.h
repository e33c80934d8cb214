#pragma once
// Every fault there is: what it is called, what it goes into, its parameters, what it needs, what
// restores service. The loader, the JSON Schema, `squall list --faults` and docs/faults.md are made
// from these rows; the worlds bring one factory for each (harness/fault, sim).
//
// A fault is a row of faults_link.cc, faults_frames.cc, faults_kernel.cc, faults_dns.cc,
// faults_server.cc or faults_worker.cc; more files join the list in fault_catalogue.cc.

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

enum class FaultTarget { kLink, kServer, kWorker };
std::string_view FaultTargetName(FaultTarget target);  // link, server, worker

// How service comes back.
enum class Healing {
  kHealed,   // healing removes the fault, and with it its effect
  kRestart,  // the injection is over at once; healing starts again what it stopped
  kOneShot,  // nothing is left to heal; what restores service is said in `restored_by`
};
std::string_view HealingName(Healing healing);  // healed, restart, one-shot

// Who writes the journal's `hit`, the evidence that something met the fault.
enum class FaultEvidence {
  kTraffic,    // who carries the traffic: the first connection, byte or call that meets it
  kInjection,  // the injection itself, which acts at once
};

// What a fault needs beside its target. Where it is missing, a scenario is skipped with the reason.
enum class FaultNeed {
  kFakeServer,  // a server that is ours: the dev server cannot be told to do this
  kOurWorker,   // a worker that listens to it: core, host or python
  kOwnNetwork,  // a network namespace of squall's own around the whole subject, and the tools for
                // it
  kOwnWire,     // the same, and a second namespace with the link's workers at the end of a wire
  kOwnNames,    // a DNS server of squall's own for the whole subject
  kFaketime,    // a library that moves a program's wall clock
  kFrontEnds,   // a server of several front ends, which only the simulator has
  kFrames,      // a link between ends that squall can stand between: TLS with its certificates
};
std::string_view FaultNeedText(FaultNeed need);  // "the fake server"

struct FaultDefinition {
  std::string name;  // once for each target: `kill` of a server, `kill` of a worker
  FaultTarget target = FaultTarget::kLink;
  std::string doc;  // one sentence: what it does
  ParamTable params;
  Healing healing = Healing::kHealed;
  std::string restored_by;  // one sentence: what restores service
  FaultEvidence evidence = FaultEvidence::kTraffic;
  std::vector<FaultNeed> needs;
  // Of its runnable example (fault_page.h): the keys of the `inject` step beside `fault` and `on`
  // ("delay: 200ms"), and a step that makes something meet it, where the frame's own does not.
  std::string example;
  std::string during;
  // And a step behind its healing, where work goes on only then.
  std::string afterwards;

  bool one_shot() const { return healing == Healing::kOneShot; }
};

// Links, then servers, then workers, each by name.
const std::vector<FaultDefinition>& FaultCatalogue();
// Null for none.
const FaultDefinition* FindFault(FaultTarget target, std::string_view name);
// One for each target that knows a fault of this name; empty for none.
std::vector<const FaultDefinition*> FaultsNamed(std::string_view name);
// Without doubles, sorted: for "did you mean".
std::vector<std::string> FaultNames();

// The rows of one file each, in any order.
std::vector<FaultDefinition> LinkFaults();
std::vector<FaultDefinition> KernelFaults();
std::vector<FaultDefinition> DnsFaults();
std::vector<FaultDefinition> FrameFaults();
std::vector<FaultDefinition> ServerFaults();
std::vector<FaultDefinition> WorkerFaults();

}  // namespace squall::scenarios
