#include "harness/doctor/explain.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/util/status.h"
#include "harness/doctor/causes.h"
#include "harness/doctor/explain_signatures.h"

namespace squall::doctor {
namespace {

using ::testing::HasSubstr;

struct Measured {
  std::string_view sdk, cause, text;
};

// What the SDKs printed against each fault: Python 1.35.0 and TypeScript's worker (core 0.10.1), Go
// 1.50.0, TypeScript's client (grpc-js), 2026-11-21. As they came, but for ports.
constexpr Measured
    kMeasured[] =
        {
            {"core", "proxy.credentials",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(CONNECT call failed with status: 407 Proxy Authentication Required

Stack backtrace:
   0: <anyhow::Error>::msg::<alloc::string::String>)~"},
            {"core", "proxy.refused",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(CONNECT call failed with status: 403 Forbidden)~"},
            {"core", "proxy.no_upstream",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(CONNECT call failed with status: 502 Bad Gateway)~"},
            {"core", "proxy.other_protocol",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(client error (SendRequest)

Caused by:
    connection closed before message completed

Stack backtrace:
   1: <tonic::transport::channel::service::connector::Connector<tower::util::service_fn::ServiceFn<<temporalio_client::proxy::HttpConnectProxyOptions>::connect_endpoint)~"},
            {"core", "proxy.unreachable",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(client error (Connect)

Caused by:
    Connection refused (os error 111)

Stack backtrace:
   1: <tonic::transport::channel::service::connector::Connector<tower::util::service_fn::ServiceFn<<temporalio_client::proxy::HttpConnectProxyOptions>::connect_endpoint)~"},
            {"core", "tcp.refused",
             R"~(builtins.RuntimeError: Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError(ConnectError("tcp connect error", 127.0.0.1:PORT, Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })))~"},
            {"core", "dns.no_such_name",
             R"~(Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError("dns error", Custom { kind: Uncategorized, error: "failed to lookup address information: Name or service not known" })))~"},
            {"core", "tcp.reset",
             R"~(Failed client connect: `get_system_info` call error after connection: Status { code: Unknown, message: "transport error", source: Some(tonic::transport::Error(Transport, hyper::Error(Io, Kind(ConnectionReset)))) })~"},
            {"core", "tcp.reset",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Os { code: 104, kind: ConnectionReset, message: "Connection reset by peer" })))~"},
            {"core", "tcp.peer_silent",
             R"~(`get_system_info` call error after connection: Status { code: Cancelled, message: "Timeout expired", source: Some(tonic::transport::Error(Transport, TimeoutExpired(()))) })~"},
            {"core", "http.http1",
             R"~(`get_system_info` call error after connection: Status { code: Internal, message: "h2 protocol error: http2 error", source: Some(tonic::transport::Error(Transport, hyper::Error(Http2, Error { kind: GoAway(b"", FRAME_SIZE_ERROR, Library) }))) })~"},
            {"core", "tls.plaintext_to_tls",
             R"~(`get_system_info` call error after connection: Status { code: Unknown, message: "transport error", source: Some(tonic::transport::Error(Transport, hyper::Error(Io, Custom { kind: BrokenPipe, error: "stream closed because of a broken pipe" }))) })~"},
            {"core", "tls.tls_to_plaintext",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) })))~"},
            {"core", "tls.unknown_issuer",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) })))~"},
            {"core", "tls.certificate_expired", R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, error: InvalidCertificate(ExpiredContext { time: UnixTime(1), not_after: UnixTime(0) }) })))~"},
            {"core", "tls.wrong_name",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, error: InvalidCertificate(NotValidForNameContext { expected: DnsName("localhost"), presented: ["DnsName(\"other.example\")"] }) })))~"},
            {"core", "tls.client_certificate_missing",
             R"~(`get_system_info` call error after connection: Status { code: Unknown, message: "transport error", source: Some(tonic::transport::Error(Transport, hyper::Error(Io, Custom { kind: UnexpectedEof, error: "peer closed connection without sending TLS close_notify" }))) })~"},
            {"core", "tls.client_certificate_missing",
             R"~(TransportError: Failed to call GetSystemInfo: Status { code: Unknown, message: "transport error", source: Some(tonic::transport::Error(Transport, hyper::Error(Canceled, "connection closed"))) })~"},
            {"core", "tls.client_certificate_missing",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: UnexpectedEof, error: "tls handshake eof" })))~"},
            {"core", "tls.client_certificate_untrusted",
             R"~(TransportError: Failed to call GetSystemInfo: Status { code: Unknown, message: "transport error", source: Some(hyper::Error(Io, Custom { kind: UnexpectedEof, error: "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof" })) })~"},
            {"core", "tls.bad_certificate",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, error: InvalidCertificate(Other(OtherError(UnsupportedCertVersion))) })))~"},
            {"core", "tls.no_alpn",
             R"~(Server connection error: tonic::transport::Error(Transport, ConnectError(H2NotNegotiated)))~"},
            {"core", "tls.alpn_http1",
             R"~(TransportError: Server connection error: tonic::transport::Error(Transport, ConnectError(H2NotNegotiated)))~"},
            {"core", "tls.wrong_name",
             R"~(WARN gRPC call poll_activity_task_queue retried 6 times error=Status { code: Unavailable, message: "invalid peer certificate: certificate not valid for name \"localhost\"" })~"},
            {"core", "tls.certificate_expired",
             R"~(WARN gRPC call poll_workflow_task_queue retried 6 times error=Status { code: Unavailable, message: "invalid peer certificate: certificate expired: verification time 1 (UNIX)" })~"},
            {"core", "namespace.missing",
             R"~(temporalio.service.RPCError: Namespace nope is not found.)~"},
            {"core", "namespace.missing",
             R"~(RuntimeError: Worker validation failed: Namespace nope was not found or otherwise could not be described: Status { code: NotFound, message: "Namespace nope is not found.", details: NamespaceNotFoundFailure })~"},
            {"core", "namespace.missing",
             R"~(TransportError: Namespace missing1 was not found or otherwise could not be described: Status { code: NotFound, message: "Namespace missing1 is not found." })~"},
            {"core",
             "namespace.missing", R"~(WARN temporalio_sdk_core::worker::heartbeat: Network error while sending worker heartbeat error=Status { code: NotFound, message: "Namespace custom is not found." })~"},
            {"core", "worker.task_gone",
             R"~(WARN temporalio_sdk_core::worker::activities: Activity not found on completion. This may happen if the activity has already been cancelled but completed anyway.)~"},
            {"core", "tcp.refused", R"~(RPCError: tcp connect error)~"},
            {"core", "tcp.reset", R"~(RPCError: transport error)~"},
            {"core", "tcp.peer_silent", R"~(RPCError: Timeout expired)~"},
            {"core", "tcp.peer_silent", R"~(RPCError: http2 error)~"},
            {"core", "tcp.peer_silent",
             R"~(Network error while completing activity error=Status { code: Unavailable, message: "http2 error", source: hyper::Error(Http2, KeepAliveTimedOut) })~"},
            {"core", "worker.shutting_down",
             R"~(Worker is shutting down and this activity did not complete in time)~"},
            {"core", "worker.lazy_client",
             R"~(RuntimeError: Lazy clients cannot be used for workers)~"},
            {"core", "worker.type_not_registered",
             R"~(Workflow class Unknown is not registered on this worker, available workflows: AB, Quick)~"},
            {"core", "worker.type_not_registered",
             R"~(NotFoundError: Activity function quick for workflow unkact is not registered on this worker, available activities: actA)~"},
            {"core", "worker.type_not_registered",
             R"~(Failed to initialize workflow of type 'Unknown': no such function is exported by the workflow bundle)~"},
            {"core", "auth.permission_rpc",
             R"~(ERROR workflow_stream: Workflow processing encountered fatal error and must shut down TonicError(Status { code: PermissionDenied, message: "injected" }))~"},
            {"core", "auth.permission_rpc",
             R"~(RuntimeError: Poll failure: Unhandled grpc error when polling: Status { code: PermissionDenied, message: "injected" })~"},
            {"core", "auth.permission_rpc",
             R"~(RuntimeError: Worker validation failed: Namespace default was not found or otherwise could not be described: Status { code: PermissionDenied, message: "injected" })~"},
            {"core", "http.bad_gateway",
             R"~(Status { code: Internal, message: "protocol error: received message with invalid compression flag: 60 (valid flags are 0 and 1) while receiving response with status: 502 Bad Gateway" })~"},
            {"Go", "tcp.refused",
             R"~(failed reaching server: connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:PORT: connect: connection refused")~"},
            {"Go", "dns.no_such_name", R"~(failed reaching server: no children to pick from)~"},
            {"Go", "tcp.reset",
             R"~(failed reaching server: connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:PORT: connect: connection reset by peer")~"},
            {"Go", "tcp.reset",
             R"~(failed reaching server: connection error: desc = "error reading server preface: connection reset by peer")~"},
            {"Go", "tcp.peer_silent",
             R"~(failed reaching server: context deadline exceeded while waiting for connections to become ready)~"},
            {"Go", "http.http1",
             R"~(failed reaching server: connection error: desc = "error reading server preface: http2: failed reading the frame payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header")~"},
            {"Go", "tls.plaintext_to_tls",
             R"~(failed reaching server: connection error: desc = "error reading server preface: EOF")~"},
            {"Go", "tls.tls_to_plaintext",
             R"~(failed reaching server: connection error: desc = "transport: authentication handshake failed: tls: first record does not look like a TLS handshake")~"},
            {"Go", "tls.unknown_issuer",
             R"~(failed reaching server: connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority")~"},
            {"Go", "tls.certificate_expired",
             R"~(failed reaching server: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-21T10:00:00Z is after 2020-02-01T00:00:00Z)~"},
            {"Go", "tls.wrong_name",
             R"~(failed reaching server: tls: failed to verify certificate: x509: certificate is valid for other.example, not localhost)~"},
            {"Go", "tls.client_certificate_missing",
             R"~(failed reaching server: connection error: desc = "error reading server preface: EOF")~"},
            {"Go", "tls.client_certificate_missing",
             R"~(failed reaching server: connection error: desc = "transport: authentication handshake failed: EOF")~"},
            {"Go", "tls.client_certificate_untrusted",
             R"~(failed reaching server: connection error: desc = "error reading server preface: EOF")~"},
            {"Go", "tls.no_alpn",
             R"~(connection error: desc = "transport: authentication handshake failed: credentials: cannot check peer: missing selected ALPN property. If you upgraded from a grpc-go version earlier than 1.67, your TLS connections may have stopped working")~"},
            {"Go", "namespace.missing",
             R"~(failed reaching server: Namespace nope is not found.)~"},
            {"Go", "tcp.refused", R"~(*serviceerror.DeadlineExceeded context deadline exceeded)~"},
            {"Go", "tcp.peer_silent", R"~(keepalive ping failed to receive ACK within timeout)~"},
            {"Go", "worker.client_closed",
             R"~(WARN Failed to poll for task. Error grpc: the client connection is closing)~"},
            {"Go", "worker.type_not_registered",
             R"~(unable to find workflow type: Unknown. Supported types: [Quick, Slow])~"},
            {"grpc-js", "tcp.refused", R"~(Error: Failed to connect before the deadline)~"},
            {"grpc-js", "tcp.refused",
             R"~(ServiceError: Failed to start Workflow <- 14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:PORT)~"},
            {"grpc-js", "tcp.reset",
             R"~(14 UNAVAILABLE: No connection established. Last error: Error: read ECONNRESET)~"},
            {"grpc-js", "worker.client_closed",
             R"~(ServiceError: Unexpected error while making gRPC request <- Channel has been shut down)~"},
            {"grpc-js", "worker.client_closed",
             R"~(IllegalStateError: Cannot close connection while Workers hold a reference to it)~"},
};

