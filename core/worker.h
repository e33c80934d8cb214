#pragma once
// A worker of the production core: it polls, caches workflows, times activities out, shuts down; we only run the code.
//
// core/worker builds workflows and activities on it. This class hands out activations and activity tasks and takes
// completions, as Temporal's own language SDKs do it.
//
// Order of calls: Create, Validate (optional but every SDK does it), then any number of polls, each answered by a
// completion. Keep one PollWorkflowActivation and one PollActivityTask outstanding (not more: core polls the server with
// many by itself) until each has answered "shutdown". InitiateShutdown, poll (and complete evictions and activities) until all polls say shutdown, then
// FinalizeShutdown, then destroy.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "core/connection.h"
#include "core/runtime.h"
#include "temporal/api/history/v1/message.pb.h"
#include "temporal/sdk/core/activity_task/activity_task.pb.h"
#include "temporal/sdk/core/core_interface.pb.h"
#include "temporal/sdk/core/workflow_activation/workflow_activation.pb.h"
#include "temporal/sdk/core/workflow_completion/workflow_completion.pb.h"

struct SquallWorker;  // the bridge's handle

namespace squall::core {

// What a poll came back with: a task, or "no more, ever: shut down", or an error (core's text; the worker is finished).
template <typename Task>
class PollResult {
 public:
  struct ShutDown {};

  PollResult(Task task) : value_(std::move(task)) {}  // NOLINT(google-explicit-constructor)
  PollResult(ShutDown shut_down) : value_(shut_down) {}  // NOLINT(google-explicit-constructor)
  PollResult(Status error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool is_task() const { return std::holds_alternative<Task>(value_); }
  bool is_shutdown() const { return std::holds_alternative<ShutDown>(value_); }
  bool is_error() const { return std::holds_alternative<Status>(value_); }

  Task& task() { return std::get<Task>(value_); }
  const Task& task() const { return std::get<Task>(value_); }
  // OK for a task; CANCELLED for shutdown.
  Status status() const {
    if (is_error()) return std::get<Status>(value_);
    return is_task() ? absl::OkStatus() : Status(StatusCode::kCancelled, "worker shut down");
  }

 private:
  std::variant<Task, ShutDown, Status> value_;
};

using WorkflowPoll = PollResult<coresdk::workflow_activation::WorkflowActivation>;
using ActivityPoll = PollResult<coresdk::activity_task::ActivityTask>;

// How many long polls of one kind are kept open at the server.
struct PollerBehavior {
  bool autoscaling = false;
  int maximum = 5;  // fixed: polls open at once; autoscaling: at most
  int minimum = 1;  // autoscaling only
  int initial = 5;  // autoscaling only

  static PollerBehavior SimpleMaximum(int maximum) { return {.maximum = maximum}; }
  static PollerBehavior Autoscaling(int minimum, int maximum, int initial) {
    return {.autoscaling = true, .maximum = maximum, .minimum = minimum, .initial = initial};
  }
};

struct DeploymentVersioning {
  std::string deployment_name;
  std::string build_id;
  bool use_worker_versioning = true;
  enum class Behavior { kUnspecified, kPinned, kAutoUpgrade } default_behavior = Behavior::kUnspecified;
};

// Defaults are those of Temporal's Python SDK where core has none.
struct WorkerOptions {
  std::string temporal_namespace = "default";
  std::string task_queue;
  std::string identity;  // empty: the connection's

  // Which kinds of task are polled; at least one. Local activities need workflows.
  bool workflows = true;
  bool activities = true;
  bool local_activities = true;

  // Versioning: at most one of the last two. Default: none; build_id alone only identifies the code.
  std::string build_id;
  bool legacy_build_id_versioning = false;
  std::optional<DeploymentVersioning> deployment;

  int max_cached_workflows = 1000;  // 0: no cache, no sticky queue
  // Slots: how many tasks are out at once. With a cache workflow slots must be at least 2.
  int max_outstanding_workflow_tasks = 100;
  int max_outstanding_activities = 100;
  int max_outstanding_local_activities = 100;

  // Default nullopt: SimpleMaximum(5), or autoscaling where the namespace asks for it.
  std::optional<PollerBehavior> workflow_pollers;
  std::optional<PollerBehavior> activity_pollers;
  double nonsticky_to_sticky_poll_ratio = 0.2;

