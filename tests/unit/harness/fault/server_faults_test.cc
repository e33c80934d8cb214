// Faults of servers, each seen to act and to heal.
#include "tests/unit/harness/fault/fault_fixture.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ServerFaults : public FaultTest {
 protected:
  Status DescribeNamespace() {
    return Wait<Status>([&](Done done) {
      server_->client().DescribeNamespace("default", {.wait_for_ready = true}, std::move(done));
    });
  }
  // Directly, around the link.
  Status StartsWorkflow(std::string id) {
    return StartWorkflow(server_->client(), std::move(id)).status();
  }
};

TEST_F(ServerFaults, ADelayedStartKeepsThePortClosedForSoLong) {
  const auto delay = Injected("delayed_start", "temporal", {{"delay", Duration(100ms)}});
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 0u);
  const auto kill = Injected("kill", "temporal", {}, "kill");
  const SteadyTime begin = clock_.Now();
  std::optional<Status> started;
  server_->StartAgain(true, [&](const Status& status) { started = status; });
  EXPECT_FALSE(server_->running());
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 2u) << "the kill's and the delay's";
  EXPECT_THAT(Wait<Status>([&](Done done) { server_->StartAgain(true, std::move(done)); }),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("starts already")));
  Await([&] { return started.has_value(); }, "the start");
  EXPECT_OK(*started);
  EXPECT_GE(clock_.Now() - begin, 100ms);
  EXPECT_OK(Heal(*delay));
  const auto again = Injected("restart", "temporal", {{"kill", true}}, "again");
  EXPECT_TRUE(server_->running());
}

TEST_F(ServerFaults, HealingADelayLetsTheStartThatWaitsBegin) {
  const auto delay = Injected("delayed_start", "temporal", {{"delay", Duration(1h)}});
  const auto kill = Injected("kill", "temporal", {}, "kill");
  std::optional<Status> started;
  server_->StartAgain(true, [&](const Status& status) { started = status; });
  EXPECT_OK(Heal(*delay));
  Await([&] { return started.has_value(); }, "the start");
  EXPECT_OK(*started);
  EXPECT_TRUE(server_->running());
}

TEST_F(ServerFaults, AStartThatWaitsIsGivenUpWhenTheServerIsKilled) {
  const auto delay = Injected("delayed_start", "temporal", {{"delay", Duration(1h)}});
  const auto kill = Injected("kill", "temporal", {}, "kill");
  std::optional<Status> started;
  server_->StartAgain(true, [&](const Status& status) { started = status; });
  EXPECT_OK(Wait<Status>([&](Done done) { server_->Kill(Intent::kAsked, std::move(done)); }));
  Await([&] { return started.has_value(); }, "the end of the start");
  EXPECT_THAT(*started, StatusIs(StatusCode::kCancelled, _));
  EXPECT_OK(Heal(*delay));
  EXPECT_FALSE(server_->running());
}

TEST_F(ServerFaults, AMissingNamespaceIsThereAgainWithItsWorkflows) {
  ASSERT_OK(StartsWorkflow("w"));
  const auto fault = Injected("namespace_missing", "temporal");
  EXPECT_THAT(DescribeNamespace(),
              StatusIs(StatusCode::kNotFound, "Namespace default is not found."));
  EXPECT_THAT(StartsWorkflow("x"), StatusIs(StatusCode::kNotFound, _));
  EXPECT_OK(Call()) << "calls without a namespace are handled";
  EXPECT_OK(Heal(*fault));
  EXPECT_OK(DescribeNamespace());
  EXPECT_OK(Describe(server_->client(), "w"));
  EXPECT_THAT(Words(), ElementsAre("injecting", "injected", "hit", "healing", "healed"));
  EXPECT_EQ(Events<journal::FaultEvent>("hit").at(0).fault, "namespace_missing");
}

