// Faults of links that understand gRPC: each does what it says to calls through the link, tells of
// it, and is gone when it is healed.

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "base/wire/tls_modes.h"
#include "harness/fault/fault.h"
#include "harness/target/grpc_link.h"
#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using scenarios::FaultDefinition;
using scenarios::FaultNeed;
using scenarios::FaultTarget;
using ::squall::testing::StatusIs;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

bool NeedsFrames(const FaultDefinition& fault) {
  return std::find(fault.needs.begin(), fault.needs.end(), FaultNeed::kFrames) != fault.needs.end();
}

class FrameFaultTest : public TargetTest, public FaultTargets {
 protected:
  void SetUp() override {
    server_ = MakeServerOf({.name = "temporal"});
    ASSERT_OK(Start(*server_));
    const StatusOr<HostPort> upstream = ParseHostPort(server_->address());
    ASSERT_OK(upstream);
    auto frames = MakeGrpcLink(
        executor_, journal_,
        {.link = "edge", .upstream = *upstream, .certificates = &Certificates(), .identity = ""});
    ASSERT_OK(frames);
    frames_ = *std::move(frames);
    auto proxy = TcpProxy::Create(executor_, journal_,
                                  {.link = "edge", .upstream = {"127.0.0.1", frames_->port()}});
    ASSERT_OK(proxy);
    proxy_ = *std::move(proxy);
    client_ = std::make_unique<TemporalClient>(
        executor_, journal_, TemporalClientOptions{.name = "c", .address = proxy_->address()});
    ASSERT_OK(Info(*client_));
  }

  TcpProxy* Link(std::string_view name) override { return name == "edge" ? proxy_.get() : nullptr; }
  GrpcProxy* Frames(std::string_view) override { return with_frames_ ? frames_.get() : nullptr; }
  WorkerUnderTest* Worker(std::string_view) override { return nullptr; }
  ServerUnderTest* Server(std::string_view) override { return nullptr; }
  std::vector<std::string> Names() override { return {"edge"}; }

  StatusOr<std::unique_ptr<FaultHandle>> Create(std::string fault, scenarios::Params parameters) {
    const std::string id = fault;
    return FaultHandle::Create(executor_, journal_, *this,
                               {id, std::move(fault), "edge", std::move(parameters)});
  }
  Status Inject(FaultHandle& handle) {
    return Wait<Status>([&](Done done) { handle.Inject(std::move(done)); });
  }
  bool Hit(const std::string& id) const {
    for (const auto& event : Events<journal::FaultEvent>("hit")) {
      if (event.fault_id == id && event.target == "edge") return true;
    }
    return false;
  }

  bool with_frames_ = true;
  std::unique_ptr<ServerUnderTest> server_;
  std::unique_ptr<GrpcProxy> frames_;
  std::unique_ptr<TcpProxy> proxy_;
  std::unique_ptr<TemporalClient> client_;
};

