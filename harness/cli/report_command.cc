// squall report: the timeline page of journals that are there already: a whole run, single work
// folders, or journal files.

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/cli/options.h"
#include "harness/cli/reporting.h"
#include "harness/cli/timelines.h"
#include "harness/runner/exit_codes.h"
#include "reports/summary.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;

StatusOr<reports::RunReport> ReadSummary(const std::string& folder) {
  const std::string path = folder + "/" + kSummaryFile;
  std::ifstream file(path, std::ios::binary);
  if (!file) return MakeStatus(StatusCode::kNotFound, "{}: no such file", path);
  std::ostringstream text;
  text << file.rdbuf();
  auto run = reports::SummaryFromJson(text.str());
  if (!run.ok()) return Annotate(run.status(), path);
  return run;
}

// The result as the run's summary has it: it knows the command that repeats it.
void AdoptSummary(const std::string& path, reports::SubjectReport* subject) {
  const fs::path folder =
      fs::weakly_canonical(fs::is_directory(path) ? fs::path(path) : fs::path(path).parent_path());
  const auto run = ReadSummary(folder.parent_path().string());
  if (!run.ok()) return;
  for (const reports::SubjectReport& known : run->subjects) {
    if (!known.work_directory.empty() &&
        fs::path(known.work_directory).filename() == folder.filename()) {
      *subject = known;
      return;
    }
  }
}

Status AddPath(const std::string& path, TimelinePage* page, reports::RunReport* all) {
  if (!fs::exists(path))
    return MakeStatus(StatusCode::kNotFound, "{}: no such file or folder", path);
  if (fs::exists(path + "/" + kSummaryFile)) {
    SQUALL_ASSIGN_OR_RETURN(reports::RunReport run, ReadSummary(path));
    for (reports::SubjectReport& subject : run.subjects) {
      // The folder may have moved since: its name has not.
      const std::string folder = path + "/" + fs::path(subject.work_directory).filename().string();
      if (!subject.work_directory.empty() && fs::exists(folder))
        SQUALL_RETURN_IF_ERROR(page->Add(subject, folder));
    }
    if (all->subjects.empty()) {
      *all = std::move(run);
    } else {
      all->subjects.insert(all->subjects.end(), run.subjects.begin(), run.subjects.end());
    }
    return absl::OkStatus();
  }
  SQUALL_ASSIGN_OR_RETURN(reports::SubjectReport subject, ReadSubject(path));
  AdoptSummary(path, &subject);
  // Two of the same name are kept apart.
  for (const reports::SubjectReport& other : all->subjects) {
    if (reports::TimelineKey(other) == reports::TimelineKey(subject))
      subject.repetition = other.repetition + 1;
  }
  SQUALL_RETURN_IF_ERROR(page->Add(subject, path));
  if (all->subjects.empty()) {
    all->version = SQUALL_VERSION;
    all->seed = subject.seed;
    all->began = subject.began;
    all->directory = path;
    all->worlds = {subject.world};
  }
  all->took += subject.took;
  all->subjects.push_back(std::move(subject));
  return absl::OkStatus();
}

}  // namespace

int Report(const ReportCommand& command) {
  TimelinePage page(SecretsOfEnvironment());
  reports::RunReport run;
  for (const std::string& path : command.paths) {
    if (const Status status = AddPath(path, &page, &run); !status.ok()) {
      fmt::print(stderr, "{}\n", Message(status));
      return kExitBadScenario;
    }
  }
  run.planned = run.subjects.size();
  if (const Status status = WriteFile(command.out, page.Html(run)); !status.ok()) {
    fmt::print(stderr, "{}\n", Message(status));
    return kExitUnknown;
  }
  fmt::print("{}: {} subject{}\n", command.out, run.subjects.size(),
             run.subjects.size() == 1 ? "" : "s");
  return kExitOk;
}

}  // namespace squall::harness
