// R1 to R5 of the incidents, on virtual time, with a fake factory.

#include "fakes/worker/supervising_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fakes/worker/fake_factory.h"

namespace squall::fakes {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Status kRefused(StatusCode::kUnavailable, "tcp connect error");

class SupervisingHostTest : public ::testing::Test {
 protected:
  SupervisingHostTest() { Make({}); }

  void Make(SupervisingOptions options) {
    host_ = std::make_unique<SupervisingHost>(
        Host::Environment{executor_, factory_,
                          [this](const journal::WorkerEvent& event) {
                            if (event.what == "retrying")
                              delays_.push_back(event.delay / seconds(1));
                            words_.push_back(event.what);
                          },
                          [this](int code) { exit_code_ = code; }},
        options);
  }
  std::vector<std::int64_t> ConnectSeconds() const {
    std::vector<std::int64_t> all;
    for (const SteadyTime time : world_.connects)
      all.push_back(time.time_since_epoch() / seconds(1));
    return all;
  }
  std::ptrdiff_t Count(const std::string& word) const {
    return std::count(words_.begin(), words_.end(), word);
  }
  Status Create() {
    Status result(StatusCode::kUnknown, "no answer");
    host_->Create({"Ping", "wf", "q", "1"}, [&](const Status& status) { result = status; });
    executor_.RunReady();
    return result;
  }

  ManualClock clock_;
  ManualExecutor executor_{clock_};
  testing::World world_;
  testing::FakeFactory factory_{world_, executor_};
  std::vector<std::string> words_;
  std::vector<std::int64_t> delays_;
  std::optional<int> exit_code_;
  std::unique_ptr<SupervisingHost> host_;
};

TEST_F(SupervisingHostTest, StartsThreeWorkersWhenTheServerIsThere) {
  host_->Start();
  executor_.RunReady();
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_polling, 3);
  EXPECT_THAT(words_, ElementsAre("connecting", "connected", "started", "polling", "started",
                                  "polling", "started", "polling", "healthy"));
}

TEST_F(SupervisingHostTest, ReconnectsAfterDoublingDelaysUpTo30SecondsAndRecovers) {
  world_.connect = kRefused;
  host_->Start();
  executor_.Advance(seconds(90));
  EXPECT_THAT(delays_, ElementsAre(1, 2, 4, 8, 16, 30, 30));
  EXPECT_THAT(ConnectSeconds(), ElementsAre(0, 1, 3, 7, 15, 31, 61));
  EXPECT_EQ(world_.workers_made, 0);
  world_.connect = absl::OkStatus();
  executor_.Advance(seconds(30));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_polling, 3);
}

TEST_F(SupervisingHostTest, NoticesALostServerAtTheNextHealthCheckAndRestartsTheWorkers) {
  host_->Start();
  executor_.Advance(seconds(16));
  world_.health = world_.connect = kRefused;
  executor_.Advance(seconds(13));
  EXPECT_TRUE(host_->up());  // 29 s: nothing was asked since 15 s
  executor_.Advance(seconds(1));
  EXPECT_FALSE(host_->up());
  EXPECT_EQ(Count("unhealthy"), 1);
  EXPECT_EQ(world_.workers_alive, 0);

  executor_.Advance(seconds(5));
  world_.health = world_.connect = absl::OkStatus();
  executor_.Advance(seconds(2));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_made, 6);
  EXPECT_EQ(world_.workers_polling, 3);
  EXPECT_EQ(world_.connections, 1);
  EXPECT_THAT(ConnectSeconds(), ElementsAre(0, 31, 33, 37));
}

TEST_F(SupervisingHostTest, BackoffBeginsAnewAfterARecovery) {
  world_.connect = kRefused;
  host_->Start();
  executor_.Advance(seconds(10));
  world_.connect = absl::OkStatus();
  executor_.Advance(seconds(5));
  ASSERT_TRUE(host_->up());
  world_.health = world_.connect = kRefused;
  delays_.clear();
  executor_.Advance(seconds(15 + 7));
  EXPECT_THAT(delays_, ElementsAre(1, 2, 4, 8));
}

TEST_F(SupervisingHostTest, HealthChecksComeEvery15SecondsAfterTheAnswer) {
  world_.health_takes = milliseconds(500);
  host_->Start();
  executor_.Advance(seconds(48));
  std::vector<std::int64_t> times;
  for (const SteadyTime time : world_.health_checks)
    times.push_back(time.time_since_epoch() / milliseconds(1));
  EXPECT_THAT(times, ElementsAre(0, 15500, 31000, 46500));
}

TEST_F(SupervisingHostTest, ASilentServerIsUnhealthyAfterTheCheckLimit) {
  host_->Start();
  executor_.RunReady();
  world_.health_silent = true;
  world_.connect_silent = true;
  executor_.Advance(seconds(15 + 5));
  EXPECT_EQ(Count("unhealthy"), 1);
  // Reconnecting runs into its own limit: 20 + 1, then 10 s of silence, then 2 s.
  executor_.Advance(seconds(1 + 10 + 2));
  EXPECT_EQ(world_.cancelled_connects, 1);
  EXPECT_THAT(ConnectSeconds(), ElementsAre(0, 21, 33));
}

