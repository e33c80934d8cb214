#include "harness/doctor/http_proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/util/text.h"
#include "base/wire/grpc.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

using harness::HostPort;

constexpr auto kProxyVariables =
    std::to_array<std::string_view>({"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy",
                                     "grpc_proxy", "NO_PROXY", "no_proxy", "no_grpc_proxy"});

struct ProxyUrl {
  std::string scheme, user_info, host;
  std::uint16_t port = 0;  // 0: none is given
};

std::optional<ProxyUrl> ParseProxyUrl(std::string_view text) {
  ProxyUrl url;
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  url.scheme = LowerCase(text.substr(0, scheme));
  url.user_info = CredentialsIn(text);
  text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find_first_of("/?#"));
  if (const auto at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  const auto where = ParseAddress(text);
  if (!where) return std::nullopt;
  url.host = where->host;
  url.port = where->port;
  return url;
}

struct Named {
  std::string_view name;
  std::string value;
};
std::optional<Named> FirstSet(const ProxySettings& settings,
                              std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const auto it = settings.variables.find(std::string(name));
    if (it != settings.variables.end() && !it->second.empty()) return Named{name, it->second};
  }
  return std::nullopt;
}

using IpBytes = std::vector<unsigned char>;
std::optional<IpBytes> IpOf(std::string_view text) {
  const std::string zero_ended(text);
  IpBytes bytes(4);
  if (::inet_pton(AF_INET, zero_ended.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(16);
  if (::inet_pton(AF_INET6, zero_ended.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

// "10.0.0.0/8" holds the address.
bool InRange(std::string_view range, const IpBytes& ip) {
  const auto slash = range.find('/');
  if (slash == std::string_view::npos) return false;
  const auto base = IpOf(range.substr(0, slash));
  const std::string_view digits = range.substr(slash + 1);
  std::size_t bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (!base || base->size() != ip.size() || error != std::errc() ||
      end != digits.data() + digits.size() || bits > ip.size() * 8)
    return false;
  for (std::size_t i = 0; i < bits; ++i) {
    const auto bit = static_cast<unsigned char>(0x80U >> (i % 8));
    if (((*base)[i / 8] & bit) != (ip[i / 8] & bit)) return false;
  }
  return true;
}

// --- grpc-go: golang.org/x/net/http/httpproxy.

// The entry of NO_PROXY that leaves the proxy out, if one does.
std::optional<std::string> GoExcludes(const std::string& no_proxy, const HostPort& target) {
  const std::string host = LowerCase(target.host);
  const auto ip = IpOf(host);
  for (const std::string_view part : Split(no_proxy, ',')) {
    const std::string entry = LowerCase(Trim(part));
    if (entry.empty()) continue;
    if (entry == "*") return entry;
    if (ip && InRange(entry, *ip)) return entry;
    const auto where = ParseAddress(entry.starts_with("*.") ? entry.substr(1) : entry);
    // A host that begins with a dot is none for ParseAddress's other users, but parses there.
    const std::string name = where ? where->host : entry;
    if (where && where->port != 0 && where->port != target.port) continue;
    if (const auto entry_ip = IpOf(name)) {
      if (ip && *ip == *entry_ip) return entry;
      continue;
    }
    if (ip) continue;
    const bool only_below = name.starts_with('.');
    if (host.ends_with(only_below ? name : "." + name) || (!only_below && host == name))
      return entry;
  }
  return std::nullopt;
}

ProxyChoice ChooseAsGo(const ProxySettings& settings, const HostPort& target) {
  ProxyChoice choice;
  const auto set = FirstSet(settings, {"HTTPS_PROXY", "https_proxy"});
  if (const auto other = FirstSet(settings, {"grpc_proxy", "HTTP_PROXY", "http_proxy"});
      other && !set) {
    choice.notes.push_back(
        fmt::format("{} is set, and Go reads HTTPS_PROXY alone for gRPC", other->name));
  }
  if (!set) return choice;
  if (IsLoopback(target.host) && !target.host.ends_with(".localhost")) {
    choice.notes.push_back(
        fmt::format("{} is set, and Go goes to loopback addresses directly", set->name));
    return choice;
  }
  if (const auto none = FirstSet(settings, {"NO_PROXY", "no_proxy"})) {
    if (const auto entry = GoExcludes(none->value, target)) {
      choice.notes.push_back(fmt::format("{} is set, and {} leaves it out by '{}'", set->name,
                                         none->name, EscapeControl(*entry)));
      return choice;
    }
  }
  auto url = ParseProxyUrl(set->value);
  if (!url) url = ParseProxyUrl("http://" + set->value);
  if (!url) {
    choice.problem = fmt::format("{} is no URL of a proxy", set->name);
    return choice;
  }
  if (url->scheme != "http") {
    choice.notes.push_back(fmt::format("{} says {}://, and Go speaks plain HTTP to proxies",
                                       set->name, EscapeControl(url->scheme)));
  }
  if (url->port == 0) {
    choice.notes.push_back(fmt::format("{} names no port, and Go takes 443", set->name));
    url->port = 443;
  }
  choice.proxy = HttpProxy{{url->host, url->port}, url->user_info, std::string(set->name)};
  return choice;
}

// --- grpc-js: src/http_proxy.ts.

std::optional<std::string> NodeExcludes(const std::string& no_proxy, const HostPort& target) {
  const auto ip = IpOf(target.host);
  for (const std::string_view entry : Split(no_proxy, ',')) {
    // Neither blanks nor capital letters are looked past there, and an empty entry ends all names.
    if (ip && ip->size() == 4 && InRange(entry, *ip)) return std::string(entry);
    if (target.host.ends_with(entry)) return std::string(entry);
  }
  return std::nullopt;
}

ProxyChoice ChooseAsNode(const ProxySettings& settings, const HostPort& target) {
  ProxyChoice choice;
  const auto set = FirstSet(settings, {"grpc_proxy", "https_proxy", "http_proxy"});
  if (const auto other = FirstSet(settings, {"HTTPS_PROXY", "HTTP_PROXY"}); other && !set) {
    choice.notes.push_back(
        fmt::format("{} is set, and grpc-js reads small letters only", other->name));
  }
  if (!set) return choice;
  const auto url = ParseProxyUrl(set->value);
  if (!url || url->scheme != "http") {
    choice.notes.push_back(fmt::format(
        "{} is no http:// URL: grpc-js passes it over and connects directly", set->name));
    return choice;
  }
  if (const auto none = FirstSet(settings, {"no_grpc_proxy", "no_proxy"})) {
    if (const auto entry = NodeExcludes(none->value, target)) {
      choice.notes.push_back(fmt::format("{} is set, and {} leaves it out by '{}'", set->name,
                                         none->name, EscapeControl(*entry)));
      return choice;
    }
  }
  choice.proxy = HttpProxy{{url->host, url->port == 0 ? std::uint16_t{80} : url->port},
                           url->user_info,
                           std::string(set->name)};
  return choice;
}

// --- core: what the program gives it, and nothing else.

ProxyChoice ChooseAsCore(const ProxySettings& settings) {
  ProxyChoice choice;
  if (const auto set = FirstSet(settings, {"HTTPS_PROXY", "https_proxy", "grpc_proxy"});
      set && settings.given.empty()) {
    choice.notes.push_back(
        fmt::format("{} is set, and core reads no proxy from the environment: its connection goes "
                    "directly, unless the program gives it one (--proxy)",
                    set->name));
  }
  return choice;
}

}  // namespace

std::string CredentialsIn(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const auto at = url.rfind('@');
  return at == std::string_view::npos ? "" : wire::PercentDecode(url.substr(0, at));
}

bool IsProxyVariable(std::string_view name) {
  return std::ranges::find(kProxyVariables, name) != kProxyVariables.end();
}

ProxyChoice ChooseProxy(const ProxySettings& settings, const Sdk& sdk, const HostPort& target) {
  if (!settings.given.empty()) {
    ProxyChoice choice;
    const auto where = ParseAddress(settings.given);
    if (!where || where->port == 0) {
      choice.problem = fmt::format("--proxy '{}' is no HOST:PORT", EscapeControl(settings.given));
    } else {
      choice.proxy = HttpProxy{*where, settings.credentials, "--proxy"};
    }
    return choice;
  }
  switch (sdk.core) {
    case SdkCore::kCore:
      return ChooseAsCore(settings);
    case SdkCore::kGo:
      return ChooseAsGo(settings, target);
    case SdkCore::kGrpcJs:
      return ChooseAsNode(settings, target);
    case SdkCore::kUnknown:
      break;
  }
  ProxyChoice choice;
  const ProxyChoice go = ChooseAsGo(settings, target), node = ChooseAsNode(settings, target);
  if (go.proxy || node.proxy) {
    const std::string_view who = !node.proxy ? "Go's SDK goes"
                                 : !go.proxy ? "TypeScript's client (grpc-js) goes"
                                             : "Go's SDK and TypeScript's client (grpc-js) go";
    choice.notes.push_back(fmt::format(
        "{} is set: {} through that proxy, core's workers (Python, TypeScript, .NET, Ruby) do "
        "not; this look went directly (--sdk says which it is)",
        go.proxy ? go.proxy->source : node.proxy->source, who));
  }
  return choice;
}

}  // namespace squall::doctor
