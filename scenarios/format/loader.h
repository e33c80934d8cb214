#pragma once
// Scenario files: YAML in, typed Scenario out, or one error with its place: "E1.yaml:12:5: worker
// 'w' has no key 'knid' (did you mean 'kind'?)". Pure but for reading the file. All errors are
// kInvalidArgument, a file that cannot be read is kNotFound.

#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"
#include "scenarios/format/check_spec.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// `checks`: what `expect` may name (scenarios/checks' table).
StatusOr<Scenario> LoadScenario(std::string_view text, const std::string& file,
                                const CheckTable& checks);
StatusOr<Scenario> LoadScenarioFile(const std::string& path, const CheckTable& checks);

// All scenarios under `path`: the file itself, or every .yaml of the folder and its sub-folders, in
// the order of their paths. Two files with one id are an error of the second.
struct LibraryEntry {
  std::string path;
  StatusOr<Scenario> scenario;
};
StatusOr<std::vector<LibraryEntry>> LoadLibrary(const std::string& path, const CheckTable& checks);

}  // namespace squall::scenarios
