// The program squall-server, started as a process.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "fakes/server/fake_server.h"
#include "harness/process/pidfd.h"
#include "tests/support/server_program.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

using harness::Intent;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class SquallServerTest : public ::squall::testing::ServerProgramTest {
 protected:
  // Started with these arguments and serving.
  std::unique_ptr<Life> Serve(std::vector<std::string> arguments) {
    auto life = Run(std::move(arguments));
    EXPECT_EQ(life->ready.value("squall_event", ""), "ready");
    return life;
  }

  // Runs to its end by itself.
  std::unique_ptr<Life> Finish(std::vector<std::string> arguments) {
    auto life = Run(std::move(arguments));
    AwaitEnd(*life);
    return life;
  }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  static int GetSystemInfo(int port, std::optional<wire::TlsClientOptions> tls = std::nullopt) {
    SocketClient client(port, std::move(tls));
    EXPECT_TRUE(client.connected());
    return client.Call(std::string(kWorkflowService), "GetSystemInfo", "").status.code;
  }

  ::squall::testing::TemporaryFolder folder_;
};

TEST_F(SquallServerTest, ServesUntilItIsTold) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto life = Serve({"--port", "0", "--print-port"});
    EXPECT_EQ(life->ready["pid"], life->process->pid());
    EXPECT_EQ(life->ready["address"], fmt::format("127.0.0.1:{}", life->port()));
    EXPECT_EQ(life->ready["tls"], false);
    EXPECT_EQ(GetSystemInfo(life->port()), 0);
    SocketClient open(life->port());
    EXPECT_EQ(open.Call(std::string(kWorkflowService), "GetSystemInfo", "").status.code, 0);
    Stop(*life, signal);
    EXPECT_EQ(life->exit->code, 0);
    EXPECT_TRUE(open.Until([&] { return open.ended(); }));
    EXPECT_TRUE(open.grpc().going_away());
    EXPECT_THAT(life->err, IsEmpty());
    EXPECT_THAT(life->out, SizeIs(1));
  }
}

TEST_F(SquallServerTest, HelpTeaches) {
  const auto life = Finish({"--help"});
  EXPECT_EQ(life->exit->code, 0);
  std::string text;
  for (const std::string& line : life->out) text += line + "\n";
  EXPECT_THAT(text, AllOf(HasSubstr("Examples:"), HasSubstr("--namespace"),
                          HasSubstr("\"squall_event\":\"ready\""), HasSubstr("Exit 2:")));
}

TEST_F(SquallServerTest, WrongUsageIsOneClearLineAndExitTwo) {
  const std::string empty = Write("empty", "# no key\n");
  const std::string text = Write("text", "not PEM");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--prot", "1"}, "--prot"},
      {{"--port", "70000"}, "--port"},
      {{"--port", "x"}, "--port"},
      {{"--tls-cert", text}, "--tls-key"},
      {{"--tls-cert", text, "--tls-key", text}, "TLS"},
      {{"--tls-cert", "/nowhere", "--tls-key", text}, "/nowhere"},
      {{"--client-ca", text}, "--client-ca"},
      {{"--api-key-file", "/nowhere"}, "/nowhere"},
      {{"--api-key-file", empty}, "no key"},
      {{"--journal", empty}, "journal"},
  };
  for (const auto& [arguments, mentioned] : cases) {
    const auto life = Finish(arguments);
    ASSERT_THAT(life->err, SizeIs(1)) << mentioned;
    EXPECT_THAT(life->err[0], AllOf(StartsWith("squall-server: "), HasSubstr(mentioned)));
    EXPECT_EQ(life->exit->code, 2) << life->err[0];
    EXPECT_THAT(life->out, IsEmpty());
  }
}

TEST_F(SquallServerTest, ATakenPortIsExitThree) {
  const auto taken = FakeServer::Start({});
  ASSERT_OK(taken);
  const auto life = Finish({"--port", fmt::format("{}", (*taken)->port())});
  EXPECT_EQ(life->exit->code, 3);
  ASSERT_THAT(life->err, SizeIs(1));
  EXPECT_THAT(life->err[0], HasSubstr("Address already in use"));
}

TEST_F(SquallServerTest, RestartsOnTheSamePortAtOnce) {
  auto life = Serve({});
  const int port = life->port();
  for (int i = 0; i < 10; ++i) {
    // Connections left open on both sides are what keeps a port busy.
    SocketClient client(port);
    EXPECT_EQ(client.Call(std::string(kWorkflowService), "GetSystemInfo", "").status.code, 0);
    Stop(*life, i % 2 == 0 ? SIGKILL : SIGTERM);
    life = Serve({"--port", fmt::format("{}", port)});
    EXPECT_EQ(life->port(), port);
  }
}

