// Servers under test: the fake in process and as a program, and the one that is nobody's to touch.
#include <signal.h>

#include <utility>

#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;

class FakeServerTest : public TargetTest, public ::testing::WithParamInterface<ServerKind> {
 protected:
  ServerOptions Options() {
    return {.kind = GetParam(),
            .namespaces = {"default", "orders"},
            .keep_data = false,
            .work_directory = folder_.path()};
  }
  std::string LastReason() {
    const auto exits = Events<journal::ProcessEvent>("exited");
    return exits.empty() ? "" : exits.back().reason;
  }
};

TEST_P(FakeServerTest, ServesOnceItIsReadyOnAnAddressKnownBefore) {
  const auto server = MakeServerOf(Options());
  const std::string address = server->address();
  EXPECT_FALSE(server->running());
  EXPECT_TRUE(server->owned());
  ASSERT_OK(Start(*server));
  EXPECT_TRUE(server->running());
  EXPECT_EQ(server->address(), address);
  EXPECT_THAT(server->version(), HasSubstr("1.32.0"));
  for (const char* ns : {"default", "orders"}) {
    EXPECT_OK(Wait<Status>(
        [&](Done done) { server->client().DescribeNamespace(ns, {}, std::move(done)); }));
  }
  EXPECT_OK(StartWorkflow(server->client(), "w"));
  EXPECT_EQ(Count<journal::ProcessEvent>("starting"), 1u);
  EXPECT_EQ(Count<journal::ProcessEvent>("ready"), 1u);
}

TEST_P(FakeServerTest, KilledItIsGoneAndStartedAgainItIsOnTheSamePortWithoutItsData) {
  const auto server = MakeServerOf(Options());
  ASSERT_OK(Start(*server));
  ASSERT_OK(StartWorkflow(server->client(), "w"));
  ASSERT_OK(Wait<Status>([&](Done done) { server->Kill(Intent::kInjected, std::move(done)); }));
  EXPECT_FALSE(server->running());
  EXPECT_EQ(LastReason(), "injected");
  EXPECT_EQ(Events<journal::ProcessEvent>("exited").back().signal, SIGKILL);
  EXPECT_THAT(Info(server->client()), StatusIs(StatusCode::kUnavailable, _));
  const std::string address = server->address();
  ASSERT_OK(Wait<Status>([&](Done done) { server->StartAgain(false, std::move(done)); }));
  EXPECT_EQ(server->address(), address);
  EXPECT_OK(Info(server->client(), {.wait_for_ready = true}));
  EXPECT_THAT(Describe(server->client(), "w"), StatusIs(StatusCode::kNotFound, _));
}

TEST_P(FakeServerTest, StoppedItEndsWithCodeZeroBecauseItWasAsked) {
  const auto server = MakeServerOf(Options());
  ASSERT_OK(Start(*server));
  ASSERT_OK(Wait<Status>([&](Done done) { server->Stop(Intent::kAsked, std::move(done)); }));
  EXPECT_FALSE(server->running());
  EXPECT_EQ(LastReason(), "asked");
  EXPECT_EQ(Events<journal::ProcessEvent>("exited").back().exit_code, 0);
  // Stopping what is stopped is no error.
  EXPECT_OK(Wait<Status>([&](Done done) { server->Stop(Intent::kAsked, std::move(done)); }));
}

TEST_P(FakeServerTest, PausedItAcceptsAndIsSilentAndResumedItAnswers) {
  const auto server = MakeServerOf(Options());
  ASSERT_OK(Start(*server));
  ASSERT_OK(server->Pause(Intent::kInjected));
  EXPECT_TRUE(server->paused());
  std::optional<StatusOr<SystemInfo>> held;
  server->client().GetSystemInfo({.deadline = Scaled(30s)},
                                 [&](StatusOr<SystemInfo> info) { held = std::move(info); });
  EXPECT_THAT(Info(server->client(), {.deadline = 100ms}),
              StatusIs(StatusCode::kDeadlineExceeded, _));
  EXPECT_FALSE(held.has_value());
  ASSERT_OK(server->Resume(Intent::kInjected));
  Await([&] { return held.has_value(); }, "the held call");
  EXPECT_OK(*held);
  EXPECT_EQ(Count<journal::ProcessEvent>("paused"), 1u);
  EXPECT_EQ(Count<journal::ProcessEvent>("resumed"), 1u);
  // A paused server can be killed, and destroyed.
  ASSERT_OK(server->Pause(Intent::kInjected));
  ASSERT_OK(Wait<Status>([&](Done done) { server->Kill(Intent::kInjected, std::move(done)); }));
}

