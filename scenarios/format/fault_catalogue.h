#pragma once
// Every fault a scenario can inject: its name, what it can be injected into, its parameters, and
// what restores service. The worlds implement them by these names (harness/fault, sim).

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

enum class FaultTarget { kLink, kServer, kWorker };

struct FaultDefinition {
  std::string name;
  std::string doc;
  std::vector<FaultTarget> targets;
  ParamTable params;
  bool one_shot = false;  // happens once; healing it is a no-op (what restores service is in `doc`)
  bool needs_fake_server = false;  // cannot be injected into a server that is not ours
};

// In alphabetical order. Names: bandwidth, black_hole, cut, drop_connections, kill, latency,
// never_accept, pause, refuse, reset, rpc_error, server_down, stall.
const std::vector<FaultDefinition>& FaultCatalogue();
const FaultDefinition* FindFault(std::string_view name);

}  // namespace squall::scenarios
