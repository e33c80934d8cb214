// The command line. Only this file and usage_error.cc know CLI11; everything else gets the structs
// of options.h.

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>

#include "harness/cli/options.h"
#include "harness/cli/usage_error.h"
#include "harness/proxy/serve.h"
#include "harness/runner/exit_codes.h"

namespace squall::harness {
namespace {

using scenarios::WorldKind;

constexpr const char* kAbout =
    "squall finds out, before production does, what a Temporal deployment does when things break: "
    "it runs servers and\n"
    "workers, injects faults, and judges how they reconnect, shut down and recover.";

constexpr const char* kFooter = R"(Begin with:
  squall list                          what there is to run
  squall run                           everything, against the fake server
  squall run E1                        one scenario
  squall run --world real --tag fast   against Temporal's dev server

Exit codes:
    0  all is as it should be          102  a scenario file does not load
    2  wrong command line              103  a requirement is missing (--strict)
    4  nothing was selected            104  a subject ran into its time-out
  100  a subject failed                105  aborted by a signal
  101  unknown: the infrastructure failed, not a subject)";

constexpr const char* kRunFooter = R"(Examples:
  squall run                               all scenarios, fake world
  squall run E1 'R*'                       by id or name, globs allowed
  squall run E1/broken                     one subject
  squall run ./my.yaml                     a file of your own
  squall run --world all --jobs 4          sim, fake and real world, four at a time
  squall run --world sim R1                in virtual time: a minute of outages takes milliseconds
  squall run R2 --until-fail               again and again, until it fails
  squall run --tag fast --shard 2/3        the second third of what is tagged fast
  squall run E4/fixed --world fake --seed 42 --keep
                                           exactly the run that a failure report names
  squall run --world real --address temporal.example.com:7233 --tls
                                           against your server; faults go into squall's own proxies and workers only

A subject that is expected to fail counts as caught, and is green, when exactly the named checks fail. The work folder of
everything that is not green is kept below --out: journal.jsonl, logs, and the scenario; `squall judge` reads it again.)";

constexpr const char* kCheckFooter = R"(Examples:
  squall check                             the whole library
  squall check my.yaml other/              files and folders
  squall check --schema > squall.schema.json
                                           for editors: # yaml-language-server: $schema=squall.schema.json)";

const std::vector<std::string> kWorldWords = {"sim", "fake", "real", "all"};

// Of words that were looked at; each world once.
std::vector<WorldKind> Worlds(const std::vector<std::string>& words) {
  std::vector<WorldKind> worlds;
  for (const WorldKind world : {WorldKind::kSim, WorldKind::kFake, WorldKind::kReal}) {
    if (std::any_of(words.begin(), words.end(), [world](const std::string& word) {
          return word == "all" || word == WorldName(world);
        }))
      worlds.push_back(world);
  }
  return worlds;
}

// The value is one of these words.
CLI::Validator OneOf(std::vector<std::string> words) {
  return CLI::Validator(
      [words = std::move(words)](const std::string& word) { return NoneOf(words, word); }, "");
}

struct ExternalFlags {
  ExternalServer server;
  std::optional<ExternalServer> Get() const {
    if (server.address.empty()) return std::nullopt;
    ExternalServer out = server;
    out.tls = out.tls || !out.ca_file.empty() || !out.certificate_file.empty();
    return out;
  }
  void AddTo(CLI::App* app) {
    app->add_option("--address", server.address,
                    "host:port of a server that runs already (real world)")
        ->group("Given server");
    app->add_flag("--tls", server.tls, "It speaks TLS")->group("Given server");
    app->add_option("--tls-ca", server.ca_file, "CA certificate, PEM file (default: the system's)")
        ->group("Given server");
    app->add_option("--tls-cert", server.certificate_file, "Client certificate, PEM file")
        ->group("Given server");
    app->add_option("--tls-key", server.key_file, "Its key, PEM file")->group("Given server");
    app->add_option("--tls-server-name", server.server_name,
                    "Name in its certificate, where it is not the host")
        ->group("Given server");
    app->add_option("--api-key-variable", server.api_key_variable,
                    "Environment variable that holds the API key")
        ->group("Given server");
  }
};

// Commands that are programs of their own.
struct Elsewhere {
  std::string_view command, program;
  bool passes_name;  // the command is the program's first argument
  std::string_view what;
};
constexpr Elsewhere kElsewhere[] = {
    {"sim", "squall-sim", false,
     "Run workers on the production core in virtual time, by seed: swarm, replay, shrinking"},
    {"doctor", "squall-doctor", false,
     "Say whether a worker with these settings can work, and why not"},
    {"explain", "squall-doctor", true,
     "Say what an error text of an SDK means, and what would decide"},
};

}  // namespace

