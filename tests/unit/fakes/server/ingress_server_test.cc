#include "fakes/server/ingress_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/wire/tls.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/tls_pair.h"

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::squall::testing::StatusIs;
using ::squall::wire::Catalogue;
using ::squall::wire::ClientTrusting;
using ::squall::wire::MustClient;
using ::squall::wire::ServerWith;
using ::squall::wire::TlsSession;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The session is judged at the catalogue's own time.
ManualClock& CatalogueClock() {
  static ManualClock clock(wire::kPairNow);
  return clock;
}

// A listener whose one connection is served by `serve` on a thread of its own.
class Upstream {
 public:
  explicit Upstream(std::function<void(tcp::socket&)> serve)
      : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this, serve = std::move(serve)] {
      boost::system::error_code error;
      tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      if (!error) serve(socket);
    });
  }
  ~Upstream() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);  // wakes a blocked accept
    thread_.join();
  }
  int port() const { return acceptor_.local_endpoint().port(); }

 private:
  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

void Echo(tcp::socket& socket) {
  std::vector<char> buffer(64 * 1024);
  boost::system::error_code error;
  for (;;) {
    const std::size_t size = socket.read_some(asio::buffer(buffer), error);
    if (error) return;  // closing gives back the client's FIN
    asio::write(socket, asio::buffer(buffer.data(), size), error);
    if (error) return;
  }
}

// A port that was free a moment ago and has no listener.
int RefusedPort() {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  return acceptor.local_endpoint().port();
}

// A blocking TLS client; every wait is bounded.
class Client {
 public:
  explicit Client(int port)
      : tls(MustClient(ClientTrusting(Catalogue().ca_pem)), wire::kPairNow), socket_(io_) {
    socket_.connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)});
    socket_.non_blocking(true);
  }

  void Send(std::string_view bytes) {
    tls.WritePlaintext(bytes);
    out_ += tls.TakeCiphertext();
  }

  // Moves bytes until `enough`, or until nothing moved for `quiet`. False in the latter case.
  bool RunUntil(const std::function<bool()>& enough, Duration quiet = std::chrono::seconds(10)) {
    const int limit = static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Scaled(quiet)).count());
    std::vector<char> buffer(64 * 1024);
    while (!enough()) {
      out_ += tls.TakeCiphertext();
      pollfd fd{socket_.native_handle(), static_cast<short>(eof ? 0 : POLLIN), 0};
      if (!out_.empty()) fd.events |= POLLOUT;
      if (fd.events == 0 || ::poll(&fd, 1, limit) <= 0) return false;
      boost::system::error_code error;
      if ((fd.revents & POLLOUT) != 0) {
        const std::size_t size = socket_.write_some(asio::buffer(out_), error);
        out_.erase(0, size);
        sent += size;
      }
      if ((fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !eof) {
        const std::size_t size = socket_.read_some(asio::buffer(buffer), error);
        tls.FeedCiphertext({buffer.data(), size});
        received += tls.TakePlaintext();
        if (error && error != asio::error::would_block) {
          eof = true;
          end = error;
        }
      }
    }
    return true;
  }

  TlsSession tls;
  std::string received;
  std::size_t sent = 0;
  bool eof = false;
  boost::system::error_code end;

 private:
  asio::io_context io_;
  tcp::socket socket_;
  std::string out_;
};

std::unique_ptr<IngressServer> MustStart(int upstream_port, journal::Sink* journal = nullptr,
                                         IngressOptions ingress = {}) {
  IngressServerOptions options;
  options.ingress = std::move(ingress);
  options.ingress.tls = ServerWith(Catalogue().server);
  options.upstream_port = upstream_port;
  options.journal = journal;
  // Connections' times are the manual clock's: it stands still, so no limit of the ingress runs
  // out.
  options.clock = &CatalogueClock();
  auto server = IngressServer::Start(std::move(options));
  if (!server.ok()) ADD_FAILURE() << server.status();
  return *std::move(server);
}

TEST(IngressServerTest, CarriesMegabytesBothWays) {
  journal::Journal journal(CatalogueClock());
  {
    Upstream upstream(Echo);
    const auto server = MustStart(upstream.port(), &journal);
    Client client(server->port());
    std::string sent;
    for (int i = 0; sent.size() < 5'000'000; ++i) sent += std::to_string(i);
    client.Send(sent);
    EXPECT_TRUE(client.RunUntil([&] { return client.received.size() >= sent.size(); }));
    EXPECT_TRUE(client.received == sent) << "bytes lost, changed or out of order";
    EXPECT_EQ(client.tls.alpn(), "h2");
    client.tls.CloseNotify();
    EXPECT_TRUE(client.RunUntil([&] { return client.eof; }));
    EXPECT_TRUE(client.tls.peer_closed());
    EXPECT_EQ(client.end, asio::error::eof);
  }
  std::vector<std::string> words;
  for (const journal::Event& event : journal.Events()) words.emplace_back(event.what());
  EXPECT_THAT(words, ::testing::ElementsAre("listening", "accepted", "established", "closed"));
  const auto events = journal.Events();
  EXPECT_THAT(events[0].As<journal::ConnectionEvent>()->local, StartsWith("127.0.0.1:"));
  EXPECT_THAT(events[1].As<journal::ConnectionEvent>()->peer, StartsWith("127.0.0.1:"));
  EXPECT_GE(events[3].As<journal::ConnectionEvent>()->bytes_up, 5'000'000U);
  EXPECT_EQ(events[3].As<journal::ConnectionEvent>()->bytes_up,
            events[3].As<journal::ConnectionEvent>()->bytes_down);
}

