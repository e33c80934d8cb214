// Adapter to CLI11, whose exceptions end here.
#include "fakes/worker/host_program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/util/planted.h"
#include "core/runtime.h"
#include "fakes/worker/builtins.h"
#include "fakes/worker/core_factory.h"
#include "fakes/worker/lifecycle.h"
#include "fakes/worker/naive_hosts.h"
#include "fakes/worker/settings.h"
#include "fakes/worker/supervising_host.h"
#include "fakes/worker/watchdog.h"

namespace squall::fakes {
namespace {

constexpr char kFooter[] = R"(
Environment (flags win): TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TASK_QUEUE, TEMPORAL_API_KEY, TEMPORAL_TLS,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH, TEMPORAL_TLS_CLIENT_CERT_PATH (or TEMPORAL_TLS_CERT),
  TEMPORAL_TLS_CLIENT_KEY_PATH (or TEMPORAL_TLS_KEY), TEMPORAL_TLS_SERVER_NAME
Workflows: Ping(x) Echo(x) Chain(n) Timer(ms) Slow(seconds) Flaky(failures) FlakyOnce(failures) SignalWait Parent(x)
  Loop(n) Cancellable
Output: one JSON object per line on standard output, {"squall_event":"polling","pid":123,...}; core's log on standard error.
SIGTERM, SIGINT: graceful stop; a second one ends the process at once, with 1.
SIGUSR2: what runs the worker is cancelled from inside, though nobody asked the process to end.
Exit codes: 0 stopped as asked; 1 fatal at run time (worker failed, shutdown did not end); 2 wrong usage or
  configuration; 3 could not start (connect, validate).)";

// A stop often comes twice, to the process and to its group (timeout(1), terminals): signals this
// close are one.
constexpr Duration kOneStop = std::chrono::milliseconds(200);

struct Flags {
  std::string kind;
  RawSettings settings;
  std::string grace = "10s";
  std::string shutdown_limit = "10s";
  std::string connect_limit;
  std::string log_filter = core::RuntimeOptions().log_filter;
  std::string identity;
  std::string heartbeat = "60s";
  int cache = 1000;
  int pollers = 5;
  bool no_workflows = false;
  bool no_activities = false;
  // squall-host
  int workers = 3;
  double interval_scale = 1;
  int after_workflows = 1;
  int exit_code = 0;
  bool own_client = false;
};

void AddSetting(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                const std::string& help) {
  app.add_option_function<std::string>(
      name, [&value](const std::string& text) { value = text; }, help);
}

void AddFlags(CLI::App& app, Flags& flags, bool is_host) {
  AddSetting(app, "--address", flags.settings.address,
             "host:port of the server (default 127.0.0.1:7233)");
  AddSetting(app, "--namespace", flags.settings.ns, "namespace (default: default)");
  AddSetting(app, "--task-queue", flags.settings.task_queue, "task queue to work on");
  AddSetting(app, "--tls", flags.settings.tls, "true or false");
  AddSetting(app, "--tls-server-ca-cert-path", flags.settings.server_ca_path,
             "PEM file of the roots to trust");
  AddSetting(app, "--tls-client-cert-path", flags.settings.client_cert_path,
             "PEM file of the client certificate");
  AddSetting(app, "--tls-client-key-path", flags.settings.client_key_path, "PEM file of its key");
  AddSetting(app, "--tls-server-name", flags.settings.server_name,
             "name to verify instead of the address's host");
  app.add_option("--grace", flags.grace, "time that running activities get at a stop")
      ->capture_default_str();
  app.add_option(
         "--shutdown-limit", flags.shutdown_limit,
         "time that core's shutdown gets after the grace before the process leaves it; 0: for ever")
      ->capture_default_str();
  app.add_option("--connect-limit", flags.connect_limit,
                 "limit of one TCP+TLS connect (default: none, as core has it)");
  app.add_option("--log-filter", flags.log_filter,
                 "what of core's log is shown, as Rust's EnvFilter");
  app.add_option("--identity", flags.identity, "client identity (default pid@host)");
  app.add_option("--worker-heartbeat", flags.heartbeat, "interval of worker heartbeats; 0: none")
      ->capture_default_str();
  app.add_option("--max-cached-workflows", flags.cache, "cached workflow runs")
      ->capture_default_str();
  app.add_option("--pollers", flags.pollers, "polls of each kind held open")->capture_default_str();
  app.add_flag("--no-workflows", flags.no_workflows, "poll for activities only");
  app.add_flag("--no-activities", flags.no_activities, "poll for workflows only");
  if (is_host) {
    app.add_option("--kind", flags.kind,
                   "supervising, cancelling, shared-client, fail-fast or no-restart")
        ->required()
        ->check(CLI::IsMember(
            {"supervising", "cancelling", "shared-client", "fail-fast", "no-restart"}));
    app.add_option("--workers", flags.workers, "supervising, no-restart: workers at once")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--interval-scale", flags.interval_scale,
                   "supervising, no-restart: factor on health interval (15s) and back-off (1s "
                   "doubling to 30s)")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--after-workflows", flags.after_workflows,
                   "cancelling: after so many workflows; 0: at once")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--exit-code", flags.exit_code,
                   "cancelling, shared-client: of the end that nobody asked for")
        ->check(CLI::Range(0, 255))
        ->capture_default_str();
    app.add_flag("--own-client", flags.own_client,
                 "shared-client: the fixed form, a connection of its own");
  }
  app.footer(kFooter);
}

