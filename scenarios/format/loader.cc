#include "scenarios/format/loader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/util/text.h"
#include "scenarios/format/object_reader.h"
#include "scenarios/format/step_reader.h"
#include "scenarios/format/tables.h"
#include "scenarios/format/topology_reader.h"

namespace squall::scenarios {
namespace {

StatusOr<Needs> ReadNeeds(const ReadContext& context, const YamlNode& node, std::string_view what) {
  SQUALL_ASSIGN_OR_RETURN(const ReadObject object,
                          ReadTable(context, node, what, TableOf("needs").keys));
  Needs needs;
  if (object.params.Has("worlds")) {
    needs.worlds.clear();
    for (const std::string& name : object.params.Texts("worlds")) {
      const auto world = WorldFromName(name);
      if (!world) {
        return ErrorAt(
            context.file, *object.Node("worlds"),
            fmt::format("there is no world '{}'{}", EscapeControl(name),
                        DidYouMean(name, {std::vector<std::string>{"sim", "fake", "real"}})));
      }
      needs.worlds.push_back(*world);
    }
    if (needs.worlds.empty())
      return ErrorAt(context.file, *object.Node("worlds"), "'worlds' names no world");
  }
  for (const std::string& tool : object.params.Texts("tools")) {
    const auto& known = KnownTools();
    if (std::find(known.begin(), known.end(), tool) == known.end()) {
      return ErrorAt(
          context.file, *object.Node("tools"),
          fmt::format("there is no tool '{}'{}", EscapeControl(tool), DidYouMean(tool, known)));
    }
    needs.tools.push_back(tool);
  }
  return needs;
}

// The steps as the subject has them: a list replaces, a map patches by name.
StatusOr<YamlNode> PatchSteps(const ReadContext& context, const YamlNode& steps,
                              const YamlNode& patch) {
  if (patch.kind == YamlNode::Kind::kList) return patch;
  if (patch.kind != YamlNode::Kind::kMap) {
    return ErrorAt(context.file, patch,
                   "'steps' of 'with' is a list, or a map from the names of steps");
  }
  YamlNode patched = steps;
  for (const auto& [key, value] : patch.members) {
    std::vector<std::string> names;
    auto found = patched.items.end();
    for (auto it = patched.items.begin(); it != patched.items.end(); ++it) {
      const YamlNode* name = it->Find("name");
      if (name == nullptr) continue;
      names.push_back(name->text);
      if (name->text == key.text) found = it;
    }
    if (found == patched.items.end()) {
      return ErrorAt(context.file, key,
                     fmt::format("no step is named '{}'{}", EscapeControl(key.text),
                                 DidYouMean(key.text, names)));
    }
    if (value.kind == YamlNode::Kind::kNull) {
      patched.items.erase(found);
    } else if (value.kind == YamlNode::Kind::kMap) {
      *found = MergeYaml(*found, value);
    } else {
      return ErrorAt(
          context.file, value,
          fmt::format("the patch of step '{}' is a map, not {}", key.text, value.KindName()));
    }
  }
  return patched;
}

class ScenarioReader {
 public:
  ScenarioReader(const YamlNode& root, const std::string& file, const CheckTable& checks)
      : root_(root), checks_(checks) {
    context_.file = file;
    scenario_.file = file;
  }

  StatusOr<Scenario> Read() {
    SQUALL_ASSIGN_OR_RETURN(head_,
                            ReadTable(context_, root_, "the scenario", TableOf("scenario").keys));
    SQUALL_RETURN_IF_ERROR(ReadHead());
    SQUALL_RETURN_IF_ERROR(ReadSubjects());
    all_names_.check_nodes = all_names_.check_labels = true;
    SQUALL_RETURN_IF_ERROR(ReadChecks(*head_.Node("expect"), "'expect'", &scenario_.checks));
    for (Subject& subject : scenario_.subjects) {
      subject.checks = scenario_.checks;
      if (const auto also = also_.find(subject.name); also != also_.end()) {
        SQUALL_RETURN_IF_ERROR(ReadChecks(
            *also->second, fmt::format("'also' of subject '{}'", subject.name), &subject.checks));
      }
      SQUALL_RETURN_IF_ERROR(CheckExpectation(subject));
    }
    return std::move(scenario_);
  }

 private:
  Status ReadHead() {
    const Params& p = head_.params;
    SQUALL_RETURN_IF_ERROR(CheckIdentifier(context_, *head_.Node("id"), "a scenario's id"));
    scenario_.id = p.Text("id");
    scenario_.name = std::filesystem::path(context_.file).stem().string();
    scenario_.title = p.Text("title");
    scenario_.why = p.Text("why");
    scenario_.tags = p.Texts("tags");
    if (p.Has("seed")) scenario_.seed = static_cast<std::uint64_t>(p.Int("seed"));
    scenario_.timeout = p.Time("timeout");
    if (scenario_.timeout <= Duration::zero()) {
      return ErrorAt(context_.file, *head_.Node("timeout"), "'timeout' is longer than nothing");
    }
    if (const YamlNode* needs = head_.Node("needs")) {
      SQUALL_ASSIGN_OR_RETURN(needs_, ReadNeeds(context_, *needs, "'needs'"));
    }
    return absl::OkStatus();
  }

