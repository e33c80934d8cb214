#include "harness/doctor/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/util/text.h"
#include "base/wire/grpc.h"

namespace squall::doctor {
namespace {

bool IsSpace(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool IsHostCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
}

}  // namespace

std::optional<harness::HostPort> ParseAddress(std::string_view text) {
  const bool has_port = text.starts_with('[') ? !text.ends_with(']') : Contains(text, ":");
  auto parsed = harness::ParseHostPort(has_port ? std::string(text) : fmt::format("{}:1", text));
  if (!parsed.ok()) return std::nullopt;
  if (!has_port) parsed->port = 0;
  const bool good = text.starts_with('[') ? IsIpAddress(parsed->host)
                                          : std::ranges::all_of(parsed->host, IsHostCharacter);
  return good ? std::optional(*std::move(parsed)) : std::nullopt;
}

std::optional<std::string> StrayCharacters(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto name = [](char c) { return c == '\n' || c == '\r' ? "a line break" : "white space"; };
  if (IsSpace(text.front())) return fmt::format("begins with {}", name(text.front()));
  if (IsSpace(text.back())) return fmt::format("ends with {}", name(text.back()));
  if (text.size() > 1 && text.front() == text.back() &&
      (text.front() == '"' || text.front() == '\''))
    return "stands in quotes, which are part of it";
  if (text.front() == '"' || text.front() == '\'') return "begins with a quote";
  if (text.back() == '"' || text.back() == '\'') return "ends with a quote";
  return std::nullopt;
}

bool IsPlaceholder(std::string_view text) {
  if (Contains(text, "${") || Contains(text, "{{")) return true;
  if (text.starts_with('$') && text.size() > 1 &&
      std::isupper(static_cast<unsigned char>(text[1])) != 0)
    return true;
  if (text.size() > 2 && text.front() == '<' && text.back() == '>') return true;
  std::string lower = LowerCase(text);
  std::ranges::replace(lower, '_', '-');
  for (const std::string_view word :
       {"changeme", "change-me", "replace-me", "replaceme", "todo", "xxx", "your-api-key",
        "your-namespace", "your-api-key-here", "your-key", "api-key-here"}) {
    if (lower == word) return true;
  }
  return lower.starts_with("your-namespace.") || lower.starts_with("<your") ||
         lower.starts_with("your-api-key");
}

bool LooksLikeSecret(std::string_view text) {
  constexpr std::size_t kShortest = 20;
  if (text.size() < kShortest || Contains(text, "-----BEGIN")) return false;
  if (text.starts_with("eyJ")) return true;
  for (const std::string_view path : {"/", "./", "../", "~/"}) {
    if (text.starts_with(path)) return false;
  }
  const auto has = [text](int (*is)(int)) {
    return std::ranges::any_of(text, [is](unsigned char c) { return is(c) != 0; });
  };
  return has(std::isupper) && has(std::islower) && has(std::isdigit);
}

PemKind PemKindOf(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  const auto at = text.find(kBegin);
  if (at == std::string_view::npos) return PemKind::kNone;
  const std::string_view label =
      text.substr(at + kBegin.size(), text.find("-----", at + kBegin.size()) - at - kBegin.size());
  if (label == "CERTIFICATE" || label == "TRUSTED CERTIFICATE" || label == "X509 CERTIFICATE")
    return PemKind::kCertificate;
  if (label == "ENCRYPTED PRIVATE KEY") return PemKind::kEncryptedKey;
  if (label.ends_with("PRIVATE KEY")) {
    return text.find("Proc-Type: 4,ENCRYPTED", at) != std::string_view::npos
               ? PemKind::kEncryptedKey
               : PemKind::kPrivateKey;
  }
  if (label == "EC PARAMETERS") return PemKindOf(text.substr(at + kBegin.size()));
  return PemKind::kOther;
}

std::optional<WallTime> TokenExpiry(std::string_view token) {
  const std::vector<std::string_view> parts = Split(token, '.');
  if (parts.size() != 3) return std::nullopt;
  std::string body(parts[1]);
  std::ranges::replace(body, '-', '+');
  std::ranges::replace(body, '_', '/');
  const auto decoded = wire::Base64Decode(body);
  if (!decoded) return std::nullopt;
  const auto claims = nlohmann::json::parse(*decoded, nullptr, /*allow_exceptions=*/false);
  if (!claims.is_object() || !claims.contains("exp") || !claims["exp"].is_number())
    return std::nullopt;
  const double seconds = claims["exp"].get<double>();
  if (!(seconds > 0 && seconds < 9e9)) return std::nullopt;
  return WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

bool IsIpAddress(std::string_view host) {
  // IPv6 with the interface behind a percent sign, where it has one.
  const std::string text(host.substr(0, host.find('%')));
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" ||
         (host.starts_with("127.") && IsIpAddress(host));
}

bool IsCloudRegion(std::string_view host) { return host.ends_with(".api.temporal.io"); }
bool IsCloud(std::string_view host) {
  return host.ends_with(".tmprl.cloud") || IsCloudRegion(host);
}

}  // namespace squall::doctor
