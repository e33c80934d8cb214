#include "harness/net/proxy_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

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

bool IsIdleFault(NetFaultKind kind) {
  return kind == NetFaultKind::kIdleDrop || kind == NetFaultKind::kHalfOpen;
}

}  // namespace

ProxyConnection::ProxyConnection(AsioExecutor& executor, Owner& owner, Socket client,
                                 std::uint64_t number, std::string peer)
    : executor_(executor),
      owner_(&owner),
      client_(std::move(client)),
      upstream_(executor.io()),
      number_(number),
      peer_(std::move(peer)),
      faults_(number, [this](const ActiveFault& fault) { owner_->OnHit(fault, number_); }),
      up_(*this, true, client_, upstream_),
      down_(*this, false, upstream_, client_) {
  error_code ignored;
  client_.set_option(tcp::no_delay(true), ignored);
}

journal::ConnectionEvent ProxyConnection::Event(std::string_view word) const {
  return {.what = std::string(word),
          .connection = number_,
          .peer = peer_,
          .bytes_up = up_.position().written,
          .bytes_down = down_.position().written,
          .fault_id = deciding_fault_};
}

// -------------------------------------------------------------------------------------------------
// faults

void ProxyConnection::Attach(std::shared_ptr<ActiveFault> fault) {
  AttachedFault& attached = faults_.Attach(std::move(fault), up_.position(), down_.position());
  StartTimer(attached);
  for (ProxyPipe* pipe : {&up_, &down_}) pipe->FaultsChanged(false);
}

void ProxyConnection::StartTimer(AttachedFault& attached) {
  const NetFault& spec = attached.fault->spec;
  executor_.Cancel(std::exchange(attached.timer, 0));
  if (IsIdleFault(spec.kind)) {
    watches_idleness_ = true;
    last_activity_ = Now();
    At(spec.id, Now() + spec.idle);
  } else if (spec.kind == NetFaultKind::kSwallow && spec.latency > Duration::zero()) {
    At(spec.id, Now() + spec.latency);
  }
}

void ProxyConnection::At(const std::string& fault_id, SteadyTime when) {
  AttachedFault* attached = faults_.Find(fault_id);
  attached->timer = executor_.At(when, [weak = weak_from_this(), fault_id] {
    if (const auto self = weak.lock()) self->OnTimer(fault_id);
  });
}

void ProxyConnection::OnTimer(std::string_view fault_id) {
  AttachedFault* attached = faults_.Find(fault_id);
  if (attached == nullptr) return;
  attached->timer = 0;
  const std::shared_ptr<ActiveFault> fault = attached->fault;
  if (!IsIdleFault(fault->spec.kind)) {
    faults_.MarkHit(*attached);
    End(fault->spec.kind == NetFaultKind::kSwallow ? CutWith::kFin : CutWith::kReset,
        fault->spec.id);
    return;
  }
  const SteadyTime now = Now();
  // A connection that has not begun is not silent.
  const SteadyTime since = phase_ == Phase::kOpen ? last_activity_ : now;
  if (since + fault->spec.idle > now) {
    At(fault->spec.id, since + fault->spec.idle);
  } else {
    Forget(*attached);
  }
}

void ProxyConnection::OnTriggered(AttachedFault& attached) {
  if (attached.timer != 0) return;
  At(attached.fault->spec.id, Now() + attached.fault->spec.latency);
}

void ProxyConnection::Detach(std::string_view fault_id) {
  AttachedFault* attached = faults_.Find(fault_id);
  if (attached == nullptr) return;
  executor_.Cancel(attached->timer);
  const NetFault spec = attached->fault->spec;
  faults_.Detach(fault_id);
  if (phase_ == Phase::kForgotten && deciding_fault_ == fault_id) {
    // What was thrown away cannot come back: whoever still holds on to the connection is told.
    ended_by_proxy_ = true;
    Finish("reset", true, "forgotten, and the fault is healed");
    return;
  }
  if (spec.kind == NetFaultKind::kSwallow) {
    // Likewise: the stream has a hole.
    End(CutWith::kFin, fault_id);
    return;
  }
  Changed("");
}

