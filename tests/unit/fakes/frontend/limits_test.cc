#include "fakes/frontend/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/frontend/reflection.h"
#include "tests/unit/fakes/frontend/frontend_fixture.h"

namespace squall::fakes {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using namespace std::chrono_literals;
using Step = ConnectionKeeper::Step;

ConnectionLimits Only(Duration ConnectionLimits::*limit, Duration value) {
  ConnectionLimits limits = ConnectionLimits::None();
  limits.*limit = value;
  return limits;
}

TEST(ConnectionKeeper, AgesWithinTenPercent) {
  Duration least = 1h, most{};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    ConnectionKeeper keeper(Only(&ConnectionLimits::max_age, 300s), SteadyTime(10s), Rng(seed));
    const Duration age = *keeper.deadline() - SteadyTime(10s);
    least = std::min(least, age);
    most = std::max(most, age);
  }
  EXPECT_THAT(least, AllOf(Ge(270s), Le(273s)));
  EXPECT_THAT(most, AllOf(Le(330s), Ge(327s)));
}

TEST(ConnectionKeeper, WarnsDrainsAndCloses) {
  ConnectionLimits limits = Only(&ConnectionLimits::max_age, 300s);
  limits.age_grace = 70s;
  ConnectionKeeper keeper(limits, SteadyTime(), Rng(1));
  const SteadyTime old = *keeper.deadline();
  EXPECT_EQ(keeper.Next(old - 1ns), Step::kNothing);
  EXPECT_EQ(keeper.Next(old), Step::kWarn);
  EXPECT_EQ(keeper.why(), "max_age");
  EXPECT_EQ(keeper.Next(old), Step::kNothing);
  keeper.OnPingAck(old + 1ms);
  EXPECT_EQ(keeper.Next(old + 1ms), Step::kDrain);
  EXPECT_EQ(keeper.deadline(), old + 70s);
  EXPECT_EQ(keeper.Next(old + 70s), Step::kCloseOld);
}

TEST(ConnectionKeeper, IdlenessCountsFromTheLastCall) {
  ConnectionKeeper keeper(Only(&ConnectionLimits::max_idle, 120s), SteadyTime(), Rng(1));
  keeper.OnCalls(SteadyTime(100s), 1);
  EXPECT_EQ(keeper.deadline(), std::nullopt);
  keeper.OnCalls(SteadyTime(500s), 0);
  EXPECT_EQ(keeper.Next(SteadyTime(619s)), Step::kNothing);
  EXPECT_EQ(keeper.Next(SteadyTime(620s)), Step::kWarn);
  EXPECT_EQ(keeper.why(), "max_idle");
  EXPECT_EQ(keeper.Next(SteadyTime(625s)), Step::kDrain)
      << "also when the PING is never acknowledged";
}

TEST(ConnectionKeeper, TheThirdStrikeEndsIt) {
  ConnectionKeeper keeper(Only(&ConnectionLimits::min_ping_interval, 10s), SteadyTime(), Rng(1));
  SteadyTime now(100s);
  EXPECT_FALSE(keeper.OnPing(now));  // the first has none before it
  EXPECT_FALSE(keeper.OnPing(now += 10s)) << "exactly the interval is allowed";
  EXPECT_FALSE(keeper.OnPing(now += 9s));
  EXPECT_FALSE(keeper.OnPing(now += 9s));
  keeper.OnAnswered();
  EXPECT_FALSE(keeper.OnPing(now += 1s)) << "an answer of ours forgives";
  EXPECT_FALSE(keeper.OnPing(now += 1s));
  EXPECT_FALSE(keeper.OnPing(now += 1s));
  EXPECT_TRUE(keeper.OnPing(now += 1s));
}

TEST(ConnectionKeeper, AsksWhoIsSilentAndClosesWhoStaysSo) {
  ConnectionLimits limits = Only(&ConnectionLimits::keepalive_time, 60s);
  limits.keepalive_timeout = 10s;
  ConnectionKeeper keeper(limits, SteadyTime(), Rng(1));
  EXPECT_EQ(keeper.Next(SteadyTime(60s)), Step::kPing);
  keeper.OnBytes(SteadyTime(61s));
  EXPECT_EQ(keeper.Next(SteadyTime(70s)), Step::kNothing);
  EXPECT_EQ(keeper.Next(SteadyTime(121s)), Step::kPing);
  EXPECT_EQ(keeper.Next(SteadyTime(131s)), Step::kCloseUnheard);
}

