#include "harness/cli/library.h"

#include <filesystem>

#include "harness/runner/environment.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "scenarios/format/yaml_document.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;

bool LooksLikePath(const std::string& pattern) {
  return pattern.ends_with(".yaml") || pattern.ends_with(".yml") || pattern.starts_with("./") ||
         pattern.starts_with("../") || pattern.starts_with("/");
}

}  // namespace

LoadedLibrary LoadPaths(const std::vector<std::string>& paths) {
  LoadedLibrary library;
  for (const std::string& path : paths) {
    auto entries = scenarios::LoadLibrary(path, scenarios::Checks());
    if (!entries.ok()) {
      library.errors.push_back(entries.status());
      continue;
    }
    for (scenarios::LibraryEntry& entry : *entries) {
      if (!entry.scenario.ok()) {
        library.errors.push_back(entry.scenario.status());
        continue;
      }
      bool good = true;
      for (const scenarios::Subject& subject : entry.scenario->subjects) {
        for (const scenarios::CheckSpec& check : subject.checks) {
          const Status made = scenarios::MakeChecker(check).status();
          if (made.ok() || !good) continue;  // the same check stands in every subject
          library.errors.push_back(scenarios::ErrorAt(check.pos, Message(made)));
          good = false;
        }
      }
      if (good) library.scenarios.push_back(*std::move(entry.scenario));
    }
  }
  return library;
}

StatusOr<LoadedLibrary> LoadScenarios(const LibraryOptions& options,
                                      std::vector<std::string>* patterns) {
  std::vector<std::string> paths, names;
  for (const std::string& pattern : *patterns)
    (LooksLikePath(pattern) ? paths : names).push_back(pattern);
  *patterns = names;
  if (paths.empty() || !names.empty()) {
    const std::string library = options.library.empty() ? DefaultLibrary() : options.library;
    std::error_code error;
    if (!fs::is_directory(library, error)) {
      return MakeStatus(StatusCode::kNotFound,
                        "the library {} is no folder; say where it is with --library", library);
    }
    paths.insert(paths.begin(), library);
  }
  return LoadPaths(paths);
}

}  // namespace squall::harness
