// The door of the proxy: passing, refusing, resetting, black holes, and whom a fault chooses. All
// over real sockets.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

int TcpState(tcp::socket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  ::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size);
  return info.tcpi_state;
}

TEST_F(TcpProxyTest, PassesBytesUnchangedBothWaysAndTheEndsOfEachDirection) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  const std::string data = Pattern(3'000'000);
  client->Send(data);
  Await([&] { return client->received.size() == data.size(); }, "the echo");
  EXPECT_TRUE(client->received == data);
  // Half-close: the server learns of the client's end and can still speak.
  client->ShutdownSend();
  const auto upstream = Upstream(0);
  AwaitEnd(upstream);
  EXPECT_EQ(upstream->error, asio::error::eof);
  EXPECT_FALSE(client->ended);
  upstream->Send("last words");
  AwaitText(client, data + "last words");
  upstream->Close();
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::eof);
  Await([&] { return proxy->counters().open == 0; }, "the close");
  EXPECT_THAT(Words(), ElementsAre("listening", "attempt", "accepted", "established", "closed"));
  const journal::ConnectionEvent closed = Events<journal::ConnectionEvent>("closed").at(0);
  EXPECT_EQ(closed.link, "w->t");
  EXPECT_EQ(closed.connection, 1u);
  EXPECT_EQ(closed.bytes_up, data.size());
  EXPECT_EQ(closed.bytes_down, data.size() + 10);
  EXPECT_EQ(closed.fault_id, "");
}

TEST_F(TcpProxyTest, PassesAResetOn) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  Upstream(0)->Reset();
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  EXPECT_EQ(Events<journal::ConnectionEvent>("reset").at(0).detail, "reset by the upstream");
}

TEST_F(TcpProxyTest, AnUpstreamThatRefusesResetsTheClientAndIsTimedAsAnAttempt) {
  StatusOr<PortLease> nobody = PortLease::Take();
  ASSERT_OK(nobody);
  const auto proxy = Proxy(nobody->port());
  const auto client = Connect(*proxy);
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  EXPECT_THAT(Words(), ElementsAre("listening", "attempt", "accepted", "failed", "reset"));
  EXPECT_THAT(Events<journal::ConnectionEvent>("failed").at(0).detail,
              HasSubstr("Connection refused"));
  EXPECT_EQ(proxy->counters().failed, 1u);
}

TEST_F(TcpProxyTest, RefuseClosesTheDoorResetsWhatIsOpenAndComesBackOnTheSamePort) {
  const auto proxy = Proxy(server_.port());
  const std::uint16_t port = proxy->port();
  for (int round = 0; round < 3; ++round) {
    const auto open = Established(*proxy);
    const std::string id = "refuse-" + std::to_string(round);
    ASSERT_OK(proxy->Set({.id = id, .kind = NetFaultKind::kRefuse}));
    AwaitEnd(open);
    EXPECT_EQ(open->error, asio::error::connection_reset);
    const auto refused = Connect(*proxy);
    AwaitEnd(refused);
    EXPECT_EQ(refused->error, asio::error::connection_refused);
    // The port is still ours: nobody can listen on it who does not mean to share.
    boost::system::error_code error;
    tcp::acceptor thief(executor_.io());
    thief.open(tcp::v4());
    thief.bind({asio::ip::address_v4::loopback(), port}, error);
    EXPECT_EQ(error, asio::error::address_in_use);
    ASSERT_OK(proxy->Remove(id));
    EXPECT_EQ(proxy->port(), port);
    const auto again = Established(*proxy);
    again->Send("hi");
    AwaitText(again, "hi");
    again->Reset();
    Await([&] { return proxy->counters().open == 0; }, "the end");
    EXPECT_EQ(proxy->hits(id), 1u);
    const auto resets = Events<journal::ConnectionEvent>("reset");
    EXPECT_EQ(std::count_if(resets.begin(), resets.end(),
                            [&](const auto& event) { return event.fault_id == id; }),
              1);
  }
}

TEST_F(TcpProxyTest, RefuseCanLeaveOpenConnectionsAlone) {
  const auto proxy = Proxy(server_.port());
  const auto open = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kRefuse, .existing = Existing::kKeep}));
  const auto refused = Connect(*proxy);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
  open->Send("still here");
  AwaitText(open, "still here");
}

// As a child has it between fork and exec.
int SecondDescriptorOfListener(std::uint16_t port) {
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens != 0 &&
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        ntohs(address.sin_port) == port)
      return ::dup(fd);
  }
  return -1;
}

