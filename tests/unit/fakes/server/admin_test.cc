// The admin interface over real sockets, and the same through the library.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/server/event_log.h"
#include "fakes/server/fake_server.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/server/socket_client.h"

namespace squall::fakes {
namespace {

using nlohmann::json;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

// One request on a connection of its own; the answer's status and body.
std::pair<int, json> Http(int port, const std::string& method, const std::string& target,
                          const std::string& body = "", const std::string& more = "") {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}",
      method, target, body.size(), more, body);
  EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  int status = 0;
  std::sscanf(answer.c_str(), "HTTP/1.1 %d", &status);
  const std::size_t begin = answer.find("\r\n\r\n");
  return {status, begin == std::string::npos
                      ? json()
                      : json::parse(answer.substr(begin + 4), nullptr, false)};
}

class AdminTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FakeServerOptions options;
    options.admin_port = 0;
    auto started = FakeServer::Start(std::move(options));
    ASSERT_OK(started);
    server = *std::move(started);
  }
  std::pair<int, json> Ask(const std::string& method, const std::string& target,
                           const std::string& body = "") {
    return Http(server->admin_port(), method, target, body);
  }
  static wire::GrpcResponse GetSystemInfo(SocketClient& client) {
    return client.Call(std::string(kWorkflowService), "GetSystemInfo", "");
  }
  std::unique_ptr<FakeServer> server;
};

TEST_F(AdminTest, SetsListsAndLiftsRules) {
  SocketClient client(server->port());
  EXPECT_EQ(GetSystemInfo(client).status.code, 0);
  auto [status, body] = Ask("POST", "/v1/rules",
                            R"({"rules": [{"id": "f", "match": {"method": "GetSystemInfo"},
                                "do": {"status": {"code": "UNAVAILABLE"}}}]})");
  EXPECT_EQ(status, 200) << body;
  EXPECT_EQ(body, json({{"ids", {"f"}}}));
  EXPECT_EQ(GetSystemInfo(client).status.code, 14);
  std::tie(status, body) = Ask("GET", "/v1/rules");
  EXPECT_EQ(body["rules"][0]["do"]["status"]["code"], "UNAVAILABLE");
  EXPECT_EQ(body["rules"][0]["state"], json({{"matched", 1}, {"chosen", 1}, {"hits", 1}}));
  EXPECT_EQ(Ask("POST", "/v1/rules", R"({"rules": [{"id": "f", "do": "hang"}]})").first, 409);
  EXPECT_EQ(Ask("DELETE", "/v1/rules/g").first, 404);
  EXPECT_EQ(Ask("DELETE", "/v1/rules/f").second, json({{"lifted", {"f"}}}));
  EXPECT_EQ(GetSystemInfo(client).status.code, 0);
}

TEST_F(AdminTest, TellsWhatIsWrong) {
  const auto [status, body] =
      Ask("POST", "/v1/rules", R"({"rules": [{"match": {"metod": "x"}, "do": "hang"}]})");
  EXPECT_EQ(status, 400);
  EXPECT_EQ(body["error"], "rules[0].match.metod: unknown key (did you mean 'method'?)");
  EXPECT_EQ(Ask("GET", "/v1/nothing").first, 404);
  EXPECT_EQ(Ask("POST", "/v1/counters").first, 405);
  EXPECT_EQ(Ask("GET", "/v1/events?kind=rcp").second["error"],
            "kind: there is none called 'rcp' (did you mean 'rpc'?)");
  EXPECT_EQ(Ask("GET", "/v1/events?knd=rpc").second["error"],
            "knd: unknown parameter (did you mean 'kind'?)");
  EXPECT_EQ(Http(server->admin_port(), "GET", "/v1", "", "Origin: http://evil\r\n").first, 403);
}

