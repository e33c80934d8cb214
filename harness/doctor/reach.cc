#include "harness/doctor/reach.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/util/text.h"
#include "base/wire/grpc.h"
#include "harness/doctor/answer.h"
#include "harness/doctor/names.h"
#include "harness/doctor/route.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

using ChannelState = Channel::State;

struct Attempt {
  Endpoint endpoint;
  std::unique_ptr<Channel> channel;
};
using Attempts = std::vector<Attempt>;

bool AnyOpen(const Attempts& attempts) {
  return std::ranges::any_of(attempts, [](const Attempt& one) { return one.channel->connected(); });
}
bool AllSettled(const Attempts& attempts) {
  return std::ranges::none_of(attempts,
                              [](const Attempt& one) { return one.channel->connecting(); });
}

// Why an address did not take a connection.
struct Obstacle {
  std::string cause, text;
};
Obstacle WhyNot(const Attempt& one, std::string_view patience) {
  const auto source = SourceAddressFor(one.endpoint.host);
  switch (one.channel->state()) {
    case ChannelState::kConnecting:
      return {"tcp.silent",
              fmt::format("no answer{}{}", source.ok() ? fmt::format(" to {}", *source) : "",
                          patience)};
    case ChannelState::kRefused:
      return {"tcp.refused", "connection refused"};
    default:
      break;
  }
  const std::string& said = one.channel->connect_error();
  if (absl::IsUnimplemented(source.status())) {
    return {"tcp.family_missing",
            fmt::format("this machine has no {} address that reaches beyond itself ({})",
                        Contains(one.endpoint.host, ":") ? "IPv6" : "IPv4", said)};
  }
  if (absl::IsNotFound(source.status()))
    return {"tcp.no_route", fmt::format("this machine has no route to it ({})", said)};
  return {"tcp.unreachable",
          source.ok() ? fmt::format("{} (from {})", said, *source) : std::string(said)};
}

// The ports of the same addresses that do take connections.
std::vector<std::uint16_t> OpenPorts(const Attempts& others) {
  std::vector<std::uint16_t> ports;
  for (const Attempt& one : others) {
    if (one.channel->connected() && std::ranges::find(ports, one.endpoint.port) == ports.end())
      ports.push_back(one.endpoint.port);
  }
  return ports;
}

class Reacher {
 public:
  // `proxy`: the destination is one, not the target itself.
  Reacher(const Probe& probe, std::string host, std::uint16_t port, bool proxy)
      : probe_(probe), host_(std::move(host)), port_(port), proxy_(proxy) {}

  std::optional<Endpoint> Run() {
    const auto endpoints = Addresses();
    if (!endpoints) return std::nullopt;
    const SteadyTime began = probe_.Now();
    Attempts attempts, others;
    for (const Endpoint& one : *endpoints) attempts.push_back({one, probe_.Open(one, nullptr)});
    // Refusals come at once; whoever is silent for this long gets its neighbours asked as well.
    const auto settled = [&] { return AnyOpen(attempts) || AllSettled(attempts); };
    probe_.Wait(settled, probe_.limits.tcp / 4);
    if (!AnyOpen(attempts)) {
      if (!proxy_) AskNeighbours(*endpoints, others);
      probe_.Wait(settled, probe_.limits.tcp - probe_.limits.tcp / 4);
      if (!AnyOpen(attempts)) {
        const Duration took = probe_.Now() - began;
        probe_.Wait([&] { return AllSettled(others) || AnyOpen(others); }, probe_.limits.tcp_rest);
        TellUnreachable(attempts, others, took);
        return std::nullopt;
      }
    }
    probe_.Wait([&] { return AllSettled(attempts); }, probe_.limits.tcp_rest);
    return Choose(attempts);
  }

 private:
  // A row that fails: of the proxy, if it is one, whatever the layer.
  void Fail(Layer layer, const std::string& cause, std::string evidence, Duration took,
            std::string fix) {
    if (!proxy_) return probe_.Fail(layer, "", cause, std::move(evidence), took, std::move(fix));
    probe_.Fail(Layer::kProxy, "", "proxy.unreachable", std::move(evidence), took, std::move(fix));
  }
  std::string Named(std::string text) const {
    return proxy_ ? fmt::format("the proxy {}", text) : text;
  }

  std::string Found(const std::string& host, const std::string& text) const {
    const std::string found = host.empty() ? text : Named(fmt::format("{}: {}", host, text));
    return proxy_ && !IsIpAddress(probe_.target.host)
               ? fmt::format("{}; it looks {} up", found, EscapeControl(probe_.target.host))
               : found;
  }

  std::optional<std::vector<Endpoint>> Addresses() {
    const std::string host = EscapeControl(host_);
    if (IsIpAddress(host_)) {
      probe_.Ok(Layer::kDns, "", Found(proxy_ ? host : "", "an address; nothing to look up"));
      return std::vector<Endpoint>{{host_, port_}};
    }
    const SteadyTime began = probe_.Now();
    const NameAnswer answer = LookUp(probe_, host_, port_);
    const Duration took = probe_.Now() - began;
    if (answer.endpoints.empty()) {
      std::string fix;
      if (answer.no_such_name && !Contains(host, ".")) {
        fix = fmt::format(
            "'{}' has no domain: such names exist inside one Docker or Kubernetes network only. "
            "Use the full name, or run where it exists.",
            host);
      }
      Fail(Layer::kDns, answer.no_such_name ? "dns.no_such_name" : "dns.no_answer",
           Named(fmt::format("{}: {}", host, answer.text)), took, std::move(fix));
      return std::nullopt;
    }
    probe_.Ok(Layer::kDns, "", Found(host, answer.text), took);
    return answer.endpoints;
  }