struct Limits {
  Duration grace{}, shutdown{}, heartbeat{};
  std::optional<Duration> connect;
};

StatusOr<Limits> ResolveLimits(const Flags& flags) {
  Limits limits;
  const auto read = [](const char* name, const std::string& text, Duration& out) -> Status {
    const StatusOr<Duration> parsed = ParseDuration(text);
    if (!parsed.ok()) return Annotate(parsed.status(), name);
    out = *parsed;
    return absl::OkStatus();
  };
  SQUALL_RETURN_IF_ERROR(read("--grace", flags.grace, limits.grace));
  SQUALL_RETURN_IF_ERROR(read("--shutdown-limit", flags.shutdown_limit, limits.shutdown));
  SQUALL_RETURN_IF_ERROR(read("--worker-heartbeat", flags.heartbeat, limits.heartbeat));
  if (!flags.connect_limit.empty()) {
    SQUALL_RETURN_IF_ERROR(read("--connect-limit", flags.connect_limit, limits.connect.emplace()));
  }
  return limits;
}

std::unique_ptr<Host> MakeHost(const Flags& flags, const Settings& settings, const Limits& limits,
                               Host::Environment environment) {
  if (flags.kind == "supervising" || flags.kind == "no-restart") {
    SupervisingOptions options;
    const auto scale = [&flags](Duration& d) {
      d = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(d) *
                                               flags.interval_scale);
    };
    scale(options.health_interval);
    scale(options.backoff_initial);
    scale(options.backoff_max);
    options.workers = flags.workers;
    options.restart = flags.kind == "supervising";
    options.stop_limit = limits.grace + limits.shutdown / 2;  // before the watchdog's
    if (limits.connect) options.connect_limit = *limits.connect;
    return std::make_unique<SupervisingHost>(std::move(environment), options);
  }
  if (flags.kind == "cancelling") {
    CancellingOptions options;
    options.after_workflows = flags.after_workflows;
    options.exit_code = flags.exit_code;
    return std::make_unique<CancellingHost>(std::move(environment), options);
  }
  if (flags.kind == "shared-client") {
    SharedClientOptions options;
    options.shared = !flags.own_client;
    options.exit_code = flags.exit_code;
    options.workflow_id = fmt::format("client-of-{}", getpid());
    options.task_queue = settings.task_queue;
    return std::make_unique<SharedClientHost>(std::move(environment), std::move(options));
  }
  return std::make_unique<SingleHost>(std::move(environment));
}

