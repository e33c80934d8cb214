#include "scenarios/engine/tls_plan.h"

namespace squall::scenarios {

TlsPlan PlanTls(const Topology& topology, const ConnectSpec& connect) {
  TlsPlan plan;
  const TlsMode other_end = topology.TlsAt(connect.to);
  plan.on = connect.tls == ConnectSpec::Tls::kOn ||
            (connect.tls == ConnectSpec::Tls::kAuto && other_end != TlsMode::kNone);
  if (!plan.on) return plan;
  plan.ca = connect.ca == "none" ? "" : connect.ca;
  plan.server_name = connect.server_name;
  if (connect.client_certificate.empty()) {
    plan.identity = other_end == TlsMode::kMutual ? "client" : "";
  } else if (connect.client_certificate != "none") {
    plan.identity = connect.client_certificate;
  }
  return plan;
}

}  // namespace squall::scenarios
