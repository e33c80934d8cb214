#include "tests/faults_seen/rows.h"

#include <vector>

namespace squall::seen {
namespace {

// Rules for the call that meets them; the id is always "f".
Row Rule(std::string_view name, std::string_view rules, std::size_t input_bytes = 0) {
  Row row;
  row.name = name;
  row.rules = rules;
  row.input_bytes = input_bytes;
  return row;
}

Row Fresh(Row row) {
  row.when = When::kFresh;
  return row;
}

Row Tls(std::string_view name, std::string_view mode) {
  Row row;
  row.name = name;
  row.tls_mode = mode;
  row.when = When::kFresh;
  return row;
}

Row ByAddress(Row row) {
  row.by_address = true;
  return row;
}
Row NoCertificate(Row row) {
  row.certificate = false;
  return row;
}
Row Plaintext(Row row) {
  row.plaintext_client = true;
  return row;
}
Row Behind(std::string_view server_rules, Row row) {
  row.server_rules = server_rules;
  return row;
}
// Ends by the call's deadline, for one client at least.
Row Hangs(Row row, int deadline_ms = 1000) {
  row.deadline_ms = deadline_ms;
  return row;
}
// For what is found by a client's keepalive: after 1 s (grpc-go: 10, its least), and 2 s for the
// answer, which a busy proxy must not miss.
Row Patient(Row row) { return Hangs(row, 15000); }
Row MidLife(Row row) {
  row.when = When::kEstablished;
  return row;
}

using harness::CutWith;
using harness::Direction;
using harness::IdleEnd;
using harness::NetFault;
using harness::NetFaultKind;
using std::chrono::milliseconds;

// Comes to a client in mid-life, unless it is Fresh.
Row Net(std::string_view name, NetFault fault, std::size_t input_bytes = 0) {
  Row row;
  row.name = name;
  fault.id = "f";
  row.net = std::move(fault);
  row.input_bytes = input_bytes;
  return row;
}

// The kernel answers in the proxy's place, so that the proxy is not met by new connections.
Row ByKernel(Row row) {
  row.unseen = true;
  return row;
}

const std::vector<Row>& All() {
  static const std::vector<Row> rows = {
      ByKernel(Fresh(Net("nobody listens", {.kind = NetFaultKind::kRefuse}))),
      Net("nobody listens any more", {.kind = NetFaultKind::kRefuse}),
      Fresh(Net("accepted and reset", {.kind = NetFaultKind::kReset})),
      Net("connections reset", {.kind = NetFaultKind::kReset}),
      Hangs(Fresh(Net("accepted, then silence", {.kind = NetFaultKind::kBlackhole}))),
      Patient(Net("silence in mid-life", {.kind = NetFaultKind::kBlackhole})),
      ByKernel(Hangs(Fresh(Net("never accepted", {.kind = NetFaultKind::kNeverAccept})))),
      ByKernel(Hangs(Fresh(Net("SYN without an answer",
                               {.kind = NetFaultKind::kNeverAccept, .backlog_full = true})))),
      Fresh(
          Net("connection limit", {.kind = NetFaultKind::kConnectionLimit, .most_connections = 0})),
      Patient(Net("stall both ways", {.kind = NetFaultKind::kStall})),
      Patient(Net("stall of what the client sends",
                  {.kind = NetFaultKind::kStall, .direction = Direction::kUp})),
      Patient(Net("stall of what the server sends",
                  {.kind = NetFaultKind::kStall, .direction = Direction::kDown})),
      Net("latency of 100 ms", {.kind = NetFaultKind::kLatency, .latency = milliseconds(100)}),
      Net("64 KiB per second", {.kind = NetFaultKind::kBandwidth, .bytes_per_second = 64 * 1024},
          20000),
      Net("cut after 20 bytes, reset",
          {.kind = NetFaultKind::kCut, .cut_after_bytes = 20, .cut_with = CutWith::kReset}),
      Net("cut after 20 bytes, closed",
          {.kind = NetFaultKind::kCut, .cut_after_bytes = 20, .cut_with = CutWith::kFin}),
      Net("slices of 7 bytes", {.kind = NetFaultKind::kSlice, .slice_bytes = 7}, 1000),
      Net("corrupt answers",
          {.kind = NetFaultKind::kCorrupt, .direction = Direction::kDown, .corrupt_share = 1}),
      Patient(Net("swallowed answers",
                  {.kind = NetFaultKind::kSwallow, .direction = Direction::kDown})),
      Net("reset on the next data", {.kind = NetFaultKind::kResetOnData}),
      Patient(Net("forgotten by a NAT in silence",
                  {.kind = NetFaultKind::kIdleDrop, .idle = milliseconds(20)})),
      Net("forgotten by a NAT, reset when it speaks", {.kind = NetFaultKind::kIdleDrop,
                                                       .idle = milliseconds(20),
                                                       .idle_end = IdleEnd::kResetNext}),
      Patient(Net("half open for the client", {.kind = NetFaultKind::kHalfOpen,
                                               .direction = Direction::kUp,
                                               .idle = milliseconds(20)})),
      Rule("status UNAVAILABLE",
           R"({"id": "f", "do": {"status": {"code": "UNAVAILABLE", "message": "injected"}}})"),
      Rule(
          "status PERMISSION_DENIED",
          R"({"id": "f", "do": {"status": {"code": "PERMISSION_DENIED", "message": "injected"}}})"),
      Rule(
          "status RESOURCE_EXHAUSTED",
          R"({"id": "f", "do": {"status": {"code": "RESOURCE_EXHAUSTED", "message": "injected"}}})"),
      Hangs(Rule("delay beyond the deadline", R"({"id": "f", "do": {"delay": {"by": "30s"}}})")),
      Rule("delay of the answer",
           R"({"id": "f", "do": {"delay": {"by": "200ms", "way": "answer"}}})"),
      Hangs(Rule("hang", R"({"id": "f", "do": "hang"})")),
      Hangs(Rule("answer lost in silence",
                 R"({"id": "f", "do": {"lose_answer": {"how": "silence"}}})")),
      Rule("answer lost, stream reset", R"({"id": "f", "do": "lose_answer"})"),
      Rule("answer lost, connection closed",
           R"({"id": "f", "do": {"lose_answer": {"how": "close_connection"}}})"),
      Rule("answer lost, connection reset",
           R"({"id": "f", "do": {"lose_answer": {"how": "reset_connection"}}})"),
      Hangs(Rule("two messages in one answer", R"({"id": "f", "do": "answer_twice"})"), 3000),
      Rule("answer repeated on the ended stream",
           R"({"id": "f", "do": {"answer_twice": {"as": "responses"}}})"),
      Rule("request sent twice", R"({"id": "f", "do": "request_twice"})"),
      Rule("empty message", R"({"id": "f", "do": "empty"})"),
      Rule("no message", R"({"id": "f", "do": {"empty": {"what": "nothing"}}})"),
      Rule("bytes that are no message", R"({"id": "f", "do": "malformed"})"),
      Rule("message shorter than announced",
           R"({"id": "f", "do": {"malformed": {"how": "truncated"}}})"),
      Rule("message that says it is compressed",
           R"({"id": "f", "do": {"malformed": {"how": "compressed"}}})"),
      Rule("stream reset, INTERNAL_ERROR", R"({"id": "f", "do": "reset_stream"})"),
      Rule("stream reset, REFUSED_STREAM",
           R"({"id": "f", "do": {"reset_stream": {"error": "REFUSED_STREAM"}}})"),
      Rule(
          "stream reset, ENHANCE_YOUR_CALM, behind headers",
          R"({"id": "f", "do": {"reset_stream": {"error": "ENHANCE_YOUR_CALM", "headers": true}}})"),
      Rule("missing trailers", R"({"id": "f", "do": "missing_trailers"})"),
      Rule("headers of 1 MiB", R"({"id": "f", "do": {"oversized_header": {"bytes": 1048576}}})"),
      Rule("trailers of 1 MiB",
           R"({"id": "f", "do": {"oversized_header": {"bytes": 1048576, "in": "trailers"}}})"),
      Rule("HTML 502", R"({"id": "f", "do": {"http_answer": {"status": 502}}})"),
      Rule("HTML 503", R"({"id": "f", "do": {"http_answer": {"status": 503}}})"),
      Rule("HTML 504", R"({"id": "f", "do": {"http_answer": {"status": 504}}})"),
      Rule("HTML 429", R"({"id": "f", "do": {"http_answer": {"status": 429}}})"),
      Rule(
          "HTML 200",
          R"({"id": "f", "do": {"http_answer": {"status": 200, "body": "<html>welcome</html>"}}})"),
      Behind(R"({"do": "hang"})", Rule("read time-out of a balancer (300 ms here)",
                                       R"({"id": "f", "do": {"read_timeout": {"by": "300ms"}}})")),
      Rule("request above the message limit",
           R"({"id": "f", "do": {"message_limit": {"bytes": 65536}}})", 100000),
      Rule("request above the message limit, page 413",
           R"({"id": "f", "do": {"message_limit": {"bytes": 65536, "answer": "page"}}})", 100000),
      Rule("answer above the message limit",
           R"({"id": "f", "do": {"message_limit": {"bytes": 10, "way": "answer"}}})"),
      Rule("GOAWAY that has seen the call",
           R"({"id": "f", "match": {"method": "*", "times": 1}, "do": "goaway"})"),
      Rule(
          "GOAWAY that refuses the call, connection closed",
          R"({"id": "f", "match": {"method": "*", "times": 1}, "do": {"goaway": {"last_stream": "none", "close": true}}})"),
      Rule(
          "GOAWAY ENHANCE_YOUR_CALM on every call",
          R"({"id": "f", "match": {"method": "*"}, "do": {"goaway": {"error": "ENHANCE_YOUR_CALM", "last_stream": "none", "debug": "too_many_pings", "close": true}}})"),
      Rule("connection closed by a call",
           R"({"id": "f", "match": {"method": "*"}, "do": "close"})"),
      Rule("connection reset by a call", R"({"id": "f", "match": {"method": "*"}, "do": "reset"})"),
      Patient(Rule("half open", R"({"id": "f", "on": "now", "do": "half_open"})")),
      Patient(Rule(
          "PING acknowledgements withheld",
          R"({"id": "f", "on": "now", "do": "withhold_ping_ack"}, {"id": "h", "do": "hang"})")),
      Hangs(Rule("windows withheld", R"({"id": "f", "on": "now", "do": "withhold_window"})",
                 1500000)),
      Fresh(Rule("HTTP/1.1 instead of HTTP/2",
                 R"({"id": "f", "do": {"http_answer": {"status": 400, "version": "1.1"}}})")),
      Hangs(Fresh(Rule("no streams allowed",
                       R"({"id": "f", "do": {"settings": {"max_concurrent_streams": 0}}})"))),
      Fresh(Rule("forbidden window in SETTINGS",
                 R"({"id": "f", "do": {"settings": {"initial_window_size": 4294967295}}})")),
      Fresh(Rule("header limit of 10 bytes",
                 R"({"id": "f", "do": {"settings": {"max_header_list_size": 10}}})")),
      Fresh(Rule("connections closed when accepted", R"({"id": "f", "do": "close"})")),
      Fresh(Rule("connections reset when accepted", R"({"id": "f", "do": "reset"})")),
      Hangs(
          Fresh(Rule("connections half open from the start", R"({"id": "f", "do": "half_open"})"))),
      Fresh(
          Rule("HTML 503 to everything", R"({"id": "f", "do": {"http_answer": {"status": 503}}})")),

      Tls("wrong CA", "wrong_ca"),
      Tls("expired", "expired"),
      Tls("not yet valid", "not_yet_valid"),
      Tls("wrong name", "wrong_name"),
      Tls("IP without SAN, by name", "ip_without_san"),
      ByAddress(Tls("IP without SAN, by address", "ip_without_san")),
      Tls("self-signed", "self_signed"),
      Tls("weak key", "weak_key"),
      Tls("key not matching", "key_mismatch"),
      Tls("chain incomplete", "chain_incomplete"),
      Tls("root rotated", "root_rotated"),
      MidLife(Tls("root rotated in mid-life", "root_rotated")),
      MidLife(Tls("leaf rotated in mid-life", "leaf_rotated")),
      Tls("TLS 1.1 only", "old_version"),
      Tls("TLS 1.2 only", "tls12_only"),
      Tls("no ALPN", "no_alpn"),
      Tls("ALPN http/1.1 only", "alpn_http1"),
      NoCertificate(Tls("client certificate missing", "client_cert_missing")),
      Tls("client certificate there", "client_cert_missing"),
      Tls("client certificate foreign", "client_cert_foreign"),
      Tls("client certificate expired", "client_cert_expired"),
      Tls("client certificate without client usage", "client_cert_no_usage"),
      Tls("SNI router, by name", "sni_wrong_default"),
      ByAddress(Tls("SNI router with the wrong default, by address", "sni_wrong_default")),
      Tls("SNI router that does not know the name", "sni_refused"),
      Tls("TLS to plaintext", "plaintext"),
      Plaintext(Tls("plaintext to TLS", "tls")),
      Hangs(Tls("handshake that hangs", "handshake_hangs")),
      Tls("close without close_notify", "no_close_notify"),
  };
  return rows;
}

}  // namespace

std::span<const Row> Rows() { return All(); }

}  // namespace squall::seen