TEST(ExplainTest, TheRightCauseIsAmongTheFirstTwo) {
  std::map<std::string_view, std::pair<int, int>> score;  // by SDK: right, all
  std::string missed;
  for (const Measured& one : kMeasured) {
    ASSERT_NE(FindCause(one.cause), nullptr) << one.cause;
    const auto explanations = Explain(one.text);
    bool right = false;
    for (std::size_t i = 0; i < explanations.size() && i < 2; ++i)
      right = right || explanations[i].cause == one.cause;
    auto& [good, all] = score[one.sdk];
    good += right ? 1 : 0;
    ++all;
    if (!right) missed += fmt::format("\n  {} {}: {}", one.sdk, one.cause, one.text);
  }
  for (const auto& [sdk, counts] : score) {
    std::printf("%s: %d of %d\n", std::string(sdk).c_str(), counts.first, counts.second);
    EXPECT_GE(counts.first * 10, counts.second * 9)
        << sdk << ", not among the first two:" << missed;
  }
}

TEST(ExplainTest, ALogOfManyLinesIsReadAsAWhole) {
  const auto explanations =
      Explain("INFO starting\nWARN transport\n  error: BrokenPipe\nINFO retrying\n");
  ASSERT_FALSE(explanations.empty());
  EXPECT_EQ(explanations[0].cause, "tls.plaintext_to_tls");
}

