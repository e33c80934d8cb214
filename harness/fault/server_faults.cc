// Faults of servers that squall started.

#include <utility>

#include "harness/fault/fault_action.h"
#include "scenarios/format/fault_rules.h"

namespace squall::harness {
namespace {

// Takes a running server down at once; healing starts it again.
class Down final : public FaultAction {
 public:
  enum class How { kKill, kStop };
  Down(const FaultParts& parts, How how)
      : server_(*parts.server),
        how_(how),
        keep_data_(parts.spec.parameters.Bool("keep_data", server_.options().keep_data)) {}

  void Inject(Done done) override {
    if (!server_.running()) {
      return done(
          MakeStatus(StatusCode::kFailedPrecondition, "server {} does not run", server_.name()));
    }
    if (how_ == How::kKill) return server_.Kill(Intent::kInjected, std::move(done));
    server_.Stop(Intent::kInjected, std::move(done));
  }
  void Heal(Done done) override {
    // A step of the scenario may have started it meanwhile: then nothing is left to heal.
    if (server_.running()) return done(absl::OkStatus());
    server_.StartAgain(keep_data_, std::move(done));
  }
  // Started without being waited for: whoever drops the handle does not want to know.
  Status HealNow() override {
    if (!server_.running()) server_.StartAgain(keep_data_, nullptr);
    return absl::OkStatus();
  }

 private:
  ServerUnderTest& server_;
  const How how_;
  const bool keep_data_;
};

template <Down::How how>
std::unique_ptr<FaultAction> MakeDown(const FaultParts& parts) {
  return std::make_unique<Down>(parts, how);
}

// Down and up again, as one injection.
class Restart final : public FaultAction {
 public:
  struct Plan {
    bool kill = false, keep_data = true;
    Duration down_for{};
  };
  Restart(const FaultParts& parts, Plan plan)
      : executor_(parts.executor), server_(*parts.server), plan_(plan) {}
  ~Restart() override {
    *alive_ = false;
    executor_.Cancel(timer_);
  }

  void Inject(Done done) override {
    if (!server_.running()) {
      return done(
          MakeStatus(StatusCode::kFailedPrecondition, "server {} does not run", server_.name()));
    }
    Done ended = [this, alive = alive_, done = std::move(done)](const Status& status) {
      if (!*alive) return;
      if (!status.ok()) return done(status);
      timer_ = executor_.After(plan_.down_for, [this, done] {
        timer_ = 0;
        server_.StartAgain(plan_.keep_data, done);
      });
    };
    if (plan_.kill) return server_.Kill(Intent::kInjected, std::move(ended));
    server_.Stop(Intent::kInjected, std::move(ended));
  }

 private:
  AsioExecutor& executor_;
  ServerUnderTest& server_;
  const Plan plan_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  TimerId timer_ = 0;
};

std::unique_ptr<FaultAction> MakeRestart(const FaultParts& parts) {
  const scenarios::Params& params = parts.spec.parameters;
  return std::make_unique<Restart>(
      parts, Restart::Plan{.kill = params.Bool("kill"),
                           .keep_data = params.Bool("keep_data", parts.server->options().keep_data),
                           .down_for = params.Time("down_for")});
}

std::unique_ptr<FaultAction> MakeDataLost(const FaultParts& parts) {
  return std::make_unique<Restart>(parts, Restart::Plan{.kill = true, .keep_data = false});
}

class Pause final : public FaultAction {
 public:
  explicit Pause(const FaultParts& parts) : server_(*parts.server) {}
  void Inject(Done done) override {
    if (!server_.running()) {
      return done(
          MakeStatus(StatusCode::kFailedPrecondition, "server {} does not run", server_.name()));
    }
    done(server_.Pause(Intent::kInjected));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override { return server_.Resume(Intent::kInjected); }

 private:
  ServerUnderTest& server_;
};

class NamespaceDelete final : public FaultAction {
 public:
  explicit NamespaceDelete(const FaultParts& parts)
      : executor_(parts.executor),
        server_(*parts.server),
        ns_(parts.spec.parameters.Text("namespace")) {}
  ~NamespaceDelete() override {
    *alive_ = false;
    executor_.Cancel(timer_);
  }
  void Inject(Done done) override { server_.DeleteNamespace(ns_, std::move(done)); }
  void Heal(Done done) override {
    const SteadyTime limit = executor_.clock().Now() + kKnownLimit;
    server_.RegisterNamespace(
        ns_, [this, alive = alive_, limit, done = std::move(done)](const Status& status) {
          if (!*alive) return;
          if (!status.ok()) return done(status);
          AwaitKnown(limit, done);
        });
  }
  Status HealNow() override {
    server_.RegisterNamespace(ns_, nullptr);
    return absl::OkStatus();
  }

