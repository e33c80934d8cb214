#pragma once
// What the process that ran a subject leaves in its work folder, for the process that started it
// and for whoever looks at it later.

#include <string>

#include "base/util/status.h"
#include "reports/result.h"

namespace squall::reports {

// Names in it.
inline constexpr const char* kJournalFile = "journal.jsonl";
inline constexpr const char* kResultFile = "result.json";
inline constexpr const char* kScenarioFile = "scenario.yaml";

// Written aside and renamed: a result that is there is whole.
Status WriteResult(const std::string& folder, const SubjectReport& result);
// NOT_FOUND where there is none.
StatusOr<SubjectReport> ReadResult(const std::string& folder);

}  // namespace squall::reports
