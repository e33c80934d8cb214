#include "harness/doctor/converse.h"

#include <utility>

#include "base/util/text.h"
#include "harness/doctor/handshake.h"
#include "harness/doctor/second_look.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

std::string StatusText(const wire::GrpcStatus& status) {
  return status.message.empty() ? std::string(CodeName(status.code))
                                : fmt::format("{}: {}", CodeName(status.code),
                                              EscapeControl(status.message.substr(0, 300)));
}

void Told(const Probe& probe, Layer layer, std::string cause, std::string evidence,
          Duration took = {}) {
  if (layer == Layer::kGrpc || layer == Layer::kPermission) probe.Ok(Layer::kHttp2, "", "HTTP/2");
  probe.Fail(layer, layer == Layer::kGrpc || layer == Layer::kPermission ? "GetSystemInfo" : "",
             std::move(cause), std::move(evidence), took);
}

// Plaintext, and the peer ended the connection or said something that is no HTTP/2.
void TellStranger(const Probe& probe, const Endpoint& endpoint, const Rpc& rpc) {
  const bool tls = probe.target.tls;
  const Answer answer = ReadAnswer(rpc.said());
  switch (answer.speech) {
    case Speech::kTls: {
      const TlsLook look =
          LookWithTls(probe, endpoint, {"h2", "http/1.1"}, probe.limits.second_look);
      return probe.Fail(
          Layer::kTls, "", "tls.plaintext_to_tls",
          fmt::format("the server answers plaintext with a TLS alert{}",
                      look.subject.empty()
                          ? ""
                          : fmt::format("; its certificate is {}", EscapeControl(look.subject))));
    }
    case Speech::kHttp1: {
      if (IsTemporalsWeb(probe, endpoint, tls, probe.limits.second_look)) {
        return probe.Fail(
            Layer::kHttp2, "", "http.web_ui",
            fmt::format("it answers \"{}\", and GET as Temporal's web interface or HTTP API does",
                        answer.excerpt));
      }
      // nginx says so to plaintext on its TLS port.
      if (!tls && (Contains(rpc.said(), "HTTPS port") ||
                   Contains(rpc.said(), "HTTP request to an HTTPS server"))) {
        return probe.Fail(
            Layer::kTls, "", "tls.plaintext_to_tls",
            fmt::format("it answers \"{}\" and says that it speaks TLS", answer.excerpt));
      }
      const std::string by = answer.server.empty() ? "" : fmt::format(" ({})", answer.server);
      if (answer.status == 502 || answer.status == 503 || answer.status == 504) {
        return probe.Fail(Layer::kHttp2, "", "http.bad_gateway",
                          fmt::format("it answers \"{}\"{}", answer.excerpt, by));
      }
      if (answer.status == 401 || answer.status == 403 || answer.status == 407) {
        return probe.Fail(Layer::kHttp2, "", "http.forbidden",
                          fmt::format("it answers \"{}\"{}", answer.excerpt, by));
      }
      return probe.Fail(Layer::kHttp2, "", "http.http1",
                        fmt::format("it answers \"{}\"{} to HTTP/2's preface", answer.excerpt, by));
    }
    case Speech::kOther:
      return probe.Fail(Layer::kHttp2, "", "http.other_protocol",
                        fmt::format("it speaks {}: \"{}\"", answer.name, answer.excerpt));
    case Speech::kUnknown:
    case Speech::kHttp2:
      return probe.Fail(Layer::kHttp2, "",
                        answer.speech == Speech::kHttp2 ? "http.broken" : "http.other_protocol",
                        fmt::format("it answers HTTP/2's preface with \"{}\"", answer.excerpt));
    case Speech::kNothing:
      break;
  }
  const bool reset = rpc.channel().state() == Channel::State::kReset;
  const std::string how = reset ? "reset the connection" : "closed the connection";
  if (tls) {
    return probe.Fail(Layer::kHttp2, "", "http.broken",
                      fmt::format("the server {} after the TLS handshake, without a word", how));
  }
  const TlsLook look = LookWithTls(probe, endpoint, {"h2", "http/1.1"}, probe.limits.second_look);
  if (look.speaks_tls) {
    return probe.Fail(
        Layer::kTls, "", "tls.plaintext_to_tls",
        fmt::format(
            "the server {} when it was spoken to in plaintext, and answers a TLS handshake{}", how,
            look.subject.empty()
                ? ""
                : fmt::format(" with the certificate {}", EscapeControl(look.subject))));
  }
  probe.Fail(Layer::kTcp, "", reset ? "tcp.reset" : "tcp.closed",
             fmt::format("the server {} without a word, both in plaintext and in TLS", how));
}

