#include "harness/target/grpc_link.h"

#include <utility>

#include "fakes/frontend/message_tools.h"

namespace squall::harness {

StatusOr<std::unique_ptr<GrpcProxy>> MakeGrpcLink(AsioExecutor& executor, journal::Sink& journal,
                                                  GrpcLinkOptions options) {
  GrpcProxyOptions proxy;
  proxy.link = options.link;
  proxy.upstream = std::move(options.upstream);
  proxy.seed = options.seed;
  proxy.tools = fakes::TemporalMessageTools();
  proxy.certificates = options.certificates;
  proxy.connection_events = false;  // the TCP proxy in front tells of them
  if (!options.identity.empty()) {
    const wire::TlsIdentity* identity =
        options.certificates == nullptr ? nullptr : options.certificates->Find(options.identity);
    if (identity == nullptr) {
      return MakeStatus(StatusCode::kInvalidArgument, "link {}: no certificate '{}'", options.link,
                        options.identity);
    }
    proxy.downstream_tls.emplace();
    proxy.downstream_tls->identity = *identity;
    // Whether the server's certificate is good is for the clients to find.
    proxy.upstream_tls.emplace();
    proxy.upstream_tls->verify = false;
    proxy.upstream_tls->sni = "localhost";
    if (options.require_client_certificate) {
      proxy.downstream_tls->client_ca_pem = options.certificates->ca_pem;
      proxy.downstream_tls->require_client_certificate = true;
      proxy.upstream_tls->identity = options.certificates->client;
    }
  }
  return GrpcProxy::Create(executor, journal, std::move(proxy));
}

}  // namespace squall::harness
