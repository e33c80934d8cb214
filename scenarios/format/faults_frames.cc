// The catalogue's faults of links that understand HTTP/2 and gRPC, and of their TLS: what a
// frame-aware proxy between two ends does. A link has one where a scenario injects any of these.

#include "base/util/status.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

constexpr const char* kLifted = "Healing; calls that were met already get what was due to them.";
constexpr const char* kNewConnections =
    "Healing closes the connections that were told; clients open new ones.";

ParamSpec CallMethods() {
  return {.name = "methods",
          .type = kTextList,
          .doc = "Method names; stars match anything. Left out: every call."};
}
ParamSpec Calls() {
  return {.name = "calls",
          .type = kInt,
          .doc = "Only so many calls (0: all).",
          .default_text = "0",
          .min = 0};
}
ParamSpec Skip() {
  return {.name = "skip",
          .type = kInt,
          .doc = "The first so many calls pass.",
          .default_text = "0",
          .min = 0};
}
ParamSpec CallChance() {
  return {.name = "probability",
          .type = kNumber,
          .doc = "Each call is chosen with this probability, by the run's seed.",
          .default_text = "1",
          .min = 0,
          .max = 1};
}
// What every fault of calls has, behind its own.
ParamTable OfCalls(ParamTable params) {
  for (ParamSpec& spec : std::vector{CallMethods(), Calls(), Skip(), CallChance()})
    params.push_back(std::move(spec));
  return params;
}

ParamSpec Way() {
  return {.name = "way",
          .type = kWord,
          .doc = "On which way.",
          .default_text = "request",
          .words = {"request", "answer"}};
}

ParamSpec StatusCodeParam() {
  std::vector<std::string> codes;
  for (int code = 1; code <= 16; ++code) codes.emplace_back(CodeName(code));
  return {.name = "code", .type = kWord, .doc = "The status.", .required = true, .words = codes};
}

ParamSpec HttpStatus(const char* usual) {
  return {.name = "status",
          .type = kInt,
          .doc = "The page's HTTP status.",
          .default_text = usual,
          .min = 200,
          .max = 599};
}

// The names of base/wire/tls_modes.h; a test holds them together.
std::vector<std::string> TlsModeNames() {
  return {"wrong_ca",
          "expired",
          "not_yet_valid",
          "wrong_name",
          "ip_without_san",
          "self_signed",
          "weak_key",
          "key_mismatch",
          "chain_incomplete",
          "root_rotated",
          "leaf_rotated",
          "old_version",
          "tls12_only",
          "no_alpn",
          "alpn_http1",
          "client_cert_missing",
          "client_cert_foreign",
          "client_cert_expired",
          "client_cert_no_usage",
          "sni_wrong_default",
          "sni_refused",
          "plaintext",
          "tls",
          "handshake_hangs",
          "no_close_notify"};
}

FaultDefinition FrameRow(std::string name, std::string doc, ParamTable params, std::string example,
                         std::string restored_by = kLifted) {
  FaultDefinition row;
  row.name = std::move(name);
  row.target = FaultTarget::kLink;
  row.doc = std::move(doc);
  row.params = std::move(params);
  row.restored_by = std::move(restored_by);
  row.needs = {FaultNeed::kFrames};
  row.example = std::move(example);
  return row;
}

}  // namespace

