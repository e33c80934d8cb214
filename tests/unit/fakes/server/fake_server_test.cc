#include "fakes/server/fake_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;
using ::squall::testing::kNotFound;
using ::squall::testing::kUnavailable;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kService(kWorkflowService);

std::unique_ptr<FakeServer> MustStart(FakeServerOptions options = {}) {
  auto server = FakeServer::Start(std::move(options));
  EXPECT_OK(server);
  return *std::move(server);
}

int GetSystemInfo(SocketClient& client) {
  return client.Call(kService, "GetSystemInfo", "").status.code;
}

std::string PollRequest(const std::string& queue) {
  workflowservice::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  return request.SerializeAsString();
}

std::string StartRequest(const std::string& queue, const std::string& id,
                         const std::string& input = "1") {
  workflowservice::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(id);
  request.set_request_id(id);
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name(queue);
  request.mutable_input()->add_payloads()->set_data(input);
  return request.SerializeAsString();
}

std::string HistoryRequest(const std::string& id) {
  workflowservice::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(id);
  return request.SerializeAsString();
}

TEST(FakeServer, ServesOnAPortOfItsOwn) {
  const auto first = MustStart();
  const auto second = MustStart();
  EXPECT_GT(first->port(), 0);
  EXPECT_NE(first->port(), second->port());
  EXPECT_EQ(first->address(), fmt::format("127.0.0.1:{}", first->port()));
  SocketClient client(first->port());
  EXPECT_EQ(GetSystemInfo(client), 0);
  EXPECT_EQ(first->connections(), 1u);
  EXPECT_EQ(second->connections(), 0u);
}

TEST(FakeServer, RefusesATakenPort) {
  const auto first = MustStart();
  FakeServerOptions options;
  options.port = first->port();
  EXPECT_THAT(FakeServer::Start(options).status(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("Address already in use")));
}

TEST(FakeServer, WaitsForAPortWhenToldTo) {
  auto first = MustStart();
  FakeServerOptions options;
  options.port = first->port();
  options.port_patience = Scaled(10s);
  StatusOr<std::unique_ptr<FakeServer>> second = Status(StatusCode::kUnknown, "not started");
  std::thread starter([&] { second = FakeServer::Start(options); });
  first.reset();
  starter.join();
  ASSERT_OK(second);
  SocketClient client((*second)->port());
  EXPECT_EQ(GetSystemInfo(client), 0);
}

TEST(FakeServer, ServesTlsAndMutualTls) {
  Rng rng(3);
  const wire::CertificateSet set = wire::MintCatalogue(RealClock().WallNow(), rng);
  FakeServerOptions options;
  options.tls.emplace();
  options.tls->identity = set.server;
  options.tls->client_ca_pem = set.ca_pem;
  options.tls->require_client_certificate = true;
  const auto server = MustStart(options);
  wire::TlsClientOptions tls;
  tls.ca_pem = set.ca_pem;
  tls.server_name = "localhost";
  SocketClient without(server->port(), tls);
  EXPECT_EQ(GetSystemInfo(without), kUnavailable);
  tls.identity = set.client;
  SocketClient with(server->port(), tls);
  EXPECT_EQ(GetSystemInfo(with), 0);
  SocketClient plaintext(server->port());
  EXPECT_EQ(GetSystemInfo(plaintext), kUnavailable);

  options.tls->identity.private_key_pem = "nonsense";
  EXPECT_THAT(FakeServer::Start(options).status(), StatusIs(StatusCode::kInvalidArgument, _));
}

TEST(FakeServer, AnswersALongPollFromAnotherConnectionAndByTime) {
  FakeServerOptions options;
  options.engine.long_poll = 30ms;
  const auto quick = MustStart(options);
  SocketClient empty(quick->port());
  const wire::GrpcResponse nothing =
      empty.Call(kService, "PollWorkflowTaskQueue", PollRequest("q"));
  EXPECT_EQ(nothing.status.code, 0);
  EXPECT_EQ(nothing.message, "");

  const auto server = MustStart();
  SocketClient worker(server->port());
  const auto poll = worker.Begin(kService, "PollWorkflowTaskQueue", PollRequest("q"));
  SocketClient starter(server->port());
  worker.Send();
  EXPECT_EQ(starter.Call(kService, "StartWorkflowExecution", StartRequest("q", "w")).status.code,
            0);
  ASSERT_TRUE(worker.Until([&] { return poll->done; }));
  workflowservice::PollWorkflowTaskQueueResponse task;
  ASSERT_TRUE(task.ParseFromString(poll->response.message));
  EXPECT_EQ(task.workflow_execution().workflow_id(), "w");
}

