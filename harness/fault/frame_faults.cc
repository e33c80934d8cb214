// Faults of links that understand HTTP/2 and gRPC: each is a rule or a TLS mode that the link's
// frame-aware proxy obeys.

#include <utility>
#include <variant>

#include "base/wire/misbehaviour.h"
#include "base/wire/tls_modes.h"
#include "harness/fault/fault_action.h"
#include "harness/net/grpc_proxy.h"
#include "scenarios/format/fault_rules.h"

namespace squall::harness {
namespace {

using scenarios::FaultTarget;

Status NoFrames(const FaultSpec& spec) {
  return MakeStatus(StatusCode::kUnavailable,
                    "fault {}: link {} has no frame-aware proxy: it leads nowhere", spec.fault,
                    spec.target);
}

class RuleFault final : public FaultAction {
 public:
  RuleFault(GrpcProxy* proxy, const FaultSpec& spec, StatusOr<wire::Rule> rule)
      : proxy_(proxy), spec_(spec), rule_(std::move(rule)) {}

  void Inject(Done done) override {
    if (proxy_ == nullptr) return done(NoFrames(spec_));
    if (!rule_.ok()) return done(rule_.status());
    done(proxy_->SetRules({*rule_}).status());
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    if (proxy_ == nullptr || !rule_.ok()) return absl::OkStatus();
    proxy_->LiftRule(spec_.id);
    if (scenarios::OutlastsHealing(*rule_)) proxy_->CloseConnections(CutWith::kReset, spec_.id);
    return absl::OkStatus();
  }

 private:
  GrpcProxy* const proxy_;  // null: no injection succeeds
  const FaultSpec& spec_;
  const StatusOr<wire::Rule> rule_;
};

class TlsFault final : public FaultAction {
 public:
  explicit TlsFault(const FaultParts& parts)
      : proxy_(parts.targets.Frames(parts.spec.target)), spec_(parts.spec) {}

  void Inject(Done done) override {
    if (proxy_ == nullptr) return done(NoFrames(spec_));
    const wire::TlsMode* mode = wire::FindTlsMode(spec_.parameters.Text("mode"));
    if (mode == nullptr) {
      return done(MakeStatus(StatusCode::kInvalidArgument, "there is no TLS mode '{}'",
                             spec_.parameters.Text("mode")));
    }
    done(proxy_->SetTlsMode(spec_.id, mode->fault, spec_.parameters.Bool("keep_connections")));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    if (proxy_ != nullptr) proxy_->RemoveTlsMode(spec_.id);
    return absl::OkStatus();
  }

 private:
  GrpcProxy* const proxy_;
  const FaultSpec& spec_;
};

std::unique_ptr<FaultAction> MakeTls(const FaultParts& parts) {
  return std::make_unique<TlsFault>(parts);
}

std::unique_ptr<FaultAction> MakeRule(const FaultParts& parts) {
  const FaultSpec& spec = parts.spec;
  return std::make_unique<RuleFault>(
      parts.targets.Frames(spec.target), spec,
      scenarios::RuleOfFault(FaultTarget::kLink, spec.fault, spec.id, spec.parameters));
}

constexpr FaultFactory kFrameFactories[] = {
    {"goaway", MakeRule},       {"header_limit", MakeRule},     {"http1", MakeRule},
    {"http_page", MakeRule},    {"lost_answer", MakeRule},      {"message_limit", MakeRule},
    {"misbehaviour", MakeRule}, {"missing_trailers", MakeRule}, {"no_ping_ack", MakeRule},
    {"no_window", MakeRule},    {"read_timeout", MakeRule},     {"request_twice", MakeRule},
    {"reset_stream", MakeRule}, {"rpc_delay", MakeRule},        {"rpc_error", MakeRule},
    {"rpc_hang", MakeRule},     {"stream_limit", MakeRule},     {"tls", MakeTls},
};

}  // namespace

std::span<const FaultFactory> FrameFaultFactories() { return kFrameFactories; }

}  // namespace squall::harness
