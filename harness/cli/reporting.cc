#include "harness/cli/reporting.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/journal/journal.h"
#include "reports/junit.h"
#include "reports/summary.h"
#include "reports/work_folder.h"

namespace squall::harness {
namespace {

// Enough to see the last words of everything that ran, short enough for a terminal.
constexpr std::size_t kLastLines = 12;

void WriteOut(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// With what it said last, for a subject that is not as it should be.
reports::SubjectReport WithLastLines(reports::SubjectReport report) {
  if (report.ran() && !report.good() && !report.work_directory.empty()) {
    const auto events = journal::ReadFile(report.work_directory + "/" + reports::kJournalFile);
    if (events.ok()) report.last_lines = reports::LastLines(*events, kLastLines);
  }
  return report;
}

}  // namespace

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) return MakeStatus(StatusCode::kUnavailable, "{}: cannot be written", path);
  return absl::OkStatus();
}

Reporting::Reporting(const Clock& clock, ReportingOptions options)
    : clock_(clock),
      options_(std::move(options)),
      began_(clock.Now()),
      console_(reports::ConsoleOptionsFor(STDOUT_FILENO), WriteOut),
      timelines_(SecretsOfEnvironment(options_.api_key_variable)) {
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

void Reporting::Examine(const reports::SubjectReport& result) {
  // One that was killed before it wrote anything has no journal: the page says that it has no
  // timeline.
  timelines_.Add(result, result.work_directory).IgnoreError();
}

void Reporting::Ended(const Job& job, const reports::SubjectReport& result) {
  console_.Finished(job.Label(), WithLastLines(result), Elapsed());
}

void Reporting::Tick() { console_.Tick(Elapsed()); }

void Reporting::Aborting(int signal, std::size_t running) {
  console_.Notice(fmt::format("signal {}: stopping {} running subject{}; once more kills", signal,
                              running, running == 1 ? "" : "s"));
}

Status Reporting::Finish(const std::vector<reports::SubjectReport>& results, bool aborted) {
  run_.took = Elapsed();
  run_.aborted = aborted;
  for (const reports::SubjectReport& result : results)
    run_.subjects.push_back(WithLastLines(result));
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const std::string junit = reports::JUnitXml(run_, host.data());
  const std::string json = reports::SummaryJson(run_);
  Status status = WriteFile(options_.run_directory + "/" + kJUnitFile, junit);
  status.Update(WriteFile(options_.run_directory + "/" + kSummaryFile, json));
  status.Update(WriteFile(options_.run_directory + "/" + kTimelineFile, timelines_.Html(run_)));
  if (!options_.junit.empty()) status.Update(WriteFile(options_.junit, junit));
  if (!options_.json.empty()) status.Update(WriteFile(options_.json, json));
  console_.End(run_);
  return status;
}

}  // namespace squall::harness
