// The catalogue's faults that are rules of misbehaviour (base/wire/misbehaviour.h).
#include "scenarios/format/fault_rules.h"

#include <fmt/format.h>

#include <utility>
#include <variant>
#include <vector>

namespace squall::scenarios {
namespace {

// RFC 9113, 6.5.2.
constexpr std::uint16_t kMaxConcurrentStreams = 3, kMaxHeaderListSize = 6;

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

// A status of Temporal's, with the detail that its clients look for.
wire::AnswerStatus Refusal(StatusCode code, std::string message, const std::string& detail = "",
                           std::string fields = "{}") {
  wire::AnswerStatus status;
  status.code = static_cast<int>(code);
  status.message = std::move(message);
  if (!detail.empty())
    status.details.push_back({"temporal.api.errordetails.v1." + detail, std::move(fields)});
  return status;
}

// Of servers.
wire::Effect ServerRpcError(const Params& params) {
  return Refusal(static_cast<StatusCode>(CodeOf(params)), params.Text("message"));
}
wire::Effect NamespaceMissing(const Params& params) {
  const std::string ns = params.Text("namespace");
  return Refusal(StatusCode::kNotFound, fmt::format("Namespace {} is not found.", ns),
                 "NamespaceNotFoundFailure", fmt::format(R"({{"namespace": "{}"}})", ns));
}
wire::Effect PermissionDenied(const Params& params) {
  if (params.Text("code") == "UNAUTHENTICATED")
    return Refusal(StatusCode::kUnauthenticated, params.Text("message"));
  return Refusal(StatusCode::kPermissionDenied, params.Text("message"), "PermissionDeniedFailure");
}
wire::Effect RateLimited(const Params& params) {
  return Refusal(StatusCode::kResourceExhausted, params.Text("message"), "ResourceExhaustedFailure",
                 R"({"cause": "RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT"})");
}
wire::Effect ReadOnly(const Params& params) {
  return Refusal(StatusCode::kUnavailable, params.Text("message"));
}
wire::Effect Slow(const Params& params) { return wire::DelayCall{.by = params.Time("delay")}; }

wire::Matcher OfServer(const Params& params) {
  wire::Matcher match;
  match.methods = params.Texts("methods");
  match.probability = params.Number("probability", 1);
  return match;
}
wire::Matcher OfNamespace(const Params& params) {
  wire::Matcher match;
  match.ns = params.Text("namespace");
  return match;
}
wire::Matcher OfWrites(const Params&) {
  wire::Matcher match;
  match.methods = {"Start*",         "Signal*",    "Respond*", "RecordActivity*",
                   "RequestCancel*", "Terminate*", "Reset*",   "Update*",
                   "Delete*",        "Create*",    "Patch*",   "Register*",
                   "Deprecate*",     "Set*",       "Pause*",   "Unpause*",
                   "Execute*",       "Stop*",      "Trigger*"};
  return match;
}

struct Row {
  FaultTarget target;
  std::string_view fault;
  wire::Effect (*effect)(const Params&);
  wire::Matcher (*match)(const Params&);
};
constexpr FaultTarget kOfLinks = FaultTarget::kLink, kOfServers = FaultTarget::kServer;
constexpr Row kRules[] = {
    {kOfLinks, "goaway", Goaway, MatcherOf},
    {kOfLinks, "header_limit", HeaderLimit, MatcherOf},
    {kOfLinks, "http1", Http1, MatcherOf},
    {kOfLinks, "http_page", HttpPage, MatcherOf},
    {kOfLinks, "lost_answer", LostAnswer, MatcherOf},
    {kOfLinks, "message_limit", MessageLimit, MatcherOf},
    {kOfLinks, "missing_trailers", MissingTrailers, MatcherOf},
    {kOfLinks, "no_ping_ack", NoPingAck, MatcherOf},
    {kOfLinks, "no_window", NoWindow, MatcherOf},
    {kOfLinks, "read_timeout", ReadTimeout, MatcherOf},
    {kOfLinks, "request_twice", RequestTwice, MatcherOf},
    {kOfLinks, "reset_stream", ResetStream, MatcherOf},
    {kOfLinks, "rpc_delay", RpcDelay, MatcherOf},
    {kOfLinks, "rpc_error", RpcError, MatcherOf},
    {kOfLinks, "rpc_hang", RpcHang, MatcherOf},
    {kOfLinks, "stream_limit", StreamLimit, MatcherOf},
    {kOfServers, "namespace_missing", NamespaceMissing, OfNamespace},
    {kOfServers, "permission_denied", PermissionDenied, OfServer},
    {kOfServers, "rate_limited", RateLimited, OfServer},
    {kOfServers, "read_only", ReadOnly, OfWrites},
    {kOfServers, "rpc_error", ServerRpcError, OfServer},
    {kOfServers, "slow", Slow, OfServer},
};

// `misbehaviour` brings its rule along.
StatusOr<wire::Rule> GivenRule(const Params& params) {
  SQUALL_ASSIGN_OR_RETURN(
      std::vector<wire::Rule> rules,
      wire::RulesFromJson(fmt::format("{{\"rules\": [{}]}}", params.Text("rule"))));
  if (rules.size() != 1)
    return MakeStatus(StatusCode::kInvalidArgument, "fault misbehaviour: one rule, not {}",
                      rules.size());
  return std::move(rules.front());
}

}  // namespace

StatusOr<wire::Rule> RuleOfFault(FaultTarget target, std::string_view fault, const std::string& id,
                                 const Params& params) {
  if (target == kOfLinks && fault == "misbehaviour") {
    SQUALL_ASSIGN_OR_RETURN(wire::Rule rule, GivenRule(params));
    rule.id = id;
    return rule;
  }
  for (const Row& row : kRules) {
    if (row.target != target || row.fault != fault) continue;
    wire::Rule rule;
    rule.id = id;
    rule.effect = row.effect(params);
    if (target == kOfLinks && wire::OnConnection(rule.effect)) {
      rule.on = wire::Trigger::kEvery;
      if (std::holds_alternative<wire::SendGoaway>(rule.effect)) rule.after = params.Time("after");
    } else {
      rule.match = row.match(params);
    }
    return rule;
  }
  return MakeStatus(StatusCode::kNotFound, "the fault {} is no rule", fault);
}

bool OutlastsHealing(const wire::Rule& rule) {
  return std::holds_alternative<wire::ChangeSettings>(rule.effect) ||
         std::holds_alternative<wire::HalfOpen>(rule.effect);
}

}  // namespace squall::scenarios
