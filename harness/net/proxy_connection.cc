#include "harness/net/proxy_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <utility>

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kHeldBytesMax = 64 * 1024;
// A reset throws away what the kernel has not delivered yet; so that a cut is exact, it waits for
// delivery, but not for ever: the other side may not read at all.
constexpr Duration kCutLookPause = std::chrono::milliseconds(1);
constexpr int kCutLooksMax = 1000;
// After a FIN in both directions, how long the peers may take to close theirs.
constexpr Duration kLinger = std::chrono::seconds(5);

void ResetSocket(tcp::socket& socket) {
  error_code ignored;
  if (!socket.is_open()) return;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

bool Undelivered(tcp::socket& socket) {
  int bytes = 0;
  return socket.is_open() && ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

bool InDirection(Direction direction, bool up) {
  return direction == Direction::kBoth || (direction == Direction::kUp) == up;
}

}  // namespace

bool IsStreamFault(NetFaultKind kind) {
  switch (kind) {
    case NetFaultKind::kRefuse:
    case NetFaultKind::kReset:
    case NetFaultKind::kBlackhole:
    case NetFaultKind::kNeverAccept:
      return false;
    case NetFaultKind::kStall:
    case NetFaultKind::kLatency:
    case NetFaultKind::kBandwidth:
    case NetFaultKind::kCut:
    case NetFaultKind::kSlowClose:
      return true;
  }
  return true;
}

ProxyConnection::ProxyConnection(AsioExecutor& executor, Owner& owner, Socket client,
                                 std::uint64_t number, std::string peer)
    : executor_(executor),
      owner_(&owner),
      client_(std::move(client)),
      upstream_(executor.io()),
      number_(number),
      peer_(std::move(peer)) {
  up_.up = true;
  up_.from = down_.to = &client_;
  up_.to = down_.from = &upstream_;
  error_code ignored;
  client_.set_option(tcp::no_delay(true), ignored);
}

journal::ConnectionEvent ProxyConnection::Event(std::string_view word) const {
  return {.what = std::string(word),
          .connection = number_,
          .peer = peer_,
          .bytes_up = up_.delivered,
          .bytes_down = down_.delivered,
          .fault_id = deciding_fault_};
}

// -------------------------------------------------------------------------------------------------------------
// beginnings

void ProxyConnection::Connect(const HostPort& upstream, Duration timeout) {
  phase_ = Phase::kConnecting;
  if (!hold_) owner_->OnEvent(Event("accepted"));
  error_code error;
  const asio::ip::address address =
      asio::ip::make_address(upstream.host == "localhost" ? "127.0.0.1" : upstream.host, error);
  MaybeRead(up_);
  const auto failed = [self = shared_from_this()](std::string why) {
    if (self->phase_ != Phase::kConnecting) return;
    journal::ConnectionEvent event = self->Event("failed");
    event.detail = std::move(why);
    self->owner_->OnEvent(std::move(event));
    self->owner_->OnConnectFailed();
    self->Finish("reset", true, "the upstream could not be reached");
  };
  if (error) {
    executor_.Post([failed, upstream] { failed(upstream.host + " is not an IP address"); });
    return;
  }
  timer_ = executor_.After(timeout, [failed, upstream, timeout] {
    failed("no answer from " + upstream.ToString() + " within " + FormatDuration(timeout));
  });
  upstream_.async_connect({address, upstream.port},
                          [this, failed, upstream](const error_code& result) {
                            // `failed` keeps this object alive.
                            executor_.Cancel(std::exchange(timer_, 0));
                            if (phase_ != Phase::kConnecting) return;
                            if (result) {
                              failed(upstream.ToString() + ": " + result.message());
                              return;
                            }
                            error_code ignored;
                            upstream_.set_option(tcp::no_delay(true), ignored);
                            phase_ = Phase::kOpen;
                            owner_->OnEvent(Event("established"));
                            owner_->OnEstablished();
                            MaybeRead(down_);
                            MaybeWrite(up_);
                          });
}

void ProxyConnection::Hold(std::shared_ptr<ActiveFault> fault) {
  phase_ = Phase::kHeld;
  hold_ = std::move(fault);
  deciding_fault_ = hold_->spec.id;
  owner_->OnEvent(Event("accepted"));
  owner_->OnHit(*hold_, number_);
  // Read so that a client that gives up is noticed; nothing of it goes anywhere before the fault is
  // healed.
  MaybeRead(up_);
}

void ProxyConnection::Refuse(const ActiveFault& fault) {
  deciding_fault_ = fault.spec.id;
  owner_->OnHit(fault, number_);
  ended_by_proxy_ = true;
  Finish("reset", true, "");
}

void ProxyConnection::Release(const HostPort& upstream, Duration timeout) {
  if (phase_ != Phase::kHeld) return;
  deciding_fault_.clear();
  Connect(upstream, timeout);
  hold_.reset();
}

// ------------------------------------------------------------------------------------------------------------------
// faults

void ProxyConnection::Attach(std::shared_ptr<ActiveFault> fault) {
  Attached attached{.fault = std::move(fault)};
  attached.left_up = attached.left_down = attached.fault->spec.cut_after_bytes;
  attached_.push_back(std::move(attached));
  // A write that waits for the receiver must not slip through a stall that has begun since.
  for (Pipe* pipe : {&up_, &down_}) {
    if (pipe->writing && pipe->to->is_open() &&
        Acts(attached_.back(), NetFaultKind::kStall, pipe->up)) {
      error_code ignored;
      pipe->to->cancel(ignored);
    }
  }
}

void ProxyConnection::Detach(std::string_view fault_id) {
  const auto gone =
      std::remove_if(attached_.begin(), attached_.end(),
                     [&](const Attached& attached) { return attached.fault->spec.id == fault_id; });
  if (gone == attached_.end()) return;
  attached_.erase(gone, attached_.end());
  for (Pipe* pipe : {&up_, &down_}) {
    const bool delayed =
        std::any_of(attached_.begin(), attached_.end(), [&](const Attached& attached) {
          return Acts(attached, NetFaultKind::kLatency, pipe->up) ||
                 Acts(attached, NetFaultKind::kSlowClose, pipe->up);
        });
    if (!delayed) {
      pipe->last_due = {};
      for (Piece& piece : pipe->held) piece.due = {};
    }
    pipe->pace_free = {};
    executor_.Cancel(std::exchange(pipe->timer, 0));
    MaybeWrite(*pipe);
  }
}

bool ProxyConnection::Acts(const Attached& attached, NetFaultKind kind, bool up) const {
  const NetFault& spec = attached.fault->spec;
  // An accept fault that is attached to a connection stalls it.
  const NetFaultKind actual = IsStreamFault(spec.kind) ? spec.kind : NetFaultKind::kStall;
  return actual == kind && (!IsStreamFault(spec.kind) || InDirection(spec.direction, up));
}

void ProxyConnection::MarkHit(Attached& attached) {
  if (attached.hit) return;
  attached.hit = true;
  owner_->OnHit(*attached.fault, number_);
}

Duration ProxyConnection::DrawDelay(bool up, bool end) {
  Duration delay{};
  for (Attached& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kLatency, up) &&
        !(end && Acts(attached, NetFaultKind::kSlowClose, up)))
      continue;
    const NetFault& spec = attached.fault->spec;
    const double deviation =
        (2 * attached.fault->rng.Uniform() - 1) * static_cast<double>(spec.jitter.count());
    delay +=
        std::max(Duration::zero(), spec.latency + Duration(static_cast<Duration::rep>(deviation)));
    MarkHit(attached);
  }
  return delay;
}

