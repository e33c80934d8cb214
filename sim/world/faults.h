#pragma once
// The fault catalogue in the simulated world.

#include <functional>
#include <memory>
#include <string>

#include "base/util/status.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"

namespace squall::sim {

class SimWorld;

// Why a step's fault cannot be injected here; empty when it can. `bytes`: links carry bytes.
std::string WhyNotSimulated(const scenarios::InjectStep& step, const scenarios::Topology& topology,
                            bool bytes);

// A fault of links that changes what their names mean.
bool ActsOnNames(const scenarios::InjectStep& step);
// One that is a rule of misbehaviour, which the front end behind a link obeys.
bool ActsByRule(const scenarios::InjectStep& step);

// Journal and order of events as the harness has them: injecting, injected, hit, healing, healed.
void InjectFault(SimWorld& world, const scenarios::InjectRequest& request,
                 std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done);

}  // namespace squall::sim
