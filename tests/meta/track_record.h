#pragma once
// The track record of the incidents in docs/incidents.md: a row for each subject of the library,
// with what it must be caught by, what runs in it, and what came of it in each world. All but what
// came of it is made from the library; that is measured, and kept until the next measurement.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reports/result.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// What came of each subject in each world: "caught in 3.1 s", by "E1/broken/fake".
struct Outcomes {
  std::string measured;  // one sentence: when, what, how long
  std::map<std::string, std::string> cells;
};

// Of a run; `commit` says of what.
Outcomes OutcomesOf(const reports::RunReport& run, std::string_view commit);
// Of a track record as TrackRecord writes it.
Outcomes OutcomesIn(std::string_view track_record);

// The section, from its first line to the end of the page. What has no outcome is "not measured".
std::string TrackRecord(const std::vector<Scenario>& library, const Outcomes& outcomes);

// Whether a cell can be what comes of a subject of whom that is expected.
bool Plausible(const Subject& subject, std::string_view cell);

// What runs in a subject: core, python, service, platform, typescript; sorted.
std::vector<std::string> ProgramsOf(const Subject& subject);

// The cells of a row of a Markdown table, trimmed; none for any other line.
std::vector<std::string> CellsOf(std::string_view line);

inline constexpr std::string_view kTrackRecordHeading = "## Track record\n";
inline constexpr std::string_view kNotMeasured = "not measured";

}  // namespace squall::scenarios
