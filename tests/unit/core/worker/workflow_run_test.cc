// The coroutine layer, fed with activations by hand: order of jobs, cancellation, handlers,
// failures, eviction. The built-in workflows have tests of their own in tests/unit/fakes/worker.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/worker/workflow_dispatcher.h"
#include "tests/support/activations.h"

namespace squall::core {
namespace {

using ::squall::testing::Activate;
using ::squall::testing::Commands;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ActivityOptions Short() {
  ActivityOptions options;
  options.start_to_close_timeout = seconds(10);
  return options;
}

class WorkflowRunTest : public ::testing::Test {
 protected:
  std::vector<std::string> Feed(const Activation& activation) {
    return Commands(dispatcher_.Handle(activation));
  }

  Registry registry_;
  std::vector<std::string> log_;
  std::vector<std::string> warnings_;
  WorkflowDispatcher dispatcher_{
      registry_, {.ns = "default", .task_queue = "queue", .warn = [this](const std::string& text) {
                    warnings_.push_back(text);
                  }}};
};

TEST_F(WorkflowRunTest, UnknownTypeFailsTheTaskAndNamesWhatThereIs) {
  registry_.AddWorkflow("A", [](WorkflowContext&) -> Task<int> { co_return 1; });
  registry_.AddWorkflow("B", [](WorkflowContext&) -> Task<int> { co_return 1; });
  EXPECT_THAT(Feed(Activate().Init("Unknown")),
              ElementsAre("task failed: Workflow type Unknown is not registered on this worker, "
                          "available workflows: A, B"));
}

TEST_F(WorkflowRunTest, ActivationWithoutStartRecordFailsTheTask) {
  EXPECT_THAT(Feed(Activate().Fire(1)),
              ElementsAre(HasSubstr("run run-1 is not in this worker's cache")));
}

TEST_F(WorkflowRunTest, ArgumentsThatDoNotFitFailTheTask) {
  registry_.AddWorkflow("W", [](WorkflowContext&, int n) -> Task<int> { co_return n; });
  EXPECT_THAT(Feed(Activate().Init("W", std::string("x"))),
              ElementsAre("task failed: argument 1: expected an integer, found string"));
}

TEST_F(WorkflowRunTest, ExceptionsFailTheTaskAndFailuresTheWorkflow) {
  registry_.AddWorkflow("Bug", [](WorkflowContext&) -> Task<int> {
    throw std::runtime_error("a bug");
    co_return 1;
  });
  registry_.AddWorkflow("Failure", [](WorkflowContext&) -> Task<int> {
    throw ApplicationFailure("no stock", "OutOfStock");
    co_return 1;
  });
  EXPECT_THAT(Feed(Activate("r1").Init("Bug")), ElementsAre("task failed: a bug"));
  EXPECT_THAT(Feed(Activate("r2").Init("Failure")), ElementsAre("fail no stock"));
}

TEST_F(WorkflowRunTest, SeveralTimersResolveInAnyOrder) {
  registry_.AddWorkflow("W", [this](WorkflowContext& context) -> Task<int> {
    const auto long_one = context.Sleep(seconds(10));
    const auto short_one = context.Sleep(seconds(1));
    co_await short_one;
    log_.push_back("short");
    co_await long_one;
    log_.push_back("long");
    co_return 1;
  });
  EXPECT_THAT(Feed(Activate().Init("W")),
              ElementsAre("start_timer 1 10000ms", "start_timer 2 1000ms"));
  EXPECT_THAT(Feed(Activate().Fire(1)), IsEmpty());
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_THAT(Feed(Activate().Fire(2)), ElementsAre("complete 1"));
  EXPECT_THAT(log_, ElementsAre("short", "long"));
}

TEST_F(WorkflowRunTest, ActivityFailureCanBeCaught) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<std::string> {
    const ActivityOptions options = Short();
    try {
      co_await context.ExecuteActivity<int>("a", 1, options);
    } catch (const ActivityFailure& failure) {
      co_return FailureText(failure.proto());
    }
    co_return "no failure";
  });
  EXPECT_THAT(Feed(Activate().Init("W")), ElementsAre("schedule_activity 1 a [1]"));
  EXPECT_THAT(Feed(Activate().ActivityFailed(1, "boom")),
              ElementsAre("complete \"Activity task failed: boom\""));
}

