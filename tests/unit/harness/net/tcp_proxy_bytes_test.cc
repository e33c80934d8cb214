// Faults on single bytes and pieces: slices, corruption, bytes that vanish, resets on data; which
// connections they choose; values that change; and that a repeated run decides the same.
#include <algorithm>

#include "harness/net/fault_decisions.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;

TEST_F(TcpProxyTest, SlicesHaveTheirSizesAndPauses) {
  const auto proxy = Proxy(server_.port());
  const NetFault fault{.id = "f",
                       .kind = NetFaultKind::kSlice,
                       .direction = Direction::kUp,
                       .slice_bytes = 10,
                       .slice_variation = 4,
                       .slice_pause = 3ms};
  ASSERT_OK(proxy->Set(fault));
  const auto client = Established(*proxy);
  const std::string data = Pattern(200);
  const SteadyTime begin = clock_.Now();
  client->Send(data);
  AwaitText(Upstream(0), data);
  const StreamDecisions decisions = FaultDecisions(1, "w->t", "f").Stream(1, true);
  std::uint64_t slices = 0;
  for (std::uint64_t at = 0; at < data.size(); ++slices) at += decisions.SliceBytes(fault, at);
  EXPECT_GE(Upstream(0)->arrivals.size(), slices / 2) << "pauses keep the pieces apart";
  EXPECT_LE(Upstream(0)->arrivals.size(), slices);
  EXPECT_GE(clock_.Now() - begin, (slices - 1) * 3ms);
  EXPECT_EQ(proxy->hits("f"), 1u);
  AwaitText(client, data);
}

TEST_F(TcpProxyTest, CorruptionChangesExactlyTheBytesThatTheSeedChooses) {
  const auto proxy = Proxy(server_.port());
  const NetFault fault{.id = "f",
                       .kind = NetFaultKind::kCorrupt,
                       .direction = Direction::kDown,
                       .corrupt_after_bytes = 1000,
                       .corrupt_share = 0.01};
  ASSERT_OK(proxy->Set(fault));
  const auto client = Established(*proxy);
  const std::string data = Pattern(200'000);
  client->Send(data);
  Await([&] { return client->received.size() == data.size(); }, "the echo");
  std::string expected = data;
  const StreamDecisions decisions = FaultDecisions(1, "w->t", "f").Stream(1, false);
  for (std::size_t i = 1000; i < expected.size(); ++i)
    expected[i] =
        static_cast<char>(static_cast<std::uint8_t>(expected[i]) ^ decisions.Change(fault, i));
  EXPECT_TRUE(client->received == expected);
  EXPECT_TRUE(Upstream(0)->received == data) << "the other direction is whole";
  EXPECT_NE(expected, data);
  // Healed: what comes from now on is whole.
  ASSERT_OK(proxy->Remove("f"));
  client->Send("whole");
  AwaitText(client, expected + "whole");
}

TEST_F(TcpProxyTest, CorruptionCanBeLimited) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kCorrupt,
                        .direction = Direction::kUp,
                        .corrupt_after_bytes = 2,
                        .corrupt_most = 3}));
  const auto client = Established(*proxy);
  client->Send("0123456789");
  Await([&] { return Upstream(0)->received.size() == 10; }, "the bytes");
  const std::string seen = Upstream(0)->received;
  EXPECT_EQ(seen.substr(0, 2), "01");
  EXPECT_EQ(seen.substr(5), "56789");
  for (std::size_t i = 2; i < 5; ++i) EXPECT_NE(seen[i], "0123456789"[i]) << i;
}

TEST_F(TcpProxyTest, SwallowedBytesVanishAndTheConnectionEndsInTime) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set(
      {.id = "f", .kind = NetFaultKind::kSwallow, .direction = Direction::kUp, .latency = 40ms}));
  const SteadyTime begin = clock_.Now();
  client->Send("lost");
  Upstream(0)->Send("the other way is open");
  AwaitText(client, "the other way is open");
  AwaitEnd(client);
  EXPECT_GE(clock_.Now() - begin, 40ms);
  EXPECT_EQ(client->error, asio::error::eof);
  AwaitEnd(Upstream(0));
  EXPECT_EQ(Upstream(0)->received, "");
}

TEST_F(TcpProxyTest, HealingASwallowEndsWhatHasLostBytes) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kSwallow}));
  client->Send("lost");
  Await([&] { return proxy->hits("f") == 1; }, "the bytes to vanish");
  EXPECT_FALSE(client->ended);
  ASSERT_OK(proxy->Remove("f"));
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::eof);
  const auto next = Established(*proxy);
  next->Send("found");
  AwaitText(next, "found");
}

