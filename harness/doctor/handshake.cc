#include "harness/doctor/handshake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/util/text.h"
#include "base/wire/certificates.h"
#include "harness/doctor/second_look.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

// Names in the certificates of products that open TLS on the way.
constexpr auto kInspectors = std::to_array<std::string_view>(
    {"Zscaler", "Netskope", "Palo Alto", "Fortinet", "FortiGate", "Blue Coat", "Symantec Web",
     "Cisco Umbrella", "McAfee Web", "Sophos", "Check Point", "mitmproxy", "Squid", "Charles Proxy",
     "Fiddler", "Burp", "PortSwigger"});

std::string JoinNames(const wire::CertificateInfo& info) {
  std::vector<std::string> names = info.dns_names;
  names.insert(names.end(), info.ips.begin(), info.ips.end());
  return names.empty() ? "no name" : EscapeControl(fmt::format("{}", fmt::join(names, ", ")));
}

struct Judgement {
  std::string cause, evidence, fix;
};

// The server's certificate was refused here; `problem` is OpenSSL's text.
Judgement JudgeCertificate(const Probe& probe, const std::string& problem, const std::string& pem) {
  const auto read = wire::DescribeCertificate(pem);
  if (!read.ok()) return {"tls.bad_certificate", problem, ""};
  const wire::CertificateInfo& info = *read;
  const std::string who = fmt::format("the certificate {} of {}", EscapeControl(info.subject),
                                      EscapeControl(info.issuer));
  const std::string& wanted = probe.target.server_name;
  if (Contains(problem, "has expired")) {
    return {"tls.certificate_expired",
            fmt::format("{} ended at {}", who, FormatSecond(info.not_after)), ""};
  }
  if (Contains(problem, "not yet valid")) {
    return {"tls.certificate_not_yet_valid",
            fmt::format("{} begins at {}; here it is {}", who, FormatSecond(info.not_before),
                        FormatSecond(probe.executor.clock().WallNow())),
            ""};
  }
  if (Contains(problem, "hostname mismatch") || Contains(problem, "IP address mismatch")) {
    std::string fix;
    if (!info.dns_names.empty())
      fix = fmt::format(
          "Connect by a name that is in the certificate, or set TEMPORAL_TLS_SERVER_NAME={}.",
          EscapeControl(info.dns_names.front()));
    const bool no_addresses = Contains(problem, "IP address") && info.ips.empty();
    return {no_addresses ? "tls.address_not_in_certificate" : "tls.wrong_name",
            fmt::format("the certificate is for {}, not for {}", JoinNames(info),
                        EscapeControl(wanted)),
            fix};
  }
  if (Contains(problem, "too weak") || Contains(problem, "too small")) {
    return {"tls.weak_certificate", fmt::format("{} has a key of {}: {}", who, info.key, problem),
            ""};
  }
  if (Contains(problem, "purpose"))
    return {"tls.bad_certificate", fmt::format("{}: {}", who, problem), ""};
  for (const std::string_view product : kInspectors) {
    if (Contains(info.issuer, product)) {
      return {"tls.intercepted",
              fmt::format("{} is signed by {}, which opens TLS on the way",
                          EscapeControl(info.subject), product),
              ""};
    }
  }
  if (problem == "self-signed certificate" || info.subject == info.issuer) {
    return {"tls.self_signed", fmt::format("{} is signed by itself", EscapeControl(info.subject)),
            ""};
  }
  return {"tls.unknown_issuer",
          fmt::format("{} is not trusted by {} ({})", who, probe.target.ca_source, problem), ""};
}

