#pragma once
// What a worker would be started with, read from where it reads it: flags, environment, `.env`
// files, a profile of temporal.toml, and what the SDKs take where nothing is said.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "harness/doctor/diagnosis.h"
#include "harness/doctor/http_proxy.h"
#include "harness/doctor/setting_names.h"

namespace squall::doctor {

using Variables = std::vector<std::pair<std::string, std::string>>;

// Where settings come from. Files are read by the caller's function, so that tests need none.
struct Sources {
  std::map<Setting, std::string> flags;  // of the command line; they override everything
  Variables environment;
  // Contents of `.env` files with their names; a later one overrides an earlier one, the
  // environment overrides both.
  std::vector<std::pair<std::string, std::string>> env_files;
  // Read for temporal.toml, certificates and keys: contents, or why not.
  std::function<StatusOr<std::string>(const std::string& path)> read_file;
  // Where temporal.toml is looked for when no setting names one; it may be missing.
  std::string default_config_file;
  Aliases aliases;
  // --proxy and the variable with its credentials; "" where there are none.
  std::string proxy, proxy_credentials;
};

struct Value {
  std::string text;
  std::string source;    // "TEMPORAL_ADDRESS in the environment"
  std::string variable;  // "TEMPORAL_ADDRESS"; "" where it is none
  // Where another value stands that this one rules over; "" for nowhere.
  std::string over;
};

struct Settings {
  std::map<Setting, Value> values;  // what is set; nothing for the rest
  // What was noticed while reading: near-miss names, contradictions, files that cannot be used.
  std::vector<Finding> findings;
  std::vector<std::string> secrets;      // values that must never be shown
  std::set<std::string> file_variables;  // every name that the `.env` files set
  // grpc_meta and TEMPORAL_GRPC_META_*: sent with every call.
  std::map<std::string, std::string> metadata;
  ProxySettings proxy;

  const Value* Get(Setting setting) const;
  std::string Text(Setting setting, std::string_view otherwise = "") const;
  // The effective settings with their sources, secrets as "[set]".
  std::vector<SettingRow> Rows() const;
};

// Never fails: what cannot be used is a finding.
Settings ReadSettings(const Sources& sources);

// What `after` lacks of `before`, and what differs: one row for each, with the findings. Secrets
// are compared and never shown.
Diagnosis CompareSettings(const Settings& before, const Settings& after, std::string_view old_name,
                          std::string_view new_name);

// "1", "true", "yes", "on" and their opposites, in any case; nullopt for anything else.
std::optional<bool> ParseSwitch(std::string_view text);

}  // namespace squall::doctor
