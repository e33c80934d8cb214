#pragma once
// A cloud ingress as workers meet it: terminates TLS (SNI, ALPN), forwards the bytes in plaintext
// to one upstream, and misbehaves the way real ones do. Sans-IO: the owner moves bytes between this
// object and two transports per connection, the downstream one (from the client) and the upstream
// one (to the server).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/tls.h"

namespace squall::fakes {

// What the ingress believes it carries.
enum class IngressTransport {
  // HTTP/2: ALPN h2 (then http/1.1); bytes pass unchanged.
  kHttp2,
  // Set up for HTTP/1.1 (incident E3): ALPN http/1.1 only. A client that sends HTTP/2 nevertheless
  // is answered
  // "HTTP/1.1 400 Bad Request", as Envoy's HTTP/1 codec does.
  kHttp1,
  // The same, but it negotiates h2 first: its TLS layer was set up for HTTP/2 and what is behind it
  // was not.
  kHttp1BehindH2,
};

enum class IngressReach {
  kPublic,
  // Internal-only and not routed (incident E2): TCP connects, and then nothing ever answers.
  kSilent,
};

// What a client that speaks plaintext on the TLS port is told before it is cut off (incident E5).
// An HTTP/1 request is never told anything, as BoringSSL (Envoy) does it.
enum class PlaintextAnswer {
  kNothing,
  kAlert,  // the fatal TLS alert protocol_version, unencrypted
};

struct IngressOptions {
  // Name in the journal: source "ingress:NAME", and the connection events' link.
  std::string name = "ingress";
  // Identities (one default, more by SNI), client certificates, versions. Its alpn and
  // alpn_mismatch are replaced by what `transport` asks for; a list in `alpn` replaces that again.
  wire::TlsServerOptions tls;
  std::optional<std::vector<std::string>> alpn;
  IngressTransport transport = IngressTransport::kHttp2;
  IngressReach reach = IngressReach::kPublic;
  PlaintextAnswer plaintext_answer = PlaintextAnswer::kNothing;
  // A client that has not finished its handshake by then is closed; 0 waits for ever. Envoy's
  // default is 15 s (listener_filters_timeout and transport_socket_connect_timeout).
  Duration handshake_timeout = std::chrono::seconds(15);
  // A connection without a byte in either direction for this long is closed; 0 never. (Azure's
  // ingress: 240 s.)
  Duration idle_timeout{};
  // Once one side has ended its direction, the other has this long to end its own; 0: for ever.
  Duration half_close_timeout = std::chrono::seconds(10);
  // Bytes held per direction before WantsRead says no to the faster side.
  std::size_t buffer_limit = 256 * 1024;
};

enum class IngressSide { kDownstream, kUpstream };

// What the owner has to do on one side of one connection: send `bytes`, then `then`.
struct IngressOutput {
  enum class Then {
    kKeep,
    kConnect,  // upstream only: open the transport; answer with UpstreamConnected or UpstreamFailed
    kEndWrite,  // shut down the sending direction
    kClose,     // send what is left, then close; nothing of this side is reported back any more
  };
  std::uint64_t connection = 0;
  IngressSide side = IngressSide::kDownstream;
  std::string bytes;
  Then then = Then::kKeep;
};

// Order of calls: Accept; Receive and PeerClosed per side as things happen; after each call drain
// TakeOutput. Calls for a connection that is over, or for an upstream that was not asked for, are
// ignored. Journal: a connection event
// "accepted", then "established" (detail: TLS version, ALPN, SNI, client's subject) or "failed"
// (detail: reason), then "closed" with byte counts (plaintext bytes, as forwarded). Not
// thread-safe.
class Ingress {
 public:
  // Refuses unusable TLS settings (kInvalidArgument). `journal` must outlive the ingress.
  static StatusOr<std::unique_ptr<Ingress>> Create(IngressOptions options, journal::Sink& journal);
  ~Ingress();

  // A client connected; `peer` is its address. Returns the connection's number, from 1.
  std::uint64_t Accept(Moment now, std::string peer);
  void Receive(Moment now, std::uint64_t connection, IngressSide side, std::string_view bytes);
  // The other end of that side shut down its sending direction (FIN).
  void PeerClosed(Moment now, std::uint64_t connection, IngressSide side);
  // The transport of that side broke (RST, write error).
  void PeerLost(Moment now, std::uint64_t connection, IngressSide side, std::string_view reason);
  void UpstreamConnected(Moment now, std::uint64_t connection);
  void UpstreamFailed(Moment now, std::uint64_t connection, std::string_view reason);
  // The transport took `bytes` of what TakeOutput gave for that side: room for back-pressure.
  void Sent(std::uint64_t connection, IngressSide side, std::size_t bytes);

  void Advance(Moment now);
  std::optional<SteadyTime> NextDeadline() const;
  std::vector<IngressOutput> TakeOutput();
  // Whether more bytes should be read from that side now; false while the other side is behind by
  // buffer_limit.
  bool WantsRead(std::uint64_t connection, IngressSide side) const;

  // Says close_notify to every client and closes all connections.
  void CloseAll(Moment now);
  std::size_t open_connections() const;

 private:
  struct Connection;
  Ingress(IngressOptions options, std::shared_ptr<wire::TlsContext> context,
          journal::Sink& journal);

  Connection* Find(std::uint64_t number) const;
  // Asked for with kConnect, and neither failed nor lost.
  static bool HasUpstream(const Connection& connection);
  void Record(const Connection& connection, std::string_view what, std::string detail);
  // Carries on whatever the TLS session has ready after an input.
  void Pump(Connection& connection);
  void OnPlaintext(Connection& connection, std::string_view bytes);
  void ToUpstream(Connection& connection, std::string_view bytes);
  void EndUpstreamWrite(Connection& connection);
  void FailHandshake(Connection& connection, std::string_view reason);
  // Ends both sides; the client is told with close_notify where it can be.
  void Finish(Connection& connection, std::string detail);
  void FinishWhenBothEnded(Connection& connection);
  void Emit(Connection& connection, IngressSide side, std::string bytes, IngressOutput::Then then);
  std::optional<SteadyTime> DeadlineOf(const Connection& connection) const;
  void ForgetFinished();

  IngressOptions options_;
  std::shared_ptr<wire::TlsContext> context_;
  journal::Sink& journal_;
  std::string source_;
  std::uint64_t next_connection_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<IngressOutput> output_;
};

}  // namespace squall::fakes