TEST_F(AdminTest, EventsAreWaitedForAndGatesReleased) {
  ASSERT_EQ(Ask("POST", "/v1/rules", R"({"rules": [{"id": "f", "match": {"method": "GetSystemInfo"},
                                         "do": {"hold": {"gate": "g"}}}]})")
                .first,
            200);
  const std::uint64_t cursor = Ask("GET", "/v1").second["cursor"];
  std::pair<int, json> seen;
  std::thread watcher([&] {
    seen = Ask("GET",
               fmt::format("/v1/events?after={}&fault_id=f&kind=fault&what=hit&wait=30", cursor));
  });
  SocketClient client(server->port());
  const auto call = client.Begin(std::string(kWorkflowService), "GetSystemInfo", "");
  client.Send();
  watcher.join();
  ASSERT_EQ(seen.first, 200);
  ASSERT_EQ(seen.second["events"].size(), 1u) << seen.second;
  EXPECT_EQ(seen.second["events"][0]["fault"], "hold");
  EXPECT_EQ(Ask("GET", "/v1/gates").second, json({{"gates", {{"g", 1}}}}));
  EXPECT_EQ(Ask("POST", "/v1/gates/h/release").first, 404);
  EXPECT_EQ(Ask("POST", "/v1/gates/g/release").second, json({{"released", 1}}));
  EXPECT_TRUE(client.Until([&] { return call->done; }));
  EXPECT_EQ(call->response.status.code, 0);
  const json after =
      Ask("GET", fmt::format("/v1/events?after={}&method=GetSystemInfo&what=answered",
                             seen.second["next"].get<std::uint64_t>()))
          .second;
  EXPECT_EQ(after["events"][0]["fault_id"], "f");
  EXPECT_EQ(after["lost"], 0);
  EXPECT_EQ(Ask("GET", "/v1/events?kind=worker&wait=1").second["events"], json::array());
}

TEST_F(AdminTest, CountersAndConnections) {
  SocketClient client(server->port());
  EXPECT_EQ(GetSystemInfo(client).status.code, 0);
  const json counters = Ask("GET", "/v1/counters").second;
  EXPECT_EQ(counters["connections"], 1);
  EXPECT_EQ(counters["events"]["rpc answered GetSystemInfo OK"], 1);
  const json connections = Ask("GET", "/v1/connections").second["connections"];
  ASSERT_EQ(connections.size(), 1u);
  EXPECT_EQ(connections[0]["listener"], "temporal");
  EXPECT_GT(connections[0]["bytes_up"], 100);
}

TEST_F(AdminTest, TheLibraryDoesTheSame) {
  auto rules = wire::RulesFromJson(
      R"({"rules": [{"match": {"number": 1}, "do": {"hold": {"gate": "g"}}}]})");
  ASSERT_OK(rules);
  const auto ids = server->SetRules(*rules);
  ASSERT_OK(ids);
  SocketClient client(server->port());
  const auto call = client.Begin(std::string(kWorkflowService), "GetSystemInfo", "");
  client.Send();
  const EventLog::Page page = server->events().Await(
      {.kind = "fault", .what = "hit", .method = {}, .fault_id = ids->front()}, 0, Scaled(10s));
  ASSERT_EQ(page.events.size(), 1u);
  EXPECT_EQ(server->Gates().at("g"), 1u);
  EXPECT_EQ(server->Release("g"), 1u);
  EXPECT_TRUE(client.Until([&] { return call->done; }));
  EXPECT_EQ(server->Rules()[0].hits, 1u);
  EXPECT_TRUE(server->LiftRule(ids->front()));
  EXPECT_EQ(server->Snapshot().size(), 1u);
}

class AdminTimeTest : public AdminTest {
 protected:
  void SetUp() override {
    FakeServerOptions options;
    options.admin_port = 0;
    options.time = TimeMode::kManual;
    auto started = FakeServer::Start(std::move(options));
    ASSERT_OK(started);
    server = *std::move(started);
  }
};