TEST_F(TcpProxyTest, RefuseDoesNotWaitForAChildThatHasTheListenerToo) {
  const auto proxy = Proxy(server_.port());
  const int second = SecondDescriptorOfListener(proxy->port());
  ASSERT_GE(second, 0);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kRefuse}));
  const auto refused = Connect(*proxy);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
  ::close(second);
}

TEST_F(TcpProxyTest, ResetTakesEveryAttemptAndTimesIt) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kReset}));
  for (int i = 0; i < 3; ++i) {
    const auto client = Connect(*proxy);
    AwaitEnd(client);
    EXPECT_EQ(client->error, asio::error::connection_reset);
  }
  const auto attempts = Events<journal::ConnectionEvent>("attempt");
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_EQ(attempts[2].connection, 3u);
  const auto resets = Events<journal::ConnectionEvent>("reset");
  ASSERT_EQ(resets.size(), 3u);
  EXPECT_EQ(resets[0].fault_id, "f");
  EXPECT_EQ(proxy->hits("f"), 3u);
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 1u);
  EXPECT_THAT(server_.peers, IsEmpty());
}

TEST_F(TcpProxyTest, BlackHoleAcceptsAndIsSilentUntilItIsHealed) {
  const auto proxy = Proxy(server_.port());
  const auto before = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kBlackhole}));
  const auto client = Connect(*proxy);
  client->Send("hello");
  before->Send("me too");
  Await([&] { return proxy->hits("f") == 2; }, "both to meet the fault");
  Settle();
  EXPECT_EQ(client->received, "");
  EXPECT_EQ(before->received, "");
  EXPECT_EQ(proxy->counters().established, 1u);
  ASSERT_OK(proxy->Remove("f"));
  AwaitText(client, "hello");
  AwaitText(before, "me too");
}

TEST_F(TcpProxyTest, AClientThatGivesUpInABlackHoleIsForgotten) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kBlackhole}));
  const auto client = Connect(*proxy);
  Await([&] { return proxy->counters().attempts == 1; }, "the attempt");
  client->Close();
  Await([&] { return proxy->counters().open == 0; }, "the end");
  EXPECT_EQ(Events<journal::ConnectionEvent>("closed").at(0).fault_id, "f");
  ASSERT_OK(proxy->Remove("f"));
  Settle();
  EXPECT_THAT(server_.peers, IsEmpty());
}

TEST_F(TcpProxyTest, NeverAcceptLeavesTheHandshakeToTheKernel) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kNeverAccept}));
  const auto client = Connect(*proxy);
  Await([&] { return client->connected; }, "the kernel's handshake");
  client->Send("hello");
  Settle();
  EXPECT_EQ(proxy->counters().attempts, 0u);
  ASSERT_OK(proxy->Remove("f"));
  AwaitText(client, "hello");
  EXPECT_EQ(proxy->counters().attempts, 1u);
}

TEST_F(TcpProxyTest, AFullBacklogLetsConnectHang) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kNeverAccept, .backlog_full = true}));
  Settle();
  const auto client = Connect(*proxy);
  Settle();
  EXPECT_FALSE(client->connected);
  EXPECT_EQ(TcpState(client->socket()), TCP_SYN_SENT);
  ASSERT_OK(proxy->Remove("f"));
  client->Send("");
  Await([&] { return client->connected; }, "the kernel's next SYN");
  client->Send("hello");
  AwaitText(client, "hello");
  EXPECT_EQ(proxy->counters().attempts, 1u)
      << "the connection that filled the backlog is not an attempt";
}

TEST_F(TcpProxyTest, TheDoorFaultSetLastRules) {
  const auto proxy = Proxy(server_.port());
  const auto outcome = [&] {
    const auto client = Connect(*proxy);
    client->Send("x");
    Await([&] { return client->ended || !client->received.empty(); }, "an outcome");
    const auto error = client->ended ? client->error : boost::system::error_code();
    client->Close();
    return error;
  };
  ASSERT_OK(proxy->Set({.id = "a", .kind = NetFaultKind::kRefuse}));
  EXPECT_EQ(outcome(), asio::error::connection_refused);
  ASSERT_OK(proxy->Set({.id = "b", .kind = NetFaultKind::kReset}));
  EXPECT_EQ(outcome(), asio::error::connection_reset);
  ASSERT_OK(proxy->Remove("b"));
  EXPECT_EQ(outcome(), asio::error::connection_refused);
  ASSERT_OK(proxy->Remove("a"));
  ASSERT_OK(proxy->Remove("a"));
  EXPECT_FALSE(outcome());
  EXPECT_THAT(proxy->active(), IsEmpty());
}