TEST_F(WorkflowRunTest, ActivityFailureThatIsNotCaughtFailsTheWorkflow) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    const ActivityOptions options = Short();
    co_return co_await context.ExecuteActivity<int>("a", 1, options);
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().ActivityFailed(1, "boom")),
              ElementsAre("fail Activity task failed: boom"));
}

TEST_F(WorkflowRunTest, ResultOfAnotherTypeFailsTheTaskNotTheWorkflow) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    const ActivityOptions options = Short();
    co_return co_await context.ExecuteActivity<int>("a", 1, options);
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().ActivityDone(1, std::string("x"))),
              ElementsAre("task failed: result: expected an integer, found string"));
}

TEST_F(WorkflowRunTest, AllActivityOptionsReachTheCommand) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    ActivityOptions options;
    options.task_queue = "other";
    options.activity_id = "mine";
    options.schedule_to_close_timeout = seconds(1);
    options.schedule_to_start_timeout = seconds(2);
    options.start_to_close_timeout = seconds(3);
    options.heartbeat_timeout = milliseconds(4500);
    options.retry_policy.emplace();
    options.retry_policy->maximum_attempts = 7;
    options.retry_policy->non_retryable_error_types = {"Fatal"};
    options.cancellation_type = CancellationType::kWaitCompleted;
    options.disable_eager_execution = true;
    co_return co_await context.ExecuteActivity<int>("a", 1, options);
  });
  const ActivationCompletion completion = dispatcher_.Handle(Activate().Init("W"));
  const auto& activity = completion.successful().commands(0).schedule_activity();
  EXPECT_EQ(activity.task_queue(), "other");
  EXPECT_EQ(activity.activity_id(), "mine");
  EXPECT_EQ(activity.schedule_to_close_timeout().seconds(), 1);
  EXPECT_EQ(activity.schedule_to_start_timeout().seconds(), 2);
  EXPECT_EQ(activity.start_to_close_timeout().seconds(), 3);
  EXPECT_EQ(activity.heartbeat_timeout().nanos(), 500'000'000);
  EXPECT_EQ(activity.retry_policy().maximum_attempts(), 7);
  EXPECT_EQ(activity.retry_policy().non_retryable_error_types(0), "Fatal");
  EXPECT_EQ(activity.cancellation_type(), coresdk::workflow_commands::WAIT_CANCELLATION_COMPLETED);
  EXPECT_TRUE(activity.do_not_eagerly_execute());
}

TEST_F(WorkflowRunTest, CancellationEndsWhatIsPendingAndTheWorkflow) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    co_await context.Sleep(seconds(10));
    co_return 1;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Cancel("enough")), ElementsAre("cancel_timer 1", "cancelled"));
}

TEST_F(WorkflowRunTest, CleanUpRunsInADetachedScope) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    bool cancelled = false;
    try {
      co_await context.Sleep(seconds(10));
    } catch (const CancelledFailure&) {
      cancelled = true;
    }
    if (cancelled) {
      ActivityOptions options = Short();
      // In the workflow's own scope it would fail at once, without a command.
      EXPECT_TRUE(context.ExecuteActivity<int>("no", 1, options).done());
      options.scope = context.DetachedScope();
      co_await context.ExecuteActivity<int>("clean", 1, options);
      throw CancelledFailure("as asked");
    }
    co_return 1;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Cancel()),
              ElementsAre("cancel_timer 1", "schedule_activity 1 clean [1]"));
  EXPECT_THAT(Feed(Activate().ActivityDone(1, 1)), ElementsAre("cancelled"));
}

