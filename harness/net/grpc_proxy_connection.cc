#include "harness/net/grpc_proxy_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using wire::RelaySide;
using wire::ScriptedEnd;

// How long an end waits for windows of the peers to open for what is still to be said, and after
// that for the peers to close theirs.
constexpr Duration kGrpcLinger = std::chrono::seconds(5);

}  // namespace

GrpcProxyConnection::GrpcProxyConnection(AsioExecutor& executor, Owner& owner, Socket client,
                                         std::uint64_t number, std::string peer, GrpcProxyWire how)
    : executor_(executor),
      owner_(&owner),
      number_(number),
      peer_(std::move(peer)),
      how_(std::move(how)),
      down_(RelaySide::kDownstream, std::move(client)),
      up_(RelaySide::kUpstream, Socket(executor.io())) {
  error_code ignored;
  down_.socket.set_option(tcp::no_delay(true), ignored);
  down_.socket.non_blocking(true, ignored);
  down_.connected = true;
}

GrpcProxyConnection::~GrpcProxyConnection() = default;

journal::ConnectionEvent GrpcProxyConnection::Event(std::string_view word) const {
  return {.what = std::string(word),
          .connection = number_,
          .peer = peer_,
          .bytes_up = down_.received,
          .bytes_down = up_.received,
          .fault_id = deciding_fault_};
}

// --- Beginnings

void GrpcProxyConnection::Start(const wire::GrpcRelayOptions& options,
                                wire::MisbehaviourScript& script, const HostPort& upstream,
                                Duration timeout) {
  if (!how_.tls_fault.empty()) owner_->OnTlsHit(how_.tls_fault, number_);
  const Moment now = executor_.clock().MomentNow();
  if (how_.downstream != nullptr && !how_.listener.hangs) {
    down_.tls.emplace(how_.downstream, now.wall + how_.listener.calendar_ahead);
  }
  if (how_.upstream != nullptr) up_.tls.emplace(how_.upstream, now.wall);
  owner_->OnEvent(Event("accepted"));
  wire::GrpcRelay::Owner& relay_owner = *this;  // which make_unique could not see
  relay_ = std::make_unique<wire::GrpcRelay>(options, relay_owner, &script,
                                             wire::Place{.connection = number_, .listener = ""},
                                             now.steady);
  owner_->OnScriptMoved();
  Connect(upstream, timeout);
  Move();
}

void GrpcProxyConnection::Connect(const HostPort& upstream, Duration timeout) {
  const auto failed = [self = shared_from_this()](const std::string& why) {
    if (self->phase_ == Phase::kEnded || self->up_.connected) return;
    self->owner_->OnFailed();
    self->Fail(why);
  };
  error_code error;
  const asio::ip::address address =
      asio::ip::make_address(upstream.host == "localhost" ? "127.0.0.1" : upstream.host, error);
  if (error) {
    executor_.Post([failed, upstream] { failed(upstream.host + " is not an IP address"); });
    return;
  }
  timer_ = executor_.After(timeout, [failed, upstream, timeout] {
    failed("no answer from " + upstream.ToString() + " within " + FormatDuration(timeout));
  });
  up_.socket.async_connect({address, upstream.port},
                           [this, failed, upstream](const error_code& result) {
                             // `failed` keeps this object alive.
                             if (phase_ == Phase::kEnded) return;
                             if (phase_ == Phase::kLingering) {  // the client has left
                               error_code ignored;
                               up_.socket.close(ignored);
                               return;
                             }
                             if (result)
                               return failed(upstream.ToString() + ": " + result.message());
                             if (phase_ == Phase::kOpen) executor_.Cancel(std::exchange(timer_, 0));
                             error_code ignored;
                             up_.socket.set_option(tcp::no_delay(true), ignored);
                             up_.socket.non_blocking(true, ignored);
                             up_.connected = true;
                             owner_->OnEvent(Event("established"));
                             owner_->OnEstablished();
                             Move();
                           });
}

// --- Bytes

void GrpcProxyConnection::Read(Side& side) {
  if (side.reading || side.ended || !side.connected || phase_ == Phase::kEnded) return;
  // Half open: as if this machine had gone.
  if (side.which == RelaySide::kDownstream && phase_ == Phase::kOpen && relay_->silent()) return;
  side.reading = true;
  side.socket.async_read_some(
      asio::buffer(side.input),
      [this, self = shared_from_this(), &side](const error_code& error, std::size_t bytes) {
        side.reading = false;
        if (phase_ != Phase::kEnded) OnRead(side, error, bytes);
      });
}

