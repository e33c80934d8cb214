#pragma once
// The rows of the table, one function per file of checkers; registry.cc puts them together.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "scenarios/checks/pattern.h"
#include "scenarios/checks/registry.h"

namespace squall::scenarios {

std::vector<CheckKind> WorkflowChecks();
std::vector<CheckKind> ProcessChecks();
std::vector<CheckKind> ShutdownChecks();
std::vector<CheckKind> ConnectionChecks();
std::vector<CheckKind> PollingChecks();
std::vector<CheckKind> CallChecks();
std::vector<CheckKind> OutputChecks();
std::vector<CheckKind> EventChecks();
std::vector<CheckKind> FigureChecks();
std::vector<CheckKind> RestartChecks();
std::vector<CheckKind> WorkChecks();

// For CheckKind::make of checkers that cannot refuse their parameters.
template <typename T>
StatusOr<std::unique_ptr<Checker>> Make(const Params& params) {
  return std::unique_ptr<Checker>(std::make_unique<T>(params));
}

// An event pattern from a parameter; `otherwise` where it is not given.
inline StatusOr<EventPattern> PatternOf(const Params& params, std::string_view name,
                                        std::string_view otherwise) {
  StatusOr<EventPattern> pattern = EventPattern::Parse(params.Text(name, otherwise));
  if (!pattern.ok()) return Annotate(pattern.status(), name);
  return pattern;
}

// A parameter that every checker is made with, for limits whose two sides differ: see MakeChecker.
inline constexpr std::string_view kTimeoutScale = "timeout_scale";
inline Duration Times(Duration limit, double scale) {
  return Duration(std::llround(static_cast<double>(limit.count()) * scale));
}

inline Verdict Pass(std::string expected, std::string happened) {
  return {Outcome::kPass, std::move(expected), std::move(happened)};
}
inline Verdict Unknown(std::string expected, std::string happened) {
  return {Outcome::kUnknown, std::move(expected), std::move(happened)};
}
inline Verdict Fail(std::string expected, std::string happened) {
  return {Outcome::kFail, std::move(expected), std::move(happened)};
}

}  // namespace squall::scenarios