  Status ReadSubjects() {
    const YamlNode* list = head_.Node("subjects");
    if (list == nullptr) {
      Subject subject;
      subject.name = "default";
      subject.needs = needs_;
      subject.pos = PosOf(context_, root_);
      SQUALL_RETURN_IF_ERROR(Concrete(nullptr, &subject));
      scenario_.subjects.push_back(std::move(subject));
      return absl::OkStatus();
    }
    if (list->kind != YamlNode::Kind::kList || list->items.empty()) {
      return ErrorAt(
          context_.file, *list,
          fmt::format("'subjects' is a list of at least one subject, not {}", list->KindName()));
    }
    for (const YamlNode& item : list->items) {
      SQUALL_ASSIGN_OR_RETURN(const ReadObject object,
                              ReadTable(context_, item, "a subject", TableOf("subject").keys));
      SQUALL_RETURN_IF_ERROR(CheckIdentifier(context_, *object.Node("name"), "a subject"));
      Subject subject;
      subject.name = object.params.Text("name");
      subject.why = object.params.Text("why");
      subject.pos = object.pos;
      if (scenario_.FindSubject(subject.name) != nullptr) {
        return ErrorAt(context_.file, *object.Node("name"),
                       fmt::format("two subjects are named '{}'", subject.name));
      }
      const std::string what = fmt::format("'expect' of subject '{}'", subject.name);
      const ObjectTable& table = TableOf("expectation");
      SQUALL_ASSIGN_OR_RETURN(
          const ReadObject expect,
          ReadTable(context_, *object.Node("expect"), what, table.keys, table.shorthand));
      subject.expect.fail = expect.params.Texts("fail");
      if (subject.expect.pass() != expect.params.Has("verdict")) {
        return ErrorAt(context_.file, *object.Node("expect"),
                       what + " is either pass or {fail: [checks]}");
      }
      subject.needs = needs_;
      if (const YamlNode* needs = object.Node("needs")) {
        SQUALL_ASSIGN_OR_RETURN(
            subject.needs,
            ReadNeeds(context_, *needs, fmt::format("'needs' of subject '{}'", subject.name)));
      }
      if (const YamlNode* also = object.Node("also")) also_[subject.name] = also;
      SQUALL_RETURN_IF_ERROR(Concrete(object.Node("with"), &subject));
      scenario_.subjects.push_back(std::move(subject));
    }
    return absl::OkStatus();
  }

  // Topology and steps of one subject, its patch merged in.
  Status Concrete(const YamlNode* with, Subject* subject) {
    YamlNode topology = *head_.Node("topology");
    YamlNode steps;
    if (const YamlNode* list = head_.Node("steps")) steps = *list;
    if (with != nullptr) {
      const std::string what = fmt::format("'with' of subject '{}'", subject->name);
      SQUALL_ASSIGN_OR_RETURN(const ReadObject patch,
                              ReadTable(context_, *with, what, TableOf("with").keys));
      if (const YamlNode* node = patch.Node("topology")) topology = MergeYaml(topology, *node);
      if (const YamlNode* node = patch.Node("steps")) {
        SQUALL_ASSIGN_OR_RETURN(steps, PatchSteps(context_, steps, *node));
      }
    }
    KnownNames names;
    SQUALL_ASSIGN_OR_RETURN(subject->topology, ReadTopology(context_, topology, &names));
    ReadContext context = context_;
    context.names = &names;
    SQUALL_ASSIGN_OR_RETURN(subject->steps, ReadSteps(context, steps, subject->topology));
    all_names_.nodes.merge(names.nodes);
    for (const Step& step : subject->steps) {
      if (const auto* inject = std::get_if<InjectStep>(&step.action))
        all_names_.fault_labels.push_back(inject->as);
    }
    return absl::OkStatus();
  }

