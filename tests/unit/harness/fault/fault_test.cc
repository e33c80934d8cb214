// Faults as handles: on a link with a server behind it, on a worker that is a shell, and on the
// fake server.
#include "harness/fault/fault.h"

#include <signal.h>
#include <sys/wait.h>

#include <utility>

#include "tests/unit/harness/fault/fault_fixture.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using scenarios::FaultDefinition;
using scenarios::FaultTarget;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(FaultTest, IsInjectedMetAndHealedOnceHoweverOftenItIsAsked) {
  const auto fault = Injected("refuse", "c->temporal");
  EXPECT_TRUE(fault->active());
  EXPECT_THAT(Call(), StatusIs(StatusCode::kUnavailable, _));
  EXPECT_OK(Heal(*fault));
  EXPECT_FALSE(fault->active());
  EXPECT_OK(Heal(*fault));
  AwaitService();
  EXPECT_THAT(Words(), ElementsAre("injecting", "hit", "injected", "healing", "healed"));
  const auto event = Events<journal::FaultEvent>("injected").at(0);
  EXPECT_EQ(event.fault_id, "f");
  EXPECT_EQ(event.fault, "refuse");
  EXPECT_EQ(event.target, "c->temporal");
}

TEST_F(FaultTest, TheDestructorHeals) {
  { const auto fault = Injected("refuse", "c->temporal"); }
  AwaitService();
  EXPECT_THAT(proxy_->active(), IsEmpty());
  EXPECT_EQ(Words().back(), "healed");
  { const auto fault = Injected("pause", "w", {}, "g"); }
  EXPECT_FALSE(worker_->process().paused());
  { const auto fault = Injected("pause", "temporal", {}, "h"); }
  EXPECT_FALSE(server_->paused());
  EXPECT_OK(Call());
}

TEST_F(FaultTest, HealingIsWaitedForByAllWhoAskAlsoBeforeTheInjectionIsDone) {
  auto handle = Create("refuse", "c->temporal");
  ASSERT_OK(handle);
  std::vector<std::string> order;
  (*handle)->Inject(
      [&](const Status& status) { order.push_back("injected " + status.ToString()); });
  (*handle)->Heal([&](const Status& status) { order.push_back("one " + status.ToString()); });
  (*handle)->Heal([&](const Status& status) { order.push_back("two " + status.ToString()); });
  Await([&] { return order.size() == 3; }, "three answers");
  EXPECT_THAT(order, ElementsAre("injected OK", "one OK", "two OK"));
  EXPECT_EQ(Count<journal::FaultEvent>("healed"), 1u);
  EXPECT_THAT(proxy_->active(), IsEmpty());
}

TEST_F(FaultTest, IsInjectedOnlyOnceAndHealedWithoutAnInjectionItIsNothing) {
  auto handle = Create("refuse", "c->temporal");
  ASSERT_OK(handle);
  EXPECT_OK(Heal(**handle));
  EXPECT_THAT(Words(), IsEmpty());
  EXPECT_OK(Wait<Status>([&](Done done) { (*handle)->Inject(std::move(done)); }));
  EXPECT_THAT(Wait<Status>([&](Done done) { (*handle)->Inject(std::move(done)); }),
              StatusIs(StatusCode::kFailedPrecondition, _));
}

