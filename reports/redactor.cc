#include "reports/redactor.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace squall::reports {
namespace {

constexpr std::size_t kShortestSecret = 6;
constexpr std::size_t kShortestPart = 8;
constexpr std::size_t kShortestToken = 8;

bool IsTokenByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

bool IsNameByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || c == '-';
}

bool StartsWithIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != lower[i]) return false;
  }
  return true;
}

// Names whose value is a secret. "key" alone is not: tables and maps have keys.
constexpr std::array<std::string_view, 12> kNames = {
    "api_key", "api-key", "apikey",        "password",      "passwd",     "secret",
    "token",   "bearer",  "client_secret", "authorization", "access_key", "private_key"};

// The longest common beginning of `text` and one of the secrets, where it is long enough to hide.
std::size_t KnownAt(std::string_view text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    const auto [end, ignored] = std::mismatch(
        text.begin(),
        text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), secret.size())),
        secret.begin());
    const auto length = static_cast<std::size_t>(end - text.begin());
    if (length == secret.size() || length >= kShortestPart) return length;
  }
  return 0;
}

// A PEM private key from its first dash to the end of its last line; all of the rest where it has
// no end.
std::size_t PemAt(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";
  if (!text.starts_with(kBegin)) return 0;
  const std::size_t name_end = text.find(kDashes, kBegin.size());
  if (name_end == std::string_view::npos ||
      text.substr(0, name_end).find("PRIVATE KEY") == std::string_view::npos)
    return 0;
  const std::size_t end = text.find(kEnd, name_end);
  if (end == std::string_view::npos) return text.size();
  const std::size_t last = text.find(kDashes, end + kEnd.size());
  return last == std::string_view::npos ? text.size() : last + kDashes.size();
}

// {"alg":... in base64, as every JSON web token begins.
std::size_t WebTokenAt(std::string_view text) {
  if (!text.starts_with("eyJ")) return 0;
  std::size_t length = 0;
  while (length < text.size() && IsTokenByte(text[length])) ++length;
  return length >= 16 ? length : 0;
}

struct Found {
  std::size_t keep = 0, hide = 0;  // bytes
};

// A value behind a telling name: `text` begins with the name.
Found NamedAt(std::string_view text) {
  for (const std::string_view name : kNames) {
    if (!StartsWithIgnoringCase(text, name)) continue;
    std::size_t at = name.size();
    if (at < text.size() && IsNameByte(text[at])) continue;  // tokens, secretary
    const auto skip = [&](std::string_view any) {
      const std::size_t from = at;
      while (at < text.size() && any.find(text[at]) != std::string_view::npos) ++at;
      return at > from;
    };
    skip("\\\"'");
    const bool spaced = skip(" ");
    const bool assigned = skip("=:");
    // "Bearer x" and "Authorization: Bearer x"; other names need the sign.
    if (!assigned && !(spaced && name == "bearer")) continue;
    skip(" \\\"'");
    for (const std::string_view scheme : {"bearer ", "basic "}) {
      if (StartsWithIgnoringCase(text.substr(at), scheme)) at += scheme.size();
    }
    if (text.substr(at).starts_with(kHidden)) continue;
    // What is quoted may hold spaces.
    const char before = text[at - 1];
    const bool quoted = before == '"' || before == '\'';
    const std::string_view ends =
        quoted ? std::string_view(&before, 1) : std::string_view(" \t\r\n\"'\\,;&)}]");
    std::size_t end = std::min(text.find_first_of(ends, at), text.size());
    if (quoted && end > at && text[end - 1] == '\\') --end;  // \"..\" inside another text
    const std::size_t least = name == "bearer" ? kShortestToken : kShortestSecret;
    if (end - at >= least) return {at, end - at};
  }
  return {};
}

// The password in scheme://user:password@host, `text` beginning with "://".
Found UserInfoAt(std::string_view text) {
  if (!text.starts_with("://")) return {};
  const std::size_t end = text.find_first_of("@/ \t\r\n\"'", 3);
  if (end == std::string_view::npos || text[end] != '@') return {};
  const std::size_t colon = text.find(':', 3);
  if (colon == std::string_view::npos || colon + 1 >= end) return {};
  return {colon + 1, end - colon - 1};
}

}  // namespace

Redactor::Redactor(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase_if(secrets_, [](const std::string& s) { return s.size() < kShortestSecret; });
  std::stable_sort(secrets_.begin(), secrets_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  const auto begins = [this](char c) { may_begin_[static_cast<unsigned char>(c)] = true; };
  for (const std::string& secret : secrets_) begins(secret[0]);
  for (const std::string_view name : kNames) {
    begins(name[0]);
    begins(static_cast<char>(std::toupper(static_cast<unsigned char>(name[0]))));
  }
  for (const char c : {'-', 'e', ':'}) begins(c);
}

std::string Redactor::Clean(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (!may_begin_[static_cast<unsigned char>(text[at])]) {
      out += text[at++];
      continue;
    }
    const std::string_view rest = text.substr(at);
    Found found;
    // Longest first where several apply: each is asked in the order of certainty.
    for (const std::size_t length : {KnownAt(rest, secrets_), PemAt(rest), WebTokenAt(rest)}) {
      if (length > 0) {
        found = {0, length};
        break;
      }
    }
    if (found.hide == 0) found = UserInfoAt(rest);
    if (found.hide == 0) found = NamedAt(rest);
    if (found.hide == 0) {
      out += text[at++];
      continue;
    }
    out += rest.substr(0, found.keep);
    out += kHidden;
    at += found.keep + found.hide;
  }
  return out;
}

}  // namespace squall::reports