// -------------------------------------------------------------------------------------------------------------------
// bytes

void ProxyConnection::MaybeRead(Pipe& pipe) {
  if (pipe.reading || pipe.read_done || phase_ == Phase::kEnded || phase_ == Phase::kCutting)
    return;
  if (phase_ != Phase::kLingering && pipe.held_bytes >= kHeldBytesMax) return;
  pipe.reading = true;
  const std::size_t room = phase_ == Phase::kLingering
                               ? pipe.buffer.size()
                               : std::min(pipe.buffer.size(), kHeldBytesMax - pipe.held_bytes);
  pipe.from->async_read_some(
      asio::buffer(pipe.buffer.data(), room),
      [this, self = shared_from_this(), &pipe](const error_code& error, std::size_t bytes) {
        pipe.reading = false;
        OnRead(pipe, error, bytes);
      });
}

void ProxyConnection::OnRead(Pipe& pipe, const error_code& error, std::size_t bytes) {
  if (phase_ == Phase::kEnded || phase_ == Phase::kCutting) return;
  if (error == asio::error::operation_aborted) {  // by Attach
    MaybeRead(pipe);
    return;
  }
  if (phase_ == Phase::kLingering) {  // what comes is thrown away
    if (error) pipe.read_done = true;
    MaybeRead(pipe);
    LookLingered();
    return;
  }
  if (pipe.read_done) return;  // End() was called meanwhile: what came after it does not count
  if (error && phase_ == Phase::kHeld) {
    Finish("closed", false, "the client gave up");
    return;
  }
  const bool end = static_cast<bool>(error);
  pipe.last_due = std::max(pipe.last_due, executor_.clock().Now() + DrawDelay(pipe.up, end));
  Piece piece{.end = end, .reset = end && error != asio::error::eof, .due = pipe.last_due};
  if (end) {
    pipe.read_done = true;
  } else {
    piece.data.assign(pipe.buffer.data(), bytes);
    pipe.held_bytes += bytes;
  }
  pipe.held.push_back(std::move(piece));
  MaybeRead(pipe);
  MaybeWrite(pipe);
}

