#pragma once
// Runs one subject in this process, from the empty work folder to result.json: what `squall
// run-one` does.

#include <cstdint>
#include <optional>
#include <string>

#include "base/util/status.h"
#include "harness/runner/environment.h"
#include "reports/result.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

struct SubjectRunOptions {
  std::string file;  // of the scenario
  std::string subject;
  scenarios::WorldKind world = scenarios::WorldKind::kFake;
  std::uint64_t seed = 1;      // of the subject
  std::string work_directory;  // exists, empty
  std::optional<ExternalServer> external;
};

// Writes the journal, the result and a copy of the scenario. SIGINT and SIGTERM abort it: the
// result says so. Errors are those of getting started. Nothing but this may run in the process: the
// leak check looks at all of it.
StatusOr<reports::SubjectReport> RunSubject(const SubjectRunOptions& options);

}  // namespace squall::harness
