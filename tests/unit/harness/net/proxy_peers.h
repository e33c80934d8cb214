#pragma once
// The two ends of a link in tests: a client and a server that note everything that happens to them.

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/net/tcp_proxy.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {

namespace asio = boost::asio;
using asio::ip::tcp;

// One end of a connection. `received` grows until `ended`; `error` is then eof, connection_reset,
// ...
class Peer : public std::enable_shared_from_this<Peer> {
 public:
  explicit Peer(tcp::socket socket) : socket_(std::move(socket)) {}

  static std::shared_ptr<Peer> Connect(AsioExecutor& executor, std::uint16_t port) {
    auto peer = std::make_shared<Peer>(tcp::socket(executor.io()));
    peer->socket_.async_connect({asio::ip::address_v4::loopback(), port},
                                [peer](const boost::system::error_code& result) {
                                  if (result) {
                                    peer->error = result;
                                    peer->ended = true;
                                    return;
                                  }
                                  peer->connected = true;
                                  peer->Read();
                                });
    return peer;
  }

  void Read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const boost::system::error_code& result, std::size_t bytes) {
          self->received.append(self->buffer_.data(), bytes);
          self->arrivals.push_back(self->clock_.Now());
          if (result) {
            self->error = result;
            self->ended = true;
            return;
          }
          if (self->echo) self->Send(std::string(self->buffer_.data(), bytes));
          if (self->reading) self->Read();
        });
  }

  void Send(const std::string& data) {
    outgoing_ += data;
    if (!writing_) Write();
  }
  void Write() {
    if (outgoing_.empty()) return;
    writing_ = true;
    auto chunk = std::make_shared<std::string>(std::exchange(outgoing_, {}));
    asio::async_write(socket_, asio::buffer(*chunk),
                      [self = shared_from_this(), chunk](const boost::system::error_code& result,
                                                         std::size_t bytes) {
                        self->sent += bytes;
                        self->writing_ = false;
                        if (result) self->write_error = result;
                        if (!result) self->Write();
                      });
  }
  void ShutdownSend() {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void Close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }
  void Reset() {
    socket_.set_option(asio::socket_base::linger(true, 0));
    Close();
  }
  tcp::socket& socket() { return socket_; }

  bool connected = false, ended = false, echo = false, reading = true;
  boost::system::error_code error;        // of reading
  boost::system::error_code write_error;  // the kernel tells a reset once, to whoever asks first
  std::string received;
  std::size_t sent = 0;
  std::vector<SteadyTime> arrivals;  // of each piece, and of the end

 private:
  RealClock clock_;
  tcp::socket socket_;
  std::array<char, 64 * 1024> buffer_{};
  std::string outgoing_;
  bool writing_ = false;
};

// Accepts and keeps; every connection echoes when told to.
class PeerServer {
 public:
  explicit PeerServer(AsioExecutor& executor, bool echo)
      : echo_(echo), acceptor_(executor.io(), {asio::ip::address_v4::loopback(), 0}) {
    Accept();
  }
  ~PeerServer() { Close(); }
  std::uint16_t port() const { return port_; }
  void Close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& peer : peers) peer->Close();
  }

  std::vector<std::shared_ptr<Peer>> peers;
  bool reading = true;  // of connections from now on

 private:
  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        ADD_FAILURE() << "the server cannot accept any more: " << error.message();
        return;
      }
      auto peer = std::make_shared<Peer>(std::move(socket));
      peer->echo = echo_;
      peer->connected = true;
      if (reading) peer->Read();
      peers.push_back(std::move(peer));
      Accept();
    });
  }

  bool echo_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = acceptor_.local_endpoint().port();
};

class TcpProxyTest : public ::squall::testing::HarnessLoop {
 protected:
  std::unique_ptr<TcpProxy> Proxy(std::uint16_t upstream, std::uint64_t seed = 1,
                                  std::string link = "w->t") {
    StatusOr<std::unique_ptr<TcpProxy>> proxy = TcpProxy::Create(
        executor_, journal_,
        {.link = std::move(link), .upstream = {"127.0.0.1", upstream}, .seed = seed});
    EXPECT_OK(proxy);
    return std::move(proxy).value();
  }
  std::shared_ptr<Peer> Connect(const TcpProxy& proxy) {
    return Peer::Connect(executor_, proxy.port());
  }
  // Connected through to the upstream.
  std::shared_ptr<Peer> Established(const TcpProxy& proxy) {
    const std::uint64_t before = proxy.counters().established;
    auto client = Connect(proxy);
    Await([&] { return proxy.counters().established > before; }, "the upstream connection");
    return client;
  }
  // The server's side of its n-th connection.
  std::shared_ptr<Peer> Upstream(std::size_t n) {
    Await([&] { return server_.peers.size() > n; }, "the upstream's accept");
    return server_.peers.at(n);
  }
  void AwaitText(const std::shared_ptr<Peer>& peer, std::string_view text) {
    Await([&] { return peer->received.size() >= text.size(); }, "bytes to arrive");
    EXPECT_EQ(peer->received, text);
  }
  void AwaitEnd(const std::shared_ptr<Peer>& peer) {
    Await([&] { return peer->ended; }, "the connection's end");
  }
  std::vector<std::string> Words() const {
    std::vector<std::string> words;
    for (const auto& event : Events<journal::ConnectionEvent>()) words.push_back(event.what);
    return words;
  }

  PeerServer server_{executor_, true};
};

inline std::string Pattern(std::size_t size) {
  std::string text(size, '\0');
  Rng rng(7);
  for (char& c : text) c = static_cast<char>(rng.Next());
  return text;
}

}  // namespace squall::harness
