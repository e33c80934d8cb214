// Faults of servers that squall started.

#include <utility>

#include "harness/fault/fault_action.h"

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
      : server_(*parts.server), ns_(parts.spec.parameters.Text("namespace")) {}
  void Inject(Done done) override { server_.DeleteNamespace(ns_, std::move(done)); }
  void Heal(Done done) override { server_.RegisterNamespace(ns_, std::move(done)); }
  Status HealNow() override {
    server_.RegisterNamespace(ns_, nullptr);
    return absl::OkStatus();
  }

 private:
  ServerUnderTest& server_;
  const std::string ns_;
};

class RpcError final : public FaultAction {
 public:
  explicit RpcError(const FaultParts& parts) : server_(*parts.server), spec_(parts.spec) {}
  void Inject(Done done) override {
    const scenarios::Params& params = spec_.parameters;
    done(server_.RefuseRpcs(spec_.id, params.Texts("methods"), CodeFromName(params.Text("code")),
                            params.Text("message")));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override { return server_.AcceptRpcs(spec_.id); }

 private:
  ServerUnderTest& server_;
  const FaultSpec& spec_;
};

constexpr FaultFactory kServerFactories[] = {
    {"data_lost", MakeDataLost},
    {"kill", MakeDown<Down::How::kKill>},
    {"namespace_delete", MakeFault<NamespaceDelete>},
    {"pause", MakeFault<Pause>},
    {"restart", MakeRestart},
    {"rpc_error", MakeFault<RpcError>},
    {"server_down", MakeDown<Down::How::kKill>},
    {"stop", MakeDown<Down::How::kStop>},
};

}  // namespace

std::span<const FaultFactory> ServerFaultFactories() { return kServerFactories; }

}  // namespace squall::harness
