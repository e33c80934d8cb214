// Every built-in workflow fed with activations by hand, at once and again after an eviction at
// every point.

#include "fakes/worker/builtins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/util/executor.h"
#include "core/worker/activity_dispatcher.h"
#include "core/worker/workflow_dispatcher.h"
#include "tests/support/activations.h"

namespace squall::fakes {
namespace {

using core::Activation;
using core::Json;
using ::squall::testing::Activate;
using ::squall::testing::Commands;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BuiltinsTest : public ::testing::Test {
 protected:
  BuiltinsTest() {
    RegisterBuiltins(registry_,
                     {.on_effect = [this](const std::string& key, const std::string& workflow_id) {
                       effects_.push_back(key + " of " + workflow_id);
                     }});
  }

  // Feeds `steps` and expects these commands; then does it again with an eviction and a full replay
  // before every step: what the cache holds must never matter.
  void Expect(const std::vector<Activation>& steps,
              const std::vector<std::vector<std::string>>& commands) {
    ASSERT_EQ(steps.size(), commands.size());
    core::WorkflowDispatcher cached(registry_, {.task_queue = "queue"});
    for (std::size_t i = 0; i < steps.size(); ++i)
      EXPECT_EQ(Commands(cached.Handle(steps[i])), commands[i]) << "step " << i;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      core::WorkflowDispatcher cold(registry_, {.task_queue = "queue"});
      for (std::size_t j = 0; j < i; ++j) {
        Activation replayed = steps[j];
        replayed.set_is_replaying(true);
        for (auto& job : *replayed.mutable_jobs()) {
          if (job.has_do_update()) job.mutable_do_update()->set_run_validator(false);
        }
        EXPECT_EQ(Commands(cold.Handle(replayed)), commands[j])
            << "replayed step " << j << " before " << i;
      }
      EXPECT_EQ(Commands(cold.Handle(steps[i])), commands[i]) << "step " << i << " after a replay";
    }
  }

