// Faults of workers and the processes that host them.

#include <signal.h>
#include <sys/resource.h>

#include <utility>

#include "harness/fault/availability.h"
#include "harness/fault/fault_action.h"
#include "harness/fault/limits.h"

namespace squall::harness {
namespace {

using scenarios::Params;

Status NotRunning(const WorkerUnderTest& worker) {
  return MakeStatus(StatusCode::kFailedPrecondition, "worker {} does not run", worker.name());
}

// -------------------------------------------------------------------------------------------------
// done to the process that runs

class Signalled final : public FaultAction {
 public:
  Signalled(const FaultParts& parts, int signal) : worker_(*parts.worker), signal_(signal) {}
  void Inject(Done done) override {
    if (!worker_.process().alive()) return done(NotRunning(worker_));
    // A signal that says nothing about ending the process: if this life ends by it, it is the
    // fault's doing.
    if (signal_ == SIGUSR2) worker_.process().BlameExit(Intent::kInjected);
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

class CrashLoop final : public FaultAction {
 public:
  explicit CrashLoop(const FaultParts& parts)
      : executor_(parts.executor),
        worker_(*parts.worker),
        id_(parts.spec.id),
        after_(parts.spec.parameters.Time("after")) {}
  ~CrashLoop() override { executor_.Cancel(timer_); }

  void Inject(Done done) override {
    worker_.OnLaunch(id_, [this] { Arm(); });
    if (worker_.process().alive()) Arm();
    done(absl::OkStatus());
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    worker_.OnLaunch(id_, nullptr);
    executor_.Cancel(std::exchange(timer_, 0));
    return absl::OkStatus();
  }

 private:
  void Arm() {
    executor_.Cancel(timer_);
    timer_ = executor_.After(after_, [this] {
      timer_ = 0;
      if (worker_.process().alive()) worker_.Kill(Intent::kInjected, nullptr);
    });
  }

  AsioExecutor& executor_;
  WorkerUnderTest& worker_;
  const std::string id_;
  const Duration after_;
  TimerId timer_ = 0;
};

// A soft limit on the process, and on those that take its place while the fault is in force.
class Limited final : public FaultAction {
 public:
  Limited(const FaultParts& parts, int resource)
      : worker_(*parts.worker), spec_(parts.spec), resource_(resource) {}

  void Inject(Done done) override {
    if (!worker_.process().alive()) return done(NotRunning(worker_));
    const std::int64_t pid = worker_.process().pid();
    const StatusOr<std::uint64_t> before = SoftLimit(pid, resource_);
    if (!before.ok()) return done(before.status());
    const StatusOr<std::uint64_t> limit =
        resource_ == RLIMIT_NOFILE ? DescriptorLimitFor(pid, spec_.parameters.Int("left"))
                                   : AddressSpace(pid);
    if (!limit.ok()) return done(limit.status());
    before_ = *before;
    limit_ = *limit + static_cast<std::uint64_t>(spec_.parameters.Int("headroom"));
    if (const Status set = Lower(); !set.ok()) return done(set);
    worker_.OnLaunch(spec_.id, [this] { [[maybe_unused]] const Status gone = Lower(); });
    done(absl::OkStatus());
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    worker_.OnLaunch(spec_.id, nullptr);
    if (!worker_.process().alive()) return absl::OkStatus();
    const Status set = SetSoftLimit(worker_.process().pid(), resource_, before_);
    // Dead, and nobody has been told yet.
    return set.code() == StatusCode::kNotFound ? absl::OkStatus() : set;
  }

 private:
  Status Lower() {
    // Whoever dies of a lack of memory dies of the fault; to have no descriptor left is to be
    // survived.
    if (resource_ == RLIMIT_AS) worker_.process().BlameExit(Intent::kInjected);
    return SetSoftLimit(worker_.process().pid(), resource_, limit_);
  }

  WorkerUnderTest& worker_;
  const FaultSpec& spec_;
  const int resource_;
  std::uint64_t before_ = 0, limit_ = 0;
};

template <int resource>
std::unique_ptr<FaultAction> MakeLimited(const FaultParts& parts) {
  return std::make_unique<Limited>(parts, resource);
}

// -------------------------------------------------------------------------------------------------
// in effect from the next start on

class NextStart final : public FaultAction {
 public:
  NextStart(const FaultParts& parts, LaunchChange change)
      : worker_(*parts.worker),
        id_(parts.spec.id),
        renew_(parts.spec.parameters.Text("renew")),
        change_(std::move(change)) {}
  ~NextStart() override { *alive_ = false; }

  void Inject(Done done) override {
    worker_.ChangeLaunch(id_, change_);
    if (renew_ == "none") return done(absl::OkStatus());
    // What comes of the start is the fault's effect.
    Ended([this, done = std::move(done)] {
      worker_.Start(nullptr);
      done(absl::OkStatus());
    });
  }

  void Heal(Done done) override {
    worker_.RestoreLaunch(id_);
    // What was stopped on purpose meanwhile stays so.
    const auto& last = worker_.process().last_exit();
    const bool wanted =
        worker_.process().alive() || (last.has_value() && last->reason == "injected");
    if (renew_ == "none" || !wanted) return done(absl::OkStatus());
    Ended([this, done = std::move(done)] {
      // Its restart policy may have been quicker.
      if (worker_.process().alive()) return done(absl::OkStatus());
      worker_.Start(done);
    });
  }
  Status HealNow() override {
    worker_.RestoreLaunch(id_);
    return absl::OkStatus();
  }

 private:
  void Ended(std::function<void()> then) {
    if (!worker_.process().alive()) return then();
    ChildProcess::ExitCallback ended = [alive = alive_,
                                        then = std::move(then)](const ProcessExit&) {
      if (*alive) then();
    };
    if (renew_ == "kill") return worker_.Kill(Intent::kInjected, std::move(ended));
    worker_.Stop(Intent::kInjected, std::move(ended));
  }

  WorkerUnderTest& worker_;
  const std::string id_;
  const std::string renew_;
  const LaunchChange change_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<FaultAction> MakeClockSkew(const FaultParts& parts) {
  const Params& params = parts.spec.parameters;
  const double seconds = std::chrono::duration<double>(params.Time("by")).count();
  const double rate = params.Number("rate", 1);
  LaunchChange change;
  change.environment = {
      {"LD_PRELOAD", FindFaketime().value_or("")},
      {"FAKETIME", fmt::format("{}{:.9f}{}", params.Text("direction") == "ahead" ? "+" : "-",
                               seconds, rate == 1 ? "" : fmt::format(" x{:g}", rate))},
      {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeEnvironmentChanged(const FaultParts& parts) {
  LaunchChange change{.ends_it = true};
  for (const auto& [name, value] : parts.spec.parameters.TextMap("variables"))
    change.environment[name] = value;
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeEnvironmentMissing(const FaultParts& parts) {
  LaunchChange change{.ends_it = true};
  for (const std::string& name : parts.spec.parameters.Texts("variables"))
    change.environment[name] = std::nullopt;
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeExitsAtOnce(const FaultParts& parts) {
  const Params& params = parts.spec.parameters;
  LaunchChange change{.ends_it = true};
  change.replace = {"sh", "-c", "printf '%s\\n' \"$1\" >&2; exit \"$0\"",
                    std::to_string(params.Int("code")), params.Text("message")};
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeIgnoresSigterm(const FaultParts& parts) {
  // The program gets the signal's default back, so that it could act on it, if it came.
  LaunchChange change;
  change.in_front = {"sh", "-c",
                     "trap '' TERM; env --default-signal=TERM \"$0\" \"$@\" & wait \"$!\""};
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeSlowStart(const FaultParts& parts) {
  const double seconds = std::chrono::duration<double>(parts.spec.parameters.Time("delay")).count();
  LaunchChange change;
  change.in_front = {"sh", "-c", "sleep \"$0\"; exec \"$@\"", fmt::format("{:.3f}", seconds)};
  return std::make_unique<NextStart>(parts, std::move(change));
}

std::unique_ptr<FaultAction> MakeWrongProgram(const FaultParts& parts) {
  LaunchChange change{.ends_it = true};
  change.replace = parts.spec.parameters.Texts("command");
  return std::make_unique<NextStart>(parts, std::move(change));
}

constexpr FaultFactory kWorkerFactories[] = {
    {"cancel", MakeSignalled<SIGUSR2>},
    {"clock_skew", MakeClockSkew},
    {"crash_loop", MakeFault<CrashLoop>},
    {"environment_changed", MakeEnvironmentChanged},
    {"environment_missing", MakeEnvironmentMissing},
    {"exits_at_once", MakeExitsAtOnce},
    {"ignores_sigterm", MakeIgnoresSigterm},
    {"interrupt", MakeSignalled<SIGINT>},
    {"kill", MakeSignalled<SIGKILL>},
    {"out_of_files", MakeLimited<RLIMIT_NOFILE>},
    {"out_of_memory", MakeLimited<RLIMIT_AS>},
    {"pause", MakeFault<WorkerPause>},
    {"slow_start", MakeSlowStart},
    {"terminate", MakeSignalled<SIGTERM>},
    {"wrong_program", MakeWrongProgram},
};

}  // namespace

std::span<const FaultFactory> WorkerFaultFactories() { return kWorkerFactories; }

}  // namespace squall::harness
