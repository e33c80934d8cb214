// squall run: choose subjects, run each in a child process, report.

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <thread>

#include "base/util/rng.h"
#include "harness/cli/library.h"
#include "harness/cli/options.h"
#include "harness/cli/reporting.h"
#include "harness/net/asio_executor.h"
#include "harness/process/guardian.h"
#include "harness/runner/exit_codes.h"
#include "harness/runner/plan.h"
#include "harness/runner/runner.h"
#include "scenarios/format/values.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using journal::Outcome;

// Ctrl-C reaches this process from the terminal and once more through the guardian: within this
// time they are one.
constexpr Duration kSameSignal = std::chrono::seconds(1);
// How often the status line is drawn anew.
constexpr Duration kTick = std::chrono::milliseconds(250);

int Complain(const Status& status, int code) {
  fmt::print(stderr, "{}\n", Message(status));
  return code;
}

bool ParseShard(const std::string& text, Selection* selection) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const auto shard = scenarios::ParseInt(text.substr(0, slash));
  const auto shards = scenarios::ParseInt(text.substr(slash + 1));
  if (!shard || !shards || *shard < 1 || *shards < *shard || *shards > 10000) return false;
  selection->shard = static_cast<int>(*shard);
  selection->shards = static_cast<int>(*shards);
  return true;
}

// <out>/20261121-143000-<seed>, new, and <out>/latest leading to it.
StatusOr<std::string> MakeRunDirectory(const std::string& out, const Clock& clock,
                                       std::uint64_t seed) {
  std::string stamp = FormatWall(clock.WallNow()).substr(0, 19);  // 2026-11-21T14:30:00
  std::erase(stamp, '-');
  std::erase(stamp, ':');
  std::replace(stamp.begin(), stamp.end(), 'T', '-');
  const std::string name = fmt::format("{}-{}", stamp, seed);
  std::error_code error;
  fs::create_directories(out, error);
  std::string path = (fs::absolute(out) / name).string();
  for (int n = 2; !error && !fs::create_directory(path, error) && !error; ++n) {
    path = (fs::absolute(out) / fmt::format("{}.{}", name, n)).string();
  }
  if (error) return MakeStatus(StatusCode::kUnavailable, "{}: {}", out, error.message());
  // The link is a convenience; two runs at once may race for it.
  const fs::path latest = fs::absolute(out) / "latest";
  fs::remove(latest, error);
  fs::create_directory_symlink(fs::path(path).filename(), latest, error);
  return path;
}

int ExitCodeOf(const std::vector<reports::SubjectReport>& results, bool aborted, bool strict) {
  if (aborted) return kExitAborted;
  bool failed = false, timed_out = false, unknown = false, missing = false, ran = false;
  for (const reports::SubjectReport& result : results) {
    if (!result.ran()) {
      missing = missing || !result.skipped.starts_with("not meant for");
      continue;
    }
    ran = true;
    failed = failed || result.verdict == Outcome::kFail;
    timed_out = timed_out || result.timed_out;
    unknown = unknown || result.verdict == Outcome::kUnknown || !result.leaks.empty();
  }
  if (failed) return kExitScenarioFailed;
  if (timed_out) return kExitTimeout;
  if (unknown) return kExitUnknown;
  if (strict && missing) return kExitMissingRequirement;
  return ran ? kExitOk : kExitNothingSelected;
}

}  // namespace