TEST_F(WorkflowRunTest, CancelledWithoutARequestIsAFailure) {
  registry_.AddWorkflow("W", [](WorkflowContext&) -> Task<int> {
    throw CancelledFailure("by myself");
    co_return 1;
  });
  EXPECT_THAT(Feed(Activate().Init("W")), ElementsAre("fail by myself"));
}

TEST_F(WorkflowRunTest, CancelledActivityWaitsForCoresAnswer) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    const ActivityOptions options = Short();
    co_return co_await context.ExecuteActivity<int>("a", 1, options);
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Cancel()), ElementsAre("request_cancel_activity 1"));
  EXPECT_THAT(Feed(Activate().ActivityCancelled(1)), ElementsAre("cancelled"));
}

TEST_F(WorkflowRunTest, OneOperationIsCancelledAlone) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<std::string> {
    const auto limit = context.Sleep(seconds(60));
    const auto work = context.Sleep(seconds(1));
    co_await context.WaitCondition([&] { return limit.done() || work.done(); });
    limit.Cancel();
    co_return limit.done() ? "in time" : "?";
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Fire(2)), ElementsAre("cancel_timer 1", "complete \"in time\""));
}

TEST_F(WorkflowRunTest, ChildScopesAreCancelledWithTheirParent) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    const auto scope = context.scope()->NewChild();
    const auto timer = context.Sleep(seconds(5), scope);
    scope->Cancel();
    EXPECT_TRUE(timer.done());
    EXPECT_FALSE(context.cancel_requested());
    co_await context.Sleep(seconds(6), context.scope()->NewChild());
    co_return 1;
  });
  EXPECT_THAT(Feed(Activate().Init("W")),
              ElementsAre("start_timer 1 5000ms", "cancel_timer 1", "start_timer 2 6000ms"));
  EXPECT_THAT(Feed(Activate().Cancel()), ElementsAre("cancel_timer 2", "cancelled"));
}

TEST_F(WorkflowRunTest, ConditionWithALimit) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<bool> {
    bool go = false;
    context.OnSignal("go", [&go]() { go = true; });
    co_return co_await context.WaitCondition([&go] { return go; }, seconds(5));
  });
  EXPECT_THAT(Feed(Activate("r1").Init("W")), ElementsAre("start_timer 1 5000ms"));
  EXPECT_THAT(Feed(Activate("r1").Signal("go")), ElementsAre("cancel_timer 1", "complete true"));
  Feed(Activate("r2").Init("W"));
  EXPECT_THAT(Feed(Activate("r2").Fire(1)), ElementsAre("complete false"));
}

TEST_F(WorkflowRunTest, SignalsBeforeTheStartAreHandledBeforeRun) {
  struct Early {
    explicit Early(WorkflowContext& context) {
      context.OnSignal("add", [this](int n) { sum += n; });
    }
    Task<int> Run() { co_return sum; }
    int sum = 0;
  };
  registry_.AddWorkflow<Early>("Early");
  EXPECT_THAT(Feed(Activate().Init("Early").Signal("add", 1).Signal("add", 2)),
              ElementsAre("complete 3"));
}

TEST_F(WorkflowRunTest, SignalsWithoutAHandlerWaitForOne) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    const int first = co_await context.WaitSignal<int>("n");
    const int second = co_await context.WaitSignal<int>("n");
    co_return first * 10 + second;
  });
  EXPECT_THAT(Feed(Activate().Init("W").Signal("n", 4)), IsEmpty());
  EXPECT_THAT(Feed(Activate().Signal("n", 2)), ElementsAre("complete 42"));
}

TEST_F(WorkflowRunTest, SignalThatNobodyCanReadIsDroppedWithAWarning) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    context.OnSignal("n", [](int) {});
    co_await context.WaitCondition([] { return false; });
    co_return 1;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Signal("n", std::string("x"))), IsEmpty());
  EXPECT_THAT(
      warnings_,
      ElementsAre(HasSubstr("signal n dropped: argument 1: expected an integer, found string")));
}

