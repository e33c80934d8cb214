#include "core/worker.h"

#include <algorithm>
#include <utility>

#include "core/bridge/include/squall_bridge.h"
#include "core/hub.h"

namespace squall::core {

namespace {

using internal::Hub;
using internal::Outcome;
using internal::TakeError;
using internal::ToNanoseconds;
using internal::ToSlice;

std::uint32_t Natural(int number) { return static_cast<std::uint32_t>(std::max(0, number)); }

SquallPollers ToBridge(const std::optional<PollerBehavior>& behavior) {
  if (!behavior.has_value()) return {0, 0, 0, 0};
  return {behavior->autoscaling ? 2U : 1U, Natural(behavior->minimum), Natural(behavior->maximum),
          Natural(behavior->initial)};
}

// Borrows from `options`.
SquallWorkerOptions ToBridge(const WorkerOptions& options) {
  SquallWorkerOptions given{};
  given.temporal_namespace = ToSlice(options.temporal_namespace);
  given.task_queue = ToSlice(options.task_queue);
  given.identity = ToSlice(options.identity);
  given.workflows = options.workflows;
  given.activities = options.activities;
  given.local_activities = options.local_activities && options.workflows;
  given.build_id = ToSlice(options.build_id);
  if (options.legacy_build_id_versioning) given.versioning = 1;
  if (options.deployment.has_value()) {
    given.versioning = 2;
    given.build_id = ToSlice(options.deployment->build_id);
    given.deployment_name = ToSlice(options.deployment->deployment_name);
    given.use_worker_versioning = options.deployment->use_worker_versioning;
    given.default_versioning_behavior = static_cast<std::uint32_t>(options.deployment->default_behavior);
  }
  given.max_cached_workflows = Natural(options.max_cached_workflows);
  given.max_outstanding_workflow_tasks = Natural(options.max_outstanding_workflow_tasks);
  given.max_outstanding_activities = Natural(options.max_outstanding_activities);
  given.max_outstanding_local_activities = Natural(options.max_outstanding_local_activities);
  given.workflow_pollers = ToBridge(options.workflow_pollers);
  given.activity_pollers = ToBridge(options.activity_pollers);
  given.nonsticky_to_sticky_poll_ratio = static_cast<float>(options.nonsticky_to_sticky_poll_ratio);
  given.sticky_schedule_to_start_timeout_ns = ToNanoseconds(options.sticky_schedule_to_start_timeout);
  given.max_heartbeat_throttle_interval_ns = ToNanoseconds(options.max_heartbeat_throttle_interval);
  given.default_heartbeat_throttle_interval_ns = ToNanoseconds(options.default_heartbeat_throttle_interval);
  given.local_timeout_buffer_ns = ToNanoseconds(options.local_timeout_buffer);
  given.max_activities_per_second = options.max_activities_per_second.value_or(-1);
  given.max_task_queue_activities_per_second = options.max_task_queue_activities_per_second.value_or(-1);
  given.max_eager_activities_per_workflow_task = Natural(options.max_eager_activities_per_workflow_task);
  given.graceful_shutdown_period_ns = ToNanoseconds(options.graceful_shutdown_period);
  given.ignore_evictions_on_shutdown = options.ignore_evictions_on_shutdown;
  given.fail_workflow_on_nondeterminism = options.fail_workflow_on_nondeterminism;
  given.allow_duplicate_worker = options.allow_duplicate_worker;
  return given;
}

// What the bridge cannot see any more once numbers are unsigned and rates have a "none".
Status Check(const WorkerOptions& options) {
  if (options.legacy_build_id_versioning && options.deployment.has_value()) {
    return {StatusCode::kInvalidArgument, "legacy_build_id_versioning and deployment exclude each other"};
  }
  for (const auto& [name, number] :
       {std::pair("max_cached_workflows", options.max_cached_workflows),
        std::pair("max_outstanding_workflow_tasks", options.max_outstanding_workflow_tasks),
        std::pair("max_outstanding_activities", options.max_outstanding_activities),
        std::pair("max_outstanding_local_activities", options.max_outstanding_local_activities),
        std::pair("max_eager_activities_per_workflow_task", options.max_eager_activities_per_workflow_task)}) {
    if (number < 0) return MakeStatus(StatusCode::kInvalidArgument, "`{}` must not be negative, got {}", name, number);
  }
  for (const auto& [name, rate] :
       {std::pair("max_activities_per_second", options.max_activities_per_second),
        std::pair("max_task_queue_activities_per_second", options.max_task_queue_activities_per_second)}) {
    if (rate.has_value() && !(*rate > 0)) {
      return MakeStatus(StatusCode::kInvalidArgument, "`{}` must be positive, got {}", name, *rate);
    }
  }
  return absl::OkStatus();
}

// The ticket of a poll: parsed on the executor.
template <typename Task>
void* PollTicket(Hub& hub, std::function<void(PollResult<Task>)> callback) {
  return hub.Ticket([callback = std::move(callback)](const std::shared_ptr<Hub>&, Outcome& outcome) {
    if (outcome.shutdown) return callback(typename PollResult<Task>::ShutDown{});
    if (!outcome.status.ok()) return callback(outcome.status);
    Task task;
    if (!task.ParseFromString(outcome.value)) {
      return callback(Status(StatusCode::kInternal, "core's task is unreadable"));
    }
    callback(std::move(task));
  });
}

void* StatusTicket(Hub& hub, std::function<void(Status)> callback) {
  return hub.Ticket([callback = std::move(callback)](const std::shared_ptr<Hub>&, Outcome& outcome) {
    callback(outcome.status);
  });
}

}  // namespace

StatusOr<std::unique_ptr<Worker>> Worker::Create(std::shared_ptr<Runtime> runtime,
                                                 std::shared_ptr<Connection> connection, WorkerOptions options,
                                                 Executor& executor) {
  SQUALL_RETURN_IF_ERROR(Check(options));
  const SquallWorkerOptions given = ToBridge(options);
  SquallWorker* handle = nullptr;
  SQUALL_RETURN_IF_ERROR(
      TakeError(squall_worker_new(runtime->handle(), connection->handle(), &given, &handle)));
  return std::unique_ptr<Worker>(new Worker(std::move(runtime), std::move(connection), std::move(options), handle,
                                            std::make_shared<Hub>(executor)));
}

StatusOr<std::unique_ptr<Worker>> Worker::CreateReplay(std::shared_ptr<Runtime> runtime, WorkerOptions options,
                                                       Executor& executor) {
  SQUALL_RETURN_IF_ERROR(Check(options));
  const SquallWorkerOptions given = ToBridge(options);
  SquallWorker* handle = nullptr;
  SQUALL_RETURN_IF_ERROR(TakeError(squall_worker_new_replay(runtime->handle(), &given, &handle)));
  return std::unique_ptr<Worker>(
      new Worker(std::move(runtime), nullptr, std::move(options), handle, std::make_shared<Hub>(executor)));
}

Worker::Worker(std::shared_ptr<Runtime> runtime, std::shared_ptr<Connection> connection, WorkerOptions options,
               SquallWorker* handle, std::shared_ptr<internal::Hub> hub)
    : runtime_(std::move(runtime)),
      connection_(std::move(connection)),
      options_(std::move(options)),
      handle_(handle),
      hub_(std::move(hub)) {}

Worker::~Worker() {
  hub_->Close();
  squall_worker_free(handle_);
}

void Worker::Validate(std::function<void(Status)> callback) {
  squall_worker_validate(handle_, &Hub::Done, StatusTicket(*hub_, std::move(callback)));
}

void Worker::PollWorkflowActivation(std::function<void(WorkflowPoll)> callback) {
  squall_worker_poll_workflow_activation(
      handle_, &Hub::Done,
      PollTicket<coresdk::workflow_activation::WorkflowActivation>(*hub_, std::move(callback)));
}

void Worker::PollActivityTask(std::function<void(ActivityPoll)> callback) {
  squall_worker_poll_activity_task(handle_, &Hub::Done,
                                   PollTicket<coresdk::activity_task::ActivityTask>(*hub_, std::move(callback)));
}

void Worker::CompleteWorkflowActivation(const coresdk::workflow_completion::WorkflowActivationCompletion& completion,
                                        std::function<void(Status)> callback) {
  const std::string bytes = completion.SerializeAsString();
  squall_worker_complete_workflow_activation(handle_, ToSlice(bytes), &Hub::Done,
                                             StatusTicket(*hub_, std::move(callback)));
}

void Worker::CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion,
                                  std::function<void(Status)> callback) {
  const std::string bytes = completion.SerializeAsString();
  squall_worker_complete_activity_task(handle_, ToSlice(bytes), &Hub::Done, StatusTicket(*hub_, std::move(callback)));
}