TEST_F(SquallServerTest, ServesMutualTlsAndApiKeysAndWritesAJournal) {
  Rng rng(4);
  const wire::CertificateSet set = wire::MintCatalogue(RealClock().WallNow(), rng);
  const std::string journal = folder_.path() + "/journal.jsonl";
  const auto life =
      Serve({"--name", "cloud", "--namespace", "orders", "--tls-cert",
             Write("cert", set.server.certificate_chain_pem), "--tls-key",
             Write("key", set.server.private_key_pem), "--client-ca", Write("ca", set.ca_pem),
             "--api-key-file", Write("keys", "# ours\n  secret-key-1  \n\nsecret-key-2\n"),
             "--journal", journal});
  EXPECT_EQ(life->ready["tls"], true);
  wire::TlsClientOptions tls;
  tls.ca_pem = set.ca_pem;
  tls.server_name = "localhost";
  tls.identity = set.client;
  EXPECT_EQ(GetSystemInfo(life->port(), tls), 16);
  SocketClient client(life->port(), tls);
  int code = -1;
  client.grpc().StartCall({.service = std::string(kWorkflowService),
                           .method = "GetSystemInfo",
                           .metadata = {{"authorization", "Bearer secret-key-2"}}},
                          [&](const wire::GrpcResponse& r) { code = r.status.code; });
  EXPECT_TRUE(client.Until([&] { return code >= 0; }));
  EXPECT_EQ(code, 0);
  Stop(*life);
  EXPECT_EQ(life->exit->code, 0);

  const auto events = journal::ReadFile(journal);
  ASSERT_OK(events);
  ASSERT_FALSE(events->empty());
  EXPECT_EQ(events->front().what(), "listening");
  EXPECT_EQ(events->front().source, "server:cloud");
  std::ifstream in(journal);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, Not(HasSubstr("secret-key")));
  EXPECT_THAT(text, HasSubstr("TLSv1.3 alpn=h2 sni=localhost client="));
}

// The program registers messages by name only when somebody looks for one
// (fakes/server/lazy_descriptors.cc).
TEST_F(SquallServerTest, KnowsEveryMessageByName) {
  const auto life = Serve({"--misbehaviour", Write("rules", R"({"rules": [
    {"match": {"method": "DescribeNamespace"},
     "do": {"status": {"code": "RESOURCE_EXHAUSTED", "message": "busy",
                       "details": [{"type": "temporal.api.errordetails.v1.ResourceExhaustedFailure",
                                    "fields": {"cause": "RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT"}}]}}},
    {"match": {"method": "GetSystemInfo"},
     "do": {"change_answer": {"fields": {"serverVersion": "9.9.9"}}}}]})")});
  SocketClient client(life->port());
  const auto info = client.Call(std::string(kWorkflowService), "GetSystemInfo", "");
  EXPECT_EQ(info.status.code, 0);
  EXPECT_THAT(info.message, HasSubstr("9.9.9"));
  const auto refused = client.Call(std::string(kWorkflowService), "DescribeNamespace", "");
  EXPECT_EQ(refused.status.code, 8);
  EXPECT_THAT(refused.status.details, HasSubstr("errordetails.v1.ResourceExhaustedFailure"));
}

// What protobuf says of them belongs to the server's journal: a client must not be able to write to
// its standard error.
TEST_F(SquallServerTest, BytesThatAreNoTextAreALineOfTheJournal) {
  const std::string journal = folder_.path() + "/garbage.jsonl";
  const auto life = Serve({"--name", "cloud", "--journal", journal});
  SocketClient client(life->port());
  const std::string ns = "\n\x02\xff\xfe";  // DescribeNamespaceRequest.namespace
  EXPECT_EQ(client.Call(std::string(kWorkflowService), "DescribeNamespace", ns).status.code, 13);
  Stop(*life);
  EXPECT_THAT(life->err, IsEmpty());
  const auto events = journal::ReadFile(journal);
  ASSERT_OK(events);
  std::vector<journal::LogEvent> logs;
  for (const journal::Event& event : *events) {
    if (const auto* log = event.As<journal::LogEvent>(); log != nullptr) logs.push_back(*log);
  }
  ASSERT_FALSE(logs.empty());
  for (const journal::LogEvent& log : logs) {
    EXPECT_EQ(log.process, "cloud");
    EXPECT_EQ(log.level, "ERROR");
    EXPECT_THAT(log.line, AllOf(StartsWith("protobuf: "), HasSubstr("namespace"),
                                HasSubstr("invalid UTF-8"), Not(HasSubstr("\n"))));
  }
}

TEST_F(SquallServerTest, DiesWithItsParentWhenToldTo) {
  // A shell is the parent; it alone is killed.
  const auto life = Launch({"/bin/sh", "-c", Binary() + " --die-with-parent & wait"});
  AwaitReadyOrEnd(*life);
  const std::int64_t pid = life->ready.value("pid", 0);
  ASSERT_NE(pid, 0);
  ASSERT_NE(pid, life->process->pid());
  const int fd = harness::OpenPidfd(pid);
  ASSERT_GE(fd, 0);
  ASSERT_OK(life->process->Signal(SIGKILL, Intent::kAsked));
  pollfd waiting = {.fd = fd, .events = POLLIN, .revents = 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(Scaled(2s)).count();
  EXPECT_EQ(::poll(&waiting, 1, static_cast<int>(limit)), 1) << "the server still runs";
  ::close(fd);
  Await([&] { return life->exit.has_value(); }, "the exit of the shell");
}

}  // namespace
}  // namespace squall::fakes
