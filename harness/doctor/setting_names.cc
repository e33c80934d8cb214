#include "harness/doctor/setting_names.h"

#include <algorithm>
#include <array>

#include "base/util/text.h"

namespace squall::doctor {
namespace {

constexpr auto kSettingNames = std::to_array<SettingName>({
    {Setting::kAddress, "address", "TEMPORAL_ADDRESS", "address"},
    {Setting::kNamespace, "namespace", "TEMPORAL_NAMESPACE", "namespace"},
    {Setting::kTaskQueue, "task-queue", "TEMPORAL_TASK_QUEUE", ""},
    {Setting::kApiKey, "api-key", "TEMPORAL_API_KEY", "api_key", true},
    {Setting::kTls, "tls", "TEMPORAL_TLS", "tls.disabled"},
    {Setting::kCaPath, "tls-ca", "TEMPORAL_TLS_SERVER_CA_CERT_PATH", "tls.server_ca_cert_path"},
    {Setting::kCaData, "tls-ca-data", "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
     "tls.server_ca_cert_data"},
    {Setting::kCertPath, "tls-cert", "TEMPORAL_TLS_CLIENT_CERT_PATH", "tls.client_cert_path"},
    {Setting::kCertData, "tls-cert-data", "TEMPORAL_TLS_CLIENT_CERT_DATA", "tls.client_cert_data",
     true},
    {Setting::kKeyPath, "tls-key", "TEMPORAL_TLS_CLIENT_KEY_PATH", "tls.client_key_path"},
    {Setting::kKeyData, "tls-key-data", "TEMPORAL_TLS_CLIENT_KEY_DATA", "tls.client_key_data",
     true},
    {Setting::kServerName, "tls-server-name", "TEMPORAL_TLS_SERVER_NAME", "tls.server_name"},
    {Setting::kDisableHostVerification, "tls-insecure", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
     "tls.disable_host_verification"},
    {Setting::kProfile, "profile", "TEMPORAL_PROFILE", ""},
    {Setting::kConfigFile, "config-file", "TEMPORAL_CONFIG_FILE", ""},
});

struct BuiltInAlias {
  Setting setting;
  std::string_view variable;
};
// From the accounts, from samples of the SDKs, and from the Temporal CLI before it read the
// official names.
constexpr auto kBuiltIn = std::to_array<BuiltInAlias>({
    {Setting::kAddress, "TEMPORAL_HOST_PORT"},
    {Setting::kAddress, "TEMPORAL_HOSTPORT"},
    {Setting::kAddress, "TEMPORAL_ENDPOINT"},
    {Setting::kAddress, "TEMPORAL_GRPC_ENDPOINT"},
    {Setting::kAddress, "TEMPORAL_SERVER_ADDRESS"},
    {Setting::kAddress, "TEMPORAL_CLI_ADDRESS"},
    {Setting::kAddress, "TEMPORAL_HOST"},
    {Setting::kNamespace, "TEMPORAL_CLI_NAMESPACE"},
    {Setting::kTaskQueue, "TEMPORAL_TASKQUEUE"},
    {Setting::kApiKey, "TEMPORAL_CLOUD_API_KEY"},
    {Setting::kTls, "TEMPORAL_TLS_ENABLED"},
    {Setting::kTls, "TEMPORAL_USE_TLS"},
    {Setting::kCaPath, "TEMPORAL_TLS_CA"},
    {Setting::kCaPath, "TEMPORAL_CLI_TLS_CA"},
    {Setting::kCertPath, "TEMPORAL_TLS_CERT"},
    {Setting::kCertPath, "TEMPORAL_TLS_CERT_PATH"},
    {Setting::kCertPath, "TEMPORAL_CERT_PATH"},
    {Setting::kCertPath, "TEMPORAL_CLI_TLS_CERT"},
    {Setting::kKeyPath, "TEMPORAL_TLS_KEY"},
    {Setting::kKeyPath, "TEMPORAL_TLS_KEY_PATH"},
    {Setting::kKeyPath, "TEMPORAL_KEY_PATH"},
    {Setting::kKeyPath, "TEMPORAL_CLI_TLS_KEY"},
    {Setting::kServerName, "TEMPORAL_CLI_TLS_SERVER_NAME"},
});

// Read by the SDKs, the Temporal CLI or the server's images, and none of our business.
constexpr auto kOthers = std::to_array<std::string_view>({
    "TEMPORAL_CODEC_ENDPOINT",
    "TEMPORAL_CODEC_AUTH",
    "TEMPORAL_PORT",
    "TEMPORAL_ENV",
    "TEMPORAL_ENV_FILE",
    "TEMPORAL_DEBUG",
    "TEMPORAL_HOME",
    "TEMPORAL_VERSION",
    "TEMPORAL_UI_PORT",
    "TEMPORAL_CORS_ORIGINS",
    "TEMPORAL_BROADCAST_ADDRESS",
    "TEMPORAL_CLI_VERSION",
    "TEMPORAL_WORKER_IDENTITY",
    "TEMPORAL_IDENTITY",
    "TEMPORAL_SQLITE_PRAGMA",
});

}  // namespace

std::span<const SettingName> SettingNames() { return kSettingNames; }
const SettingName& NameOf(Setting setting) {
  return kSettingNames[static_cast<std::size_t>(setting)];
}

std::optional<Setting> SettingFromName(std::string_view name) {
  for (const SettingName& one : kSettingNames) {
    if (one.name == name) return one.setting;
  }
  return std::nullopt;
}

Aliases::Aliases() {
  for (const SettingName& one : kSettingNames) names_[one.setting].emplace_back(one.variable);
  for (const BuiltInAlias& one : kBuiltIn) names_[one.setting].emplace_back(one.variable);
}

bool Aliases::Add(std::string_view text) {
  const auto sign = text.find('=');
  if (sign == 0 || sign == std::string_view::npos) return false;
  const auto setting = SettingFromName(text.substr(sign + 1));
  if (!setting) return false;
  names_[*setting].emplace_back(text.substr(0, sign));
  return true;
}

std::vector<std::string> Aliases::VariablesOf(Setting setting) const { return names_.at(setting); }

bool Aliases::Knows(std::string_view variable) const {
  for (const auto& [setting, names] : names_) {
    if (std::ranges::find(names, variable) != names.end()) return true;
  }
  return variable.starts_with("TEMPORAL_GRPC_META_") ||
         std::ranges::find(kOthers, variable) != kOthers.end();
}

std::optional<std::string> Aliases::Meant(std::string_view variable) const {
  if (Knows(variable)) return std::nullopt;
  // TEMPORL_ADDRESS and temporal_address are meant as well.
  std::string upper(variable);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-' || c == '.') c = '_';
  }
  std::vector<std::string> official;
  for (const SettingName& one : kSettingNames) official.emplace_back(one.variable);
  if (Knows(upper)) return upper;
  if (!upper.starts_with("TEMP") && !upper.starts_with("TMPRL_")) return std::nullopt;
  if (upper.starts_with("TMPRL_")) upper.replace(0, 5, "TEMPORAL");
  const auto near = Nearest(upper, official);
  // A third of a long name is much: what differs must be a slip, not another word.
  if (!near) return std::nullopt;
  const std::string close[] = {*near};
  const auto tail = [](std::string_view text) {
    return text.substr(std::min<std::size_t>(text.size(), 4));
  };
  return Nearest(tail(upper), std::vector<std::string>{std::string(tail(close[0]))}) ? near
                                                                                     : std::nullopt;
}

}  // namespace squall::doctor