Status Worker::RecordActivityHeartbeat(const coresdk::ActivityHeartbeat& heartbeat) {
  const std::string bytes = heartbeat.SerializeAsString();
  return TakeError(squall_worker_record_activity_heartbeat(handle_, ToSlice(bytes)));
}

Status Worker::RequestWorkflowEviction(const std::string& run_id) {
  return TakeError(squall_worker_request_eviction(handle_, ToSlice(run_id)));
}

Status Worker::ReplaceClient(std::shared_ptr<Connection> connection) {
  SQUALL_RETURN_IF_ERROR(TakeError(squall_worker_replace_client(handle_, connection->handle())));
  connection_ = std::move(connection);
  return absl::OkStatus();
}

void Worker::InitiateShutdown() { squall_worker_initiate_shutdown(handle_); }

void Worker::FinalizeShutdown(std::function<void(Status)> callback) {
  squall_worker_finalize_shutdown(handle_, &Hub::Done, StatusTicket(*hub_, std::move(callback)));
}

Status Worker::PushHistory(const ReplayHistory& history) {
  const std::string bytes = history.history.SerializeAsString();
  return TakeError(squall_worker_push_history(handle_, ToSlice(history.workflow_id), ToSlice(bytes)));
}

Status Worker::CloseHistories() { return TakeError(squall_worker_close_histories(handle_)); }

}  // namespace squall::core
