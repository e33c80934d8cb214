// Temporal's own dev server as a server under test: ready by evidence, restarted on its port with
// and without its data, paused, killed, gone. Needs the Temporal CLI (`make run` installs it);
// skipped without.
#include <signal.h>

#include <filesystem>
#include <utility>

#include "harness/fault/fault.h"
#include "harness/net/tcp_proxy.h"
#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;

class DevServerTest : public TargetTest {
 protected:
  void SetUp() override {
    if (const auto cli = FindTemporalCli(); !cli.ok()) GTEST_SKIP() << Message(cli.status());
  }
  std::unique_ptr<ServerUnderTest> Make(bool keep_data) {
    return MakeServerOf({.name = "temporal",
                         .kind = ServerKind::kDevServer,
                         .namespaces = {"default", "orders"},
                         .keep_data = keep_data,
                         .work_directory = folder_.path()});
  }
  Status Kill(ServerUnderTest& server) {
    return Wait<Status>([&](Done done) { server.Kill(Intent::kInjected, std::move(done)); });
  }
  Status StartAgain(ServerUnderTest& server, bool keep_data) {
    return Wait<Status>([&](Done done) { server.StartAgain(keep_data, std::move(done)); });
  }
};

TEST_F(DevServerTest, KeepsItsDataAndItsPortOverKillsAndLosesThemWhenTold) {
  const auto server = Make(true);
  ASSERT_OK(Start(*server));
  EXPECT_THAT(server->version(), HasSubstr("temporal dev server 1."));
  EXPECT_GT(server->pid(), 0);
  const std::string address = server->address();
  for (const char* ns : {"default", "orders"}) {
    EXPECT_OK(Wait<Status>([&](Done done) {
      server->client().DescribeNamespace(ns, {}, std::move(done));
    })) << ns;
  }
  ASSERT_OK(StartWorkflow(server->client(), "kept"));
  for (int life = 0; life < 2; ++life) {
    ASSERT_OK(Kill(*server));
    EXPECT_EQ(Events<journal::ProcessEvent>("exited").back().signal, SIGKILL);
    EXPECT_EQ(Events<journal::ProcessEvent>("exited").back().reason, "injected");
    ASSERT_OK(StartAgain(*server, true)) << "life " << life;
    EXPECT_EQ(server->address(), address);
    const auto kept = Describe(server->client(), "kept");
    ASSERT_OK(kept);
    EXPECT_EQ(kept->status, "running");
  }
  // Asked to stop it ends by itself, with code 0.
  ASSERT_OK(Wait<Status>([&](Done done) { server->Stop(Intent::kAsked, std::move(done)); }));
  EXPECT_EQ(Events<journal::ProcessEvent>("exited").back().exit_code, 0);
  ASSERT_OK(StartAgain(*server, false));
  EXPECT_EQ(server->address(), address);
  EXPECT_THAT(Describe(server->client(), "kept"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(DevServerTest, InMemoryItForgetsAndASilentOneAnswersAgain) {
  const auto server = Make(false);
  ASSERT_OK(Start(*server));
  ASSERT_OK(StartWorkflow(server->client(), "w"));
  ASSERT_OK(server->Pause(Intent::kInjected));
  EXPECT_THAT(Info(server->client(), {.deadline = 200ms}),
              StatusIs(StatusCode::kDeadlineExceeded, _));
  ASSERT_OK(server->Resume(Intent::kInjected));
  EXPECT_OK(Info(server->client(), {.deadline = Scaled(20s)}));
  ASSERT_OK(Kill(*server));
  EXPECT_THAT(StartAgain(*server, true),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("without a database file")));
  ASSERT_OK(StartAgain(*server, false));
  EXPECT_THAT(Describe(server->client(), "w"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(DevServerTest, TwoServeSideBySideBehindFaultyLinks) {
  const auto server = Make(false);
  ASSERT_OK(Start(*server));
  ServerOptions second = server->options();
  second.name = "second";
  const auto other = MakeServerOf(second);
  ASSERT_OK(Start(*other));
  EXPECT_NE(server->address(), other->address());
  const auto upstream = ParseHostPort(server->address());
  ASSERT_OK(upstream);
  auto proxy =
      TcpProxy::Create(executor_, journal_, {.link = "c->temporal", .upstream = *upstream});
  ASSERT_OK(proxy);
  TemporalClient client(executor_, journal_, {.name = "c", .address = (*proxy)->address()});
  EXPECT_OK(Info(client, {.deadline = Scaled(20s)}));
  ASSERT_OK((*proxy)->Set({.id = "f", .kind = NetFaultKind::kRefuse}));
  EXPECT_THAT(Info(client), StatusIs(StatusCode::kUnavailable, _));
  EXPECT_OK(Info(other->client()));
  ASSERT_OK((*proxy)->Remove("f"));
  client.ResetBackoff();
  EXPECT_OK(Info(client, {.deadline = Scaled(20s), .wait_for_ready = true}));
}

}  // namespace
}  // namespace squall::harness