TEST_F(AdminTimeTest, IsMovedAheadByHand) {
  const json before = Ask("GET", "/v1/time").second;
  EXPECT_EQ(before["mode"], "manual");
  EXPECT_EQ(before["ahead_ms"], 0);
  EXPECT_EQ(before["next_in_ms"], json());
  EXPECT_EQ(Ask("POST", "/v1/time/advance?to=next").first, 409);

  // A poll that nobody serves is answered after a minute.
  temporal::api::workflowservice::v1::PollWorkflowTaskQueueRequest poll;
  poll.set_namespace_("default");
  poll.mutable_task_queue()->set_name("q");
  SocketClient client(server->port());
  const auto call = client.Begin(std::string(kWorkflowService), "PollWorkflowTaskQueue",
                                 poll.SerializeAsString());
  client.Send();
  ASSERT_EQ(server->events()
                .Await({.kind = "rpc",
                        .what = "received",
                        .method = "PollWorkflowTaskQueue",
                        .fault_id = {}},
                       0, Scaled(10s))
                .events.size(),
            1u);
  EXPECT_EQ(Ask("GET", "/v1/time").second["next_in_ms"], 60000);
  auto [status, moved] = Ask("POST", "/v1/time/advance?by=59s500ms");
  EXPECT_EQ(status, 200) << moved;
  EXPECT_EQ(moved["advanced_ms"], 59500);
  EXPECT_EQ(moved["next_in_ms"], 500);
  EXPECT_FALSE(call->done);
  std::tie(status, moved) = Ask("POST", "/v1/time/advance?to=next");
  EXPECT_EQ(moved["advanced_ms"], 500);
  EXPECT_EQ(moved["ahead_ms"], 60000);
  EXPECT_TRUE(client.Until([&] { return call->done; }));
  EXPECT_EQ(call->response.status.code, 0);
}

TEST_F(AdminTimeTest, SaysWhatIsWrong) {
  const std::string either = "either by=DURATION (90s, 1h30m) or to=next";
  EXPECT_EQ(Ask("POST", "/v1/time/advance").second["error"], either);
  EXPECT_EQ(Ask("POST", "/v1/time/advance?by=1s&to=next").second["error"], either);
  EXPECT_EQ(Ask("POST", "/v1/time/advance?to=noon").second["error"], either);
  EXPECT_EQ(Ask("POST", "/v1/time/advance?by=90").second["error"],
            "by: '90' is no duration (90s, 1h30m)");
  EXPECT_EQ(Ask("POST", "/v1/time/advance?by=-1s").first, 400);
  EXPECT_EQ(Ask("POST", "/v1/time/advance?by=876001h").first, 400);
  EXPECT_EQ(Ask("POST", "/v1/time/advance?far=1s").second["error"], "far: unknown parameter");
  EXPECT_EQ(Ask("GET", "/v1/time/advance").first, 405);
  EXPECT_EQ(Ask("POST", "/v1/time").first, 405);
  EXPECT_EQ(Ask("GET", "/v1/time").second["ahead_ms"], 0);
}

TEST_F(AdminTest, MovesRealTimeToo) {
  EXPECT_EQ(Ask("GET", "/v1/time").second["mode"], "real");
  EXPECT_EQ(Ask("POST", "/v1/time/advance?by=1h").second["ahead_ms"], 3600000);
}

TEST(FakeServerListeners, HaveTheirOwnPorts) {
  FakeServerOptions options;
  options.listeners.push_back({.name = "second", .port = 0, .tls = {}});
  auto rules =
      wire::RulesFromJson(R"({"rules": [{"match": {"listener": "second"}, "do": "reset"}]})");
  ASSERT_OK(rules);
  options.rules = *rules;
  const auto server = FakeServer::Start(std::move(options));
  ASSERT_OK(server);
  SocketClient first((*server)->port());
  SocketClient second((*server)->port(1));
  EXPECT_EQ(first.Call(std::string(kWorkflowService), "GetSystemInfo", "").status.code, 0);
  EXPECT_EQ(second.Call(std::string(kWorkflowService), "GetSystemInfo", "").status.code, 14);
  FakeServerOptions wrong;
  wrong.rules = *wire::RulesFromJson(R"({"rules": [{"match": {"method": "Pol"}, "do": "hang"}]})");
  EXPECT_THAT(FakeServer::Start(std::move(wrong)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("rules[0]")));
}

}  // namespace
}  // namespace squall::fakes