void GrpcProxyConnection::OnRead(Side& side, const error_code& error, std::size_t bytes) {
  const bool client = side.which == RelaySide::kDownstream;
  if (!error) {
    side.received += bytes;
    if (phase_ != Phase::kLingering) OnBytes(side, {side.input.data(), bytes});
    return Move();
  }
  side.ended = true;
  if (phase_ == Phase::kLingering) return FinishWhenOver();
  if (!client && relay_->silent()) {
    // The client is not to hear of it: half open.
    error_code ignored;
    side.connected = false;
    side.socket.close(ignored);
    return;
  }
  if (error != asio::error::eof) {
    return Finish("reset", true, client ? "reset by the client" : "reset by the upstream");
  }
  if (side.tls) {
    side.tls->FeedEnd();
    if (!side.tls->handshake_done()) {
      owner_->OnFailed();
      return Fail(std::string(Message(side.tls->error())));
    }
  }
  Close("", client ? "closed by the client" : "closed by the upstream");
  Move();
}

void GrpcProxyConnection::OnBytes(Side& side, std::string_view bytes) {
  const bool client = side.which == RelaySide::kDownstream;
  if (client && how_.listener.hangs) return;
  std::string plain;
  if (side.tls) {
    if (!FeedTls(side, bytes, plain)) return;
    bytes = plain;
    if (bytes.empty()) return;
    if (client && how_.listener.truncates) return Close(how_.tls_fault, "");
  }
  const Status status = relay_->Feed(executor_.clock().Now(), side.which, bytes);
  owner_->OnScriptMoved();
  if (status.ok()) return;
  if (client) return Close("", std::string(Message(status)));
  owner_->OnFailed();
  Fail("upstream: " + std::string(Message(status)));
}

// False when the connection is not what it was any more.
bool GrpcProxyConnection::FeedTls(Side& side, std::string_view bytes, std::string& plain) {
  side.tls->FeedCiphertext(bytes);
  plain = side.tls->TakePlaintext();
  if (side.tls->error().ok()) {
    if (!side.tls->peer_closed() || phase_ != Phase::kOpen) return true;
    if (!plain.empty()) {
      relay_->Feed(executor_.clock().Now(), side.which, plain).IgnoreError();
    }
    Close("", "closed by the " +
                  std::string(side.which == RelaySide::kDownstream ? "client" : "upstream"));
    return false;
  }
  const std::string why(Message(side.tls->error()));
  owner_->OnFailed();
  if (side.which == RelaySide::kUpstream) {
    Fail("upstream: " + why);
    return false;
  }
  // An alert tells the client.
  deciding_fault_ = how_.tls_fault;
  journal::ConnectionEvent event = Event("failed");
  event.detail = why;
  owner_->OnEvent(std::move(event));
  Close(how_.tls_fault, why);
  return false;
}

void GrpcProxyConnection::OnOutput() {
  // The script may be going through its connections: nothing must end under its hands.
  executor_.Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->phase_ != Phase::kEnded) self->Move();
  });
}

void GrpcProxyConnection::Move() {
  if (moving_ || phase_ == Phase::kEnded) return;
  const auto self = shared_from_this();
  if (phase_ == Phase::kOpen && relay_->end() == ScriptedEnd::kReset) {
    deciding_fault_ = relay_->end_fault();
    return Finish("reset", true, "");
  }
  moving_ = true;
  if (phase_ != Phase::kLingering) {
    // What leaves one side may give window back to the other.
    for (bool left = true; left;) {
      left = Write(up_);
      left = Write(down_) || left;
    }
  }
  moving_ = false;
  LookAtEnd();
  Read(down_);
  Read(up_);
}

// A client is told nothing of HTTP/2 before its connection leads to a server: one that cannot be
// reached is not to look like one that spoke and went.
bool GrpcProxyConnection::MaySpeak(const Side& side) const {
  if (side.which == RelaySide::kUpstream || phase_ != Phase::kOpen) return true;
  return up_.connected && (!up_.tls || up_.tls->handshake_done());
}

void GrpcProxyConnection::Gather(Side& side) {
  const bool speaks = MaySpeak(side);
  if (!side.tls) {
    if (speaks) relay_->TakeOutput(side.which, side.output);
    return;
  }
  if (speaks && side.tls->handshake_done() && side.tls->error().ok()) {
    std::string plain;
    relay_->TakeOutput(side.which, plain);
    if (!plain.empty()) side.tls->WritePlaintext(plain);
  }
  side.output = side.tls->TakeCiphertext();
}

