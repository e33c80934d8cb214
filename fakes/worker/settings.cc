#include "fakes/worker/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <utility>

namespace squall::fakes {
namespace {

constexpr char kDefaultAddress[] = "127.0.0.1:7233";
constexpr char kDefaultNamespace[] = "default";

void FromEnv(std::optional<std::string>& value, const GetEnv& get_env,
             std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!value) value = get_env(name);
  }
}

StatusOr<bool> ParseBool(std::string_view name, std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return MakeStatus(StatusCode::kInvalidArgument, "{} is '{}': use true or false", name, value);
}

StatusOr<std::string> ReadPem(std::string_view name, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return MakeStatus(StatusCode::kInvalidArgument, "{}: cannot read '{}'", name, path);
  std::ostringstream text;
  text << file.rdbuf();
  if (text.str().find("-----BEGIN ") == std::string::npos) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}: '{}' is no PEM file (no -----BEGIN line)",
                      name, path);
  }
  return text.str();
}

Status CheckAddress(const std::string& address) {
  if (const auto scheme = address.find("://"); scheme != std::string::npos) {
    return MakeStatus(
        StatusCode::kInvalidArgument,
        "TEMPORAL_ADDRESS is '{}': leave out '{}', it is host:port (TEMPORAL_TLS turns TLS on)",
        address, address.substr(0, scheme + 3));
  }
  const auto colon = address.rfind(':');
  int port = 0;
  const char* end = address.data() + address.size();
  const bool has_port = colon != std::string::npos && colon > 0 &&
                        std::from_chars(address.data() + colon + 1, end, port).ptr == end &&
                        port > 0 && port < 65536;
  if (!has_port) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "TEMPORAL_ADDRESS is '{}': it must be host:port, {}:7233 for example",
                      address, address.empty() ? "localhost" : address.substr(0, colon));
  }
  return absl::OkStatus();
}

// Without the value: it is a secret.
Status CheckApiKey(const std::string& key) {
  const bool clean =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return c > ' ' && c < 127; });
  if (clean) return absl::OkStatus();
  return {StatusCode::kInvalidArgument,
          "TEMPORAL_API_KEY contains white space or characters that no header can carry: was a "
          "line break copied along?"};
}

}  // namespace

std::optional<std::string> GetProcessEnv(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

StatusOr<Settings> ResolveSettings(RawSettings raw, const GetEnv& get_env) {
  FromEnv(raw.address, get_env, {"TEMPORAL_ADDRESS"});
  FromEnv(raw.ns, get_env, {"TEMPORAL_NAMESPACE"});
  FromEnv(raw.task_queue, get_env, {"TEMPORAL_TASK_QUEUE"});
  FromEnv(raw.api_key, get_env, {"TEMPORAL_API_KEY"});
  FromEnv(raw.tls, get_env, {"TEMPORAL_TLS"});
  FromEnv(raw.server_ca_path, get_env, {"TEMPORAL_TLS_SERVER_CA_CERT_PATH"});
  FromEnv(raw.client_cert_path, get_env, {"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CERT"});
  FromEnv(raw.client_key_path, get_env, {"TEMPORAL_TLS_CLIENT_KEY_PATH", "TEMPORAL_TLS_KEY"});
  FromEnv(raw.server_name, get_env, {"TEMPORAL_TLS_SERVER_NAME"});

  Settings settings;
  settings.address = raw.address.value_or(kDefaultAddress);
  settings.ns = raw.ns.value_or(kDefaultNamespace);
  SQUALL_RETURN_IF_ERROR(CheckAddress(settings.address));
  if (!raw.task_queue) {
    return Status(StatusCode::kInvalidArgument,
                  "TEMPORAL_TASK_QUEUE is not set: name the queue to work on (--task-queue)");
  }
  settings.task_queue = *raw.task_queue;
  if (raw.api_key) SQUALL_RETURN_IF_ERROR(CheckApiKey(*raw.api_key));

  if (raw.client_cert_path.has_value() != raw.client_key_path.has_value()) {
    return MakeStatus(
        StatusCode::kInvalidArgument, "{} is set but {} is not: a client certificate needs both",
        raw.client_cert_path ? "TEMPORAL_TLS_CLIENT_CERT_PATH" : "TEMPORAL_TLS_CLIENT_KEY_PATH",
        raw.client_cert_path ? "TEMPORAL_TLS_CLIENT_KEY_PATH" : "TEMPORAL_TLS_CLIENT_CERT_PATH");
  }
  const bool tls_details = raw.server_ca_path || raw.client_cert_path || raw.server_name;
  bool tls = tls_details || raw.api_key.has_value();
  if (raw.tls) {
    SQUALL_ASSIGN_OR_RETURN(tls, ParseBool("TEMPORAL_TLS", *raw.tls));
    if (!tls && tls_details) {
      return Status(StatusCode::kInvalidArgument,
                    "TEMPORAL_TLS is false but TEMPORAL_TLS_* settings are given: remove them or "
                    "set TEMPORAL_TLS=true");
    }
  }
  settings.connection.target_url = (tls ? "https://" : "http://") + settings.address;
  settings.connection.api_key = raw.api_key.value_or("");
  if (tls) {
    core::ConnectionTls& out = settings.connection.tls.emplace();
    out.server_name = raw.server_name.value_or("");
    if (raw.server_ca_path) {
      SQUALL_ASSIGN_OR_RETURN(out.ca_pem,
                              ReadPem("TEMPORAL_TLS_SERVER_CA_CERT_PATH", *raw.server_ca_path));
    }
    if (raw.client_cert_path) {
      SQUALL_ASSIGN_OR_RETURN(out.certificate_pem,
                              ReadPem("TEMPORAL_TLS_CLIENT_CERT_PATH", *raw.client_cert_path));
      SQUALL_ASSIGN_OR_RETURN(out.key_pem,
                              ReadPem("TEMPORAL_TLS_CLIENT_KEY_PATH", *raw.client_key_path));
    }
  }
  return settings;
}

StatusOr<Duration> ParseDuration(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const double seconds = unit == "ms"                  ? 1e-3
                         : unit == "s" || unit.empty() ? 1
                         : unit == "m"                 ? 60
                         : unit == "h"                 ? 3600
                                                       : 0;
  if (error != std::errc() || seconds == 0 || !(number >= 0) || number * seconds > 1e8) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "'{}' is no duration: write 250ms, 1.5s, 2m or 1h", text);
  }
  return Duration(std::llround(number * seconds * 1e9));
}

}  // namespace squall::fakes
