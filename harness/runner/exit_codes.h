#pragma once
// The exit codes of squall: part of its interface, described in docs/cli.md.

namespace squall::harness {

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 2,             // wrong command line
  kExitNothingSelected = 4,   // no scenario fits the filters
  kExitScenarioFailed = 100,  // at least one subject's verdict is fail
  kExitUnknown = 101,         // none failed, at least one is unknown: the infrastructure's fault
  kExitBadScenario = 102,     // a scenario file does not load
  kExitMissingRequirement = 103,  // --strict, and something that a scenario needs is missing
  kExitTimeout = 104,             // none failed, at least one ran into its time-out
  kExitAborted = 105,             // SIGINT or SIGTERM; the reports are partial
};

}  // namespace squall::harness
