#include "scenarios/checks/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/util/text.h"
#include "scenarios/checks/builders.h"
#include "scenarios/format/values.h"

namespace squall::scenarios {
namespace {

std::vector<CheckKind> AllKinds() {
  std::vector<CheckKind> all;
  for (auto* part :
       {&WorkflowChecks, &ProcessChecks, &ShutdownChecks, &ConnectionChecks, &PollingChecks,
        &CallChecks, &OutputChecks, &EventChecks, &FigureChecks, &RestartChecks, &WorkChecks}) {
    for (CheckKind& kind : part()) all.push_back(std::move(kind));
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.definition.name < b.definition.name; });
  for (std::size_t i = 1; i < all.size(); ++i) {
    SQUALL_CHECK(all[i - 1].definition.name != all[i].definition.name, "two checks of one name");
  }
  return all;
}

// Defaults of checks are of these types only; a test makes every default.
ParamValue ParseDefault(const ParamSpec& spec) {
  const std::string& text = spec.default_text;
  switch (spec.type) {
    case ParamType::kInt:
      return ParseInt(text).value();
    case ParamType::kNumber:
      return ParseNumber(text).value();
    case ParamType::kBool:
      return text == "true";
    case ParamType::kDuration:
      return ParseDuration(text).value();
    default:
      return text;
  }
}

std::string TypeName(const ParamSpec& spec) {
  switch (spec.type) {
    case ParamType::kText:
      return "text";
    case ParamType::kWord:
      return fmt::format("`{}`", fmt::join(spec.words, "`, `"));
    case ParamType::kRegex:
      return "regular expression";
    case ParamType::kInt:
      return "integer";
    case ParamType::kNumber:
      return "number";
    case ParamType::kBool:
      return "`true`, `false`";
    case ParamType::kDuration:
      return "duration";
    case ParamType::kSize:
      return "size";
    case ParamType::kRate:
      return "rate";
    case ParamType::kConnections:
      return "connections by number";
    case ParamType::kNode:
      return "name of a node";
    case ParamType::kServer:
      return "name of a server";
    case ParamType::kLink:
      return "name of a link";
    case ParamType::kWorker:
      return "name of a worker";
    case ParamType::kClient:
      return "name of a client";
    case ParamType::kFaultLabel:
      return "label of a fault";
    case ParamType::kTextList:
      return "list of text";
    case ParamType::kDurationList:
      return "list of durations";
    case ParamType::kIntList:
      return "list of integers";
    case ParamType::kJson:
      return "any value";
    case ParamType::kTextMap:
      return "map of text";
    case ParamType::kObject:
      return "object";
  }
  return "";
}

constexpr std::string_view kPageHead = R"(# Checks

What a scenario can expect. Each check is a fold over the journal (docs/journal.md): it sees events and nothing else, so it says the
same of a live run, of a saved journal (`squall judge DIR`) and of a simulated seed.

A verdict is pass, unknown or fail, and the worst of a subject's checks wins. Two rules hold for all:

- **Nothing observed is not a pass.** Where the thing that a check speaks of never happened, the verdict is unknown or fail, as
  stated for each below.
- **Limits of time are inclusive, and must have been observed.** What happens exactly at a limit is in time. A run that ends
  before a limit was reached makes the check unknown, not fail. The run waits after its last step until nothing can change any more.

Upper limits of elapsed time (`within`, the late side of `slack`) are multiplied by `SQUALL_TIMEOUT_SCALE`, which slow builds and
machines set; the report says so when it is not 1, the texts of the verdicts hold the scaled limits, and the journal keeps the factor, so
that `squall judge` applies the same. Lower limits, spans (`for`), counts and codes never change.

Each world says which kinds of event it can see. A check that needs a kind which the world does not see is unknown, whatever it saw.

In parameters, an *event* is written KIND.WORD with fields that must match: `process.exited process=w`,
`worker.fatal detail=/not found/` (a regular expression between slashes), `log.stderr line="two words"`.

## Oracles

They watch every run of every world, unasked; their results are called `oracle:...`. An oracle that had nothing to watch is silent;
those for zombies, shutdowns and work are so, too, where all is well.

- `oracle:no_unexpected_exit`: as the check of that name, for the processes of which no check of the scenario speaks (`exits`,
  `stays_up`, `same_process`, `graceful_stop`, `no_crash_loop`, `nothing_left_running`).
- `oracle:no_zombie`: as the check of that name, for the workers that no `not_zombie` of the scenario names.
- `oracle:no_hung_shutdown`: as the check of that name, for the workers of whose end no check speaks (`exits`, `graceful_stop`,
  `nothing_left_running`).
- `oracle:work_once`: as the check of that name; silent where `no_workflow_lost` is asked for, and for the workflows that a
  `workflow_completed` names.
- `oracle:fault_hit`: every fault that no check of the scenario names could be injected and healed and was met by traffic. If not, the
  verdict is unknown: nothing was tested.

## All checks

This part is made from the table in `scenarios/checks`; a test keeps it so.
)";

}  // namespace