TEST_F(FaultTest, EveryLinkFaultDoesWhatItSays) {
  const struct {
    std::string fault;
    scenarios::Params parameters;
    bool passes;
  } cases[] = {
      {"bandwidth", {{"rate", std::int64_t{1 << 20}}}, true},
      {"black_hole", {}, false},
      {"connection_limit", {{"limit", std::int64_t{0}}}, true},
      {"corrupt", {}, false},
      {"cut", {{"after", std::int64_t{1}}, {"direction", "down"}}, false},
      {"drop_connections", {}, true},
      {"half_open", {{"idle", Duration(1h)}}, true},
      {"idle_drop", {{"idle", Duration(1h)}}, true},
      {"latency", {{"delay", Duration(5ms)}, {"jitter", Duration(2ms)}}, true},
      {"never_accept", {}, false},
      {"refuse", {}, false},
      {"reset", {}, false},
      {"reset_on_data", {}, false},
      {"slice", {{"bytes", std::int64_t{7}}, {"variation", 0.9}}, true},
      {"slow_close", {{"delay", Duration(1ms)}}, true},
      {"stall", {{"direction", "up"}}, false},
      {"swallow", {}, false},
  };
  std::set<std::string> covered;
  for (const auto& one : cases) {
    covered.insert(one.fault);
    const auto fault = Injected(one.fault, "c->temporal", one.parameters, one.fault);
    ASSERT_NE(fault, nullptr);
    if (one.passes) {
      EXPECT_OK(Info(*client_, {.deadline = Scaled(20s), .wait_for_ready = true})) << one.fault;
    } else {
      EXPECT_FALSE(Call(200ms).ok()) << one.fault;
    }
    EXPECT_OK(Heal(*fault)) << one.fault;
    client_->Reconnect();
    AwaitService();
  }
  for (const FaultDefinition& fault : scenarios::FaultCatalogue()) {
    // Those that need a network of their own have programs of their own: kernel_faults_test,
    // network_faults_test.
    if (fault.target == FaultTarget::kLink && fault.needs.empty()) {
      EXPECT_TRUE(covered.contains(fault.name)) << fault.name << " is not tried here";
    }
  }
}

TEST_F(FaultTest, KilledAndTerminatedWorkersEndForThatReason) {
  const auto kill = Injected("kill", "w");
  EXPECT_FALSE(worker_->process().alive());
  EXPECT_EQ(worker_->process().last_exit()->reason, "injected");
  EXPECT_FALSE(kill->active()) << "nothing is left to heal";
  EXPECT_OK(Heal(*kill));
  EXPECT_FALSE(worker_->process().alive());
  EXPECT_THAT(Words(), ElementsAre("injecting", "injected", "hit"));
  // A fault on what does not run is an error, not a success.
  auto again = Create("kill", "w", {}, "again");
  ASSERT_OK(again);
  EXPECT_THAT(Wait<Status>([&](Done done) { (*again)->Inject(std::move(done)); }),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("does not run")));
  EXPECT_EQ(Words().back(), "failed");
  for (const char* name : {"interrupt", "terminate"}) {
    const std::size_t lines = Count<journal::LogEvent>("stdout");
    ASSERT_OK(Wait<Status>([&](Done done) { worker_->Start(std::move(done)); }));
    Await([&] { return Count<journal::LogEvent>("stdout") > lines; }, "the worker");
    const auto fault = Injected(name, "w", {}, name);
    Await([&] { return !worker_->process().alive(); }, "the worker's end");
    EXPECT_EQ(worker_->process().last_exit()->code, 7);
    EXPECT_EQ(worker_->process().last_exit()->reason, "injected");
  }
}

TEST_F(FaultTest, APausedWorkerStandsStillUntilItIsHealed) {
  const auto fault = Injected("pause", "w");
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(worker_->process().pid()), &info, WSTOPPED), 0);
  ASSERT_OK(Heal(*fault));
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(worker_->process().pid()), &info, WCONTINUED), 0);
}