TEST_P(FakeServerTest, NamespacesComeAndGo) {
  const auto server = MakeServerOf(Options());
  ASSERT_OK(Start(*server));
  const auto describe = [&] {
    return Wait<Status>(
        [&](Done done) { server->client().DescribeNamespace("later", {}, std::move(done)); });
  };
  EXPECT_THAT(describe(), StatusIs(StatusCode::kNotFound, HasSubstr("later")));
  ASSERT_OK(Wait<Status>([&](Done done) { server->RegisterNamespace("later", std::move(done)); }));
  EXPECT_OK(describe());
  EXPECT_OK(Wait<Status>([&](Done done) { server->RegisterNamespace("later", std::move(done)); }))
      << "a second time is no error";
  ASSERT_OK(Wait<Status>([&](Done done) { server->DeleteNamespace("later", std::move(done)); }));
  EXPECT_THAT(describe(), StatusIs(StatusCode::kNotFound, _));
}

TEST_P(FakeServerTest, ServesMutualTlsWithAnApiKey) {
  ServerOptions options = Options();
  options.certificates = &Certificates();
  options.tls_identity = "server";
  options.require_client_certificate = true;
  options.api_keys = {"secret-key"};
  const auto server = MakeServerOf(options);
  ASSERT_OK(Start(*server));
  EXPECT_OK(Info(server->client()));
  // Without the certificate, and without the key, others are not let in.
  TemporalClient bare(
      executor_, journal_,
      {.name = "bare",
       .address = server->address(),
       .tls = ClientTls{.ca_pem = Certificates().ca_pem, .server_name = "localhost"},
       .api_key = "secret-key"});
  EXPECT_THAT(Info(bare), StatusIs(StatusCode::kUnavailable, _));
  TemporalClient keyless(
      executor_, journal_,
      {.name = "keyless",
       .address = server->address(),
       .tls = ClientTls{.ca_pem = Certificates().ca_pem,
                        .certificate_chain_pem = Certificates().client.certificate_chain_pem,
                        .private_key_pem = Certificates().client.private_key_pem,
                        .server_name = "localhost"}});
  EXPECT_THAT(Info(keyless), StatusIs(StatusCode::kUnauthenticated, _));
  EXPECT_THAT(JournalText(), Not(HasSubstr("secret-key")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, FakeServerTest,
                         ::testing::Values(ServerKind::kFakeInProcess, ServerKind::kFakeProcess),
                         [](const auto& param) {
                           return param.param == ServerKind::kFakeInProcess ? "InProcess"
                                                                            : "Process";
                         });

class ServerTest : public TargetTest {};

TEST_F(ServerTest, TheFakeInProcessKeepsItsDataWhenAsked) {
  const auto server = MakeServerOf({});
  ASSERT_OK(Start(*server));
  ASSERT_OK(StartWorkflow(server->client(), "w"));
  ASSERT_OK(Wait<Status>([&](Done done) { server->Kill(Intent::kInjected, std::move(done)); }));
  ASSERT_OK(Wait<Status>([&](Done done) { server->StartAgain(true, std::move(done)); }));
  EXPECT_OK(Info(server->client(), {.wait_for_ready = true}));
  const StatusOr<WorkflowDescription> workflow = Describe(server->client(), "w");
  ASSERT_OK(workflow);
  EXPECT_EQ(workflow->status, "running");
}

TEST_F(ServerTest, AProgramInMemoryCannotKeepItsData) {
  const auto server =
      MakeServerOf({.kind = ServerKind::kFakeProcess, .work_directory = folder_.path()});
  ASSERT_OK(Start(*server));
  ASSERT_OK(Wait<Status>([&](Done done) { server->Kill(Intent::kInjected, std::move(done)); }));
  EXPECT_THAT(Wait<Status>([&](Done done) { server->StartAgain(true, std::move(done)); }),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("in memory")));
}

TEST_F(ServerTest, ChosenCallsAreRefusedWithTheFaultsIdAndAcceptedAgainAlsoAfterARestart) {
  const auto server = MakeServerOf({});
  ASSERT_OK(Start(*server));
  wire::Rule rule;
  rule.id = "deny";
  rule.match.methods = {"Start*", "GetSystemInfo"};
  rule.effect = wire::AnswerStatus{.code = 7, .message = "not you"};
  ASSERT_OK(server->Misbehave("rpc_error", rule));
  EXPECT_THAT(StartWorkflow(server->client(), "w"),
              StatusIs(StatusCode::kPermissionDenied, "not you"));
  EXPECT_THAT(Info(server->client()), StatusIs(StatusCode::kPermissionDenied, _));
  EXPECT_THAT(Describe(server->client(), "w"), StatusIs(StatusCode::kNotFound, _))
      << "other calls are handled";
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 1u);
  std::size_t marked = 0;
  for (const auto& rpc : Events<journal::RpcEvent>("answered"))
    marked += rpc.side == "server" && rpc.fault_id == "deny";
  EXPECT_EQ(marked, 2u);
  ASSERT_OK(Wait<Status>([&](Done done) { server->Kill(Intent::kInjected, std::move(done)); }));
  ASSERT_OK(Wait<Status>([&](Done done) { server->StartAgain(false, std::move(done)); }));
  EXPECT_THAT(Info(server->client(), {.wait_for_ready = true}),
              StatusIs(StatusCode::kPermissionDenied, _));
  ASSERT_OK(server->Behave("deny"));
  EXPECT_OK(Info(server->client()));
}

