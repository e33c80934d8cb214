#include "harness/doctor/settings.h"

#include <algorithm>
#include <set>

#include "base/util/text.h"
#include "base/wire/grpc.h"
#include "harness/doctor/env_file.h"
#include "harness/doctor/toml_profile.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

constexpr std::string_view kMetadataPrefix = "TEMPORAL_GRPC_META_";

bool IsSecretMetadata(std::string_view name) {
  return name == "authorization" || Contains(name, "key") || Contains(name, "token") ||
         Contains(name, "secret");
}

class Reader {
 public:
  explicit Reader(const Sources& sources) : sources_(sources) {}

  Settings Read() {
    for (const auto& [setting, text] : sources_.flags) {
      result_.values[setting] = {text, fmt::format("--{}", NameOf(setting).name), "", ""};
    }
    Take(sources_.environment, "the environment");
    for (auto file = sources_.env_files.rbegin(); file != sources_.env_files.rend(); ++file) {
      auto parsed = ParseEnvFile(file->second);
      if (!parsed.ok()) {
        Add("settings.config_file", Weight::kBroken,
            fmt::format("{}: {}", file->first, Message(parsed.status())));
        continue;
      }
      for (const auto& [name, value] : *parsed) result_.file_variables.insert(name);
      Take(*parsed, file->first);
    }
    ReadToml();
    NearMisses();
    result_.proxy.given = sources_.proxy;
    result_.proxy.credentials = sources_.proxy_credentials;
    HideCredentials(sources_.proxy_credentials);
    for (const auto& [setting, value] : result_.values) {
      if (NameOf(setting).secret || LooksLikeSecret(value.text))
        result_.secrets.push_back(value.text);
    }
    return std::move(result_);
  }

 private:
  void Add(std::string cause, Weight weight, std::string evidence, std::string fix = {}) {
    result_.findings.push_back({std::move(cause), weight, std::move(evidence), std::move(fix)});
  }

  // The variables of one source, below what is there already.
  void Take(const Variables& variables, const std::string& where) {
    std::map<std::string, std::string> found;
    for (const auto& [name, value] : variables) found[name] = value;  // the last counts
    for (const auto& [name, value] : found) {
      seen_.emplace_back(name, where);
      if (name.starts_with(kMetadataPrefix))
        TakeMetadata(name.substr(kMetadataPrefix.size()), value);
      if (IsProxyVariable(name)) TakeProxy(name, value);
    }
    for (const SettingName& one : SettingNames()) {
      const Value* first = nullptr;
      Value taken;
      for (const std::string& name : sources_.aliases.VariablesOf(one.setting)) {
        const auto it = found.find(name);
        if (it == found.end()) continue;
        if (one.secret) result_.secrets.push_back(it->second);
        if (first == nullptr) {
          taken = {it->second, fmt::format("{} in {}", name, where), name, ""};
          first = &taken;
          if (name != one.variable) {
            notices_.push_back({"settings.deprecated_name", Weight::kNotice,
                                fmt::format("{} in {} is taken for {}", name, where, one.variable),
                                fmt::format("Rename it to {}.", one.variable)});
          }
        } else if (it->second != taken.text) {
          Add("settings.conflict", Weight::kNotice,
              fmt::format("{} and {} in {} differ; {} is taken", taken.variable, name, where,
                          taken.variable));
        }
      }
      if (first == nullptr) continue;
      if (one.setting == Setting::kAddress) JoinPort(taken, found);
      Offer(one.setting, std::move(taken));
    }
  }

  // Taken, unless an earlier source has the setting; which then says that it rules over this one.
  void Offer(Setting setting, Value value) {
    const auto [it, taken] = result_.values.try_emplace(setting, value);
    if (!taken && it->second.over.empty() && it->second.text != value.text)
      it->second.over = std::move(value.source);
  }

