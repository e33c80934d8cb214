#pragma once
// Profiles of temporal.toml, as the SDKs' environment configuration defines them.

#include <map>
#include <string>
#include <vector>

#include "base/util/status.h"

namespace squall::doctor {

struct TomlProfile {
  // "address", "tls.client_cert_path" -> the value, booleans as "true" and "false".
  std::map<std::string, std::string> values;
  // Keys that the definition does not have, with the nearest that it has: "adress (did you mean
  // 'address'?)".
  std::vector<std::string> unknown;
};

// The profile of that name. INVALID_ARGUMENT for a text that is no TOML, with the line;  NOT_FOUND
// for a profile that is not there, with the nearest that is. No value stands in an error.
StatusOr<TomlProfile> ReadProfile(const std::string& text, const std::string& profile);

}  // namespace squall::doctor
