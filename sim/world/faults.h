#pragma once
// The fault catalogue in the simulated world.

#include <functional>
#include <memory>
#include <string_view>

#include "base/util/status.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::sim {

class SimWorld;

// Whether it can be done where links carry calls and no bytes.
bool ActsOnCalls(scenarios::FaultTarget target, std::string_view fault);

// Journal and order of events as the harness has them: injecting, injected, hit, healing, healed.
void InjectFault(SimWorld& world, const scenarios::InjectRequest& request,
                 std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done);

}  // namespace squall::sim
