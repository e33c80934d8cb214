// The faults of links whose parameters say more than yes or no, between two ends that note every
// byte: what an end sees, that the journal has it met, and that healing restores the way.
#include <algorithm>

#include "harness/fault/fault.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LinkFaults : public TcpProxyTest, public FaultTargets {
 protected:
  void SetUp() override { proxy_ = Proxy(server_.port()); }

  TcpProxy* Link(std::string_view name) override { return name == "w->t" ? proxy_.get() : nullptr; }
  WorkerUnderTest* Worker(std::string_view) override { return nullptr; }
  ServerUnderTest* Server(std::string_view) override { return nullptr; }
  std::vector<std::string> Names() override { return {"w->t"}; }

  std::unique_ptr<FaultHandle> Injected(std::string fault, scenarios::Params parameters) {
    auto handle = FaultHandle::Create(executor_, journal_, *this,
                                      {"f", std::move(fault), "w->t", std::move(parameters)});
    EXPECT_OK(handle);
    if (!handle.ok()) return nullptr;
    EXPECT_OK(Wait([&](auto done) { (*handle)->Inject(std::move(done)); }));
    return *std::move(handle);
  }
  // It was met, and now it is not there any more.
  void Heal(FaultHandle& handle) {
    EXPECT_OK(Wait([&](auto done) { handle.Heal(std::move(done)); }));
    std::vector<std::string> words;
    for (const auto& event : Events<journal::FaultEvent>()) words.push_back(event.what);
    EXPECT_THAT(words, ElementsAre("injecting", "injected", "hit", "healing", "healed"));
  }
  void ExpectANewConnectionPasses() {
    const auto client = Established(*proxy_);
    client->Send("as ever");
    AwaitText(client, "as ever");
  }
  void AwaitReset(const std::shared_ptr<Peer>& peer) {
    AwaitEnd(peer);
    EXPECT_EQ(peer->error, asio::error::connection_reset);
  }
  void AwaitHit() {
    Await([&] { return proxy_->hits("f") > 0; }, "the fault to be met");
  }

  // What comes on top is an hour, more or less, and cut to 20 ms: of a uniform spread half of the
  // pieces would not be late at all.
  void ExpectEveryPieceLate(const char* distribution) {
    const auto client = Established(*proxy_);
    const auto fault = Injected("latency", {{"delay", Duration(0ms)},
                                            {"jitter", Duration(1h)},
                                            {"distribution", distribution},
                                            {"longest", Duration(20ms)},
                                            {"direction", "up"}});
    std::string sent;
    for (int i = 0; i < 8; ++i) {
      sent += 'x';
      const SteadyTime begin = clock_.Now();
      client->Send("x");
      AwaitText(client, sent);
      EXPECT_GE(clock_.Now() - begin, 20ms);
    }
    Heal(*fault);
  }

  std::unique_ptr<TcpProxy> proxy_;

 private:
  template <typename Action>
  Status Wait(Action action) {
    const auto result = std::make_shared<std::optional<Status>>();
    action([result](const Status& status) { *result = status; });
    Await([&] { return result->has_value(); }, "an answer");
    return result->value_or(absl::InternalError("no answer"));
  }
};

TEST_F(LinkFaults, ALimitOfConnectionsResetsTheNextOne) {
  const auto first = Established(*proxy_);
  const auto fault = Injected("connection_limit", {{"limit", std::int64_t{1}}});
  AwaitReset(Connect(*proxy_));
  first->Send("still here");
  AwaitText(first, "still here");
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, CorruptChangesAsManyBytesAsItMayBehindThoseThatStayWhole) {
  const auto client = Established(*proxy_);
  const auto fault = Injected(
      "corrupt", {{"after", std::int64_t{2}}, {"most", std::int64_t{1}}, {"direction", "up"}});
  client->Send("aaaa");
  const auto upstream = Upstream(0);
  Await([&] { return client->received.size() == 4; }, "the echo");
  EXPECT_EQ(client->received, upstream->received) << "only the chosen direction";
  EXPECT_NE(upstream->received[2], 'a');
  EXPECT_EQ(std::string(upstream->received).replace(2, 1, "a"), "aaaa");
  Heal(*fault);
  client->Send("bb");
  Await([&] { return client->received.size() == 6; }, "the echo");
  EXPECT_EQ(client->received.substr(4), "bb");
}

TEST_F(LinkFaults, CorruptSparesTheShareThatIsNotItsOwn) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("corrupt", {{"share", 0.25}, {"direction", "up"}});
  const std::string sent(400, 'a');
  client->Send(sent);
  Await([&] { return client->received.size() == sent.size(); }, "the echo");
  const auto whole = std::count(client->received.begin(), client->received.end(), 'a');
  EXPECT_GT(whole, 240);
  EXPECT_LT(whole, 360);
  Heal(*fault);
}

TEST_F(LinkFaults, HalfOpenTellsOneSideAlone) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("half_open", {{"idle", Duration(20ms)}});
  AwaitReset(Upstream(0));
  client->Send("anybody there?");
  Settle();
  EXPECT_FALSE(client->ended);
  Heal(*fault);
  AwaitReset(client);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, HalfOpenCanLeaveTheServerInTheDark) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("half_open", {{"idle", Duration(20ms)}, {"direction", "down"}});
  AwaitReset(client);
  Settle();
  EXPECT_FALSE(Upstream(0)->ended);
  Heal(*fault);
  AwaitReset(Upstream(0));
}

