#include "scenarios/format/schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/util/text.h"
#include "scenarios/format/fault_catalogue.h"
#include "scenarios/format/object_reader.h"
#include "scenarios/format/tables.h"

namespace squall::scenarios {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDurationPattern = "^([0-9]+(\\.[0-9]+)?(h|m|s|ms|us|ns))+$";
constexpr const char* kSizePattern = "^[0-9]+(\\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB)$";
constexpr const char* kRatePattern = "^[0-9]+(\\.[0-9]+)?(B|KB|MB|GB|KiB|MiB|GiB)/s$";

Json Reference(const std::string& name) { return {{"$ref", "#/$defs/" + name}}; }

// "x", "[x]" and "{x}" of a kObject parameter: one, a list of, a map of.
Json ObjectSchema(const std::string& word) {
  if (word == "patch") return Json::object();
  if (word.front() == '[')
    return {{"type", "array"}, {"items", Reference(word.substr(1, word.size() - 2))}};
  if (word.front() == '{') {
    return {{"type", "object"},
            {"additionalProperties", Reference(word.substr(1, word.size() - 2))}};
  }
  return Reference(word);
}

Json OneOrMany(Json item) {
  return {{"oneOf", Json::array({item, {{"type", "array"}, {"items", item}}})}};
}

Json TypeSchema(const ParamSpec& spec) {
  Json schema;
  const Json scalar = {{"type", Json::array({"string", "number", "boolean"})}};
  switch (spec.type) {
    case ParamType::kText:
    case ParamType::kConnections:
      schema = scalar;
      break;
    case ParamType::kWord:
      schema = {{"enum", spec.words}};
      break;
    case ParamType::kInt:
      schema = {{"type", "integer"}};
      break;
    case ParamType::kNumber:
      schema = {{"type", "number"}};
      break;
    case ParamType::kBool:
      schema = {{"type", "boolean"}};
      break;
    case ParamType::kDuration:
      schema = {{"type", "string"}, {"pattern", kDurationPattern}};
      break;
    case ParamType::kSize:
      schema = {{"type", "string"}, {"pattern", kSizePattern}};
      break;
    case ParamType::kRate:
      schema = {{"type", "string"}, {"pattern", kRatePattern}};
      break;
    case ParamType::kTextList:
      schema = OneOrMany(scalar);
      break;
    case ParamType::kDurationList:
      schema = OneOrMany({{"type", "string"}, {"pattern", kDurationPattern}});
      break;
    case ParamType::kIntList:
      schema = OneOrMany({{"type", "integer"}});
      break;
    case ParamType::kTextMap:
      schema = {{"type", "object"}};
      break;
    case ParamType::kJson:
      schema = Json::object();
      break;
    case ParamType::kObject:
      schema = ObjectSchema(spec.words.front());
      break;
    default:
      schema = {{"type", "string"}};
      break;
  }
  if (spec.type == ParamType::kInt || spec.type == ParamType::kNumber) {
    if (spec.min) schema["minimum"] = *spec.min;
    if (spec.max) schema["maximum"] = *spec.max;
  }
  schema["description"] =
      spec.doc + (spec.default_text.empty() ? "" : " Default: " + spec.default_text + ".");
  return schema;
}

Json TableSchema(const std::string& doc, const ParamTable& keys, const std::string& shorthand) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const ParamSpec& spec : keys) {
    properties[spec.name] = TypeSchema(spec);
    if (spec.required) required.push_back(spec.name);
  }
  Json object = {{"type", "object"},
                 {"description", doc},
                 {"properties", properties},
                 {"additionalProperties", false}};
  if (!required.empty()) object["required"] = required;
  if (required.empty() || !shorthand.empty()) object["type"] = Json::array({"object", "null"});
  if (shorthand.empty()) return object;
  object["type"] = "object";
  return {{"anyOf", Json::array({object, TypeSchema(*FindParam(keys, shorthand))})}};
}

Json StepSchema() {
  Json variants = Json::array();
  for (const ObjectTable& verb : StepTables()) {
    Json properties = Json::object();
    for (const ParamSpec& spec : TableOf("step").keys) properties[spec.name] = TypeSchema(spec);
    if (verb.name == "inject") {
      Json faults = Json::array();
      for (const FaultDefinition& fault : FaultCatalogue()) {
        ParamTable keys = verb.keys;
        keys.insert(keys.end(), fault.params.begin(), fault.params.end());
        Json schema = TableSchema(
            fmt::format("Into a {}. {}", FaultTargetName(fault.target), fault.doc), keys, "");
        schema["properties"]["fault"] = {{"const", fault.name}};
        faults.push_back(schema);
      }
      // A name that stands for several targets has several schemas, which may agree.
      properties[verb.name] = {{"anyOf", faults}};
    } else {
      properties[verb.name] = TableSchema(verb.doc, verb.keys, verb.shorthand);
    }
    variants.push_back({{"type", "object"},
                        {"properties", properties},
                        {"required", Json::array({verb.name})},
                        {"additionalProperties", false}});
  }
  return {{"oneOf", variants}};
}