  // TEMPORAL_HOST with TEMPORAL_PORT beside it.
  static void JoinPort(Value& address, const std::map<std::string, std::string>& found) {
    const auto port = found.find("TEMPORAL_PORT");
    if (address.variable != "TEMPORAL_HOST" || port == found.end()) return;
    if (address.text.find(':') != std::string::npos) return;
    address.text += ":" + port->second;
    address.source.replace(0, address.variable.size(), "TEMPORAL_HOST and TEMPORAL_PORT");
  }

  void TakeMetadata(std::string name, const std::string& value) {
    name = LowerCase(name);
    std::ranges::replace(name, '_', '-');
    if (IsSecretMetadata(name)) result_.secrets.push_back(value);
    result_.metadata.try_emplace(name, value);
  }

  void TakeProxy(const std::string& name, const std::string& value) {
    result_.proxy.variables.try_emplace(name, value);
    HideCredentials(CredentialsIn(value));
  }

  // "user:password": neither as it is nor as the header that carries it.
  void HideCredentials(const std::string& credentials) {
    if (credentials.empty()) return;
    result_.secrets.push_back(credentials);
    result_.secrets.push_back(wire::Base64Encode(credentials));
    if (const auto colon = credentials.find(':'); colon != std::string::npos)
      result_.secrets.push_back(credentials.substr(colon + 1));
  }

  void ReadToml() {
    const Value* named = result_.Get(Setting::kConfigFile);
    const std::string path = named != nullptr ? named->text : sources_.default_config_file;
    const Value* wanted = result_.Get(Setting::kProfile);
    const std::string profile = wanted != nullptr ? wanted->text : "default";
    if (path.empty() || !sources_.read_file) return;
    auto text = sources_.read_file(path);
    if (!text.ok()) {
      // Only a file that somebody asked for must be there.
      if (named != nullptr) {
        Add("settings.config_file", Weight::kBroken,
            fmt::format("{} (from {}): {}", path, named->source, Message(text.status())));
      } else if (wanted != nullptr) {
        Add("settings.profile_missing", Weight::kBroken,
            fmt::format("profile '{}' is asked for ({}), and there is no {}", profile,
                        wanted->source, path));
      }
      return;
    }
    auto read = ReadProfile(*text, profile);
    if (!read.ok()) {
      if (absl::IsNotFound(read.status())) {
        if (wanted != nullptr) {
          Add("settings.profile_missing", Weight::kBroken,
              fmt::format("{}: {}", path, Message(read.status())));
        }
      } else {
        Add("settings.config_file", Weight::kBroken,
            fmt::format("{}: {}", path, Message(read.status())));
      }
      return;
    }
    for (const std::string& key : read->unknown) {
      Add("settings.near_miss_name", Weight::kNotice,
          fmt::format("{}: profile '{}' has the unknown key {}", path, profile, key));
    }
    for (const SettingName& one : SettingNames()) {
      const auto it = read->values.find(std::string(one.toml));
      if (one.toml.empty() || it == read->values.end()) continue;
      Value value{it->second, fmt::format("{} of profile '{}' in {}", one.toml, profile, path), "",
                  ""};
      if (one.setting == Setting::kTls) value.text = it->second == "true" ? "false" : "true";
      if (one.secret) result_.secrets.push_back(value.text);
      Offer(one.setting, std::move(value));
    }
    for (const auto& [key, value] : read->values) {
      if (key.starts_with("grpc_meta.")) TakeMetadata(key.substr(10), value);
    }
  }

  // After all sources: a slip in a name matters most where the right name is set nowhere.
  void NearMisses() {
    for (const auto& [name, where] : seen_) {
      const auto meant = sources_.aliases.Meant(name);
      if (!meant) continue;
      std::optional<Setting> setting;
      for (const SettingName& one : SettingNames()) {
        if (one.variable == *meant) setting = one.setting;
      }
      const bool set = setting && result_.values.contains(*setting);
      // A name that is longer by a word may well be a setting of the application's own.
      const bool slip = name.size() <= meant->size() + 3;
      Add("settings.near_miss_name", set || !slip ? Weight::kNotice : Weight::kBroken,
          fmt::format("{} is set in {}; the name is {}{}", EscapeControl(name), where, *meant,
                      set ? ", which is set as well" : ""),
          fmt::format("Rename {} to {}.", EscapeControl(name), *meant));
    }
    for (Finding& notice : notices_) result_.findings.push_back(std::move(notice));
  }

