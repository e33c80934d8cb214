#include "fakes/frontend/frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "fakes/engine/engine.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/frontend/frontend_fixture.h"

namespace squall::fakes {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;
using ::squall::testing::kCancelled;
using ::squall::testing::kDeadlineExceeded;
using ::squall::testing::kPermissionDenied;
using ::squall::testing::kResourceExhausted;
using ::squall::testing::kUnauthenticated;
using ::squall::testing::kUnavailable;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using wire::GrpcResponse;
using namespace std::chrono_literals;

using FrontendTest = FrontendFixture;

TEST_F(FrontendTest, AnswersACallAndJournalsTheConnection) {
  Start({.name = "temporal"});
  Peer& peer = Connect();
  const GrpcResponse response = GetSystemInfo(peer);
  ASSERT_EQ(response.status.code, 0) << response.status.message;
  workflowservice::GetSystemInfoResponse info;
  ASSERT_TRUE(info.ParseFromString(response.message));
  EXPECT_EQ(info.server_version(), EngineOptions().server_version);
  EXPECT_EQ(frontend->connections(), 1u);
  EXPECT_EQ(frontend->open_calls(), 0u);

  frontend->PeerClosed(clock.MomentNow(), peer.id);
  EXPECT_EQ(frontend->connections(), 0u);
  EXPECT_THAT(Connections(), ElementsAre("accepted 1 ", "closed 1 "));
  const std::vector<journal::Event> events = journal->Events();
  EXPECT_EQ(events.front().source, "server:temporal");
  const auto* accepted = events.front().As<journal::ConnectionEvent>();
  EXPECT_EQ(accepted->link, "temporal");
  EXPECT_EQ(accepted->peer, "10.0.0.1:1");
  EXPECT_EQ(accepted->local, "here");
  const auto* closed = events.back().As<journal::ConnectionEvent>();
  EXPECT_GT(closed->bytes_up, 100u);
  EXPECT_GT(closed->bytes_down, 100u);
}

TEST_F(FrontendTest, UnknownMethodsAreUnimplemented) {
  Start();
  Peer& peer = Connect();
  EXPECT_EQ(Call(peer, "NoSuchMethod", workflowservice::GetSystemInfoRequest()).status.code, 12);
}

TEST_F(FrontendTest, ServesTlsAndTellsWhatWasNegotiated) {
  Start(Tls());
  Peer& peer = Connect(Trusting());
  EXPECT_EQ(GetSystemInfo(peer).status.code, 0);
  EXPECT_THAT(Connections(),
              ElementsAre("accepted 1 ", "established 1 TLSv1.3 alpn=h2 sni=localhost"));
}

TEST_F(FrontendTest, ServesMutualTlsToThoseWithACertificate) {
  Start(Tls(Catalogue().ca_pem));
  wire::TlsClientOptions with = Trusting();
  with.identity = Catalogue().client;
  Peer& good = Connect(with);
  EXPECT_EQ(GetSystemInfo(good).status.code, 0);
  EXPECT_THAT(Connections(), Contains(HasSubstr("client=")));

  Peer& without = Connect(Trusting());
  EXPECT_EQ(GetSystemInfo(without).status.code, kUnavailable);
  EXPECT_EQ(without.end, FrontendOutput::End::kClose);
  wire::TlsClientOptions stranger = Trusting();
  stranger.identity = Catalogue().wrong_ca;
  EXPECT_EQ(GetSystemInfo(Connect(stranger)).status.code, kUnavailable);
  EXPECT_THAT(Connections(),
              AllOf(Contains(HasSubstr("failed 2 TLS: ")), Contains(HasSubstr("failed 3 TLS: "))));
  EXPECT_EQ(GetSystemInfo(good).status.code, 0);
}

TEST_F(FrontendTest, TlsWithoutAlpnIsRefusedAsByTheRealServer) {
  Start(Tls());
  wire::TlsClientOptions silent = Trusting();
  silent.alpn.clear();
  EXPECT_EQ(GetSystemInfo(Connect(silent)).status.code, kUnavailable);
  EXPECT_THAT(Connections(), Contains(HasSubstr("no application protocol")));

  FrontendOptions lenient = Tls();
  lenient.require_alpn = false;
  Start(lenient);
  EXPECT_EQ(GetSystemInfo(Connect(silent)).status.code, 0);
}

TEST_F(FrontendTest, NamesPeersThatSpeakSomethingElse) {
  Start();
  Peer& browser = Connect();
  browser.raw = "GET / HTTP/1.1\r\nHost: temporal\r\n\r\n";
  Peer& tls = Connect(Trusting());
  GetSystemInfo(tls);
  Exchange();
  EXPECT_EQ(browser.end, FrontendOutput::End::kClose);
  EXPECT_EQ(tls.end, FrontendOutput::End::kClose);
  EXPECT_THAT(Connections(), AllOf(Contains(HasSubstr("failed 1 the peer speaks HTTP/1.1")),
                                   Contains(HasSubstr("failed 2 the peer speaks TLS"))));
  EXPECT_EQ(frontend->connections(), 0u);
}

TEST_F(FrontendTest, ALongPollIsAnsweredWhenWorkArrivesOnAnotherConnection) {
  Start();
  Peer& worker = Connect();
  const ResultPtr poll = Begin(worker, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
  Exchange();
  EXPECT_FALSE(poll->done);
  EXPECT_EQ(frontend->open_calls(), 1u);
  Advance(30s);
  EXPECT_FALSE(poll->done);

  workflowservice::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("w");
  start.set_request_id("r");
  start.mutable_workflow_type()->set_name("Ping");
  start.mutable_task_queue()->set_name("q");
  const GrpcResponse started = Call(Connect(), "StartWorkflowExecution", start);
  ASSERT_EQ(started.status.code, 0) << started.status.message;
  ASSERT_TRUE(poll->done);
  ASSERT_EQ(poll->response.status.code, 0);
  workflowservice::PollWorkflowTaskQueueResponse task;
  ASSERT_TRUE(task.ParseFromString(poll->response.message));
  EXPECT_EQ(task.workflow_execution().workflow_id(), "w");
}

TEST_F(FrontendTest, AnEmptyLongPollComesBackByItself) {
  Start();
  Peer& worker = Connect();
  const ResultPtr poll = Begin(worker, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
  Exchange();
  Advance(61s);
  ASSERT_TRUE(poll->done);
  EXPECT_EQ(poll->response.status.code, 0);
  EXPECT_THAT(poll->response.message, IsEmpty());
}

TEST_F(FrontendTest, CancelledAndAbandonedPollsLeaveTheEngine) {
  Start();
  Peer& first = Connect();
  Peer& second = Connect();
  const ResultPtr cancelled = Begin(first, "PollWorkflowTaskQueue", Poll("q"));
  Begin(second, "PollWorkflowTaskQueue", Poll("q"));
  Begin(second, "PollWorkflowTaskQueue", Poll("q"));
  Exchange();
  EXPECT_EQ(engine->held_calls(), 3u);
  first.grpc.Cancel(cancelled->stream);
  Exchange();
  EXPECT_EQ(cancelled->response.status.code, kCancelled);
  EXPECT_EQ(engine->held_calls(), 2u);
  frontend->PeerClosed(clock.MomentNow(), second.id, true);
  EXPECT_EQ(engine->held_calls(), 0u);
  EXPECT_EQ(frontend->open_calls(), 0u);
  EXPECT_THAT(Connections(), Contains(HasSubstr("reset 2")));
}

TEST_F(FrontendTest, ACallWhoseMessageNeverComesEndsAtItsDeadline) {
  Start();
  struct Slow : wire::Http2Handler {
    wire::Headers answer;
    void OnHeaders(wire::StreamId, wire::Headers headers) override { answer = std::move(headers); }
  } slow;
  wire::Http2Connection http2({.role = wire::Http2Role::kClient}, slow);
  const std::uint64_t id = frontend->Accept(clock.MomentNow(), "slow");
  const auto stream =
      http2.SubmitRequest({{":method", "POST"},
                           {":scheme", "http"},
                           {":path", fmt::format("/{}/GetSystemInfo", kWorkflowService)},
                           {":authority", "a"},
                           {"content-type", "application/grpc"},
                           {"te", "trailers"},
                           {"grpc-timeout", "3S"}},
                          false);
  ASSERT_OK(stream);
  frontend->Receive(clock.MomentNow(), id, http2.TakeOutput());
  for (const FrontendOutput& output : frontend->TakeOutput()) ASSERT_OK(http2.Feed(output.bytes));
  ASSERT_EQ(frontend->NextDeadline(), clock.Now() + 3s);
  clock.Advance(3s);
  frontend->Advance(clock.MomentNow());
  for (const FrontendOutput& output : frontend->TakeOutput()) ASSERT_OK(http2.Feed(output.bytes));
  EXPECT_EQ(wire::FindHeader(slow.answer, "grpc-status"), fmt::format("{}", kDeadlineExceeded));
  EXPECT_EQ(frontend->open_calls(), 0u);
  EXPECT_EQ(frontend->NextDeadline(), std::nullopt);
}

TEST_F(FrontendTest, ApiKeysAreAskedForAndNeverJournaled) {
  FrontendOptions options;
  options.api_keys = {"open-sesame", "second"};
  Start(options);
  Peer& peer = Connect();
  EXPECT_EQ(GetSystemInfo(peer).status.code, kUnauthenticated);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "Basic open-sesame"}}).status.code,
            kUnauthenticated);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "Bearer wrong-key"}}).status.code,
            kPermissionDenied);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "Bearer open-sesame"}}).status.code, 0);
  EXPECT_EQ(GetSystemInfo(peer, {{"authorization", "bearer second"}}).status.code, 0);
  for (const journal::Event& event : journal->Events()) {
    EXPECT_THAT(journal::ToJson(event), AllOf(Not(HasSubstr("sesame")), Not(HasSubstr("wrong-key")),
                                              Not(HasSubstr("Bearer"))));
  }
}