TEST(FakeServer, WithEngineActsBetweenRequestsAndItsAnswersAreSent) {
  const auto server = MustStart();
  SocketClient client(server->port());
  const auto poll = client.Begin(kService, "PollWorkflowTaskQueue", PollRequest("q"));
  const auto held = [&] {
    std::size_t calls = 0;
    server->WithEngine([&](Engine& engine, Moment) { calls = engine.held_calls(); });
    return calls;
  };
  client.Send();
  // Another answer on the same connection: what was sent before it has been read.
  EXPECT_EQ(GetSystemInfo(client), 0);
  EXPECT_EQ(held(), 1u);
  server->WithEngine([](Engine& engine, Moment now) {
    engine.Call(now, FakeServer::kOwnCalls,
                {.service = kService,
                 .method = "StartWorkflowExecution",
                 .message = StartRequest("q", "inside")});
  });
  ASSERT_TRUE(client.Until([&] { return poll->done; }));
  EXPECT_THAT(poll->response.message, HasSubstr("inside"));
  EXPECT_EQ(held(), 0u);
}

TEST(FakeServer, SuspendAndResumeAreAServerThatDiesAndComesBack) {
  RealClock clock;
  journal::Journal journal(clock);
  FakeServerOptions options;
  options.journal = &journal;
  const auto server = MustStart(options);
  const int port = server->port();
  SocketClient before(port);
  EXPECT_EQ(before.Call(kService, "StartWorkflowExecution", StartRequest("q", "w")).status.code, 0);
  const auto poll = before.Begin(kService, "PollWorkflowTaskQueue", PollRequest("other"));
  before.Send();

  ASSERT_OK(server->Suspend());
  ASSERT_OK(server->Suspend());
  EXPECT_TRUE(server->suspended());
  EXPECT_TRUE(before.Until([&] { return poll->done; }));
  EXPECT_EQ(poll->response.status.code, kUnavailable);
  EXPECT_FALSE(before.grpc().going_away());
  EXPECT_EQ(SocketClient(port).connect_errno(), ECONNREFUSED);
  EXPECT_EQ(server->connections(), 0u);

  ASSERT_OK(server->Resume());
  ASSERT_OK(server->Resume());
  EXPECT_FALSE(server->suspended());
  EXPECT_EQ(server->port(), port);
  SocketClient after(port);
  EXPECT_EQ(after.Call(kService, "GetWorkflowExecutionHistory", HistoryRequest("w")).status.code,
            0);

  ASSERT_OK(server->Suspend());
  ASSERT_OK(server->Resume(/*keep_data=*/false));
  SocketClient empty(port);
  EXPECT_EQ(empty.Call(kService, "GetWorkflowExecutionHistory", HistoryRequest("w")).status.code,
            kNotFound);
  int listening = 0;
  for (const journal::Event& event : journal.Events()) {
    if (event.what() == "listening") ++listening;
  }
  EXPECT_EQ(listening, 3);
}

TEST(FakeServer, KeepsItsPortWhileSuspended) {
  const auto server = MustStart();
  ASSERT_OK(server->Suspend());
  // Nobody is given the port meanwhile, neither by asking for it nor as the source of a connection.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  ::close(fd);
  EXPECT_OK(server->Resume());
}

