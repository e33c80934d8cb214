#include "scenarios/format/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/util/text.h"
#include "scenarios/format/values.h"

namespace squall::scenarios {
namespace {

// What our event handler throws through yaml-cpp; caught in ParseYaml.
struct Refused {
  YAML::Mark mark;
  std::string message;
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode root;
  int documents = 0;
  bool any = false;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents > 1)
      throw Refused{mark, "a second document begins here; a scenario file holds one"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    Add(At(YamlNode::Kind::kNull, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "aliases (*name) are not used in scenario files: write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    YamlNode node = At(YamlNode::Kind::kScalar, mark);
    node.text = value;
    node.quoted = tag == "!";
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    YamlNode node;
    bool have_key = false;
    YamlNode key;
    std::set<std::string> keys;
  };

  static YamlNode At(YamlNode::Kind kind, const YAML::Mark& mark) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  static void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0)
      throw Refused{mark, "anchors (&name) are not used in scenario files: write the value out"};
  }
  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{mark, "tags (" + EscapeControl(tag) + ") are not used in scenario files"};
    }
  }
  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    RefuseAnchor(mark, anchor);
    RefuseTag(mark, tag);
    if (static_cast<int>(stack_.size()) >= kYamlDepthMax) {
      throw Refused{mark, fmt::format("nested deeper than {} levels", kYamlDepthMax)};
    }
    if (!stack_.empty() && stack_.back().node.kind == YamlNode::Kind::kMap &&
        !stack_.back().have_key) {
      throw Refused{mark, "a key must be text, not a list or a map"};
    }
    stack_.push_back({At(kind, mark), false, {}, {}});
  }
  void Close() {
    YamlNode node = std::move(stack_.back().node);
    stack_.pop_back();
    Add(std::move(node));
  }
  void Add(YamlNode node) {
    any = true;
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == YamlNode::Kind::kList) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.have_key) {
      const YAML::Mark mark = MarkOf(node);
      if (node.kind != YamlNode::Kind::kScalar) throw Refused{mark, "a key must be text"};
      if (!frame.keys.insert(node.text).second) {
        throw Refused{mark, "the key '" + EscapeControl(node.text) + "' is there twice"};
      }
      frame.key = std::move(node);
      frame.have_key = true;
    } else {
      frame.node.members.push_back({std::move(frame.key), std::move(node)});
      frame.have_key = false;
    }
  }
  static YAML::Mark MarkOf(const YamlNode& node) {
    YAML::Mark mark;
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    return mark;
  }

  std::vector<Frame> stack_;
};

// Length of the well-formed UTF-8 sequence at the front, 0 when there is none.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 && first <= 0xF4 ? 4
                             : first >= 0xE0                ? 3
                             : first >= 0xC2                ? 2
                                                            : 0;
  if (length == 0 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

// What yaml-cpp would report late, unclearly or not at all.
Status CheckText(std::string_view text, std::string_view file) {
  YamlNode place;
  place.line = 1;
  place.column = 1;
  bool indentation = true;
  bool content = false;
  bool comment = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = Utf8Length(text.substr(i));
    if (length == 0)
      return ErrorAt(file, place, "this is not UTF-8 text: a scenario is a YAML file");
    const bool control =
        static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
    if (control || c == 0x7f)
      return ErrorAt(file, place, "this is a binary file: a scenario is a YAML file");
    if (c == '\t' && indentation) {
      return ErrorAt(file, place, "a tab in the indentation: YAML is indented with spaces");
    }
    if (c == '#') comment = true;
    if (c != ' ' && c != '\n' && c != '\r') indentation = false;
    if (!comment && c != ' ' && c != '\t' && c != '\n' && c != '\r') content = true;
    if (c == '\n') {
      ++place.line;
      place.column = 1;
      indentation = true;
      comment = false;
    } else {
      ++place.column;
    }
    i += length;
  }
  if (!content)
    return ErrorAt(file, YamlNode{},
                   "the file is empty: a scenario needs at least id, title and topology");
  return absl::OkStatus();
}

nlohmann::json ToJsonValue(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kScalar: {
      if (node.quoted) return node.text;
      if (node.text == "~" || node.text == "null") return nullptr;
      if (node.text == "true") return true;
      if (node.text == "false") return false;
      if (const auto integer = ParseInt(node.text)) return *integer;
      if (const auto number = ParseNumber(node.text)) return *number;
      return node.text;
    }
    case YamlNode::Kind::kList: {
      nlohmann::json list = nlohmann::json::array();
      for (const YamlNode& item : node.items) list.push_back(ToJsonValue(item));
      return list;
    }
    case YamlNode::Kind::kMap: {
      nlohmann::json map = nlohmann::json::object();
      for (const auto& [key, value] : node.members) map[key.text] = ToJsonValue(value);
      return map;
    }
  }
  return nullptr;
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name.text == key) return &value;
  }
  return nullptr;
}

std::string_view YamlNode::KindName() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "text";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "?";
}

Status ErrorAt(const SourcePos& pos, std::string_view message) {
  if (pos.line == 0) return MakeStatus(StatusCode::kInvalidArgument, "{}: {}", pos.file, message);
  return MakeStatus(StatusCode::kInvalidArgument, "{}:{}:{}: {}", pos.file, pos.line, pos.column,
                    message);
}

Status ErrorAt(std::string_view file, const YamlNode& node, std::string_view message) {
  return ErrorAt(SourcePos{std::string(file), node.line, node.column}, message);
}

StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file) {
  if (text.size() > kScenarioSizeMax) {
    return ErrorAt(file, YamlNode{},
                   fmt::format("the file has {} bytes; a scenario has at most {} (1 MiB)",
                               text.size(), kScenarioSizeMax));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  SQUALL_RETURN_IF_ERROR(CheckText(text, file));
  TreeBuilder builder;
  YamlNode place;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    place.line = refused.mark.line + 1;
    place.column = refused.mark.column + 1;
    return ErrorAt(file, place, refused.message);
  } catch (const YAML::Exception& error) {
    place.line = error.mark.line + 1;
    place.column = error.mark.column + 1;
    return ErrorAt(file, place, "not YAML: " + error.msg);
  }
  if (!builder.any)
    return ErrorAt(file, YamlNode{},
                   "the file is empty: a scenario needs at least id, title and topology");
  return std::move(builder.root);
}

YamlNode MergeYaml(const YamlNode& base, const YamlNode& patch) {
  if (base.kind != YamlNode::Kind::kMap || patch.kind != YamlNode::Kind::kMap) return patch;
  YamlNode merged = base;
  for (const auto& [key, value] : patch.members) {
    const auto it =
        std::find_if(merged.members.begin(), merged.members.end(),
                     [&k = key.text](const auto& member) { return member.key.text == k; });
    if (value.kind == YamlNode::Kind::kNull) {
      if (it != merged.members.end()) merged.members.erase(it);
    } else if (it == merged.members.end()) {
      merged.members.push_back({key, value});
    } else {
      it->value = MergeYaml(it->value, value);
    }
  }
  return merged;
}

std::string YamlToJson(const YamlNode& node) { return ToJsonValue(node).dump(); }

}  // namespace squall::scenarios
