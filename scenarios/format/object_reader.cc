#include "scenarios/format/object_reader.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include "base/util/connection_pattern.h"
#include "base/util/text.h"
#include "scenarios/format/values.h"

namespace squall::scenarios {
namespace {

std::string Shown(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar) return std::string(node.KindName());
  constexpr std::size_t kShownMax = 60;
  const std::string text = EscapeControl(node.text);
  return "'" + (text.size() > kShownMax ? text.substr(0, kShownMax) + "..." : text) + "'";
}

Status WrongValue(const ReadContext& context, const YamlNode& node, std::string_view what,
                  const ParamSpec& spec) {
  return ErrorAt(
      context.file, node,
      fmt::format("'{}' of {} is {}, not {}", spec.name, what, DescribeType(spec), Shown(node)));
}

std::string_view NodeKindName(ParamType type) {
  switch (type) {
    case ParamType::kServer:
      return "server";
    case ParamType::kLink:
      return "link";
    case ParamType::kWorker:
      return "worker";
    case ParamType::kClient:
      return "client";
    default:
      return "node";
  }
}

Status CheckName(const ReadContext& context, const YamlNode& node, std::string_view what,
                 const ParamSpec& spec) {
  if (context.names == nullptr) return absl::OkStatus();
  const std::string& name = node.text;
  if (spec.type == ParamType::kFaultLabel) {
    const auto& labels = context.names->fault_labels;
    if (!context.names->check_labels ||
        std::find(labels.begin(), labels.end(), name) != labels.end()) {
      return absl::OkStatus();
    }
    return ErrorAt(context.file, node,
                   fmt::format("'{}' of {}: no inject step is labelled '{}'{}", spec.name, what,
                               EscapeControl(name), DidYouMean(name, labels)));
  }
  if (!context.names->check_nodes) return absl::OkStatus();
  std::vector<std::string> candidates;
  for (const auto& [known, kind] : context.names->nodes) {
    if (spec.type != ParamType::kNode && kind != spec.type) continue;
    if (known == name) return absl::OkStatus();
    candidates.push_back(known);
  }
  return ErrorAt(
      context.file, node,
      fmt::format("'{}' of {}: there is no {} '{}'{}", spec.name, what, NodeKindName(spec.type),
                  EscapeControl(name), DidYouMean(name, candidates)));
}

Status CheckLimits(const ReadContext& context, const YamlNode& node, std::string_view what,
                   const ParamSpec& spec, double value) {
  if (spec.min && value < *spec.min) {
    return ErrorAt(context.file, node,
                   fmt::format("'{}' of {} is at least {}, not {}", spec.name, what,
                               DescribeLimit(spec, *spec.min), Shown(node)));
  }
  if (spec.max && value > *spec.max) {
    return ErrorAt(context.file, node,
                   fmt::format("'{}' of {} is at most {}, not {}", spec.name, what,
                               DescribeLimit(spec, *spec.max), Shown(node)));
  }
  return absl::OkStatus();
}

// A scalar's value, for every type that is one scalar.
StatusOr<ParamValue> ReadScalar(const ReadContext& context, const YamlNode& node,
                                std::string_view what, const ParamSpec& spec) {
  if (node.kind != YamlNode::Kind::kScalar) return WrongValue(context, node, what, spec);
  const std::string& text = node.text;
  const auto number = [&](std::optional<std::int64_t> value) -> StatusOr<ParamValue> {
    if (!value) return WrongValue(context, node, what, spec);
    SQUALL_RETURN_IF_ERROR(CheckLimits(context, node, what, spec, static_cast<double>(*value)));
    return ParamValue(*value);
  };
  switch (spec.type) {
    case ParamType::kText:
      return ParamValue(text);
    case ParamType::kWord:
      if (std::find(spec.words.begin(), spec.words.end(), text) != spec.words.end())
        return ParamValue(text);
      return ErrorAt(context.file, node,
                     fmt::format("'{}' of {} is {}, not {}{}", spec.name, what, DescribeType(spec),
                                 Shown(node), DidYouMean(text, spec.words)));
    case ParamType::kRegex:
      try {
        const std::regex compiled(text, std::regex::ECMAScript);
      } catch (const std::regex_error& error) {
        return ErrorAt(
            context.file, node,
            fmt::format("'{}' of {} is no regular expression: {}", spec.name, what, error.what()));
      }
      return ParamValue(text);
    case ParamType::kInt:
      return number(ParseInt(text));
    case ParamType::kSize:
      return number(ParseSize(text));
    case ParamType::kRate:
      return number(ParseRate(text));
    case ParamType::kNumber: {
      const auto value = ParseNumber(text);
      if (!value) return WrongValue(context, node, what, spec);
      SQUALL_RETURN_IF_ERROR(CheckLimits(context, node, what, spec, *value));
      return ParamValue(*value);
    }
    case ParamType::kBool:
      if (node.quoted || (text != "true" && text != "false"))
        return WrongValue(context, node, what, spec);
      return ParamValue(text == "true");
    case ParamType::kDuration: {
      const auto value = ParseDuration(text);
      if (!value && ParseNumber(text)) {
        return ErrorAt(context.file, node,
                       fmt::format("'{}' of {} has no unit: write {}s, {}ms or {}m", spec.name,
                                   what, text, text, text));
      }
      if (!value) return WrongValue(context, node, what, spec);
      SQUALL_RETURN_IF_ERROR(
          CheckLimits(context, node, what, spec, std::chrono::duration<double>(*value).count()));
      return ParamValue(*value);
    }
    case ParamType::kConnections:
      if (const auto pattern = ConnectionPattern::Parse(text); !pattern.ok()) {
        return ErrorAt(context.file, node,
                       fmt::format("'{}' of {}: {}", spec.name, what, Message(pattern.status())));
      }
      return ParamValue(text);
    case ParamType::kNode:
    case ParamType::kServer:
    case ParamType::kLink:
    case ParamType::kWorker:
    case ParamType::kClient:
    case ParamType::kFaultLabel:
      SQUALL_RETURN_IF_ERROR(CheckName(context, node, what, spec));
      return ParamValue(text);
    default:
      return WrongValue(context, node, what, spec);
  }
}

// A list of scalars, or one scalar alone.
template <typename T>
StatusOr<ParamValue> ReadList(const ReadContext& context, const YamlNode& node,
                              std::string_view what, const ParamSpec& spec, ParamType item_type) {
  ParamSpec item_spec = spec;
  item_spec.type = item_type;
  std::vector<T> values;
  const auto add = [&](const YamlNode& item) -> Status {
    SQUALL_ASSIGN_OR_RETURN(const ParamValue value, ReadScalar(context, item, what, item_spec));
    values.push_back(std::get<T>(value));
    return absl::OkStatus();
  };
  if (node.kind == YamlNode::Kind::kScalar) {
    SQUALL_RETURN_IF_ERROR(add(node));
  } else if (node.kind == YamlNode::Kind::kList) {
    for (const YamlNode& item : node.items) SQUALL_RETURN_IF_ERROR(add(item));
  } else {
    return WrongValue(context, node, what, spec);
  }
  return ParamValue(std::move(values));
}

StatusOr<ParamValue> ReadTextMap(const ReadContext& context, const YamlNode& node,
                                 std::string_view what, const ParamSpec& spec) {
  if (node.kind != YamlNode::Kind::kMap) return WrongValue(context, node, what, spec);
  std::map<std::string, std::string> map;
  for (const auto& [key, value] : node.members) {
    if (value.kind != YamlNode::Kind::kScalar && value.kind != YamlNode::Kind::kNull) {
      return ErrorAt(context.file, value,
                     fmt::format("'{}' in '{}' of {} is text, not {}", key.text, spec.name, what,
                                 value.KindName()));
    }
    map[key.text] = value.text;
  }
  return ParamValue(std::move(map));
}

}  // namespace

