// squall check: load everything, run nothing.

#include <cstdio>

#include "harness/cli/library.h"
#include "harness/cli/options.h"
#include "harness/runner/environment.h"
#include "harness/runner/exit_codes.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/schema.h"

namespace squall::harness {

int Check(const CheckCommand& command) {
  if (command.schema) {
    std::fputs(scenarios::JsonSchema(scenarios::Checks()).c_str(), stdout);
    return kExitOk;
  }
  if (command.reference) {
    std::fputs(scenarios::ReferenceMarkdown(scenarios::Checks()).c_str(), stdout);
    return kExitOk;
  }
  std::vector<std::string> paths = command.paths;
  if (paths.empty())
    paths.push_back(command.library.library.empty() ? DefaultLibrary() : command.library.library);
  const LoadedLibrary library = LoadPaths(paths);
  for (const Status& error : library.errors) fmt::print(stderr, "{}\n", Message(error));
  std::size_t subjects = 0;
  for (const scenarios::Scenario& scenario : library.scenarios)
    subjects += scenario.subjects.size();
  if (!library.errors.empty()) {
    fmt::print(stderr, "{} of {} scenarios do not load\n", library.errors.size(),
               library.errors.size() + library.scenarios.size());
    return kExitBadScenario;
  }
  if (library.scenarios.empty()) {
    fmt::print(stderr, "no scenario there: a scenario is a file that ends in .yaml\n");
    return kExitNothingSelected;
  }
  fmt::print("{} scenarios with {} subjects load\n", library.scenarios.size(), subjects);
  return kExitOk;
}

}  // namespace squall::harness
