#include "fakes/worker/supervising_host.h"

#include <algorithm>
#include <utility>

#include "base/util/planted.h"

namespace squall::fakes {
namespace {

// The server answers, but not for this namespace or not for us: reconnecting would change nothing.
bool IsNamespaceProblem(const Status& status) {
  return status.code() == StatusCode::kNotFound || status.code() == StatusCode::kPermissionDenied ||
         status.code() == StatusCode::kUnauthenticated;
}

}  // namespace

struct SupervisingHost::Slot final : core::WorkerRunner::Listener {
  Slot(SupervisingHost& host, std::uint64_t id, int number)
      : host_(host), id_(id), number_(number) {}
  ~Slot() override {
    if (limit_ != 0) host_.environment_.executor.Cancel(limit_);
  }

  std::string Name() const {
    return fmt::format("worker {} of {}", number_, host_.options_.workers);
  }
  void Stop() {
    if (stopping_) return;
    stopping_ = true;
    limit_ = host_.environment_.executor.After(host_.options_.stop_limit, [this] {
      limit_ = 0;
      host_.Emit("stopping", Name() + " does not stop: left behind");
      host_.WorkerStopped(id_);
    });
    if (worker_ != nullptr && Planted(PlantedBug::kNewWorkersNotStopped) && host_.connects_ > 1)
      return;
    if (worker_ != nullptr) {
      worker_->Stop();
    } else {
      // Its making has not answered yet, or failed: there is nothing to wait for.
      host_.environment_.executor.Post(
          [host = &host_, id = id_, alive = std::weak_ptr(host_.alive_)] {
            if (alive.lock() != nullptr) host->WorkerStopped(id);
          });
    }
  }

  void OnPolling(const std::string& types) override {
    host_.Emit("polling", Name() + ": " + types);
  }
  void OnTask(const std::string& kind, const std::string& type,
              const std::string& workflow_id) override {
    journal::WorkerEvent event = MakeEvent("task", Name() + ": " + kind);
    event.task = type;
    event.workflow_id = workflow_id;
    host_.environment_.emit(std::move(event));
  }
  void OnFatal(const Status& status) override { host_.WorkerFatal(status); }
  void OnStopping() override { host_.Emit("stopping", Name()); }
  void OnStopped(const Status&) override { host_.WorkerStopped(id_); }

