#include "fakes/ingress/ingress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace squall::fakes {
namespace {

// A client's first bytes in HTTP/2 (RFC 9113, section 3.4), as far as an HTTP/1 parser reads its
// first line.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n";

constexpr std::string_view kBadRequest =
    "HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text/plain\r\nconnection: "
    "close\r\n\r\n"
    "Bad Request";

// Alert record: level fatal (2), description protocol_version (70); RFC 8446, section 6.
constexpr std::string_view kProtocolVersionAlert("\x15\x03\x01\x00\x02\x02\x46", 7);

std::vector<std::string> AlpnOf(IngressTransport transport) {
  switch (transport) {
    case IngressTransport::kHttp2:
      return {"h2", "http/1.1"};
    case IngressTransport::kHttp1:
      return {"http/1.1"};
    case IngressTransport::kHttp1BehindH2:
      return {"h2"};
  }
  return {};
}

bool LooksLikeHttp1(std::string_view bytes) {
  for (const std::string_view method :
       {"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "DELETE ", "CONNECT "}) {
    if (bytes.substr(0, method.size()) == method) return true;
  }
  return false;
}

std::size_t Index(IngressSide side) { return side == IngressSide::kDownstream ? 0 : 1; }

}  // namespace

struct Ingress::Connection {
  enum class Upstream { kNone, kConnecting, kOpen };

  std::uint64_t number = 0;
  std::string peer;
  std::optional<wire::TlsSession> tls;  // none while silent
  Upstream upstream = Upstream::kNone;
  bool established = false;
  bool finished = false;
  bool down_ended = false;      // the client said close_notify
  bool up_ended = false;        // the upstream sent FIN
  bool up_write_ended = false;  // FIN was passed on to the upstream
  bool sniffed = false;         // what the client speaks has been seen
  std::string head;             // first bytes of the client, until sniffed
  std::string waiting;          // for the upstream to be open
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::size_t unsent[2] = {0, 0};  // given to the owner, not yet reported by Sent; by Index(side)
  SteadyTime opened;
  SteadyTime active;
  std::optional<SteadyTime> half_closed;
};

StatusOr<std::unique_ptr<Ingress>> Ingress::Create(IngressOptions options, journal::Sink& journal) {
  options.tls.alpn = options.alpn ? *options.alpn : AlpnOf(options.transport);
  options.tls.alpn_mismatch = wire::AlpnMismatch::kContinue;  // as Envoy
  auto context = wire::TlsContext::Server(options.tls);
  if (!context.ok()) return Annotate(context.status(), fmt::format("ingress {}", options.name));
  return std::unique_ptr<Ingress>(new Ingress(std::move(options), *std::move(context), journal));
}

Ingress::Ingress(IngressOptions options, std::shared_ptr<wire::TlsContext> context,
                 journal::Sink& journal)
    : options_(std::move(options)),
      context_(std::move(context)),
      journal_(journal),
      source_("ingress:" + options_.name) {}

Ingress::~Ingress() = default;

Ingress::Connection* Ingress::Find(std::uint64_t number) const {
  const auto it = connections_.find(number);
  return it == connections_.end() || it->second->finished ? nullptr : it->second.get();
}

bool Ingress::HasUpstream(const Connection& connection) {
  return connection.upstream != Connection::Upstream::kNone;
}

void Ingress::Record(const Connection& connection, std::string_view what, std::string detail) {
  journal::ConnectionEvent event;
  event.what = what;
  event.link = options_.name;
  event.connection = connection.number;
  event.peer = connection.peer;
  if (what == "closed") {
    event.bytes_up = connection.bytes_up;
    event.bytes_down = connection.bytes_down;
  }
  event.detail = std::move(detail);
  journal_.Append(source_, std::move(event));
}

void Ingress::Emit(Connection& connection, IngressSide side, std::string bytes,
                   IngressOutput::Then then) {
  if (bytes.empty() && then == IngressOutput::Then::kKeep) return;
  connection.unsent[Index(side)] += bytes.size();
  output_.push_back({connection.number, side, std::move(bytes), then});
}

std::uint64_t Ingress::Accept(Moment now, std::string peer) {
  const std::uint64_t number = next_connection_++;
  auto connection = std::make_unique<Connection>();
  connection->number = number;
  connection->peer = std::move(peer);
  connection->opened = connection->active = now.steady;
  if (options_.reach == IngressReach::kPublic) connection->tls.emplace(context_, now.wall);
  Record(*connection, "accepted", "");
  connections_.emplace(number, std::move(connection));
  return number;
}

void Ingress::Receive(Moment now, std::uint64_t number, IngressSide side, std::string_view bytes) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  if (side == IngressSide::kUpstream && !HasUpstream(*connection)) return;
  connection->active = now.steady;
  if (side == IngressSide::kUpstream) {
    connection->bytes_down += bytes.size();
    connection->tls->WritePlaintext(bytes);
  } else if (connection->tls) {
    connection->tls->FeedCiphertext(bytes);
  }
  Pump(*connection);
  // From the moment that one direction has ended, the other is on a deadline.
  if ((connection->down_ended || connection->up_ended) && !connection->half_closed) {
    connection->half_closed = now.steady;
  }
  ForgetFinished();
}

