#pragma once
// A proxy that understands HTTP/2 and gRPC and misbehaves on demand, between any client and any
// server, with TLS or without on either side: base/wire's relay on sockets.
//
// One connection upstream for each of a client's. Rules (docs/misbehaviour.md, the same as the fake
// server's) decide over calls and connections, TLS modes (base/wire/tls_modes.h) over how new
// connections are spoken to. Both may be set before the first byte, and are in effect from it.
// Without any it only relays, PINGs included: a client's keepalive sees the server.
//
// It listens on 127.0.0.1 and a port that stays its own for its whole life. What cannot be relayed
// ends as it would without a proxy: a server that cannot be reached, or resets, resets the client;
// one that ends its connection has that passed on behind what is still to be said.
//
// Journal (source "proxy:LINK"): fault events "hit" with each effect of a rule as it takes place,
// and with the first connection that meets a TLS mode; connection events as TcpProxy writes them,
// with the fault's id where one decided, unless they are off.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/status.h"
#include "base/wire/grpc_relay.h"
#include "base/wire/tls_modes.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"
#include "harness/net/tcp_proxy.h"

namespace squall::harness {

struct GrpcProxyOptions {
  // The link's name, e.g. "w->temporal".
  std::string link;
  // Where connections go.
  HostPort upstream;
  // Seed of rules' chances and of what TLS modes mint.
  std::uint64_t seed = 1;
  // An upstream that does not answer for this long has failed.
  Duration connect_timeout = std::chrono::seconds(10);
  wire::GrpcRelayOptions relay;
  // Without them rules that look into messages are refused.
  wire::MessageTools tools;
  // How clients are spoken to, and how the server is; none: plaintext.
  std::optional<wire::TlsServerOptions> downstream_tls;
  std::optional<wire::TlsClientOptions> upstream_tls;
  // What TLS modes are made of; none: they are refused. Outlives the proxy.
  const wire::CertificateSet* certificates = nullptr;
  // Off where it stands behind a TcpProxy of the same link, which tells of the connections.
  bool connection_events = true;
};

struct GrpcProxyCounters {
  std::uint64_t attempts = 0;     // connections that reached the proxy
  std::uint64_t established = 0;  // of these, connected to the upstream
  std::uint64_t failed = 0;       // upstream could not be reached, or no TLS with either side
  std::uint64_t open = 0;         // now
};

// Loop thread only. The destructor resets all connections and gives the port up.
class GrpcProxy {
 public:
  // INVALID_ARGUMENT for TLS settings that cannot work.
  static StatusOr<std::unique_ptr<GrpcProxy>> Create(AsioExecutor& executor, journal::Sink& journal,
                                                     GrpcProxyOptions options);
  ~GrpcProxy();
  GrpcProxy(const GrpcProxy&) = delete;
  GrpcProxy& operator=(const GrpcProxy&) = delete;

  const std::string& link() const;
  std::uint16_t port() const;
  std::string address() const;  // "127.0.0.1:PORT", the same for life
  // Where connections from now on go.
  void SetUpstream(HostPort upstream);

  // As MisbehaviourScript: all rules or none; the ids that they have now.
  StatusOr<std::vector<std::string>> SetRules(std::vector<wire::Rule> rules);
  bool LiftRule(std::string_view id);
  std::size_t Release(std::string_view gate);
  std::vector<wire::RuleState> rules() const;

  // Connections from now on meet this mode; the one set last rules. Those that are open are reset,
  // as by an ingress that restarts, or kept. ALREADY_EXISTS, FAILED_PRECONDITION without
  // certificates.
  Status SetTlsMode(std::string fault_id, wire::TlsFault mode, bool keep_connections = false);
  // Back to how it was; idempotent. Connections that met the mode are reset.
  void RemoveTlsMode(std::string_view fault_id);

  // How often a rule or mode was met; kept after its end.
  std::uint64_t hits(std::string_view fault_id) const;
  // Ends all open connections now: FIN to both sides, or RST at once.
  void CloseConnections(CutWith how, std::string_view fault_id = "");
  GrpcProxyCounters counters() const;

 private:
  struct Impl;
  explicit GrpcProxy(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
