#include "fakes/frontend/connection.h"

#include <fmt/format.h>

#include <utility>

namespace squall::fakes {

using End = FrontendOutput::End;

Connection::Connection(Owner& owner, const FrontendOptions& options,
                       wire::MisbehaviourScript& script, SteadyTime now, Origin origin)
    : owner_(owner),
      origin_(std::move(origin)),
      require_alpn_(options.require_alpn),
      accepted_(now),
      keeper_(options.limits, now,
              Rng(options.seed).Split(fmt::format("connection {}", origin_.id))),
      tls_(origin_.tls == nullptr
               ? nullptr
               : std::make_unique<wire::TlsSession>(origin_.tls, origin_.calendar)),
      grpc_({.http2 = options.http2, .max_request_bytes = options.max_request_bytes}, *this,
            &script, {.connection = origin_.id, .listener = origin_.listener}, now) {}

void Connection::OnCallStarted(wire::StreamId stream, wire::GrpcCallHead head) {
  owner_.OnCallStarted(*this, stream, std::move(head));
}
void Connection::OnMessage(wire::StreamId stream, std::string message, const wire::CallFate& fate) {
  owner_.OnMessage(*this, stream, std::move(message), fate);
}
void Connection::OnCancelled(wire::StreamId stream) { owner_.OnCancelled(*this, stream); }
void Connection::OnHalfClosed(wire::StreamId stream) { owner_.OnHalfClosed(*this, stream); }
void Connection::OnPing(bool ack) { owner_.OnPing(*this, ack); }
void Connection::OnOutput() { owner_.OnOutput(*this); }

std::optional<Connection::Reason> Connection::Receive(SteadyTime now, std::string_view bytes) {
  bytes_up_ += bytes.size();
  if (grpc_.silent()) return std::nullopt;
  if (tls_ == nullptr) keeper_.OnEstablished();
  keeper_.OnBytes(now);
  owner_.OnOutput(*this);
  return tls_ == nullptr ? ReceivePlain(now, bytes) : ReceiveTls(now, bytes);
}

std::optional<Connection::Reason> Connection::ReceivePlain(SteadyTime now, std::string_view bytes) {
  const Status status = grpc_.Feed(now, bytes);
  if (status.ok()) return std::nullopt;
  return Reason{"failed", std::string(Message(status))};
}

std::optional<Connection::Reason> Connection::ReceiveTls(SteadyTime now, std::string_view bytes) {
  tls_->FeedCiphertext(bytes);
  if (!tls_done_ && tls_->handshake_done()) {
    tls_done_ = true;
    keeper_.OnEstablished();
    owner_.OnEstablished(*this);
    if (require_alpn_ && tls_->alpn() != "h2") {
      return Reason{"failed", tls_->alpn().empty()
                                  ? "TLS: the client negotiates no application protocol (ALPN h2)"
                                  : fmt::format("TLS: ALPN is {} instead of h2", tls_->alpn())};
    }
  }
  const std::string plain = tls_->TakePlaintext();
  if (!plain.empty()) {
    if (auto failed = ReceivePlain(now, plain); failed.has_value()) return failed;
  }
  if (!tls_->error().ok()) {
    return Reason{"failed", fmt::format("TLS: {}", Message(tls_->error()))};
  }
  if (tls_->peer_closed()) return Reason{"closed", "TLS: the client says close_notify"};
  return std::nullopt;
}

std::string Connection::Collect() {
  std::string bytes;
  if (grpc_.silent()) return bytes;
  if (tls_ == nullptr) {
    grpc_.TakeOutput(bytes);
  } else {
    // Before the handshake is done TLS keeps our SETTINGS; there is no need to hand them over
    // earlier.
    if (tls_done_) {
      std::string plain;
      grpc_.TakeOutput(plain);
      if (!plain.empty()) tls_->WritePlaintext(plain);
    }
    bytes = tls_->TakeCiphertext();
  }
  bytes_down_ += bytes.size();
  return bytes;
}

void Connection::Conclude(End how) {
  last_bytes = Collect();
  if (how == End::kClose && tls_ != nullptr && tls_->error().ok()) {
    tls_->CloseNotify();
    last_bytes += Collect();
  }
  if (how == End::kReset) last_bytes.clear();
  end = how;
}

std::string Connection::tls() const {
  if (!tls_done_) return {};
  std::string text = tls_->version();
  if (const std::string alpn = tls_->alpn(); !alpn.empty()) text += " alpn=" + alpn;
  if (const std::string sni = tls_->sni(); !sni.empty()) text += " sni=" + sni;
  if (const std::string subject = tls_->peer_subject(); !subject.empty()) {
    text += " client=" + subject;
  }
  return text;
}

}  // namespace squall::fakes