void TellSilence(const Probe& probe, const Endpoint& endpoint, const Rpc& rpc, const Call& call,
                 Duration waited) {
  if (!probe.target.tls) {
    const TlsLook look = LookWithTls(probe, endpoint, {"h2", "http/1.1"}, probe.limits.second_look);
    if (look.speaks_tls) {
      return probe.Fail(
          Layer::kTls, "", "tls.plaintext_to_tls",
          "the server is silent when it is spoken to in plaintext, and answers a TLS handshake");
    }
    // It may have spoken meanwhile.
    if (call.done || rpc.established()) {
      return Told(probe, Layer::kGrpc, "grpc.silent",
                  fmt::format("no answer to GetSystemInfo within {}", FormatDuration(waited)),
                  waited);
    }
    return probe.Fail(
        Layer::kTcp, "", "tcp.peer_silent",
        fmt::format("no byte within {}, neither in plaintext nor in TLS", FormatDuration(waited)),
        waited);
  }
  probe.Fail(Layer::kHttp2, "", "tcp.peer_silent",
             fmt::format("no byte within {} after the TLS handshake", FormatDuration(waited)),
             waited);
}

}  // namespace

std::optional<CallJudgement> JudgeCall(const Probe& probe, const Call& call) {
  const wire::GrpcResponse& response = call.response;
  const wire::GrpcStatus& status = response.status;
  if (status.ok()) return std::nullopt;
  const std::string said = fmt::format("{} is answered {}", call.method, StatusText(status));
  const int http = response.http_status;
  const bool has_key = !probe.target.api_key.empty();
  if (http != 0 && http != 200) {
    const std::string evidence = fmt::format("{} is answered HTTP {}", call.method, http);
    if (http == 502 || http == 503 || http == 504)
      return CallJudgement{"http.bad_gateway", evidence, Layer::kHttp2};
    if (http == 404 || http == 421)
      return CallJudgement{"http.not_routed", evidence, Layer::kHttp2};
    if (http == 401 || http == 403 || http == 407)
      return CallJudgement{"http.forbidden", evidence, Layer::kHttp2};
    if (http == 429) return CallJudgement{"grpc.rate_limited", evidence, Layer::kGrpc};
    if (http >= 500) return CallJudgement{"http.bad_gateway", evidence, Layer::kHttp2};
    return CallJudgement{"http.not_routed", evidence, Layer::kHttp2};
  }
  if (Contains(status.message, "instead of gRPC")) {
    return CallJudgement{
        SpeaksOfTemporal(status.message + "<html") ? "http.web_ui" : "http.not_routed", said,
        Layer::kHttp2};
  }
  if (Contains(status.message, "without a grpc-status") ||
      Contains(status.message, "unary response carries") ||
      Contains(status.message, "middle of a message") ||
      Contains(status.message, "compressed flag") || Contains(status.message, "gzip") ||
      Contains(status.message, "compressed with")) {
    return CallJudgement{"grpc.garbled", said, Layer::kGrpc};
  }
  switch (static_cast<StatusCode>(status.code)) {
    case StatusCode::kUnimplemented:
      return CallJudgement{"grpc.other_service", said, Layer::kGrpc};
    case StatusCode::kUnauthenticated:
      return CallJudgement{has_key ? "auth.api_key_refused" : "auth.api_key_missing", said,
                           Layer::kPermission};
    case StatusCode::kPermissionDenied:
      return CallJudgement{has_key ? "auth.api_key_refused" : "auth.denied", said,
                           Layer::kPermission};
    case StatusCode::kResourceExhausted:
      return CallJudgement{"grpc.rate_limited", said, Layer::kGrpc};
    case StatusCode::kUnavailable:
      return CallJudgement{"grpc.unavailable", said, Layer::kGrpc};
    case StatusCode::kNotFound:
    case StatusCode::kInvalidArgument:
    case StatusCode::kFailedPrecondition:
    case StatusCode::kAlreadyExists:
    case StatusCode::kOutOfRange:
      return std::nullopt;
    default:
      return CallJudgement{"grpc.failing", said, Layer::kGrpc};
  }
}

