// The catalogue's faults of servers. They go only into servers that squall started.

#include "base/util/status.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

constexpr FaultTarget kOnServer = FaultTarget::kServer;

ParamSpec Methods() {
  return {.name = "methods",
          .type = kTextList,
          .doc = "Method names; a trailing * matches any ending.",
          .required = true};
}
ParamSpec KeepData() {
  return {.name = "keep_data",
          .type = kBool,
          .doc = "Namespaces and workflows survive. Default: as the server's `data` says."};
}
// Every status of a call that failed.
std::vector<std::string> FailureCodes() {
  std::vector<std::string> names;
  for (int code = 1; code <= 16; ++code) names.emplace_back(CodeName(code));
  return names;
}

}  // namespace

std::vector<FaultDefinition> ServerFaults() {
  constexpr FaultEvidence kInjection = FaultEvidence::kInjection;
  return {
      {.name = "data_lost",
       .target = kOnServer,
       .doc = "Kills the server and starts it again on the same port without its data: workflows "
              "are gone, namespaces new.",
       .healing = Healing::kOneShot,
       .restored_by =
           "The server is back when the injection is done; what it knew is lost for good.",
       .evidence = kInjection},
      {.name = "kill",
       .target = kOnServer,
       .doc = "SIGKILL; connections are closed by the kernel.",
       .healing = Healing::kRestart,
       .restored_by = "Healing starts it again on the same port, with its data where it keeps any.",
       .evidence = kInjection},
      {.name = "namespace_delete",
       .target = kOnServer,
       .doc = "Deletes a namespace while it is in use.",
       .params = {{.name = "namespace", .type = kText, .doc = "Which.", .default_text = "default"}},
       .restored_by = "Healing registers the same name again; its workflows are lost for good.",
       .evidence = kInjection},
      {.name = "pause",
       .target = kOnServer,
       .doc = "SIGSTOP: connections stand, the kernel accepts new ones, nothing is answered.",
       .restored_by = "Healing: SIGCONT.",
       .evidence = kInjection},
      {.name = "restart",
       .target = kOnServer,
       .doc = "Stops it and starts it again on the same port.",
       .params = {KeepData(),
                  {.name = "down_for",
                   .type = kDuration,
                   .doc = "Between its end and the new start.",
                   .default_text = "0s"},
                  {.name = "kill",
                   .type = kBool,
                   .doc = "SIGKILL instead of a graceful stop.",
                   .default_text = "false"}},
       .healing = Healing::kOneShot,
       .restored_by = "It is back when the injection is done.",
       .evidence = kInjection,
       .example = "down_for: 1s"},
      {.name = "rpc_error",
       .target = kOnServer,
       .doc =
           "The server refuses calls of these methods with a gRPC status before it handles them.",
       .params =
           {Methods(),
            {.name = "code",
             .type = kWord,
             .doc = "The status.",
             .required = true,
             .words = FailureCodes()},
            {.name = "message", .type = kText, .doc = "Its message.", .default_text = "injected"}},
       .restored_by = "Healing.",
       .needs = {FaultNeed::kFakeServer},
       .example = "methods: StartWorkflow*, code: UNAVAILABLE"},
      {.name = "server_down",
       .target = kOnServer,
       .doc = "Stops the server (SIGKILL of a process).",
       .params = {KeepData()},
       .healing = Healing::kRestart,
       .restored_by = "Healing starts it again on the same port.",
       .evidence = kInjection},
      {.name = "stop",
       .target = kOnServer,
       .doc = "Asks it to stop (SIGTERM: GOAWAY, then closed), and waits for its end.",
       .healing = Healing::kRestart,
       .restored_by = "Healing starts it again on the same port, with its data where it keeps any.",
       .evidence = kInjection},
  };
}

}  // namespace squall::scenarios
