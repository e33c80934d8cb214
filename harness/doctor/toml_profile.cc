#include "harness/doctor/toml_profile.h"

#include <sstream>
#include <toml.hpp>

#include "base/util/text.h"
#include "harness/doctor/setting_names.h"

namespace squall::doctor {
namespace {

// The library's messages quote the line at fault, which may hold a secret: only its number is
// passed on.
std::size_t LineOf(const toml::exception& error) { return error.location().line(); }

void Flatten(const toml::value& table, const std::string& prefix,
             std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : table.as_table()) {
    std::string name = prefix;
    if (!name.empty()) name += '.';
    name += key;
    if (value.is_table()) {
      Flatten(value, name, out);
    } else if (value.is_string()) {
      out[name] = value.as_string().str;
    } else if (value.is_boolean()) {
      out[name] = value.as_boolean() ? "true" : "false";
    } else {
      out[name] = "";  // of a type that no key has: told as empty
    }
  }
}

std::vector<std::string> KnownKeys() {
  std::vector<std::string> keys = {"codec.endpoint", "codec.auth"};
  for (const SettingName& one : SettingNames()) {
    if (!one.toml.empty()) keys.emplace_back(one.toml);
  }
  return keys;
}

}  // namespace

StatusOr<TomlProfile> ReadProfile(const std::string& text, const std::string& profile) {
  try {
    std::istringstream stream(text);
    const toml::value root = toml::parse(stream, "temporal.toml");
    std::vector<std::string> names;
    if (root.contains("profile") && root.at("profile").is_table()) {
      for (const auto& [name, value] : root.at("profile").as_table()) {
        if (value.is_table()) names.push_back(name);
      }
    }
    if (std::find(names.begin(), names.end(), profile) == names.end()) {
      return MakeStatus(StatusCode::kNotFound, "no profile '{}'{}", EscapeControl(profile),
                        DidYouMean(profile, names));
    }
    TomlProfile result;
    Flatten(root.at("profile").at(profile), "", result.values);
    const auto known = KnownKeys();
    for (const auto& [key, value] : result.values) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      if (key.starts_with("grpc_meta.")) continue;
      result.unknown.push_back(EscapeControl(key) + DidYouMean(key, known));
    }
    return result;
  } catch (const toml::exception& error) {
    return MakeStatus(StatusCode::kInvalidArgument, "line {}: no valid TOML", LineOf(error));
  } catch (const std::exception&) {
    return absl::InvalidArgumentError("no valid TOML");
  }
}

}  // namespace squall::doctor
