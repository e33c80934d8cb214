#include "harness/doctor/program.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/util/rng.h"
#include "base/util/text.h"
#include "harness/doctor/examine.h"
#include "harness/doctor/expectation_calls.h"
#include "harness/doctor/explain.h"
#include "harness/doctor/show.h"
#include "harness/doctor/watch.h"
#include "reports/console.h"

namespace squall::doctor {
namespace {

constexpr const char* kAboutDoctor =
    "Will a worker with these settings be able to work? And if not, why, and what is to change?\n"
    "Reads what the worker reads (TEMPORAL_* variables, .env files, temporal.toml), looks at every "
    "layer from\n"
    "the settings to the task queue, and stops where the cause is found. It changes nothing.";

constexpr const char* kDoctorFooter =
    R"~(Examples:
  squall doctor                                     with this environment
  squall doctor --env-file .env --task-queue orders
  squall doctor --stage config --require address,namespace,api-key
                                                    before anything connects; then component, integration
  squall doctor --diff old.env new.env              settings that a deploy would lose
  squall doctor --address temporal.example.com:443 --tls --json
  squall explain "tonic::transport::Error(... BrokenPipe)"

Exit codes: 0 healthy, 1 broken, 2 could not tell, 3 wrong usage. No option takes a secret: those are read from the
environment, from files, or from the variable that --api-key-variable names.)~";

// Of the help.
constexpr const char* kSettingsGroup = "Settings, overriding all others";
constexpr const char* kWatchingGroup = "Watching";

// What a file may have at most: certificates and settings are small.
constexpr std::uintmax_t kLargestFile = 4 << 20;

struct Arguments {
  std::map<Setting, std::string> values;
  std::string api_key_variable, api_key_file;
  bool tls = false, no_tls = false, insecure = false;
  bool no_environment = false, json = false, settings = false, expect_pollers = false;
  std::vector<std::string> env_files, aliases, required, diff;
  std::vector<std::uint16_t> ports = ExamineOptions{}.other_ports;
  std::string junit, stage = "all";
  double patience = 1, hold = 0;
  bool deep = false, watch = false;
  std::string canary;
  double interval = 5;
  std::uint64_t count = 0;
  std::string listen;
  std::string sdk, proxy, proxy_credentials_variable;
  std::vector<std::string> workflow_types, activity_types, search_attributes;
  std::vector<std::string> explain;
  bool explain_json = false;
};

Status Complain(const std::string& text) { return absl::InvalidArgumentError(text); }

StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return absl::NotFoundError(error.message());
  if (size > kLargestFile) return absl::InvalidArgumentError("the file is too large");
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(std::strerror(errno));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// Where Debian, Red Hat, Alpine and BSD keep the authorities that this machine trusts.
std::string SystemAuthorities() {
  if (const char* own = std::getenv("SSL_CERT_FILE")) {
    if (auto text = ReadFile(own); text.ok()) return *text;
  }
  for (const char* path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                           "/etc/ssl/cert.pem"}) {
    if (auto text = ReadFile(path); text.ok()) return *text;
  }
  return {};
}

std::string DefaultConfigFile() {
  const char* base = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (base != nullptr && *base != '\0') return std::string(base) + "/temporalio/temporal.toml";
  return home != nullptr ? std::string(home) + "/.config/temporalio/temporal.toml" : std::string();
}

Variables Environment() {
  Variables result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto sign = text.find('=');
    if (sign != std::string_view::npos)
      result.emplace_back(text.substr(0, sign), text.substr(sign + 1));
  }
  return result;
}

