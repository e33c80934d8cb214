// The frame-aware proxy on sockets: TLS on either side, faults from the first byte on, ends, leaks.

#include "harness/net/grpc_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <filesystem>

#include "tests/faults_seen/bed.h"
#include "tests/faults_seen/clients.h"
#include "tests/support/status_matchers.h"

namespace squall::seen {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

Target TargetOf(const Bed& bed, Security security) {
  Target target{
      .address = bed.address(), .tls = security == Security::kTls, .ca_pem = {}, .identity = {}};
  if (target.tls) target.ca_pem = Certificates().ca_pem;
  return target;
}

class GrpcProxyTls : public ::testing::TestWithParam<std::pair<Security, Security>> {};

TEST_P(GrpcProxyTls, CallsPassWithTlsOnEitherSide) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto [client_side, server_side] = GetParam();
  Bed bed(client_side, server_side);
  ASSERT_OK(bed.status());
  for (const auto& client :
       {MakeGrpcppClient(TargetOf(bed, client_side)), MakeCoreClient(TargetOf(bed, client_side))}) {
    EXPECT_EQ(client->Call(0, Scaled(10s)), "OK");
    EXPECT_EQ(client->Call(1500000, Scaled(10s)), "OK");
  }
}

INSTANTIATE_TEST_SUITE_P(Sides, GrpcProxyTls,
                         ::testing::Values(std::pair{Security::kPlaintext, Security::kPlaintext},
                                           std::pair{Security::kPlaintext, Security::kTls},
                                           std::pair{Security::kTls, Security::kPlaintext},
                                           std::pair{Security::kTls, Security::kTls}));