  const Sources& sources_;
  Settings result_;
  std::vector<Finding> notices_;
  std::vector<std::pair<std::string, std::string>> seen_;  // name, where
};

}  // namespace

const Value* Settings::Get(Setting setting) const {
  const auto it = values.find(setting);
  return it != values.end() ? &it->second : nullptr;
}

std::string Settings::Text(Setting setting, std::string_view otherwise) const {
  const Value* value = Get(setting);
  return value != nullptr ? value->text : std::string(otherwise);
}

std::vector<SettingRow> Settings::Rows() const {
  std::vector<SettingRow> rows;
  for (const auto& [setting, value] : values) {
    const SettingName& name = NameOf(setting);
    const bool hidden = name.secret || Contains(value.text, "-----BEGIN");
    rows.push_back(
        {std::string(name.name), hidden ? "[set]" : EscapeControl(value.text),
         value.over.empty() ? value.source : fmt::format("{}, over {}", value.source, value.over)});
  }
  return rows;
}

Settings ReadSettings(const Sources& sources) { return Reader(sources).Read(); }

Diagnosis CompareSettings(const Settings& before, const Settings& after, std::string_view old_name,
                          std::string_view new_name) {
  Diagnosis result;
  result.target = fmt::format("{} -> {}", old_name, new_name);
  result.settings = after.Rows();
  std::vector<std::string> lost;
  for (const SettingName& name : SettingNames()) {
    const Value* was = before.Get(name.setting);
    const Value* is = after.Get(name.setting);
    const auto shown = [&name](const Value& value) {
      return name.secret ? std::string("[set]") : "'" + EscapeControl(value.text) + "'";
    };
    if (was == nullptr && is == nullptr) continue;
    std::string key(name.name);
    if (is == nullptr) {
      result.Row(Layer::kSettings, key, State::kFail,
                 fmt::format("lost: was {} ({})", shown(*was), was->source));
      lost.push_back(was->variable.empty() ? key : was->variable);
    } else if (was == nullptr) {
      result.Row(Layer::kSettings, key, State::kWarn,
                 fmt::format("new: {} ({})", shown(*is), is->source));
    } else if (was->text != is->text) {
      result.Row(Layer::kSettings, key, State::kWarn,
                 name.secret ? "another value than before"
                             : fmt::format("was {}, is {}", shown(*was), shown(*is)));
    } else {
      result.Row(Layer::kSettings, key, State::kOk, "as before");
    }
  }
  // Whatever else the application was given: its own secrets get lost in the same way.
  for (const std::string& name : before.file_variables) {
    if (after.file_variables.contains(name) || std::ranges::find(lost, name) != lost.end())
      continue;
    const bool ours = std::ranges::any_of(
        before.values, [&name](const auto& entry) { return entry.second.variable == name; });
    if (ours) continue;  // told above, by its setting
    result.Row(Layer::kSettings, EscapeControl(name), State::kFail, "lost");
    lost.push_back(name);
  }
  for (const std::string& one : lost) {
    result.Add("settings.lost_by_deploy", Weight::kBroken,
               fmt::format("{} is set in {} and not in {}", one, old_name, new_name),
               fmt::format("Set {} in {} as well.", one, new_name));
  }
  for (const Finding& finding : after.findings) result.findings.push_back(finding);
  result.complete = true;
  return result;
}

std::optional<bool> ParseSwitch(std::string_view text) {
  const std::string lower = LowerCase(text);
  for (const char* yes : {"1", "true", "yes", "on", "t", "y"}) {
    if (lower == yes) return true;
  }
  for (const char* no : {"0", "false", "no", "off", "f", "n", ""}) {
    if (lower == no) return false;
  }
  return std::nullopt;
}

}  // namespace squall::doctor
