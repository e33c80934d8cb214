#pragma once
// What came of a run, as plain values: the process that ran a subject writes one SubjectReport, the
// process that started it reads it and gathers them in a RunReport. Every report is a pure function
// of that.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/journal/verdict.h"
#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::reports {

// One subject of one scenario in one world, once.
struct SubjectReport {
  std::string scenario;  // id: E1
  std::string title, file;
  std::string subject, world;
  int repetition = 1;
  std::uint64_t seed = 0;                      // --seed that repeats it
  std::string skipped;                         // the reason; "" = it ran
  std::vector<std::string> expected_failures;  // checks that were to fail; empty: it was to pass
  journal::Outcome verdict = journal::Outcome::kUnknown;
  bool caught = false;      // it was to fail, and exactly the named checks did
  std::string explanation;  // one line; "" where all is as it should be
  std::vector<journal::CheckResult> checks;
  bool flaky = false;  // its repetitions differ
  bool timed_out = false, aborted = false;
  std::vector<std::string> leaks;  // what was left after the clean-up
  Duration took{};
  WallTime began{};
  std::map<std::string, std::string> versions;
  std::string work_directory;  // journal.jsonl, logs, scenario.yaml; "" = not kept
  std::string repeat_command;
  std::vector<std::string> last_lines;  // of output, for subjects that are not as they should be

  bool ran() const { return skipped.empty(); }
  bool broken() const { return !expected_failures.empty(); }
  // Ran, and all is as it should be.
  bool good() const { return ran() && verdict == journal::Outcome::kPass && leaks.empty(); }
  std::string Label() const;  // "E1/broken", "E1/broken#2"
};

// PASS: as expected. CAUGHT: broken, and caught by exactly the checks named. FAIL. MISSED: broken,
// and not caught so. UNKNOWN. SKIP. LEAK: else good, but left something behind. FLAKY: else good,
// but its repetitions differ.
enum class StatusWord { kPass, kCaught, kFail, kMissed, kUnknown, kSkip, kFlaky, kLeak };
StatusWord StatusOf(const SubjectReport& subject);
std::string_view StatusWordText(StatusWord word);

struct RunReport {
  std::string version;  // squall's own
  std::vector<std::string> worlds;
  int jobs = 1;
  std::uint64_t seed = 0;
  std::size_t planned = 0;  // subjects; 0 = until one fails
  WallTime began{};
  Duration took{};
  bool aborted = false;   // the results are what there was
  std::string directory;  // where reports and work folders lie
  std::vector<SubjectReport> subjects;
};

struct Counts {
  std::size_t ran = 0, passed = 0, caught = 0, failed = 0, missed = 0, unknown = 0, skipped = 0,
              flaky = 0, leaky = 0;
};
// flaky counts every subject that is marked so, passed or not; leaky every one that left something.
Counts CountOf(std::span<const SubjectReport> subjects);

// All versions that took part, of all subjects; where two differ, both: "1.9.1, 1.9.0".
std::map<std::string, std::string> VersionsOf(std::span<const SubjectReport> subjects);

// "E2" before "E10": letters as text, digits as numbers.
bool NaturalLess(std::string_view a, std::string_view b);

// The last `count` lines of output in a journal, as "process | line", control characters escaped.
// With `of`, only those of that process.
std::vector<std::string> LastLines(std::span<const journal::Event> events, std::size_t count,
                                   std::string_view of = "");

}  // namespace squall::reports
