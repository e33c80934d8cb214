#pragma once
// Where a worker connects and as whom: from the environment, under the names that the SDKs'
// environment configuration uses, and from flags of the same meaning, which win. Everything is
// checked before anything connects, and every error names the variable and the remedy. No part of a
// secret is in any message.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "core/connection.h"

namespace squall::fakes {

// Values as they were given; unset ones come from the environment, then from the defaults.
struct RawSettings {
  std::optional<std::string> address;     // TEMPORAL_ADDRESS, host:port. Default: 127.0.0.1:7233
  std::optional<std::string> ns;          // TEMPORAL_NAMESPACE. Default: default
  std::optional<std::string> task_queue;  // TEMPORAL_TASK_QUEUE. Required
  std::optional<std::string> api_key;  // TEMPORAL_API_KEY; turns TLS on unless TEMPORAL_TLS=false
  std::optional<std::string>
      tls;  // TEMPORAL_TLS: true or false. Default: on with any other TLS setting
  std::optional<std::string>
      server_ca_path;  // TEMPORAL_TLS_SERVER_CA_CERT_PATH. Default: the system's roots
  std::optional<std::string>
      client_cert_path;  // TEMPORAL_TLS_CLIENT_CERT_PATH, also TEMPORAL_TLS_CERT
  std::optional<std::string>
      client_key_path;                     // TEMPORAL_TLS_CLIENT_KEY_PATH, also TEMPORAL_TLS_KEY
  std::optional<std::string> server_name;  // TEMPORAL_TLS_SERVER_NAME. Default: the address's host
};

struct Settings {
  std::string address;
  std::string ns;
  std::string task_queue;
  core::ConnectionOptions connection;  // target_url, tls, api_key; the rest as by default
};

// Looks a variable up; nullopt when it is unset. An empty value counts as unset.
using GetEnv = std::function<std::optional<std::string>(const char* name)>;
std::optional<std::string> GetProcessEnv(const char* name);

// INVALID_ARGUMENT for what contradicts itself or cannot be read.
StatusOr<Settings> ResolveSettings(RawSettings raw, const GetEnv& get_env);

// "250ms", "1.5s", "2m", "1h"; a number alone is seconds. INVALID_ARGUMENT for anything else,
// negatives included.
StatusOr<Duration> ParseDuration(std::string_view text);

}  // namespace squall::fakes
