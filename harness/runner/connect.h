#pragma once
// How a worker or client of a scenario connects, made concrete: which TLS material, right or
// deliberately wrong.

#include <string>

#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "harness/runner/environment.h"
#include "harness/target/target.h"
#include "harness/target/temporal_client.h"
#include "scenarios/engine/tls_plan.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

using scenarios::PlanTls;
using scenarios::TlsPlan;

// As files for workers; `external` overrides what the scenario's own certificates would be.
Status ApplyTls(const TlsPlan& plan, const CertificateFiles& files, WorkerOptions* options);
// As PEM text for clients.
std::optional<ClientTls> MakeClientTls(const TlsPlan& plan,
                                       const wire::CertificateSet* certificates);

// From the files of --tls-ca and so on.
StatusOr<std::optional<ClientTls>> ExternalTls(const ExternalServer& external);

}  // namespace squall::harness