void ProxyConnection::MaybeWrite(Pipe& pipe) {
  if (phase_ != Phase::kOpen || pipe.writing || pipe.done || pipe.held.empty()) return;
  for (Attached& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kStall, pipe.up)) continue;
    MarkHit(attached);
    return;  // goes on at Detach
  }
  Piece& piece = pipe.held.front();
  const SteadyTime now = executor_.clock().Now();
  if (piece.due > now) {
    WaitUntil(pipe, piece.due);
    return;
  }
  if (piece.end) {
    const bool reset = piece.reset;
    pipe.held.pop_front();
    DeliverEnd(pipe, reset);
    return;
  }
  std::size_t bytes = piece.data.size() - piece.sent;
  for (Attached& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kCut, pipe.up)) continue;
    MarkHit(attached);
    if (attached.left(pipe.up) == 0) {
      Cut(*attached.fault);
      return;
    }
    bytes = std::min<std::size_t>(bytes, attached.left(pipe.up));
  }
  for (Attached& attached : attached_) {
    if (!Acts(attached, NetFaultKind::kBandwidth, pipe.up)) continue;
    MarkHit(attached);
    if (pipe.pace_free > now) {
      WaitUntil(pipe, pipe.pace_free);
      return;
    }
    // Twenty pieces a second, so that the rate holds over short times too.
    bytes = std::min<std::size_t>(
        bytes, std::max<std::uint64_t>(1, attached.fault->spec.bytes_per_second / 20));
  }
  pipe.writing = true;
  pipe.to->async_write_some(
      asio::buffer(piece.data.data() + piece.sent, bytes),
      [this, self = shared_from_this(), &pipe](const error_code& error, std::size_t written) {
        pipe.writing = false;
        OnWritten(pipe, error, written);
      });
}

void ProxyConnection::OnWritten(Pipe& pipe, const error_code& error, std::size_t bytes) {
  if (phase_ != Phase::kOpen) return;
  if (error == asio::error::operation_aborted) {
    MaybeWrite(pipe);
    return;
  }
  if (error) {
    // The receiver is gone. What it said before that is still passed on; then the sender is reset,
    // as it would be without a proxy.
    broken_ = true;
    pipe.done = pipe.read_done = true;
    pipe.held.clear();
    pipe.held_bytes = 0;
    if (Other(pipe).done) Finish("reset", true, error.message());
    return;
  }
  pipe.delivered += bytes;
  owner_->OnDelivered(pipe.up, bytes);
  Piece& piece = pipe.held.front();
  piece.sent += bytes;
  pipe.held_bytes -= bytes;
  if (piece.sent == piece.data.size()) pipe.held.pop_front();
  const ActiveFault* cut = nullptr;
  for (Attached& attached : attached_) {
    if (Acts(attached, NetFaultKind::kBandwidth, pipe.up)) {
      const double seconds =
          static_cast<double>(bytes) / static_cast<double>(attached.fault->spec.bytes_per_second);
      const SteadyTime from = executor_.clock().Now();
      pipe.pace_free =
          std::max(pipe.pace_free, from + Duration(static_cast<Duration::rep>(seconds * 1e9)));
    }
    if (!Acts(attached, NetFaultKind::kCut, pipe.up)) continue;
    std::uint64_t& left = attached.left(pipe.up);
    left -= std::min<std::uint64_t>(left, bytes);
    if (left == 0 && attached.hit) cut = attached.fault.get();
  }
  if (cut != nullptr) {
    Cut(*cut);
    return;
  }
  MaybeRead(pipe);
  MaybeWrite(pipe);
}