class LimitsTest : public FrontendFixture {
 protected:
  LimitsTest() { limits = ConnectionLimits(); }
};

TEST_F(LimitsTest, AnOldConnectionIsToldToGoAndClosedWithItsLastCall) {
  Start();
  Peer& worker = Connect();
  // Polls come one after the other, so that it is never idle.
  ResultPtr poll = Begin(worker, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
  Exchange();
  const SteadyTime begin = clock.Now();
  while (!worker.grpc.going_away() && clock.Now() - begin < 400s) {
    if (poll->done) poll = Begin(worker, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
    Exchange();
    Advance(1s);
  }
  EXPECT_THAT(clock.Now() - begin, AllOf(Ge(270s), Le(331s)));
  EXPECT_EQ(worker.end, std::nullopt) << "what is open may finish";
  Advance(71s);
  EXPECT_EQ(worker.end, FrontendOutput::End::kClose);
  EXPECT_EQ(frontend->connections(), 0u);
}

TEST_F(LimitsTest, TooManyPings) {
  Start();
  Peer& peer = Connect();
  GetSystemInfo(peer);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(peer.end, std::nullopt) << i;
    peer.grpc.http2().Ping("12345678");
    Exchange();
    clock.Advance(1s);
  }
  EXPECT_TRUE(peer.grpc.going_away()) << "the first was forgiven by the answer, then three strikes";
  EXPECT_EQ(peer.end, FrontendOutput::End::kClose);
  EXPECT_THAT(Connections(), Contains(HasSubstr("too_many_pings")));
}

TEST_F(LimitsTest, TheHandshakeHasATimeout) {
  Start(Tls());
  Connect();  // and says nothing
  Advance(119s);
  EXPECT_EQ(frontend->connections(), 1u);
  Advance(1s);
  EXPECT_EQ(frontend->connections(), 0u);
  EXPECT_THAT(Connections(), Contains(HasSubstr("handshake")));
}

TEST_F(LimitsTest, AnIdleConnectionIsToldToGo) {
  Start();
  Peer& peer = Connect();
  GetSystemInfo(peer);
  Advance(119s);
  EXPECT_EQ(peer.end, std::nullopt);
  Advance(2s);
  EXPECT_EQ(peer.end, FrontendOutput::End::kClose);
  EXPECT_TRUE(peer.grpc.going_away());
}

TEST_F(LimitsTest, SeveralListenersOnOneEngine) {
  FrontendOptions options;
  options.listeners.push_back({.name = "secure", .tls = Tls().tls});
  Start(std::move(options));
  EXPECT_EQ(GetSystemInfo(Connect()).status.code, 0);
  EXPECT_EQ(GetSystemInfo(Connect(Trusting(), 1)).status.code, 0);
  const auto snapshot = frontend->Snapshot();
  ASSERT_EQ(snapshot.size(), 2u);
  EXPECT_EQ(snapshot[0].listener, "temporal");
  EXPECT_EQ(snapshot[0].tls, "");
  EXPECT_EQ(snapshot[1].listener, "secure");
  EXPECT_THAT(snapshot[1].tls, HasSubstr("TLSv1.3"));
}

TEST_F(LimitsTest, KeysAreGoodForWhatTheySay) {
  FrontendOptions options;
  auto keys = ParseApiKeys(
      "# keys\nall\norders namespace=orders*  # that team\npoller rpc=Poll*,GetSystemInfo\n");
  ASSERT_OK(keys);
  options.scoped_keys = *std::move(keys);
  Start(std::move(options), {.namespaces = {"default", "orders-eu"}});
  Peer& peer = Connect();
  const auto describe = [&](const std::string& key, const std::string& ns) {
    temporal::api::workflowservice::v1::DescribeNamespaceRequest request;
    request.set_namespace_(ns);
    return Call(peer, "DescribeNamespace", request, {{"authorization", "Bearer " + key}});
  };
  EXPECT_EQ(describe("all", "default").status.code, 0);
  EXPECT_EQ(describe("orders", "orders-eu").status.code, 0);
  const wire::GrpcResponse refused = describe("orders", "default");
  EXPECT_EQ(refused.status.code, 7);
  EXPECT_EQ(refused.status.message, "Request unauthorized.");
  EXPECT_THAT(refused.status.details,
              HasSubstr("caller has insufficient permissions for namespace 'default'"));
  EXPECT_EQ(describe("poller", "default").status.code, 7);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "Bearer poller"}}).status.code, 0);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "Bearer orders"}}).status.code, 0);
  EXPECT_EQ(GetSystemInfo(peer).status.code, 16);
  EXPECT_THAT(ParseApiKeys("a\nb namespac=x\n"),
              ::squall::testing::StatusIs(
                  StatusCode::kInvalidArgument,
                  HasSubstr("line 2: 'namespac' is neither namespace=... nor rpc=... (did you "
                            "mean 'namespace'?)")));
}

