#pragma once
// The settings of a worker and every name under which deployments set them: the SDKs' official
// environment variable and key in temporal.toml, and the names that applications and older programs
// use in their place.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace squall::doctor {

enum class Setting {
  kAddress,
  kNamespace,
  kTaskQueue,
  kApiKey,
  kTls,
  kCaPath,
  kCaData,
  kCertPath,
  kCertData,
  kKeyPath,
  kKeyData,
  kServerName,
  kDisableHostVerification,
  kProfile,
  kConfigFile,
};

struct SettingName {
  Setting setting;
  std::string_view name;      // on the doctor's own flags and in its output: "address"
  std::string_view variable;  // the official one; "" where there is none
  std::string_view toml;      // below [profile.NAME]; "" where it cannot stand there
  bool secret = false;
};

// In the order of Setting.
std::span<const SettingName> SettingNames();
const SettingName& NameOf(Setting setting);
std::optional<Setting> SettingFromName(std::string_view name);

// Names of variables that stand for a setting where the official one is not set: built in, or given
// with --alias.
class Aliases {
 public:
  Aliases();
  // "NAME=address". False when the setting is unknown.
  bool Add(std::string_view text);
  // In the order of preference, the official name first.
  std::vector<std::string> VariablesOf(Setting setting) const;
  bool Knows(std::string_view variable) const;
  // Of variables that begin with TEMPORAL and that nothing reads: the name that was meant, if one
  // is near.
  std::optional<std::string> Meant(std::string_view variable) const;

 private:
  std::map<Setting, std::vector<std::string>> names_;
};

}  // namespace squall::doctor
