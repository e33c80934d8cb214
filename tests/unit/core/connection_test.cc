#include "core/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/core/core_fixture.h"

namespace squall::core {
namespace {

using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// A socket on a port of the loopback that the kernel chose.
class BoundSocket {
 public:
  BoundSocket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    SQUALL_CHECK(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    SQUALL_CHECK(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    port_ = ntohs(address.sin_port);
  }
  ~BoundSocket() { close(fd_); }
  BoundSocket(const BoundSocket&) = delete;
  BoundSocket& operator=(const BoundSocket&) = delete;

  // From now on the kernel accepts connections, and nobody says a word on them.
  void ListenAndBeSilent() { SQUALL_CHECK(listen(fd_, 16) == 0, "listen"); }
  int port() const { return port_; }

 private:
  int fd_;
  int port_ = 0;
};

// A port that nobody listens on: it was ours a moment ago.
int ClosedPort() { return BoundSocket().port(); }

class ConnectionTest : public CoreTest {};

TEST_F(ConnectionTest, RefusedPortGivesCoresWholeText) {
  ConnectionOptions options;
  const int port = ClosedPort();
  options.target_url = fmt::format("http://127.0.0.1:{}", port);
  const auto result = Connect(options);
  // As the Python SDK prints it: row "1 refused" of the measured errors.
  EXPECT_THAT(result, StatusIs(StatusCode::kUnavailable,
                               fmt::format("Server connection error: tonic::transport::Error(Transport, ConnectError("
                                           "ConnectError(\"tcp connect error\", 127.0.0.1:{}, Os {{ code: 111, kind: "
                                           "ConnectionRefused, message: \"Connection refused\" }})))",
                                           port)));
}

TEST_F(ConnectionTest, FailureOfGetSystemInfoKeepsItsCode) {
  server_.On("GetSystemInfo", [](const RpcRequestView&, const RpcReply& reply) {
    reply.Fail(Status(StatusCode::kPermissionDenied, "who are you"), "bytes");
  });
  const auto result = Connect(InProcess());
  EXPECT_THAT(result, StatusIs(StatusCode::kPermissionDenied,
                               AllOf(StartsWith("`get_system_info` call error after connection: Status {"),
                                     HasSubstr("who are you"))));
  EXPECT_EQ(StatusDetails(result.status()), "bytes");
}

TEST_F(ConnectionTest, AServerWithoutGetSystemInfoIsFineAndItCanBeSkipped) {
  server_.On("GetSystemInfo", [](const RpcRequestView&, const RpcReply& reply) {
    reply.Fail(Status(StatusCode::kUnimplemented, "unknown method GetSystemInfo"));
  });
  EXPECT_OK(Connect(InProcess()));
  EXPECT_EQ(server_.calls("GetSystemInfo"), 1);
  ConnectionOptions options = InProcess();
  options.skip_get_system_info = true;
  EXPECT_OK(Connect(options));
  EXPECT_EQ(server_.calls("GetSystemInfo"), 1);
}

TEST_F(ConnectionTest, WrongOptionsAreInvalidArguments) {
  ConnectionOptions options;
  options.target_url = "localhost:7233";
  EXPECT_THAT(Connect(options), StatusIs(StatusCode::kInvalidArgument, HasSubstr("must start with http:// or https://")));
  options.target_url = "http://[::1";
  EXPECT_THAT(Connect(options), StatusIs(StatusCode::kInvalidArgument, HasSubstr("target URL 'http://[::1'")));

  options = InProcess();
  options.headers = {{"white space", "x"}};
  EXPECT_THAT(Connect(options), StatusIs(StatusCode::kInvalidArgument, StartsWith("Invalid headers: ")));

  options = InProcess();
  options.dns_load_balancing = std::chrono::seconds(30);
  EXPECT_THAT(Connect(options),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("dns_load_balancing cannot be used with service_override")));

