#pragma once
// What is wrong with single values of settings, by their text alone. Pure functions; no value
// appears in what they return, as it may be a secret.

#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "harness/net/port.h"

namespace squall::doctor {

// nullopt for what is neither HOST, HOST:PORT nor [IPV6]:PORT; port 0 where none is given.
std::optional<harness::HostPort> ParseAddress(std::string_view text);

// "begins with white space", "ends with a line break", "stands in quotes"; nullopt when neither.
std::optional<std::string> StrayCharacters(std::string_view text);
// "<your key>", "${TEMPORAL_API_KEY}", "changeme": left over from a template.
bool IsPlaceholder(std::string_view text);

// A value that is a credential by its looks, whatever variable it was put into: a JSON web token,
// or a long mixture of letters in both cases and digits that is no path. A guess: good enough to
// hide it, not to judge it.
bool LooksLikeSecret(std::string_view text);

enum class PemKind { kNone, kCertificate, kPrivateKey, kEncryptedKey, kOther };
// What the first PEM block of a text is.
PemKind PemKindOf(std::string_view text);

// The moment at which a JSON web token expires; nullopt for what is none, or says nothing of it.
std::optional<WallTime> TokenExpiry(std::string_view token);

// Loopback names and addresses.
bool IsLoopback(std::string_view host);
// An IPv4 or IPv6 address as text.
bool IsIpAddress(std::string_view host);
// HOST is Temporal Cloud's: by namespace (mTLS and API keys), or by region (API keys).
bool IsCloud(std::string_view host);
bool IsCloudRegion(std::string_view host);

}  // namespace squall::doctor