// The peer's alert, or our own reason. `after`: the handshake was over on our side.
std::optional<Judgement> JudgeAlert(const Probe& probe, const wire::TlsSession& session) {
  const std::string_view text = Message(session.error());
  constexpr std::string_view kMark = "the peer sent the alert: ";
  const auto at = text.find(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view alert = text.substr(at + kMark.size());
  const bool given = probe.target.identity.has_value();
  std::string evidence = fmt::format("the server sent the TLS alert \"{}\"", alert);
  if (session.certificate_requested()) {
    evidence += given ? ", after it was shown the client certificate"
                      : ", after it asked for a client certificate";
    const auto authorities = session.requested_authorities();
    if (!authorities.empty())
      evidence += fmt::format("; it trusts {}", EscapeControl(authorities.front()));
  }
  if (alert == "unrecognized name")
    return Judgement{"tls.unrecognized_name",
                     fmt::format("{} for '{}'", evidence, EscapeControl(session.sni())), ""};
  if (alert == "protocol version") return Judgement{"tls.old_version", evidence, ""};
  if (alert == "no application protocol") return Judgement{"tls.no_alpn", evidence, ""};
  if (alert == "certificate required")
    return Judgement{"tls.client_certificate_missing", evidence, ""};
  const bool about_client = session.certificate_requested();
  if (about_client && !given) return Judgement{"tls.client_certificate_missing", evidence, ""};
  if (about_client && given) {
    if (alert == "certificate expired")
      return Judgement{"tls.client_certificate_expired", evidence, ""};
    if (alert == "unsupported certificate")
      return Judgement{"tls.client_certificate_unsuitable", evidence, ""};
    if (alert == "unknown CA") return Judgement{"tls.client_certificate_untrusted", evidence, ""};
    return Judgement{"tls.client_certificate_refused", evidence, ""};
  }
  return Judgement{"tls.handshake_refused", evidence, ""};
}

Judgement JudgePlaintextPeer(const Probe& probe, const Endpoint& endpoint, std::string_view bytes) {
  const Answer answer = ReadAnswer(bytes);
  switch (answer.speech) {
    case Speech::kHttp2:
      return {"tls.tls_to_plaintext",
              "it answers the TLS handshake with an HTTP/2 frame in plaintext", ""};
    case Speech::kOther:
      return {"http.other_protocol",
              fmt::format("it speaks {}: \"{}\"", answer.name, answer.excerpt), ""};
    default:
      break;
  }
  // HTTP/1.1 to a TLS hello: Go's servers and nginx say so in plaintext. HTTP/2 may be there too.
  const Answer plain = LookInPlaintext(probe, endpoint, probe.limits.second_look);
  if (plain.speech == Speech::kHttp2)
    return {"tls.tls_to_plaintext", "it speaks HTTP/2 in plaintext", ""};
  if (plain.speech == Speech::kHttp1 || answer.speech == Speech::kHttp1) {
    if (IsTemporalsWeb(probe, endpoint, false, probe.limits.second_look))
      return {"http.web_ui",
              "it answers in plaintext HTTP/1.1 as Temporal's web interface or HTTP API does", ""};
    return {"http.http1",
            fmt::format("it answers in plaintext HTTP/1.1: \"{}\"",
                        plain.speech == Speech::kHttp1 ? plain.excerpt : answer.excerpt),
            ""};
  }
  return {"http.other_protocol",
          fmt::format("it answers the TLS handshake with \"{}\"", answer.excerpt), ""};
}

Judgement JudgeEnd(const Probe& probe, const Endpoint& endpoint, const Channel& channel) {
  const bool reset = channel.state() == Channel::State::kReset;
  const std::string how = reset ? "reset the connection" : "closed the connection";
  const wire::TlsSession& session = *channel.tls();
  if (session.certificate_requested()) {
    return {
        probe.target.identity ? "tls.client_certificate_refused" : "tls.client_certificate_missing",
        fmt::format("the server asked for a client certificate and {}", how), ""};
  }
  if (LookInPlaintext(probe, endpoint, probe.limits.second_look).speech == Speech::kHttp2) {
    return {"tls.tls_to_plaintext",
            fmt::format("the server {} in the TLS handshake, and answers HTTP/2 in plaintext", how),
            ""};
  }
  if (ReadAnswer(channel.first_bytes()).speech == Speech::kTls) {
    return {"tls.handshake_closed", fmt::format("the server began the TLS handshake and {}", how),
            ""};
  }
  // Whether TLS is meant there, nobody said: a proxy without an upstream closes everything.
  return {reset ? "tcp.reset" : "tcp.closed",
          fmt::format("the server {} without a word, both in TLS and in plaintext", how), ""};
}

Judgement JudgeSilence(const Probe& probe, const Endpoint& endpoint, Duration waited) {
  const Answer plain = LookInPlaintext(probe, endpoint, probe.limits.second_look);
  if (plain.speech == Speech::kHttp2) {
    return {"tls.tls_to_plaintext",
            "the server is silent in the TLS handshake, and answers HTTP/2 in plaintext", ""};
  }
  if (plain.speech == Speech::kHttp1) {
    return {
        "http.http1",
        fmt::format("the server is silent in the TLS handshake, and answers \"{}\" in plaintext",
                    plain.excerpt),
        ""};
  }
  return {"tls.handshake_silent",
          fmt::format("no byte within {} of the TLS handshake, and none in plaintext",
                      FormatDuration(waited)),
          ""};
}

Judgement JudgeFailure(const Probe& probe, const Endpoint& endpoint, const Channel& channel,
                       Duration waited) {
  const wire::TlsSession& session = *channel.tls();
  if (session.error().ok()) {
    if (channel.over()) return JudgeEnd(probe, endpoint, channel);
    if (!channel.first_bytes().empty()) {
      return {"tls.handshake_silent",
              fmt::format("the server began the TLS handshake and was silent for the rest of {}",
                          FormatDuration(waited)),
              ""};
    }
    return JudgeSilence(probe, endpoint, waited);
  }
  if (session.truncated()) return JudgeEnd(probe, endpoint, channel);
  if (session.peer_is_plaintext())
    return JudgePlaintextPeer(probe, endpoint, channel.first_bytes());
  if (auto alert = JudgeAlert(probe, session)) {
    if (alert->cause == "tls.no_alpn" &&
        LookWithTls(probe, endpoint, {"http/1.1"}, probe.limits.second_look).done) {
      return {"tls.alpn_http1", "the server refuses ALPN h2 and takes http/1.1", ""};
    }
    return *alert;
  }
  const std::string text(Message(session.error()));
  constexpr std::string_view kVerify = "certificate verify failed: ";
  if (const auto at = text.find(kVerify); at != std::string::npos) {
    return JudgeCertificate(probe, text.substr(at + kVerify.size()),
                            session.peer_certificate_pem());
  }
  if (Contains(text, "unsupported protocol") || Contains(text, "version too low") ||
      Contains(text, "wrong version number") || Contains(text, "wrong ssl version")) {
    return {"tls.old_version", text, ""};
  }
  if (Contains(text, "bad signature") || Contains(text, "signature"))
    return {"tls.server_key_mismatch", text, ""};
  if (Contains(text, "too small") || Contains(text, "too weak"))
    return {"tls.weak_certificate", text, ""};
  return {"tls.handshake_refused", text, ""};
}

}  // namespace