void Ingress::Pump(Connection& connection) {
  if (!connection.tls) return;
  wire::TlsSession& tls = *connection.tls;
  if (tls.handshake_done() && !connection.established) {
    connection.established = true;
    std::string detail =
        fmt::format("{}, ALPN {}, SNI {}", tls.version(), tls.alpn().empty() ? "none" : tls.alpn(),
                    tls.sni().empty() ? "none" : tls.sni());
    if (const std::string subject = tls.peer_subject(); !subject.empty())
      detail += ", client " + subject;
    if (tls.resumed()) detail += ", resumed";
    Record(connection, "established", std::move(detail));
  }
  if (const std::string plaintext = tls.TakePlaintext(); !plaintext.empty()) {
    connection.bytes_up += plaintext.size();
    OnPlaintext(connection, plaintext);
    if (connection.finished) return;
  }
  Emit(connection, IngressSide::kDownstream, tls.TakeCiphertext(), IngressOutput::Then::kKeep);
  if (!tls.error().ok()) {
    if (!connection.established) return FailHandshake(connection, Message(tls.error()));
    return Finish(connection, std::string(Message(tls.error())));
  }
  if (tls.peer_closed() && !connection.down_ended) {
    connection.down_ended = true;
    EndUpstreamWrite(connection);
    FinishWhenBothEnded(connection);
  }
}

void Ingress::OnPlaintext(Connection& connection, std::string_view bytes) {
  if (connection.sniffed || options_.transport == IngressTransport::kHttp2)
    return ToUpstream(connection, bytes);
  connection.head += bytes;
  const std::size_t size = std::min(connection.head.size(), kHttp2Preface.size());
  if (connection.head.compare(0, size, kHttp2Preface.substr(0, size)) == 0) {
    if (size < kHttp2Preface.size()) return;  // may still become the preface
    connection.tls->WritePlaintext(kBadRequest);
    connection.bytes_down += kBadRequest.size();
    return Finish(connection,
                  "HTTP/2 where HTTP/1.1 is expected: answered HTTP/1.1 400 Bad Request");
  }
  connection.sniffed = true;
  ToUpstream(connection, std::exchange(connection.head, {}));
}

void Ingress::ToUpstream(Connection& connection, std::string_view bytes) {
  switch (connection.upstream) {
    case Connection::Upstream::kNone:
      connection.upstream = Connection::Upstream::kConnecting;
      Emit(connection, IngressSide::kUpstream, "", IngressOutput::Then::kConnect);
      [[fallthrough]];
    case Connection::Upstream::kConnecting:
      connection.waiting += bytes;
      return;
    case Connection::Upstream::kOpen:
      Emit(connection, IngressSide::kUpstream, std::string(bytes), IngressOutput::Then::kKeep);
      return;
  }
}

void Ingress::EndUpstreamWrite(Connection& connection) {
  if (connection.up_write_ended || connection.upstream != Connection::Upstream::kOpen) return;
  connection.up_write_ended = true;
  Emit(connection, IngressSide::kUpstream, "", IngressOutput::Then::kEndWrite);
}

void Ingress::FinishWhenBothEnded(Connection& connection) {
  // A client that ends before it asked for anything leaves no upstream to wait for.
  const bool nothing_upstream = connection.upstream == Connection::Upstream::kNone;
  if (connection.down_ended && (connection.up_ended || nothing_upstream)) Finish(connection, "");
}

void Ingress::UpstreamConnected(Moment now, std::uint64_t number) {
  Connection* connection = Find(number);
  if (connection == nullptr || connection->upstream != Connection::Upstream::kConnecting) return;
  connection->active = now.steady;
  connection->upstream = Connection::Upstream::kOpen;
  Emit(*connection, IngressSide::kUpstream, std::exchange(connection->waiting, {}),
       IngressOutput::Then::kKeep);
  if (connection->down_ended) EndUpstreamWrite(*connection);
}

void Ingress::UpstreamFailed(Moment, std::uint64_t number, std::string_view reason) {
  Connection* connection = Find(number);
  if (connection == nullptr || !HasUpstream(*connection)) return;
  connection->upstream = Connection::Upstream::kNone;
  Finish(*connection, fmt::format("upstream: {}", reason));
  ForgetFinished();
}