void ProxyConnection::Changed(std::string_view fault_id) {
  if (AttachedFault* attached = faults_.Find(fault_id)) StartTimer(*attached);
  for (ProxyPipe* pipe : {&up_, &down_}) {
    pipe->FaultsChanged(!faults_.AnyActs(NetFaultKind::kLatency, pipe->up()) &&
                        !faults_.AnyActs(NetFaultKind::kSlowClose, pipe->up()));
  }
}

void ProxyConnection::OnReceived(bool up, std::size_t bytes) {
  owner_->OnReceived(up, bytes);
  if (watches_idleness_) last_activity_ = Now();
}

// As a NAT forgets a connection, or as a side that has restarted: what an end says is thrown away.
void ProxyConnection::Forget(AttachedFault& attached) {
  const NetFault spec = attached.fault->spec;
  deciding_fault_ = spec.id;
  faults_.MarkHit(attached);
  if (spec.kind == NetFaultKind::kIdleDrop && spec.idle_end == IdleEnd::kReset) {
    ended_by_proxy_ = true;
    Finish("reset", true, "silent for " + FormatDuration(spec.idle));
    return;
  }
  phase_ = Phase::kForgotten;
  forgotten_ = spec.kind == NetFaultKind::kIdleDrop ? spec.idle_end : IdleEnd::kSilent;
  ended_by_proxy_ = forgotten_ == IdleEnd::kResetNext || spec.kind == NetFaultKind::kHalfOpen;
  if (spec.kind == NetFaultKind::kHalfOpen)
    ResetSocket(spec.direction == Direction::kUp ? upstream_ : client_);
  for (ProxyPipe* pipe : {&up_, &down_}) {
    pipe->CancelTimer();
    if (pipe->from().is_open()) pipe->Drain();
  }
}

// -------------------------------------------------------------------------------------------------
// ends

void ProxyConnection::OnWriteFailed(ProxyPipe& pipe, const error_code& error) {
  if (phase_ != Phase::kOpen) return;
  // The receiver is gone. What it said before that is still passed on; then the sender is reset, as
  // it would be without a proxy.
  broken_ = true;
  pipe.Drop();
  if (Other(pipe).done()) Finish("reset", true, error.message());
}

void ProxyConnection::OnEndOfDirection(ProxyPipe& pipe, bool reset) {
  if (reset || broken_) {
    Finish("reset", true,
           broken_     ? ""
           : pipe.up() ? "reset by the client"
                       : "reset by the upstream");
    return;
  }
  error_code ignored;
  (pipe.up() ? upstream_ : client_).shutdown(tcp::socket::shutdown_send, ignored);
  if (!Other(pipe).done()) return;
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
  up_.EndAfterHeld();
  down_.EndAfterHeld();
  up_.MaybeWrite();
  if (phase_ == Phase::kOpen) down_.MaybeWrite();
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
  for (ProxyPipe* pipe : {&up_, &down_}) {
    if (linger_at_end_) {
      pipe->Drain();
    } else {
      pipe->MaybeRead();
    }
  }
  timer_ = executor_.After(kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Finish("closed", false, "");
  });
}

void ProxyConnection::OnThrownAway(ProxyPipe& pipe, std::size_t bytes) {
  if (phase_ == Phase::kForgotten) {
    const bool told = forgotten_ == IdleEnd::kResetNext && bytes > 0;
    if (told) ResetSocket(pipe.from());
    if (pipe.read_done() && !told) {
      error_code ignored;
      pipe.from().close(ignored);
    }
    if (!client_.is_open() && !upstream_.is_open())
      Finish(ended_by_proxy_ ? "reset" : "closed", false, "forgotten");
    return;
  }
  if (up_.read_done() && down_.read_done()) Finish("closed", false, "");
}

void ProxyConnection::StopTimers() {
  executor_.Cancel(std::exchange(timer_, 0));
  up_.CancelTimer();
  down_.CancelTimer();
  for (AttachedFault& attached : faults_.all()) executor_.Cancel(std::exchange(attached.timer, 0));
}

void ProxyConnection::Finish(std::string_view word, bool by_reset, std::string detail) {
  if (phase_ == Phase::kEnded) return;
  const auto self = shared_from_this();
  phase_ = Phase::kEnded;
  StopTimers();
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
  StopTimers();
  ResetSocket(client_);
  ResetSocket(upstream_);
  owner_ = nullptr;
}

}  // namespace squall::harness
