#pragma once
// The layers below TLS: the name's addresses, and TCP to each of them.

#include <optional>

#include "harness/doctor/probe.h"

namespace squall::doctor {

// The first address that takes TCP connections; nullopt when none does, which is then told.
std::optional<Endpoint> Reach(const Probe& probe);

}  // namespace squall::doctor