int Main(int argc, char** argv) {
  // Programs and the library are looked for beside the sources; children inherit where those are.
  ::setenv("SQUALL_SOURCE_DIR", SourceDirectory().c_str(), /*overwrite=*/0);
  // Their arguments are their own: nothing of them is looked at here.
  for (const Elsewhere& one : kElsewhere) {
    if (argc > 1 && argv[1] == one.command)
      return Become(one.program, {argv + (one.passes_name ? 1 : 2), argv + argc});
  }
  CLI::App app(kAbout, "squall");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.failure_message([&](const CLI::App*, const CLI::Error& error) {
    return UsageError(app, error, std::vector<std::string>(argv + 1, argv + argc));
  });
  app.set_config("--config", "squall.toml", "Settings file; `squall config --default` prints one");
  app.set_version_flag("--version", std::string("squall ") + SQUALL_VERSION);
  app.fallthrough();
  std::function<int()> action;

  std::string library;
  app.add_option("--library", library,
                 "Folder of scenarios (default: the one that comes with squall)");

  RunCommand run;
  std::vector<std::string> world = {"fake"};
  ExternalFlags given;
  std::uint64_t seed = 0;
  CLI::App* run_app = app.add_subcommand("run", "Run scenarios and judge them");
  run_app->footer(kRunFooter);
  run_app->add_option("patterns", run.patterns,
                      "Ids, names, id/subject, globs over them, or scenario files (default: all)");
  run_app->add_option("--tag", run.tags, "Only scenarios with this tag (may be repeated)");
  run_app
      ->add_option("--world", world,
                   "sim: virtual time; fake: our server, in process; real: Temporal's dev server; "
                   "several with commas; all: each")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(OneOf(kWorldWords))
      ->capture_default_str();
  run_app->add_option("--jobs,-j", run.jobs, "Subjects at a time (default: two per CPU)")
      ->check(CLI::Range(0, 256));
  run_app->add_option("--repeat", run.repeat, "How many times")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  run_app->add_flag("--until-fail", run.until_fail,
                    "Stop at the first failure; without --repeat, repeat for ever");
  run_app->add_option("--shard", run.shard, "i/n: the i-th of n parts");
  auto* seed_option =
      run_app->add_option("--seed", seed, "Repeat the random choices of another run");
  run_app->add_flag("--keep", run.keep, "Keep the work folders of green subjects as well");
  run_app->add_flag("--strict", run.strict,
                    "A missing requirement is an error, not a reason to skip");
  run_app->add_option("--out", run.out, "Where work folders and reports go")->capture_default_str();
  run_app->add_option("--junit", run.junit, "Another copy of the JUnit report");
  run_app->add_option("--json", run.json, "Another copy of the JSON summary");
  given.AddTo(run_app);
  run_app->callback([&] {
    action = [&] {
      run.library.library = library;
      run.worlds = Worlds(world);
      run.external = given.Get();
      if (seed_option->count() > 0) run.seed = seed;
      return Run(run);
    };
  });

  CheckCommand check;
  CLI::App* check_app =
      app.add_subcommand("check", "Load scenario files and say what is wrong with them");
  check_app->footer(kCheckFooter);
  check_app->add_option("paths", check.paths, "Files or folders (default: the library)");
  check_app->add_flag("--schema", check.schema, "Print the JSON Schema of scenario files instead");
  check_app->add_flag("--reference", check.reference,
                      "Print the reference of the format, in Markdown, instead");
  check_app->callback([&] {
    action = [&] {
      check.library.library = library;
      return Check(check);
    };
  });

  ListCommand list;
  CLI::App* list_app =
      app.add_subcommand("list", "List scenarios with their subjects, or checks, or faults");
  list_app->footer(
      "Examples:\n  squall list\n  squall list 'R*'\n  squall list --faults\n  squall list "
      "--checks\n  squall list --example link/stall > stall.yaml && squall run ./stall.yaml");
  list_app->add_option("patterns", list.patterns, "Ids, names, globs over them (default: all)");
  list_app->add_option("--tag", list.tags, "Only scenarios with this tag (may be repeated)");
  list_app->add_flag("--checks", list.checks, "The checks that scenarios can ask for");
  list_app->add_flag("--faults", list.faults,
                     "The faults that can be injected, and whether they can be had here");
  list_app->add_option("--example", list.example,
                       "A scenario that shows this fault (TARGET/NAME), to be run as it is");
  list_app->callback([&] {
    action = [&] {
      list.library.library = library;
      return List(list);
    };
  });

  JudgeCommand judge;
  CLI::App* judge_app =
      app.add_subcommand("judge", "Judge saved journals again, without running anything");
  judge_app->footer(
      "Example:\n  squall judge squall-out/latest/E1.fixed.fake\n\nFor changed checks, or a "
      "changed scenario.yaml in the work folder.");
  judge_app
      ->add_option("folders", judge.folders,
                   "Work folders of subjects, with journal.jsonl and scenario.yaml")
      ->required();
  judge_app->callback([&] { action = [&] { return JudgeFolders(judge); }; });

  ReportCommand report;
  CLI::App* report_app =
      app.add_subcommand("report", "Draw saved journals as a timeline, without running anything");
  report_app->footer(
      "Examples:\n  squall report squall-out/latest                     a whole run, of what was "
      "kept\n  squall report squall-out/latest/E1.fixed.fake       one subject\n  squall report "
      "journal.jsonl --out incident.html   a journal alone\n\n`squall run` writes the same page "
      "as timeline.html, with every subject in it.");
  report_app->add_option("paths", report.paths, "Folders of runs or of subjects, or journal files")
      ->required();
  report_app->add_option("--out", report.out, "The page to write")->capture_default_str();
  report_app->callback([&] { action = [&] { return Report(report); }; });

  ServeSettings serve;
  CLI::App* proxy_app = app.add_subcommand(
      "proxy", "Serve TCP proxies that misbehave on demand, with Toxiproxy's HTTP API");
  AddServeOptions(*proxy_app, serve);
  proxy_app->callback([&] { action = [&] { return ServeProxies(serve); }; });

  // For the list of commands and its nearest names, and behind options of ours; see the beginning.
  for (const Elsewhere& one : kElsewhere) {
    CLI::App* const command = app.add_subcommand(std::string(one.command), std::string(one.what));
    command->prefix_command();
    command->callback([&action, &one, command] {
      action = [&one, command] {
        std::vector<std::string> arguments = command->remaining();
        if (one.passes_name) arguments.insert(arguments.begin(), std::string(one.command));
        return Become(one.program, arguments);
      };
    });
  }

  bool default_config = false;
  CLI::App* config_app = app.add_subcommand("config", "Show the settings file");
  config_app->footer("Example:\n  squall config --default > squall.toml");
  config_app->add_flag("--default", default_config, "Print the default settings, with comments")
      ->required();
  config_app->callback([&] {
    action = [] {
      std::fputs(DefaultConfig().c_str(), stdout);
      return static_cast<int>(kExitOk);
    };
  });

  RunOneCommand one;
  std::string one_world = "fake";
  ExternalFlags one_given;
  CLI::App* one_app = app.add_subcommand(
      "run-one", "Run one subject in this process: what `squall run` starts for each");
  one_app->group("");  // hidden
  one_app->add_option("--file", one.file)->required();
  one_app->add_option("--subject", one.subject)->required();
  one_app->add_option("--work", one.work)->required();
  one_app->add_option("--world", one_world)->check(OneOf({"fake", "real"}));
  one_app->add_option("--seed", one.seed);
  one_given.AddTo(one_app);
  one_app->callback([&] {
    action = [&] {
      one.world = *scenarios::WorldFromName(one_world);
      one.external = one_given.Get();
      return RunOne(one);
    };
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version are "errors" with exit code 0.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return action();
}

std::string DefaultConfig() {
  return R"(# squall.toml: settings of squall, read from the folder it is started in, or from --config FILE.
# A line without # in front overrides the default that stands behind it; the command line overrides both.

# Folder of scenarios. Default: the library that comes with squall.
#library = "scenarios"

[run]
# sim, fake, real or all; several as a list.
#world = ["fake"]
# Subjects at a time; 0: two per CPU.
#jobs = 0
# How many times each subject runs.
#repeat = 1
# Where work folders and reports go.
#out = "squall-out"
# Keep the work folders of green subjects as well.
#keep = false
# A missing requirement is an error, not a reason to skip.
#strict = false
# A server that runs already, for the real world. Nothing is injected into it.
#address = "temporal.example.com:7233"
#tls = false
#tls-ca = ""
#tls-cert = ""
#tls-key = ""
#tls-server-name = ""
#api-key-variable = "TEMPORAL_API_KEY"
)";
}

}  // namespace squall::harness