TEST_F(SupervisingHostTest, AMissingNamespaceIsAskedForEvery15Seconds) {
  world_.health = Status(StatusCode::kNotFound, "Namespace nope is not found.");
  host_->Start();
  executor_.Advance(seconds(46));
  EXPECT_THAT(delays_, ElementsAre(15, 15, 15, 15));
  EXPECT_EQ(world_.connects.size(), 1U);
  world_.health = absl::OkStatus();
  executor_.Advance(seconds(15));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_polling, 3);
}

TEST_F(SupervisingHostTest, ARefusedValidationIsTriedAgain) {
  world_.validate = Status(StatusCode::kPermissionDenied, "no");
  host_->Start();
  executor_.Advance(seconds(1));
  EXPECT_FALSE(host_->up());
  EXPECT_EQ(host_->workers(), 0U);
  world_.validate = absl::OkStatus();
  executor_.Advance(seconds(15));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_alive, 3);
}

TEST_F(SupervisingHostTest, WorkersThatDoNotStartAreGivenUp) {
  world_.validate_silent = true;
  host_->Start();
  executor_.Advance(seconds(10));
  EXPECT_EQ(Count("unhealthy"), 1);
  EXPECT_EQ(host_->workers(), 0U);
  world_.validate_silent = false;
  executor_.Advance(seconds(1));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_polling, 3);
}

TEST_F(SupervisingHostTest, ACancellationFromInsideIsALossOfTheWorkersLikeAnyOther) {
  host_->Start();
  executor_.RunReady();
  host_->Cancel();
  EXPECT_FALSE(host_->up());
  executor_.Advance(seconds(1));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_made, 6);
  EXPECT_EQ(world_.workers_polling, 3);
}

TEST_F(SupervisingHostTest, AFatalWorkerBringsTheRestartForward) {
  host_->Start();
  executor_.RunReady();
  world_.listeners.at(2)->OnFatal(Status(StatusCode::kInternal, "poll failed"));
  executor_.Advance(seconds(1));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_made, 6);
  EXPECT_EQ(world_.workers_alive, 3);
}

TEST_F(SupervisingHostTest, AWorkerThatDoesNotStopIsLeftBehindAfterTheLimit) {
  host_->Start();
  executor_.RunReady();
  world_.stop_silent = true;
  world_.health = Status(StatusCode::kUnavailable, "restarting");
  executor_.Advance(seconds(15));
  world_.health = absl::OkStatus();
  executor_.Advance(seconds(1));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(world_.workers_alive, 6);
  executor_.Advance(seconds(29));
  EXPECT_EQ(world_.workers_alive, 3);
  EXPECT_EQ(world_.workers_polling, 3);
}

TEST_F(SupervisingHostTest, CreationsFailFastWhileDownAndWorkWhileUp) {
  world_.connect = kRefused;
  host_->Start();
  executor_.RunReady();
  const Status down = Create();
  EXPECT_EQ(down.code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(down)), HasSubstr("try again later"));
  EXPECT_THAT(world_.started_workflows, IsEmpty());
  world_.connect = absl::OkStatus();
  executor_.Advance(seconds(1));
  EXPECT_TRUE(Create().ok());
  EXPECT_THAT(world_.started_workflows, ElementsAre("wf"));
}

TEST_F(SupervisingHostTest, FiftyReconnectsLeakNothing) {
  host_->Start();
  executor_.RunReady();
  for (int i = 0; i < 50; ++i) {
    world_.health = kRefused;
    executor_.Advance(seconds(15));
    ASSERT_FALSE(host_->up());
    world_.health = absl::OkStatus();
    executor_.Advance(seconds(1));
    ASSERT_TRUE(host_->up());
  }
  EXPECT_EQ(world_.workers_alive, 3);
  EXPECT_EQ(world_.connections, 1);
  EXPECT_EQ(host_->workers(), 3U);
}

TEST_F(SupervisingHostTest, StopsGracefullyFromEveryState) {
  host_->Start();
  executor_.RunReady();
  host_->Stop();
  executor_.RunReady();
  EXPECT_EQ(exit_code_, 0);
  EXPECT_EQ(world_.workers_alive, 0);

  exit_code_.reset();
  world_.connect_silent = true;
  Make({});
  host_->Start();
  executor_.RunReady();
  host_->Stop();
  EXPECT_EQ(exit_code_, 0);
  EXPECT_EQ(executor_.NextDeadline(), std::nullopt);
}

TEST_F(SupervisingHostTest, DestructionStopsItsTimers) {
  host_->Start();
  executor_.RunReady();
  host_.reset();
  words_.clear();
  executor_.Advance(seconds(60));
  EXPECT_THAT(words_, IsEmpty());
  EXPECT_EQ(world_.workers_alive, 0);
  EXPECT_EQ(world_.connections, 0);
}

// The broken host: after one loss it looks healthy and nothing polls.
TEST_F(SupervisingHostTest, WithoutRestartNothingPollsAfterALoss) {
  SupervisingOptions options;
  options.restart = false;
  Make(options);
  host_->Start();
  executor_.RunReady();
  EXPECT_EQ(world_.workers_polling, 3);
  world_.health = kRefused;
  executor_.Advance(seconds(15));
  world_.health = absl::OkStatus();
  executor_.Advance(seconds(120));
  EXPECT_TRUE(host_->up());
  EXPECT_EQ(words_.back(), "healthy");
  EXPECT_EQ(world_.workers_alive, 0);
}

}  // namespace
}  // namespace squall::fakes