TEST_F(TcpProxyTest, AClosedLinkRefusesUntilItIsOpened) {
  StatusOr<std::unique_ptr<TcpProxy>> proxy = TcpProxy::Create(
      executor_, journal_, {.link = "l", .upstream = {"127.0.0.1", server_.port()}, .open = false});
  ASSERT_OK(proxy);
  const auto refused = Connect(**proxy);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
  ASSERT_OK((*proxy)->SetOpen(true));
  const auto client = Established(**proxy);
  client->Send("hi");
  AwaitText(client, "hi");
}

TEST_F(TcpProxyTest, OnlyTheFirstConnectionsAreChosen) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kReset, .first_connections = 2}));
  for (int i = 0; i < 4; ++i) {
    const auto client = Connect(*proxy);
    client->Send("x");
    Await([&] { return client->ended || !client->received.empty(); }, "an outcome");
    EXPECT_EQ(client->ended, i < 2) << i;
  }
}

TEST_F(TcpProxyTest, ChanceIsRepeatedByTheSeed) {
  const auto pattern = [&](std::uint64_t seed) {
    const auto proxy = Proxy(server_.port(), seed);
    EXPECT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kReset, .probability = 0.5}));
    std::string text;
    for (int i = 0; i < 24; ++i) {
      const auto client = Connect(*proxy);
      client->Send("x");
      Await([&] { return client->ended || !client->received.empty(); }, "an outcome");
      text += client->ended ? 'R' : '.';
      client->Close();
    }
    return text;
  };
  const std::string first = pattern(1);
  EXPECT_EQ(pattern(1), first);
  EXPECT_NE(pattern(2), first);
  EXPECT_NE(first.find('R'), std::string::npos);
  EXPECT_NE(first.find('.'), std::string::npos);
}

TEST_F(TcpProxyTest, OneLinksFaultIsNoneOfAnothers) {
  const auto faulty = Proxy(server_.port(), 1, "a->t");
  const auto healthy = Proxy(server_.port(), 1, "b->t");
  const auto a = Established(*faulty);
  const auto b = Established(*healthy);
  ASSERT_OK(faulty->Set({.id = "f", .kind = NetFaultKind::kRefuse}));
  AwaitEnd(a);
  b->Send("unmoved");
  AwaitText(b, "unmoved");
}

TEST_F(TcpProxyTest, TheUpstreamCanBeChanged) {
  PeerServer other(executor_, false);
  const auto proxy = Proxy(server_.port());
  const auto first = Established(*proxy);
  proxy->SetUpstream({"127.0.0.1", other.port()});
  const auto second = Established(*proxy);
  second->Send("to the other");
  Await([&] { return other.peers.size() == 1 && other.peers[0]->received == "to the other"; },
        "the other upstream");
  first->Send("as before");
  AwaitText(first, "as before");
}

TEST_F(TcpProxyTest, NonsenseIsRefused) {
  const auto proxy = Proxy(server_.port());
  EXPECT_THAT(proxy->Set({.kind = NetFaultKind::kStall}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("id")));
  EXPECT_THAT(proxy->Set({.id = "f", .kind = NetFaultKind::kBandwidth}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("above 0")));
  EXPECT_THAT(proxy->Set({.id = "f", .kind = NetFaultKind::kLatency, .latency = -1ms}),
              StatusIs(StatusCode::kInvalidArgument, _));
  EXPECT_THAT(proxy->Set({.id = "f", .kind = NetFaultKind::kRefuse, .probability = 0.5}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("kernel")));
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kStall}));
  EXPECT_THAT(proxy->Set({.id = "f", .kind = NetFaultKind::kReset}),
              StatusIs(StatusCode::kAlreadyExists, _));
  EXPECT_THAT(proxy->active(), ElementsAre("f"));
}

TEST_F(TcpProxyTest, GoingAwayInFullTrafficResetsEverybodyAndGivesThePortUp) {
  auto proxy = Proxy(server_.port());
  const std::uint16_t port = proxy->port();
  std::vector<std::shared_ptr<Peer>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(Established(*proxy));
    clients.back()->Send(Pattern(5'000'000));
  }
  Await([&] { return proxy->counters().bytes_down > 1'000'000; }, "traffic");
  proxy.reset();
  for (const auto& client : clients) AwaitEnd(client);
  const auto refused = Peer::Connect(executor_, port);
  AwaitEnd(refused);
  EXPECT_EQ(refused->error, asio::error::connection_refused);
}

}  // namespace
}  // namespace squall::harness
