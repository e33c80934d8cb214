#include <utility>

#include "fakes/server/balancer_server.h"
#include "fakes/server/ingress_server.h"
#include "harness/net/port.h"
#include "harness/target/target.h"

namespace squall::harness {

struct IngressUnderTest::Impl {
  Impl(AsioExecutor& the_executor, journal::Sink& the_journal, IngressUnderTestOptions the_options,
       PortLease the_lease)
      : executor(the_executor),
        journal(the_journal),
        options(std::move(the_options)),
        source("ingress:" + options.name),
        lease(std::move(the_lease)) {}

  StatusOr<fakes::IngressServerOptions> Settings() const {
    const auto find = [&](const std::string& name) -> StatusOr<wire::TlsIdentity> {
      const wire::TlsIdentity* identity =
          options.certificates == nullptr ? nullptr : options.certificates->Find(name);
      if (identity == nullptr) {
        return MakeStatus(StatusCode::kInvalidArgument,
                          "ingress {}: no certificate '{}': an ingress terminates TLS",
                          options.name, name);
      }
      return *identity;
    };
    fakes::IngressServerOptions settings;
    settings.ingress.name = options.name;
    SQUALL_ASSIGN_OR_RETURN(settings.ingress.tls.identity, find(options.identity));
    for (const auto& [server_name, name] : options.identity_by_sni) {
      SQUALL_ASSIGN_OR_RETURN(settings.ingress.tls.by_sni[server_name], find(name));
    }
    settings.ingress.tls.refuse_unknown_sni = options.refuse_unknown_sni;
    if (options.require_client_certificate) {
      settings.ingress.tls.client_ca_pem = options.certificates->ca_pem;
      settings.ingress.tls.require_client_certificate = true;
    }
    settings.ingress.alpn = options.alpn;
    if (options.transport == "http1") {
      settings.ingress.transport = fakes::IngressTransport::kHttp1;
    } else if (options.transport != "http2") {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "ingress {}: no transport '{}': http2 or http1", options.name,
                        options.transport);
    }
    if (options.internal) settings.ingress.reach = fakes::IngressReach::kSilent;
    settings.ingress.idle_timeout = options.idle_timeout;
    SQUALL_ASSIGN_OR_RETURN(const HostPort upstream, ParseHostPort(options.upstream));
    settings.upstream_host = upstream.host;
    settings.upstream_port = upstream.port;
    settings.port = lease.port();
    settings.journal = &journal;
    settings.clock = &executor.clock();
    return settings;
  }

  bool balancer_alone() const { return options.pool > 0 && options.identity.empty(); }

  Status Balance(int port) {
    fakes::BalancerServerOptions settings;
    settings.balancer.name = options.name;
    settings.balancer.pool = options.pool;
    settings.balancer.calls_per_connection = options.recycle_after;
    settings.balancer.connection_age = options.recycle_age;
    if (options.recycle_age > Duration::zero())
      settings.balancer.drain_limit = fakes::kBalancerDrainLimit;
    SQUALL_ASSIGN_OR_RETURN(const HostPort upstream, ParseHostPort(options.upstream));
    settings.upstream_host = upstream.host;
    settings.upstream_port = upstream.port;
    settings.port = port;
    settings.journal = &journal;
    settings.clock = &executor.clock();
    balancer.reset();
    SQUALL_ASSIGN_OR_RETURN(balancer, fakes::BalancerServer::Start(std::move(settings)));
    return absl::OkStatus();
  }

  Status Serve() {
    if (balancer_alone()) {
      server.reset();
      return Balance(lease.port());
    }
    SQUALL_ASSIGN_OR_RETURN(fakes::IngressServerOptions settings, Settings());
    server.reset();
    balancer.reset();
    if (options.pool > 0) {
      SQUALL_RETURN_IF_ERROR(Balance(0));
      settings.upstream_host = "127.0.0.1";
      settings.upstream_port = balancer->port();
    }
    SQUALL_ASSIGN_OR_RETURN(server, fakes::IngressServer::Start(std::move(settings)));
    return absl::OkStatus();
  }

  void Tell(std::string_view word, std::string_view reason = "") {
    journal.Append(source, journal::ProcessEvent{.what = std::string(word),
                                                 .process = options.name,
                                                 .role = "ingress",
                                                 .reason = std::string(reason)});
  }

  AsioExecutor& executor;
  journal::Sink& journal;
  IngressUnderTestOptions options;
  const std::string source;
  PortLease lease;
  std::unique_ptr<fakes::BalancerServer> balancer;
  std::unique_ptr<fakes::IngressServer> server;  // in front of it
};

StatusOr<std::unique_ptr<IngressUnderTest>> IngressUnderTest::Start(
    AsioExecutor& executor, journal::Sink& journal, IngressUnderTestOptions options) {
  SQUALL_ASSIGN_OR_RETURN(PortLease lease, PortLease::Take());
  auto impl = std::make_unique<Impl>(executor, journal, std::move(options), std::move(lease));
  impl->Tell("starting");
  if (const Status status = impl->Serve(); !status.ok()) {
    impl->Tell("start_failed");
    return status;
  }
  impl->Tell("ready");
  return std::unique_ptr<IngressUnderTest>(new IngressUnderTest(std::move(impl)));
}

IngressUnderTest::IngressUnderTest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

IngressUnderTest::~IngressUnderTest() {
  impl_->server.reset();
  impl_->balancer.reset();
  impl_->Tell("exited", "asked");
}

const std::string& IngressUnderTest::name() const { return impl_->options.name; }
std::string IngressUnderTest::address() const {
  return "127.0.0.1:" + std::to_string(impl_->lease.port());
}

void IngressUnderTest::SetUpstream(const std::string& address) {
  const StatusOr<HostPort> parsed = ParseHostPort(address);
  SQUALL_CHECK(parsed.ok(), "an upstream is host:port");
  impl_->options.upstream = address;
  if (impl_->balancer != nullptr) {
    const Status set = impl_->balancer->SetUpstream(parsed->host, parsed->port);
    SQUALL_CHECK(set.ok(), "an upstream of a balancer has an IP address");
  } else {
    impl_->server->SetUpstream(parsed->host, parsed->port);
  }
}

Status IngressUnderTest::Reconfigure(IngressUnderTestOptions options) {
  options.name = impl_->options.name;
  const IngressUnderTestOptions before = std::exchange(impl_->options, std::move(options));
  // Settings that do not hold leave the old ones in force.
  const Status status = impl_->balancer_alone() ? absl::OkStatus() : impl_->Settings().status();
  if (!status.ok()) {
    impl_->options = before;
    return status;
  }
  return impl_->Serve();
}

void IngressUnderTest::CloseConnections() {
  if (impl_->server != nullptr) impl_->server->CloseConnections();
  if (impl_->balancer != nullptr) impl_->balancer->CloseConnections();
}

}  // namespace squall::harness
