#include "harness/doctor/causes.h"

#include <fmt/format.h>

#include <array>

#include "base/util/text.h"

namespace squall::doctor {
namespace {

constexpr auto kCauses = std::to_array<Cause>({
    // --- Settings: found without a connection.
    {"settings.required_missing", Layer::kSettings, "A setting that the worker needs is not there",
     "Set it where the worker runs: in the revision, the secret or the .env file that this "
     "environment comes from.",
     "E7 A1"},
    {"settings.near_miss_name", Layer::kSettings,
     "A variable is set under a name that nothing reads", "Rename the variable.", "E7 A1"},
    {"settings.config_file", Layer::kSettings, "The configuration file cannot be used",
     "Mend the file, or name another with TEMPORAL_CONFIG_FILE.", "A1"},
    {"settings.profile_missing", Layer::kSettings, "The configuration file has no such profile",
     "Name a profile that the file has (TEMPORAL_PROFILE, --profile).", "A1"},
    {"settings.placeholder", Layer::kSettings, "A setting still holds its template's placeholder",
     "Put the real value in; a name in ${...} was never expanded.", "E7 A1"},
    {"settings.whitespace_or_quotes", Layer::kSettings,
     "A setting holds white space or quotes that are part of its value",
     "Take them out: `docker --env-file` and most secret stores keep quotes and line breaks as "
     "they are.",
     "A1"},
    {"settings.scheme_in_address", Layer::kSettings, "The address begins with a scheme",
     "Write HOST:PORT alone; TLS is a setting of its own.", "A1"},
    {"settings.address_form", Layer::kSettings, "The address is no HOST:PORT",
     "Write HOST:PORT, an IPv6 address in brackets.", "A1"},
    {"settings.web_ui_port", Layer::kSettings,
     "The address is the port of the web interface, not of the gRPC service",
     "Use the frontend's gRPC port (7233 unless changed).", "E4"},
    {"settings.cloud_without_tls", Layer::kSettings, "An address of Temporal Cloud without TLS",
     "Switch TLS on (TEMPORAL_TLS=true); Temporal Cloud speaks nothing else.", "E5 I5"},
    {"settings.cloud_without_credentials", Layer::kSettings,
     "An address of Temporal Cloud without an API key or a client certificate",
     "Set TEMPORAL_API_KEY, or certificate and key of the client.", "E7 I5"},
    {"settings.cloud_endpoint", Layer::kSettings,
     "Temporal Cloud's address does not fit the credentials",
     "API keys go to REGION.CLOUD.api.temporal.io:7233, client certificates to "
     "NAMESPACE.ACCOUNT.tmprl.cloud:7233.",
     "I5"},
    {"settings.namespace_form", Layer::kSettings,
     "The namespace is not written as the server wants it",
     "On Temporal Cloud it is NAME.ACCOUNT; elsewhere letters, digits, dots, dashes and "
     "underscores.",
     "A1"},
    {"settings.api_key_without_tls", Layer::kSettings, "An API key would be sent without TLS",
     "Switch TLS on, or take the API key away.", "A1"},
    {"settings.pem_in_api_key", Layer::kSettings, "The API key's variable holds a PEM text",
     "Put the key or certificate into the TLS variables, and the API key here.", "A1"},
    {"settings.api_key_form", Layer::kSettings, "The API key cannot be one",
     "Put the key alone: no \"Bearer\", no file name, no line break inside.", "A1"},
    {"settings.api_key_expired", Layer::kSettings, "The API key has expired",
     "Make a new API key and roll it out.", "I5"},
    {"settings.certificate_without_key", Layer::kSettings,
     "A client certificate is set, and its private key is not",
     "Set TEMPORAL_TLS_CLIENT_KEY_PATH or _DATA.", "A1 E7"},
    {"settings.key_without_certificate", Layer::kSettings,
     "A private key is set, and the client certificate is not",
     "Set TEMPORAL_TLS_CLIENT_CERT_PATH or _DATA.", "A1 E7"},
    {"settings.file_unreadable", Layer::kSettings, "A file that a setting names cannot be read",
     "Mount or copy the file, or correct the path; the worker's user must be able to read it.",
     "A1 E7"},
    {"settings.pem_unreadable", Layer::kSettings, "A certificate or key is no readable PEM",
     "Put the whole PEM text in, from BEGIN to END with its line breaks, the key without a "
     "passphrase.",
     "A1"},
    {"settings.key_in_certificate", Layer::kSettings,
     "Certificate and key are interchanged: a private key stands where a certificate belongs",
     "Exchange the two.", "A1"},
    {"settings.certificate_in_key", Layer::kSettings,
     "Certificate and key are interchanged: a certificate stands where a private key belongs",
     "Exchange the two.", "A1"},
    {"settings.key_pair_mismatch", Layer::kSettings,
     "The private key does not belong to the client certificate",
     "Take both from the same issue of the certificate.", "A1 I5"},
    {"settings.client_certificate_expired", Layer::kSettings, "The client certificate has expired",
     "Renew the client certificate.", "I5"},
    {"settings.client_certificate_not_yet_valid", Layer::kSettings,
     "The client certificate is not valid yet",
     "Check this machine's clock; else wait or reissue it.", "I5"},
    {"settings.lost_by_deploy", Layer::kSettings,
     "Settings of the old revision are missing in the new one",
     "Put them back before the new revision takes over.", "E7"},
    {"settings.conflict", Layer::kSettings, "Two names of the same setting say different things",
     "Keep one name; the SDKs themselves read the official one only.", "E7 A1"},
    {"settings.tls_contradiction", Layer::kSettings,
     "TLS is switched off, and certificates are set",
     "Take TEMPORAL_TLS=false away, or the certificates.", "A1 E5"},
    {"settings.deprecated_name", Layer::kSettings, "A setting has an outdated or private name",
     "Rename it to the official name, which every SDK's environment configuration reads.", "E7 A1"},
    {"settings.proxy_form", Layer::kSettings, "The address of the HTTP proxy cannot be used",
     "Write http://HOST:PORT into the variable, HOST:PORT into the program's setting.", ""},
    {"settings.proxy_unused", Layer::kSettings, "A proxy is set that this SDK does not go through",
     "Give the proxy to the SDK in the way that it reads, or take the variable away.", ""},

    // --- DNS.
    {"dns.no_such_name", Layer::kDns, "The host name does not exist",
     "Correct the name; inside a cluster use the service's full name "
     "(SERVICE.NAMESPACE.svc.cluster.local).",
     "E4"},
    {"dns.no_answer", Layer::kDns, "No name server answers",
     "Check this machine's resolver and its network.", ""},

    // --- TCP.
    {"tcp.refused", Layer::kTcp, "Nothing listens on that port",
     "Start the server, or correct host and port; in a container, localhost is the container "
     "itself.",
     "A4 E4"},
    {"tcp.wrong_port", Layer::kTcp,
     "Nothing answers on that port, and another port of the same host does",
     "Use the port that answers.", "E4"},
    {"tcp.silent", Layer::kTcp,
     "Connections to the address are never answered: packets are dropped on the way",
     "Open the firewall or security group, and check that the address can be reached from this "
     "network.",
     "E2 E4 R3"},
    {"tcp.unreachable", Layer::kTcp, "The network says that the address cannot be reached",
     "Look at the router or the host there: this machine's own route leads to it.", "E2"},
    {"tcp.no_route", Layer::kTcp, "This machine has no route to the address",
     "Check this machine's network, its routes and its VPN; in a container, its network mode.",
     "E2"},
    {"tcp.family_missing", Layer::kTcp,
     "The name has addresses of one family only (IPv6, say), and this machine has none of it",
     "Give the name an address of the other family as well, or this machine one of that family.",
     "E2"},
    {"tcp.some_addresses", Layer::kTcp, "Some addresses of the name do not answer",
     "Take dead addresses out of DNS, or bring their servers back; clients meet them by turns.",
     ""},
    {"tcp.reset", Layer::kTcp, "Connections are accepted and reset at once",
     "Look at what stands in front of the server: a proxy without a living upstream does this.",
     "E9"},
    {"tcp.closed", Layer::kTcp, "Connections are accepted and closed without a word",
     "Look at what stands in front of the server; a TLS port does this to plaintext, a proxy "
     "without an upstream to all.",
     "E9"},
    {"tcp.peer_silent", Layer::kTcp, "Connections are accepted, and then nothing is ever answered",
     "Check that the ingress is reachable from this network and routes gRPC; a server that is "
     "stopped or overloaded looks the same.",
     "E2 X1"},

    // --- The HTTP proxy.
    {"proxy.unreachable", Layer::kProxy, "The HTTP proxy cannot be reached",
     "Correct the proxy's address, start it, or leave it out (NO_PROXY).", "E2"},
    {"proxy.silent", Layer::kProxy, "The HTTP proxy takes connections and does not answer CONNECT",
     "Look at the proxy: it hangs, waits for the server behind it, or is none.", "E2"},
    {"proxy.other_protocol", Layer::kProxy, "What stands at the proxy's address is no HTTP proxy",
     "Correct the proxy's address; SDKs speak plain HTTP to it, whatever its scheme.", "E2"},
    {"proxy.credentials", Layer::kProxy, "The HTTP proxy wants credentials, or others",
     "Put USER:PASSWORD@ into the proxy's URL, or give them to core's proxy setting.", "E2"},
    {"proxy.refused", Layer::kProxy, "The HTTP proxy does not let connections to this address pass",
     "Let the proxy allow CONNECT to the server's host and port.", "E2"},
    {"proxy.no_upstream", Layer::kProxy, "The HTTP proxy cannot reach the server",
     "Check that the proxy finds and reaches the address; or leave it out (NO_PROXY).", "E2"},

    // --- TLS.
    {"tls.plaintext_to_tls", Layer::kTls, "The server speaks TLS, and the client does not",
     "Switch TLS on (TEMPORAL_TLS=true).", "E5"},
    {"tls.tls_to_plaintext", Layer::kTls, "The client speaks TLS, and the server does not",
     "Switch TLS off, or use the server's TLS port. An API key switches TLS on by itself.", "E5"},
    {"tls.handshake_silent", Layer::kTls,
     "The server accepts the connection and is silent in the TLS handshake",
     "Look at what terminates TLS there. No time-out of the SDKs' covers this.", "X1 E2"},
    {"tls.handshake_closed", Layer::kTls, "The server ends the connection in the TLS handshake",
     "Look at the log of what terminates TLS there; it may know no certificate for this name.",
     "I5"},
    {"tls.unknown_issuer", Layer::kTls,
     "The server's certificate is of an authority that is not trusted, or its chain is incomplete",
     "Give the client the authority's certificate (TEMPORAL_TLS_SERVER_CA_CERT_PATH), or let the "
     "server send its intermediates.",
     "I5"},
    {"tls.self_signed", Layer::kTls, "The server's certificate is signed by itself",
     "Give the client that certificate as its authority, or the server one of an authority.", "I5"},
    {"tls.intercepted", Layer::kTls,
     "The certificate is a TLS-inspecting proxy's, not the server's",
     "Exempt the address from inspection, or trust the proxy's authority.", ""},
    {"tls.certificate_expired", Layer::kTls, "The server's certificate has expired",
     "Renew the server's certificate.", "I5 X2"},
    {"tls.certificate_not_yet_valid", Layer::kTls, "The server's certificate is not valid yet",
     "Check this machine's clock; else the server got its certificate too early.", "I5"},
    {"tls.wrong_name", Layer::kTls, "The server's certificate is for another name",
     "Connect by a name that is in the certificate, or set TEMPORAL_TLS_SERVER_NAME.", "I5"},
    {"tls.address_not_in_certificate", Layer::kTls,
     "The server's certificate holds no IP addresses, and the client connects by one",
     "Connect by name, or set TEMPORAL_TLS_SERVER_NAME.", "I5"},
    {"tls.weak_certificate", Layer::kTls, "The server's certificate is too weak to be accepted",
     "Reissue it with a longer key.", "I5"},
    {"tls.bad_certificate", Layer::kTls, "The server's certificate is not acceptable",
     "Reissue it for a server (X.509 v3, serverAuth).", "I5"},
    {"tls.server_key_mismatch", Layer::kTls, "The server's key does not belong to its certificate",
     "Configure key and certificate of the same issue at the server.", "I5"},
    {"tls.old_version", Layer::kTls, "The server speaks no TLS version that SDKs accept",
     "Enable TLS 1.2 or 1.3 at the server.", "I5"},
    {"tls.no_alpn", Layer::kTls, "The server does not negotiate HTTP/2 (ALPN)",
     "Enable HTTP/2 (ALPN h2) at what terminates TLS; core and Go refuse connections without.",
     "E3"},
    {"tls.alpn_http1", Layer::kTls, "The ingress negotiates HTTP/1.1 only",
     "Set the ingress's transport to HTTP/2 (gRPC).", "E3"},
    {"tls.unrecognized_name", Layer::kTls, "The ingress does not know the server name (SNI)",
     "Use the name that it routes, or set TEMPORAL_TLS_SERVER_NAME to it.", "I5"},
    {"tls.client_certificate_missing", Layer::kTls,
     "The server demands a client certificate, and none is set",
     "Set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.", "I5"},
    {"tls.client_certificate_untrusted", Layer::kTls,
     "The server does not trust the client certificate's authority",
     "Use a certificate of an authority that the server (for Temporal Cloud: the namespace) knows, "
     "or add the authority there.",
     "I5"},
    {"tls.client_certificate_expired", Layer::kTls,
     "The server holds the client certificate to be expired",
     "Renew the client certificate; if it is valid here, compare the clocks.", "I5"},
    {"tls.client_certificate_unsuitable", Layer::kTls,
     "The client certificate is not made for clients",
     "Reissue it with the extended key usage clientAuth.", "I5"},
    {"tls.client_certificate_refused", Layer::kTls,
     "The server refuses the client certificate, or a client without one",
     "Compare the certificate's authority, dates and usage with what the server asks for.", "I5"},
    {"tls.handshake_refused", Layer::kTls, "The server refuses the TLS handshake",
     "Look at the server's log for its reason.", "I5"},

    // --- HTTP/2 and what answers in its place.
    {"http.http1", Layer::kHttp2, "What answers speaks HTTP/1.1, not HTTP/2",
     "Set the ingress or load balancer to HTTP/2 (gRPC).", "E3"},
    {"http.web_ui", Layer::kHttp2, "What answers is Temporal's web interface or its HTTP API",
     "Use the frontend's gRPC port (7233 unless changed).", "E4"},
    {"http.bad_gateway", Layer::kHttp2, "A load balancer answers that its server is gone",
     "Bring the server behind it back, or correct its route and health check.", "E9"},
    {"http.not_routed", Layer::kHttp2,
     "A load balancer answers, and does not know where to route gRPC",
     "Add the route for /temporal.api.workflowservice.v1.WorkflowService at the ingress.", "E2 E3"},
    {"http.forbidden", Layer::kHttp2,
     "A proxy or firewall in front of the server refuses the request",
     "Let gRPC requests of this client pass there.", ""},
    {"http.other_protocol", Layer::kHttp2, "What answers speaks another protocol",
     "Correct host and port.", "E4"},
    {"http.goaway", Layer::kHttp2, "The server ends the HTTP/2 connection at once",
     "Look at the server: it is shutting down, or refuses this client.", ""},
    {"http.broken", Layer::kHttp2, "The HTTP/2 connection breaks before a call is answered",
     "Look at what stands between: it passes the connection on and then cuts or damages it.", ""},

    // --- gRPC.
    {"grpc.other_service", Layer::kGrpc,
     "What answers is a gRPC server, but not Temporal's frontend",
     "Correct host and port: the frontend's, not another service's or another part of Temporal's.",
     "E4"},
    {"grpc.unavailable", Layer::kGrpc, "The server answers that it is not available",
     "Look at the server: its database or one of its services is down, or it is starting.", "R5"},
    {"grpc.silent", Layer::kGrpc, "The server speaks HTTP/2 and does not answer calls",
     "Look at the server: it hangs, or is overloaded.", "E2"},
    {"grpc.rate_limited", Layer::kGrpc, "The server refuses calls: a limit is reached",
     "Raise the namespace's limit, or call less.", ""},
    {"grpc.garbled", Layer::kGrpc, "Answers cannot be read", "Look for a proxy that changes them.",
     ""},
    {"grpc.server_old", Layer::kGrpc,
     "The server is of a release that is no longer maintained, or that the SDK does not support",
     "Upgrade the server.", ""},
    {"grpc.capability_missing", Layer::kGrpc,
     "The server does not have what this release of the SDK looks for",
     "Upgrade the server, switch the feature on there, or do without it.", ""},
    {"grpc.failing", Layer::kGrpc, "The server answers a call with an error",
     "Look at the server's log.", ""},

    // --- Permission.
    {"auth.api_key_missing", Layer::kPermission, "The server demands an API key, and none is set",
     "Set TEMPORAL_API_KEY.", "E7 I5"},
    {"auth.api_key_refused", Layer::kPermission, "The server refuses the API key",
     "Make a new key, and check that it belongs to this account.", "I5"},
    {"auth.denied", Layer::kPermission, "The server refuses this client",
     "Give the client's identity a role there.", "R4 X4"},
    {"auth.wrong_namespace", Layer::kPermission,
     "The credentials are good, but not for this namespace",
     "Use this namespace's credentials, or correct the namespace.", "R4"},
    {"auth.permission_rpc", Layer::kPermission, "A call that workers need is not permitted",
     "Give the identity write permission in the namespace.", "R4 X4 X5"},

    // --- Namespace.
    {"namespace.missing", Layer::kNamespace, "The namespace does not exist",
     "Correct the name, or register it (temporal operator namespace create).", "E6 R4"},
    {"namespace.deleted", Layer::kNamespace, "The namespace is deleted",
     "Register it again, or use another.", "E6"},

    // --- Task queue.
    {"queue.no_poller", Layer::kTaskQueue, "No worker polls the task queue",
     "Start the worker, and let it poll this queue in this namespace.", "E1 W1 A3"},
    {"queue.near_miss", Layer::kTaskQueue,
     "No worker polls the task queue, and a queue of nearly the same name has workers",
     "Write the queue's name alike in worker and starter.", "A3"},
    {"queue.stale_pollers", Layer::kTaskQueue,
     "The task queue's pollers have not been heard of for longer than a poll lasts",
     "Look at the worker: it is gone, or hangs.", "X4 I1"},
    {"queue.half_polled", Layer::kTaskQueue, "Workers poll the queue for one kind of task only",
     "Start the worker that has the other kind, or give it a queue of its own.", "W7"},

    {"queue.version_not_current", Layer::kTaskQueue,
     "Workers of a version poll, and tasks go to workers without one",
     "Make their version current (temporal worker deployment set-current-version).", ""},
    {"queue.version_unpolled", Layer::kTaskQueue,
     "Tasks go to a version of the worker that nobody polls for",
     "Start workers of that version, or make one current that has workers.", ""},

    // --- What the queue's workers are expected to have.
    {"worker.type_not_registered", Layer::kTypes,
     "The worker that got the task does not have the workflow or activity of that type",
     "Register the type, or keep workers that do not have it off this task queue.", "W7"},
    {"types.search_attribute_missing", Layer::kTypes, "A search attribute is not there",
     "Add it (temporal operator search-attribute create), or correct its name.", ""},
    {"types.search_attribute_type", Layer::kTypes, "A search attribute is of another type",
     "Write values of its type, or use another attribute: types cannot be changed.", ""},

    // --- What only shows after a while: --deep.
    {"http.keepalive", Layer::kPath, "A connection that carries a poll stops answering pings",
     "Look at what stands between: it forgets idle connections.", "R3"},
    {"grpc.poll_cut", Layer::kPath, "A long poll does not survive the way to the server",
     "Raise the idle and read time-outs of what stands between above 70 s.", "E2"},
    {"grpc.message_limit", Layer::kPath,
     "A message that Temporal would take does not get to the server",
     "Raise the message limit of what stands between to at least 4 MiB.", ""},
    {"grpc.clock_skew", Layer::kPath, "The server's clock and this machine's differ",
     "Synchronize both (NTP).", ""},

    // --- The canary.
    {"canary.not_completed", Layer::kCanary, "The canary workflow did not complete",
     "Look at the worker of that task queue: its log, and whether it has the type.", "E1 W1"},

    // --- Inside the worker's program.
    {"worker.client_closed", Layer::kWorker,
     "The program closed the connection that its worker uses",
     "Close the client after the worker has stopped.", "I3"},
    {"worker.lazy_client", Layer::kWorker, "The worker was given a client that has not connected",
     "Connect the client before the worker is made.", ""},
    {"worker.shutting_down", Layer::kWorker, "The worker was told to stop while an activity ran",
     "Give the worker a graceful shutdown time that its activities fit in.", "A2 I2"},
    {"worker.task_gone", Layer::kWorker,
     "The server had given the task up before the worker finished it",
     "Lengthen the heartbeat time-out, or look for what cut the worker off for so long.", "A6"},
});

}  // namespace

std::string_view LayerName(Layer layer) {
  static constexpr std::array<std::string_view, kLayers + 1> kNames = {
      "settings",   "dns",       "tcp",        "proxy", "tls",  "http2",  "grpc",
      "permission", "namespace", "task queue", "types", "path", "canary", "worker"};
  return kNames[static_cast<std::size_t>(layer)];
}

std::span<const Cause> Causes() { return kCauses; }

const Cause* FindCause(std::string_view id) {
  for (const Cause& cause : kCauses) {
    if (cause.id == id) return &cause;
  }
  return nullptr;
}

std::string CausesTable() {
  std::string text = "| cause | what it means | what to change | rows |\n|---|---|---|---|\n";
  for (const Cause& cause : kCauses) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", cause.id, MarkdownCell(cause.title),
                        MarkdownCell(cause.fix), cause.rows);
  }
  return text;
}

}  // namespace squall::doctor