TEST_F(WorkflowRunTest, SignalHandlersMayBeCoroutines) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    int done = 0;
    context.OnSignal("work", [&context, &done](int ms) -> Task<void> {
      co_await context.Sleep(milliseconds(ms));
      ++done;
    });
    co_await context.WaitCondition([&done] { return done == 2; });
    co_return done;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Signal("work", 7).Signal("work", 8)),
              ElementsAre("start_timer 1 7ms", "start_timer 2 8ms"));
  EXPECT_THAT(Feed(Activate().Fire(2)), IsEmpty());
  EXPECT_THAT(Feed(Activate().Fire(1)), ElementsAre("complete 2"));
}

TEST_F(WorkflowRunTest, QueriesReadAndNothingElse) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    int count = 3;
    context.OnQuery("count", [&count]() { return count; });
    context.OnQuery("bad", [&context]() {
      context.Sleep(seconds(1));
      return 0;
    });
    co_await context.WaitCondition([] { return false; });
    co_return count;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(
      Feed(Activate().Query("q1", "count").Query("q2", "nope").Query("q3", "bad")),
      ElementsAre(
          "query q1 3",
          "query q2 failed: Query handler for 'nope' expected but not found, known queries: "
          "[bad count]",
          "query q3 failed: queries and validators must not act on the workflow"));
}

TEST_F(WorkflowRunTest, UpdatesAreValidatedAcceptedAndCompleted) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    int value = 0;
    context.OnUpdate(
        "set",
        [&](int n) -> Task<int> {
          co_await context.Sleep(milliseconds(5));
          co_return std::exchange(value, n);
        },
        [](int n) {
          if (n < 0) throw ApplicationFailure("negative");
        });
    co_await context.WaitCondition([&value] { return value != 0; });
    co_return value;
  });
  Feed(Activate().Init("W"));
  EXPECT_THAT(Feed(Activate().Update("u1", "set", -1)), ElementsAre("update rejected negative"));
  EXPECT_THAT(Feed(Activate().Update("u2", "nope", 1)),
              ElementsAre(HasSubstr("known updates: [set]")));
  EXPECT_THAT(Feed(Activate().Update("u3", "set", 5)),
              ElementsAre("update accepted u3/protocol", "start_timer 1 5ms"));
  EXPECT_THAT(Feed(Activate().Fire(1)), ElementsAre("update completed 0", "complete 5"));
}

TEST_F(WorkflowRunTest, ReplayedUpdatesAreNotValidatedAgain) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    context.OnUpdate(
        "set", [](int n) { return n; }, [](int) { throw ApplicationFailure("always"); });
    co_await context.WaitCondition([] { return false; });
    co_return 1;
  });
  Feed(Activate().Replaying().Init("W"));
  EXPECT_THAT(Feed(Activate().Replaying().Update("u1", "set", 5)),
              ElementsAre("update accepted u1/protocol", "update completed 5"));
}

TEST_F(WorkflowRunTest, ChildResultsAndFailedStarts) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<int> {
    ChildOptions options;
    options.workflow_id = "wf-1/child";
    try {
      co_return co_await context.ExecuteChild<int>("Ping", 1, options);
    } catch (const ChildWorkflowFailure& failure) {
      EXPECT_THAT(FailureText(failure.proto()), HasSubstr("WORKFLOW_ALREADY_EXISTS"));
    }
    co_return -1;
  });
  EXPECT_THAT(Feed(Activate("r1").Init("W")), ElementsAre("start_child 1 Ping wf-1/child [1]"));
  EXPECT_THAT(Feed(Activate("r1").ChildStarted(1)), IsEmpty());
  EXPECT_THAT(Feed(Activate("r1").ChildDone(1, 9)), ElementsAre("complete 9"));
  Feed(Activate("r2").Init("W"));
  EXPECT_THAT(Feed(Activate("r2").ChildNotStarted(1)), ElementsAre("complete -1"));
}