TEST_F(TcpProxyTest, TheFirstDataMeetsAReset) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kResetOnData,
                        .direction = Direction::kDown,
                        .latency = 30ms}));
  const auto client = Established(*proxy);
  const SteadyTime begin = clock_.Now();
  client->Send("question");
  AwaitEnd(client);
  EXPECT_GE(clock_.Now() - begin, 30ms);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  EXPECT_EQ(client->received, "");
  EXPECT_EQ(Upstream(0)->received, "question") << "the other direction passes";
  // Healed before its time, the answer comes after all.
  ASSERT_OK(proxy->Update({.id = "f",
                           .kind = NetFaultKind::kResetOnData,
                           .direction = Direction::kDown,
                           .latency = 1h}));
  const auto patient = Established(*proxy);
  patient->Send("question");
  Await([&] { return proxy->hits("f") == 2; }, "the answer to meet the fault");
  ASSERT_OK(proxy->Remove("f"));
  AwaitText(patient, "question");
}

TEST_F(TcpProxyTest, AtMostSoManyConnectionsAreOpen) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kConnectionLimit, .most_connections = 2}));
  const auto first = Established(*proxy);
  const auto second = Established(*proxy);
  const auto third = Connect(*proxy);
  AwaitEnd(third);
  EXPECT_EQ(third->error, asio::error::connection_reset);
  first->Send("unmoved");
  AwaitText(first, "unmoved");
  second->Reset();
  Await([&] { return proxy->counters().open == 1; }, "a free place");
  const auto fourth = Established(*proxy);
  fourth->Send("welcome");
  AwaitText(fourth, "welcome");
  EXPECT_EQ(proxy->hits("f"), 1u);
}

TEST_F(TcpProxyTest, AcceptTheFirstAndRefuseTheNextTwo) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kReset, .connections = "2-3/4"}));
  std::string seen;
  for (int i = 0; i < 9; ++i) {
    const auto client = Connect(*proxy);
    client->Send("x");
    Await([&] { return client->ended || !client->received.empty(); }, "an outcome");
    seen += client->ended ? 'R' : '.';
    client->Close();
  }
  EXPECT_EQ(seen, ".RR..RR..");
  EXPECT_THAT(proxy->Set({.id = "g", .kind = NetFaultKind::kReset, .connections = "0"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("chooses no connections")));
  EXPECT_THAT(proxy->Set({.id = "g", .kind = NetFaultKind::kRefuse, .connections = "1"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("kernel")));
}

TEST_F(TcpProxyTest, APatternOnTheStreamLeavesOpenConnectionsAlone) {
  const auto proxy = Proxy(server_.port());
  const auto before = Established(*proxy);
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kStall, .connections = "2"}));
  const auto first = Established(*proxy);
  const auto second = Established(*proxy);
  for (const auto& client : {before, first, second}) client->Send("x");
  AwaitText(before, "x");
  AwaitText(first, "x");
  Await([&] { return proxy->hits("f") == 1; }, "the second to stall");
  Settle();
  EXPECT_EQ(second->received, "");
}

TEST_F(TcpProxyTest, AFaultCanBeGivenOtherValues) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  NetFault cut{.id = "f",
               .kind = NetFaultKind::kCut,
               .direction = Direction::kDown,
               .cut_after_bytes = 100,
               .cut_with = CutWith::kFin};
  ASSERT_OK(proxy->Set(cut));
  client->Send("12345");
  AwaitText(client, "12345");
  cut.cut_after_bytes = 8;  // of which five have passed
  ASSERT_OK(proxy->Update(cut));
  client->Send("67890");
  AwaitEnd(client);
  EXPECT_EQ(client->received, "12345678");
  cut.id = "g";
  EXPECT_THAT(proxy->Update(cut), StatusIs(StatusCode::kNotFound, _));
  cut.id = "f";
  cut.direction = Direction::kUp;
  EXPECT_THAT(proxy->Update(cut), StatusIs(StatusCode::kInvalidArgument, _));
}

TEST_F(TcpProxyTest, AnotherProbabilityChoosesAnew) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  NetFault stall{.id = "f", .kind = NetFaultKind::kStall, .probability = 0};
  ASSERT_OK(proxy->Set(stall));
  client->Send("1");
  AwaitText(client, "1");
  stall.probability = 1;
  ASSERT_OK(proxy->Update(stall));
  client->Send("2");
  Await([&] { return proxy->hits("f") == 1; }, "the stall");
  Settle();
  EXPECT_EQ(client->received, "1");
  stall.probability = 0;
  ASSERT_OK(proxy->Update(stall));
  AwaitText(client, "12");
}