  options = {};
  options.tls.emplace().certificate_pem = "only half";
  EXPECT_THAT(Connect(options), StatusIs(StatusCode::kInvalidArgument, HasSubstr("needs its key")));
}

TEST_F(ConnectionTest, AnUnreadableCertificateIsNamed) {
  ConnectionOptions options;
  options.target_url = fmt::format("https://127.0.0.1:{}", ClosedPort());
  options.tls.emplace().certificate_pem = "no PEM";
  options.tls->key_pem = "no PEM either";
  const auto result = Connect(options);
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(std::string(Message(result.status())), HasSubstr("Server connection error: "));
}

TEST_F(ConnectionTest, TheDefaultIdentityIsPidAtHost) {
  ConnectionOptions options = InProcess();
  options.identity.clear();
  auto connection = Connect(options);
  ASSERT_OK(connection);
  EXPECT_THAT((*connection)->identity(), MatchesRegex(fmt::format("{}@.+", getpid())));
}

TEST_F(ConnectionTest, AnAttemptCanBeCancelled) {
  server_.Hold("GetSystemInfo");
  std::optional<Status> result;
  CallHandle attempt = Connection::Connect(
      runtime_, InProcess(), executor_,
      [&](const StatusOr<std::shared_ptr<Connection>>& given) { result = given.status(); });
  ASSERT_TRUE(RunUntil([&] { return server_.held("GetSystemInfo") == 1; }));
  attempt.Cancel();
  ASSERT_TRUE(RunUntil([&] { return result.has_value(); }));
  EXPECT_THAT(*result, StatusIs(StatusCode::kCancelled, "the call was cancelled"));
}

TEST_F(ConnectionTest, AnAttemptEndsWithTheRuntime) {
  server_.Hold("GetSystemInfo");
  std::optional<Status> result;
  Connection::Connect(runtime_, InProcess(), executor_,
                      [&](const StatusOr<std::shared_ptr<Connection>>& given) { result = given.status(); });
  ASSERT_TRUE(RunUntil([&] { return server_.held("GetSystemInfo") == 1; }));
  runtime_.reset();
  executor_.RunReady();
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(*result, StatusIs(StatusCode::kCancelled, "the runtime is shut down"));
}

TEST_F(ConnectionTest, ASilentTlsPeerHoldsUpNeitherCancelNorTheRuntime) {
  // X1 of the incidents: no time-out of core covers the TLS handshake, so only these two end the attempt.
  BoundSocket silent;
  silent.ListenAndBeSilent();
  ConnectionOptions options;
  options.target_url = fmt::format("https://127.0.0.1:{}", silent.port());
  options.dns_load_balancing.reset();
  std::vector<Status> results;
  const auto keep = [&](const StatusOr<std::shared_ptr<Connection>>& given) { results.push_back(given.status()); };
  CallHandle first = Connection::Connect(runtime_, options, executor_, keep);
  Connection::Connect(runtime_, options, executor_, keep);
  EXPECT_FALSE(executor_.WaitForPost(std::chrono::milliseconds(100)));
  first.Cancel();
  ASSERT_TRUE(RunUntil([&] { return results.size() == 1; }));
  EXPECT_THAT(results[0], StatusIs(StatusCode::kCancelled, "the call was cancelled"));

  const SteadyTime before = real_.Now();
  runtime_.reset();
  EXPECT_LT(real_.Now() - before, Scaled(std::chrono::seconds(1)));
  executor_.RunReady();
  ASSERT_EQ(results.size(), 2U);
  EXPECT_THAT(results[1], StatusIs(StatusCode::kCancelled, "the runtime is shut down"));
}

TEST_F(ConnectionTest, ConnectTimeoutBoundsTheConnectButNotTheHandshakeOfHttp2) {
  BoundSocket silent;
  silent.ListenAndBeSilent();
  ConnectionOptions options;
  options.target_url = fmt::format("http://127.0.0.1:{}", silent.port());
  options.connect_timeout = std::chrono::milliseconds(50);
  std::optional<Status> result;
  // The kernel accepts at once; what waits is GetSystemInfo, for its 30 s.
  CallHandle attempt = Connection::Connect(
      runtime_, options, executor_,
      [&](const StatusOr<std::shared_ptr<Connection>>& given) { result = given.status(); });
  EXPECT_FALSE(executor_.WaitForPost(std::chrono::milliseconds(200)));
  attempt.Cancel();
  ASSERT_TRUE(RunUntil([&] { return result.has_value(); }));
  EXPECT_THAT(*result, StatusIs(StatusCode::kCancelled, "the call was cancelled"));
}

}  // namespace
}  // namespace squall::core
