#include "harness/net/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

// A listening socket of a program that sets SO_REUSEADDR or not; -1 when the port cannot be had.
class Listener {
 public:
  Listener(std::uint16_t port, bool reuse) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    if (reuse) ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok_ = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
          ::listen(fd_, 8) == 0;
  }
  ~Listener() { ::close(fd_); }
  bool ok() const { return ok_; }

 private:
  int fd_;
  bool ok_ = false;
};

TEST(ParseHostPortTest, TakesNamesAddressesAndBrackets) {
  for (const char* text : {"127.0.0.1:7233", "temporal.example.com:443", "localhost:1"}) {
    const StatusOr<HostPort> parsed = ParseHostPort(text);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->ToString(), text);
  }
  const StatusOr<HostPort> six = ParseHostPort("[::1]:65535");
  ASSERT_OK(six);
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->port, 65535);
}

TEST(ParseHostPortTest, SaysWhatIsWrong) {
  for (const auto& [text, why] :
       {std::pair{"localhost", "no port"}, std::pair{":7233", "no host"},
        std::pair{"a:0", "1 to 65535"}, std::pair{"a:65536", "1 to 65535"},
        std::pair{"a:72x", "1 to 65535"}, std::pair{"a:", "1 to 65535"},
        std::pair{"::1:7233", "brackets"}, std::pair{"http://a:7233", "scheme"}}) {
    EXPECT_THAT(ParseHostPort(text), StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)))
        << text;
  }
}

TEST(PortLeaseTest, NobodyElseIsGivenThePortAndAReusingProgramCanListenOnItAgainAndAgain) {
  StatusOr<PortLease> lease = PortLease::Take();
  ASSERT_OK(lease);
  EXPECT_FALSE(Listener(lease->port(), false).ok());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Listener(lease->port(), true).ok());
  std::set<std::uint16_t> others;
  std::vector<PortLease> held;
  for (int i = 0; i < 200; ++i) {
    StatusOr<PortLease> other = PortLease::Take();
    ASSERT_OK(other);
    EXPECT_TRUE(others.insert(other->port()).second);
    held.push_back(*std::move(other));
  }
  EXPECT_FALSE(others.contains(lease->port()));
  lease->Release();
  EXPECT_TRUE(Listener(lease->port(), false).ok());
}

class ConnectProbeTest : public ::squall::testing::HarnessLoop {};

TEST_F(ConnectProbeTest, SeesAListenerThatComesLater) {
  StatusOr<PortLease> lease = PortLease::Take();
  ASSERT_OK(lease);
  std::optional<Status> result;
  ConnectProbe probe(executor_, {"127.0.0.1", lease->port()}, Scaled(10s),
                     [&](Status status) { result = std::move(status); });
  std::unique_ptr<Listener> listener;
  executor_.After(30ms, [&] { listener = std::make_unique<Listener>(lease->port(), true); });
  Await([&] { return result.has_value(); }, "the probe");
  EXPECT_OK(*result);
  EXPECT_NE(listener, nullptr);
}

TEST_F(ConnectProbeTest, GivesUpWithTheLastError) {
  StatusOr<PortLease> lease = PortLease::Take();
  ASSERT_OK(lease);
  std::optional<Status> result;
  ConnectProbe probe(executor_, {"127.0.0.1", lease->port()}, 50ms,
                     [&](Status status) { result = std::move(status); });
  Await([&] { return result.has_value(); }, "the probe");
  EXPECT_THAT(*result, StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("Connection refused")));
}

TEST_F(ConnectProbeTest, SaysNothingOnceItIsDestroyed) {
  bool called = false;
  {
    ConnectProbe probe(executor_, {"127.0.0.1", 1}, Duration::zero(),
                       [&](const Status&) { called = true; });
  }
  Settle();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace squall::harness
