// Connections that are forgotten while they are silent, and who is told.
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

class IdleTest : public TcpProxyTest {
 protected:
  void AwaitHit(const TcpProxy& proxy, std::string_view id) {
    Await([&] { return proxy.hits(id) > 0; }, "the connection to be forgotten");
  }
};

TEST_F(IdleTest, ASilentDropTellsNobodyUntilItIsHealed) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kIdleDrop, .idle = 30ms}));
  const auto client = Established(*proxy);
  const SteadyTime sent = clock_.Now();
  client->Send("hi");
  AwaitText(client, "hi");
  AwaitHit(*proxy, "f");
  EXPECT_GE(clock_.Now() - sent, 30ms);
  client->Send("anybody there?");
  Upstream(0)->Send("hello?");
  Settle();
  EXPECT_EQ(client->received, "hi");
  EXPECT_EQ(Upstream(0)->received, "hi");
  EXPECT_FALSE(client->ended);
  EXPECT_FALSE(Upstream(0)->ended);
  ASSERT_OK(proxy->Remove("f"));
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  AwaitEnd(Upstream(0));
  EXPECT_EQ(proxy->counters().open, 0u);
  const auto reset = Events<journal::ConnectionEvent>("reset");
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_EQ(reset[0].fault_id, "f");
  const auto next = Established(*proxy);
  next->Send("as ever");
  AwaitText(next, "as ever");
}

TEST_F(IdleTest, TheEndOfOneSideIsKeptFromTheOther) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kIdleDrop, .idle = 10ms}));
  const auto client = Established(*proxy);
  const auto upstream = Upstream(0);
  AwaitHit(*proxy, "f");
  client->Close();
  Settle();
  EXPECT_FALSE(upstream->ended);
  EXPECT_EQ(proxy->counters().open, 1u);
  upstream->Close();
  Await([&] { return proxy->counters().open == 0; }, "both to have left");
}

TEST_F(IdleTest, TrafficKeepsAConnectionAwake) {
  const auto proxy = Proxy(server_.port());
  ASSERT_OK(proxy->Set({.id = "f", .kind = NetFaultKind::kIdleDrop, .idle = Scaled(150ms)}));
  const auto client = Established(*proxy);
  const SteadyTime begin = clock_.Now();
  std::string expected;
  while (clock_.Now() - begin < 2 * Scaled(150ms)) {
    client->Send("x");
    expected += 'x';
    AwaitText(client, expected);
  }
  EXPECT_EQ(proxy->hits("f"), 0u);
  AwaitHit(*proxy, "f");
}

TEST_F(IdleTest, ADropCanResetBothWhenTheTimeIsOver) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set(
      {.id = "f", .kind = NetFaultKind::kIdleDrop, .idle = 20ms, .idle_end = IdleEnd::kReset}));
  AwaitEnd(client);
  AwaitEnd(Upstream(0));
  EXPECT_EQ(client->error, asio::error::connection_reset);
  EXPECT_EQ(Upstream(0)->error, asio::error::connection_reset);
  EXPECT_EQ(proxy->counters().reset, 1u);
}

TEST_F(IdleTest, ADropCanResetWhoeverSpeaksNext) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  ASSERT_OK(proxy->Set(
      {.id = "f", .kind = NetFaultKind::kIdleDrop, .idle = 20ms, .idle_end = IdleEnd::kResetNext}));
  AwaitHit(*proxy, "f");
  Settle();
  EXPECT_FALSE(client->ended);
  client->Send("still there?");
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  Settle();
  EXPECT_FALSE(Upstream(0)->ended) << "who has not spoken is not told";
  Upstream(0)->Send("and you?");
  AwaitEnd(Upstream(0));
  EXPECT_EQ(proxy->counters().open, 0u);
}

TEST_F(IdleTest, HalfOpenLeavesTheClientInTheDark) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  client->Send("hi");
  AwaitText(client, "hi");
  ASSERT_OK(proxy->Set(
      {.id = "f", .kind = NetFaultKind::kHalfOpen, .direction = Direction::kUp, .idle = 20ms}));
  AwaitEnd(Upstream(0));
  EXPECT_EQ(Upstream(0)->error, asio::error::connection_reset);
  client->Send("anybody there?");
  Settle();
  EXPECT_FALSE(client->ended);
  ASSERT_OK(proxy->Remove("f"));
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
}

TEST_F(IdleTest, HalfOpenLeavesTheServerInTheDark) {
  const auto proxy = Proxy(server_.port());
  const auto client = Established(*proxy);
  const auto upstream = Upstream(0);
  ASSERT_OK(proxy->Set(
      {.id = "f", .kind = NetFaultKind::kHalfOpen, .direction = Direction::kDown, .idle = 20ms}));
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::connection_reset);
  upstream->Send("anybody there?");
  Settle();
  EXPECT_FALSE(upstream->ended);
  upstream->Close();
  Await([&] { return proxy->counters().open == 0; }, "the end");
  EXPECT_THAT(proxy->Set({.id = "g", .kind = NetFaultKind::kHalfOpen, .idle = 1s}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("one side")));
  EXPECT_THAT(proxy->Set({.id = "g", .kind = NetFaultKind::kIdleDrop}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("idle time")));
}

}  // namespace
}  // namespace squall::harness
