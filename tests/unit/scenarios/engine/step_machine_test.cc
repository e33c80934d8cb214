#include "scenarios/engine/step_machine.h"

#include <gmock/gmock.h>

#include "base/journal/journal.h"
#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/engine/fake_world.h"

namespace squall::scenarios {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using namespace std::chrono_literals;

class StepMachineTest : public ::testing::Test {
 protected:
  StepMachineTest() : journal_(clock_), executor_(clock_), world_(executor_) {
    journal_.SetObserver([this](const journal::Event& event) {
      executor_.Post([this, event] {
        if (machine_) machine_->OnEvent(event);
      });
    });
  }

  void Begin(const std::string& steps, Duration timeout = 60s) {
    const CheckTable checks = {{.name = "check", .doc = "A check."}};
    const std::string text =
        "id: T\ntitle: t\ntopology:\n  servers: {s: {}}\n  links: {l: s}\n  workers: {w: "
        "{}}\nsteps:\n" +
        steps + "expect: [check]\n";
    auto loaded = LoadScenario(text, "T.yaml", checks);
    ASSERT_THAT(loaded, testing::IsOk());
    scenario_ = *std::move(loaded);
    MachineOptions options;
    options.world = "fake";
    options.journal_origin = journal_.origin();
    options.timeout = timeout;
    machine_ = std::make_unique<StepMachine>(executor_, world_, judge_, journal_, scenario_,
                                             scenario_.subjects[0], options);
    machine_->Start([this](MachineResult result) { result_ = std::move(result); });
    executor_.RunReady();
  }

  void Run(const std::string& steps, Duration timeout = 60s) {
    Begin(steps, timeout);
    executor_.Advance(1h);
    ASSERT_TRUE(result_.has_value()) << "the machine always ends";
    EXPECT_EQ(world_.faults_alive, 0);
    EXPECT_EQ(world_.log.back(), "clean up");
  }

  const CheckResult* Result(std::string_view check) const {
    for (const CheckResult& result : result_->checks) {
      if (result.check == check) return &result;
    }
    return nullptr;
  }

  // A worker's lifecycle line, as a world would journal it.
  void WorkerSays(const std::string& what, const std::string& worker = "w") {
    journal::WorkerEvent event;
    event.what = what;
    event.worker = worker;
    journal_.Append("worker:" + worker, event);
    executor_.RunReady();
  }

  ManualClock clock_;
  journal::Journal journal_;
  ManualExecutor executor_;
  FakeWorld world_;
  FakeJudge judge_;
  Scenario scenario_;
  std::unique_ptr<StepMachine> machine_;
  std::optional<MachineResult> result_;
};

TEST_F(StepMachineTest, PlaysStepsInOrderHealsInReverseJudgesAndCleansUp) {
  Run("  - inject: {fault: refuse, on: l, as: first}\n"
      "  - inject: {fault: latency, on: l, delay: 1ms, as: second}\n"
      "  - run: {workflow: Ping, result: 1, count: 2}\n"
      "  - restart: {node: s, data: lost}\n"
      "  - stop: w\n");
  EXPECT_THAT(world_.log,
              ElementsAre("prepare", "start s", "start w", "inject first", "inject second",
                          "workflow Ping ping-3-1", "await ping-3-1", "workflow Ping ping-3-2",
                          "await ping-3-2", "restart s keep=false", "stop w TERM", "heal second",
                          "heal first", "clean up"));
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
  EXPECT_TRUE(result_->clean_up.ok());
  EXPECT_THAT(judge_.seen, IsSupersetOf({"run.started", "step.begun", "step.done", "run.judging"}));
  EXPECT_THAT(judge_.seen, Not(Contains("run.finished")))
      << "what comes after the judgement is not judged";
}

TEST_F(StepMachineTest, AStepThatTimesOutFailsTheStepsCheckAndSkipsTheRest) {
  world_.hang.insert("await ping-1");
  Run("  - run: {workflow: Ping}\n    within: 3s\n  - stop: w\n");
  EXPECT_THAT(world_.log, ElementsAre("prepare", "start s", "start w", "workflow Ping ping-1",
                                      "await ping-1", "cancel waits", "clean up"));
  ASSERT_NE(Result("steps"), nullptr);
  EXPECT_EQ(Result("steps")->outcome, Outcome::kFail);
  EXPECT_EQ(Result("steps")->happened, "not done within 3.00s; 1 of 1 accepted, 0 ended");
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kFail);
  EXPECT_EQ(Result("check")->outcome, Outcome::kPass) << "the checks are judged all the same";
}

