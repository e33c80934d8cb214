#pragma once
// Reads one YAML map against a table of parameters. Used for every object of a scenario file, for
// checks and for faults, so that errors read alike and the JSON Schema (schema.h) says the same as
// the loader.

#include <map>
#include <string>
#include <string_view>

#include "base/util/status.h"
#include "scenarios/format/check_spec.h"
#include "scenarios/format/yaml_document.h"

namespace squall::scenarios {

// What names may stand for in a value: filled while the topology is read. Null members are not
// checked.
struct KnownNames {
  std::map<std::string, ParamType>
      nodes;  // name -> kServer, kLink, kWorker, kClient, or kNode for an ingress
  std::vector<std::string> fault_labels;
  bool check_nodes = false, check_labels = false;
};

struct ReadContext {
  std::string file;
  const KnownNames* names = nullptr;  // outlives the context
};

struct ReadObject {
  Params params;  // defaults filled in; kObject parameters only in `nodes`
  std::map<std::string, const YamlNode*> nodes;  // what was given, by key
  SourcePos pos;

  const YamlNode* Node(std::string_view key) const;
};

// `what` names the object in errors: "worker 'w'". A node that is no map is taken for the parameter
// `shorthand`, where one is given: `start: temporal`. A null node is an empty map.
StatusOr<ReadObject> ReadTable(const ReadContext& context, const YamlNode& node,
                               std::string_view what, const ParamTable& table,
                               std::string_view shorthand = "");

StatusOr<ParamValue> ReadValue(const ReadContext& context, const YamlNode& node,
                               std::string_view what, const ParamSpec& spec);

// "a duration with its unit, such as 250ms, 3s or 2m": for errors and for the reference.
std::string DescribeType(const ParamSpec& spec);
// A limit of the parameter, with its unit.
std::string DescribeLimit(const ParamSpec& spec, double limit);

SourcePos PosOf(const ReadContext& context, const YamlNode& node);

}  // namespace squall::scenarios