class DoctorProgram {
 public:
  int Run(int argc, char** argv) {
    // No part of a secret ends in a core dump.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0);
    // A dead name server is given up in time; whoever set the variable knows better.
    ::setenv("RES_OPTIONS", "timeout:1 attempts:2", /*overwrite=*/0);
    Declare();
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) {
        app_.exit(error);
        return 0;
      }
      return Usage(Mistake(error, argc, argv));
    }
    if (explain_->parsed()) return ExplainText();
    const auto code = args_.diff.empty() ? Doctor() : Diff();
    if (!code.ok()) return Usage(std::string(Message(code.status())));
    return *code;
  }

 private:
  void Declare() {
    app_.description(kAboutDoctor);
    app_.footer(kDoctorFooter);
    app_.add_option("--env-file", args_.env_files,
                    "Read this .env file, below the environment (may be repeated)");
    app_.add_flag("--no-environment", args_.no_environment, "Leave this process's environment out");
    const auto setting = [this](Setting which, const char* help) {
      app_.add_option_function<std::string>(
              fmt::format("--{}", NameOf(which).name),
              [this, which](const std::string& text) { args_.values[which] = text; }, help)
          ->group(kSettingsGroup);
    };
    setting(Setting::kAddress, "HOST:PORT");
    setting(Setting::kNamespace, "Namespace");
    setting(Setting::kTaskQueue, "Task queue that the worker polls");
    app_.add_flag("--tls", args_.tls, "Speak TLS")->group(kSettingsGroup);
    app_.add_flag("--no-tls", args_.no_tls, "Speak plaintext")
        ->excludes("--tls")
        ->group(kSettingsGroup);
    setting(Setting::kCaPath,
            "Authorities that the server's certificate is checked with, PEM file");
    setting(Setting::kCertPath, "Client certificate, PEM file");
    setting(Setting::kKeyPath, "Its key, PEM file");
    setting(Setting::kServerName, "Name that the server's certificate must be for");
    app_.add_flag("--tls-insecure", args_.insecure, "Do not check the server's certificate")
        ->group(kSettingsGroup);
    app_.add_option("--api-key-variable", args_.api_key_variable,
                    "Environment variable that holds the API key")
        ->group(kSettingsGroup);
    app_.add_option("--api-key-file", args_.api_key_file, "File that holds the API key")
        ->group(kSettingsGroup);
    setting(Setting::kConfigFile, "temporal.toml");
    setting(Setting::kProfile, "Profile of temporal.toml");
    app_.add_option("--proxy", args_.proxy,
                    "HOST:PORT of the HTTP proxy that the program gives the SDK; those that the "
                    "environment names are found by --sdk")
        ->group(kSettingsGroup);
    app_.add_option("--proxy-credentials-variable", args_.proxy_credentials_variable,
                    "Environment variable that holds USER:PASSWORD for --proxy")
        ->group(kSettingsGroup);
    app_.add_option("--sdk", args_.sdk,
                    fmt::format("The SDK and its release, for the proxies that it reads and for "
                                "what it looks for in the server: {}; RELEASE may be 1.x",
                                KnownSdks()));
    app_.add_option("--alias", args_.aliases,
                    "NAME=SETTING: a variable that the application reads for a setting, as in "
                    "MY_TEMPORAL=address (may be repeated)");
    app_.add_option("--require", args_.required,
                    "Settings that must be set, separated by commas: address,namespace,api-key")
        ->delimiter(',');
    app_.add_option("--diff", args_.diff,
                    "OLD NEW: two .env files; tells what the new one has lost")
        ->expected(2);
    app_.add_option("--stage", args_.stage, "How far to look: config, component, integration, all")
        ->capture_default_str();
    app_.add_flag("--expect-pollers", args_.expect_pollers,
                  "A task queue that nobody polls is broken, not just told");
    app_.add_option("--expect-workflow-type", args_.workflow_types,
                    "A worker of the task queue must have this type (may be repeated)");
    app_.add_option("--expect-activity-type", args_.activity_types,
                    "A worker of the task queue must have this type (may be repeated)");
    app_.add_option("--expect-search-attribute", args_.search_attributes,
                    "NAME=TYPE: the namespace must have it (may be repeated)");
    app_.add_flag("--deep", args_.deep,
                  "Also hold a long poll for a minute, with pings, a large message, the time of "
                  "calls and the server's clock");
    app_.add_option("--hold", args_.hold,
                    "With --deep: hold the connection for so many seconds, poll after poll, to see "
                    "when and how the server ends it (Temporal's does after 270 to 330)")
        ->check(CLI::Range(1.0, 86400.0));
    app_.add_option("--canary", args_.canary,
                    "Also start one workflow of this type on the task queue and wait for its end; "
                    "`own`: one that the doctor works on itself, on a queue of its own");
    app_.add_option("--try-ports", args_.ports,
                    "Ports that are tried where the given one does not answer")
        ->delimiter(',')
        ->capture_default_str();
    app_.add_option("--patience", args_.patience, "Multiplies all limits of time")
        ->check(CLI::Range(0.1, 100.0))
        ->capture_default_str();
    app_.add_flag("--settings", args_.settings,
                  "Show each effective setting and where it came from");
    app_.add_flag("--json", args_.json, "Print JSON");
    app_.add_option("--junit", args_.junit, "Write JUnit XML to this file as well");
    app_.add_flag("--watch", args_.watch,
                  "Look again and again, and tell what changes, until a signal comes")
        ->group(kWatchingGroup);
    app_.add_option("--interval", args_.interval, "Seconds between two looks")
        ->check(CLI::Range(0.01, 86400.0))
        ->capture_default_str()
        ->group(kWatchingGroup);
    app_.add_option("--count", args_.count, "Stop after so many looks")->group(kWatchingGroup);
    app_.add_option("--listen", args_.listen,
                    "HOST:PORT for a status page (/) and Prometheus metrics (/metrics); port 0 "
                    "takes a free one")
        ->group(kWatchingGroup);
    app_.add_flag("--causes", causes_, "Print the table of all causes, in Markdown");
    explain_ = app_.add_subcommand("explain", "Which causes an error text of an SDK speaks of");
    explain_->add_option("text", args_.explain,
                         "The text, or a log; none: read it from standard input");
    explain_->add_flag("--json", args_.explain_json, "Print JSON");
  }

  // With the nearest right option.
  std::string Mistake(const CLI::Error& error, int argc, char** argv) const {
    std::vector<std::string> names;
    for (const CLI::App* app :
         {static_cast<const CLI::App*>(&app_), static_cast<const CLI::App*>(explain_)}) {
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    for (int i = 1; i < argc; ++i) {
      const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
      if (word == "--api-key")
        return "an API key on a command line can be seen by every user of this machine; use "
               "--api-key-variable or --api-key-file";
      if (word.starts_with("--") && word != "--" &&
          std::find(names.begin(), names.end(), word) == names.end()) {
        return fmt::format("unknown option '{}'{}", EscapeControl(word), DidYouMean(word, names));
      }
    }
    return error.what();
  }

  static int Usage(std::string_view text) {
    std::fputs(
        fmt::format("squall doctor: {}\nRun `squall doctor --help` for what there is.\n", text)
            .c_str(),
        stderr);
    return static_cast<int>(Verdict::kUsage);
  }

  StatusOr<Expectations> Expected() const {
    Expectations result;
    result.workflow_types = args_.workflow_types;
    result.activity_types = args_.activity_types;
    for (const std::string& text : args_.search_attributes) {
      const auto sign = text.find('=');
      const std::string type =
          sign == std::string::npos ? "" : SearchAttributeType(text.substr(sign + 1));
      if (sign == 0 || type.empty())
        return Complain(fmt::format("--expect-search-attribute '{}' is not NAME=TYPE; types are {}",
                                    EscapeControl(text), fmt::join(SearchAttributeTypes(), ", ")));
      result.search_attributes[text.substr(0, sign)] = type;
    }
    return result;
  }

  StatusOr<Sources> MakeSources() const {
    Sources sources;
    sources.flags = args_.values;
    if (args_.tls || args_.no_tls) sources.flags[Setting::kTls] = args_.tls ? "true" : "false";
    if (args_.insecure) sources.flags[Setting::kDisableHostVerification] = "true";
    if (!args_.api_key_variable.empty()) {
      const char* key = std::getenv(args_.api_key_variable.c_str());
      if (key == nullptr)
        return Complain(fmt::format("--api-key-variable: {} is not set", args_.api_key_variable));
      sources.flags[Setting::kApiKey] = key;
    }
    if (!args_.api_key_file.empty()) {
      auto key = ReadFile(args_.api_key_file);
      if (!key.ok())
        return Complain(
            fmt::format("--api-key-file {}: {}", args_.api_key_file, Message(key.status())));
      // Files end in a line break.
      while (!key->empty() && (key->back() == '\n' || key->back() == '\r')) key->pop_back();
      sources.flags[Setting::kApiKey] = *std::move(key);
    }
    sources.proxy = args_.proxy;
    if (Contains(args_.proxy, "@"))
      return Complain("--proxy takes HOST:PORT; credentials come by --proxy-credentials-variable");
    if (!args_.proxy_credentials_variable.empty()) {
      const char* credentials = std::getenv(args_.proxy_credentials_variable.c_str());
      if (credentials == nullptr)
        return Complain(fmt::format("--proxy-credentials-variable: {} is not set",
                                    args_.proxy_credentials_variable));
      sources.proxy_credentials = credentials;
    }
    if (!args_.no_environment) sources.environment = Environment();
    for (const std::string& path : args_.env_files) {
      SQUALL_ASSIGN_OR_RETURN(std::string text, EnvFile(path));
      sources.env_files.emplace_back(path, std::move(text));
    }
    sources.read_file = ReadFile;
    if (!args_.no_environment) sources.default_config_file = DefaultConfigFile();
    SQUALL_RETURN_IF_ERROR(AddAliases(sources));
    return sources;
  }

  static StatusOr<std::string> EnvFile(const std::string& path) {
    auto text = ReadFile(path);
    if (!text.ok()) return Complain(fmt::format("{}: {}", path, Message(text.status())));
    return text;
  }

  Status AddAliases(Sources& sources) const {
    for (const std::string& alias : args_.aliases) {
      if (!sources.aliases.Add(alias))
        return Complain(fmt::format("--alias '{}' is not NAME=SETTING; settings are {}",
                                    EscapeControl(alias), fmt::join(AllSettings(), ", ")));
    }
    return absl::OkStatus();
  }

  static std::vector<std::string> AllSettings() {
    std::vector<std::string> names;
    for (const SettingName& one : SettingNames()) names.emplace_back(one.name);
    return names;
  }

  StatusOr<int> Doctor() const {
    if (causes_) {
      std::fputs(CausesTable().c_str(), stdout);
      return 0;
    }
    ExamineOptions options;
    const std::string stages[] = {"config", "component", "integration", "all"};
    const auto stage = std::ranges::find(stages, args_.stage);
    if (stage == std::end(stages))
      return Complain(fmt::format("--stage: '{}' is none of {}{}", EscapeControl(args_.stage),
                                  fmt::join(stages, ", "), DidYouMean(args_.stage, stages)));
    options.stage = static_cast<Stage>(stage - std::begin(stages));
    for (const std::string& name : args_.required) {
      const auto setting = SettingFromName(name);
      if (!setting)
        return Complain(fmt::format("--require: '{}' is no setting{}", EscapeControl(name),
                                    DidYouMean(name, AllSettings())));
      options.required.insert(*setting);
    }
    if (!args_.sdk.empty()) {
      auto sdk = ParseSdk(args_.sdk);
      if (!sdk.ok()) return Complain(fmt::format("--sdk: {}", Message(sdk.status())));
      options.sdk = *std::move(sdk);
    }
    SQUALL_ASSIGN_OR_RETURN(options.expectations, Expected());
    if (options.stage == Stage::kConfig && (args_.deep || !args_.canary.empty()))
      return Complain("--stage config connects to nothing: it goes without --deep and --canary");
    if (args_.hold > 0 && !args_.deep) return Complain("--hold needs --deep");
    if (options.stage < Stage::kIntegration && !options.expectations.empty())
      return Complain("--expect-... needs --stage integration or all: it is about the task queue");
    options.expect_pollers = args_.expect_pollers;
    options.other_ports = args_.ports;
    options.patience = args_.patience;
    options.deep = args_.deep;
    options.deep_options.hold =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(args_.hold));
    options.canary = args_.canary;
    options.tag = Rng(SeedFromSystem()).Hex(12);
    SQUALL_ASSIGN_OR_RETURN(const Sources sources, MakeSources());
    // Reading and parsing the machine's authorities costs more than a look at a plaintext server.
    const Settings settings = ReadSettings(sources);
    options.system_authorities_pem = SystemAuthorities();
    if (args_.watch && (args_.deep || !args_.canary.empty()))
      return Complain("--watch goes without --deep and --canary");
    const RealClock clock;
    // Never destroyed: see main.
    auto* executor = new harness::AsioExecutor(clock);
    const auto examine = [&] {
      return Redacted(Examine(*executor, sources, options), settings.secrets);
    };
    if (!args_.watch) return Tell(examine());
    WatchOptions watch;
    watch.interval =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(args_.interval));
    watch.count = args_.count;
    watch.listen = args_.listen;
    watch.print = [](const std::string& line) {
      std::fputs((line + "\n").c_str(), stdout);
      std::fflush(stdout);
    };
    SQUALL_ASSIGN_OR_RETURN(const Verdict verdict, Watch(*executor, watch, examine));
    return static_cast<int>(verdict);
  }

  StatusOr<int> Diff() const {
    std::vector<Settings> sides;
    std::vector<std::string> secrets;
    for (const std::string& path : args_.diff) {
      Sources sources;
      SQUALL_ASSIGN_OR_RETURN(std::string text, EnvFile(path));
      sources.env_files.emplace_back(path, std::move(text));
      SQUALL_RETURN_IF_ERROR(AddAliases(sources));
      sides.push_back(ReadSettings(sources));
      secrets.insert(secrets.end(), sides.back().secrets.begin(), sides.back().secrets.end());
    }
    return Tell(
        Redacted(CompareSettings(sides[0], sides[1], args_.diff[0], args_.diff[1]), secrets));
  }

  StatusOr<int> Tell(const Diagnosis& diagnosis) const {
    if (!args_.junit.empty()) {
      std::ofstream out(args_.junit, std::ios::binary | std::ios::trunc);
      out << AsJUnit(diagnosis);
      if (!out.flush())
        return Complain(fmt::format("--junit {}: it cannot be written", args_.junit));
    }
    const reports::ConsoleOptions console = reports::ConsoleOptionsFor(STDOUT_FILENO);
    const std::string text =
        args_.json ? AsJson(diagnosis)
                   : AsText(diagnosis, {console.width, console.colour, args_.settings});
    std::fputs(text.c_str(), stdout);
    return static_cast<int>(diagnosis.verdict());
  }

  int ExplainText() const {
    std::string text = fmt::format("{}", fmt::join(args_.explain, " "));
    if (args_.explain.empty() || text == "-") {
      if (::isatty(STDIN_FILENO) != 0)
        return Usage("explain: give the text, or let it come by standard input");
      text.assign(std::istreambuf_iterator<char>(std::cin), {});
    }
    const auto explanations = Explain(text);
    const std::string shown =
        args_.explain_json
            ? ExplanationJson(explanations)
            : ExplanationText(explanations, reports::ConsoleOptionsFor(STDOUT_FILENO).width);
    std::fputs(shown.c_str(), stdout);
    return static_cast<int>(explanations.empty() ? Verdict::kUnknown : Verdict::kHealthy);
  }

  CLI::App app_{"", "squall doctor"};
  CLI::App* explain_ = nullptr;
  Arguments args_;
  bool causes_ = false;
};

}  // namespace

int Main(int argc, char** argv) { return DoctorProgram().Run(argc, argv); }

}  // namespace squall::doctor