  Duration sticky_schedule_to_start_timeout = std::chrono::seconds(10);
  Duration max_heartbeat_throttle_interval = std::chrono::seconds(60);
  Duration default_heartbeat_throttle_interval = std::chrono::seconds(30);
  // Added to activities' time-outs before core cancels them by its own timers.
  Duration local_timeout_buffer = std::chrono::seconds(5);
  std::optional<double> max_activities_per_second;             // of this worker
  std::optional<double> max_task_queue_activities_per_second;  // of the queue, kept by the server
  int max_eager_activities_per_workflow_task = 3;              // 0: no eager execution

  // After InitiateShutdown activities get this long before core asks for their cancellation. Default nullopt: never asked.
  std::optional<Duration> graceful_shutdown_period;
  // Whether shutdown is complete with evictions still unanswered. Default false: they are all handed out.
  bool ignore_evictions_on_shutdown = false;

  // Fail the workflow, not just the task, on non-determinism. Default: false.
  bool fail_workflow_on_nondeterminism = false;
  // Allow a second worker for the same namespace and queue on one connection. Default: core refuses.
  bool allow_duplicate_worker = false;
};

// What a ReplayWorker is fed with.
struct ReplayHistory {
  std::string workflow_id;
  temporal::api::history::v1::History history;
};

// Threads: everything may be called from any thread; callbacks are posted to the executor given to Create, which must
// outlive the worker, and messages are parsed there. Destroy it on the executor's thread (or when that is not running):
// none of its callbacks runs afterwards. Destroying a worker that was not finalized initiates its shutdown and drops it;
// what it had handed out is lost to this process (the server times it out). That never blocks, whatever core hangs in. Core
// may keep its connection open as long as the runtime lives; a replay worker keeps some 40 KB of core's for good.
class Worker {
 public:
  // Polling starts with the first poll. INVALID_ARGUMENT with core's text for options that it refuses.
  static StatusOr<std::unique_ptr<Worker>> Create(std::shared_ptr<Runtime> runtime,
                                                  std::shared_ptr<Connection> connection, WorkerOptions options,
                                                  Executor& executor);

  // A worker that is fed with histories instead of a server. The activations of a history end with an eviction
  // (RemoveFromCache), whose reason says how the replay went: NONDETERMINISM when code and history differ. Of the options
  // only namespace, task queue and slots matter.
  // Order: PushHistory, poll and complete until its eviction, then the next history; CloseHistories after the last
  // eviction, and the polls end with shutdown. Core drops what is under way when it finds that there is no more, so
  // closing early may lose evictions.
  static StatusOr<std::unique_ptr<Worker>> CreateReplay(std::shared_ptr<Runtime> runtime, WorkerOptions options,
                                                        Executor& executor);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Asks the server whether the namespace exists and may be used: NOT_FOUND and the like with core's full text.
  void Validate(std::function<void(Status)> callback);

  void PollWorkflowActivation(std::function<void(WorkflowPoll)> callback);
  void PollActivityTask(std::function<void(ActivityPoll)> callback);

  // INVALID_ARGUMENT with core's text for a completion that does not fit; the network's errors are core's own business
  // (it retries them).
  void CompleteWorkflowActivation(const coresdk::workflow_completion::WorkflowActivationCompletion& completion,
                                  std::function<void(Status)> callback);
  void CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion, std::function<void(Status)> callback);
  // Hands a heartbeat to core, which throttles and sends it; a cancellation comes back as an activity task.
  Status RecordActivityHeartbeat(const coresdk::ActivityHeartbeat& heartbeat);
  // Asks for the eviction of one run; it arrives as an activation.
  Status RequestWorkflowEviction(const std::string& run_id);

  // From now on all calls go through `connection`; running polls stay on the old one until they end.
  Status ReplaceClient(std::shared_ptr<Connection> connection);

  // Stops polling the server; polls go on handing out what is left, then answer "shutdown". Repeated calls change nothing.
  void InitiateShutdown();
  // Waits for all outstanding work and ends the worker. Polls must all have answered shutdown, or it does not end.
  // FAILED_PRECONDITION when called twice.
  void FinalizeShutdown(std::function<void(Status)> callback);

  // Replay workers only: FAILED_PRECONDITION on others and after CloseHistories.
  Status PushHistory(const ReplayHistory& history);
  Status CloseHistories();

  const WorkerOptions& options() const { return options_; }

 private:
  Worker(std::shared_ptr<Runtime> runtime, std::shared_ptr<Connection> connection, WorkerOptions options,
         SquallWorker* handle, std::shared_ptr<internal::Hub> hub);

  std::shared_ptr<Runtime> runtime_;
  std::shared_ptr<Connection> connection_;
  WorkerOptions options_;
  SquallWorker* handle_;
  std::shared_ptr<internal::Hub> hub_;
};

}  // namespace squall::core
