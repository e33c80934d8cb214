#include "scenarios/engine/fault_driver.h"

#include <gmock/gmock.h>

#include <deque>
#include <set>

#include "scenarios/format/fault_ids.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/engine/fake_world.h"

namespace squall::scenarios {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FaultDriverTest : public ::testing::Test {
 protected:
  FaultDriverTest() : executor_(clock_), world_(executor_) { Make(1); }
  void Make(std::uint64_t seed) {
    driver_ = std::make_unique<FaultDriver>(
        executor_, world_, seed, [this](const std::string& what, const Status& status) {
          blamed_.push_back(what + ": " + std::string(Message(status)));
        });
  }
  // The driver keeps referring to it.
  InjectStep& Step(std::vector<std::string> on) {
    InjectStep& step = steps_.emplace_back();
    step.fault = "stall";
    step.on = std::move(on);
    step.as = "f";
    return step;
  }
  Status Inject(const InjectStep& step) {
    std::optional<Status> result;
    driver_->Inject(step, [&](const Status& status) { result = status; });
    executor_.RunReady();
    return result.value_or(Status(StatusCode::kDeadlineExceeded, "not done"));
  }
  // What was injected since the last look.
  std::vector<std::string> Injected() {
    std::vector<std::string> ids;
    for (const std::string& line : world_.log) {
      if (line.starts_with("inject ")) ids.push_back(line.substr(7));
    }
    world_.log.clear();
    return ids;
  }
  static journal::Event Polling(const std::string& worker) {
    journal::WorkerEvent event;
    event.what = "polling";
    event.worker = worker;
    return {.source = "w", .payload = event};
  }