TEST(FakeServer, ResumesWhileClientsHammerItsPort) {
  const auto server = MustStart();
  const int port = server->port();
  std::atomic<bool> stop = false;
  std::thread hammer([&] {
    // Each refused connect draws a source port; one of them would be ours if nobody held it.
    while (!stop) SocketClient client(port);
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(server->Suspend());
    ASSERT_OK(server->Resume());
  }
  stop = true;
  hammer.join();
  SocketClient client(port);
  EXPECT_EQ(GetSystemInfo(client), 0);
}

TEST(FakeServer, LargeMessagesPassInBothDirectionsEvenToASlowReader) {
  const auto server = MustStart();
  SocketClient client(server->port());
  const std::string input(1500000, 'x');
  ASSERT_EQ(
      client.Call(kService, "StartWorkflowExecution", StartRequest("q", "w", input)).status.code,
      0);
  // Eight answers, none of them read until all are asked for: more than socket buffers hold.
  std::vector<std::shared_ptr<SocketClient::Result>> results;
  for (int i = 0; i < 8; ++i) {
    results.push_back(client.Begin(kService, "GetWorkflowExecutionHistory", HistoryRequest("w")));
  }
  client.Send();
  SocketClient other(server->port());
  EXPECT_EQ(GetSystemInfo(other), 0);
  for (const auto& result : results) {
    ASSERT_TRUE(client.Until([&] { return result->done; }));
    EXPECT_EQ(result->response.status.code, 0);
    EXPECT_GT(result->response.message.size(), input.size());
  }
  const wire::GrpcResponse refused = client.Call(kService, "StartWorkflowExecution",
                                                 StartRequest("q", "v", std::string(5 << 20, 'x')));
  EXPECT_EQ(refused.status.code, 8);
}

TEST(FakeServer, ManyConnectionsComeAndGo) {
  const auto server = MustStart();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<SocketClient>> clients;
    for (int i = 0; i < 100; ++i) {
      clients.push_back(std::make_unique<SocketClient>(server->port()));
      clients.back()->Begin(kService, "PollWorkflowTaskQueue", PollRequest("q"));
      clients.back()->Send();
    }
    for (const auto& client : clients) EXPECT_EQ(GetSystemInfo(*client), 0);
    EXPECT_EQ(server->connections(), 100u);
    clients.clear();
    // The server learns of the ends in its own time; each answer to a new client is a chance to
    // have learnt.
    SocketClient last(server->port());
    ASSERT_TRUE(last.Until([&] { return GetSystemInfo(last) == 0 && server->connections() == 1; }));
    std::size_t held = 99;
    server->WithEngine([&](Engine& engine, Moment) { held = engine.held_calls(); });
    EXPECT_EQ(held, 0u);
  }
}

TEST(FakeServer, DrainAndShutdownTellTheClients) {
  auto server = MustStart();
  SocketClient client(server->port());
  const auto poll = client.Begin(kService, "PollWorkflowTaskQueue", PollRequest("q"));
  EXPECT_EQ(GetSystemInfo(client), 0);
  server->Drain();
  EXPECT_TRUE(client.Until([&] { return client.grpc().going_away(); }));
  EXPECT_FALSE(poll->done);
  SocketClient next(server->port());
  EXPECT_EQ(GetSystemInfo(next), 0);
  server->Shutdown();
  EXPECT_TRUE(next.Until([&] { return next.ended(); }));
  EXPECT_TRUE(next.grpc().going_away());
  EXPECT_TRUE(client.Until([&] { return poll->done; }));
  EXPECT_EQ(SocketClient(server->port()).connect_errno(), ECONNREFUSED);
}

TEST(FakeServer, StopsAtOnceWithPollsOpen) {
  RealClock clock;
  auto server = MustStart();
  SocketClient client(server->port());
  const auto poll = client.Begin(kService, "PollWorkflowTaskQueue", PollRequest("q"));
  EXPECT_EQ(GetSystemInfo(client), 0);
  const SteadyTime before = clock.Now();
  server.reset();
  EXPECT_LT(clock.Now() - before, Scaled(500ms));
  EXPECT_TRUE(client.Until([&] { return poll->done; }));
}

TEST(FakeServer, NoDescriptorIsInheritedByChildren) {
  const auto server = MustStart();
  SocketClient client(server->port());
  EXPECT_EQ(GetSystemInfo(client), 0);
  int sockets = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    struct stat info = {};
    if (::fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) continue;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_INET) continue;
    ++sockets;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << fd;
  }
  EXPECT_GE(sockets,
            4);  // the listener, the one that holds its port, and both ends of a connection
}

}  // namespace
}  // namespace squall::fakes