TEST_F(FrontendTest, TooLargeRequestsAreRefused) {
  FrontendOptions options;
  options.max_request_bytes = 1000;
  Start(options);
  workflowservice::StartWorkflowExecutionRequest start;
  start.set_workflow_id(std::string(2000, 'x'));
  Peer& peer = Connect();
  EXPECT_EQ(Call(peer, "StartWorkflowExecution", start).status.code, kResourceExhausted);
  EXPECT_EQ(GetSystemInfo(peer).status.code, 0);
}

TEST_F(FrontendTest, EndingsLookAsTheySay) {
  for (const auto ending :
       {Frontend::Ending::kShutdown, Frontend::Ending::kCrash, Frontend::Ending::kReset}) {
    Start();
    Peer& peer = Connect();
    const ResultPtr poll = Begin(peer, "PollWorkflowTaskQueue", Poll("q"));
    Exchange();
    frontend->CloseAll(clock.MomentNow(), ending);
    EXPECT_EQ(engine->held_calls(), 0u);
    Exchange();
    EXPECT_TRUE(poll->done);
    EXPECT_EQ(poll->response.status.code, kUnavailable);
    EXPECT_EQ(peer.grpc.going_away(), ending == Frontend::Ending::kShutdown);
    EXPECT_EQ(peer.end, ending == Frontend::Ending::kReset ? FrontendOutput::End::kReset
                                                           : FrontendOutput::End::kClose);
    EXPECT_EQ(frontend->connections(), 0u);
  }
}