void Ingress::PeerClosed(Moment now, std::uint64_t number, IngressSide side) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  if (side == IngressSide::kUpstream) {
    if (connection->up_ended || !HasUpstream(*connection)) return;
    connection->up_ended = true;
    connection->half_closed = now.steady;
    connection->tls->CloseNotify();
    Emit(*connection, IngressSide::kDownstream, connection->tls->TakeCiphertext(),
         IngressOutput::Then::kEndWrite);
    FinishWhenBothEnded(*connection);
  } else if (!connection->tls) {
    Finish(*connection, "");
  } else {
    // After its close_notify a client's FIN says nothing new; before it, it is an abort.
    connection->tls->FeedEnd();
    Pump(*connection);
  }
  ForgetFinished();
}

void Ingress::PeerLost(Moment, std::uint64_t number, IngressSide side, std::string_view reason) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  const bool upstream = side == IngressSide::kUpstream;
  if (upstream && !HasUpstream(*connection)) return;
  if (upstream) connection->upstream = Connection::Upstream::kNone;
  if (!upstream && connection->tls && !connection->established) {
    FailHandshake(*connection, reason);
  } else {
    Finish(*connection, fmt::format("{}: {}", upstream ? "upstream" : "client", reason));
  }
  ForgetFinished();
}

void Ingress::Sent(std::uint64_t number, IngressSide side, std::size_t bytes) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  std::size_t& unsent = connection->unsent[Index(side)];
  unsent -= std::min(unsent, bytes);
}

bool Ingress::WantsRead(std::uint64_t number, IngressSide side) const {
  const Connection* connection = Find(number);
  if (connection == nullptr) return false;
  const bool down = side == IngressSide::kDownstream;
  const std::size_t behind =
      down ? connection->unsent[Index(IngressSide::kUpstream)] + connection->waiting.size()
           : connection->unsent[Index(IngressSide::kDownstream)];
  return behind < options_.buffer_limit;
}

void Ingress::FailHandshake(Connection& connection, std::string_view reason) {
  Record(connection, "failed", std::string(reason));
  if (options_.plaintext_answer == PlaintextAnswer::kAlert && connection.tls->peer_is_plaintext() &&
      !LooksLikeHttp1(connection.tls->first_bytes())) {
    Emit(connection, IngressSide::kDownstream, std::string(kProtocolVersionAlert),
         IngressOutput::Then::kKeep);
  }
  Finish(connection, "");
}

void Ingress::Finish(Connection& connection, std::string detail) {
  if (connection.finished) return;
  connection.finished = true;
  std::string last;
  if (connection.tls) {
    if (connection.established) connection.tls->CloseNotify();
    last = connection.tls->TakeCiphertext();
  }
  Emit(connection, IngressSide::kDownstream, std::move(last), IngressOutput::Then::kClose);
  if (connection.upstream != Connection::Upstream::kNone) {
    Emit(connection, IngressSide::kUpstream, "", IngressOutput::Then::kClose);
  }
  Record(connection, "closed", std::move(detail));
}

std::optional<SteadyTime> Ingress::DeadlineOf(const Connection& connection) const {
  std::optional<SteadyTime> first;
  const auto consider = [&first](SteadyTime from, Duration limit) {
    if (limit > Duration::zero() && (!first || from + limit < *first)) first = from + limit;
  };
  if (!connection.tls) return first;
  if (!connection.established) consider(connection.opened, options_.handshake_timeout);
  if (connection.half_closed) consider(*connection.half_closed, options_.half_close_timeout);
  consider(connection.active, options_.idle_timeout);
  return first;
}

void Ingress::Advance(Moment now) {
  for (const auto& [number, connection] : connections_) {
    const auto deadline = DeadlineOf(*connection);
    if (!deadline || *deadline > now.steady) continue;
    if (!connection->established) {
      FailHandshake(*connection, fmt::format("no TLS handshake within {}",
                                             FormatDuration(options_.handshake_timeout)));
    } else {
      Finish(*connection,
             connection->half_closed ? "half-closed for too long" : "idle for too long");
    }
  }
  ForgetFinished();
}

std::optional<SteadyTime> Ingress::NextDeadline() const {
  std::optional<SteadyTime> first;
  for (const auto& [number, connection] : connections_) {
    const auto deadline = DeadlineOf(*connection);
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  return first;
}

std::vector<IngressOutput> Ingress::TakeOutput() { return std::exchange(output_, {}); }

void Ingress::CloseAll(Moment) {
  for (const auto& [number, connection] : connections_) Finish(*connection, "the ingress closes");
  ForgetFinished();
}

void Ingress::ForgetFinished() {
  std::erase_if(connections_, [](const auto& entry) { return entry.second->finished; });
}

std::size_t Ingress::open_connections() const { return connections_.size(); }

}  // namespace squall::fakes
