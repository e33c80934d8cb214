#include "fakes/worker/core_factory.h"

#include <utility>

#include "base/util/rng.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::fakes {
namespace {

namespace service = temporal::api::workflowservice::v1;

class CoreConnection final : public HostConnection {
 public:
  CoreConnection(std::shared_ptr<core::Connection> connection, std::string ns)
      : connection_(std::move(connection)), ns_(std::move(ns)) {}

  const std::shared_ptr<core::Connection>& connection() const { return connection_; }

  void CheckHealth(Duration limit, std::function<void(Status)> callback) override {
    service::DescribeNamespaceRequest request;
    request.set_namespace_(ns_);
    Call("DescribeNamespace", request, limit, /*retry=*/false,
         [callback = std::move(callback)](const StatusOr<std::string>& response) {
           callback(response.status());
         });
  }

  void StartWorkflow(const StartRequest& start, Duration limit,
                     std::function<void(Status)> callback) override {
    Call("StartWorkflowExecution", MakeRequest(start), limit, /*retry=*/false,
         [callback = std::move(callback)](const StatusOr<std::string>& response) {
           callback(response.status());
         });
  }

  void RunWorkflow(const StartRequest& start, std::function<void(Status)> callback) override {
    Call("StartWorkflowExecution", MakeRequest(start), std::nullopt, /*retry=*/true,
         [this, id = start.workflow_id,
          callback = std::move(callback)](const StatusOr<std::string>& response) {
           if (!response.ok()) return callback(response.status());
           AwaitEnd(id, callback);
         });
  }

 private:
  template <typename Request>
  void Call(const char* method, const Request& request, std::optional<Duration> limit, bool retry,
            std::function<void(StatusOr<std::string>)> callback) {
    core::RpcCall call;
    call.method = method;
    call.request = request.SerializeAsString();
    call.timeout = limit;
    call.retry = retry;
    connection_->Call(call, std::move(callback));
  }

  service::StartWorkflowExecutionRequest MakeRequest(const StartRequest& start) const {
    service::StartWorkflowExecutionRequest request;
    request.set_namespace_(ns_);
    request.set_workflow_id(start.workflow_id);
    request.mutable_workflow_type()->set_name(start.workflow_type);
    request.mutable_task_queue()->set_name(start.task_queue);
    request.set_identity(connection_->identity());
    request.set_request_id(Rng(SeedFromSystem()).Uuid());
    *request.mutable_input()->add_payloads() = core::JsonPayload(start.input_json);
    return request;
  }

  void AwaitEnd(const std::string& workflow_id, std::function<void(Status)> callback) {
    service::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_(ns_);
    request.mutable_execution()->set_workflow_id(workflow_id);
    request.set_wait_new_event(true);
    request.set_history_event_filter_type(
        temporal::api::enums::v1::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
    Call("GetWorkflowExecutionHistory", request, std::nullopt, /*retry=*/true,
         [this, workflow_id, callback = std::move(callback)](const StatusOr<std::string>& bytes) {
           if (!bytes.ok()) return callback(bytes.status());
           service::GetWorkflowExecutionHistoryResponse response;
           if (!response.ParseFromString(*bytes))
             return callback(Status(StatusCode::kInternal, "unreadable history"));
           // A long poll that ended without news.
           if (response.history().events().empty()) return AwaitEnd(workflow_id, callback);
           const auto& last = *response.history().events().rbegin();
           if (last.has_workflow_execution_completed_event_attributes())
             return callback(absl::OkStatus());
           callback(MakeStatus(StatusCode::kAborted, "workflow {} ended with {}", workflow_id,
                               temporal::api::enums::v1::EventType_Name(last.event_type())));
         });
  }

  const std::shared_ptr<core::Connection> connection_;
  const std::string ns_;
};

class CoreHostWorker final : public HostWorker {
 public:
  explicit CoreHostWorker(std::unique_ptr<core::WorkerRunner> runner)
      : runner_(std::move(runner)) {}
  void Start() override { runner_->Start(); }
  void Stop() override { runner_->RequestShutdown(); }

 private:
  std::unique_ptr<core::WorkerRunner> runner_;
};

}  // namespace

CoreFactory::CoreFactory(std::shared_ptr<core::Runtime> runtime, const core::Registry& registry,
                         Executor& executor, CoreFactoryOptions options)
    : runtime_(std::move(runtime)),
      registry_(registry),
      executor_(executor),
      options_(std::move(options)) {}

std::function<void()> CoreFactory::Connect(
    std::function<void(StatusOr<std::shared_ptr<HostConnection>>)> callback) {
  auto answered = std::make_shared<bool>(false);
  core::CallHandle handle = core::Connection::Connect(
      runtime_, options_.connection, executor_,
      [answered, callback = std::move(callback), ns = options_.worker.temporal_namespace](
          StatusOr<std::shared_ptr<core::Connection>> connection) {
        // Cancelled: nobody waits any more.
        if (std::exchange(*answered, true)) return;
        if (!connection.ok()) return callback(connection.status());
        callback(std::make_shared<CoreConnection>(*std::move(connection), ns));
      });
  return [answered, handle]() mutable {
    *answered = true;
    handle.Cancel();
  };
}

void CoreFactory::MakeWorker(std::shared_ptr<HostConnection> connection,
                             core::WorkerRunner::Listener& listener, std::weak_ptr<void> alive,
                             std::function<void(StatusOr<std::unique_ptr<HostWorker>>)> callback) {
  const auto& core_connection = static_cast<CoreConnection&>(*connection).connection();
  auto made = core::Worker::Create(runtime_, core_connection, options_.worker, executor_);
  if (!made.ok()) {
    executor_.Post([alive, status = made.status(), callback = std::move(callback)] {
      if (!alive.expired()) callback(status);
    });
    return;
  }
  const std::uint64_t id = ++last_validation_;
  validating_.emplace(id, *std::move(made));
  validating_.at(id)->Validate(
      [this, id, alive, &listener, callback = std::move(callback)](const Status& status) {
        auto node = validating_.extract(id);
        std::unique_ptr<core::Worker> worker = std::move(node.mapped());
        if (alive.expired()) return;
        if (!status.ok()) return callback(status);
        core::WorkerRunner::Options options;
        options.ns = options_.worker.temporal_namespace;
        options.task_queue = options_.worker.task_queue;
        options.workflows = options_.worker.workflows;
        options.activities = options_.worker.activities;
        options.activity_threads = options_.activity_threads;
        auto runner = std::make_unique<core::WorkerRunner>(
            std::make_unique<core::CoreWorkerPort>(std::move(worker)), registry_, executor_,
            std::move(options), listener);
        callback(std::unique_ptr<HostWorker>(std::make_unique<CoreHostWorker>(std::move(runner))));
      });
}

}  // namespace squall::fakes
