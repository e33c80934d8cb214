#pragma once
// What the stand-alone proxy counts, in Prometheus' text format.

#include <string>

#include "harness/proxy/proxy_set.h"

namespace squall::harness {

// toxiproxy_proxy_received_bytes_total and _sent_bytes_total as Toxiproxy names and labels them,
// but counted as bytes pass, not when connections end; connections and active toxics as
// squall_proxy_*.
std::string Metrics(const ProxySet& proxies);

}  // namespace squall::harness