const std::vector<CheckKind>& CheckKinds() {
  static const auto* const kKinds = new std::vector<CheckKind>(AllKinds());
  return *kKinds;
}

const CheckKind* FindCheck(std::string_view name) {
  for (const CheckKind& kind : CheckKinds()) {
    if (kind.definition.name == name) return &kind;
  }
  return nullptr;
}

const CheckTable& Checks() {
  static const auto* const kTable = [] {
    auto* table = new CheckTable;
    for (const CheckKind& kind : CheckKinds()) table->push_back(kind.definition);
    return table;
  }();
  return *kTable;
}

Params WithDefaults(const ParamTable& table, Params params) {
  for (const ParamSpec& spec : table) {
    // An empty text is a default too ("any queue"), and reads the same as none.
    if (!params.Has(spec.name) && !spec.default_text.empty())
      params.Set(spec.name, ParseDefault(spec));
  }
  return params;
}

StatusOr<std::unique_ptr<Checker>> MakeChecker(const CheckSpec& spec, double timeout_scale) {
  const CheckKind* kind = FindCheck(spec.name);
  if (kind == nullptr) {
    std::vector<std::string> names;
    for (const CheckKind& known : CheckKinds()) names.push_back(known.definition.name);
    return MakeStatus(StatusCode::kNotFound, "unknown check '{}'{}", spec.name,
                      DidYouMean(spec.name, names));
  }
  for (const ParamSpec& param : kind->definition.params) {
    if (param.required && !spec.params.Has(param.name)) {
      return MakeStatus(StatusCode::kInvalidArgument, "{}: parameter '{}' is missing", spec.name,
                        param.name);
    }
  }
  try {
    Params params = WithDefaults(kind->definition.params, spec.params);
    for (const ParamSpec& param : kind->definition.params) {
      if (param.upper_limit && params.Has(param.name))
        params.Set(param.name, Times(params.Time(param.name), timeout_scale));
    }
    params.Set(std::string(kTimeoutScale), timeout_scale);
    StatusOr<std::unique_ptr<Checker>> checker = kind->make(params);
    if (!checker.ok()) return Annotate(checker.status(), spec.name);
    return checker;
  } catch (const std::regex_error& e) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}: not a regular expression: {}", spec.name,
                      e.what());
  }
}

std::string ChecksPage() {
  std::string page(kPageHead);
  for (const CheckKind& kind : CheckKinds()) {
    const CheckDefinition& check = kind.definition;
    page += fmt::format("\n### `{}`\n\n{}\n\n", check.name, check.doc);
    page += "| parameter | type | default | meaning |\n|---|---|---|---|\n";
    for (const ParamSpec& param : check.params) {
      const std::string fallback = param.required ? "required"
                                   : param.default_text.empty()
                                       ? ""
                                       : fmt::format("`{}`", param.default_text);
      page += fmt::format("| `{}` | {} | {} | {} |\n", param.name, TypeName(param), fallback,
                          param.doc);
    }
    std::string needs = "by its parameters";
    if (!check.needs.empty()) needs = fmt::format("`{}`", fmt::join(check.needs, "`, `"));
    page += fmt::format("\nNeeds events of kind: {}. Nothing observed: {}.\n\n```yaml\n{}\n```\n",
                        needs, kind.nothing_seen, kind.example);
  }
  return page;
}

}  // namespace squall::scenarios
