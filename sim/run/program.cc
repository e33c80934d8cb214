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
#include "sim/run/leaks.h"
#include "sim/run/seed_run.h"
#include "sim/swarm/plan.h"

namespace squall::sim {
namespace {

struct Flags {
  std::uint64_t seed = 1;
  std::string seeds;
  int jobs = 1;
  bool report = false, print_scenario = false, determinism = false, story = false;
  std::string trace, journal, rules;
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

// A child's result; what a run that did not end has said becomes its report.
SeedReport ReportOf(std::uint64_t seed, const ChildResult& result) {
  if (result.exit_code == 0 && result.signal == 0 && !result.timed_out) {
    if (auto report = FromText(result.text); report.ok()) return *std::move(report);
  }
  SeedReport report;
  report.seed = seed;
  report.verdict = result.exit_code == kExitStuck    ? "stuck"
                   : result.exit_code == kExitEscape ? "escape"
                                                     : "died";
  report.explanation = result.timed_out     ? "no end in real time"
                       : result.signal != 0 ? fmt::format("killed by signal {}", result.signal)
                                            : result.text;
  return report;
}

StatusOr<std::pair<std::uint64_t, std::uint64_t>> ParseRange(const std::string& text) {
  std::uint64_t from = 0, to = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lu..%lu%c", &from, &to, &rest) == 2 && from <= to)
    return std::pair(from, to);
  return MakeStatus(StatusCode::kInvalidArgument, "--seeds {}: write FROM..TO, as in 1..1000",
                    text);
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
          Print(Line(report) + fmt::format("  repeat: squall-sim --seed {} --story\n", seed));
          std::fflush(stdout);
        });
  }
  children.Wait();
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
  app.add_option("--plant", flags.run.run.leak, "let luck in, to prove that it is found")
      ->check(CLI::IsMember(PlantedLeaks()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.print_scenario) {
    Print(ScenarioOf(PlanOf(flags.seed, flags.run.run.world.transport == Transport::kSockets)));
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
