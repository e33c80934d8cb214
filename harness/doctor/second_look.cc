#include "harness/doctor/second_look.h"

#include <utility>

namespace squall::doctor {
namespace {

// The client's preface and an empty SETTINGS frame (RFC 9113, 3.4).
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

std::shared_ptr<wire::TlsContext> Trusting(const Target& target, std::vector<std::string> alpn) {
  wire::TlsClientOptions options;
  options.server_name = target.server_name;
  options.verify = false;
  options.alpn = std::move(alpn);
  options.identity = target.identity;
  auto context = wire::TlsContext::Client(std::move(options));
  return context.ok() ? *context : nullptr;
}

std::string GetPage(const Probe& probe, const Endpoint& endpoint, bool tls, std::string_view path,
                    Duration limit) {
  const auto channel = probe.Open(endpoint, tls ? Trusting(probe.target, {"http/1.1"}) : nullptr);
  channel->Send(
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: squall-doctor\r\nAccept: "
                  "*/*\r\nConnection: close\r\n\r\n",
                  path, probe.target.address()));
  std::string answer;
  probe.Wait(
      [&] {
        answer += channel->Take();
        return channel->over() || answer.size() > (std::size_t{16} << 10U);
      },
      limit);
  return answer + channel->Take();
}

}  // namespace

TlsLook LookWithTls(const Probe& probe, const Endpoint& endpoint, std::vector<std::string> alpn,
                    Duration limit) {
  TlsLook look;
  auto context = Trusting(probe.target, std::move(alpn));
  if (!context) return look;
  const auto channel = probe.Open(endpoint, std::move(context));
  probe.Wait([&] { return channel->over() || channel->ready() || !channel->tls()->error().ok(); },
             limit);
  const wire::TlsSession& session = *channel->tls();
  look.done = session.handshake_done();
  look.speaks_tls = look.done || ReadAnswer(channel->first_bytes()).speech == Speech::kTls;
  look.alpn = session.alpn();
  look.subject = session.peer_subject();
  look.error = Message(session.error());
  look.certificate_requested = session.certificate_requested();
  return look;
}

Answer LookInPlaintext(const Probe& probe, const Endpoint& endpoint, Duration limit) {
  const auto channel = probe.Open(endpoint, nullptr);
  channel->Send(kPreface);
  probe.Wait([&] { return channel->over() || !channel->first_bytes().empty(); }, limit);
  return ReadAnswer(channel->first_bytes());
}

bool IsTemporalsWeb(const Probe& probe, const Endpoint& endpoint, bool tls, Duration limit) {
  // Both have the first path; older interfaces only the page itself, which names its product.
  return SpeaksOfTemporal(GetPage(probe, endpoint, tls, "/api/v1/system-info", limit)) ||
         SpeaksOfTemporal(GetPage(probe, endpoint, tls, "/", limit));
}

}  // namespace squall::doctor