  ManualClock clock_;
  ManualExecutor executor_;
  FakeWorld world_;
  std::vector<std::string> blamed_;
  std::deque<InjectStep> steps_;
  std::unique_ptr<FaultDriver> driver_;
};

TEST_F(FaultDriverTest, OneNodeHasTheLabelForItsIdSeveralTheirNamesBehindIt) {
  const InjectStep& one = Step({"a"});
  InjectStep& several = Step({"a", "b"});
  several.as = "g";
  EXPECT_OK(Inject(one));
  EXPECT_OK(Inject(several));
  EXPECT_THAT(Injected(), ElementsAre("f", "g@a", "g@b"));
  EXPECT_EQ(driver_->Last(), "g@b");
  bool healed = false;
  driver_->Heal({"g"}, [&](const Status& status) { healed = status.ok(); });
  executor_.RunReady();
  EXPECT_TRUE(healed);
  EXPECT_THAT(world_.log, ElementsAre("heal g@b", "heal g@a")) << "the last one first";
  EXPECT_EQ(driver_->Last(), "f");
  for (const char* id : {"f", "f@a", "f@a#2", "f#3"}) EXPECT_EQ(FaultLabel(id), "f");
}

TEST_F(FaultDriverTest, AnErrorLeavesTheRestAlone) {
  world_.fail["inject f@b"] = Status(StatusCode::kPermissionDenied, "not ours");
  const InjectStep& step = Step({"a", "b", "c"});
  EXPECT_THAT(Inject(step), StatusIs(StatusCode::kPermissionDenied, _));
  EXPECT_THAT(Injected(), ElementsAre("f@a", "f@b"));
  EXPECT_EQ(driver_->Last(), "f@a") << "what is in force is still to be healed";
}

TEST_F(FaultDriverTest, OneOfSeveralIsDrawnFromTheSeed) {
  const auto drawn = [this](std::uint64_t seed) {
    Make(seed);
    InjectStep& step = Step({"a", "b", "c", "d"});
    step.one = true;
    step.every = 10s;
    step.span = 1s;
    EXPECT_OK(Inject(step));
    executor_.Advance(95s);
    std::vector<std::string> ids = Injected();
    driver_->DropAll();
    world_.log.clear();
    return ids;
  };
  const std::vector<std::string> first = drawn(1);
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(drawn(1), first);
  EXPECT_NE(drawn(2), first);
  std::set<std::string> nodes;
  for (const std::string& id : first) nodes.insert(id.substr(0, id.find('#')));
  EXPECT_GT(nodes.size(), 1u) << "anew in each round";
}

TEST_F(FaultDriverTest, RoundsComeAndHealUntilTheyHaveBeenSoMany) {
  InjectStep& step = Step({"a"});
  step.every = 10s;
  step.span = 4s;
  step.times = 3;
  EXPECT_OK(Inject(step));
  EXPECT_EQ(world_.faults_alive, 1);
  executor_.Advance(4s);
  EXPECT_EQ(world_.faults_alive, 0);
  executor_.Advance(6s);
  EXPECT_EQ(world_.faults_alive, 1);
  executor_.Advance(1h);
  EXPECT_THAT(Injected(), ElementsAre("f", "f#2", "f#3"));
  EXPECT_EQ(world_.faults_alive, 0);
}

TEST_F(FaultDriverTest, HealingEndsTheRounds) {
  InjectStep& step = Step({"a"});
  step.every = 10s;
  step.span = 9s;
  EXPECT_OK(Inject(step));
  executor_.Advance(12s);
  driver_->Heal({}, [](const Status&) {});
  executor_.Advance(1h);
  EXPECT_THAT(Injected(), ElementsAre("f", "f#2"));
  EXPECT_EQ(world_.faults_alive, 0);
}

TEST_F(FaultDriverTest, ChanceMeetsSomeNodesInSomeRounds) {
  InjectStep& step = Step({"a", "b"});
  step.chance = 0.5;
  step.every = 1s;
  step.span = 500ms;
  step.times = 50;
  EXPECT_OK(Inject(step));
  executor_.Advance(1h);
  const std::size_t met = Injected().size();
  EXPECT_GT(met, 25u);
  EXPECT_LT(met, 75u);
  step.chance = 0;
  step.as = "never";
  EXPECT_OK(Inject(step));
  executor_.Advance(1h);
  EXPECT_THAT(Injected(), IsEmpty());
}

TEST_F(FaultDriverTest, AnEventSetsItOffOnceItWasSeenSoOften) {
  InjectStep& step = Step({"a"});
  step.when.emplace();
  step.when->kind = "worker";
  step.when->event = "polling";
  step.when->where = {{"worker", "w"}};
  step.when->count = 2;
  EXPECT_OK(Inject(step)) << "the steps go on";
  for (const char* worker : {"w", "v", "v"}) driver_->OnEvent(Polling(worker));
  executor_.RunReady();
  EXPECT_THAT(Injected(), IsEmpty());
  for (int i = 0; i < 5; ++i) driver_->OnEvent(Polling("w"));
  executor_.RunReady();
  EXPECT_THAT(Injected(), ElementsAre("f")) << "and no more";
}

TEST_F(FaultDriverTest, HealingDisarmsWhatWaitsForItsEvent) {
  InjectStep& step = Step({"a"});
  step.when.emplace();
  step.when->kind = "worker";
  step.when->event = "polling";
  EXPECT_OK(Inject(step));
  driver_->Heal({"f"}, [](const Status&) {});
  driver_->OnEvent(Polling("w"));
  executor_.RunReady();
  EXPECT_THAT(Injected(), IsEmpty());
}

TEST_F(FaultDriverTest, InALaterRoundANodeMayBeMissing) {
  InjectStep& step = Step({"a"});
  step.every = 1s;
  step.span = 500ms;
  step.times = 3;
  world_.fail["inject f#2"] = Status(StatusCode::kFailedPrecondition, "does not run");
  world_.fail["inject f#3"] = Status(StatusCode::kUnavailable, "no");
  EXPECT_OK(Inject(step));
  executor_.Advance(1h);
  EXPECT_THAT(blamed_, ElementsAre("inject f: no"));
}

TEST_F(FaultDriverTest, WhatComesTooLateHealsAsItGoes) {
  const InjectStep& step = Step({"a", "b"});
  world_.takes["inject f@b"] = 10s;
  EXPECT_THAT(Inject(step), StatusIs(StatusCode::kDeadlineExceeded, "not done"));
  driver_->ForgetInjections({"f"});
  executor_.Advance(1h);
  EXPECT_EQ(world_.faults_alive, 1) << "a's";
  EXPECT_EQ(world_.log.back(), "drop f@b");
  EXPECT_EQ(driver_->Last(), "f@a");
  driver_->DropAll();
  EXPECT_EQ(world_.faults_alive, 0);
}

}  // namespace
}  // namespace squall::scenarios
