#pragma once
// What is made from the tables beside the loader: the JSON Schema for editors and the reference for
// docs/scenarios.md.

#include <string>

#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

// A JSON Schema (draft 2020-12) of scenario files, indented.
std::string JsonSchema(const CheckTable& checks);

// Markdown: a table of keys per object, verb, fault and check.
std::string ReferenceMarkdown(const CheckTable& checks);

}  // namespace squall::scenarios