TEST(IngressServerTest, RefusedUpstreamClosesTheClient) {
  const auto server = MustStart(RefusedPort());
  Client client(server->port());
  client.Send("hello");
  EXPECT_TRUE(client.RunUntil([&] { return client.eof; }));
  EXPECT_TRUE(client.tls.handshake_done());
  EXPECT_TRUE(client.tls.peer_closed());
}

TEST(IngressServerTest, UpstreamCanBeChanged) {
  Upstream upstream(Echo);
  const auto server = MustStart(RefusedPort());
  server->SetUpstream("localhost", upstream.port());  // by name, too
  Client client(server->port());
  client.Send("hello");
  EXPECT_TRUE(client.RunUntil([&] { return client.received == "hello"; }));
}

TEST(IngressServerTest, MemoryIsBoundedWhenTheUpstreamDoesNotRead) {
  std::promise<void> finished;
  Upstream upstream([&finished](tcp::socket&) { finished.get_future().wait(); });
  {
    const auto server = MustStart(upstream.port());
    Client client(server->port());
    constexpr std::size_t kOffered = 64'000'000;
    client.Send(std::string(kOffered, 'x'));
    // Ends when nothing moves any more: only the kernel's buffers and the ingress's own are full.
    EXPECT_FALSE(client.RunUntil([] { return false; }, std::chrono::milliseconds(500)));
    EXPECT_GT(client.sent, 256U * 1024);
    EXPECT_LT(client.sent, kOffered / 2);
    finished.set_value();
  }
}

TEST(IngressServerTest, AnswerTo400ArrivesThoughTheClientSendsOn) {
  IngressOptions options;
  options.transport = IngressTransport::kHttp1;
  const auto server = MustStart(RefusedPort(), nullptr, options);
  Client client(server->port());
  client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_TRUE(client.RunUntil([&] { return client.tls.peer_closed(); }));
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 400 Bad Request"));
}

TEST(IngressServerTest, DestructionIsQuickAndTellsClients) {
  Upstream upstream(Echo);
  auto server = MustStart(upstream.port());
  Client client(server->port());
  client.Send("hello");
  ASSERT_TRUE(client.RunUntil([&] { return client.received == "hello"; }));
  Client idle(server->port());  // never says a word
  const RealClock clock;
  const SteadyTime before = clock.Now();
  server.reset();
  EXPECT_LT(clock.Now() - before, Scaled(std::chrono::seconds(1)));
  EXPECT_TRUE(client.RunUntil([&] { return client.eof; }));
  EXPECT_TRUE(client.tls.peer_closed());
  EXPECT_TRUE(idle.RunUntil([&] { return idle.eof; }));
}

TEST(IngressServerTest, ConnectionsCanBeClosedWithoutTheListener) {
  Upstream upstream(Echo);
  const auto server = MustStart(upstream.port());
  Client client(server->port());
  client.Send("hello");
  ASSERT_TRUE(client.RunUntil([&] { return client.received == "hello"; }));
  server->CloseConnections();
  EXPECT_TRUE(client.RunUntil([&] { return client.eof; }));
  EXPECT_TRUE(client.tls.peer_closed());
  Client again(server->port());
  EXPECT_TRUE(again.RunUntil([&] { return again.tls.handshake_done(); }));
}

TEST(IngressServerTest, SilentIngressTakesConnectionsOnly) {
  IngressOptions options;
  options.reach = IngressReach::kSilent;
  journal::Journal journal(CatalogueClock());
  const auto server = MustStart(RefusedPort(), &journal, options);
  Client client(server->port());
  client.Send("hello");
  EXPECT_FALSE(client.RunUntil([&] { return client.eof || client.tls.handshake_done(); },
                               std::chrono::milliseconds(300)));
  EXPECT_GT(client.sent, 0U);
  EXPECT_EQ(journal.Events().back().what(), "accepted");
}

TEST(IngressServerTest, PortInUseIsNamed) {
  const auto first = MustStart(RefusedPort());
  IngressServerOptions options;
  options.ingress.name = "edge";
  options.ingress.tls = ServerWith(Catalogue().server);
  options.port = first->port();
  EXPECT_THAT(IngressServer::Start(std::move(options)).status(),
              StatusIs(StatusCode::kUnavailable,
                       ::testing::AllOf(HasSubstr("ingress edge: cannot listen on 127.0.0.1:"),
                                        HasSubstr("Address already in use"))));
}

}  // namespace
}  // namespace squall::fakes
