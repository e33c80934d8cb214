#include "scenarios/engine/worker_book.h"

#include <gmock/gmock.h>

#include <set>

namespace squall::scenarios {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WorkerBookTest : public ::testing::Test {
 protected:
  WorkerBookTest() : executor_(clock_) {
    WorkerSpec worker;
    worker.name = "w";
    worker.task_queue = "orders";
    worker.restart = {.on_exit = true, .back_off = {1s, 4s}};
    topology_.workers.push_back(worker);
    worker.name = "command";
    worker.kind = WorkerSpec::Kind::kCommand;
    worker.restart = {};
    topology_.workers.push_back(worker);
    book_ = std::make_unique<WorkerBook>(
        executor_, topology_,
        WorkerBook::Hooks{
            .alive = [this](const std::string& name) { return running_.contains(name); },
            .start_again = [this](const std::string& name) { Start(name); }});
  }
  void Start(const std::string& name) {
    book_->Starting(name);
    running_.insert(name);
    started_.push_back(name);
  }
  void End(const std::string& name, std::string_view reason) {
    running_.erase(name);
    book_->Ended(name, reason);
  }
  void Polling(const std::string& name) {
    journal::WorkerEvent event;
    event.what = "polling";
    event.worker = name;
    book_->OnEvent({.source = "w", .payload = event});
  }
  void Poll(const std::string& queue, const std::string& what = "arrived") {
    journal::PollerEvent event;
    event.what = what;
    event.task_queue = queue;
    event.ns = "default";
    book_->OnEvent({.source = "server", .payload = event});
  }
  bool Healthy(const std::string& name) {
    bool healthy = false;
    book_->WaitHealthy(name, [&healthy](const Status& status) { healthy = status.ok(); });
    executor_.RunReady();
    book_->CancelWaits();
    return healthy;
  }

  ManualClock clock_;
  ManualExecutor executor_;
  Topology topology_;
  std::set<std::string> running_;
  std::vector<std::string> started_;
  std::unique_ptr<WorkerBook> book_;
};

TEST_F(WorkerBookTest, HealthyIsUpAndSaysSoAndPolls) {
  EXPECT_FALSE(Healthy("w"));
  Start("w");
  EXPECT_FALSE(Healthy("w"));
  Polling("w");
  EXPECT_FALSE(Healthy("w"));
  Poll("other");
  Poll("orders", "gone");
  EXPECT_FALSE(Healthy("w"));
  Poll("orders", "seen");
  EXPECT_TRUE(Healthy("w"));
}

TEST_F(WorkerBookTest, ACommandSaysNothingAndItsPollIsEnough) {
  Start("command");
  EXPECT_FALSE(Healthy("command"));
  Poll("orders");
  EXPECT_TRUE(Healthy("command"));
}

TEST_F(WorkerBookTest, WhoWaitsIsToldOnceItIsHealthy) {
  int told = 0;
  book_->WaitHealthy("w", [&told](const Status&) { ++told; });
  Start("w");
  Polling("w");
  executor_.RunReady();
  EXPECT_EQ(told, 0);
  Poll("orders");
  EXPECT_EQ(told, 0) << "never inline";
  executor_.RunReady();
  Poll("orders");
  executor_.RunReady();
  EXPECT_EQ(told, 1);
}

TEST_F(WorkerBookTest, AnotherLifeProvesItselfAnew) {
  Start("w");
  Polling("w");
  Poll("orders");
  End("w", "asked");
  EXPECT_FALSE(Healthy("w"));
  Start("w");
  EXPECT_FALSE(Healthy("w"));
}

TEST_F(WorkerBookTest, ThePlatformStartsItAgainAfterItsBackOff) {
  book_->Wanted("w");
  Start("w");
  End("w", "unexpected");
  executor_.Advance(999ms);
  EXPECT_THAT(started_, ElementsAre("w"));
  executor_.Advance(1ms);
  EXPECT_THAT(started_, ElementsAre("w", "w"));
  for (const Duration pause : {4s, 4s}) {  // the last value repeats
    End("w", "injected");
    executor_.Advance(pause - 1ms);
    const std::size_t before = started_.size();
    executor_.Advance(1ms);
    EXPECT_EQ(started_.size(), before + 1);
  }
}

TEST_F(WorkerBookTest, AStepThatStartsItBeginsTheBackOffAnew) {
  book_->Wanted("w");
  Start("w");
  End("w", "unexpected");
  executor_.Advance(1s);
  book_->Wanted("w");
  End("w", "unexpected");
  executor_.Advance(1s);
  EXPECT_EQ(started_.size(), 3U);
}

TEST_F(WorkerBookTest, WhatIsAskedToEndStaysDown) {
  book_->Wanted("w");
  Start("w");
  End("w", "asked");
  executor_.Advance(1min);
  End("w", "unexpected");
  book_->Unwanted("w");  // during the back-off
  executor_.Advance(1min);
  EXPECT_THAT(started_, ElementsAre("w"));
}

TEST_F(WorkerBookTest, NothingIsStartedAfterTheRun) {
  book_->Wanted("w");
  Start("w");
  End("w", "unexpected");
  book_->Close();
  executor_.Advance(1min);
  End("w", "unexpected");
  executor_.Advance(1min);
  EXPECT_THAT(started_, ElementsAre("w"));
  EXPECT_EQ(executor_.NextDeadline(), std::nullopt);
}

TEST_F(WorkerBookTest, NobodyIsCalledAfterItIsGone) {
  bool told = false;
  book_->WaitHealthy("w", [&told](const Status&) { told = true; });
  Start("w");
  Polling("w");
  Poll("orders");
  book_.reset();
  executor_.RunReady();
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace squall::scenarios