Json CheckSchema(const CheckTable& checks) {
  Json variants = Json::array();
  Json bare = Json::array();
  for (const CheckDefinition& check : checks) {
    ParamTable keys = check.params;
    keys.push_back({.name = "id", .type = ParamType::kText, .doc = "What reports call it."});
    variants.push_back({{"type", "object"},
                        {"properties", {{check.name, TableSchema(check.doc, keys, "")}}},
                        {"required", Json::array({check.name})},
                        {"additionalProperties", false}});
    bare.push_back(check.name);
  }
  variants.push_back({{"enum", bare}});
  return {{"anyOf", variants}};
}

std::string KeysMarkdown(const ParamTable& keys) {
  if (keys.empty()) return "No keys.\n";
  std::string out = "| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const ParamSpec& spec : keys) {
    std::string type = DescribeType(spec);
    if (spec.type == ParamType::kObject) {
      const std::string& word = spec.words.front();
      type = word == "patch"       ? "a patch"
             : word.front() == '[' ? "a list of " + word.substr(1, word.size() - 2)
             : word.front() == '{' ? "a map from names to " + word.substr(1, word.size() - 2)
                                   : word;
    }
    out += fmt::format("| `{}` | {} | {} | {} |\n", spec.name, MarkdownCell(type),
                       spec.required               ? "required"
                       : spec.default_text.empty() ? ""
                                                   : "`" + spec.default_text + "`",
                       MarkdownCell(spec.doc));
  }
  return out;
}

}  // namespace

std::string JsonSchema(const CheckTable& checks) {
  Json defs = Json::object();
  for (const ObjectTable& table : ObjectTables()) {
    if (table.name == "step" || table.name == "scenario") continue;
    defs[table.name] = TableSchema(table.doc, table.keys, table.shorthand);
  }
  defs["step"] = StepSchema();
  defs["check"] = CheckSchema(checks);
  Json schema = TableSchema(TableOf("scenario").doc, TableOf("scenario").keys, "");
  Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "squall scenario"}};
  out.update(schema);
  out["$defs"] = defs;
  return out.dump(2) + "\n";
}

std::string ReferenceMarkdown(const CheckTable& checks) {
  std::string out;
  for (const ObjectTable& table : ObjectTables()) {
    out += fmt::format("### {}\n\n{}", table.name, table.doc);
    if (!table.shorthand.empty())
      out += fmt::format(" A value that is no map stands for `{}`.", table.shorthand);
    out += "\n\n" + KeysMarkdown(table.keys) + "\n";
  }
  out += "## Steps\n\n";
  for (const ObjectTable& table : StepTables()) {
    out += fmt::format("### `{}`\n\n{}", table.name, table.doc);
    if (!table.shorthand.empty())
      out += fmt::format(" A value that is no map stands for `{}`.", table.shorthand);
    out += "\n\n" + KeysMarkdown(table.keys) + "\n";
  }
  out += "## Faults\n\nWith their parameters in [faults.md](faults.md).\n\n";
  for (const FaultTarget target :
       {FaultTarget::kLink, FaultTarget::kServer, FaultTarget::kWorker}) {
    std::vector<std::string> names;
    for (const FaultDefinition& fault : FaultCatalogue()) {
      if (fault.target == target) names.push_back(fmt::format("`{}`", fault.name));
    }
    out += fmt::format("- Into a {}: {}.\n", FaultTargetName(target), fmt::join(names, ", "));
  }
  out += "\n";
  out += "## Checks\n\nEvery check also takes `id`.\n\n";
  for (const CheckDefinition& check : checks) {
    out += fmt::format("### `{}`\n\n{}\n\n", check.name, check.doc);
    if (!check.needs.empty())
      out += fmt::format("Needs events of the kinds {}.\n\n", fmt::join(check.needs, ", "));
    if (!check.params.empty()) out += KeysMarkdown(check.params) + "\n";
  }
  return out;
}

}  // namespace squall::scenarios
