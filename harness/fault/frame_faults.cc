// Faults of links that understand HTTP/2 and gRPC: each is a rule or a TLS mode that the link's
// frame-aware proxy obeys.

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/wire/misbehaviour.h"
#include "base/wire/tls_modes.h"
#include "harness/fault/fault_action.h"
#include "harness/net/grpc_proxy.h"

namespace squall::harness {
namespace {

using scenarios::Params;

// RFC 9113, 6.5.2.
constexpr std::uint16_t kMaxConcurrentStreams = 3, kMaxHeaderListSize = 6;

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
    if (Outlasts(rule_->effect)) proxy_->CloseConnections(CutWith::kReset, spec_.id);
    return absl::OkStatus();
  }

 private:
  // What a connection was told, or has become, stays with it when the rule is gone.
  static bool Outlasts(const wire::Effect& effect) {
    return std::holds_alternative<wire::ChangeSettings>(effect) ||
           std::holds_alternative<wire::HalfOpen>(effect);
  }

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

wire::Matcher MatcherOf(const Params& params) {
  wire::Matcher match;
  match.methods = params.Texts("methods");
  match.times = static_cast<std::uint64_t>(params.Int("calls"));
  match.probability = params.Number("probability", 1);
  if (const std::int64_t skip = params.Int("skip"); skip > 0)
    match.numbers = wire::Range{.first = static_cast<std::uint64_t>(skip) + 1};
  return match;
}

int CodeOf(const Params& params) { return CodeFromName(params.Text("code")); }
wire::Way WayOf(const Params& params) {
  return params.Text("way") == "answer" ? wire::Way::kAnswer : wire::Way::kRequest;
}

wire::Effect RpcError(const Params& params) {
  return wire::AnswerStatus{
      .code = CodeOf(params), .message = params.Text("message"), .details = {}};
}
wire::Effect RpcDelay(const Params& params) {
  return wire::DelayCall{.by = params.Time("delay"), .way = WayOf(params)};
}
wire::Effect RpcHang(const Params&) { return wire::HangCall{}; }
wire::Effect LostAnswer(const Params& params) {
  using How = wire::LoseAnswer::How;
  const std::string how = params.Text("how");
  return wire::LoseAnswer{.how = how == "silence"            ? How::kSilence
                                 : how == "close_connection" ? How::kCloseConnection
                                 : how == "reset_connection" ? How::kResetConnection
                                                             : How::kResetStream};
}
wire::Effect RequestTwice(const Params&) { return wire::RepeatRequest{}; }
wire::Effect HttpPage(const Params& params) {
  return wire::AnswerHttp{.status = static_cast<int>(params.Int("status"))};
}
wire::Effect ReadTimeout(const Params& params) {
  return wire::ReadTimeout{.by = params.Time("after"),
                           .status = static_cast<int>(params.Int("status"))};
}
wire::Effect MessageLimit(const Params& params) {
  return wire::LimitMessage{.bytes = static_cast<std::uint64_t>(params.Int("bytes")),
                            .way = WayOf(params),
                            .page = params.Text("answer") == "page"};
}
wire::Effect MissingTrailers(const Params&) { return wire::MissingTrailers{}; }
wire::Effect ResetStream(const Params& params) {
  const std::string name = params.Text("error");
  wire::ResetStream reset;
  for (const wire::Http2Error error :
       {wire::Http2Error::kNoError, wire::Http2Error::kProtocolError,
        wire::Http2Error::kInternalError, wire::Http2Error::kRefusedStream,
        wire::Http2Error::kCancel, wire::Http2Error::kEnhanceYourCalm}) {
    if (wire::Http2ErrorName(error) == name) reset.error = error;
  }
  return reset;
}

// Of connections: those that stand and those that come.
wire::Effect Http1(const Params& params) {
  return wire::AnswerHttp{.status = static_cast<int>(params.Int("status")), .http1 = true};
}
wire::Effect Goaway(const Params& params) {
  const bool refuse = params.Bool("refuse");
  return wire::SendGoaway{.last_stream = refuse ? 0 : wire::Http2Connection::kSeen,
                          .debug = "max_age",
                          .close = refuse};
}
wire::Effect StreamLimit(const Params& params) {
  return wire::ChangeSettings{
      {{kMaxConcurrentStreams, static_cast<std::uint32_t>(params.Int("streams"))}}};
}
wire::Effect HeaderLimit(const Params& params) {
  return wire::ChangeSettings{
      {{kMaxHeaderListSize, static_cast<std::uint32_t>(params.Int("bytes"))}}};
}
wire::Effect NoPingAck(const Params&) { return wire::WithholdPingAck{}; }
wire::Effect NoWindow(const Params&) { return wire::WithholdWindow{}; }

template <wire::Effect (*effect)(const Params&)>
std::unique_ptr<FaultAction> MakeRule(const FaultParts& parts) {
  const Params& params = parts.spec.parameters;
  wire::Rule rule;
  rule.id = parts.spec.id;
  rule.effect = effect(params);
  if (wire::OnConnection(rule.effect)) {
    rule.on = wire::Trigger::kEvery;
    if (std::holds_alternative<wire::SendGoaway>(rule.effect)) rule.after = params.Time("after");
  } else {
    rule.match = MatcherOf(params);
  }
  return std::make_unique<RuleFault>(parts.targets.Frames(parts.spec.target), parts.spec,
                                     std::move(rule));
}

StatusOr<wire::Rule> RuleOf(const FaultSpec& spec) {
  SQUALL_ASSIGN_OR_RETURN(
      std::vector<wire::Rule> rules,
      wire::RulesFromJson(fmt::format("{{\"rules\": [{}]}}", spec.parameters.Text("rule"))));
  if (rules.size() != 1) {
    return MakeStatus(StatusCode::kInvalidArgument, "fault {}: one rule, not {}", spec.fault,
                      rules.size());
  }
  rules.front().id = spec.id;
  return std::move(rules.front());
}

std::unique_ptr<FaultAction> MakeMisbehaviour(const FaultParts& parts) {
  return std::make_unique<RuleFault>(parts.targets.Frames(parts.spec.target), parts.spec,
                                     RuleOf(parts.spec));
}

constexpr FaultFactory kFrameFactories[] = {
    {"goaway", MakeRule<Goaway>},
    {"header_limit", MakeRule<HeaderLimit>},
    {"http1", MakeRule<Http1>},
    {"http_page", MakeRule<HttpPage>},
    {"lost_answer", MakeRule<LostAnswer>},
    {"message_limit", MakeRule<MessageLimit>},
    {"misbehaviour", MakeMisbehaviour},
    {"missing_trailers", MakeRule<MissingTrailers>},
    {"no_ping_ack", MakeRule<NoPingAck>},
    {"no_window", MakeRule<NoWindow>},
    {"read_timeout", MakeRule<ReadTimeout>},
    {"request_twice", MakeRule<RequestTwice>},
    {"reset_stream", MakeRule<ResetStream>},
    {"rpc_delay", MakeRule<RpcDelay>},
    {"rpc_error", MakeRule<RpcError>},
    {"rpc_hang", MakeRule<RpcHang>},
    {"stream_limit", MakeRule<StreamLimit>},
    {"tls", MakeTls},
};

}  // namespace

std::span<const FaultFactory> FrameFaultFactories() { return kFrameFactories; }

}  // namespace squall::harness