  void AskNeighbours(const std::vector<Endpoint>& endpoints, Attempts& others) {
    for (const std::uint16_t port : probe_.other_ports) {
      if (port == port_) continue;
      for (const Endpoint& one : endpoints) {
        const Endpoint other{one.host, port};
        others.push_back({other, probe_.Open(other, nullptr)});
      }
    }
  }

  void TellUnreachable(const Attempts& attempts, const Attempts& others, Duration took) {
    const std::string patience = fmt::format(" within {}", FormatDuration(took));
    std::vector<std::string> texts;
    std::string cause;
    // What could still be another's fault comes before what this machine says of itself.
    constexpr std::string_view kOrder[] = {"tcp.silent", "tcp.refused", "tcp.unreachable",
                                           "tcp.no_route", "tcp.family_missing"};
    std::size_t rank = std::size(kOrder);
    for (const Attempt& one : attempts) {
      const Obstacle why = WhyNot(one, patience);
      texts.push_back(fmt::format("{}: {}", one.endpoint.ToString(), why.text));
      const auto at = static_cast<std::size_t>(std::ranges::find(kOrder, why.cause) - kOrder);
      if (at < rank) cause = why.cause;
      rank = std::min(rank, at);
    }
    std::string evidence = fmt::format("{}", fmt::join(texts, "; "));
    std::string fix;
    if (const auto ports = OpenPorts(others); !ports.empty()) {
      cause = "tcp.wrong_port";
      evidence +=
          fmt::format("; the same host takes connections on port {}", fmt::join(ports, ", "));
      fix =
          fmt::format("Try {}.", harness::HostPort{EscapeControl(host_), ports.front()}.ToString());
    }
    Fail(Layer::kTcp, cause, Named(std::move(evidence)), took, std::move(fix));
  }

  std::optional<Endpoint> Choose(const Attempts& attempts) {
    std::optional<Endpoint> chosen;
    std::vector<std::string> open, dead;
    Duration took{};
    std::string source;
    for (const Attempt& one : attempts) {
      if (one.channel->connected()) {
        if (!chosen) {
          chosen = one.endpoint;
          took = one.channel->connect_took();
          source = one.channel->source();
        }
        open.push_back(one.endpoint.ToString());
      } else {
        dead.push_back(fmt::format("{} ({})", one.endpoint.ToString(), WhyNot(one, "").text));
      }
    }
    std::string detail = fmt::format("{}", fmt::join(open, ", "));
    if (!IsLoopback(source)) detail += fmt::format(", from {}", source);
    if (!dead.empty()) detail += fmt::format("; not {}", fmt::join(dead, ", "));
    // Where localhost has two addresses, one of them is enough: clients try both at once.
    const bool told = !dead.empty() && !IsLoopback(host_);
    probe_.diagnosis.Row(Layer::kTcp, "", told ? State::kWarn : State::kOk, Named(detail), took);
    if (told)
      probe_.diagnosis.Add("tcp.some_addresses", Weight::kNotice,
                           fmt::format("of the addresses of {}, {} did not answer",
                                       EscapeControl(host_), fmt::join(dead, ", ")));
    return chosen;
  }

  const Probe& probe_;
  const std::string host_;
  const std::uint16_t port_;
  const bool proxy_;
};

}  // namespace

std::optional<Endpoint> Reach(const Probe& probe) {
  return Reacher(probe, probe.target.host, probe.target.port, false).Run();
}

std::optional<Endpoint> ReachProxy(const Probe& probe, const HttpProxy& proxy) {
  return Reacher(probe, proxy.where.host, proxy.where.port, true).Run();
}

std::optional<Tunnel> AskProxy(const Probe& probe, const HttpProxy& proxy,
                               const Endpoint& endpoint) {
  const SteadyTime began = probe.Now();
  Tunnel tunnel{probe.target.address(), ""};
  if (!proxy.credentials.empty())
    tunnel.authorization = "Basic " + wire::Base64Encode(proxy.credentials);
  const Channel channel(probe.executor, endpoint, nullptr, probe.executor.clock().WallNow(),
                        tunnel);
  probe.Wait([&] { return !channel.connecting(); },
             probe.limits.first_word + probe.limits.second_look);
  const Duration took = probe.Now() - began;
  const std::string who =
      fmt::format("{} (by {})", EscapeControl(proxy.where.ToString()), proxy.source);
  const auto fail = [&](std::string cause, std::string what) {
    probe.Fail(Layer::kProxy, "", std::move(cause), fmt::format("{} {}", who, what), took);
    return std::nullopt;
  };
  if (channel.connected()) {
    probe.Ok(Layer::kProxy, "", fmt::format("{} leads to {}", who, tunnel.target), took);
    return tunnel;
  }
  const Answer answer = ReadAnswer(channel.proxy_answer());
  if (channel.connecting())
    return fail("proxy.silent", fmt::format("does not answer CONNECT {} within {}", tunnel.target,
                                            FormatDuration(took)));
  if (answer.speech != Speech::kHttp1) {
    return fail(
        "proxy.other_protocol",
        channel.proxy_answer().empty()
            ? fmt::format("ends the connection when it is asked: {}", channel.connect_error())
            : fmt::format("is no HTTP proxy: it answers CONNECT with \"{}\"", answer.excerpt));
  }
  const std::string what =
      fmt::format("answers CONNECT {} with \"{}\"", tunnel.target, answer.excerpt);
  if (answer.status == 407) {
    return fail("proxy.credentials",
                what + (proxy.credentials.empty() ? "; no credentials are given to it"
                                                  : "; the credentials given are not good"));
  }
  if (answer.status >= 500) return fail("proxy.no_upstream", what);
  return fail("proxy.refused", what);
}

}  // namespace squall::doctor