TEST_F(ServerTest, AServerAtAnAddressIsUsedAndNeverTouched) {
  const auto server = MakeServerOf({.name = "theirs"});
  ASSERT_OK(Start(*server));
  const auto external = MakeServerOf(
      {.name = "external", .kind = ServerKind::kAddress, .address = server->address()});
  ASSERT_OK(Start(*external));
  EXPECT_FALSE(external->owned());
  EXPECT_OK(StartWorkflow(external->client(), "w"));
  EXPECT_THAT(Wait<Status>([&](Done done) { external->Kill(Intent::kInjected, std::move(done)); }),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("not started by squall")));
  EXPECT_THAT(external->Pause(Intent::kInjected), StatusIs(StatusCode::kPermissionDenied, _));
  EXPECT_THAT(Wait<Status>([&](Done done) { external->Stop(Intent::kInjected, std::move(done)); }),
              StatusIs(StatusCode::kPermissionDenied, _));
  EXPECT_OK(Wait<Status>([&](Done done) { external->Stop(Intent::kAsked, std::move(done)); }))
      << "the end of a scenario leaves it as it is";
  EXPECT_OK(Info(server->client()));
}

TEST_F(ServerTest, AnExternalServerWithoutTheNamespaceIsAnErrorAndNothingIsRegisteredThere) {
  const auto server = MakeServerOf({.name = "theirs"});
  ASSERT_OK(Start(*server));
  const auto external = MakeServerOf({.name = "external",
                                      .kind = ServerKind::kAddress,
                                      .namespaces = {"absent"},
                                      .address = server->address()});
  EXPECT_THAT(Start(*external), StatusIs(StatusCode::kNotFound, HasSubstr("absent")));
  EXPECT_THAT(Wait<Status>([&](Done done) {
                server->client().DescribeNamespace("absent", {}, std::move(done));
              }),
              StatusIs(StatusCode::kNotFound, _));
}

TEST_F(ServerTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(
      MakeServer(executor_, journal_, {.kind = ServerKind::kAddress, .address = "nonsense"}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("nonsense")));
  ::setenv("SQUALL_TEMPORAL_CLI", "/no/such/temporal", 1);
  EXPECT_THAT(MakeServer(executor_, journal_, {.kind = ServerKind::kDevServer}),
              StatusIs(StatusCode::kNotFound, HasSubstr("/no/such/temporal")));
  ::unsetenv("SQUALL_TEMPORAL_CLI");
  const auto dead = MakeServerOf({.name = "external",
                                  .kind = ServerKind::kAddress,
                                  .address = "127.0.0.1:1",
                                  .ready_limit = 50ms});
  EXPECT_THAT(Start(*dead),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("external does not serve")));
  EXPECT_THAT(FindOurProgram("squall-nonsense"),
              StatusIs(StatusCode::kNotFound, HasSubstr("squall-nonsense")));
}

TEST_F(ServerTest, AServerProgramThatEndsWhileItStartsIsToldAtOnce) {
  const auto server = MakeServerOf({.kind = ServerKind::kFakeProcess,
                                    .work_directory = folder_.path(),
                                    .arguments = {"--no-such-option"},
                                    .ready_limit = 1h});
  EXPECT_THAT(Start(*server),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no-such-option")));
}

}  // namespace
}  // namespace squall::harness