  SupervisingHost& host_;
  const std::uint64_t id_;
  const int number_;
  bool stopping_ = false;
  TimerId limit_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what is made too late is dropped
  std::unique_ptr<HostWorker> worker_;
};

SupervisingHost::SupervisingHost(Environment environment, SupervisingOptions options)
    : environment_(std::move(environment)), options_(options), backoff_(options.backoff_initial) {}

SupervisingHost::~SupervisingHost() {
  ClearTimer();
  if (cancel_connect_) cancel_connect_();
}

void SupervisingHost::Start() { Attempt(); }

void SupervisingHost::Attempt() {
  state_ = State::kConnecting;
  ++connects_;
  connection_.reset();
  Emit("connecting", fmt::format("attempt {}", connects_));
  cancel_connect_ =
      environment_.factory.Connect([this](StatusOr<std::shared_ptr<HostConnection>> connection) {
        ClearTimer();
        cancel_connect_ = nullptr;
        Connected(std::move(connection));
      });
  if (Planted(PlantedBug::kConnectLimitForgotten)) return;
  SetTimer(options_.connect_limit, &SupervisingHost::GiveUpConnecting);
}

void SupervisingHost::GiveUpConnecting() {
  std::exchange(cancel_connect_, nullptr)();
  Connected(MakeStatus(StatusCode::kDeadlineExceeded, "no connection within {}",
                       FormatDuration(options_.connect_limit)));
}

void SupervisingHost::Connected(StatusOr<std::shared_ptr<HostConnection>> connection) {
  if (!connection.ok() && Planted(PlantedBug::kNoRetryAfterFailedConnect))
    return Emit("unhealthy", Describe(connection.status()));
  if (!connection.ok())
    return RetryAfter(NextBackoff(), connection.status(), &SupervisingHost::Attempt);
  connection_ = *std::move(connection);
  Emit("connected");
  CheckNamespace();
}

void SupervisingHost::CheckNamespace() {
  state_ = State::kConnecting;
  connection_->CheckHealth(options_.health_limit, [this](const Status& status) {
    if (state_ != State::kConnecting) return;
    if (status.ok()) return StartWorkers();
    Lost(status);
  });
}

void SupervisingHost::StartWorkers() {
  if (workers_stopped_for_good_) return Up();
  if (Planted(PlantedBug::kNoWorkersAfterReconnect) && connects_ > 1) return Up();
  state_ = State::kStartingWorkers;
  starting_ = options_.workers;
  std::vector<std::uint64_t> ids;
  for (int number = 1; number <= options_.workers; ++number) {
    const std::uint64_t id = ++last_slot_;
    slots_.emplace(id, std::make_unique<Slot>(*this, id, number));
    ids.push_back(id);
  }
  SetTimer(options_.connect_limit, &SupervisingHost::GiveUpStarting);
  for (const std::uint64_t id : ids) {
    Slot& slot = *slots_.at(id);
    environment_.factory.MakeWorker(connection_, slot, slot.alive_,
                                    [this, id](StatusOr<std::unique_ptr<HostWorker>> worker) {
                                      WorkerMade(id, std::move(worker));
                                    });
  }
}

void SupervisingHost::GiveUpStarting() {
  // Core repeats its validation for as long as the server is away.
  Lost(MakeStatus(StatusCode::kDeadlineExceeded, "workers did not start within {}",
                  FormatDuration(options_.connect_limit)));
}

void SupervisingHost::WorkerMade(std::uint64_t id, StatusOr<std::unique_ptr<HostWorker>> worker) {
  const auto slot = slots_.find(id);
  // Too late: the round was given up; the worker goes unstarted.
  if (slot == slots_.end() || slot->second->stopping_) return;
  if (!worker.ok()) {
    slots_.erase(slot);
    return Lost(Annotate(worker.status(), "start worker"));
  }
  slot->second->worker_ = *std::move(worker);
  Emit("started", slot->second->Name());
  slot->second->worker_->Start();
  if (--starting_ == 0 && state_ == State::kStartingWorkers) Up();
}

void SupervisingHost::Up() {
  state_ = State::kUp;
  backoff_ = options_.backoff_initial;
  Emit("healthy", workers_stopped_for_good_ ? "Temporal reconnected"
                                            : "all Temporal workers started, creators reinjected");
  SetTimer(options_.health_interval, &SupervisingHost::CheckHealth);
}

void SupervisingHost::CheckHealth() {
  connection_->CheckHealth(options_.health_limit, [this](const Status& status) {
    if (state_ != State::kUp) return;
    if (!status.ok()) return Lost(status);
    SetTimer(options_.health_interval, &SupervisingHost::CheckHealth);
  });
}

void SupervisingHost::Lost(const Status& status) {
  Emit("unhealthy", Describe(status));
  StopWorkers();
  if (!options_.restart) workers_stopped_for_good_ = true;
  if (IsNamespaceProblem(status) && connection_ != nullptr) {
    RetryAfter(options_.health_interval, status, &SupervisingHost::CheckNamespace);
  } else {
    RetryAfter(NextBackoff(), status, &SupervisingHost::Attempt);
  }
}

void SupervisingHost::RetryAfter(Duration delay, const Status& why,
                                 void (SupervisingHost::*next)()) {
  state_ = State::kWaiting;
  journal::WorkerEvent event = MakeEvent("retrying", Describe(why));
  event.delay = delay;
  environment_.emit(std::move(event));
  SetTimer(delay, next);
}

void SupervisingHost::Create(const StartRequest& request, std::function<void(Status)> callback) {
  if (state_ != State::kUp) {
    environment_.executor.Post([callback = std::move(callback)] {
      callback(Status(StatusCode::kUnavailable,
                      "Temporal workflow engine is unavailable. Please try again later."));
    });
    return;
  }
  connection_->StartWorkflow(request, options_.health_limit, std::move(callback));
}

void SupervisingHost::StopWorkers() {
  starting_ = 0;
  for (auto& [id, slot] : slots_) slot->Stop();
}

void SupervisingHost::WorkerStopped(std::uint64_t id) {
  const auto slot = slots_.find(id);
  if (slot == slots_.end()) return;
  const bool expected = slot->second->stopping_;
  // Also inside its own OnStopped, where a worker may be destroyed.
  slots_.erase(slot);
  if (state_ == State::kStopping) return ExitIfStopped();
  if (!expected && (state_ == State::kUp || state_ == State::kStartingWorkers)) {
    Lost(Status(StatusCode::kAborted, "a worker stopped by itself"));
  }
}

void SupervisingHost::WorkerFatal(const Status& status) {
  // Not the lifecycle word "fatal": it is the process's, and this host survives. The worker shuts
  // down by itself.
  if (state_ == State::kUp || state_ == State::kStartingWorkers) Lost(status);
}

void SupervisingHost::Cancel() {
  if (state_ == State::kUp || state_ == State::kStartingWorkers)
    Lost(Status(StatusCode::kCancelled, "cancelled from inside"));
}

void SupervisingHost::Stop() {
  if (state_ == State::kStopping || state_ == State::kStopped) return;
  state_ = State::kStopping;
  Emit("stopping");
  ClearTimer();
  if (cancel_connect_) std::exchange(cancel_connect_, nullptr)();
  StopWorkers();
  ExitIfStopped();
}

void SupervisingHost::ExitIfStopped() {
  if (!slots_.empty()) return;
  state_ = State::kStopped;
  if (Planted(PlantedBug::kExitRemembersFailure) && connects_ > 1)
    return environment_.exit(kExitFatal);
  environment_.exit(kExitAsked);
}

void SupervisingHost::SetTimer(Duration delay, void (SupervisingHost::*next)()) {
  ClearTimer();
  timer_ = environment_.executor.After(delay, [this, next] {
    timer_ = 0;
    (this->*next)();
  });
}

void SupervisingHost::ClearTimer() {
  if (timer_ != 0) environment_.executor.Cancel(std::exchange(timer_, 0));
}

Duration SupervisingHost::NextBackoff() {
  if (Planted(PlantedBug::kBackoffWithoutLimit)) return std::exchange(backoff_, backoff_ * 8);
  return std::exchange(backoff_, std::min(backoff_ * 2, options_.backoff_max));
}

}  // namespace squall::fakes
