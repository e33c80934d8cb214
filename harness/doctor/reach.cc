#include "harness/doctor/reach.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/util/text.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

using ChannelState = Channel::State;

std::optional<std::vector<Endpoint>> FindAddresses(const Probe& probe) {
  struct Lookup {
    bool done = false;
    StatusOr<std::vector<Endpoint>> result = absl::UnavailableError("no answer in time");
  };
  // Owned by the callback as well: it may come after this function has given up.
  auto lookup = std::make_shared<Lookup>();
  const SteadyTime began = probe.Now();
  ResolveName(probe.executor, probe.target.host, probe.target.port,
              [lookup](StatusOr<std::vector<Endpoint>> result) {
                lookup->result = std::move(result);
                lookup->done = true;
              });
  probe.Wait([&] { return lookup->done; }, probe.limits.dns);
  const Duration took = probe.Now() - began;
  const auto& result = lookup->result;
  const std::string host = EscapeControl(probe.target.host);
  if (!result.ok() || result->empty()) {
    const bool none = result.ok() || absl::IsNotFound(result.status());
    const std::string why(result.ok() ? "it has no addresses" : Message(result.status()));
    std::string fix;
    if (none && host.find('.') == std::string::npos) {
      fix = fmt::format(
          "'{}' has no domain: such names exist inside one Docker or Kubernetes network only. Use "
          "the full name, or run where it exists.",
          host);
    }
    probe.Fail(Layer::kDns, "", none ? "dns.no_such_name" : "dns.no_answer",
               fmt::format("{}: {}", host, why), took, fix);
    return std::nullopt;
  }
  if (IsIpAddress(probe.target.host)) {
    probe.Ok(Layer::kDns, "", "an address; nothing to look up");
  } else {
    std::vector<std::string> addresses;
    for (const Endpoint& one : *result) addresses.push_back(one.host);
    probe.Ok(Layer::kDns, "", fmt::format("{}: {}", host, fmt::join(addresses, ", ")), took);
  }
  return *result;
}

struct Attempt {
  Endpoint endpoint;
  std::unique_ptr<Channel> channel;
  std::string Word() const {
    switch (channel->state()) {
      case ChannelState::kConnecting:
        return "silent";
      case ChannelState::kRefused:
        return "refused";
      case ChannelState::kUnreachable:
      case ChannelState::kFailed:
        return channel->connect_error();
      default:
        return "open";
    }
  }
};
using Attempts = std::vector<Attempt>;

bool AnyOpen(const Attempts& attempts) {
  return std::ranges::any_of(attempts, [](const Attempt& one) { return one.channel->connected(); });
}
bool AllSettled(const Attempts& attempts) {
  return std::ranges::none_of(attempts,
                              [](const Attempt& one) { return one.channel->connecting(); });
}
bool AnyIn(const Attempts& attempts, ChannelState state) {
  return std::ranges::any_of(attempts,
                             [state](const Attempt& one) { return one.channel->state() == state; });
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

void TellUnreachable(const Probe& probe, const Attempts& attempts, const Attempts& others,
                     Duration took) {
  std::string evidence;
  for (const Attempt& one : attempts) {
    const std::string word = one.Word();
    evidence +=
        fmt::format("{}{}: {}", evidence.empty() ? "" : "; ", one.endpoint.ToString(),
                    word == "silent"    ? fmt::format("no answer within {}", FormatDuration(took))
                    : word == "refused" ? "connection refused"
                                        : word);
  }
  std::string fix;
  const bool silent = AnyIn(attempts, ChannelState::kConnecting);
  const bool refused = AnyIn(attempts, ChannelState::kRefused);
  std::string cause = silent ? "tcp.silent" : refused ? "tcp.refused" : "tcp.unreachable";
  if (const auto ports = OpenPorts(others); !ports.empty()) {
    cause = "tcp.wrong_port";
    evidence +=
        fmt::format("; the same host takes connections on port {}", fmt::join(ports, ", "));
    fix = fmt::format("Try {}:{}.", EscapeControl(probe.target.host), ports.front());
  }
  probe.Fail(Layer::kTcp, "", std::move(cause), std::move(evidence), took, std::move(fix));
}

}  // namespace

std::optional<Endpoint> Reach(const Probe& probe) {
  const auto endpoints = FindAddresses(probe);
  if (!endpoints) return std::nullopt;
  const SteadyTime began = probe.Now();
  Attempts attempts, others;
  for (const Endpoint& one : *endpoints) attempts.push_back({one, probe.Open(one, nullptr)});
  // Refusals come at once; whoever is silent for this long gets its neighbours asked as well.
  const auto settled = [&] { return AnyOpen(attempts) || AllSettled(attempts); };
  probe.Wait(settled, probe.limits.tcp / 4);
  if (!AnyOpen(attempts)) {
    for (const std::uint16_t port : probe.other_ports) {
      if (port == probe.target.port) continue;
      for (const Endpoint& one : *endpoints) {
        const Endpoint other{one.host, port};
        others.push_back({other, probe.Open(other, nullptr)});
      }
    }
    probe.Wait(settled, probe.limits.tcp - probe.limits.tcp / 4);
    if (!AnyOpen(attempts)) {
      const Duration took = probe.Now() - began;
      probe.Wait([&] { return AllSettled(others) || AnyOpen(others); }, probe.limits.tcp_rest);
      TellUnreachable(probe, attempts, others, took);
      return std::nullopt;
    }
  }
  probe.Wait([&] { return AllSettled(attempts); }, probe.limits.tcp_rest);
  std::optional<Endpoint> chosen;
  std::string open, dead;
  Duration took{};
  for (const Attempt& one : attempts) {
    if (one.channel->connected()) {
      if (!chosen) {
        chosen = one.endpoint;
        took = one.channel->connect_took();
      }
      open += (open.empty() ? "" : ", ") + one.endpoint.ToString();
    } else {
      dead += fmt::format("{}{} ({})", dead.empty() ? "" : ", ", one.endpoint.ToString(), one.Word());
    }
  }
  // Where localhost has two addresses, one of them is enough: clients try both at once.
  const bool told = !dead.empty() && !IsLoopback(probe.target.host);
  probe.diagnosis.Row(Layer::kTcp, "", told ? State::kWarn : State::kOk,
                      dead.empty() ? open : fmt::format("{}; not {}", open, dead), took);
  if (told)
    probe.diagnosis.Add("tcp.some_addresses", Weight::kNotice,
                        fmt::format("of the addresses of {}, {} did not answer",
                                    EscapeControl(probe.target.host), dead));
  return chosen;
}

}  // namespace squall::doctor
