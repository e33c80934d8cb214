// squall run-one: one subject in this process; started by `squall run`, which reads result.json.

#include <cstdio>

#include "harness/cli/options.h"
#include "harness/process/guardian.h"
#include "harness/runner/exit_codes.h"
#include "harness/runner/subject_run.h"

namespace squall::harness {

int RunOne(const RunOneCommand& command) {
  GuardianOptions guardian;
  guardian.name = "squall-subject";
  if (const Status status = EnterGuardian(guardian); !status.ok()) {
    fmt::print(stderr, "{}\n", Message(status));
    return kExitUnknown;
  }
  SubjectRunOptions options;
  options.file = command.file;
  options.subject = command.subject;
  options.world = command.world;
  options.seed = command.seed;
  options.work_directory = command.work;
  options.external = command.external;
  const auto result = RunSubject(options);
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", Message(result.status()));
    return kExitUnknown;
  }
  return kExitOk;
}

}  // namespace squall::harness