TEST_F(StepMachineTest, AnOptionalStepThatIsNotReachedIsRecordedAndTheNextFollows) {
  world_.hang.insert("healthy w");
  Run("  - wait_healthy: w\n    within: 2s\n    optional: true\n  - stop: w\n");
  EXPECT_THAT(world_.log, Contains("stop w TERM"));
  EXPECT_EQ(Result("steps"), nullptr);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
}

TEST_F(StepMachineTest, ALateCompletionOfATimedOutStepChangesNothing) {
  world_.takes["healthy w"] = 5s;
  world_.takes["stop w TERM"] = 10s;
  Run("  - wait_healthy: w\n    within: 2s\n    optional: true\n  - stop: w\n  - kill: s\n");
  EXPECT_THAT(world_.log, ElementsAre("prepare", "start s", "start w", "healthy w", "cancel waits",
                                      "stop w TERM", "kill s", "clean up"));
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
}

TEST_F(StepMachineTest, WrongResultAndWrongEndFailTheStep) {
  world_.ends["ping-1"] = {"completed", "2", ""};
  Run("  - run: {workflow: Ping, result: 1}\n");
  EXPECT_THAT(Result("steps")->happened, HasSubstr("workflow ping-1 returned 2, not 1"));
  result_.reset();
  world_.log.clear();
  world_.ends["ping-1"] = {"failed", "", "boom"};
  Run("  - run: {workflow: Ping, result: 1}\n");
  EXPECT_THAT(Result("steps")->happened, HasSubstr("ended as failed, not completed: boom"));
}

TEST_F(StepMachineTest, ARefusedStartFailsUnlessItMayBeRefused) {
  world_.fail["workflow Ping ping-1"] = Status(StatusCode::kUnavailable, "down");
  Run("  - run: {workflow: Ping}\n");
  EXPECT_THAT(Result("steps")->happened, HasSubstr("UNAVAILABLE: workflow ping-1: down"));
  result_.reset();
  Run("  - run: {workflow: Ping, may_be_refused: true}\n");
  EXPECT_EQ(Result("steps"), nullptr);
}

TEST_F(StepMachineTest, AServerThatDoesNotStartIsInfrastructureAndUnknown) {
  world_.fail["start s"] = Status(StatusCode::kUnavailable, "no port");
  Run("  - stop: w\n");
  EXPECT_THAT(world_.log, ElementsAre("prepare", "start s", "clean up"));
  EXPECT_EQ(Result("infrastructure")->outcome, Outcome::kUnknown);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kUnknown);
}

TEST_F(StepMachineTest, AHealThatFailsMakesTheVerdictUnknown) {
  world_.fail["heal cutoff"] = Status(StatusCode::kUnavailable, "port is taken");
  Run("  - inject: {fault: refuse, on: l, as: cutoff}\n");
  EXPECT_EQ(Result("infrastructure")->expected, "heal cutoff");
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kUnknown);
}

TEST_F(StepMachineTest, AHealThatHangsIsGivenUp) {
  world_.hang.insert("heal cutoff");
  Run("  - inject: {fault: refuse, on: l, as: cutoff}\n", 10min);
  EXPECT_THAT(Result("infrastructure")->happened, HasSubstr("timed out"));
}

