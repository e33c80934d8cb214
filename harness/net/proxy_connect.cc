// How a connection through a TcpProxy begins: held, refused, or joined to its upstream.

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "harness/net/proxy_connection.h"

namespace squall::harness {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

void ProxyConnection::Connect(const Upstream& upstream) {
  phase_ = Phase::kConnecting;
  if (!hold_) owner_->OnEvent(Event("accepted"));
  up_.MaybeRead();
  timer_ = executor_.After(upstream.timeout, [weak = weak_from_this(), upstream] {
    if (const auto self = weak.lock()) {
      self->OnConnectFailed(upstream, "no answer from " + upstream.where.ToString() + " within " +
                                          FormatDuration(upstream.timeout));
    }
  });
  error_code error;
  const std::string& host = upstream.where.host;
  const asio::ip::address address =
      asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    Resolve(upstream);
  } else {
    Call(upstream, {address, upstream.where.port});
  }
}

void ProxyConnection::Resolve(const Upstream& upstream) {
  auto resolver = std::make_shared<tcp::resolver>(executor_.io());
  resolver->async_resolve(upstream.where.host, std::to_string(upstream.where.port),
                          [self = shared_from_this(), resolver, upstream](
                              const error_code& error, const tcp::resolver::results_type& found) {
                            if (self->phase_ != Phase::kConnecting) return;
                            if (error || found.empty()) {
                              self->OnConnectFailed(upstream,
                                                    upstream.where.host + ": " + error.message());
                              return;
                            }
                            self->Call(upstream, found.begin()->endpoint());
                          });
}

void ProxyConnection::Call(const Upstream& upstream, const tcp::endpoint& endpoint) {
  upstream_.async_connect(endpoint, [self = shared_from_this(), upstream](const error_code& error) {
    if (self->phase_ != Phase::kConnecting) return;
    if (error) {
      self->OnConnectFailed(upstream, upstream.where.ToString() + ": " + error.message());
    } else {
      self->OnConnected();
    }
  });
}

void ProxyConnection::OnConnected() {
  executor_.Cancel(std::exchange(timer_, 0));
  error_code ignored;
  upstream_.set_option(tcp::no_delay(true), ignored);
  phase_ = Phase::kOpen;
  if (watches_idleness_) last_activity_ = Now();
  owner_->OnEvent(Event("established"));
  owner_->OnEstablished();
  down_.MaybeRead();
  up_.MaybeWrite();
}

void ProxyConnection::OnConnectFailed(const Upstream& upstream, std::string why) {
  if (phase_ != Phase::kConnecting) return;
  journal::ConnectionEvent event = Event("failed");
  event.detail = std::move(why);
  owner_->OnEvent(std::move(event));
  owner_->OnConnectFailed();
  const bool reset = upstream.failed_with == CutWith::kReset;
  Finish(reset ? "reset" : "closed", reset, "the upstream could not be reached");
}

void ProxyConnection::Hold(std::shared_ptr<ActiveFault> fault) {
  phase_ = Phase::kHeld;
  hold_ = std::move(fault);
  deciding_fault_ = hold_->spec.id;
  owner_->OnEvent(Event("accepted"));
  owner_->OnHit(*hold_, number_);
  // Read so that a client that gives up is noticed; nothing of it goes anywhere before the fault is
  // healed.
  up_.MaybeRead();
}

void ProxyConnection::Refuse(const ActiveFault& fault) {
  deciding_fault_ = fault.spec.id;
  owner_->OnHit(fault, number_);
  ended_by_proxy_ = true;
  Finish("reset", true, "");
}

void ProxyConnection::Release(const Upstream& upstream) {
  if (phase_ != Phase::kHeld) return;
  deciding_fault_.clear();
  Connect(upstream);
  hold_.reset();
}

}  // namespace squall::harness
