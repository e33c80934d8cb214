// The front end under a script: the engine behind it, the journal beside it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/engine/engine.h"
#include "fakes/frontend/frontend.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/frontend/frontend_fixture.h"

namespace squall::fakes {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;
using ::squall::testing::kUnavailable;
using ::squall::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class FrontendMisbehaviourTest : public FrontendFixture {
 protected:
  static std::vector<wire::Rule> Rules(const std::string& rules) {
    auto read = wire::RulesFromJson("{\"rules\": [" + rules + "]}");
    EXPECT_OK(read);
    return read.value_or(std::vector<wire::Rule>());
  }
  void StartWith(const std::string& rules) {
    Start();
    ASSERT_OK(frontend->SetRules(clock.MomentNow(), Rules(rules)));
  }
  static workflowservice::StartWorkflowExecutionRequest Start1() {
    workflowservice::StartWorkflowExecutionRequest start;
    start.set_namespace_("default");
    start.set_workflow_id("w");
    start.set_request_id("r");
    start.set_identity("me");
    start.mutable_workflow_type()->set_name("Ping");
    start.mutable_task_queue()->set_name("q");
    return start;
  }
  // "what fault fault_id", "rpc what method fault_id", "connection what fault_id" of events that
  // carry a fault.
  std::vector<std::string> Faults() const {
    std::vector<std::string> lines;
    for (const journal::Event& event : journal->Events()) {
      if (const auto* fault = event.As<journal::FaultEvent>()) {
        lines.push_back(fmt::format("{} {} {}", fault->what, fault->fault, fault->fault_id));
      } else if (const auto* rpc = event.As<journal::RpcEvent>();
                 rpc != nullptr && !rpc->fault_id.empty()) {
        lines.push_back(fmt::format("rpc {} {} {}", rpc->what, rpc->method, rpc->fault_id));
      } else if (const auto* c = event.As<journal::ConnectionEvent>();
                 c != nullptr && !c->fault_id.empty()) {
        lines.push_back(fmt::format("connection {} {}", c->what, c->fault_id));
      }
    }
    return lines;
  }
};

TEST_F(FrontendMisbehaviourTest, AStatusForOneNamespaceAndItsTrace) {
  StartWith(R"({"id": "f", "match": {"namespace": "default", "identity": "me", "number": 1},
                "do": {"status": {"code": "UNAVAILABLE", "message": "injected",
                       "details": [{"type": "temporal.api.errordetails.v1.NamespaceNotFoundFailure",
                                    "fields": {"namespace": "default"}}]}}})");
  Peer& peer = Connect();
  EXPECT_EQ(GetSystemInfo(peer).status.code, 0);
  const wire::GrpcResponse refused = Call(peer, "StartWorkflowExecution", Start1());
  EXPECT_EQ(refused.status.code, kUnavailable);
  EXPECT_EQ(refused.status.message, "injected");
  EXPECT_THAT(
      refused.status.details,
      HasSubstr("type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure"));
  EXPECT_EQ(engine->open_workflows(), 0u);
  EXPECT_EQ(Call(peer, "StartWorkflowExecution", Start1()).status.code, 0);
  EXPECT_THAT(Faults(), ElementsAre("injected status f", "hit status f",
                                    "rpc received StartWorkflowExecution f",
                                    "rpc answered StartWorkflowExecution f"));
  EXPECT_TRUE(frontend->LiftRule(clock.MomentNow(), "f"));
  EXPECT_THAT(Faults(), Contains("healed status f"));
}

TEST_F(FrontendMisbehaviourTest, ALostAnswerWasHandled) {
  StartWith(R"({"id": "f", "match": {"method": "StartWorkflowExecution"}, "do": "lose_answer"})");
  Peer& peer = Connect();
  EXPECT_NE(Call(peer, "StartWorkflowExecution", Start1()).status.code, 0);
  EXPECT_EQ(engine->open_workflows(), 1u);
  EXPECT_EQ(frontend->open_calls(), 0u);
  EXPECT_THAT(Faults(), Contains("hit lose_answer f"));
}

TEST_F(FrontendMisbehaviourTest, WrongCapabilities) {
  StartWith(R"({"match": {"method": "GetSystemInfo"},
                "do": {"change_answer": {"fields": {"capabilities": {"upsert_memo": false, "nexus": true}}}}})");
  workflowservice::GetSystemInfoResponse info;
  ASSERT_TRUE(info.ParseFromString(GetSystemInfo(Connect()).message));
  EXPECT_FALSE(info.capabilities().upsert_memo());
  EXPECT_TRUE(info.capabilities().nexus());
  EXPECT_TRUE(info.capabilities().sdk_metadata());
}