TEST_F(ServerFaults, ANamespaceThatWasRegisteredAnewHasLostItsWorkflows) {
  ASSERT_OK(StartsWorkflow("w"));
  const auto fault = Injected("namespace_reregister", "temporal");
  EXPECT_FALSE(fault->active());
  EXPECT_OK(DescribeNamespace());
  EXPECT_THAT(Describe(server_->client(), "w"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(ServerFaults, PermissionIsTakenAwayAndGivenBack) {
  for (const char* code : {"PERMISSION_DENIED", "UNAUTHENTICATED"}) {
    const auto fault =
        Injected("permission_denied", "temporal", {{"code", std::string(code)}}, code);
    const Status refused = Call();
    EXPECT_EQ(CodeName(refused.raw_code()), code);
    EXPECT_EQ(Message(refused), "Request unauthorized.");
    EXPECT_OK(Heal(*fault));
    EXPECT_OK(Call());
  }
}

TEST_F(ServerFaults, RateLimitsMeetTheShareOfCallsThatWasAskedFor) {
  const auto all = Injected("rate_limited", "temporal");
  EXPECT_THAT(Call(), StatusIs(StatusCode::kResourceExhausted, "namespace rate limit exceeded"));
  EXPECT_OK(Heal(*all));
  const auto half = Injected("rate_limited", "temporal", {{"probability", 0.5}}, "half");
  int refused = 0;
  for (int i = 0; i < 40; ++i) refused += Call().ok() ? 0 : 1;
  EXPECT_GT(refused, 5);
  EXPECT_LT(refused, 35);
  EXPECT_OK(Heal(*half));
  EXPECT_OK(Call());
}

TEST_F(ServerFaults, AReadOnlyServerAnswersReadsAlone) {
  ASSERT_OK(StartsWorkflow("w"));
  const auto fault = Injected("read_only", "temporal");
  EXPECT_THAT(StartsWorkflow("x"),
              StatusIs(StatusCode::kUnavailable, HasSubstr("read-only transaction")));
  EXPECT_OK(Describe(server_->client(), "w"));
  EXPECT_OK(DescribeNamespace());
  EXPECT_OK(Heal(*fault));
  EXPECT_OK(StartsWorkflow("x"));
}

TEST_F(ServerFaults, ASlowServerAnswersLate) {
  const auto fault = Injected("slow", "temporal", {{"delay", Duration(80ms)}});
  const SteadyTime begin = clock_.Now();
  EXPECT_OK(Call());
  EXPECT_GE(clock_.Now() - begin, 80ms);
  EXPECT_OK(Heal(*fault));
  const auto forever = Injected(
      "slow", "temporal",
      {{"delay", Duration(1h)}, {"methods", std::vector<std::string>{"Describe*"}}}, "forever");
  EXPECT_OK(Call()) << "other methods are not met";
}

TEST_F(ServerFaults, WhatComesToAServerThatStandsStillHoldsOnceItGoesOn) {
  const auto pause = Injected("pause", "temporal", {}, "pause");
  const auto denied = Injected("permission_denied", "temporal", {}, "denied");
  EXPECT_OK(Heal(*pause));
  EXPECT_THAT(Call(), StatusIs(StatusCode::kPermissionDenied, _));
  const auto again = Injected("pause", "temporal", {}, "again");
  EXPECT_OK(Heal(*denied));
  EXPECT_OK(Heal(*again));
  EXPECT_OK(Call());
}

TEST_F(ServerFaults, RulesOutliveARestart) {
  const auto denied = Injected("permission_denied", "temporal",
                               {{"methods", std::vector<std::string>{"GetSystemInfo"}}}, "denied");
  const auto restart = Injected("restart", "temporal", {{"kill", true}}, "restart");
  EXPECT_THAT(Info(server_->client(), {.wait_for_ready = true}),
              StatusIs(StatusCode::kPermissionDenied, _));
  EXPECT_OK(Heal(*denied));
  EXPECT_OK(Info(server_->client(), {.wait_for_ready = true}));
}

}  // namespace
}  // namespace squall::harness