// True when something has left. At once as far as the socket takes it, which is nearly always all:
// going through the loop for that costs another look at all sockets for each write. Errors are the
// loop's business, where nobody is in the middle of something.
bool GrpcProxyConnection::Write(Side& side) {
  if (side.writing || !side.connected) return false;
  if (side.which == RelaySide::kDownstream && how_.listener.hangs) return false;
  if (side.output.empty()) Gather(side);
  if (side.output.empty()) return false;
  error_code later;
  const std::size_t sent = side.socket.write_some(asio::buffer(side.output), later);
  if (sent == side.output.size()) {
    side.output.clear();
    return true;
  }
  side.writing = true;
  asio::async_write(side.socket, asio::buffer(side.output) + sent,
                    [this, self = shared_from_this(), &side](const error_code& error, std::size_t) {
                      side.writing = false;
                      side.output.clear();
                      if (phase_ == Phase::kEnded) return;
                      if (error) return Finish("reset", true, error.message());
                      Move();
                    });
  return false;
}

// --- Ends

void GrpcProxyConnection::LookAtEnd() {
  if (phase_ == Phase::kOpen && relay_->end() == ScriptedEnd::kClose) {
    return Close(relay_->end_fault(), "");
  }
  if (phase_ != Phase::kClosing || down_.writing || (up_.connected && up_.writing)) return;
  // Answers wait for the client's window; the timer sees to it that they do not for ever.
  if (relay_->end() == ScriptedEnd::kKeep && timer_ != 0 && !down_.ended &&
      relay_->held_bytes(RelaySide::kDownstream) > 0) {
    return;
  }
  for (Side* side : {&down_, &up_}) {
    const bool truncated = side == &down_ && how_.listener.truncates;
    if (!side->tls || truncated || !side->tls->handshake_done()) continue;
    side->tls->CloseNotify();
    side->output = side->tls->TakeCiphertext();
  }
  Linger();
}

void GrpcProxyConnection::Close(std::string_view fault_id, std::string detail) {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kClosing;
  deciding_fault_ = std::string(fault_id);
  closing_detail_ = std::move(detail);
  executor_.Cancel(timer_);
  timer_ = executor_.After(kGrpcLinger, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->phase_ != Phase::kClosing) return;
    self->timer_ = 0;
    self->Finish("closed", false, self->closing_detail_);
  });
  Move();
}

// The last bytes go, then FIN to both; what the peers still send is thrown away until they end too.
void GrpcProxyConnection::Linger() {
  phase_ = Phase::kLingering;
  executor_.Cancel(std::exchange(timer_, 0));
  const auto self = shared_from_this();
  timer_ = executor_.After(kGrpcLinger, [weak = weak_from_this()] {
    if (const auto late = weak.lock()) late->Finish("closed", false, late->closing_detail_);
  });
  for (Side* side : {&down_, &up_}) {
    if (!side->connected) continue;
    const auto end = [this, self, side](const error_code&, std::size_t) {
      if (phase_ == Phase::kEnded) return;
      error_code ignored;
      side->socket.shutdown(tcp::socket::shutdown_send, ignored);
      side->said = true;
      FinishWhenOver();
    };
    if (side->output.empty()) {
      end({}, 0);
      if (phase_ == Phase::kEnded) return;
    } else {
      asio::async_write(side->socket, asio::buffer(side->output), end);
    }
  }
}

void GrpcProxyConnection::FinishWhenOver() {
  for (const Side* side : {&down_, &up_}) {
    if (side->connected && !(side->ended && side->said)) return;
  }
  Finish("closed", false, closing_detail_);
}

// The client gets what it would get of a server that is not there.
void GrpcProxyConnection::Fail(const std::string& detail) {
  deciding_fault_ = how_.tls_fault;
  journal::ConnectionEvent event = Event("failed");
  event.detail = detail;
  owner_->OnEvent(std::move(event));
  Finish("reset", true, detail);
}

void GrpcProxyConnection::End(CutWith how, std::string_view fault_id) {
  if (phase_ == Phase::kEnded) return;
  deciding_fault_ = std::string(fault_id);
  if (how == CutWith::kReset) return Finish("reset", true, "");
  if (phase_ == Phase::kOpen) Close(fault_id, "");
}

void GrpcProxyConnection::Finish(std::string_view word, bool by_reset, std::string detail) {
  if (phase_ == Phase::kEnded) return;
  const auto self = shared_from_this();
  phase_ = Phase::kEnded;
  executor_.Cancel(std::exchange(timer_, 0));
  for (Side* side : {&down_, &up_}) {
    error_code ignored;
    if (by_reset && side->socket.is_open()) {
      side->socket.set_option(asio::socket_base::linger(true, 0), ignored);
    }
    side->socket.close(ignored);
  }
  relay_.reset();
  if (owner_ == nullptr) return;
  journal::ConnectionEvent event = Event(word);
  event.detail = std::move(detail);
  owner_->OnEvent(std::move(event));
  owner_->OnEnded(number_);
}

void GrpcProxyConnection::Abandon() {
  owner_ = nullptr;
  Finish("reset", true, "");
}

}  // namespace squall::harness
