#pragma once
// The part of a link that understands gRPC: a frame-aware proxy (harness/net) that stands behind
// the link's TCP proxy and speaks TLS to both sides as the other end does.

#include <cstdint>
#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "harness/net/asio_executor.h"
#include "harness/net/grpc_proxy.h"

namespace squall::harness {

struct GrpcLinkOptions {
  std::string link;   // the name of both proxies
  HostPort upstream;  // the server or ingress
  std::uint64_t seed = 1;
  // Outlives the proxy; without them there are no TLS modes.
  const wire::CertificateSet* certificates = nullptr;
  // The other end's certificate, by its name in the set: clients are shown the same, right or
  // wrong. Empty: plaintext on both sides.
  std::string identity;
  // The other end asks for one: clients are asked as well, and the link presents `client`.
  bool require_client_certificate = false;
};

// INVALID_ARGUMENT for an identity that the set does not have.
StatusOr<std::unique_ptr<GrpcProxy>> MakeGrpcLink(AsioExecutor& executor, journal::Sink& journal,
                                                  GrpcLinkOptions options);

}  // namespace squall::harness
