// squall list: what there is to run, to check and to inject.

#include <algorithm>
#include <cstdio>

#include "base/util/text.h"
#include "harness/cli/library.h"
#include "harness/cli/options.h"
#include "harness/fault/availability.h"
#include "harness/runner/exit_codes.h"
#include "harness/runner/plan.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/fault_page.h"

namespace squall::harness {
namespace {

void PrintParams(const scenarios::ParamTable& params) {
  for (const scenarios::ParamSpec& param : params) {
    const std::string note = param.required ? " (required)"
                             : param.default_text.empty()
                                 ? ""
                                 : fmt::format(" (default {})", param.default_text);
    fmt::print("    {:<16} {}{}\n", param.name, param.doc, note);
  }
}

int PrintExample(const std::string& key) {
  std::vector<std::string> keys;
  for (const scenarios::FaultDefinition& fault : scenarios::FaultCatalogue()) {
    keys.push_back(scenarios::FaultKey(fault));
    if (keys.back() != key) continue;
    fmt::print("{}", scenarios::FaultExample(fault));
    return kExitOk;
  }
  fmt::print(stderr, "there is no fault '{}'{}: TARGET/NAME, as `squall list --faults` has it\n",
             EscapeControl(key), DidYouMean(key, keys));
  return kExitNothingSelected;
}

std::string WorldsOf(const scenarios::Subject& subject) {
  std::vector<std::string_view> names;
  for (const scenarios::WorldKind world : subject.needs.worlds) names.push_back(WorldName(world));
  return fmt::format("{}", fmt::join(names, " "));
}

}  // namespace

int List(const ListCommand& command) {
  if (command.checks) {
    for (const scenarios::CheckDefinition& check : scenarios::Checks()) {
      fmt::print("{}\n    {}\n", check.name, check.doc);
      PrintParams(check.params);
    }
  }
  if (command.faults) {
    for (const scenarios::FaultDefinition& fault : scenarios::FaultCatalogue()) {
      const auto missing = WhyUnavailable(fault, {});
      std::vector<std::string_view> needs;
      for (const scenarios::FaultNeed need : fault.needs)
        needs.push_back(scenarios::FaultNeedText(need));
      fmt::print("{} ({}{}{}){}\n    {} {}\n", scenarios::FaultKey(fault),
                 scenarios::HealingName(fault.healing), needs.empty() ? "" : "; needs ",
                 fmt::join(needs, ", "), missing ? " not available here: " + *missing : "",
                 fault.doc, fault.restored_by);
      PrintParams(fault.params);
    }
  }
  if (!command.example.empty()) return PrintExample(command.example);
  if (command.checks || command.faults) return kExitOk;

  std::vector<std::string> patterns = command.patterns;
  const auto library = LoadScenarios(command.library, &patterns);
  if (!library.ok()) {
    fmt::print(stderr, "{}\n", Message(library.status()));
    return kExitBadScenario;
  }
  for (const Status& error : library->errors) fmt::print(stderr, "{}\n", Message(error));
  Selection selection;
  selection.patterns = patterns;
  selection.tags = command.tags;
  const auto plan = MakePlan(library->scenarios, selection, 0);
  if (!plan.ok()) {
    fmt::print(stderr, "{}\n", Message(plan.status()));
    return kExitNothingSelected;
  }
  const scenarios::Scenario* last = nullptr;
  for (const Job& job : *plan) {
    if (job.scenario != last) {
      fmt::print("{:<6} {}  [{}]\n", job.scenario->id, job.scenario->title,
                 fmt::join(job.scenario->tags, " "));
      last = job.scenario;
    }
    const std::string expect =
        job.subject->expect.pass()
            ? "must pass"
            : fmt::format("must fail: {}", fmt::join(job.subject->expect.fail, ", "));
    fmt::print("         {:<16} {:<40} {}\n", job.subject->name, expect, WorldsOf(*job.subject));
  }
  if (!library->errors.empty()) return kExitBadScenario;
  return plan->empty() ? kExitNothingSelected : kExitOk;
}

}  // namespace squall::harness
