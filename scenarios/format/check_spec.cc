#include "scenarios/format/check_spec.h"

#include "base/util/status.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {
namespace {

template <typename T>
const T* Get(const std::map<std::string, ParamValue, std::less<>>& values, std::string_view name) {
  const auto it = values.find(name);
  if (it == values.end() || std::holds_alternative<std::monostate>(it->second)) return nullptr;
  const T* value = std::get_if<T>(&it->second);
  SQUALL_CHECK(value != nullptr,
               fmt::format("parameter '{}' was read as another type than its table's", name));
  return value;
}

template <typename T>
T GetOr(const std::map<std::string, ParamValue, std::less<>>& values, std::string_view name,
        T otherwise) {
  const T* value = Get<T>(values, name);
  return value != nullptr ? *value : std::move(otherwise);
}

}  // namespace

const ParamSpec* FindParam(const ParamTable& table, std::string_view name) {
  for (const ParamSpec& spec : table) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

bool Params::Has(std::string_view name) const {
  const auto it = values_.find(name);
  return it != values_.end() && !std::holds_alternative<std::monostate>(it->second);
}
std::string Params::Text(std::string_view name, std::string_view otherwise) const {
  return GetOr<std::string>(values_, name, std::string(otherwise));
}
std::int64_t Params::Int(std::string_view name, std::int64_t otherwise) const {
  return GetOr<std::int64_t>(values_, name, otherwise);
}
double Params::Number(std::string_view name, double otherwise) const {
  return GetOr<double>(values_, name, otherwise);
}
bool Params::Bool(std::string_view name, bool otherwise) const {
  return GetOr<bool>(values_, name, otherwise);
}
Duration Params::Time(std::string_view name, Duration otherwise) const {
  return GetOr<Duration>(values_, name, otherwise);
}
std::vector<std::string> Params::Texts(std::string_view name) const {
  return GetOr<std::vector<std::string>>(values_, name, {});
}
std::vector<Duration> Params::Times(std::string_view name) const {
  return GetOr<std::vector<Duration>>(values_, name, {});
}
std::vector<std::int64_t> Params::Ints(std::string_view name) const {
  return GetOr<std::vector<std::int64_t>>(values_, name, {});
}
std::map<std::string, std::string> Params::TextMap(std::string_view name) const {
  return GetOr<std::map<std::string, std::string>>(values_, name, {});
}

}  // namespace squall::scenarios