// --- Streams
// --------------------------------------------------------------------------------------------------------

class StreamsTest : public FrontendFixture, public wire::Http2Handler {
 protected:
  void OnHeaders(wire::StreamId, wire::Headers headers) override { answer = std::move(headers); }
  void OnData(wire::StreamId, std::string_view data) override {
    EXPECT_OK(parser.Feed(data, frames));
  }
  void OnTrailers(wire::StreamId, wire::Headers headers) override { trailers = std::move(headers); }
  void OnEndStream(wire::StreamId) override { ended = true; }

  void Open(std::string_view service, std::string_view method) {
    http2.emplace(wire::Http2Options{.role = wire::Http2Role::kClient}, *this);
    id = frontend->Accept(clock.MomentNow(), "client");
    const auto opened = http2->SubmitRequest({{":method", "POST"},
                                              {":scheme", "http"},
                                              {":path", fmt::format("/{}/{}", service, method)},
                                              {":authority", "a"},
                                              {"content-type", "application/grpc"},
                                              {"te", "trailers"}},
                                             false);
    ASSERT_OK(opened);
    stream = *opened;
  }
  void Send(std::string_view message, bool end) {
    http2->SubmitData(stream, wire::GrpcFrame(message), end);
    Move();
  }
  void Move() {
    for (bool moved = true; moved;) {
      const std::string up = http2->TakeOutput();
      if (!up.empty()) frontend->Receive(clock.MomentNow(), id, up);
      moved = !up.empty();
      for (const FrontendOutput& output : frontend->TakeOutput()) {
        moved = true;
        EXPECT_OK(http2->Feed(output.bytes));
      }
    }
  }

  std::optional<wire::Http2Connection> http2;
  std::uint64_t id = 0;
  wire::StreamId stream = 0;
  wire::Headers answer, trailers;
  wire::GrpcFrameParser parser{16 << 20};
  std::vector<wire::GrpcFrameParser::Frame> frames;
  bool ended = false;
};

TEST_F(StreamsTest, WatchTellsHealthAndStays) {
  Start();
  Open(kHealthService, "Watch");
  Send("", true);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, "\x08\x01") << "SERVING";
  EXPECT_FALSE(ended);
  frontend->Drain(clock.MomentNow());
  Move();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[1].payload, "\x08\x02") << "NOT_SERVING";
  http2->Reset(stream, wire::Http2Error::kCancel);
  Move();
  EXPECT_EQ(frontend->open_calls(), 0u);
}

TEST_F(StreamsTest, WatchOfAnUnknownService) {
  Start();
  Open(kHealthService, "Watch");
  Send("\x0a\x04what", true);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].payload, "\x08\x03") << "SERVICE_UNKNOWN";
}

TEST_F(StreamsTest, ReflectionAnswersEachRequestAndEndsWithTheClient) {
  Start();
  Open(kReflectionV1, kReflectionMethod);
  Send(std::string("\x3a\x00", 2), false);  // list_services
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_THAT(frames[0].payload,
              AllOf(HasSubstr("temporal.api.workflowservice.v1.WorkflowService"),
                    HasSubstr("grpc.health.v1.Health"), HasSubstr("grpc.reflection.v1alpha")));
  EXPECT_FALSE(ended);
  Send("\x22\x15grpc.health.v1.Health", false);  // file_containing_symbol
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_THAT(frames[1].payload, HasSubstr("HealthCheckRequest"));
  Send("\x1a\x04nope", true);  // file_by_filename
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_THAT(frames[2].payload, HasSubstr("not found"));
  EXPECT_TRUE(ended);
  EXPECT_EQ(wire::FindHeader(trailers, "grpc-status"), "0");
  EXPECT_EQ(frontend->open_calls(), 0u);
}

}  // namespace
}  // namespace squall::fakes
