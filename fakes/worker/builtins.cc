#include "fakes/worker/builtins.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace squall::fakes {
namespace {

using core::ActivityContext;
using core::ActivityOptions;
using core::Json;
using core::Nothing;
using core::Task;
using core::WorkflowContext;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Long enough for a worker to come back after any outage that scenarios make.
constexpr seconds kShortActivityLimit{30};
// As in ground-truth.md's "Slow": what a worker's death costs is one heartbeat time-out.
constexpr seconds kHeartbeatLimit{5};
constexpr int kSlowAttemptsMax = 5;
constexpr seconds kFlakyFirst{1};  // then twice as long; a real server is no finer
constexpr int kFlakyAttemptsMax = 5;

ActivityOptions ShortActivity() {
  ActivityOptions options;
  options.start_to_close_timeout = kShortActivityLimit;
  return options;
}

Task<Json> Ping(WorkflowContext&, std::optional<Json> x) { co_return x.value_or(Json{}); }

Task<Json> Echo(WorkflowContext& context, std::optional<Json> x) {
  const ActivityOptions options = ShortActivity();
  const Json input = x.value_or(Json{});
  co_return co_await context.ExecuteActivity<Json>("echo", input, options);
}

Task<int> Chain(WorkflowContext& context, int n) {
  const ActivityOptions options = ShortActivity();
  for (int i = 1; i <= n; ++i) {
    const std::string key = fmt::format("effect/{}/{}", context.info().workflow_id, i);
    co_await context.ExecuteActivity<Nothing>("effect", key, options);
  }
  co_return n;
}

Task<std::string> Timer(WorkflowContext& context, std::int64_t ms) {
  co_await context.Sleep(milliseconds(ms));
  co_return "done";
}

Task<std::string> Slow(WorkflowContext& context, double duration_seconds) {
  ActivityOptions options;
  options.start_to_close_timeout =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(duration_seconds)) +
      Duration(std::chrono::minutes(1));
  options.heartbeat_timeout = kHeartbeatLimit;
  options.retry_policy.emplace();
  options.retry_policy->maximum_attempts = kSlowAttemptsMax;
  co_return co_await context.ExecuteActivity<std::string>("slow", duration_seconds, options);
}

Task<int> RunFlaky(WorkflowContext& context, int failures, int attempts) {
  ActivityOptions options = ShortActivity();
  options.retry_policy.emplace();
  options.retry_policy->initial_interval = kFlakyFirst;
  options.retry_policy->maximum_attempts = attempts;
  co_return co_await context.ExecuteActivity<int>("flaky", failures, options);
}

Task<int> Flaky(WorkflowContext& context, int failures) {
  co_return co_await RunFlaky(context, failures, kFlakyAttemptsMax);
}

Task<int> FlakyOnce(WorkflowContext& context, int failures) {
  co_return co_await RunFlaky(context, failures, 1);
}

class SignalWait {
 public:
  explicit SignalWait(WorkflowContext& context) : context_(context) {
    context.OnSignal(
        "go", [this](const std::optional<Json>& payload) { received_ = payload.value_or(Json{}); });
    context.OnQuery("state", [this]() { return state_; });
    context.OnUpdate(
        "set", [this](std::string state) { return std::exchange(state_, std::move(state)); },
        [](const std::string& state) {
          if (state.empty())
            throw core::ApplicationFailure("the state must not be empty", "EmptyState");
        });
  }

  Task<Json> Run() {
    co_await context_.WaitCondition([this] { return received_.has_value(); });
    state_ = "done";
    co_return *received_;
  }

 private:
  WorkflowContext& context_;
  std::string state_ = "waiting";
  std::optional<Json> received_;
};

Task<Json> Parent(WorkflowContext& context, std::optional<Json> x) {
  core::ChildOptions options;
  options.workflow_id = context.info().workflow_id + "/child";
  const Json input = x.value_or(Json{});
  co_return co_await context.ExecuteChild<Json>("Ping", input, options);
}

Task<int> Loop(WorkflowContext& context, int n, std::optional<int> done) {
  const int so_far = done.value_or(0);
  if (so_far < n) context.ContinueAsNew(n, so_far + 1);
  co_return n;
}

Task<Nothing> Cancellable(WorkflowContext& context) {
  co_await context.WaitCondition([] { return false; });
  co_return Nothing{};
}

}  // namespace

void RegisterBuiltins(core::Registry& registry, BuiltinHooks hooks) {
  registry.AddWorkflow("Ping", &Ping);
  registry.AddWorkflow("Echo", &Echo);
  registry.AddWorkflow("Chain", &Chain);
  registry.AddWorkflow("Timer", &Timer);
  registry.AddWorkflow("Slow", &Slow);
  registry.AddWorkflow("Flaky", &Flaky);
  registry.AddWorkflow("FlakyOnce", &FlakyOnce);
  registry.AddWorkflow<SignalWait>("SignalWait");
  registry.AddWorkflow("Parent", &Parent);
  registry.AddWorkflow("Loop", &Loop);
  registry.AddWorkflow("Cancellable", &Cancellable);

  const auto effect = [hooks = std::move(hooks)](const std::string& key,
                                                 const std::string& workflow_id) {
    if (hooks.on_effect) hooks.on_effect(key, workflow_id);
  };
  registry.AddActivity("echo",
                       [effect](ActivityContext& context, std::optional<Json> x) -> Task<Json> {
                         effect("echo/" + context.info().workflow_id, context.info().workflow_id);
                         co_return x.value_or(Json{});
                       });
  registry.AddActivity("effect",
                       [effect](ActivityContext& context, std::string key) -> Task<std::string> {
                         effect(key, context.info().workflow_id);
                         co_return key;
                       });
  registry.AddActivity("flaky", [effect](ActivityContext& context, int failures) -> Task<int> {
    const int attempt = context.info().attempt;
    if (attempt <= failures)
      throw core::ApplicationFailure(fmt::format("attempt {}", attempt), "Tired");
    effect("flaky/" + context.info().workflow_id, context.info().workflow_id);
    co_return attempt;
  });
  registry.AddActivity(
      "slow", [effect](ActivityContext& context, double duration_seconds) -> Task<std::string> {
        const SteadyTime end =
            context.clock().Now() +
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(duration_seconds));
        // Several beats within one time-out, so that a late one does not cost the attempt.
        const Duration beat = context.info().heartbeat_timeout.value_or(kHeartbeatLimit) / 5;
        int beats = 0;
        for (Duration left = end - context.clock().Now(); left > Duration::zero();
             left = end - context.clock().Now()) {
          context.Heartbeat(++beats);
          if (co_await context.Wait(std::min(beat, left))) context.ThrowIfCancelled();
        }
        effect("slow/" + context.info().workflow_id, context.info().workflow_id);
        co_return "slow done";
      });
}

}  // namespace squall::fakes
