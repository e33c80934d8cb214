// Adapter to CLI11, whose exceptions end here.
#include "sim/run/folder_run.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "reports/work_folder.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/run/child.h"
#include "sim/run/subject_run.h"

namespace squall::sim {
namespace {

namespace fs = std::filesystem;

struct Work {
  std::string file, subject, folder, world = "sim";
  std::uint64_t seed = 1;
};

// The machine's own clock, also while time is virtual: how long the run took.
Duration RealNow() {
  timespec now{};
  Raw(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&now));
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// The story's first line says what happened; whoever started this reads the last one.
void TellLast(FailureKind, const std::string& story) {
  const std::size_t end = std::min(story.find('\n'), story.size());
  const std::string rest =
      end == story.size() ? "" : story.substr(end + 1) + (story.ends_with('\n') ? "" : "\n");
  const std::string text = rest + "squall-sim: " + story.substr(0, end) + "\n";
  RawWrite(STDERR_FILENO, text.data(), text.size());
}

Status RunWork(const Work& work) {
  SQUALL_ASSIGN_OR_RETURN(const scenarios::Scenario scenario,
                          scenarios::LoadScenarioFile(work.file, scenarios::Checks()));
  const scenarios::Subject* subject = scenario.FindSubject(work.subject);
  if (subject == nullptr)
    return MakeStatus(StatusCode::kNotFound, "{} has no subject '{}'", work.file, work.subject);
  std::error_code error;
  fs::copy_file(work.file, work.folder + "/" + reports::kScenarioFile, error);
  if (error) return MakeStatus(StatusCode::kUnavailable, "{}: {}", work.folder, error.message());

  reports::SubjectReport result;
  result.scenario = scenario.id;
  result.title = scenario.title;
  result.file = work.file;
  result.subject = subject->name;
  result.world = scenarios::WorldName(scenarios::WorldKind::kSim);
  result.expected_failures = subject->expect.fail;
  result.work_directory = work.folder;
  result.began = RealClock().WallNow();
  const Duration began = RealNow();

  RunOptions options;
  options.seed = work.seed;
  options.journal_file = work.folder + "/" + reports::kJournalFile;
  StatusOr<RunResult> run = RunSubject(scenario, *subject, options);
  if (run.status().code() == StatusCode::kUnimplemented) {
    result.skipped = fmt::format("not meant for the sim world: {}", Message(run.status()));
    result.verdict = scenarios::Outcome::kPass;
    return reports::WriteResult(work.folder, result);
  }
  if (!run.ok()) return run.status();
  result.verdict = run->verdict;
  result.caught = run->caught;
  result.explanation = std::move(run->explanation);
  result.checks = std::move(run->checks);
  result.timed_out = run->timed_out;
  result.leaks = std::move(run->leaks);
  result.versions = std::move(run->versions);
  result.versions["squall"] = SQUALL_VERSION;
  result.took = RealNow() - began;
  return reports::WriteResult(work.folder, result);
}

}  // namespace

int RunOneMain(int argc, char** argv) {
  Work work;
  CLI::App app("One subject in virtual time; `squall run --world sim` starts this for each.",
               "squall-sim run-one");
  app.add_option("--file", work.file, "the scenario")->required();
  app.add_option("--subject", work.subject, "its subject")->required();
  app.add_option("--work", work.folder, "its work folder, empty")->required();
  app.add_option("--world", work.world)->check(CLI::IsMember({"sim"}));
  app.add_option("--seed", work.seed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  // Limits of virtual time hold on any machine.
  ::unsetenv("SQUALL_TIMEOUT_SCALE");
  StayOnOneProcessor(static_cast<std::size_t>(::getpid()));
  OnFailure(&TellLast);
  const Status status = RunWork(work);
  if (!status.ok()) {
    std::fputs((std::string(Message(status)) + "\n").c_str(), stderr);
    std::fflush(stderr);
  }
  // Threads of simulated processes never end; nothing of theirs may run destructors.
  ::_exit(status.ok() ? 0 : 1);
}

}  // namespace squall::sim
