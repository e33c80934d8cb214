#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <list>

#include "base/wire/grpc.h"
#include "tests/integration/doctor/bed.h"

namespace squall::doctor {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

}  // namespace

struct ConnectProxy::Impl : std::enable_shared_from_this<ConnectProxy::Impl> {
  struct Pair {
    explicit Pair(tcp::socket client_socket)
        : client(std::move(client_socket)), server(client.get_executor()) {}
    tcp::socket client, server;
    std::array<char, 16384> up{}, down{};
    std::string head, out;
  };
  using PairPtr = std::shared_ptr<Pair>;

  Impl(asio::io_context& io, std::uint16_t the_upstream, Script the_script)
      : upstream(the_upstream),
        script(std::move(the_script)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  void Accept() {
    acceptor.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
      if (error || self->closed) return;
      const auto pair = std::make_shared<Pair>(std::move(socket));
      self->pairs.push_back(pair);
      self->ReadHead(pair);
      self->Accept();
    });
  }

  void ReadHead(const PairPtr& pair) {
    pair->client.async_read_some(
        asio::buffer(pair->up),
        [self = shared_from_this(), pair](const error_code& error, std::size_t size) {
          if (error || self->closed) return;
          pair->head.append(pair->up.data(), size);
          if (pair->head.find("\r\n\r\n") == std::string::npos) return self->ReadHead(pair);
          self->Decide(pair);
        });
  }

  void Decide(const PairPtr& pair) {
    if (script.status.empty()) return;
    const std::string wanted =
        "Proxy-Authorization: Basic " + wire::Base64Encode(script.credentials) + "\r\n";
    if (!script.credentials.empty() && pair->head.find(wanted) == std::string::npos)
      return Answer(pair, "407 Proxy Authentication Required", false);
    if (!script.status.starts_with("200") || !pair->head.starts_with("CONNECT "))
      return Answer(pair, script.status, false);
    pair->server.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), upstream),
                               [self = shared_from_this(), pair](const error_code& error) {
                                 if (self->closed) return;
                                 self->Answer(pair, error ? "502 Bad Gateway" : self->script.status,
                                              !error);
                               });
  }

  void Answer(const PairPtr& pair, const std::string& status, bool lead_on) {
    pair->out = fmt::format("HTTP/1.1 {}\r\n{}\r\n", status,
                            lead_on ? "" : "Server: squid\r\nConnection: close\r\n");
    asio::async_write(
        pair->client, asio::buffer(pair->out),
        [self = shared_from_this(), pair, lead_on](const error_code& error, std::size_t) {
          if (error || self->closed) return;
          error_code ignored;
          if (!lead_on) {
            pair->client.shutdown(tcp::socket::shutdown_send, ignored);
            return;
          }
          self->Carry(pair, pair->client, pair->server, pair->up);
          self->Carry(pair, pair->server, pair->client, pair->down);
        });
  }

  void Carry(const PairPtr& pair, tcp::socket& from, tcp::socket& to,
             std::array<char, 16384>& buffer) {
    from.async_read_some(asio::buffer(buffer), [self = shared_from_this(), pair, &from, &to,
                                                &buffer](const error_code& error,
                                                         std::size_t size) {
      if (self->closed) return;
      error_code ignored;
      if (error) {
        to.shutdown(tcp::socket::shutdown_send, ignored);
        return;
      }
      asio::async_write(to, asio::buffer(buffer.data(), size),
                        [self, pair, &from, &to, &buffer](const error_code& failed, std::size_t) {
                          if (!failed && !self->closed) self->Carry(pair, from, to, buffer);
                        });
    });
  }

  const std::uint16_t upstream;
  const Script script;
  tcp::acceptor acceptor;
  std::list<PairPtr> pairs;
  bool closed = false;
};

ConnectProxy::ConnectProxy(harness::AsioExecutor& executor, std::uint16_t upstream, Script script)
    : impl_(std::make_shared<Impl>(executor.io(), upstream, std::move(script))) {
  impl_->Accept();
}

ConnectProxy::~ConnectProxy() {
  impl_->closed = true;
  error_code ignored;
  impl_->acceptor.close(ignored);
  for (const auto& pair : impl_->pairs) {
    pair->client.close(ignored);
    pair->server.close(ignored);
  }
}

std::uint16_t ConnectProxy::port() const { return impl_->acceptor.local_endpoint().port(); }

}  // namespace squall::doctor