std::uint16_t PortOf(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

// All that a connection gets for these bytes until it ends.
std::string Ask(asio::io_context& io, std::uint16_t port, std::string_view bytes) {
  tcp::socket socket(io);
  boost::system::error_code error, end;
  socket.connect({asio::ip::address_v4::loopback(), port}, error);
  if (!error) asio::write(socket, asio::buffer(bytes), error);
  std::string got;
  // An error is told once: a reset that connecting or writing met is not told again.
  asio::read(socket, asio::dynamic_buffer(got), end);
  if (!error && end != asio::error::eof) error = end;
  return got + (error ? "[" + error.message() + "]" : "");
}

// More where a proof asks for them (`make prove-faults-seen`).
int FromEnvironment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

TEST(GrpcProxy, ARuleIsInForceFromTheFirstByteOfEveryConnection) {
  Bed bed(Security::kPlaintext, Security::kPlaintext);
  ASSERT_OK(bed.status());
  ASSERT_OK(
      bed.SetRules(R"({"id": "f", "do": {"http_answer": {"status": 503, "version": "1.1"}}})"));
  asio::io_context io;
  int met = 0;
  const int connections = FromEnvironment("SQUALL_PROOF_CONNECTIONS", 300);
  for (int i = 0; i < connections; ++i) {
    if (Ask(io, PortOf(bed.address()), kPreface).starts_with("HTTP/1.1 503 Service Unavailable"))
      ++met;
  }
  EXPECT_EQ(met, connections);
  EXPECT_EQ(bed.Hits("f"), static_cast<std::uint64_t>(connections));
}

TEST(GrpcProxy, TellsWhatWasMetInTheJournal) {
  Bed bed(Security::kPlaintext, Security::kPlaintext);
  ASSERT_OK(bed.status());
  ASSERT_OK(bed.SetRules(R"({"id": "f", "do": {"status": {"code": "UNAVAILABLE"}}})"));
  const auto client = MakeGrpcppClient(TargetOf(bed, Security::kPlaintext));
  EXPECT_THAT(client->Call(0, Scaled(10s)), StartsWith("UNAVAILABLE"));
  bed.LiftRules();
  EXPECT_EQ(client->Call(0, Scaled(10s)), "OK");
  bool hit = false, attempt = false, established = false;
  for (const journal::Event& event : bed.Journal()) {
    EXPECT_EQ(event.source, "proxy:client->temporal");
    if (const auto* fault = event.As<journal::FaultEvent>()) {
      hit = fault->what == "hit" && fault->fault_id == "f" && fault->fault == "status" &&
            fault->target == "client->temporal" &&
            fault->detail == "GetSystemInfo on connection 1, stream 1";
    }
    if (const auto* connection = event.As<journal::ConnectionEvent>()) {
      attempt = attempt || connection->what == "attempt";
      established = established || connection->what == "established";
    }
  }
  EXPECT_TRUE(hit && attempt && established);
}

TEST(GrpcProxy, AServerThatIsNotThereResetsTheClientUntilItIsBack) {
  Bed bed(Security::kPlaintext, Security::kPlaintext);
  ASSERT_OK(bed.status());
  const auto client = MakeGrpcppClient(TargetOf(bed, Security::kPlaintext));
  EXPECT_EQ(client->Call(0, Scaled(10s)), "OK");
  ASSERT_OK(bed.server().Suspend());
  EXPECT_THAT(client->Call(0, Scaled(5s)), StartsWith("UNAVAILABLE"));
  asio::io_context io;
  EXPECT_EQ(Ask(io, PortOf(bed.address()), kPreface), "[Connection reset by peer]");
  ASSERT_OK(bed.server().Resume());
  std::string seen;
  const SteadyTime until = RealClock().Now() + Scaled(20s);
  while (seen != "OK" && RealClock().Now() < until) seen = client->Call(0, Scaled(2s));
  EXPECT_EQ(seen, "OK");
}

std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// Injected and healed again and again while a client calls: nothing is left behind.
TEST(GrpcProxy, InjectionsLeaveNothingBehind) {
  Bed bed(Security::kPlaintext, Security::kPlaintext);
  ASSERT_OK(bed.status());
  const auto client = MakeGrpcppClient(TargetOf(bed, Security::kPlaintext));
  ASSERT_EQ(client->Call(0, Scaled(10s)), "OK");
  const std::size_t before = OpenDescriptors();
  const char* rules[] = {
      R"({"id": "f", "do": {"status": {"code": "ABORTED"}}})",
      R"({"id": "f", "match": {"method": "*"}, "do": "reset"})",
      R"({"id": "f", "match": {"method": "*"}, "do": {"goaway": {"last_stream": "none", "close": true}}})",
      R"({"id": "f", "do": {"http_answer": {"status": 504}}})",
  };
  const int cycles = FromEnvironment("SQUALL_PROOF_CYCLES", 100);
  for (int i = 0; i < cycles; ++i) {
    ASSERT_OK(bed.SetRules(rules[i % std::size(rules)]));
    if (i % 10 == 0) {
      EXPECT_NE(client->Call(0, Scaled(5s)), "OK");
    }
    bed.LiftRules();
  }
  std::string seen;
  const SteadyTime until = RealClock().Now() + Scaled(20s);
  while (seen != "OK" && RealClock().Now() < until) seen = client->Call(0, Scaled(2s));
  EXPECT_EQ(seen, "OK");
  std::uint64_t open = 0;
  do {
    bed.OnLoop([&](harness::GrpcProxy& proxy) { open = proxy.counters().open; });
  } while (open > 1 && RealClock().Now() < until);
  EXPECT_EQ(open, 1u);
  EXPECT_LE(OpenDescriptors(), before + 2);
}

TEST(GrpcProxy, RefusesWhatCannotWork) {
  Bed bed(Security::kPlaintext, Security::kPlaintext);
  ASSERT_OK(bed.status());
  EXPECT_THAT(
      std::string(Message(bed.SetRules(R"({"match": {"method": "StartWorkflow"}, "do": "hang"})"))),
      HasSubstr("StartWorkflow"));
  ASSERT_OK(bed.SetRules(R"({"id": "f", "do": "hang"})"));
  EXPECT_EQ(bed.SetRules(R"({"id": "f", "do": "hang"})").code(), StatusCode::kAlreadyExists);
  Status first, again;
  bed.OnLoop([&](harness::GrpcProxy& proxy) {
    first = proxy.SetTlsMode("t", wire::TlsFault::kExpired);
    again = proxy.SetTlsMode("t", wire::TlsFault::kExpired);
  });
  EXPECT_OK(first);
  EXPECT_EQ(again.code(), StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace squall::seen
