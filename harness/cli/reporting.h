#pragma once
// What `squall run` says while it works and at its end, by reports/: progress, the table, and the
// report files.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/cli/timelines.h"
#include "harness/runner/plan.h"
#include "reports/console.h"
#include "reports/result.h"

namespace squall::harness {

struct ReportingOptions {
  std::string run_directory;
  std::size_t planned = 0;  // 0: until one fails
  std::vector<std::string> worlds;
  std::uint64_t seed = 0;
  int jobs = 1;
  std::string junit, json;       // paths of further copies; "" = none
  std::string api_key_variable;  // its value is not shown
};

// Names in the run's folder.
inline constexpr const char* kJUnitFile = "junit.xml";
inline constexpr const char* kSummaryFile = "summary.json";
inline constexpr const char* kTimelineFile = "timeline.html";

Status WriteFile(const std::string& path, const std::string& text);

class Reporting {
 public:
  Reporting(const Clock& clock, ReportingOptions options);

  void Started(const Job& job);
  // While its work folder is still there: takes the timeline.
  void Examine(const reports::SubjectReport& result);
  void Ended(const Job& job, const reports::SubjectReport& result);
  void Tick();
  void Aborting(int signal, std::size_t running);
  // Writes the report files, then prints the table.
  Status Finish(const std::vector<reports::SubjectReport>& results, bool aborted);

 private:
  Duration Elapsed() const { return clock_.Now() - began_; }

  const Clock& clock_;
  const ReportingOptions options_;
  const SteadyTime began_;
  reports::RunReport run_;
  reports::Console console_;
  TimelinePage timelines_;
};

}  // namespace squall::harness