  core::Registry registry_;
  std::vector<std::string> effects_;
};

TEST_F(BuiltinsTest, AllAreThere) {
  EXPECT_THAT(registry_.WorkflowTypes(),
              ElementsAre("Cancellable", "Chain", "Echo", "Flaky", "FlakyOnce", "Loop", "Parent",
                          "Ping", "SignalWait", "Slow", "Timer"));
  EXPECT_THAT(registry_.ActivityTypes(), ElementsAre("echo", "effect", "flaky", "slow"));
}

TEST_F(BuiltinsTest, Ping) {
  Expect({Activate().Init("Ping", Json{R"({"a": [1, 2]})"})}, {{R"(complete {"a": [1, 2]})"}});
  Expect({Activate().Init("Ping")}, {{"complete null"}});
}

TEST_F(BuiltinsTest, Echo) {
  Expect({Activate().Init("Echo", 7), Activate().ActivityDone(1, 7)},
         {{"schedule_activity 1 echo [7]"}, {"complete 7"}});
}

TEST_F(BuiltinsTest, Chain) {
  Expect({Activate().Init("Chain", 2), Activate().ActivityDone(1, std::string("k")),
          Activate().ActivityDone(2, 0)},
         {{"schedule_activity 1 effect [\"effect/wf-1/1\"]"},
          {"schedule_activity 2 effect [\"effect/wf-1/2\"]"},
          {"complete 2"}});
  Expect({Activate().Init("Chain", 0)}, {{"complete 0"}});
}

TEST_F(BuiltinsTest, Timer) {
  Expect({Activate().Init("Timer", 1500), Activate().Fire(1)},
         {{"start_timer 1 1500ms"}, {"complete \"done\""}});
  Expect({Activate().Init("Timer", 1500), Activate().Cancel()},
         {{"start_timer 1 1500ms"}, {"cancel_timer 1", "cancelled"}});
}

TEST_F(BuiltinsTest, Slow) {
  Expect({Activate().Init("Slow", 6), Activate().ActivityDone(1, std::string("slow done"))},
         {{"schedule_activity 1 slow [6.0]"}, {"complete \"slow done\""}});
  Expect({Activate().Init("Slow", 6), Activate().ActivityFailed(1, "timed out")},
         {{"schedule_activity 1 slow [6.0]"}, {"fail Activity task failed: timed out"}});
  const auto completion =
      core::WorkflowDispatcher(registry_, {}).Handle(Activate().Init("Slow", 6));
  const auto& activity = completion.successful().commands(0).schedule_activity();
  EXPECT_EQ(activity.heartbeat_timeout().seconds(), 5);
  EXPECT_EQ(activity.start_to_close_timeout().seconds(), 66);
  EXPECT_EQ(activity.retry_policy().maximum_attempts(), 5);
}

TEST_F(BuiltinsTest, Flaky) {
  Expect({Activate().Init("Flaky", 2), Activate().ActivityDone(1, 3)},
         {{"schedule_activity 1 flaky [2]"}, {"complete 3"}});
  const auto attempts = [&](const char* type) {
    const auto completion =
        core::WorkflowDispatcher(registry_, {}).Handle(Activate().Init(type, 2));
    return completion.successful().commands(0).schedule_activity().retry_policy();
  };
  EXPECT_EQ(attempts("Flaky").maximum_attempts(), 5);
  EXPECT_EQ(attempts("Flaky").initial_interval().seconds(), 1);
  EXPECT_EQ(attempts("FlakyOnce").maximum_attempts(), 1);
}

TEST_F(BuiltinsTest, SignalWait) {
  Expect({Activate().Init("SignalWait"), Activate().Update("u1", "set", std::string("busy")),
          Activate().Query("q1", "state"), Activate().Signal("go", Json{R"({"k": 1})"}),
          Activate().Query("q2", "state")},
         {{},
          {"update accepted u1/protocol", "update completed \"waiting\""},
          {"query q1 \"busy\""},
          {"complete {\"k\": 1}"},
          {"query q2 \"done\""}});
  // Signal and update with the first task.
  Expect({Activate().Init("SignalWait").Signal("go", 5).Update("u1", "set", std::string("early"))},
         {{"update accepted u1/protocol", "update completed \"waiting\"", "complete 5"}});
}

TEST_F(BuiltinsTest, SignalWaitRejectsAnEmptyState) {
  core::WorkflowDispatcher dispatcher(registry_, {});
  dispatcher.Handle(Activate().Init("SignalWait"));
  EXPECT_THAT(Commands(dispatcher.Handle(Activate().Update("u", "set", std::string()))),
              ElementsAre("update rejected the state must not be empty"));
}

TEST_F(BuiltinsTest, Parent) {
  Expect({Activate().Init("Parent", 7), Activate().ChildStarted(1), Activate().ChildDone(1, 7)},
         {{"start_child 1 Ping wf-1/child [7]"}, {}, {"complete 7"}});
}

TEST_F(BuiltinsTest, Loop) {
  Expect({Activate().Init("Loop", 2)}, {{"continue_as_new Loop [2, 1]"}});
  Expect({Activate().Init("Loop", 2, 1)}, {{"continue_as_new Loop [2, 2]"}});
  Expect({Activate().Init("Loop", 2, 2)}, {{"complete 2"}});
}

TEST_F(BuiltinsTest, Cancellable) {
  Expect({Activate().Init("Cancellable"), Activate().Cancel("enough")}, {{}, {"cancelled"}});
  Expect({Activate().Init("Cancellable").Cancel("at once")}, {{"cancelled"}});
}

TEST_F(BuiltinsTest, SlowActivityBeatsAndHasItsEffectOnce) {
  ManualClock clock;
  ManualExecutor executor(clock);
  int beats = 0;
  std::vector<std::string> ended;
  core::ActivityDispatcher::Callbacks callbacks;
  callbacks.complete = [&](const coresdk::ActivityTaskCompletion& completion) {
    ended.push_back(completion.result().has_completed() ? "completed" : "not completed");
  };
  callbacks.heartbeat = [&](const coresdk::ActivityHeartbeat&) { ++beats; };
  core::ActivityDispatcher dispatcher(registry_, executor, {}, std::move(callbacks));
  const auto start = [&](const std::string& token) {
    coresdk::activity_task::ActivityTask task;
    task.set_task_token(token);
    task.mutable_start()->set_activity_type("slow");
    task.mutable_start()->mutable_workflow_execution()->set_workflow_id("wf-1");
    task.mutable_start()->mutable_heartbeat_timeout()->set_seconds(5);
    *task.mutable_start()->add_input() = core::Encode(3.5);
    dispatcher.Handle(task);
  };
  start("a");
  executor.Advance(milliseconds(3499));
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_EQ(beats, 4);
  executor.Advance(milliseconds(1));
  EXPECT_THAT(effects_, ElementsAre("slow/wf-1 of wf-1"));
  EXPECT_THAT(ended, ElementsAre("completed"));

  start("b");
  executor.Advance(seconds(1));
  coresdk::activity_task::ActivityTask cancel;
  cancel.set_task_token("b");
  cancel.mutable_cancel()->set_reason(coresdk::activity_task::CANCELLED);
  dispatcher.Handle(cancel);
  executor.RunReady();
  EXPECT_THAT(ended, ElementsAre("completed", "not completed"));
  EXPECT_EQ(effects_.size(), 1U);
}

}  // namespace
}  // namespace squall::fakes