// Runs the host to its end on this thread.
int RunHost(const Flags& flags, const Settings& settings, const Limits& limits,
            const LifecycleWriter& lines, const HostProgramHooks& hooks) {
  BlockStopSignals();
  const RealClock clock;
  LoopExecutor loop(clock);
  std::unique_ptr<Host> host;  // loop's thread only

  Watchdog watchdog([&lines] {
    lines.Write(MakeEvent("fatal", "shutdown did not end"));
    _exit(kExitFatal);
  });
  // Also for ends that nobody asked for: a fatal worker's shutdown hangs as well as another's.
  const auto emit = [&](journal::WorkerEvent event) {
    if (event.what == "stopping" && limits.shutdown > Duration::zero() &&
        (Planted(PlantedBug::kWatchdogBitesAtLoss) ||
         (flags.kind != "supervising" && flags.kind != "no-restart"))) {
      watchdog.Arm(limits.grace + limits.shutdown);
    }
    lines.Write(std::move(event));
  };
  std::optional<SteadyTime> first_signal;  // the listener's thread only
  const SignalListener signals([&](int signal) {
    if (signal == SIGUSR2) {
      return loop.Post([&host] {
        if (host != nullptr) host->Cancel();
      });
    }
    if (first_signal) {
      if (clock.Now() - *first_signal < kOneStop) return;
      lines.Write(MakeEvent("fatal", fmt::format("second signal ({}): leaving at once", signal)));
      _exit(kExitFatal);
    }
    first_signal = clock.Now();
    if (limits.shutdown > Duration::zero()) watchdog.Arm(limits.grace + limits.shutdown);
    loop.Post([&host] {
      if (host != nullptr) host->Stop();
    });
  });

  core::RuntimeOptions runtime_options;
  runtime_options.log_filter = flags.log_filter;
  runtime_options.heartbeat_interval =
      limits.heartbeat > Duration::zero() ? std::optional(limits.heartbeat) : std::nullopt;
  runtime_options.on_log = [](const core::LogRecord& record) {
    const std::string line =
        fmt::format("{} {} {}: {} {}\n", FormatWall(record.time), core::LogLevelName(record.level),
                    record.target, record.message, record.fields);
    // A line of a log that nobody reads is lost.
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
  };
  runtime_options.worker_threads = hooks.core_threads;
  runtime_options.metrics = false;  // nobody reads them
  auto runtime = core::Runtime::Create(std::move(runtime_options));
  if (!runtime.ok()) {
    lines.Write(MakeEvent("fatal", "core: " + Describe(runtime.status())));
    return kExitUsage;
  }

  core::Registry registry;
  BuiltinHooks builtins;
  builtins.on_effect = [&lines](const std::string& key, const std::string& workflow_id) {
    journal::WorkerEvent event = MakeEvent("effect");
    event.task = key;
    event.workflow_id = workflow_id;
    lines.Write(std::move(event));
  };
  RegisterBuiltins(registry, std::move(builtins));

  CoreFactoryOptions options;
  options.connection = settings.connection;
  options.connection.identity = flags.identity;
  options.connection.connect_timeout = limits.connect;
  if (hooks.on_connection) hooks.on_connection(options.connection, loop);
  options.worker.temporal_namespace = settings.ns;
  options.worker.task_queue = settings.task_queue;
  options.worker.workflows = !flags.no_workflows;
  options.worker.activities = !flags.no_activities;
  options.worker.local_activities = !flags.no_workflows && !flags.no_activities;
  options.worker.max_cached_workflows = flags.cache;
  options.worker.workflow_pollers = core::PollerBehavior::SimpleMaximum(flags.pollers);
  options.worker.activity_pollers = core::PollerBehavior::SimpleMaximum(flags.pollers);
  options.worker.graceful_shutdown_period = limits.grace;
  options.worker.allow_duplicate_worker =
      true;  // a supervising host runs several on one connection
  CoreFactory factory(*runtime, registry, loop, std::move(options));

  int code = kExitFatal;
  host = MakeHost(flags, settings, limits, {loop, factory, emit, [&](int exit_code) {
                                              code = exit_code;
                                              loop.Stop();
                                            }});
  loop.Post([&host] { host->Start(); });
  loop.Run();
  host.reset();
  journal::WorkerEvent stopped = MakeEvent("stopped");
  stopped.exit_code = code;
  lines.Write(std::move(stopped));
  return code;
}

}  // namespace

int RunHostProgram(const std::string& program, const std::string& kind, int argc, char** argv,
                   const HostProgramHooks& hooks) {
  Flags flags;
  flags.kind = kind;
  CLI::App app(kind.empty() ? "Runs Temporal workers on the production SDK core inside a host with "
                              "good or bad habits."
                            : "Runs one Temporal worker on the production SDK core.",
               program);
  AddFlags(app, flags, kind.empty());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitAsked : kExitUsage;
  }
  StatusOr<Settings> settings = ResolveSettings(flags.settings, &GetProcessEnv);
  const StatusOr<Limits> limits = ResolveLimits(flags);
  const Status status = !settings.ok() ? settings.status() : limits.status();
  const LifecycleWriter lines(STDOUT_FILENO, getpid(), settings.ok() ? settings->task_queue : "");
  if (!status.ok()) {
    const std::string line = fmt::format("{}: {}\n", program, Message(status));
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return kExitUsage;
    lines.Write(MakeEvent("fatal", std::string(Message(status))));
    return kExitUsage;
  }
  return RunHost(flags, *settings, *limits, lines, hooks);
}

}  // namespace squall::fakes
