#include "core/worker/activity_dispatcher.h"

#include <fmt/ranges.h>

#include <optional>
#include <utility>

#include "base/util/planted.h"

namespace squall::core {
namespace {

using coresdk::ActivityTaskCompletion;
using coresdk::activity_result::ActivityExecutionResult;

ActivityInfo MakeInfo(const std::string& token, const coresdk::activity_task::Start& start,
                      std::string task_queue) {
  ActivityInfo info;
  info.task_token = token;
  info.activity_type = start.activity_type();
  info.activity_id = start.activity_id();
  info.workflow_type = start.workflow_type();
  info.workflow_id = start.workflow_execution().workflow_id();
  info.run_id = start.workflow_execution().run_id();
  info.ns = start.workflow_namespace();
  info.task_queue = std::move(task_queue);
  info.attempt = static_cast<int>(start.attempt());
  if (start.has_heartbeat_timeout()) info.heartbeat_timeout = FromProto(start.heartbeat_timeout());
  if (start.has_start_to_close_timeout())
    info.start_to_close_timeout = FromProto(start.start_to_close_timeout());
  info.heartbeat_details = {start.heartbeat_details().begin(), start.heartbeat_details().end()};
  return info;
}

// How an attempt that threw is reported. A cancellation counts as one only when it was asked for;
// core turns one by the worker's shutdown into a failure, so that the server retries the activity
// elsewhere.
ActivityExecutionResult ResultOf(const std::exception& error,
                                 std::optional<CancelReason> cancelled) {
  ActivityExecutionResult result;
  if (cancelled && dynamic_cast<const CancelledFailure*>(&error) != nullptr) {
    *result.mutable_cancelled()->mutable_failure() = MakeCancelledFailure("Cancelled");
  } else {
    *result.mutable_failed()->mutable_failure() = FailureFromException(error);
  }
  return result;
}

}  // namespace

// Held by the dispatcher until the attempt ends, and by the pool's thread while it runs there.
struct ActivityDispatcher::Attempt {
  std::unique_ptr<ActivityContext> context;
  const Registry::Activity* activity = nullptr;
  Payloads input;
  std::function<void(ActivityTaskCompletion)> finish;  // posts; safe from any thread
  Task<void> task;                                     // destroyed before the context
};

ActivityDispatcher::ActivityDispatcher(const Registry& registry, Executor& executor,
                                       Options options, Callbacks callbacks)
    : registry_(registry),
      executor_(executor),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      self_(std::make_shared<ActivityDispatcher*>(this)) {
  if (options_.threads > 0) pool_ = std::make_unique<ThreadPool>(options_.threads);
}

ActivityDispatcher::~ActivityDispatcher() {
  *self_ = nullptr;
  for (auto& [token, attempt] : attempts_)
    attempt->context->RequestCancel(CancelReason::WORKER_SHUTDOWN);
  pool_.reset();
  attempts_.clear();
}

void ActivityDispatcher::Handle(const coresdk::activity_task::ActivityTask& task) {
  if (task.has_start()) return Start(task.task_token(), task.start());
  const auto attempt = attempts_.find(task.task_token());
  // Already ended: the cancellation crossed its completion.
  if (attempt == attempts_.end()) return;
  attempt->second->context->RequestCancel(task.cancel().reason());
}

void ActivityDispatcher::Start(const std::string& token,
                               const coresdk::activity_task::Start& start) {
  ActivityInfo info = MakeInfo(token, start, options_.task_queue);
  if (callbacks_.on_task) callbacks_.on_task(info);
  const Registry::Activity* activity = registry_.FindActivity(start.activity_type());
  if (activity == nullptr) {
    ActivityTaskCompletion completion;
    completion.set_task_token(token);
    *completion.mutable_result()->mutable_failed()->mutable_failure() =
        MakeApplicationFailure(fmt::format("Activity function {} for workflow {} is not registered "
                                           "on this worker, available activities: {}",
                                           start.activity_type(), info.workflow_id,
                                           fmt::join(registry_.ActivityTypes(), ", ")),
                               "NotFoundError", false);
    if (callbacks_.on_ended) {
      callbacks_.on_ended(info, "failed", completion.result().failed().failure().message());
    }
    callbacks_.complete(std::move(completion));
    return;
  }

  const bool on_pool = !activity->coroutine && pool_ != nullptr;
  const auto post = [executor = &executor_,
                     self = self_](std::function<void(ActivityDispatcher&)> call) {
    executor->Post([self, call = std::move(call)] {
      if (*self != nullptr) call(**self);
    });
  };
  auto attempt = std::make_shared<Attempt>();
  attempt->activity = activity;
  attempt->input = {start.input().begin(), start.input().end()};
  attempt->context = std::make_unique<ActivityContext>(
      std::move(info), executor_, on_pool, [post, token](Payloads details) {
        post([token, details = std::move(details)](ActivityDispatcher& dispatcher) {
          dispatcher.Heartbeat(token, details);
        });
      });
  attempt->finish = [post, token](ActivityTaskCompletion completion) {
    post([token, completion = std::move(completion)](ActivityDispatcher& dispatcher) {
      dispatcher.Finish(token, completion);
    });
  };
  attempts_[token] = attempt;
  attempt->task = RunToEnd(*attempt);
  if (on_pool) {
    pool_->Run([attempt] { attempt->task.Start(); });
  } else {
    attempt->task.Start();
  }
}

Task<void> ActivityDispatcher::RunToEnd(Attempt& attempt) {
  ActivityTaskCompletion completion;
  completion.set_task_token(attempt.context->info().task_token);
  try {
    Payload result = co_await attempt.activity->run(*attempt.context, attempt.input);
    *completion.mutable_result()->mutable_completed()->mutable_result() = std::move(result);
  } catch (const std::exception& error) {
    *completion.mutable_result() = ResultOf(error, attempt.context->cancelled());
  } catch (...) {
    *completion.mutable_result()->mutable_failed()->mutable_failure() =
        MakeApplicationFailure("activity code threw something that is no exception", "", false);
  }
  attempt.finish(std::move(completion));
}

void ActivityDispatcher::Finish(const std::string& token, ActivityTaskCompletion completion) {
  const auto it = attempts_.find(token);
  if (it == attempts_.end()) return;
  const std::shared_ptr<Attempt> attempt = std::move(it->second);
  attempts_.erase(it);
  if (Planted(PlantedBug::kCancelledNeverCompleted) && attempt->context->cancelled()) return;
  if (callbacks_.on_ended) {
    const ActivityExecutionResult& result = completion.result();
    if (result.has_completed()) {
      callbacks_.on_ended(attempt->context->info(), "completed", "");
    } else if (result.has_cancelled()) {
      callbacks_.on_ended(attempt->context->info(), "cancelled",
                          FailureText(result.cancelled().failure()));
    } else {
      callbacks_.on_ended(attempt->context->info(), "failed",
                          FailureText(result.failed().failure()));
    }
  }
  callbacks_.complete(std::move(completion));
}

void ActivityDispatcher::Heartbeat(const std::string& token, Payloads details) {
  if (!attempts_.contains(token)) return;
  coresdk::ActivityHeartbeat heartbeat;
  heartbeat.set_task_token(token);
  for (Payload& payload : details) *heartbeat.add_details() = std::move(payload);
  callbacks_.heartbeat(std::move(heartbeat));
}

}  // namespace squall::core