TEST_F(StepMachineTest, AFaultThatCannotBeInjectedIsInfrastructure) {
  world_.fail["inject refuse"] = Status(StatusCode::kPermissionDenied, "not ours");
  Run("  - inject: {fault: refuse, on: l}\n");
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kUnknown);
  EXPECT_EQ(Result("steps"), nullptr) << "the subject is not to blame";
}

TEST_F(StepMachineTest, AFaultWithASpanHealsByItselfWhileTheStepsGoOn) {
  Begin("  - inject: {fault: refuse, on: l, for: 2s}\n  - for: 5s\n  - heal: refuse\n");
  executor_.Advance(1s);
  EXPECT_EQ(world_.faults_alive, 1);
  executor_.Advance(1s);
  EXPECT_EQ(world_.faults_alive, 0);
  executor_.Advance(1h);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
  EXPECT_EQ(std::count(world_.log.begin(), world_.log.end(), "heal refuse"), 1);
}

TEST_F(StepMachineTest, AFaultThatWaitsForAnEventComesWithItWhileTheStepsGoOn) {
  Begin(
      "  - inject: {fault: refuse, on: l, when: {event: worker.polling, where: {worker: w}}}\n"
      "  - wait: {event: worker.task}\n");
  EXPECT_EQ(world_.faults_alive, 0);
  WorkerSays("polling", "other");
  EXPECT_EQ(world_.faults_alive, 0);
  WorkerSays("polling");
  EXPECT_EQ(world_.faults_alive, 1);
  WorkerSays("task");
  executor_.Advance(1h);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
  EXPECT_EQ(world_.faults_alive, 0);
}

TEST_F(StepMachineTest, NoRoundComesAfterTheLastStep) {
  judge_.deadline = SteadyTime(20s);
  Begin("  - inject: {fault: refuse, on: l, every: 3s, for: 1s}\n  - for: 4s\n");
  executor_.Advance(1h);
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(std::count(world_.log.begin(), world_.log.end(), "inject refuse"), 1);
  EXPECT_EQ(std::count(world_.log.begin(), world_.log.end(), "inject refuse#2"), 1);
  EXPECT_EQ(std::count(world_.log.begin(), world_.log.end(), "inject refuse#3"), 0);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
}

TEST_F(StepMachineTest, AnEventsFaultThatCannotBeInjectedIsInfrastructure) {
  world_.fail["inject refuse"] = Status(StatusCode::kPermissionDenied, "not ours");
  Begin("  - inject: {fault: refuse, on: l, when: worker.polling}\n  - for: 1s\n");
  WorkerSays("polling");
  executor_.Advance(1h);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kUnknown);
}

TEST_F(StepMachineTest, PausedNodesAreResumedBeforeTheJudgement) {
  Run("  - pause: w\n");
  EXPECT_THAT(world_.log,
              ElementsAre("prepare", "start s", "start w", "pause w", "resume w", "clean up"));
}

TEST_F(StepMachineTest, WaitsForMatchingEventsAndCountsThem) {
  Begin("  - wait: {event: worker.polling, where: {worker: /^w$/}, count: 2}\n    within: 10s\n");
  WorkerSays("polling");
  WorkerSays("polling", "other");
  WorkerSays("started");
  EXPECT_FALSE(result_);
  WorkerSays("polling");
  executor_.RunReady();
  ASSERT_TRUE(result_);
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kPass);
}

TEST_F(StepMachineTest, AWaitSinceTheRunSeesWhatWasBeforeItAndSinceAStepOnlyWhatCameAfter) {
  Begin(
      "  - for: 2s\n    name: pause\n"
      "  - wait: {event: worker.polling}\n"
      "  - wait: {event: worker.polling, since: pause}\n"
      "  - wait: {event: worker.polling, since: step}\n    within: 3s\n");
  executor_.Advance(1s);
  WorkerSays("polling");
  executor_.Advance(1s);
  EXPECT_FALSE(result_) << "the third wait wants one of its own";
  executor_.Advance(10s);
  ASSERT_TRUE(result_);
  EXPECT_EQ(Result("steps")->happened, "not done within 3.00s; 0 of 1 seen");
}

