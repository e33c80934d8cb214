#pragma once
// Whether a fault can be had: on this machine, and in the server that is there.

#include <optional>
#include <string>

#include "harness/target/target.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::harness {

struct FaultSurroundings {
  // The server that it goes into, or that stands behind its link. Default: not known, so that it
  // does not count.
  std::optional<ServerKind> server;
  // The worker that it goes into. Default: as above.
  std::optional<WorkerKind> worker;
  // That server speaks TLS with a certificate that is not squall's.
  bool foreign_tls = false;
};

// Why not, in words for a report; nothing when it is available.
std::optional<std::string> WhyUnavailable(const scenarios::FaultDefinition& fault,
                                          const FaultSurroundings& around);

// The library that moves a program's wall clock; nothing where it is not installed.
std::optional<std::string> FindFaketime();

}  // namespace squall::harness
