#pragma once
// How a worker or client of a scenario connects, made concrete: which TLS material, right or
// deliberately wrong.

#include <string>

#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "harness/runner/environment.h"
#include "harness/target/target.h"
#include "harness/target/temporal_client.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

// Names of wire's catalogue; empty: none.
struct TlsPlan {
  bool on = false;
  std::string ca;        // "ca", "wrong_ca", "" = the system's roots
  std::string identity;  // what the client presents
  std::string server_name;
};

TlsPlan PlanTls(const scenarios::Topology& topology, const scenarios::ConnectSpec& connect);

// As files for workers; `external` overrides what the scenario's own certificates would be.
Status ApplyTls(const TlsPlan& plan, const CertificateFiles& files, WorkerOptions* options);
// As PEM text for clients.
std::optional<ClientTls> MakeClientTls(const TlsPlan& plan,
                                       const wire::CertificateSet* certificates);

// From the files of --tls-ca and so on.
StatusOr<std::optional<ClientTls>> ExternalTls(const ExternalServer& external);

}  // namespace squall::harness