TEST_F(StepMachineTest, TheJudgeIsGivenTimeUntilItsDeadline) {
  judge_.deadline = SteadyTime(7s);
  Run("  - for: 1s\n");
  EXPECT_EQ(judge_.finished_at, SteadyTime(7s));
}

TEST_F(StepMachineTest, AJudgeThatDecidesEarlyEndsTheWait) {
  judge_.deadline = SteadyTime(30s);
  Begin("  - for: 1s\n");
  executor_.Advance(3s);
  EXPECT_FALSE(result_);
  judge_.deadline.reset();
  WorkerSays("polling");
  ASSERT_TRUE(result_);
  EXPECT_EQ(judge_.finished_at, SteadyTime(3s));
}

TEST_F(StepMachineTest, TheScenariosTimeoutEndsEverythingAndIsUnknown) {
  world_.hang.insert("stop w TERM");
  Run("  - inject: {fault: refuse, on: l}\n  - stop: w\n    within: 50s\n", 5s);
  EXPECT_TRUE(result_->timed_out);
  EXPECT_THAT(world_.log, Contains("heal refuse"));
  EXPECT_EQ(result_->conclusion.verdict, Outcome::kUnknown);
}

TEST_F(StepMachineTest, TheScenariosTimeoutBoundsTheJudgementToo) {
  judge_.deadline = SteadyTime(1h);
  Run("  - for: 1s\n", 5s);
  EXPECT_TRUE(result_->timed_out);
  EXPECT_EQ(judge_.finished_at, SteadyTime(5s));
}

TEST_F(StepMachineTest, AbortDropsTheFaultsJudgesAndCleansUp) {
  Begin("  - inject: {fault: refuse, on: l}\n  - for: 30s\n  - stop: w\n");
  executor_.Advance(1s);
  machine_->Abort("SIGINT");
  machine_->Abort("SIGINT");
  executor_.RunReady();
  ASSERT_TRUE(result_);
  EXPECT_TRUE(result_->aborted);
  EXPECT_THAT(world_.log, ElementsAre("prepare", "start s", "start w", "inject refuse",
                                      "cancel waits", "drop refuse", "clean up"));
  EXPECT_EQ(Result("infrastructure")->happened, "ABORTED: SIGINT");
  executor_.Advance(1h);
}

TEST_F(StepMachineTest, ACleanUpThatHangsOrFailsIsReported) {
  world_.hang.insert("clean up");
  Run("  - for: 1s\n");
  EXPECT_THAT(result_->clean_up,
              testing::StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("clean-up")));
}

TEST_F(StepMachineTest, ACallIsComparedWithTheStatusWanted) {
  world_.fail["call DescribeNamespace"] = Status(StatusCode::kNotFound, "nope");
  Run("  - call: {method: DescribeNamespace, code: NOT_FOUND}\n  - call: {method: "
      "DescribeNamespace, code: OK}\n");
  EXPECT_THAT(Result("steps")->happened,
              HasSubstr("DescribeNamespace ended with NOT_FOUND, not OK: nope"));
}

TEST_F(StepMachineTest, WritesTheResultsIntoTheJournal) {
  judge_.outcome = Outcome::kFail;
  Run("  - for: 1s\n");
  bool assertion = false;
  std::string verdict;
  for (const journal::Event& event : journal_.Events()) {
    if (const auto* result = event.As<journal::AssertionEvent>())
      assertion = assertion || (result->check == "check" && result->what == "fail");
    if (const auto* run = event.As<journal::RunEvent>(); run != nullptr && run->what == "finished")
      verdict = run->verdict;
  }
  EXPECT_TRUE(assertion);
  EXPECT_EQ(verdict, "fail");
}

}  // namespace
}  // namespace squall::scenarios
