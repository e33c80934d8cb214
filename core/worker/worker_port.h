#pragma once
// What a WorkerRunner needs of core's worker, as an interface: core::Worker behind CoreWorkerPort,
// fakes in unit tests.

#include <functional>
#include <memory>
#include <utility>

#include "core/worker.h"

namespace squall::core {

// Callbacks are posted to the runner's executor; none runs after the port's destruction.
class WorkerPort {
 public:
  virtual ~WorkerPort() = default;
  virtual void PollWorkflowActivation(std::function<void(WorkflowPoll)> callback) = 0;
  virtual void PollActivityTask(std::function<void(ActivityPoll)> callback) = 0;
  virtual void CompleteWorkflowActivation(
      const coresdk::workflow_completion::WorkflowActivationCompletion& completion,
      std::function<void(Status)> callback) = 0;
  virtual void CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion,
                                    std::function<void(Status)> callback) = 0;
  virtual Status RecordActivityHeartbeat(const coresdk::ActivityHeartbeat& heartbeat) = 0;
  virtual void InitiateShutdown() = 0;
  virtual void FinalizeShutdown(std::function<void(Status)> callback) = 0;
};

class CoreWorkerPort final : public WorkerPort {
 public:
  explicit CoreWorkerPort(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}

  void PollWorkflowActivation(std::function<void(WorkflowPoll)> callback) override {
    worker_->PollWorkflowActivation(std::move(callback));
  }
  void PollActivityTask(std::function<void(ActivityPoll)> callback) override {
    worker_->PollActivityTask(std::move(callback));
  }
  void CompleteWorkflowActivation(
      const coresdk::workflow_completion::WorkflowActivationCompletion& completion,
      std::function<void(Status)> callback) override {
    worker_->CompleteWorkflowActivation(completion, std::move(callback));
  }
  void CompleteActivityTask(const coresdk::ActivityTaskCompletion& completion,
                            std::function<void(Status)> callback) override {
    worker_->CompleteActivityTask(completion, std::move(callback));
  }
  Status RecordActivityHeartbeat(const coresdk::ActivityHeartbeat& heartbeat) override {
    return worker_->RecordActivityHeartbeat(heartbeat);
  }
  void InitiateShutdown() override { worker_->InitiateShutdown(); }
  void FinalizeShutdown(std::function<void(Status)> callback) override {
    worker_->FinalizeShutdown(std::move(callback));
  }

  Worker& worker() { return *worker_; }

 private:
  std::unique_ptr<Worker> worker_;
};

}  // namespace squall::core