TEST_F(WorkflowRunTest, TimeAndRandomnessComeFromTheActivation) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<std::string> {
    const WallTime before = context.Now();
    const std::string id = context.random().Uuid();
    co_await context.Sleep(seconds(5));
    co_return fmt::format("{} {}", id, (context.Now() - before) / seconds(1));
  });
  const auto run = [this](const std::string& run_id) {
    Feed(Activate(run_id, 1000).Init("W"));
    return Feed(Activate(run_id, 1009).Fire(1));
  };
  const std::vector<std::string> first = run("r1");
  EXPECT_THAT(first, ElementsAre(HasSubstr(" 9\"")));
  EXPECT_EQ(run("r2"), first);
}

TEST_F(WorkflowRunTest, PatchesHoldForNewRunsAndForReplaysThatSawThem) {
  registry_.AddWorkflow(
      "W", [](WorkflowContext& context) -> Task<int> { co_return context.Patched("p") ? 2 : 1; });
  EXPECT_THAT(Feed(Activate("r1").Init("W")), ElementsAre("patch p", "complete 2"));
  EXPECT_THAT(Feed(Activate("r2").Replaying().Init("W")), ElementsAre("complete 1"));
  EXPECT_THAT(Feed(Activate("r3").Replaying().Init("W").Patch("p")),
              ElementsAre("patch p", "complete 2"));
}

TEST_F(WorkflowRunTest, EvictionDestroysFramesWithoutRunningThem) {
  struct Guard {
    std::vector<std::string>& log;
    std::string name;
    ~Guard() { log.push_back("~" + name); }
  };
  const auto inner = [this](WorkflowContext& context) -> Task<int> {
    const Guard guard{log_, "inner"};
    co_await context.Sleep(seconds(1));
    log_.push_back("inner went on");
    co_return 1;
  };
  registry_.AddWorkflow("W", [this, inner](WorkflowContext& context) -> Task<int> {
    const Guard guard{log_, "outer"};
    const int n = co_await inner(context);
    log_.push_back("outer went on");
    co_return n;
  });
  Feed(Activate().Init("W"));
  EXPECT_EQ(dispatcher_.cached_runs(), 1U);
  EXPECT_THAT(Feed(Activate().Evict()), IsEmpty());
  EXPECT_EQ(dispatcher_.cached_runs(), 0U);
  EXPECT_THAT(log_, ElementsAre("~inner", "~outer"));
}

TEST_F(WorkflowRunTest, ReplayAfterEvictionGivesTheSameCommands) {
  registry_.AddWorkflow("W", [](WorkflowContext& context) -> Task<std::string> {
    const ActivityOptions options = Short();
    const auto a = context.ExecuteActivity<int>("a", context.random().Uuid(), options);
    const auto b = context.ExecuteActivity<int>("b", 2, options);
    const int sum = co_await a + co_await b;
    co_await context.Sleep(seconds(sum));
    co_return std::to_string(sum);
  });
  const std::vector<Activation> steps = {Activate().Init("W"), Activate().ActivityDone(2, 20),
                                         Activate().ActivityDone(1, 1), Activate().Fire(1)};
  std::vector<std::vector<std::string>> first;
  for (const Activation& step : steps) first.push_back(Feed(step));
  EXPECT_THAT(first.back(), ElementsAre("complete \"21\""));
  // Evicted after every prefix and replayed from the start.
  for (std::size_t cut = 1; cut <= steps.size(); ++cut) {
    Feed(Activate().Evict());
    for (std::size_t i = 0; i < cut; ++i) {
      Activation replayed = steps[i];
      replayed.set_is_replaying(true);
      EXPECT_EQ(Feed(replayed), first[i]) << "step " << i << " after a cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace squall::core
