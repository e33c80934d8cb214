#pragma once
// YAML text as a tree with positions. yaml-cpp throws and knows aliases, tags and several
// documents; none of that leaves yaml_document.cc. Anchors and aliases are refused, so a small file
// cannot unfold into a large one.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

inline constexpr std::size_t kScenarioSizeMax = std::size_t{1} << 20;  // bytes
inline constexpr int kYamlDepthMax = 32;

struct YamlMember;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;     // kScalar
  bool quoted = false;  // kScalar: in quotes or a block: always text, never a number, true or null
  std::vector<YamlNode> items;      // kList
  std::vector<YamlMember> members;  // kMap, in the order of the file; keys are scalars and unique
  int line = 0, column = 0;

  const YamlNode* Find(std::string_view key) const;
  std::string_view KindName() const;  // "nothing", "text", "a list", "a map"
};

struct YamlMember {
  YamlNode key, value;
};

// "file:line:column: message" as kInvalidArgument; line 0 leaves the place out.
Status ErrorAt(std::string_view file, const YamlNode& node, std::string_view message);
Status ErrorAt(const SourcePos& pos, std::string_view message);

// One document. Refuses, each with one clear line: empty text, binary or not UTF-8, tabs in the
// indentation, syntax errors, several documents, duplicate keys, keys that are not text, anchors,
// aliases, tags, and nesting beyond kYamlDepthMax.
StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file);

// `patch` over `base`: maps are merged key by key, everything else replaces; a null value removes
// the key.
YamlNode MergeYaml(const YamlNode& base, const YamlNode& patch);

// The node as JSON text; plain scalars become numbers, true, false and null where they look so.
std::string YamlToJson(const YamlNode& node);

}  // namespace squall::scenarios
