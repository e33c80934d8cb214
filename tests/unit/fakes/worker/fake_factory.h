#pragma once
// Connections and workers that do what the test says, for hosts on a manual executor.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/util/executor.h"
#include "fakes/worker/host.h"

namespace squall::fakes::testing {

// The world as hosts see it. What fails, fails with the status put here; silent things never
// answer.
struct World {
  Status connect, health, validate, start_workflow;
  bool connect_silent = false, health_silent = false, validate_silent = false, stop_silent = false;
  Duration health_takes{};
  std::vector<SteadyTime> connects;  // when each attempt began
  std::vector<SteadyTime> health_checks;
  int cancelled_connects = 0;
  int connections = 0;  // alive
  int workers_made = 0, workers_alive = 0, workers_polling = 0;
  std::map<int, core::WorkerRunner::Listener*> listeners;  // of polling workers, by number from 1
  std::vector<std::string> started_workflows;
  std::deque<std::function<void(Status)>> running_workflows;  // RunWorkflow calls that wait
};

class FakeFactory final : public HostFactory {
 public:
  FakeFactory(World& world, ManualExecutor& executor) : world_(world), executor_(executor) {}

  std::function<void()> Connect(
      std::function<void(StatusOr<std::shared_ptr<HostConnection>>)> callback) override {
    world_.connects.push_back(executor_.clock().Now());
    const auto cancelled = std::make_shared<bool>(false);
    if (!world_.connect_silent) {
      executor_.Post([this, cancelled, callback = std::move(callback)] {
        if (*cancelled) return;
        if (!world_.connect.ok()) return callback(world_.connect);
        callback(std::make_shared<Connection>(world_, executor_));
      });
    }
    return [this, cancelled] {
      *cancelled = true;
      ++world_.cancelled_connects;
    };
  }

  void MakeWorker(std::shared_ptr<HostConnection>, core::WorkerRunner::Listener& listener,
                  std::weak_ptr<void> alive,
                  std::function<void(StatusOr<std::unique_ptr<HostWorker>>)> callback) override {
    if (world_.validate_silent) return;
    executor_.Post([this, &listener, alive, callback = std::move(callback)] {
      if (alive.expired()) return;
      if (!world_.validate.ok()) return callback(world_.validate);
      callback(std::make_unique<Worker>(world_, executor_, listener));
    });
  }

 private:
  class Connection final : public HostConnection {
   public:
    Connection(World& world, ManualExecutor& executor) : world_(world), executor_(executor) {
      ++world_.connections;
    }
    ~Connection() override { --world_.connections; }
    void CheckHealth(Duration limit, std::function<void(Status)> callback) override {
      world_.health_checks.push_back(executor_.clock().Now());
      const auto answer = [this, alive = std::weak_ptr(alive_),
                           callback = std::move(callback)](const Status& status) {
        if (!alive.expired()) callback(status);
      };
      if (world_.health_silent) {
        executor_.After(limit,
                        [answer] { answer(Status(StatusCode::kCancelled, "Timeout expired")); });
      } else {
        executor_.After(world_.health_takes, [this, answer] { answer(world_.health); });
      }
    }
    void StartWorkflow(const StartRequest& request, Duration,
                       std::function<void(Status)> callback) override {
      world_.started_workflows.push_back(request.workflow_id);
      executor_.Post([this, callback = std::move(callback)] { callback(world_.start_workflow); });
    }
    void RunWorkflow(const StartRequest& request, std::function<void(Status)> callback) override {
      world_.started_workflows.push_back(request.workflow_id);
      world_.running_workflows.push_back(std::move(callback));
    }

   private:
    World& world_;
    ManualExecutor& executor_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  };

  class Worker final : public HostWorker {
   public:
    Worker(World& world, ManualExecutor& executor, core::WorkerRunner::Listener& listener)
        : world_(world), executor_(executor), listener_(listener), number_(++world.workers_made) {
      ++world_.workers_alive;
    }
    ~Worker() override {
      --world_.workers_alive;
      if (world_.listeners.erase(number_) != 0) --world_.workers_polling;
    }
    void Start() override {
      ++world_.workers_polling;
      world_.listeners[number_] = &listener_;
      listener_.OnPolling("workflow,activity");
    }
    void Stop() override {
      if (std::exchange(stopping_, true)) return;
      listener_.OnStopping();
      if (world_.stop_silent) return;
      executor_.Post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) listener_.OnStopped(absl::OkStatus());
      });
    }

   private:
    World& world_;
    ManualExecutor& executor_;
    core::WorkerRunner::Listener& listener_;
    const int number_;
    bool stopping_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  };

  World& world_;
  ManualExecutor& executor_;
};

}  // namespace squall::fakes::testing
