#include "harness/runner/subject_run.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/process/private_names.h"
#include "harness/process/private_network.h"
#include "harness/runner/harness_world.h"
#include "harness/runner/leaks.h"
#include "reports/work_folder.h"
#include "scenarios/checks/conclusion.h"
#include "scenarios/checks/judge.h"
#include "scenarios/checks/registry.h"
#include "scenarios/engine/step_machine.h"
#include "scenarios/format/loader.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using scenarios::MachineResult;
using scenarios::Outcome;

}  // namespace

StatusOr<reports::SubjectReport> RunSubject(const SubjectRunOptions& options) {
  SQUALL_ASSIGN_OR_RETURN(const scenarios::Scenario scenario,
                          scenarios::LoadScenarioFile(options.file, scenarios::Checks()));
  const scenarios::Subject* subject = scenario.FindSubject(options.subject);
  if (subject == nullptr)
    return MakeStatus(StatusCode::kNotFound, "{} has no subject '{}'", options.file,
                      options.subject);
  // Before there is a thread or a socket: all of the subject lives in it.
  if (!NodesThatNeed(*subject, scenarios::FaultNeed::kOwnNames).empty())
    SQUALL_RETURN_IF_ERROR(EnterPrivateNames(options.work_directory));
  if (NeedsPrivateNetwork(*subject)) SQUALL_RETURN_IF_ERROR(EnterPrivateNetwork());
  std::error_code error;
  fs::copy_file(options.file, options.work_directory + "/" + reports::kScenarioFile, error);
  if (error)
    return MakeStatus(StatusCode::kUnavailable, "{}: {}", options.work_directory, error.message());
  // Whatever writes temporary files writes them here, where the leak check finds them.
  const std::string temp = options.work_directory + "/tmp";
  fs::create_directories(temp, error);
  ::setenv("TMPDIR", temp.c_str(), 1);

  const RealClock clock;
  reports::SubjectReport result;
  result.scenario = scenario.id;
  result.title = scenario.title;
  result.file = options.file;
  result.subject = subject->name;
  result.world = scenarios::WorldName(options.world);
  result.expected_failures = subject->expect.fail;
  result.work_directory = options.work_directory;
  result.began = clock.WallNow();
  const SteadyTime began = clock.Now();

  SQUALL_ASSIGN_OR_RETURN(
      const std::unique_ptr<journal::Journal> journal,
      journal::Journal::Create(clock, options.work_directory + "/" + reports::kJournalFile));
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<scenarios::ChecksJudge> judge,
                          scenarios::ChecksJudge::Create(subject->checks, TimeoutScale()));
  {
    AsioExecutor executor(clock);
    HarnessWorldOptions world_options;
    world_options.kind = options.world;
    world_options.seed = options.seed;
    world_options.work_directory = options.work_directory;
    world_options.external = options.external;
    HarnessWorld world(executor, *journal, *subject, world_options);

    scenarios::MachineOptions machine_options;
    machine_options.world = result.world;
    machine_options.seed = options.seed;
    machine_options.journal_origin = journal->origin();
    machine_options.timeout = scenario.timeout;
    machine_options.conclude = [&](std::span<const scenarios::CheckResult> results) {
      const auto conclusion = scenarios::ConcludeSubject(results, subject->expect);
      result.caught = conclusion.caught;
      return scenarios::Conclusion{conclusion.verdict, conclusion.explanation};
    };
    scenarios::StepMachine machine(executor, world, *judge, *journal, scenario, *subject,
                                   machine_options);
    // Events come from several threads, under the journal's lock; the machine takes them on the
    // loop, in their order.
    journal->SetObserver([&](const journal::Event& event) {
      executor.Post([&machine, &world, event] {
        machine.OnEvent(event);
        world.OnEvent(event);
      });
    });

    boost::asio::signal_set signals(executor.io(), SIGINT, SIGTERM);
    signals.async_wait([&machine](const boost::system::error_code& failed, int number) {
      if (!failed)
        machine.Abort(number == SIGINT ? "interrupted (SIGINT)" : "asked to stop (SIGTERM)");
    });

    std::optional<MachineResult> finished;
    machine.Start([&](MachineResult machine_result) {
      finished = std::move(machine_result);
      executor.Stop();
    });
    executor.Run();
    boost::system::error_code ignored;
    signals.cancel(ignored);
    journal->SetObserver(nullptr);
    SQUALL_CHECK(finished.has_value(), "the loop ends when the machine has finished");
    result.checks = finished->checks;
    result.verdict = finished->conclusion.verdict;
    result.explanation = finished->conclusion.explanation;
    result.timed_out = finished->timed_out;
    result.aborted = finished->aborted;
    result.versions = world.Versions();
    if (!finished->clean_up.ok())
      result.leaks.push_back("clean-up: " + std::string(Message(finished->clean_up)));
  }
  result.took = clock.Now() - began;
  for (std::string& leak : FindLeaks(temp)) result.leaks.push_back(std::move(leak));
  if (!journal->status().ok()) {
    result.verdict = Outcome::kUnknown;
    result.explanation =
        "the journal could not be written: " + std::string(Message(journal->status()));
  }

  SQUALL_RETURN_IF_ERROR(reports::WriteResult(options.work_directory, result));
  return result;
}

}  // namespace squall::harness