std::vector<FaultDefinition> FrameFaults() {
  std::vector<FaultDefinition> rows = {
      FrameRow("rpc_error", "Calls end with a gRPC status; the server does not see them.",
               OfCalls({StatusCodeParam(),
                        {.name = "message",
                         .type = kText,
                         .doc = "Its message.",
                         .default_text = "injected"}}),
               "methods: Poll*, code: UNAVAILABLE"),
      FrameRow(
          "rpc_delay", "Calls, or their answers, are late.",
          OfCalls({{.name = "delay", .type = kDuration, .doc = "By how much.", .required = true},
                   Way()}),
          "delay: 100ms"),
      FrameRow("rpc_hang", "Calls are never answered; the server does not see them.", OfCalls({}),
               "methods: RespondWorkflowTaskCompleted, calls: 1"),
      FrameRow(
          "lost_answer", "The server handles calls, and their answers are lost.",
          OfCalls({{.name = "how",
                    .type = kWord,
                    .doc = "What the client sees instead.",
                    .default_text = "reset_stream",
                    .words = {"silence", "reset_stream", "close_connection", "reset_connection"}}}),
          "methods: Respond*, calls: 1"),
      FrameRow("request_twice", "The server gets calls twice; the second answer is thrown away.",
               OfCalls({}), "methods: Respond*"),
      FrameRow("reset_stream",
               "Calls are reset (RST_STREAM) instead of being answered; the server does not see "
               "them.",
               OfCalls({{.name = "error",
                         .type = kWord,
                         .doc = "The error code of RFC 9113.",
                         .default_text = "INTERNAL_ERROR",
                         .words = {"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "REFUSED_STREAM",
                                   "CANCEL", "ENHANCE_YOUR_CALM"}}}),
               "methods: Poll*, error: REFUSED_STREAM"),
      FrameRow("http_page",
               "Calls are answered with a load balancer's HTML page; the server does not see them.",
               OfCalls({HttpStatus("503")}), "methods: Poll*, status: 502"),
      FrameRow("http1",
               "New connections are answered in HTTP/1.1, and closed; those that stand too.",
               {HttpStatus("400")}, "status: 400"),
      FrameRow("read_timeout",
               "Calls that the server has not begun to answer in time are given up, with a load "
               "balancer's page.",
               OfCalls({{.name = "after",
                         .type = kDuration,
                         .doc = "The balancer's read time-out.",
                         .default_text = "60s"},
                        HttpStatus("504")}),
               "methods: Poll*, after: 100ms"),
      FrameRow("message_limit", "Longer messages are refused with RESOURCE_EXHAUSTED or a page.",
               OfCalls({{.name = "bytes",
                         .type = kSize,
                         .doc = "The longest that passes.",
                         .required = true},
                        Way(),
                        {.name = "answer",
                         .type = kWord,
                         .doc = "As what it is refused.",
                         .default_text = "status",
                         .words = {"status", "page"}}}),
               "methods: RespondWorkflowTaskCompleted, bytes: 16B, calls: 1"),
      FrameRow("missing_trailers", "Answers end without a status.", OfCalls({}),
               "methods: Respond*, calls: 1"),
      FrameRow("goaway",
               "Connections are told to go away: each when it is so old; those that stand count "
               "from the injection.",
               {{.name = "after", .type = kDuration, .doc = "Their age.", .default_text = "0s"},
                {.name = "refuse",
                 .type = kBool,
                 .doc = "Calls under way are refused too, and the connection is closed.",
                 .default_text = "false"}},
               "after: 50ms"),
      FrameRow("stream_limit",
               "Connections may have so many calls open at once: those that come from their first "
               "byte on, those that stand as soon as they have heard of it.",
               {{.name = "streams", .type = kInt, .doc = "How many.", .required = true, .min = 0}},
               "streams: 1", kNewConnections),
      FrameRow(
          "header_limit",
          "Calls with longer header blocks are reset on new connections; those that stand are "
          "told of the limit.",
          {{.name = "bytes", .type = kSize, .doc = "Names and values together.", .required = true}},
          "bytes: 10B", kNewConnections),
      FrameRow("no_window",
               "No window is given back: requests stall once a window's worth was sent.", {}, ""),
      FrameRow(
          "no_ping_ack",
          "PINGs are not acknowledged: keepalives fail, of core's workers after 30 s and 15 s.", {},
          ""),
      FrameRow("misbehaviour",
               "A rule of docs/misbehaviour.md, for all that the faults above do not say.",
               {{.name = "rule",
                 .type = kText,
                 .doc = "It, in JSON; its id is the fault's.",
                 .required = true}},
               R"(rule: '{"match": {"method": "Respond*", "times": 1}, "do": "malformed"}')"),
      FrameRow("tls",
               "New connections meet TLS gone wrong (docs/faults-seen.md tells what clients see); "
               "those that stand are reset.",
               {{.name = "mode",
                 .type = kWord,
                 .doc = "How.",
                 .required = true,
                 .words = TlsModeNames()},
                {.name = "keep_connections",
                 .type = kBool,
                 .doc = "Leave the connections that stand alone.",
                 .default_text = "false"}},
               "mode: tls", "Healing resets the connections that met it; clients open new ones."),
  };
  for (FaultDefinition& row : rows) {
    // A worker says nothing else before its keepalive does.
    if (row.name == "no_ping_ack") row.during = "for: 31s";
  }
  return rows;
}

}  // namespace squall::scenarios