SourcePos PosOf(const ReadContext& context, const YamlNode& node) {
  return {context.file, node.line, node.column};
}

const YamlNode* ReadObject::Node(std::string_view key) const {
  const auto it = nodes.find(std::string(key));
  return it == nodes.end() ? nullptr : it->second;
}

std::string DescribeLimit(const ParamSpec& spec, double limit) {
  if (spec.type != ParamType::kDuration) return fmt::format("{}", limit);
  return FormatDuration(Duration(std::llround(limit * 1e9)));
}

std::string DescribeType(const ParamSpec& spec) {
  switch (spec.type) {
    case ParamType::kText:
      return "text";
    case ParamType::kWord:
      return fmt::format("one of {}", fmt::join(spec.words, ", "));
    case ParamType::kRegex:
      return "a regular expression";
    case ParamType::kInt:
      return "a whole number";
    case ParamType::kNumber:
      return "a number";
    case ParamType::kBool:
      return "true or false";
    case ParamType::kDuration:
      return "a duration with its unit, such as 250ms, 3s or 2m";
    case ParamType::kSize:
      return "a size with its unit, such as 1500B or 64KiB";
    case ParamType::kRate:
      return "a rate with its unit, such as 64KiB/s";
    case ParamType::kConnections:
      return "connections by their numbers, such as 1, 2-3, 5+ or 2-3/3";
    case ParamType::kNode:
      return "the name of a node";
    case ParamType::kServer:
      return "the name of a server";
    case ParamType::kLink:
      return "the name of a link";
    case ParamType::kWorker:
      return "the name of a worker";
    case ParamType::kClient:
      return "the name of a client";
    case ParamType::kFaultLabel:
      return "the label of an inject step";
    case ParamType::kTextList:
      return "a list of texts";
    case ParamType::kDurationList:
      return "a list of durations, such as [1s, 2s, 4s]";
    case ParamType::kIntList:
      return "a list of whole numbers";
    case ParamType::kJson:
      return "any value";
    case ParamType::kTextMap:
      return "a map of texts";
    case ParamType::kObject:
      return "a map";
  }
  return "a value";
}

