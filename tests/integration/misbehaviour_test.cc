// Production core meets scripted misbehaviour of the fake server over real sockets.

#include <csignal>

#include "fakes/server/event_log.h"
#include "fakes/server/fake_server.h"
#include "tests/unit/core/core_fixture.h"

namespace squall::fakes {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace service = temporal::api::workflowservice::v1;

class CoreMeetsMisbehaviour : public core::CoreTest {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // core writes to connections that the server has closed
    CoreTest::SetUp();
  }

  void Serve(const std::string& rules) {
    FakeServerOptions options;
    options.record_events = true;
    auto read = wire::RulesFromJson("{\"rules\": [" + rules + "]}");
    ASSERT_OK(read);
    options.rules = *std::move(read);
    auto started = FakeServer::Start(std::move(options));
    ASSERT_OK(started);
    fake_ = *std::move(started);
  }

  core::ConnectionOptions Target() const {
    core::ConnectionOptions options;
    options.target_url = "http://" + fake_->address();
    options.identity = "core";
    return options;
  }

  static core::RpcCall StartCall() {
    service::StartWorkflowExecutionRequest start;
    start.set_namespace_("default");
    start.set_workflow_id("w");
    start.set_request_id("r");
    start.mutable_workflow_type()->set_name("Ping");
    start.mutable_task_queue()->set_name("q");
    core::RpcCall call;
    call.method = "StartWorkflowExecution";
    call.request = start.SerializeAsString();
    call.retry = true;
    return call;
  }

  std::size_t Hits(const std::string& rule) {
    return fake_->events()
        .Read({.kind = "fault", .what = "hit", .method = {}, .fault_id = rule})
        .events.size();
  }
  std::size_t OpenWorkflows() {
    std::size_t open = 0;
    fake_->WithEngine([&](Engine& engine, Moment) { open = engine.open_workflows(); });
    return open;
  }

  std::unique_ptr<FakeServer> fake_;
};

TEST_F(CoreMeetsMisbehaviour, ALostAnswerIsAskedForAgainAndTheWorkflowStartedOnce) {
  Serve(R"({"id": "lost", "match": {"method": "StartWorkflowExecution", "number": 1},
            "do": {"lose_answer": {"error": "INTERNAL_ERROR"}}},
           {"id": "busy", "match": {"method": "StartWorkflowExecution", "number": 2},
            "do": {"status": {"code": "UNAVAILABLE", "message": "injected"}}})");
  const auto connection = Connect(Target());
  ASSERT_OK(connection);
  EXPECT_OK(Call(**connection, StartCall()));
  EXPECT_EQ(Hits("lost"), 1u);
  EXPECT_EQ(Hits("busy"), 1u);
  EXPECT_EQ(OpenWorkflows(), 1u);
}

TEST_F(CoreMeetsMisbehaviour, AGoawayThatRefusesTheCallIsSurvivedOnANewConnection) {
  Serve(R"({"id": "f", "match": {"method": "StartWorkflowExecution", "times": 1},
            "do": {"goaway": {"last_stream": "none", "close": true}}})");
  const auto connection = Connect(Target());
  ASSERT_OK(connection);
  EXPECT_OK(Call(**connection, StartCall()));
  EXPECT_EQ(Hits("f"), 1u);
  EXPECT_EQ(OpenWorkflows(), 1u);
  EXPECT_EQ(fake_->events()
                .Read({.kind = "connection", .what = "accepted", .method = {}, .fault_id = {}})
                .events.size(),
            2u);
}

TEST_F(CoreMeetsMisbehaviour, APageInsteadOfGrpcFailsTheConnectWithItsStatus) {
  Serve(
      R"({"id": "page", "match": {"method": "GetSystemInfo"}, "do": {"http_answer": {"status": 503}}})");
  const auto connection = Connect(Target());
  ASSERT_FALSE(connection.ok());
  EXPECT_THAT(std::string(Message(connection.status())), HasSubstr("503"));
  EXPECT_GE(Hits("page"), 1u);
}

TEST_F(CoreMeetsMisbehaviour, AMessageThatIsNoneIsAnErrorOfTheCall) {
  Serve(
      R"({"id": "bad", "match": {"method": "StartWorkflowExecution", "times": 1}, "do": "malformed"})");
  const auto connection = Connect(Target());
  ASSERT_OK(connection);
  core::RpcCall call = StartCall();
  call.retry = false;
  const auto answer = Call(**connection, call);
  // The bytes are handed through or refused, but never taken for a good answer.
  service::StartWorkflowExecutionResponse response;
  EXPECT_FALSE(answer.ok() && response.ParseFromString(*answer));
  EXPECT_EQ(Hits("bad"), 1u);
}

}  // namespace
}  // namespace squall::fakes