void ProxyConnection::WaitUntil(Pipe& pipe, SteadyTime when) {
  executor_.Cancel(pipe.timer);
  pipe.timer = executor_.At(when, [this, weak = weak_from_this(), &pipe] {
    const auto self = weak.lock();
    if (!self) return;
    pipe.timer = 0;
    MaybeWrite(pipe);
  });
}

// --------------------------------------------------------------------------------------------------------------------
// ends

void ProxyConnection::DeliverEnd(Pipe& pipe, bool reset) {
  pipe.done = true;
  if (reset || broken_) {
    Finish("reset", true, broken_ ? "" : pipe.up ? "reset by the client" : "reset by the upstream");
    return;
  }
  error_code ignored;
  pipe.to->shutdown(tcp::socket::shutdown_send, ignored);
  if (!Other(pipe).done) return;
  if (linger_at_end_) {
    Linger();
  } else {
    Finish("closed", false, "");
  }
}

void ProxyConnection::End(CutWith how, std::string_view fault_id) {
  if (phase_ == Phase::kEnded) return;
  deciding_fault_ = std::string(fault_id);
  ended_by_proxy_ = how == CutWith::kReset;
  if (how == CutWith::kReset || phase_ != Phase::kOpen) {
    Finish(how == CutWith::kReset ? "reset" : "closed", how == CutWith::kReset, "");
    return;
  }
  linger_at_end_ = true;
  for (Pipe* pipe : {&up_, &down_}) {
    if (pipe->read_done) continue;
    pipe->read_done = true;
    pipe->held.push_back({.end = true, .due = pipe->last_due});
  }
  MaybeWrite(up_);
  if (phase_ == Phase::kOpen) MaybeWrite(down_);
}

void ProxyConnection::Cut(const ActiveFault& fault) {
  deciding_fault_ = fault.spec.id;
  if (fault.spec.cut_with == CutWith::kFin) {
    error_code ignored;
    client_.shutdown(tcp::socket::shutdown_send, ignored);
    upstream_.shutdown(tcp::socket::shutdown_send, ignored);
    Linger();
    return;
  }
  phase_ = Phase::kCutting;
  ended_by_proxy_ = true;
  ResetWhenDelivered(kCutLooksMax);
}

void ProxyConnection::ResetWhenDelivered(int looks_left) {
  timer_ = 0;
  if (phase_ != Phase::kCutting) return;
  if (looks_left == 0 || (!Undelivered(client_) && !Undelivered(upstream_))) {
    Finish("reset", true, "");
    return;
  }
  timer_ = executor_.After(kCutLookPause, [weak = weak_from_this(), looks_left] {
    if (const auto self = weak.lock()) self->ResetWhenDelivered(looks_left - 1);
  });
}

// Closing a socket that has unread data sends RST; so both sides are read until they end, and what
// they say is dropped.
void ProxyConnection::Linger() {
  phase_ = Phase::kLingering;
  for (Pipe* pipe : {&up_, &down_}) {
    // End() marks a direction as read though it is not; only a real end of the stream may stay
    // marked.
    if (linger_at_end_) pipe->read_done = false;
    MaybeRead(*pipe);
  }
  timer_ = executor_.After(kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Finish("closed", false, "");
  });
}

void ProxyConnection::LookLingered() {
  if (phase_ == Phase::kLingering && up_.read_done && down_.read_done) Finish("closed", false, "");
}

void ProxyConnection::Finish(std::string_view word, bool by_reset, std::string detail) {
  if (phase_ == Phase::kEnded) return;
  const auto self = shared_from_this();
  phase_ = Phase::kEnded;
  for (TimerId* timer : {&timer_, &up_.timer, &down_.timer})
    executor_.Cancel(std::exchange(*timer, 0));
  for (Socket* socket : {&client_, &upstream_}) {
    if (by_reset) {
      ResetSocket(*socket);
    } else {
      error_code ignored;
      socket->close(ignored);
    }
  }
  journal::ConnectionEvent event = Event(word);
  event.detail = std::move(detail);
  owner_->OnEvent(std::move(event));
  owner_->OnEnded(number_, ended_by_proxy_);
}

void ProxyConnection::Abandon() {
  phase_ = Phase::kEnded;
  for (TimerId* timer : {&timer_, &up_.timer, &down_.timer})
    executor_.Cancel(std::exchange(*timer, 0));
  ResetSocket(client_);
  ResetSocket(upstream_);
  owner_ = nullptr;
}

}  // namespace squall::harness
