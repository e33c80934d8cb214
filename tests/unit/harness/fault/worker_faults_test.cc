// Faults of workers and their processes, each seen to act and to heal.

#include "harness/fault/availability.h"
#include "tests/unit/harness/fault/fault_fixture.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;

class WorkerFaults : public FaultTest {
 protected:
  std::optional<int> LastCode() { return worker_->process().last_exit()->code; }
  std::string LastReason() { return worker_->process().last_exit()->reason; }
  void AwaitEnd() {
    Await([&] { return !worker_->process().alive(); }, "the worker's end");
  }
};

TEST_F(WorkerFaults, AProgramThatExitsAtOnceDoesSoUntilItIsHealed) {
  const auto fault =
      Injected("exits_at_once", "w", {{"code", std::int64_t{3}}, {"message", "no such queue"}});
  AwaitEnd();
  EXPECT_EQ(LastCode(), 3);
  EXPECT_EQ(LastReason(), "injected") << "its end is the fault's";
  EXPECT_EQ(Said("no such queue"), 1u);
  // However it is started: a platform tries again.
  worker_->Start(nullptr);
  AwaitEnd();
  EXPECT_EQ(Said("no such queue"), 2u);
  EXPECT_OK(Heal(*fault));
  AwaitUp(2);
}

TEST_F(WorkerFaults, AWrongProgramRunsInItsPlace) {
  const auto fault = Injected(
      "wrong_program", "w",
      {{"command", std::vector<std::string>{"sh", "-c", "echo idle; exec tail -f /dev/null"}}});
  Await([&] { return Said("idle") == 1; }, "the other program");
  EXPECT_TRUE(worker_->process().alive());
  EXPECT_OK(Heal(*fault));
  AwaitUp(2);
}

TEST_F(WorkerFaults, AProgramThatIsNotThereCannotBeStarted) {
  const auto fault = Injected("wrong_program", "w",
                              {{"command", std::vector<std::string>{"no-such-program-anywhere"}}});
  EXPECT_FALSE(worker_->process().alive());
  EXPECT_EQ(Count<journal::ProcessEvent>("start_failed"), 1u);
  EXPECT_OK(Heal(*fault));
  AwaitUp(2);
}

TEST_F(WorkerFaults, ACrashLoopEndsEveryLifeUntilItIsHealed) {
  const auto fault = Injected("crash_loop", "w", {{"after", Duration(20ms)}});
  for (int life = 1; life <= 3; ++life) {
    AwaitEnd();
    EXPECT_EQ(worker_->process().last_exit()->signal, SIGKILL);
    EXPECT_EQ(LastReason(), "injected");
    worker_->Start(nullptr);
  }
  EXPECT_OK(Heal(*fault));
  // Whether the last life was hit before the healing or not: the next one lives.
  const auto kill = Create("kill", "w", {}, "kill");
  ASSERT_OK(kill);
  if (worker_->process().alive()) {
    EXPECT_OK(Wait<Status>([&](Done done) { (*kill)->Inject(std::move(done)); }));
  }
  const std::size_t ups = Said("up");
  worker_->Start(nullptr);
  Await([&] { return Said("up") > ups; }, "the worker");
  EXPECT_TRUE(Can("can-open", "cannot-open"));
}

TEST_F(WorkerFaults, VariablesAreGoneOrChangedAfterARestartAndBackAfterHealing) {
  EXPECT_EQ(Said("up queue=squall"), 1u);
  const auto missing =
      Injected("environment_missing", "w",
               {{"variables", std::vector<std::string>{"TEMPORAL_TASK_QUEUE"}}, {"renew", "stop"}},
               "missing");
  AwaitUp(2);
  EXPECT_EQ(Said("up queue=squall"), 1u);
  EXPECT_OK(Heal(*missing));
  AwaitUp(3);
  EXPECT_EQ(Said("up queue=squall"), 2u);
  const auto changed =
      Injected("environment_changed", "w",
               {{"variables", std::map<std::string, std::string>{{"TEMPORAL_TASK_QUEUE", "other"}}},
                {"renew", "none"}},
               "changed");
  EXPECT_EQ(worker_->process().starts(), 3) << "only its next start is met";
  ASSERT_OK(worker_->Signal(SIGTERM, Intent::kAsked));
  AwaitEnd();
  worker_->Start(nullptr);
  Await([&] { return Said("up queue=other") == 1; }, "the other queue");
  EXPECT_OK(Heal(*changed));
  EXPECT_TRUE(worker_->process().alive()) << "and healing leaves it alone";
}

TEST_F(WorkerFaults, WhatWasStoppedOnPurposeIsNotStartedByHealing) {
  const auto fault = Injected("slow_start", "w", {{"delay", Duration(1h)}});
  ASSERT_TRUE(worker_->process().alive());
  EXPECT_OK(Wait<StatusOr<bool>>([&](auto done) {
    worker_->Stop(Intent::kAsked, [done](const ProcessExit&) { done(true); });
  }));
  EXPECT_OK(Heal(*fault));
  EXPECT_FALSE(worker_->process().alive());
}

