// Faults on the stream: stall, latency, bandwidth, cut, slow close.
#include "harness/net/fault_decisions.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;

TEST_F(TcpProxyTest, AStallHoldsBothDirectionsAndTheirEnds) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  client->Send("1");
  AwaitText(client, "1");
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kStall}));
  client->Send("23");
  Await([&] { return proxy->hits("f") == 1; }, "traffic to meet the stall");
  Upstream(0)->Close();
  Settle();
  EXPECT_EQ(client->received, "1");
  EXPECT_FALSE(client->ended);
  EXPECT_EQ(Upstream(0)->received, "1");
  ASSERT_OK(proxy->Remove("f"));
  AwaitEnd(client);
}

TEST_F(TcpProxyTest, AStallOneWayLetsTheOtherPass) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "up", .kind = NetFaultKind::kStall, .direction = Direction::kUp}));
  client->Send("question");
  Upstream(0)->Send("unasked");
  AwaitText(client, "unasked");
  EXPECT_EQ(Upstream(0)->received, "");
  ASSERT_OK(proxy->Remove("up"));
  ASSERT_OK(
      proxy->Set({.id = "down", .kind = NetFaultKind::kStall, .direction = Direction::kDown}));
  Await([&] { return Upstream(0)->received == "question"; }, "the question");
  Await([&] { return proxy->hits("down") == 1; }, "the answer to meet the stall");
  EXPECT_EQ(client->received, "unasked");
  ASSERT_OK(proxy->Remove("down"));
  AwaitText(client, "unaskedquestion");
}

TEST_F(TcpProxyTest, NewConnectionsStallAlike) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kStall}));
  const auto client = Established(*proxy);
  client->Send("x");
  Await([&] { return proxy->hits("f") == 1; }, "traffic to meet the stall");
  Settle();
  EXPECT_EQ(Upstream(0)->received, "");
  ASSERT_OK(proxy->Remove("f"));
  AwaitText(client, "x");
}

TEST_F(TcpProxyTest, AWriteThatWaitsForTheReceiverDoesNotSlipThroughAStall) {
  PeerServer deaf(executor_, false);
  deaf.reading = false;
  const auto proxy = Proxy(deaf.port());
  const auto client = Established(*proxy);
  const std::string data = Pattern(32 << 20);
  client->Send(data);
  // The receiver's buffers fill up; from then on nothing moves.
  for (int quiet = 0; quiet < 5;) {
    const std::uint64_t last = proxy->counters().bytes_up;
    Settle();
    quiet = proxy->counters().bytes_up == last && last > 0 ? quiet + 1 : 0;
  }
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kStall}));
  Settle();
  const std::uint64_t at_stall = proxy->counters().bytes_up;
  deaf.peers.at(0)->Read();
  Await([&] { return deaf.peers.at(0)->received.size() >= at_stall; }, "what had passed before");
  Settle();
  EXPECT_EQ(deaf.peers.at(0)->received.size(), at_stall);
  EXPECT_LT(client->sent, data.size())
      << "the proxy must not swallow what the receiver does not take";
  ASSERT_OK(proxy->Remove("f"));
  Await([&] { return deaf.peers.at(0)->received.size() == data.size(); }, "the rest");
  EXPECT_TRUE(deaf.peers.at(0)->received == data);
}

TEST_F(TcpProxyTest, LatencyIsDrawnFromTheSeedAndKeepsTheOrder) {
  constexpr int kMessages = 20;
  const auto proxy = Proxy(server_.port(), 42);
  const auto client = Established(*proxy);
  const NetFault fault{.id = "f",
                       .kind = NetFaultKind::kLatency,
                       .direction = Direction::kUp,
                       .latency = 20ms,
                       .jitter = 15ms};
  ASSERT_OK(proxy->Set(fault));
  // The same draws, made here: each message must be at least that late, never more than the ones
  // before it allow.
  const StreamDecisions decisions = FaultDecisions(42, "w->t", "f").Stream(1, true);
  const auto upstream = Upstream(0);
  std::string expected;
  Duration shortest = 1h, longest = 0ns;
  for (int i = 0; i < kMessages; ++i) {
    const Duration delay = decisions.Delay(fault, static_cast<std::uint64_t>(i));
    EXPECT_GE(delay, 5ms);
    EXPECT_LE(delay, 35ms);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
    const SteadyTime sent = clock_.Now();
    client->Send(std::string(1, static_cast<char>('a' + i)));
    expected += static_cast<char>('a' + i);
    AwaitText(upstream, expected);
    EXPECT_GE(upstream->arrivals.at(static_cast<std::size_t>(i)) - sent, delay) << i;
  }
  EXPECT_LT(shortest, 13ms);
  EXPECT_GT(longest, 27ms);
  EXPECT_EQ(proxy->hits("f"), 1u);
}

TEST_F(TcpProxyTest, HealingLatencyLetsWhatIsHeldFlow) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kLatency, .latency = 1h}));
  client->Send("late");
  Await([&] { return proxy->hits("f") == 1; }, "traffic to meet the latency");
  Settle();
  EXPECT_EQ(Upstream(0)->received, "");
  ASSERT_OK(proxy->Remove("f"));
  AwaitText(client, "late");
}

TEST_F(TcpProxyTest, BandwidthLimitsAndHealingLetsTheRestFlow) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kBandwidth,
                        .direction = Direction::kUp,
                        .bytes_per_second = 100'000}));
  const std::string data = Pattern(20'000);
  const SteadyTime begin = clock_.Now();
  client->Send(data);
  AwaitText(client, data);
  // The last piece of 1/20 s waits for all before it.
  EXPECT_GE(clock_.Now() - begin, 150ms);
  ASSERT_OK(proxy->Remove("f"));
  ASSERT_OK(proxy->Set({.id = "g", .kind = NetFaultKind::kBandwidth, .bytes_per_second = 1}));
  client->Send(data);
  Await([&] { return proxy->hits("g") == 1; }, "traffic to meet the limit");
  ASSERT_OK(proxy->Remove("g"));
  AwaitText(client, data + data);
}