std::unique_ptr<Channel> Handshake(const Probe& probe, const Endpoint& endpoint) {
  const Target& target = probe.target;
  wire::TlsClientOptions options;
  options.ca_pem = target.ca_pem;
  options.identity = target.identity;
  options.server_name = target.server_name;
  options.verify = target.verify;
  auto context = wire::TlsContext::Client(std::move(options));
  if (!context.ok()) {
    probe.Fail(Layer::kTls, "", "settings.pem_unreadable", std::string(Message(context.status())));
    return nullptr;
  }
  const SteadyTime began = probe.Now();
  auto channel = probe.Open(endpoint, *context);
  const auto settled = [&] {
    return channel->over() || channel->ready() || !channel->tls()->error().ok();
  };
  probe.Wait(settled, probe.limits.first_word);
  const Duration waited = probe.Now() - began;
  if (!channel->ready()) {
    const Judgement why = JudgeFailure(probe, endpoint, *channel, waited);
    probe.Fail(Layer::kTls, "", why.cause, why.evidence, waited, why.fix);
    return nullptr;
  }
  const wire::TlsSession& session = *channel->tls();
  if (session.alpn() != "h2") {
    const TlsLook look = LookWithTls(probe, endpoint, {"h2", "http/1.1"}, probe.limits.second_look);
    const bool http1 = session.alpn() == "http/1.1" || look.alpn == "http/1.1";
    probe.Fail(Layer::kTls, "", http1 ? "tls.alpn_http1" : "tls.no_alpn",
               http1 ? "offered h2 and http/1.1, the server chose http/1.1"
                     : "offered h2, the server chose no application protocol",
               waited);
    return nullptr;
  }
  std::string detail = fmt::format("{}, ALPN h2", session.version());
  const auto info = wire::DescribeCertificate(session.peer_certificate_pem());
  State state = State::kOk;
  if (info.ok()) {
    detail +=
        fmt::format(", {} until {}", JoinNames(*info), FormatSecond(info->not_after).substr(0, 10));
    const WallTime now = probe.executor.clock().WallNow();
    if (info->not_after <= now + std::chrono::hours(24 * 7)) {
      state = State::kWarn;
      probe.diagnosis.Add(
          "tls.certificate_expired", Weight::kNotice,
          fmt::format("the server's certificate ends at {}", FormatSecond(info->not_after)),
          "Plan its renewal.");
    }
  }
  if (session.certificate_requested())
    detail += target.identity ? ", client certificate shown" : ", client certificate asked for";
  if (!target.verify) {
    state = State::kWarn;
    detail += ", not verified";
  }
  probe.diagnosis.Row(Layer::kTls, "", state, detail, channel->handshake_took());
  return channel;
}

bool TellRefusedClient(const Probe& probe, const Channel& channel) {
  const wire::TlsSession* session = channel.tls();
  if (session == nullptr) return false;
  std::optional<Judgement> why = JudgeAlert(probe, *session);
  if (!why && channel.over() && session->certificate_requested() && !probe.target.identity) {
    why = Judgement{
        "tls.client_certificate_missing",
        "the server asked for a client certificate, and ended the connection after the handshake",
        ""};
  }
  if (!why) return false;
  probe.Fail(Layer::kTls, "client certificate", why->cause, why->evidence, {}, why->fix);
  return true;
}

}  // namespace squall::doctor
