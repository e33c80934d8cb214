#include "scenarios/format/complete_params.h"

#include <algorithm>

#include "base/util/connection_pattern.h"
#include "base/util/text.h"
#include "scenarios/format/object_reader.h"

namespace squall::scenarios {
namespace {

bool HasType(const ParamValue& value, ParamType type) {
  switch (type) {
    case ParamType::kInt:
    case ParamType::kSize:
    case ParamType::kRate:
      return std::holds_alternative<std::int64_t>(value);
    case ParamType::kNumber:
      return std::holds_alternative<double>(value);
    case ParamType::kBool:
      return std::holds_alternative<bool>(value);
    case ParamType::kDuration:
      return std::holds_alternative<Duration>(value);
    case ParamType::kTextList:
      return std::holds_alternative<std::vector<std::string>>(value);
    case ParamType::kDurationList:
      return std::holds_alternative<std::vector<Duration>>(value);
    case ParamType::kIntList:
      return std::holds_alternative<std::vector<std::int64_t>>(value);
    case ParamType::kTextMap:
      return std::holds_alternative<std::map<std::string, std::string>>(value);
    default:
      return std::holds_alternative<std::string>(value);
  }
}

std::optional<double> AsNumber(const ParamValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* span = std::get_if<Duration>(&value))
    return std::chrono::duration<double>(*span).count();
  return std::nullopt;
}

// What is wrong with a value, as the end of a sentence; nothing when it is right.
std::optional<std::string> WrongWith(const ParamSpec& spec, const ParamValue& value) {
  if (!HasType(value, spec.type)) return "is not " + DescribeType(spec);
  if (const auto* text = std::get_if<std::string>(&value);
      text != nullptr && spec.type == ParamType::kWord &&
      std::find(spec.words.begin(), spec.words.end(), *text) == spec.words.end()) {
    return fmt::format("is not {}, as '{}'{}", DescribeType(spec), *text,
                       DidYouMean(*text, spec.words));
  }
  if (spec.type == ParamType::kConnections) {
    const auto pattern = ConnectionPattern::Parse(std::get<std::string>(value));
    if (!pattern.ok()) return fmt::format("is wrong: {}", Message(pattern.status()));
  }
  const std::optional<double> number = AsNumber(value);
  if (number && spec.min && *number < *spec.min)
    return "is below " + DescribeLimit(spec, *spec.min);
  if (number && spec.max && *number > *spec.max)
    return "is above " + DescribeLimit(spec, *spec.max);
  if (const auto* span = std::get_if<Duration>(&value);
      span != nullptr && *span < Duration::zero()) {
    return "is negative";
  }
  return std::nullopt;
}

}  // namespace

StatusOr<Params> CompleteParams(std::string_view what, const ParamTable& table, Params given) {
  const auto bad = [&](std::string_view name, std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}: parameter '{}' {}", what, name, why);
  };
  for (const auto& [name, value] : given.values()) {
    const ParamSpec* spec = FindParam(table, name);
    if (spec == nullptr) {
      std::vector<std::string> names;
      for (const ParamSpec& known : table) names.push_back(known.name);
      return bad(name, "is not one of its own" + DidYouMean(name, names));
    }
    if (!given.Has(name)) continue;
    if (const auto wrong = WrongWith(*spec, value)) return bad(name, *wrong);
  }
  const ReadContext context{.file = ""};
  for (const ParamSpec& spec : table) {
    if (given.Has(spec.name)) continue;
    if (spec.required) return bad(spec.name, "is missing");
    if (spec.default_text.empty()) continue;
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.text = spec.default_text;
    SQUALL_ASSIGN_OR_RETURN(ParamValue value, ReadValue(context, node, what, spec));
    given.Set(spec.name, std::move(value));
  }
  return given;
}

}  // namespace squall::scenarios