TEST_F(FrameFaultTest, EachDoesWhatItSays) {
  constexpr auto kOk = StatusCode::kOk;
  const struct {
    std::string fault;
    scenarios::Params parameters;
    StatusCode seen;
    Duration deadline = 10s;
    bool fresh = false;  // by a new connection
    bool met = true;
  } cases[] = {
      {"goaway", {{"refuse", true}}, StatusCode::kUnavailable},
      {"header_limit", {{"bytes", std::int64_t{10}}}, StatusCode::kResourceExhausted, 10s, true},
      {"http1", {}, StatusCode::kUnavailable, 10s, true},
      {"http_page", {{"status", std::int64_t{502}}}, StatusCode::kUnavailable},
      {"lost_answer", {}, StatusCode::kInternal},
      {"message_limit",
       {{"bytes", std::int64_t{10}}, {"way", "answer"}},
       StatusCode::kResourceExhausted},
      {"misbehaviour",
       {{"rule", R"({"do": {"status": {"code": "ABORTED"}}})"}},
       StatusCode::kAborted},
      {"missing_trailers", {}, StatusCode::kUnknown},
      // Whether a PING comes in this while is the client's affair.
      {"no_ping_ack", {}, kOk, 10s, false, false},
      {"no_window", {}, kOk},
      // The server answers long before.
      {"read_timeout", {{"after", Duration(10min)}}, kOk, 10s, false, false},
      {"request_twice", {}, kOk},
      {"reset_stream", {{"error", "REFUSED_STREAM"}}, StatusCode::kUnavailable},
      {"rpc_delay", {{"delay", Duration(20ms)}, {"way", "answer"}}, kOk},
      {"rpc_error", {{"code", "UNAUTHENTICATED"}}, StatusCode::kUnauthenticated},
      {"rpc_hang", {}, StatusCode::kDeadlineExceeded, 200ms},
      {"stream_limit", {{"streams", std::int64_t{0}}}, StatusCode::kDeadlineExceeded, 200ms, true},
      {"tls", {{"mode", "tls"}}, StatusCode::kUnavailable, 10s, true},
  };
  std::set<std::string> tried;
  for (const auto& one : cases) {
    SCOPED_TRACE(one.fault);
    tried.insert(one.fault);
    auto fault = Create(one.fault, one.parameters);
    ASSERT_OK(fault);
    ASSERT_OK(Inject(**fault));
    if (one.fresh) client_->Reconnect();
    EXPECT_EQ(Info(*client_, {.deadline = Scaled(one.deadline)}).status().code(), one.seen);
    EXPECT_TRUE(Hit(one.fault) || !one.met);
    EXPECT_OK(Wait<Status>([&](Done done) { (*fault)->Heal(std::move(done)); }));
    // On the connection that the fault met, where it still stands.
    Status healed;
    for (int i = 0; i < 20; ++i) {
      client_->ResetBackoff();
      healed = Info(*client_, {.deadline = Scaled(10s), .wait_for_ready = true}).status();
      if (healed.ok()) break;
    }
    EXPECT_OK(healed);
  }
  for (const FaultDefinition& fault : scenarios::FaultCatalogue()) {
    if (NeedsFrames(fault)) {
      EXPECT_TRUE(tried.contains(fault.name)) << fault.name << " is not tried here";
    }
  }
}

TEST_F(FrameFaultTest, ALimitThatHealedLimitsNobodyAnyMore) {
  auto fault = Create("stream_limit", {{"streams", std::int64_t{0}}});
  ASSERT_OK(fault);
  ASSERT_OK(Inject(**fault));
  EXPECT_FALSE(Info(*client_, {.deadline = Scaled(200ms)}).ok());
  fault->reset();  // heals
  EXPECT_OK(Info(*client_, {.deadline = Scaled(20s), .wait_for_ready = true}));
}

TEST_F(FrameFaultTest, ChoosesCallsByNameAndNumber) {
  auto fault = Create("rpc_error", {{"code", "ABORTED"},
                                    {"methods", std::vector<std::string>{"GetSystem*"}},
                                    {"skip", std::int64_t{1}},
                                    {"calls", std::int64_t{1}}});
  ASSERT_OK(fault);
  ASSERT_OK(Inject(**fault));
  EXPECT_OK(StartWorkflow(*client_, "w"));
  EXPECT_OK(Info(*client_));
  EXPECT_THAT(Info(*client_), StatusIs(StatusCode::kAborted, "injected"));
  EXPECT_OK(Info(*client_));
}

TEST_F(FrameFaultTest, WhatCannotBeInjectedLeavesNothing) {
  auto unknown = Create("misbehaviour", {{"rule", R"({"do": "hagn"})"}});
  ASSERT_OK(unknown);
  EXPECT_THAT(Inject(**unknown), StatusIs(StatusCode::kInvalidArgument, HasSubstr("'hang'")));
  auto several = Create("misbehaviour", {{"rule", R"({"do": "hang"}, {"do": "hang"})"}});
  ASSERT_OK(several);
  EXPECT_THAT(Inject(**several), StatusIs(StatusCode::kInvalidArgument, HasSubstr("one rule")));
  with_frames_ = false;
  auto nowhere = Create("rpc_hang", {});
  ASSERT_OK(nowhere);
  EXPECT_THAT(Inject(**nowhere), StatusIs(StatusCode::kUnavailable, HasSubstr("leads nowhere")));
  EXPECT_OK(Info(*client_));
  EXPECT_TRUE(frames_->rules().empty());
}

// The catalogue goes without base/wire, and so has the names once more.
TEST(FrameFaults, TlsModesAreThoseOfTheWire) {
  std::vector<std::string> wire;
  for (const wire::TlsMode& mode : wire::TlsModes()) wire.emplace_back(mode.name);
  const FaultDefinition* tls = scenarios::FindFault(FaultTarget::kLink, "tls");
  ASSERT_NE(tls, nullptr);
  EXPECT_THAT(scenarios::FindParam(tls->params, "mode")->words, ElementsAreArray(wire));
}

}  // namespace
}  // namespace squall::harness