void TellRemarks(const Probe& probe, const std::vector<SdkRemark>& remarks, Layer layer) {
  for (const SdkRemark& one : remarks) {
    probe.diagnosis.Row(layer, "release", State::kWarn, one.brief);
    probe.diagnosis.Add(one.cause, Weight::kNotice, one.evidence);
  }
}

std::unique_ptr<Rpc> Converse(const Probe& probe, const Endpoint& endpoint,
                              std::unique_ptr<Channel> channel) {
  const Target& target = probe.target;
  if (channel == nullptr) channel = probe.Open(endpoint, nullptr);
  RpcOptions options;
  options.authority = target.server_name.empty()
                          ? target.address()
                          : fmt::format("{}:{}", target.server_name, target.port);
  options.tls = target.tls;
  for (const auto& [name, value] : target.metadata) options.metadata.emplace(name, value);
  if (!target.api_key.empty())
    options.metadata.emplace("authorization", "Bearer " + target.api_key);
  options.metadata.emplace("temporal-namespace", target.ns);
  const SteadyTime began = probe.Now();
  auto rpc = std::make_unique<Rpc>(probe.executor, std::move(channel), std::move(options));
  const CallPtr call = rpc->Start(Rpc::kWorkflowService, "GetSystemInfo", "", probe.limits.call);
  const auto settled = [&] { return call->done || rpc->channel().over() || !rpc->broken().ok(); };
  probe.Wait(settled, probe.limits.first_word);
  if (!settled() && rpc->established())
    probe.Wait(settled, probe.limits.call - probe.limits.first_word);
  const Duration waited = probe.Now() - began;

  if (TellRefusedClient(probe, rpc->channel())) return nullptr;
  if (!settled()) {
    if (rpc->established()) {
      Told(probe, Layer::kGrpc, "grpc.silent",
           fmt::format("no answer to GetSystemInfo within {}", FormatDuration(waited)), waited);
    } else {
      TellSilence(probe, endpoint, *rpc, *call, waited);
    }
    return nullptr;
  }
  if (!rpc->established()) {
    TellStranger(probe, endpoint, *rpc);
    return nullptr;
  }
  // An answer that came before the end counts; the way there counts otherwise.
  if (call->response.http_status == 0 && !call->response.status.ok() &&
      (rpc->channel().over() || rpc->going_away() || !rpc->broken().ok())) {
    const std::string end = rpc->channel().state() == Channel::State::kReset ? "reset" : "ended";
    if (rpc->going_away()) {
      Told(probe, Layer::kHttp2, "http.goaway",
           fmt::format("GOAWAY before GetSystemInfo was answered: {}",
                       EscapeControl(call->response.status.message)));
    } else if (!rpc->broken().ok()) {
      Told(probe, Layer::kHttp2, "http.broken",
           fmt::format("GetSystemInfo's answer breaks HTTP/2: {}", Message(rpc->broken())));
    } else {
      Told(probe, Layer::kHttp2, "http.broken",
           fmt::format("the connection was {} before GetSystemInfo was answered", end));
    }
    return nullptr;
  }
  if (const auto why = JudgeCall(probe, *call)) {
    Told(probe, why->layer, why->cause, why->evidence, call->took);
    return nullptr;
  }
  if (!call->response.status.ok()) {
    Told(probe, Layer::kGrpc, "grpc.failing",
         fmt::format("GetSystemInfo is answered {}", StatusText(call->response.status)),
         call->took);
    return nullptr;
  }
  const auto info = ReadSystemInfo(call->response.message);
  if (!info.ok()) {
    Told(probe, Layer::kGrpc, "grpc.garbled",
         fmt::format("GetSystemInfo: {}", Message(info.status())), call->took);
    return nullptr;
  }
  probe.Ok(Layer::kHttp2, "", "HTTP/2");
  std::string detail = info->version.empty()
                           ? "Temporal's frontend"
                           : fmt::format("Temporal {}", EscapeControl(info->version));
  if (OlderThanKnown(probe.sdk)) {
    detail += fmt::format("; what {} wants of it is not known here (known: {})", probe.sdk.Text(),
                          KnownSdks());
  }
  probe.Ok(Layer::kGrpc, "GetSystemInfo", detail, call->took);
  std::vector<SdkRemark> remarks = MissingFor(probe.sdk, info->capabilities, false);
  if (auto old = JudgeServerVersion(probe.sdk, info->version)) remarks.push_back(*std::move(old));
  TellRemarks(probe, remarks, Layer::kGrpc);
  return rpc;
}

}  // namespace squall::doctor
