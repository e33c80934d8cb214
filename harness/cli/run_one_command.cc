// squall run-one: one subject in this process; started by `squall run`, which reads result.json.

#include <unistd.h>

#include <cstdio>

#include "harness/cli/options.h"
#include "harness/process/guardian.h"
#include "harness/runner/exit_codes.h"
#include "harness/runner/grpc_anchor.h"
#include "harness/runner/subject_run.h"

namespace squall::harness {
namespace {

// Without static destructors: gRPC's threads are still there (grpc_anchor.h). The result is on disk by now.
[[noreturn]] void End(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

int RunOne(const RunOneCommand& command) {
  GuardianOptions guardian;
  guardian.name = "squall-subject";
  if (const Status status = EnterGuardian(guardian); !status.ok()) {
    fmt::print(stderr, "{}\n", Message(status));
    return kExitUnknown;
  }
  AnchorGrpc();
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
    End(kExitUnknown);
  }
  End(kExitOk);
}

}  // namespace squall::harness
