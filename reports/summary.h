#pragma once
// The results of a run as JSON: summary.json, for programs. Described in docs/reports.md.

#include <string>
#include <string_view>

#include "base/util/status.h"
#include "reports/result.h"

namespace squall::reports {

// Changes when a key changes its meaning or goes away; new keys do not change it.
inline constexpr int kSummaryVersion = 1;

std::string SummaryJson(const RunReport& run);
// INVALID_ARGUMENT for what is no summary, or one of another version.
StatusOr<RunReport> SummaryFromJson(std::string_view text);

// One subject alone: result.json, what the process that ran it hands to the one that started it.
std::string SubjectJson(const SubjectReport& subject);
StatusOr<SubjectReport> SubjectFromJson(std::string_view text);

}  // namespace squall::reports