class CutTest : public TcpProxyTest,
                public ::testing::WithParamInterface<std::tuple<std::uint64_t, CutWith>> {};

TEST_P(CutTest, IsExactToTheByteDownwards) {
  const auto [bytes, how] = GetParam();
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kCut,
                        .direction = Direction::kDown,
                        .cut_after_bytes = bytes,
                        .cut_with = how}));
  const auto client = Established(*proxy);
  const std::string data = Pattern(400'000);
  client->Send(data);
  AwaitEnd(client);
  EXPECT_TRUE(client->received == data.substr(0, bytes)) << client->received.size();
  if (how == CutWith::kReset) {
    Await([&] { return client->error != asio::error::eof || client->write_error; },
          "the reset to be told");
  } else {
    EXPECT_EQ(client->error, asio::error::eof);
    client->Close();
  }
  AwaitEnd(Upstream(0));
  Upstream(0)->Close();
  Await([&] { return proxy->counters().open == 0; }, "the end");
  const auto end = Events<journal::ConnectionEvent>(how == CutWith::kReset ? "reset" : "closed");
  ASSERT_EQ(end.size(), 1u);
  EXPECT_EQ(end[0].bytes_down, bytes);
  EXPECT_EQ(end[0].fault_id, "f");
  // The next connection has its own count.
  const auto next = Established(*proxy);
  next->Send(data);
  AwaitEnd(next);
  EXPECT_EQ(next->received.size(), bytes);
}

TEST_P(CutTest, IsExactToTheByteUpwards) {
  const auto [bytes, how] = GetParam();
  PeerServer sink(executor_, false);
  const auto proxy = Proxy(sink.port());
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kCut,
                        .direction = Direction::kUp,
                        .cut_after_bytes = bytes,
                        .cut_with = how}));
  const auto client = Established(*proxy);
  const std::string data = Pattern(400'000);
  client->Send(data);
  AwaitEnd(client);
  Await([&] { return sink.peers.size() == 1 && sink.peers[0]->ended; }, "the upstream's end");
  EXPECT_TRUE(sink.peers[0]->received == data.substr(0, bytes)) << sink.peers[0]->received.size();
}

INSTANTIATE_TEST_SUITE_P(Sizes, CutTest,
                         ::testing::Combine(::testing::Values(0, 1, 9, 1000, 16384, 100'001),
                                            ::testing::Values(CutWith::kFin, CutWith::kReset)),
                         [](const auto& param) {
                           return std::to_string(std::get<0>(param.param)) +
                                  (std::get<1>(param.param) == CutWith::kFin ? "Fin" : "Reset");
                         });

TEST_F(TcpProxyTest, ACutCountsFromNowOnAnOpenConnection) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  client->Send("before");
  AwaitText(client, "before");
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kCut,
                        .direction = Direction::kDown,
                        .cut_after_bytes = 3}));
  client->Send("after");
  AwaitEnd(client);
  EXPECT_EQ(client->received, "beforeaft");
}

TEST_F(TcpProxyTest, SlowCloseDelaysTheEndAlone) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kSlowClose, .latency = 1h}));
  const auto client = Established(*proxy);
  client->Send("prompt");
  AwaitText(client, "prompt");
  Upstream(0)->Close();
  Await([&] { return proxy->hits("f") == 1; }, "the close to meet the fault");
  Settle();
  EXPECT_FALSE(client->ended);
  ASSERT_OK(proxy->Remove("f"));
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::eof);
}

TEST_F(TcpProxyTest, ConnectionsCanBeClosedAfterWhatIsHeldOrResetAtOnce) {
  const auto proxy = Proxy(server_.port());
  const auto polite = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "late",
                        .kind = NetFaultKind::kLatency,
                        .direction = Direction::kUp,
                        .latency = 20ms}));
  polite->Send("on the way");
  Await([&] { return proxy->hits("late") == 1; }, "data held");
  proxy->CloseConnections(CutWith::kFin, "close");
  AwaitEnd(Upstream(0));
  EXPECT_EQ(Upstream(0)->received, "on the way");
  AwaitEnd(polite);
  EXPECT_EQ(polite->error, asio::error::eof);
  const auto rude = Established(*proxy);
  proxy->CloseConnections(CutWith::kReset, "drop");
  AwaitEnd(rude);
  EXPECT_EQ(rude->error, asio::error::connection_reset);
  EXPECT_EQ(Events<journal::ConnectionEvent>("reset").back().fault_id, "drop");
  const auto next = Established(*proxy);
  next->Send("welcome");
  AwaitText(next, "welcome");
}

TEST_F(TcpProxyTest, FaultsOnTheStreamAddUp) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set(
      {.id = "a", .kind = NetFaultKind::kLatency, .direction = Direction::kUp, .latency = 10ms}));
  ASSERT_OK(proxy->Set(
      {.id = "b", .kind = NetFaultKind::kLatency, .direction = Direction::kUp, .latency = 15ms}));
  ASSERT_OK(proxy->Set({.id = "c",
                        .kind = NetFaultKind::kCut,
                        .direction = Direction::kDown,
                        .cut_after_bytes = 2,
                        .cut_with = CutWith::kFin}));
  const SteadyTime sent = clock_.Now();
  client->Send("abc");
  AwaitEnd(client);
  EXPECT_EQ(client->received, "ab");
  EXPECT_GE(clock_.Now() - sent, 25ms);
}

}  // namespace
}  // namespace squall::harness
