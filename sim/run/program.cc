// Adapter to CLI11, whose exceptions end here.
#include "sim/run/program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "base/util/clock.h"
#include "sim/kernel/escape.h"
#include "sim/run/child.h"
#include "sim/run/determinism.h"
#include "sim/run/folder_run.h"
#include "sim/run/leaks.h"
#include "sim/run/seed_run.h"
#include "sim/swarm/plan.h"
#include "sim/swarm/shrink.h"

namespace squall::sim {
namespace {

struct Flags {
  std::uint64_t seed = 1;
  std::string seeds;
  int jobs = 1;
  bool report = false, print_scenario = false, determinism = false, story = false;
  std::string trace, journal, rules, shrink;
  double move_after = 0;
  SeedRunOptions run;
};

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string Line(const SeedReport& report) {
  return fmt::format(
      "seed {}: {}{}{} ({:.1f} s of virtual time, {} choices, journal {:016x})\n", report.seed,
      report.verdict, report.failed.empty() ? "" : " [" + report.failed + "]",
      report.explanation.empty() ? "" : ": " + report.explanation,
      static_cast<double>(report.virtual_ns) / 1e9, report.choices, report.journal_digest);
}

StatusOr<std::pair<std::uint64_t, std::uint64_t>> ParseRange(const std::string& text) {
  std::uint64_t from = 0, to = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lu..%lu%c", &from, &to, &rest) == 2 && from <= to)
    return std::pair(from, to);
  return MakeStatus(StatusCode::kInvalidArgument, "--seeds {}: write FROM..TO, as in 1..1000",
                    text);
}

// Writes the smallest scenario that still fails in the same checks, or ends in the same way.
void ShrinkFailure(const SeedReport& report, const Flags& flags) {
  int runs = 0;
  const auto fails = [&](const Plan& plan) {
    ++runs;
    SeedRunOptions options = flags.run;
    options.run.seed = report.seed;
    options.scenario_text = ScenarioOf(plan);
    SeedReport smaller;
    Children one(1, kRunLimitMs);
    one.Fork([&options] { return ToText(RunSeed(options)); },
             [&](const ChildResult& result) { smaller = ReportOf(report.seed, result); });
    one.Wait();
    return smaller.verdict == report.verdict && smaller.failed == report.failed;
  };
  const Plan plan = PlanOf(report.seed, PlanOptionsOf(flags.run));
  const Plan small = Shrink(plan, fails);
  const std::string path = fmt::format("{}/seed-{}.yaml", flags.shrink, report.seed);
  std::ofstream(path) << ScenarioOf(small);
  Print(fmt::format("  seed {}: {} faults, {} workflows, {} workers -> {}, {}, {} in {} runs: {}\n",
                    report.seed, plan.faults.size(), plan.workflows.size(), plan.workers.size(),
                    small.faults.size(), small.workflows.size(), small.workers.size(), runs, path));
}

int RunSwarm(const Flags& flags) {
  const auto range = ParseRange(flags.seeds);
  if (!range.ok()) {
    Print(std::string(Message(range.status())) + "\n");
    return 2;
  }
  const RealClock clock;
  const SteadyTime begun = clock.Now();
  Children children(flags.jobs, kRunLimitMs);
  std::uint64_t passed = 0, bad = 0;
  std::vector<SeedReport> bad_reports;
  double virtual_seconds = 0;
  for (std::uint64_t seed = range->first; seed <= range->second; ++seed) {
    SeedRunOptions options = flags.run;
    options.run.seed = seed;
    children.Fork(
        [options] { return ToText(RunSeed(options)); },
        [&, seed](const ChildResult& result) {
          const SeedReport report = ReportOf(seed, result);
          virtual_seconds += static_cast<double>(report.virtual_ns) / 1e9;
          if (report.verdict == "pass") {
            ++passed;
            return;
          }
          ++bad;
          bad_reports.push_back(report);
          Print(Line(report) + fmt::format("  repeat: squall-sim --seed {}{}{} --story\n", seed,
                                           flags.run.hazards ? " --hazards" : "",
                                           flags.run.run.world.transport == Transport::kCalls
                                               ? " --transport calls"
                                               : ""));
          std::fflush(stdout);
        });
  }
  children.Wait();
  for (const SeedReport& report : bad_reports) {
    if (!flags.shrink.empty()) ShrinkFailure(report, flags);
  }
  const double real = std::chrono::duration<double>(clock.Now() - begun).count();
  Print(
      fmt::format("{} of {} seeds passed in {:.1f} s ({:.1f} a second; {:.0f} s of virtual time, "
                  "{:.0f} times real)\n",
                  passed, passed + bad, real, static_cast<double>(passed + bad) / real,
                  virtual_seconds, virtual_seconds / real));
  return bad == 0 ? 0 : 1;
}

int RunOne(Flags& flags) {
  flags.run.run.seed = flags.seed;
  flags.run.run.trace = !flags.trace.empty();
  flags.run.story = flags.story || flags.report || !flags.journal.empty() || !flags.trace.empty();
  const SeedReport report = RunSeed(flags.run);
  if (!flags.journal.empty()) std::ofstream(flags.journal) << report.journal;
  if (!flags.trace.empty()) std::ofstream(flags.trace) << report.trace;
  if (flags.report) {
    Print(ToText(report));
  } else {
    if (flags.story) Print(report.journal);
    Print(Line(report));
  }
  std::fflush(stdout);
  // Threads of simulated processes never end; nothing of theirs may run destructors.
  ::_exit(report.verdict == "pass" ? 0 : 1);
}

}  // namespace

int RunProgram(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "run-one") return RunOneMain(argc - 1, argv + 1);
  Flags flags;
  CLI::App app("Runs Temporal workers on the production core in virtual time, by seed.",
               "squall-sim");
  app.add_option("--seed", flags.seed, "one run, in this process");
  app.add_option("--seeds", flags.seeds,
                 "a run for each seed FROM..TO, each in a process of its own");
  app.add_option("--jobs", flags.jobs, "runs side by side")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_flag("--check-determinism", flags.determinism,
               "with --seeds: each seed twice, forked and freshly executed");
  app.add_option("--scenario", flags.run.scenario_file,
                 "a scenario file instead of the seed's own");
  app.add_option("--subject", flags.run.subject, "its subject (default: the first)");
  app.add_flag("--story", flags.story, "print the journal");
  app.add_option("--journal", flags.journal, "write the journal to this file");
  app.add_option("--trace", flags.trace, "write every choice of the scheduler to this file");
  app.add_flag("--print-scenario", flags.print_scenario,
               "print the seed's scenario and run nothing");
  app.add_flag("--report", flags.report, "print the result as JSON");
  app.add_option_function<std::string>(
         "--transport",
         [&flags](const std::string& name) {
           flags.run.run.world.transport =
               name == "calls" ? Transport::kCalls : Transport::kSockets;
         },
         "sockets (core's own HTTP/2 over simulated TCP; default) or calls (answered in process)")
      ->check(CLI::IsMember({"calls", "sockets"}));
  app.add_option("--threads", flags.run.run.world.core_threads,
                 "tokio threads of each worker's core")
      ->capture_default_str();
  app.add_option("--rules", flags.rules,
                 "misbehaviour of every server on the wire, a file (docs/misbehaviour.md)");
  app.add_option("--move-after", flags.move_after,
                 "seconds until every server moves to another address of its name");
  app.add_flag("--hazards", flags.run.hazards,
               "also what today's core is known not to bear: X1, X4, X5");
  app.add_option(
         "--shrink", flags.shrink,
         "with --seeds: write the smallest failing scenario of each failure into this folder")
      ->check(CLI::ExistingDirectory);
  app.add_option("--plant", flags.run.run.leak, "let luck in, to prove that it is found")
      ->check(CLI::IsMember(PlantedLeaks()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.print_scenario) {
    Print(ScenarioOf(PlanOf(flags.seed, PlanOptionsOf(flags.run))));
    return 0;
  }
  if (!flags.rules.empty()) {
    std::ifstream file(flags.rules);
    flags.run.run.world.rules.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (flags.move_after > 0)
    flags.run.run.world.move_after = Duration(static_cast<std::int64_t>(flags.move_after * 1e9));
  if (flags.seeds.empty()) return RunOne(flags);
  if (!flags.determinism) return RunSwarm(flags);
  const auto range = ParseRange(flags.seeds);
  if (!range.ok()) {
    Print(std::string(Message(range.status())) + "\n");
    return 2;
  }
  return CheckDeterminism(range->first, range->second, flags.jobs, flags.run);
}

}  // namespace squall::sim