TEST_F(WorkerFaults, ASlowStartTakesSoMuchLonger) {
  const SteadyTime begin = clock_.Now();
  const auto fault = Injected("slow_start", "w", {{"delay", Duration(150ms)}});
  AwaitUp(2);
  EXPECT_GE(clock_.Now() - begin, 150ms);
  EXPECT_OK(Heal(*fault));
  AwaitUp(3);
}

TEST_F(WorkerFaults, SigtermIsIgnoredUntilTheGraceIsOver) {
  const auto fault = Injected("ignores_sigterm", "w");
  AwaitUp(2);
  const auto stopped = Wait<StatusOr<ProcessExit>>([&](auto done) {
    worker_->Stop(Intent::kAsked, [done](const ProcessExit& exit) { done(exit); });
  });
  ASSERT_OK(stopped);
  EXPECT_EQ(stopped->signal, SIGKILL);
  EXPECT_OK(Heal(*fault));
  worker_->Start(nullptr);
  AwaitUp(3);
  const auto again = Wait<StatusOr<ProcessExit>>([&](auto done) {
    worker_->Stop(Intent::kAsked, [done](const ProcessExit& exit) { done(exit); });
  });
  ASSERT_OK(again);
  EXPECT_EQ(again->code, 7) << "as before, it acts on it";
}

TEST_F(WorkerFaults, WithoutDescriptorsNothingIsOpenedUntilItIsHealed) {
  EXPECT_TRUE(Can("can-open", "cannot-open"));
  const auto fault = Injected("out_of_files", "w");
  EXPECT_FALSE(Can("can-open", "cannot-open"));
  EXPECT_OK(Heal(*fault));
  EXPECT_TRUE(Can("can-open", "cannot-open"));
  const auto some = Injected("out_of_files", "w", {{"left", std::int64_t{8}}}, "some");
  EXPECT_TRUE(Can("can-open", "cannot-open"));
}

TEST_F(WorkerFaults, WithoutMemoryNothingMoreIsRunUntilItIsHealed) {
  EXPECT_TRUE(Can("has-memory", "no-memory"));
  const auto fault = Injected("out_of_memory", "w");
  EXPECT_FALSE(Can("has-memory", "no-memory"));
  EXPECT_OK(Heal(*fault));
  EXPECT_TRUE(Can("has-memory", "no-memory"));
  const auto again = Injected("out_of_memory", "w", {{"headroom", std::int64_t{1} << 30}}, "again");
  EXPECT_TRUE(Can("has-memory", "no-memory"));
  // Whoever dies of it dies of the fault.
  ASSERT_EQ(::kill(static_cast<pid_t>(worker_->process().pid()), SIGABRT), 0);
  AwaitEnd();
  EXPECT_EQ(LastReason(), "injected");
  EXPECT_OK(Heal(*again));
}

TEST_F(WorkerFaults, ASkewedClockIsWrongBySoMuch) {
  if (!FindFaketime()) GTEST_SKIP() << "libfaketime is not installed";
  auto worker = WorkerUnderTest::Create(
      executor_, journal_,
      {.name = "clock",
       .kind = WorkerKind::kCommand,
       .command = {"sh", "-c", "echo now $(date +%s); exec tail -f /dev/null"},
       .ready_word = "",
       .work_directory = folder_.path()});
  ASSERT_OK(worker);
  std::swap(worker_, *worker);
  const auto told = [&](std::size_t n) {
    Await([&] { return Said("now ") == n; }, "the time");
    std::vector<std::int64_t> times;
    for (const auto& event : Events<journal::LogEvent>()) {
      if (event.line.starts_with("now ")) times.push_back(std::stoll(event.line.substr(4)));
    }
    return times.back();
  };
  ASSERT_OK(Wait<Status>([&](Done done) { worker_->Start(std::move(done)); }));
  const std::int64_t before = told(1);
  const auto fault = Injected("clock_skew", "w", {{"by", Duration(1h)}, {"direction", "ahead"}});
  EXPECT_NEAR(static_cast<double>(told(2) - before), 3600, 60);
  EXPECT_OK(Heal(*fault));
  EXPECT_NEAR(static_cast<double>(told(3) - before), 0, 60);
}

TEST_F(WorkerFaults, OneThatDoesNotRunCannotBeLimited) {
  const auto kill = Injected("kill", "w", {}, "kill");
  for (const char* name : {"out_of_files", "out_of_memory", "pause", "terminate"}) {
    auto fault = Create(name, "w", {}, name);
    ASSERT_OK(fault);
    EXPECT_THAT(Wait<Status>([&](Done done) { (*fault)->Inject(std::move(done)); }),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("does not run")));
  }
}

}  // namespace
}  // namespace squall::harness