TEST_F(TcpProxyTest, ALongLineHoldsMoreThanABuffer) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kLatency,
                        .direction = Direction::kUp,
                        .latency = Scaled(300ms)}));
  const auto client = Established(*proxy);
  const std::string data = Pattern(4'000'000);
  const SteadyTime begin = clock_.Now();
  client->Send(data);
  Await([&] { return Upstream(0)->received.size() == data.size(); }, "all of it");
  EXPECT_GE(clock_.Now() - begin, Scaled(300ms));
  EXPECT_LT(clock_.Now() - begin, Scaled(3s)) << "64 KiB at a time would take 18 s";
  EXPECT_TRUE(Upstream(0)->received == data);
}

TEST_F(TcpProxyTest, AFaultInTheMiddleOfABulkTransferIsExact) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  const std::string data = Pattern(16 << 20);
  client->Send(data);
  Await([&] { return proxy->counters().bytes_down > 1 << 20; }, "the transfer to be under way");
  ASSERT_OK(proxy->Set({.id = "slow", .kind = NetFaultKind::kLatency, .latency = 1ms}));
  Await([&] { return proxy->counters().bytes_down > 3 << 20; }, "some of it to be late");
  const std::uint64_t before = proxy->counters().bytes_down;
  ASSERT_OK(proxy->Set({.id = "f",
                        .kind = NetFaultKind::kCut,
                        .direction = Direction::kDown,
                        .cut_after_bytes = 12'345,
                        .cut_with = CutWith::kFin}));
  AwaitEnd(client);
  EXPECT_EQ(client->received.size(), before + 12'345);
  EXPECT_TRUE(client->received == data.substr(0, client->received.size()));
}

// The default of SIGPIPE ends the program.
TEST_F(TcpProxyTest, AReceiverThatGoesInTheMiddleOfABulkTransferIsSurvived) {
  PeerServer sink(executor_, false);
  const auto proxy = Proxy(sink.port());
  for (int round = 0; round < 5; ++round) {
    const auto client = Established(*proxy);
    client->Send(Pattern(8 << 20));
    const std::uint64_t before = proxy->counters().bytes_up;
    Await([&] { return proxy->counters().bytes_up > before + (1 << 20); }, "the transfer");
    sink.peers.back()->Reset();
    AwaitEnd(client);
    // The kernel tells a reset once: to who writes, or to who reads.
    Await([&] { return client->error == asio::error::connection_reset || client->write_error; },
          "the reset to be told");
    Await([&] { return proxy->counters().open == 0; }, "the end");
  }
}

// Everything that chance decides, on six connections with traffic in both directions that the
// kernel cuts into other pieces each time.
class ReplayTest : public TcpProxyTest {
 protected:
  std::string Run(std::uint64_t seed, std::size_t piece) {
    const auto proxy = Proxy(server_.port(), seed);
    EXPECT_OK(proxy->Set({.id = "chosen", .kind = NetFaultKind::kReset, .probability = 0.4}));
    EXPECT_OK(proxy->Set({.id = "bytes",
                          .kind = NetFaultKind::kCorrupt,
                          .corrupt_after_bytes = 10,
                          .corrupt_share = 0.05,
                          .probability = 0.7}));
    EXPECT_OK(proxy->Set({.id = "slices",
                          .kind = NetFaultKind::kSlice,
                          .slice_bytes = 300,
                          .slice_variation = 299}));
    EXPECT_OK(proxy->Set({.id = "late",
                          .kind = NetFaultKind::kLatency,
                          .latency = 1ms,
                          .jitter = 1ms,
                          .spread = Spread::kPareto,
                          .longest = 5ms}));
    std::string seen;
    for (int i = 0; i < 6; ++i) {
      const auto client = Connect(*proxy);
      const std::string data = Pattern(20'000);
      for (std::size_t at = 0; at < data.size() && !client->ended; at += piece) {
        client->Send(data.substr(at, piece));
        Settle();
      }
      Await([&] { return client->ended || client->received.size() == data.size(); }, "an outcome");
      seen += client->ended ? "reset;" : client->received + ";";
      client->Close();
    }
    return seen;
  }
};

TEST_F(ReplayTest, TheSameSeedDecidesTheSame) {
  const std::string first = Run(5, 20'000);
  EXPECT_TRUE(Run(5, 20'000) == first);
  EXPECT_TRUE(Run(5, 1'777) == first) << "however the stream is cut into reads";
  EXPECT_FALSE(Run(6, 20'000) == first);
  EXPECT_NE(first.find("reset;"), std::string::npos);
}

}  // namespace
}  // namespace squall::harness
