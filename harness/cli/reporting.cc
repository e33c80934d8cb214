#include "harness/cli/reporting.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/journal/journal.h"
#include "harness/runner/subject_run.h"
#include "reports/junit.h"
#include "reports/summary.h"

namespace squall::harness {
namespace {

using scenarios::Outcome;

// Enough to see the last words of everything that ran, short enough for a terminal.
constexpr std::size_t kLastLines = 12;

reports::Verdict ToVerdict(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return reports::Verdict::kPass;
    case Outcome::kUnknown:
      return reports::Verdict::kUnknown;
    case Outcome::kFail:
      return reports::Verdict::kFail;
  }
  return reports::Verdict::kUnknown;
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) return MakeStatus(StatusCode::kUnavailable, "{}: cannot be written", path);
  return absl::OkStatus();
}

void WriteOut(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

reports::SubjectReport ToReport(const SubjectResult& result) {
  reports::SubjectReport report;
  report.scenario = result.scenario;
  report.title = result.title;
  report.file = result.file;
  report.subject = result.subject;
  report.world = result.world;
  report.repetition = result.repetition;
  report.seed = result.seed;
  report.skipped = result.skipped;
  report.expected_failures = result.expected_failures;
  report.verdict = ToVerdict(result.verdict);
  report.caught = result.caught;
  report.explanation = result.explanation;
  for (const scenarios::CheckResult& check : result.checks) {
    report.checks.push_back(
        {check.check, ToVerdict(check.outcome), check.expected, check.happened});
  }
  report.flaky = result.flaky;
  report.timed_out = result.timed_out;
  report.aborted = result.aborted;
  report.leaks = result.leaks;
  report.took = result.took;
  report.began = result.began;
  report.versions = result.versions;
  report.work_directory = result.work_directory;
  report.repeat_command = result.repeat_command;
  if (report.ran() && !report.good() && !result.work_directory.empty()) {
    const auto events = journal::ReadFile(result.work_directory + "/" + kJournalFile);
    if (events.ok()) report.last_lines = reports::LastLines(*events, kLastLines);
  }
  return report;
}

Reporting::Reporting(const Clock& clock, ReportingOptions options)
    : clock_(clock),
      options_(std::move(options)),
      began_(clock.Now()),
      console_(reports::ConsoleOptionsFor(STDOUT_FILENO), WriteOut) {
  run_.version = SQUALL_VERSION;
  run_.worlds = options_.worlds;
  run_.jobs = options_.jobs;
  run_.seed = options_.seed;
  run_.planned = options_.planned;
  run_.began = clock.WallNow();
  run_.directory = options_.run_directory;
  console_.Begin(run_);
}

void Reporting::Started(const Job& job) { console_.Started(job.Label(), Elapsed()); }

void Reporting::Ended(const Job& job, const SubjectResult& result) {
  console_.Finished(job.Label(), ToReport(result), Elapsed());
}

void Reporting::Tick() { console_.Tick(Elapsed()); }

void Reporting::Aborting(int signal, std::size_t running) {
  console_.Notice(fmt::format("signal {}: stopping {} running subject{}; once more kills", signal,
                              running, running == 1 ? "" : "s"));
}

Status Reporting::Finish(const std::vector<SubjectResult>& results, bool aborted) {
  run_.took = Elapsed();
  run_.aborted = aborted;
  for (const SubjectResult& result : results) run_.subjects.push_back(ToReport(result));
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const std::string junit = reports::JUnitXml(run_, host.data());
  const std::string json = reports::SummaryJson(run_);
  Status status = WriteFile(options_.run_directory + "/" + kJUnitFile, junit);
  status.Update(WriteFile(options_.run_directory + "/" + kSummaryFile, json));
  if (!options_.junit.empty()) status.Update(WriteFile(options_.junit, junit));
  if (!options_.json.empty()) status.Update(WriteFile(options_.json, json));
  console_.End(run_);
  return status;
}

}  // namespace squall::harness