int Run(const RunCommand& command) {
  // Before any thread: whatever happens to this process, the guardian ends all that it started.
  if (const Status status = EnterGuardian(); !status.ok()) return Complain(status, kExitUnknown);

  RunCommand run = command;
  auto library = LoadScenarios(run.library, &run.patterns);
  if (!library.ok()) return Complain(library.status(), kExitBadScenario);
  for (const Status& error : library->errors) Complain(error, 0);
  if (!library->errors.empty()) return kExitBadScenario;

  const RealClock clock;
  const std::uint64_t seed = run.seed.value_or(SeedFromSystem() >> 1);
  Selection selection;
  selection.patterns = run.patterns;
  selection.tags = run.tags;
  selection.worlds = run.worlds;
  if (run.external && std::find(run.worlds.begin(), run.worlds.end(),
                                scenarios::WorldKind::kReal) == run.worlds.end()) {
    return Complain(Status(StatusCode::kInvalidArgument,
                           "--address needs --world real: the other worlds have their own server"),
                    kExitUsage);
  }
  if (!run.shard.empty() && !ParseShard(run.shard, &selection)) {
    return Complain(MakeStatus(StatusCode::kInvalidArgument,
                               "--shard is i/n with 1 <= i <= n, not '{}'", run.shard),
                    kExitUsage);
  }
  const auto plan = MakePlan(library->scenarios, selection, seed);
  if (!plan.ok()) return Complain(plan.status(), kExitNothingSelected);
  if (plan->empty()) {
    return Complain(
        Status(StatusCode::kNotFound, "nothing was selected: `squall list` shows what there is"),
        kExitNothingSelected);
  }
  if (run.until_fail && command.repeat == 1) run.repeat = 0;

  RunOptions options;
  options.plan = *plan;
  options.seed = seed;
  // Subjects mostly wait, for servers that start and for faults that last.
  constexpr int kSubjectsPerCpu = 2;
  options.jobs =
      run.jobs > 0
          ? run.jobs
          : kSubjectsPerCpu * std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.repeat = run.repeat;
  options.until_fail = run.until_fail;
  options.keep = run.keep;
  options.external = run.external;
  options.library = run.library.library.empty() ? DefaultLibrary() : run.library.library;
  if (!run.library.library.empty()) options.repeat_arguments = " --library " + run.library.library;
  options.program = fs::read_symlink("/proc/self/exe").string();
  options.sim_program = (fs::path(options.program).parent_path() / "squall-sim").string();
  const auto directory = MakeRunDirectory(run.out, clock, seed);
  if (!directory.ok()) return Complain(directory.status(), kExitUnknown);
  options.run_directory = *directory;

  std::vector<std::string> worlds;
  for (const scenarios::WorldKind world : run.worlds) worlds.emplace_back(WorldName(world));
  Reporting reporting(clock,
                      {.run_directory = *directory,
                       .planned = plan->size() * static_cast<std::size_t>(options.repeat),
                       .worlds = worlds,
                       .seed = seed,
                       .jobs = options.jobs,
                       .junit = run.junit,
                       .json = run.json,
                       .api_key_variable = run.external ? run.external->api_key_variable : ""});
  std::vector<reports::SubjectReport> results;
  bool aborted = false;
  {
    AsioExecutor executor(clock);
    Runner runner(
        executor, options,
        {.on_started = [&](const Job& job) { reporting.Started(job); },
         .on_ended = [&](const Job&,
                         const reports::SubjectReport& result) { reporting.Examine(result); },
         .on_result = [&](const Job& job,
                          const reports::SubjectReport& result) { reporting.Ended(job, result); }});
    std::function<void()> tick = [&] {
      reporting.Tick();
      executor.After(kTick, tick);
    };
    tick();
    boost::asio::signal_set signals(executor.io(), SIGINT, SIGTERM);
    std::optional<SteadyTime> signalled;
    std::function<void()> listen = [&] {
      signals.async_wait([&](const boost::system::error_code& failed, int number) {
        if (failed) return;
        if (!signalled || clock.Now() - *signalled > kSameSignal) {
          reporting.Aborting(number, runner.running());
          runner.Abort();
        }
        if (!signalled) signalled = clock.Now();
        listen();
      });
    };
    listen();
    runner.Start([&](std::vector<reports::SubjectReport> all) {
      results = std::move(all);
      executor.Stop();
    });
    executor.Run();
    boost::system::error_code ignored;
    signals.cancel(ignored);
    aborted = runner.aborted();
  }
  MarkFlaky(&results);
  const int code = ExitCodeOf(results, aborted, run.strict);
  if (const Status status = reporting.Finish(results, aborted); !status.ok()) {
    return Complain(status, std::max<int>(code, kExitUnknown));
  }
  return code;
}

}  // namespace squall::harness