TEST_F(FrontendMisbehaviourTest, ARuleThatCannotWorkIsRefusedWithItsPlace) {
  Start();
  EXPECT_THAT(frontend->SetRules(clock.MomentNow(), Rules(R"({"match": {"method": "GetSystemInfo"},
                "do": {"change_answer": {"fields": {"capabilitys": {}}}}})")),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("rules[0].do.change_answer.fields: capabilitys: "
                                 "GetSystemInfoResponse has no such field "
                                 "(did you mean 'capabilities'?)")));
  EXPECT_THAT(
      frontend->SetRules(clock.MomentNow(),
                         Rules(R"({"match": {"method": "PollWorkflowTask"}, "do": "hang"})")),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("no RPC is called 'PollWorkflowTask'")));
}

TEST_F(FrontendMisbehaviourTest, AHungPollIsNotAPollerAndNotAnswered) {
  StartWith(R"({"id": "f", "match": {"task_queue": "q"}, "do": "hang"})");
  Peer& peer = Connect();
  const ResultPtr poll = Begin(peer, "PollWorkflowTaskQueue", Poll("q"), {}, 70s);
  Exchange();
  Advance(5min);
  EXPECT_FALSE(poll->done);
  peer.grpc.Cancel(poll->stream);
  Exchange();
  EXPECT_EQ(engine->held_calls(), 0u);
  EXPECT_THAT(Faults(),
              ElementsAre("injected hang f", "hit hang f", "rpc received PollWorkflowTaskQueue f",
                          "rpc cancelled PollWorkflowTaskQueue f"));
}

TEST_F(FrontendMisbehaviourTest, AMethodAndWhatItsRequestTellsAreMatchedTogether) {
  StartWith(
      R"({"id": "f", "match": {"method": "PollWorkflow*", "task_queue": "q"}, "do": {"status": {"code": "INTERNAL"}}})");
  Peer& peer = Connect();
  EXPECT_EQ(Call(peer, "PollWorkflowTaskQueue", Poll("q")).status.code, 13);
  const ResultPtr others = Begin(peer, "PollWorkflowTaskQueue", Poll("r"), {}, 70s);
  Exchange();
  EXPECT_FALSE(others->done);
}

TEST_F(FrontendMisbehaviourTest, ADelayedCallIsCarriedByTheFrontEndsOwnDeadline) {
  StartWith(R"({"match": {"method": "GetSystemInfo"}, "do": {"delay": {"by": "3s"}}})");
  const ResultPtr call = Begin(Connect(), "GetSystemInfo", workflowservice::GetSystemInfoRequest());
  Exchange();
  EXPECT_EQ(frontend->NextDeadline(), clock.Now() + 3s);
  Advance(2s);
  EXPECT_FALSE(call->done);
  Advance(1s);
  EXPECT_EQ(call->response.status.code, 0);
}

TEST_F(FrontendMisbehaviourTest, GatesHoldAndLetGo) {
  StartWith(
      R"({"match": {"method": "StartWorkflowExecution"}, "do": {"hold": {"gate": "starts"}}})");
  const ResultPtr call = Begin(Connect(), "StartWorkflowExecution", Start1());
  Exchange();
  EXPECT_EQ(engine->open_workflows(), 0u);
  EXPECT_THAT(frontend->Gates(), ElementsAre(::testing::Pair("starts", 1u)));
  EXPECT_EQ(frontend->Release(clock.MomentNow(), "starts"), 1u);
  EXPECT_EQ(engine->open_workflows(), 1u);
  Exchange();
  EXPECT_EQ(call->response.status.code, 0);
}

TEST_F(FrontendMisbehaviourTest, ConnectionsEndFromTheirFirstByteUnderTlsToo) {
  Start(Tls());
  ASSERT_OK(frontend->SetRules(clock.MomentNow(),
                               Rules(R"({"id": "r", "match": {"connection": 1}, "do": "reset"},
                           {"id": "h", "match": {"connection": 2}, "do": "half_open"},
                           {"id": "p", "match": {"connection": 3}, "do": {"http_answer": {"version": "1.1"}}})")));
  EXPECT_EQ(GetSystemInfo(Connect(Trusting())).status.code, kUnavailable);
  EXPECT_EQ(peers[0]->end, FrontendOutput::End::kReset);
  const ResultPtr silent =
      Begin(Connect(Trusting()), "GetSystemInfo", workflowservice::GetSystemInfoRequest());
  Exchange();
  EXPECT_FALSE(silent->done);
  EXPECT_EQ(peers[1]->end, std::nullopt);
  EXPECT_FALSE(peers[1]->tls->handshake_done());
  EXPECT_EQ(GetSystemInfo(Connect(Trusting())).status.code, kUnavailable);
  EXPECT_TRUE(peers[2]->tls->handshake_done());
  EXPECT_THAT(peers[2]->received_raw, HasSubstr("HTTP/1.1 502"));
  EXPECT_EQ(GetSystemInfo(Connect(Trusting())).status.code, 0);
  EXPECT_THAT(Faults(), Contains("connection reset r"));
  EXPECT_THAT(Faults(), Contains("connection closed p"));
}

}  // namespace
}  // namespace squall::fakes
