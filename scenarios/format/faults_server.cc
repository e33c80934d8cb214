// The catalogue's faults of servers. They go only into servers that squall started.

#include "base/util/status.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

constexpr FaultTarget kOnServer = FaultTarget::kServer;

ParamSpec Methods(std::string otherwise) {
  return {.name = "methods",
          .type = kTextList,
          .doc = "Method names; stars match anything.",
          .required = otherwise.empty(),
          .default_text = std::move(otherwise)};
}
ParamSpec NamespaceName() {
  return {.name = "namespace", .type = kText, .doc = "Which.", .default_text = "default"};
}
ParamSpec ShareOfCalls() {
  return {.name = "probability",
          .type = kNumber,
          .doc = "Of each call to be met; from the run's seed.",
          .default_text = "1",
          .min = 0,
          .max = 1};
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
      {.name = "delayed_start",
       .target = kOnServer,
       .doc = "The server's next starts take `delay` longer; until then its port is closed.",
       .params =
           {{.name = "delay", .type = kDuration, .doc = "How much longer.", .required = true}},
       .restored_by = "The start itself; healing lets one that waits begin at once.",
       .example = "delay: 2s",
       .during = "restart: {node: temporal, how: kill}"},
      {.name = "frontend_down",
       .target = kOnServer,
       .doc =
           "One of its front ends dies: its connections are reset, new ones are refused, and the "
           "others serve on.",
       .params = {{.name = "number",
                   .type = kInt,
                   .doc = "Which, counted from 1.",
                   .default_text = "1",
                   .min = 1}},
       .restored_by = "Healing: it is there again.",
       .evidence = kInjection,
       .needs = {FaultNeed::kFrontEnds}},
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
       .restored_by = "Healing registers the same name again; its workflows are lost for good, and "
                      "polls that are held belong to the old one, for up to a minute.",
       .evidence = kInjection,
       .afterwards = "restart: {node: w, how: kill}"},
      {.name = "namespace_missing",
       .target = kOnServer,
       .doc = "Calls for a namespace are answered as if it did not exist: NOT_FOUND, `Namespace X "
              "is not found.`.",
       .params = {NamespaceName()},
       .restored_by = "Healing: the namespace is there again, with all its workflows.",
       .needs = {FaultNeed::kFakeServer}},
      {.name = "namespace_reregister",
       .target = kOnServer,
       .doc = "Deletes a namespace in use and registers one of the same name at once.",
       .params = {NamespaceName()},
       .healing = Healing::kOneShot,
       .restored_by =
           "The namespace is there when the injection is done; its workflows are lost for "
           "good, and polls that are held belong to the old one, for up to a minute.",
       .evidence = kInjection,
       .afterwards = "restart: {node: w, how: kill}"},
      {.name = "pause",
       .target = kOnServer,
       .doc = "SIGSTOP: connections stand, the kernel accepts new ones, nothing is answered.",
       .restored_by = "Healing: SIGCONT.",
       .evidence = kInjection},
      {.name = "permission_denied",
       .target = kOnServer,
       .doc = "Permission is taken away: calls are refused, as with a key that was revoked; polls "
              "that are held stay held.",
       .params = {Methods("*"),
                  {.name = "code",
                   .type = kWord,
                   .doc = "Not allowed to do it, or not known at all.",
                   .default_text = "PERMISSION_DENIED",
                   .words = {"PERMISSION_DENIED", "UNAUTHENTICATED"}},
                  {.name = "message",
                   .type = kText,
                   .doc = "As the server words it.",
                   .default_text = "Request unauthorized."}},
       .restored_by = "Healing.",
       .needs = {FaultNeed::kFakeServer}},
      {.name = "rate_limited",
       .target = kOnServer,
       .doc = "Calls are refused with RESOURCE_EXHAUSTED, as over a namespace's rate limit.",
       .params = {Methods("*"),
                  ShareOfCalls(),
                  {.name = "message",
                   .type = kText,
                   .doc = "As the server words it.",
                   .default_text = "namespace rate limit exceeded"}},
       .restored_by = "Healing.",
       .needs = {FaultNeed::kFakeServer}},
      {.name = "read_only",
       .target = kOnServer,
       .doc = "Calls that would change something fail with UNAVAILABLE, as on a database that has "
              "become a standby; reads and polls go on.",
       .params = {{.name = "message",
                   .type = kText,
                   .doc = "As the database words it.",
                   .default_text =
                       "cannot execute UPDATE in a read-only transaction (SQLSTATE 25006)"}},
       .restored_by = "Healing.",
       .needs = {FaultNeed::kFakeServer}},
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
      {.name = "rolling_restart",
       .target = kOnServer,
       .doc = "Its front ends go away and come back, one after the other; data are untouched.",
       .params = {{.name = "down_for",
                   .type = kDuration,
                   .doc = "How long each is away.",
                   .default_text = "1s"},
                  {.name = "pause",
                   .type = kDuration,
                   .doc = "Between the return of one and the end of the next.",
                   .default_text = "1s"}},
       .healing = Healing::kOneShot,
       .restored_by = "Each front end comes back by itself; clients connect again.",
       .evidence = kInjection,
       .needs = {FaultNeed::kFrontEnds}},
      {.name = "rpc_error",
       .target = kOnServer,
       .doc =
           "The server refuses calls of these methods with a gRPC status before it handles them.",
       .params =
           {Methods(""),
            {.name = "code",
             .type = kWord,
             .doc = "The status.",
             .required = true,
             .words = FailureCodes()},
            {.name = "message", .type = kText, .doc = "Its message.", .default_text = "injected"},
            ShareOfCalls()},
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
      {.name = "slow",
       .target = kOnServer,
       .doc =
           "Every call is handled `delay` later; connections and calls that are held already are "
           "not met.",
       .params = {{.name = "delay", .type = kDuration, .doc = "How much later.", .required = true},
                  Methods("*")},
       .restored_by = "Healing; calls that were met already are answered when they are due.",
       .needs = {FaultNeed::kFakeServer},
       .example = "delay: 300ms"},
      {.name = "stop",
       .target = kOnServer,
       .doc = "Asks it to stop (SIGTERM: GOAWAY, then closed), and waits for its end.",
       .healing = Healing::kRestart,
       .restored_by = "Healing starts it again on the same port, with its data where it keeps any.",
       .evidence = kInjection},
  };
}

}  // namespace squall::scenarios
