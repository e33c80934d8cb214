#pragma once
// How a diagnosis is shown: on the terminal, as JSON with a stable schema, as JUnit. Pure
// functions.

#include <string>
#include <vector>

#include "harness/doctor/diagnosis.h"

namespace squall::doctor {

// Takes the secrets, and whatever looks like one, out of every text of the diagnosis.
Diagnosis Redacted(Diagnosis diagnosis, const std::vector<std::string>& secrets);

struct ShowOptions {
  std::size_t width = 100;
  bool colour = false;
  bool settings = false;  // where each effective value came from
};
// The table, then one paragraph: cause, evidence, fix.
std::string AsText(const Diagnosis& diagnosis, const ShowOptions& options);

// {"schema": "squall-doctor/1", "verdict": ..., "cause": {...}, "checks": [...], ...}:
// docs/doctor.md. Keys are only ever added to the schema.
std::string AsJson(const Diagnosis& diagnosis);

// One suite, one case for each row of the table.
std::string AsJUnit(const Diagnosis& diagnosis);

}  // namespace squall::doctor