TEST_F(FrontendTest, DrainingLetsOpenCallsFinish) {
  Start();
  Peer& busy = Connect();
  Peer& idle = Connect();
  const ResultPtr poll = Begin(busy, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
  GetSystemInfo(idle);
  frontend->Drain(clock.MomentNow());
  Exchange();
  EXPECT_TRUE(busy.grpc.going_away());
  EXPECT_EQ(idle.end, FrontendOutput::End::kClose);
  EXPECT_EQ(busy.end, std::nullopt);
  Advance(61s);
  EXPECT_TRUE(poll->done);
  EXPECT_EQ(poll->response.status.code, 0);
  EXPECT_EQ(busy.end, FrontendOutput::End::kClose);
}

TEST_F(FrontendTest, HooksOfTheEngineRefuseCalls) {
  Start();
  engine->SetRpcHook([](const RpcRequest& request) -> std::optional<RpcStatus> {
    if (request.method != "GetSystemInfo") return std::nullopt;
    return RpcStatus{kUnavailable, "injected", "details"};
  });
  const GrpcResponse response = GetSystemInfo(Connect());
  EXPECT_EQ(response.status.code, kUnavailable);
  EXPECT_EQ(response.status.message, "injected");
  EXPECT_EQ(response.status.details, "details");
}

TEST_F(FrontendTest, ANullJournalCostsNoEvents) {
  journal::NullSink nowhere;
  Engine quiet({}, nowhere);
  Frontend silent({}, quiet, nowhere);
  const std::uint64_t id = silent.Accept(clock.MomentNow(), "p");
  silent.PeerClosed(clock.MomentNow(), id);
  EXPECT_EQ(silent.connections(), 0u);
}

}  // namespace
}  // namespace squall::fakes