TEST_F(FaultTest, AServerThatIsDownIsBackAfterHealing) {
  for (const char* name : {"kill", "stop", "server_down"}) {
    const auto fault = Injected(name, "temporal", {}, name);
    EXPECT_FALSE(server_->running()) << name;
    EXPECT_TRUE(fault->active()) << name;
    EXPECT_FALSE(Call(1s).ok()) << name;
    EXPECT_OK(Heal(*fault)) << name;
    EXPECT_TRUE(server_->running()) << name;
    AwaitService();
  }
  ASSERT_OK(StartWorkflow(server_->client(), "w", {.wait_for_ready = true}));
  const auto lost = Injected("server_down", "temporal", {{"keep_data", false}});
  EXPECT_OK(Heal(*lost));
  AwaitService();
  EXPECT_OK(Info(server_->client(), {.wait_for_ready = true}));
  EXPECT_THAT(Describe(server_->client(), "w"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(FaultTest, HealingWhatAStepHasRestoredIsNothing) {
  const auto fault = Injected("kill", "temporal");
  ASSERT_OK(Wait<Status>([&](Done done) { server_->StartAgain(true, std::move(done)); }));
  EXPECT_OK(Heal(*fault));
  EXPECT_TRUE(server_->running());
}

TEST_F(FaultTest, ARestartIsOverWhenItIsInjected) {
  ASSERT_OK(StartWorkflow(server_->client(), "w"));
  const SteadyTime begin = clock_.Now();
  const auto kept =
      Injected("restart", "temporal", {{"down_for", Duration(50ms)}, {"kill", true}}, "kept");
  EXPECT_GE(clock_.Now() - begin, 50ms);
  EXPECT_TRUE(server_->running());
  EXPECT_FALSE(kept->active());
  EXPECT_OK(Info(server_->client(), {.wait_for_ready = true}));
  EXPECT_OK(Describe(server_->client(), "w"));
  const auto lost = Injected("data_lost", "temporal", {}, "lost");
  EXPECT_OK(Info(server_->client(), {.wait_for_ready = true}));
  EXPECT_THAT(Describe(server_->client(), "w"), StatusIs(StatusCode::kNotFound, _));
}

TEST_F(FaultTest, APausedServerIsSilent) {
  const auto fault = Injected("pause", "temporal");
  EXPECT_THAT(Call(100ms), StatusIs(StatusCode::kDeadlineExceeded, _));
  EXPECT_OK(Heal(*fault));
  EXPECT_OK(Call());
}

TEST_F(FaultTest, ADeletedNamespaceComesBackUnderItsName) {
  const auto describe = [&] {
    return Wait<Status>(
        [&](Done done) { server_->client().DescribeNamespace("default", {}, std::move(done)); });
  };
  const auto fault = Injected("namespace_delete", "temporal", {{"namespace", "default"}});
  EXPECT_THAT(describe(), StatusIs(StatusCode::kNotFound, _));
  EXPECT_OK(Heal(*fault));
  EXPECT_OK(describe());
}

TEST_F(FaultTest, ChosenCallsAreRefused) {
  const auto fault =
      Injected("rpc_error", "temporal",
               {{"methods", std::vector<std::string>{"GetSystem*"}}, {"code", "UNAUTHENTICATED"}});
  EXPECT_THAT(Call(), StatusIs(StatusCode::kUnauthenticated, "injected"));
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 1u);
  EXPECT_OK(Heal(*fault));
  EXPECT_OK(Call());
  EXPECT_THAT(Create("rpc_error", "temporal",
                     {{"methods", std::vector<std::string>{"X"}}, {"code", "UNAVAILBLE"}}, "g"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("did you mean 'UNAVAILABLE'")));
}

TEST_F(FaultTest, NothingIsInjectedIntoWhatSquallDidNotStart) {
  for (const FaultDefinition& fault : scenarios::FaultCatalogue()) {
    if (fault.target != FaultTarget::kServer) continue;
    EXPECT_THAT(Create(fault.name, "production"),
                StatusIs(StatusCode::kPermissionDenied, HasSubstr("did not start")))
        << fault.name;
  }
  EXPECT_THAT(Words(), IsEmpty());
}

TEST_F(FaultTest, MistakesAreNamed) {
  EXPECT_THAT(Create("refuse", "c->temporl"),
              StatusIs(StatusCode::kNotFound, HasSubstr("'c->temporal'")));
  EXPECT_THAT(
      Create("refuze", "c->temporal"),
      StatusIs(StatusCode::kNotFound, AllOf(HasSubstr("for a link"), HasSubstr("'refuse'"))));
  EXPECT_THAT(Create("refuse", "w"), StatusIs(StatusCode::kNotFound, HasSubstr("for a worker")));
  EXPECT_THAT(Create("latency", "c->temporal"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'delay' is missing")));
  EXPECT_THAT(Create("latency", "c->temporal", {{"dealy", Duration(1ms)}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'delay'")));
  EXPECT_THAT(Create("latency", "c->temporal", {{"delay", std::int64_t{5}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("is not a duration")));
  EXPECT_THAT(Create("cut", "c->temporal", {{"after", std::int64_t{-1}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("below 0")));
  EXPECT_THAT(Create("stall", "c->temporal", {{"direction", "sideways"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("both, up, down")));
}

}  // namespace
}  // namespace squall::harness
