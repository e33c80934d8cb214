#pragma once
// The layers below TLS: the name's addresses, the route and TCP to each of them, and the HTTP proxy
// that is gone through.

#include <optional>

#include "harness/doctor/http_proxy.h"
#include "harness/doctor/probe.h"

namespace squall::doctor {

// The first address of the target's that takes TCP connections; nullopt when none does, which is
// then told.
std::optional<Endpoint> Reach(const Probe& probe);
// The same of a proxy: whatever is wrong is proxy.unreachable.
std::optional<Endpoint> ReachProxy(const Probe& probe, const HttpProxy& proxy);

// What connections through the proxy begin with; nullopt when it gives none, which is then told.
std::optional<Tunnel> AskProxy(const Probe& probe, const HttpProxy& proxy,
                               const Endpoint& endpoint);

}  // namespace squall::doctor