TEST(ExplainTest, WhatIsUnknownIsSaidToBe) {
  EXPECT_TRUE(Explain("all is well").empty());
  EXPECT_TRUE(Explain("").empty());
  EXPECT_THAT(ExplanationText({}, 80), HasSubstr("Nothing is known"));
}

TEST(ExplainTest, EverySignatureIsInLowerCaseAndNamesCauses) {
  for (const Signature& signature : Signatures()) {
    for (const std::string_view part : signature.parts) {
      for (const char c : part) EXPECT_FALSE(c >= 'A' && c <= 'Z') << part;
    }
    EXPECT_FALSE(signature.causes.front().empty());
    for (const std::string_view cause : signature.causes)
      EXPECT_TRUE(cause.empty() || FindCause(cause) != nullptr) << cause;
  }
}

TEST(ExplainTest, TextAndJsonTellCauseCheckAndFix) {
  const auto explanations = Explain("InvalidCertificate(UnknownIssuer)");
  const std::string text = ExplanationText(explanations, 100);
  EXPECT_THAT(text, HasSubstr("(tls.unknown_issuer)"));
  EXPECT_THAT(text, HasSubstr("because \"unknownissuer\", as core says it"));
  EXPECT_THAT(text, HasSubstr("`squall doctor` fails in the layer tls with tls.unknown_issuer"));
  const auto json = nlohmann::json::parse(ExplanationJson(explanations));
  EXPECT_EQ(json["causes"][0]["id"], "tls.unknown_issuer");
}

}  // namespace
}  // namespace squall::doctor