  Status ReadChecks(const YamlNode& list, std::string_view what, std::vector<CheckSpec>* checks) {
    if (list.kind != YamlNode::Kind::kList || list.items.empty()) {
      return ErrorAt(
          context_.file, list,
          fmt::format("{} is a list of at least one check, not {}", what, list.KindName()));
    }
    ReadContext context = context_;
    context.names = &all_names_;
    for (const YamlNode& item : list.items) {
      YamlNode name = item, body;
      if (item.kind == YamlNode::Kind::kMap && item.members.size() == 1) {
        name = item.members[0].key;
        body = item.members[0].value;
      } else if (item.kind != YamlNode::Kind::kScalar) {
        return ErrorAt(context_.file, item,
                       "a check is its name, or `name: {parameters}`, one per item of the list");
      }
      const auto found =
          std::find_if(checks_.begin(), checks_.end(),
                       [&](const CheckDefinition& check) { return check.name == name.text; });
      if (found == checks_.end()) {
        std::vector<std::string> names;
        for (const CheckDefinition& check : checks_) names.push_back(check.name);
        return ErrorAt(context_.file, name,
                       fmt::format("there is no check '{}'{}", EscapeControl(name.text),
                                   DidYouMean(name.text, names)));
      }
      ParamTable table = found->params;
      table.push_back({.name = "id",
                       .type = ParamType::kText,
                       .doc = "What reports call it.",
                       .default_text = found->name});
      SQUALL_ASSIGN_OR_RETURN(
          const ReadObject object,
          ReadTable(context, body, fmt::format("check '{}'", found->name), table));
      CheckSpec check;
      check.name = found->name;
      check.id = object.params.Text("id");
      check.pos = PosOf(context_, name);
      for (const auto& [key, value] : object.params.values()) {
        if (key != "id") check.params.Set(key, value);
      }
      for (const CheckSpec& other : *checks) {
        if (other.id == check.id) {
          return ErrorAt(context_.file, name,
                         fmt::format("two checks are called '{}': give one an `id`", check.id));
        }
      }
      checks->push_back(std::move(check));
    }
    return absl::OkStatus();
  }

  Status CheckExpectation(const Subject& subject) const {
    std::vector<std::string> ids;
    for (const CheckSpec& check : subject.checks) ids.push_back(check.id);
    for (const CheckDefinition& check : checks_) {
      if (check.oracle) ids.push_back(std::string(kOraclePrefix) + check.name);
    }
    for (const std::string& id : subject.expect.fail) {
      if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
      return ErrorAt(
          subject.pos,
          fmt::format("subject '{}' expects the check '{}' to fail, which is not asked of it{}",
                      subject.name, EscapeControl(id), DidYouMean(id, ids)));
    }
    return absl::OkStatus();
  }

  const YamlNode& root_;
  const CheckTable& checks_;
  ReadContext context_;
  ReadObject head_;
  Needs needs_;
  std::map<std::string, const YamlNode*> also_;  // by subject
  KnownNames all_names_;
  Scenario scenario_;
};

}  // namespace

StatusOr<Scenario> LoadScenario(std::string_view text, const std::string& file,
                                const CheckTable& checks) {
  SQUALL_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, file));
  if (root.kind != YamlNode::Kind::kMap) {
    return ErrorAt(file, root,
                   fmt::format("a scenario is a map of keys (id, title, topology, ...), not {}",
                               root.KindName()));
  }
  return ScenarioReader(root, file, checks).Read();
}

StatusOr<Scenario> LoadScenarioFile(const std::string& path, const CheckTable& checks) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return MakeStatus(StatusCode::kNotFound, "{}: no such file", path);
  if (std::filesystem::is_directory(path, error))
    return MakeStatus(StatusCode::kNotFound, "{}: is a folder", path);
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return MakeStatus(StatusCode::kNotFound, "{}: cannot be opened", path);
  // One byte more than allowed is enough to know that it is too large; a device or pipe must not be
  // read for ever.
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (!error && size > kScenarioSizeMax) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "{}: the file has {} bytes; a scenario has at most {} (1 MiB)", path, size,
                      kScenarioSizeMax);
  }
  std::string text(kScenarioSizeMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return LoadScenario(text, path, checks);
}

StatusOr<std::vector<LibraryEntry>> LoadLibrary(const std::string& path, const CheckTable& checks) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(path, error))
    return MakeStatus(StatusCode::kNotFound, "{}: no such file or folder", path);
  std::vector<std::string> files;
  if (fs::is_directory(path, error)) {
    for (auto it = fs::recursive_directory_iterator(path, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      const std::string extension = it->path().extension().string();
      if (it->is_regular_file() && (extension == ".yaml" || extension == ".yml"))
        files.push_back(it->path().string());
    }
    if (error) return MakeStatus(StatusCode::kNotFound, "{}: {}", path, error.message());
  } else {
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<LibraryEntry> entries;
  std::map<std::string, std::string> file_of_id;
  for (const std::string& file : files) {
    LibraryEntry entry{file, LoadScenarioFile(file, checks)};
    if (entry.scenario.ok()) {
      const auto [it, added] = file_of_id.emplace(entry.scenario->id, file);
      if (!added) {
        entry.scenario =
            ErrorAt(SourcePos{file, 1, 1},
                    fmt::format("the id '{}' is also that of {}", it->first, it->second));
      }
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace squall::scenarios
