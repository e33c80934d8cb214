// Faults of workers and the processes that host them.

#include <signal.h>

#include <utility>

#include "harness/fault/fault_action.h"

namespace squall::harness {
namespace {

Status NotRunning(const WorkerUnderTest& worker) {
  return MakeStatus(StatusCode::kFailedPrecondition, "worker {} does not run", worker.name());
}

class Signalled final : public FaultAction {
 public:
  Signalled(const FaultParts& parts, int signal) : worker_(*parts.worker), signal_(signal) {}
  void Inject(Done done) override {
    if (!worker_.process().alive()) return done(NotRunning(worker_));
    // That a killed process is gone is waited for; what becomes of one that is asked is its own
    // business.
    if (signal_ != SIGKILL) return done(worker_.Signal(signal_, Intent::kInjected));
    worker_.Kill(Intent::kInjected,
                 [done = std::move(done)](const ProcessExit&) { done(absl::OkStatus()); });
  }

 private:
  WorkerUnderTest& worker_;
  const int signal_;
};

template <int number>
std::unique_ptr<FaultAction> MakeSignalled(const FaultParts& parts) {
  return std::make_unique<Signalled>(parts, number);
}

class WorkerPause final : public FaultAction {
 public:
  explicit WorkerPause(const FaultParts& parts) : worker_(*parts.worker) {}
  void Inject(Done done) override {
    if (!worker_.process().alive()) return done(NotRunning(worker_));
    done(worker_.Pause(Intent::kInjected));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override { return worker_.Resume(Intent::kInjected); }

 private:
  WorkerUnderTest& worker_;
};

constexpr FaultFactory kWorkerFactories[] = {
    {"interrupt", MakeSignalled<SIGINT>},
    {"kill", MakeSignalled<SIGKILL>},
    {"pause", MakeFault<WorkerPause>},
    {"terminate", MakeSignalled<SIGTERM>},
};

}  // namespace

std::span<const FaultFactory> WorkerFaultFactories() { return kWorkerFactories; }

}  // namespace squall::harness