TEST_F(LinkFaults, AnIdleDropIsSilentByDefault) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("idle_drop", {{"idle", Duration(20ms)}});
  AwaitHit();
  client->Send("anybody there?");
  Settle();
  EXPECT_FALSE(client->ended);
  EXPECT_FALSE(Upstream(0)->ended);
  EXPECT_EQ(Upstream(0)->received, "");
  Heal(*fault);
  AwaitReset(client);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, AnIdleDropCanResetBothSides) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("idle_drop", {{"idle", Duration(20ms)}, {"end", "reset"}});
  AwaitReset(client);
  AwaitReset(Upstream(0));
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, AnIdleDropCanResetWhoeverSpeaksNext) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("idle_drop", {{"idle", Duration(20ms)}, {"end", "reset_next"}});
  AwaitHit();
  Settle();
  EXPECT_FALSE(client->ended);
  client->Send("still there?");
  AwaitReset(client);
  EXPECT_FALSE(Upstream(0)->ended);
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, ResetOnDataWaitsForTheFirstByte) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("reset_on_data", {{"delay", Duration(10ms)}});
  Settle();
  EXPECT_FALSE(client->ended);
  const SteadyTime sent = clock_.Now();
  client->Send("hi");
  AwaitReset(client);
  EXPECT_GE(clock_.Now() - sent, 10ms);
  EXPECT_EQ(Upstream(0)->received, "");
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, SlicesAreSmallAndHavePausesBetween) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("slice", {{"bytes", std::int64_t{10}},
                                        {"variation", 0.5},
                                        {"pause", Duration(2ms)},
                                        {"direction", "up"}});
  const std::string sent = Pattern(150);
  const SteadyTime begin = clock_.Now();
  client->Send(sent);
  AwaitText(client, sent);
  // At most 15 bytes in a piece make at least ten of them.
  EXPECT_GE(clock_.Now() - begin, 9 * 2ms);
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, EvenTheWidestVariationLeavesNoPieceEmpty) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("slice", {{"bytes", std::int64_t{1}}, {"variation", 1.0}});
  client->Send("one by one");
  AwaitText(client, "one by one");
  Heal(*fault);
}

TEST_F(LinkFaults, WhatIsSwallowedIsGoneAndHealingEndsTheConnection) {
  const auto client = Established(*proxy_);
  const auto fault = Injected("swallow", {{"direction", "up"}});
  client->Send("lost");
  AwaitHit();
  Settle();
  EXPECT_EQ(Upstream(0)->received, "");
  EXPECT_FALSE(client->ended);
  Upstream(0)->Send("the other way is free");
  AwaitText(client, "the other way is free");
  Heal(*fault);
  AwaitEnd(client);
  EXPECT_EQ(client->error, asio::error::eof);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, WhatIsSwallowedCanEndTheConnectionInTime) {
  const auto client = Established(*proxy_);
  const SteadyTime begin = clock_.Now();
  const auto fault = Injected("swallow", {{"ends_after", Duration(20ms)}});
  client->Send("lost");
  AwaitEnd(client);
  EXPECT_GE(clock_.Now() - begin, 20ms);
  EXPECT_EQ(Upstream(0)->received, "");
  Heal(*fault);
  ExpectANewConnectionPasses();
}

TEST_F(LinkFaults, ExponentialDelaysAreNeverShorterThanTheShortestNorLongerThanTheLongest) {
  ExpectEveryPieceLate("exponential");
}

TEST_F(LinkFaults, ParetoDelaysAreNeverShorterThanTheShortestNorLongerThanTheLongest) {
  ExpectEveryPieceLate("pareto");
}

TEST_F(LinkFaults, TheFirstOfEveryThreePassesAndTheNextTwoAreReset) {
  const auto fault = Injected("reset", {{"connections", "2-3/3"}});
  for (int round = 0; round < 2; ++round) {
    ExpectANewConnectionPasses();
    AwaitReset(Connect(*proxy_));
    AwaitReset(Connect(*proxy_));
  }
  EXPECT_EQ(proxy_->hits("f"), 4u);
}

TEST_F(LinkFaults, ValuesThatMakeNoSenseAreNamedBeforeAnythingIsInjected) {
  const auto refused = [&](std::string fault, scenarios::Params parameters) {
    return FaultHandle::Create(executor_, journal_, *this,
                               {"f", std::move(fault), "w->t", std::move(parameters)})
        .status();
  };
  EXPECT_THAT(refused("reset", {{"connections", "0"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("numbers count from 1")));
  EXPECT_THAT(refused("half_open", {{"idle", Duration(0ms)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'idle' is below 1.0ms")));
  EXPECT_THAT(refused("half_open", {{"idle", Duration(1s)}, {"direction", "both"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("one of up, down")));
  EXPECT_THAT(refused("slice", {{"bytes", std::int64_t{0}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'bytes' is below 1")));
  EXPECT_THAT(refused("connection_limit", {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'limit' is missing")));
}

}  // namespace
}  // namespace squall::harness
