// Adapter to CLI11, whose exceptions end here.
#include "sim/run/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "sim/run/determinism.h"
#include "sim/run/escapes.h"
#include "sim/run/folder_run.h"
#include "sim/run/leaks.h"
#include "sim/run/page.h"
#include "sim/run/seed_run.h"
#include "sim/run/swarm.h"
#include "sim/run/warm.h"
#include "sim/swarm/plan.h"

namespace squall::sim {
namespace {

struct Flags {
  std::uint64_t seed = 1;
  std::string seeds;
  bool report = false, print_scenario = false, determinism = false, story = false;
  bool dump = false;
  std::string trace, journal, html, rules;
  double move_after = 0, until = 0;
  SwarmOptions swarm;
  SeedRunOptions& run = swarm.run;
};

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// "1..1000", or "5.." where the time is what ends it.
Status ParseRange(const std::string& text, SwarmOptions& out) {
  std::uint64_t to = 0;
  char rest = 0;
  const int read = std::sscanf(text.c_str(), "%lu..%lu%c", &out.from, &to, &rest);
  if (read == 2 && out.from <= to) {
    out.to = to;
    return absl::OkStatus();
  }
  if (read == 1 && text.ends_with("..") && out.minutes > 0) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument,
                    "--seeds {}: write FROM..TO, as in 1..1000, or with --minutes FROM..", text);
}

int RunOne(Flags& flags) {
  flags.run.run.seed = flags.seed;
  flags.run.run.trace = !flags.trace.empty();
  flags.run.story = flags.story || flags.report || !flags.journal.empty() || !flags.trace.empty() ||
                    !flags.html.empty();
  if (flags.dump) flags.run.run.until = static_cast<std::int64_t>(flags.until * 1e9);
  const SeedReport report = RunSeed(flags.run);
  if (!flags.journal.empty()) std::ofstream(flags.journal) << report.journal;
  if (!flags.trace.empty()) std::ofstream(flags.trace) << report.trace;
  const Status page =
      flags.html.empty() ? absl::OkStatus() : WritePage(flags.html, flags.run, report);
  if (!page.ok()) Print(fmt::format("--html: {}\n", Message(page)));
  if (flags.dump) {
    Print(report.dump.empty() ? "the run ended before that moment\n" + Line(report) : report.dump);
  } else if (flags.report) {
    Print(ToText(report));
  } else {
    if (flags.story) Print(report.journal);
    Print(Line(report));
  }
  std::fflush(stdout);
  // Threads of simulated processes never end; nothing of theirs may run destructors.
  ::_exit(page.ok() && (report.verdict == "pass" || !report.dump.empty()) ? 0 : 1);
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
  app.add_option("--jobs", flags.swarm.jobs, "runs side by side")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_flag("--check-determinism", flags.determinism,
               "with --seeds: each seed twice, forked and freshly executed");
  app.add_option("--scenario", flags.run.scenario_file,
                 "a scenario file instead of the seed's own");
  app.add_option("--subject", flags.run.subject, "its subject (default: the first)");
  app.add_flag("--story", flags.story, "print the journal");
  app.add_option("--journal", flags.journal, "write the journal to this file");
  auto* html =
      app.add_option("--html", flags.html, "write the timeline of one run to this file, as a page");
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
  app.add_option("--shrink", flags.swarm.shrink,
                 "with --seeds: write the smallest failing scenario of each failure into this "
                 "folder, and a GoogleTest that plays it")
      ->check(CLI::ExistingDirectory);
  app.add_option("--minutes", flags.swarm.minutes, "with --seeds: for so long at most")
      ->check(CLI::PositiveNumber);
  app.add_option("--twice", flags.swarm.twice,
                 "with --seeds: the share of runs that are made again in a fresh process")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_flag("--stop-at-first", flags.swarm.stop_at_first,
               "with --seeds: end at the first failure");
  app.add_option("--out", flags.swarm.out,
                 "with --seeds: folder for the journals of failed seeds (empty: none)")
      ->capture_default_str();
  app.add_option(
      "--hits", flags.swarm.hits,
      "with --seeds: write which faults met which phases of workers' lives to this file");
  auto* dump = app.add_flag("--dump", flags.dump,
                            "print the state of everything at the moment --until instead");
  app.add_option("--until", flags.until, "seconds of virtual time, for --dump")
      ->check(CLI::NonNegativeNumber);
  dump->needs("--until");
  html->excludes("--seeds");
  std::vector<std::string> plants = PlantedLeaks();
  plants.insert(plants.end(), PlantedEscapes().begin(), PlantedEscapes().end());
  app.add_option(
         "--plant", flags.run.run.leak,
         "let luck in, or leave the simulation by an instruction, to prove that it is found")
      ->check(CLI::IsMember(plants));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.seeds.empty() && flags.swarm.minutes > 0) flags.seeds = "1..";
  if (!flags.seeds.empty()) ResolveNamesAtStart();
  WarmUp();
  if (flags.print_scenario) {
    Print(ScenarioOf(PlanOf(flags.seed, PlanOptionsOf(flags.run))));
    return 0;
  }
  // X5 is there with servers that end polls themselves.
  flags.run.run.world.complete_polls_on_shutdown = flags.run.hazards;
  if (!flags.rules.empty()) {
    std::ifstream file(flags.rules);
    flags.run.run.world.rules.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (flags.move_after > 0)
    flags.run.run.world.move_after = Duration(static_cast<std::int64_t>(flags.move_after * 1e9));
  if (flags.seeds.empty()) return RunOne(flags);
  const Status range = ParseRange(flags.seeds, flags.swarm);
  if (!range.ok() || (flags.determinism && !flags.swarm.to)) {
    Print(range.ok() ? "--check-determinism: name the last seed\n"
                     : std::string(Message(range)) + "\n");
    return 2;
  }
  if (!flags.determinism) return RunSwarm(flags.swarm);
  return CheckDeterminism(flags.swarm.from, *flags.swarm.to, flags.swarm.jobs, flags.run);
}

}  // namespace squall::sim
