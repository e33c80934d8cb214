// The catalogue's faults of workers and the processes that host them.

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

constexpr FaultTarget kOnWorker = FaultTarget::kWorker;
constexpr FaultEvidence kInjection = FaultEvidence::kInjection;
constexpr const char* kRestartOnly =
    "Nothing but a restart: by the worker's restart policy or by a step.";
constexpr const char* kNextStart = "Healing, by a start as it was (as `renew` says).";

// How a fault of the next start comes into effect, and goes.
ParamSpec Renew() {
  return {.name = "renew",
          .type = kWord,
          .doc =
              "How the worker is brought to a new start, when the fault comes and when it is "
              "healed: killed, stopped (SIGTERM, then its grace), or not at all.",
          .default_text = "kill",
          .words = {"kill", "stop", "none"}};
}

FaultDefinition Signal(std::string name, std::string doc) {
  return {.name = std::move(name),
          .target = kOnWorker,
          .doc = std::move(doc),
          .healing = Healing::kOneShot,
          .restored_by = kRestartOnly,
          .evidence = kInjection};
}

}  // namespace

std::vector<FaultDefinition> WorkerFaults() {
  return {
      {.name = "cancel",
       .target = kOnWorker,
       .doc = "What runs the worker is cancelled from inside, though nobody asked the process to "
              "end; whether it lives on is the service's own business.",
       .healing = Healing::kOneShot,
       .restored_by = "A service that starts its worker again, or its restart policy.",
       .evidence = kInjection,
       .needs = {FaultNeed::kOurWorker}},
      {.name = "clock_skew",
       .target = kOnWorker,
       .doc = "From its next start on the worker's wall clock is wrong; durations pass as they "
              "should.",
       .params = {{.name = "by", .type = kDuration, .doc = "How much.", .required = true},
                  {.name = "direction",
                   .type = kWord,
                   .doc = "Which way.",
                   .default_text = "behind",
                   .words = {"behind", "ahead"}},
                  {.name = "rate",
                   .type = kNumber,
                   .doc = "How fast it runs from then on: 0.5 is half as fast as it should be.",
                   .default_text = "1",
                   .min = 0.01,
                   .max = 100},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection,
       .needs = {FaultNeed::kFaketime},
       .example = "by: 90s"},
      {.name = "crash_loop",
       .target = kOnWorker,
       .doc = "Each life of the process ends with SIGKILL `after` its start.",
       .params = {{.name = "after",
                   .type = kDuration,
                   .doc = "From each start, and from the injection.",
                   .default_text = "200ms"}},
       .restored_by = "Healing lets the next life live; it begins by the worker's restart policy.",
       .evidence = kInjection},
      {.name = "environment_changed",
       .target = kOnWorker,
       .doc = "From its next start on environment variables have other values: settings that were "
              "reset by a deployment.",
       .params = {{.name = "variables",
                   .type = kTextMap,
                   .doc = "Their names and values.",
                   .required = true},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection,
       .example = "variables: {TEMPORAL_TASK_QUEUE: elsewhere}"},
      {.name = "environment_missing",
       .target = kOnWorker,
       .doc = "From its next start on environment variables are not there.",
       .params = {{.name = "variables", .type = kTextList, .doc = "Their names.", .required = true},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection,
       .example = "variables: [TEMPORAL_TASK_QUEUE]"},
      {.name = "exits_at_once",
       .target = kOnWorker,
       .doc = "From its next start on the program ends at once.",
       .params = {{.name = "code",
                   .type = kInt,
                   .doc = "Its exit code.",
                   .default_text = "1",
                   .min = 0,
                   .max = 255},
                  {.name = "message",
                   .type = kText,
                   .doc = "What it says on standard error.",
                   .default_text = "cannot start"},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection},
      {.name = "ignores_sigterm",
       .target = kOnWorker,
       .doc = "From its next start on the worker runs below a shell that takes SIGTERM and passes "
              "nothing on, as behind a start script.",
       .params = {Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection},
      Signal("interrupt", "SIGINT, as Ctrl-C sends it; its end is not waited for."),
      Signal("kill", "SIGKILL, to its whole process group."),
      {.name = "out_of_files",
       .target = kOnWorker,
       .doc = "The process may open no more descriptors than it has (RLIMIT_NOFILE): EMFILE.",
       .params = {{.name = "left",
                   .type = kInt,
                   .doc = "How many it may still open.",
                   .default_text = "0",
                   .min = 0}},
       .restored_by = "Healing: the limit is as before, for lives that began meanwhile as well.",
       .evidence = kInjection},
      {.name = "out_of_memory",
       .target = kOnWorker,
       .doc = "The process gets no more memory than it has (RLIMIT_AS); most programs die of it.",
       .params = {{.name = "headroom",
                   .type = kSize,
                   .doc = "How much it still gets.",
                   .default_text = "0B",
                   .min = 0}},
       .restored_by = "Healing: the limit is as before; a process that died comes back by its "
                      "restart policy.",
       .evidence = kInjection},
      {.name = "pause",
       .target = kOnWorker,
       .doc = "SIGSTOP: the process stands still, its connections stay.",
       .restored_by = "Healing: SIGCONT.",
       .evidence = kInjection},
      {.name = "slow_start",
       .target = kOnWorker,
       .doc = "From its next start on the program takes `delay` before it does anything.",
       .params = {{.name = "delay", .type = kDuration, .doc = "How long.", .required = true},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection,
       .example = "delay: 5s"},
      Signal("terminate", "SIGTERM, as a platform sends it; its end is not waited for."),
      {.name = "wrong_program",
       .target = kOnWorker,
       .doc = "From its next start on another program runs in the worker's place, and looks alive; "
              "or none, where it does not exist.",
       .params = {{.name = "command",
                   .type = kTextList,
                   .doc = "Program and arguments.",
                   .required = true},
                  Renew()},
       .restored_by = kNextStart,
       .evidence = kInjection,
       .example = "command: [tail, -f, /dev/null]"},
  };
}

}  // namespace squall::scenarios