StatusOr<ParamValue> ReadValue(const ReadContext& context, const YamlNode& node,
                               std::string_view what, const ParamSpec& spec) {
  if (spec.type == ParamType::kJson) return ParamValue(YamlToJson(node));
  if (node.kind == YamlNode::Kind::kNull) {
    return ErrorAt(
        context.file, node,
        fmt::format("'{}' of {} has no value: it is {}", spec.name, what, DescribeType(spec)));
  }
  switch (spec.type) {
    case ParamType::kTextList:
      return ReadList<std::string>(context, node, what, spec, ParamType::kText);
    case ParamType::kDurationList:
      return ReadList<Duration>(context, node, what, spec, ParamType::kDuration);
    case ParamType::kIntList:
      return ReadList<std::int64_t>(context, node, what, spec, ParamType::kInt);
    case ParamType::kTextMap:
      return ReadTextMap(context, node, what, spec);
    default:
      return ReadScalar(context, node, what, spec);
  }
}

StatusOr<ReadObject> ReadTable(const ReadContext& context, const YamlNode& node,
                               std::string_view what, const ParamTable& table,
                               std::string_view shorthand) {
  ReadObject object;
  object.pos = PosOf(context, node);
  if (node.kind == YamlNode::Kind::kMap) {
    std::vector<std::string> names;
    for (const ParamSpec& spec : table) names.push_back(spec.name);
    for (const auto& [key, value] : node.members) {
      if (FindParam(table, key.text) == nullptr) {
        return ErrorAt(context.file, key,
                       fmt::format("{} has no key '{}'{}", what, EscapeControl(key.text),
                                   DidYouMean(key.text, names)));
      }
      object.nodes[key.text] = &value;
    }
  } else if (node.kind != YamlNode::Kind::kNull) {
    if (shorthand.empty()) {
      return ErrorAt(context.file, node, fmt::format("{} is a map, not {}", what, Shown(node)));
    }
    object.nodes[std::string(shorthand)] = &node;
  }
  for (const ParamSpec& spec : table) {
    const YamlNode* value = object.Node(spec.name);
    if (value == nullptr) {
      if (spec.required) {
        return ErrorAt(context.file, node,
                       fmt::format("{} lacks '{}': {}", what, spec.name, DescribeType(spec)));
      }
      if (spec.default_text.empty() || spec.type == ParamType::kObject) continue;
      ReadContext unchecked = context;
      unchecked.names = nullptr;
      YamlNode text;
      text.kind = YamlNode::Kind::kScalar;
      text.text = spec.default_text;
      auto parsed = ReadValue(unchecked, text, what, spec);
      SQUALL_CHECK(parsed.ok(), fmt::format("default of '{}' of {}: {}", spec.name, what,
                                            Message(parsed.status())));
      object.params.Set(spec.name, *std::move(parsed));
      continue;
    }
    if (spec.type == ParamType::kObject) continue;
    SQUALL_ASSIGN_OR_RETURN(ParamValue parsed, ReadValue(context, *value, what, spec));
    object.params.Set(spec.name, std::move(parsed));
  }
  return object;
}

}  // namespace squall::scenarios
