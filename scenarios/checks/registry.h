#pragma once
// All checks that a scenario can ask for: their table for the loader and the documentation, and the
// making of checkers.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"
#include "scenarios/checks/checker.h"
#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

// One row of the table.
struct CheckKind {
  CheckDefinition definition;
  std::string nothing_seen;  // the verdict where nothing relevant was observed, in words
  std::string example;       // one line of YAML
  // Parameters are complete (defaults filled in). Errors name the parameter whose value makes no
  // sense.
  std::function<StatusOr<std::unique_ptr<Checker>>(const Params&)> make;
};

// In alphabetical order; lives as long as the program.
const std::vector<CheckKind>& CheckKinds();
// Null for a name that is none.
const CheckKind* FindCheck(std::string_view name);
// The definitions alone: what the loader is given.
const CheckTable& Checks();

// Makes the checker that `spec` asks for; absent parameters take their defaults. NOT_FOUND for an
// unknown name (with the nearest one); INVALID_ARGUMENT for values that the table alone cannot
// refuse (event patterns, combinations). `squall check` calls it for every check of every file.
// `timeout_scale` (>= 1) multiplies every upper limit of elapsed time: the machine, or a build with
// sanitizers, is that much slower. What is due no earlier than a time, and how often, stays.
StatusOr<std::unique_ptr<Checker>> MakeChecker(const CheckSpec& spec, double timeout_scale = 1);

// `params` with the defaults of `table` where they lack a value.
Params WithDefaults(const ParamTable& table, Params params);

// docs/checks.md: the reference of all checks, made from the table.
std::string ChecksPage();

}  // namespace squall::scenarios
