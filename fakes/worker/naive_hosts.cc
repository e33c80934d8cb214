#include "fakes/worker/naive_hosts.h"

#include <utility>

namespace squall::fakes {

std::string Describe(const Status& status) {
  return status.ok() ? "OK" : fmt::format("{}: {}", CodeName(status.raw_code()), status.message());
}

SingleHost::SingleHost(Environment environment) : environment_(std::move(environment)) {}

SingleHost::~SingleHost() {
  if (cancel_connect_) cancel_connect_();
}

void SingleHost::Start() {
  Emit("connecting");
  cancel_connect_ =
      environment_.factory.Connect([this](StatusOr<std::shared_ptr<HostConnection>> connection) {
        cancel_connect_ = nullptr;
        if (exited_) return;
        if (!connection.ok()) return CannotStart(Annotate(connection.status(), "connect"));
        connection_ = *std::move(connection);
        Emit("connected");
        environment_.factory.MakeWorker(
            connection_, *this, alive_, [this](StatusOr<std::unique_ptr<HostWorker>> worker) {
              if (exited_) return;
              if (!worker.ok()) return CannotStart(Annotate(worker.status(), "start worker"));
              worker_ = *std::move(worker);
              Emit("started");
              worker_->Start();
            });
      });
}

void SingleHost::CannotStart(const Status& status) {
  Emit("fatal", Describe(status));
  Exit(kExitCannotStart);
}

void SingleHost::Stop() {
  if (asked_) return;
  asked_ = true;
  if (worker_ != nullptr) return worker_->Stop();
  if (cancel_connect_) std::exchange(cancel_connect_, nullptr)();
  Emit("stopping", "before it had started");
  Exit(kExitAsked);
}

void SingleHost::Cancel() {
  if (asked_ || exited_) return;
  if (worker_ != nullptr) return worker_->Stop();
  if (cancel_connect_) std::exchange(cancel_connect_, nullptr)();
  Emit("stopping", "cancelled before it had started");
  Exit(kExitFatal);
}

void SingleHost::StopWorker() { worker_->Stop(); }

void SingleHost::OnPolling(const std::string& types) { Emit("polling", types); }

void SingleHost::OnTask(const std::string& kind, const std::string& type,
                        const std::string& workflow_id) {
  journal::WorkerEvent event = MakeEvent("task", kind);
  event.task = type;
  event.workflow_id = workflow_id;
  environment_.emit(std::move(event));
}

void SingleHost::OnFatal(const Status& status) { Emit("fatal", Describe(status)); }

void SingleHost::OnStopping() { Emit("stopping"); }

void SingleHost::OnStopped(const Status& status) {
  if (!status.ok() && !asked_) return Exit(kExitFatal);
  if (!status.ok()) Emit("fatal", Describe(status));
  Exit(status.ok() && asked_ ? kExitAsked : kExitFatal);
}

void SingleHost::Exit(int code) {
  if (std::exchange(exited_, true)) return;
  environment_.exit(code);
}

CancellingHost::CancellingHost(Environment environment, CancellingOptions options)
    : SingleHost(std::move(environment)), options_(options) {}

void CancellingHost::OnPolling(const std::string& types) {
  SingleHost::OnPolling(types);
  if (options_.after_workflows == 0) Cancel();
}

void CancellingHost::OnWorkflowClosed(const core::WorkflowInfo&, const std::string&) {
  if (++closed_ == options_.after_workflows) Cancel();
}

void CancellingHost::Cancel() {
  // Posted: the completion of the workflow at hand is still to be given to core.
  environment_.executor.Post([this, alive = std::weak_ptr(alive_)] {
    if (alive.lock() == nullptr || asked()) return;
    cancelled_ = true;
    StopWorker();
  });
}

void CancellingHost::OnStopping() {
  Emit("stopping", cancelled_ ? "Worker cancelled, shutting down" : "");
}

void CancellingHost::OnStopped(const Status& status) {
  if (!cancelled_ || asked()) return SingleHost::OnStopped(status);
  Exit(options_.exit_code);
}

SharedClientHost::SharedClientHost(Environment environment, SharedClientOptions options)
    : SingleHost(std::move(environment)), options_(std::move(options)) {}

SharedClientHost::~SharedClientHost() {
  if (cancel_client_) cancel_client_();
}

void SharedClientHost::OnPolling(const std::string& types) {
  SingleHost::OnPolling(types);
  if (options_.shared) return RunClient(connection_);
  cancel_client_ =
      environment_.factory.Connect([this](StatusOr<std::shared_ptr<HostConnection>> connection) {
        cancel_client_ = nullptr;
        if (!connection.ok()) return Emit("unhealthy", "client: " + Describe(connection.status()));
        RunClient(*std::move(connection));
      });
}

void SharedClientHost::RunClient(std::shared_ptr<HostConnection> connection) {
  client_ = std::move(connection);
  StartRequest request;
  request.workflow_type = "Ping";
  request.workflow_id = options_.workflow_id;
  request.task_queue = options_.task_queue;
  client_->RunWorkflow(request, [this](const Status& result) { CloseClient(result); });
}

void SharedClientHost::CloseClient(const Status& result) {
  // Not inside the connection's own callback: it is about to be destroyed.
  environment_.executor.Post([this, result, alive = std::weak_ptr(alive_)] {
    if (alive.lock() == nullptr || asked()) return;
    client_.reset();
    if (!options_.shared) {
      return Emit(result.ok() ? "healthy" : "unhealthy",
                  "client closed its connection after: " + Describe(result));
    }
    connection_.reset();
    Emit("unhealthy", "client closed the shared connection after: " + Describe(result));
    StopWorker();
  });
}

void SharedClientHost::OnStopped(const Status& status) {
  if (asked() || !options_.shared) return SingleHost::OnStopped(status);
  Exit(options_.exit_code);
}

}  // namespace squall::fakes