 private:
  // The real server remembers for some seconds that a namespace was not there (its registry caches
  // what it did not find); service is restored when it has forgotten that.
  static constexpr Duration kKnownLimit = std::chrono::seconds(30);
  static constexpr Duration kAskPause = std::chrono::milliseconds(100);
  void AwaitKnown(SteadyTime limit, Done done) {
    server_.client().CallJson(
        "CountWorkflowExecutions", fmt::format(R"({{"namespace": "{}"}})", ns_), {},
        [this, alive = alive_, limit, done = std::move(done)](const StatusOr<std::string>& count) {
          if (!*alive) return;
          if (count.ok() || executor_.clock().Now() >= limit) return done(count.status());
          timer_ = executor_.After(kAskPause, [this, limit, done] { AwaitKnown(limit, done); });
        });
  }

  AsioExecutor& executor_;
  ServerUnderTest& server_;
  const std::string ns_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  TimerId timer_ = 0;
};

// Deleted and there again, as one injection.
class NamespaceReregister final : public FaultAction {
 public:
  explicit NamespaceReregister(const FaultParts& parts)
      : server_(*parts.server), ns_(parts.spec.parameters.Text("namespace")) {}
  ~NamespaceReregister() override { *alive_ = false; }
  void Inject(Done done) override {
    server_.DeleteNamespace(ns_,
                            [this, alive = alive_, done = std::move(done)](const Status& status) {
                              if (!*alive) return;
                              if (!status.ok()) return done(status);
                              server_.RegisterNamespace(ns_, done);
                            });
  }

 private:
  ServerUnderTest& server_;
  const std::string ns_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class DelayedStart final : public FaultAction {
 public:
  explicit DelayedStart(const FaultParts& parts)
      : server_(*parts.server), delay_(parts.spec.parameters.Time("delay")), hit_(parts.hit) {}
  void Inject(Done done) override {
    server_.DelayStarts(delay_, [hit = hit_] { hit("a start waits"); });
    done(absl::OkStatus());
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    server_.DelayStarts(Duration::zero(), nullptr);
    return absl::OkStatus();
  }

 private:
  ServerUnderTest& server_;
  const Duration delay_;
  const std::function<void(std::string)> hit_;
};

// What the server's own front end does to calls.
class Misbehaves final : public FaultAction {
 public:
  explicit Misbehaves(const FaultParts& parts)
      : server_(*parts.server),
        spec_(parts.spec),
        rule_(scenarios::RuleOfFault(scenarios::FaultTarget::kServer, spec_.fault, spec_.id,
                                     spec_.parameters)) {}
  void Inject(Done done) override {
    if (!rule_.ok()) return done(rule_.status());
    done(server_.Misbehave(spec_.fault, *rule_));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override { return server_.Behave(spec_.id); }

 private:
  ServerUnderTest& server_;
  const FaultSpec& spec_;
  const StatusOr<wire::Rule> rule_;
};

std::unique_ptr<FaultAction> MakeMisbehaves(const FaultParts& parts) {
  return std::make_unique<Misbehaves>(parts);
}

// Scenarios that need it are skipped (availability.cc).
class Simulated final : public FaultAction {
 public:
  explicit Simulated(const FaultParts& parts) : fault_(parts.spec.fault) {}
  void Inject(Done done) override {
    done(MakeStatus(StatusCode::kUnimplemented, "the fault {} is simulated only", fault_));
  }
  void Heal(Done done) override { done(absl::OkStatus()); }
  Status HealNow() override { return absl::OkStatus(); }

 private:
  const std::string fault_;
};

constexpr FaultFactory kServerFactories[] = {
    {"data_lost", MakeDataLost},
    {"delayed_start", MakeFault<DelayedStart>},
    {"frontend_down", MakeFault<Simulated>},
    {"kill", MakeDown<Down::How::kKill>},
    {"namespace_delete", MakeFault<NamespaceDelete>},
    {"namespace_missing", MakeMisbehaves},
    {"namespace_reregister", MakeFault<NamespaceReregister>},
    {"pause", MakeFault<Pause>},
    {"permission_denied", MakeMisbehaves},
    {"rate_limited", MakeMisbehaves},
    {"read_only", MakeMisbehaves},
    {"restart", MakeRestart},
    {"rolling_restart", MakeFault<Simulated>},
    {"rpc_error", MakeMisbehaves},
    {"server_down", MakeDown<Down::How::kKill>},
    {"slow", MakeMisbehaves},
    {"stop", MakeDown<Down::How::kStop>},
};

}  // namespace

std::span<const FaultFactory> ServerFaultFactories() { return kServerFactories; }

}  // namespace squall::harness
