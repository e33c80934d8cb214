// The fake server beside the real dev server, in one run, with the same client and the same worker:
// start-up, memory, time to the first completed workflow, how long one ping takes on an idle
// server, pings per second; and many engines in one process. Rounds alternate between the two so
// that a busy machine hits both; medians, ratios and what was asked for are printed, as Markdown
// for docs/performance.md.
//
// Usage: squall-bench [--rounds 3] [--workflows 2000] [--in-flight 50] [--pings 300] [--starts 15]
// [--engines 1000]

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"
#include "harness/process/process.h"
#include "harness/target/target.h"
#include "harness/target/temporal_client.h"
#include "tests/bench/engines.h"
#include "tests/bench/figures.h"

namespace squall::harness {
namespace {

constexpr Duration kLimit = std::chrono::minutes(5);

struct Settings {
  int rounds = 3;
  int workflows = 2000;
  int in_flight = 50;
  int pings = 300;     // one after the other
  int starts = 15;     // of squall-server for its start-up; the dev server starts once a round
  int engines = 1000;  // in this process; 0: none
};

// One server's figures of one round.
struct Figures {
  double ready_ms = 0;     // exec to serving: the port accepts (dev server), the ready line (fake)
  double private_mib = 0;  // right after it serves
  double resident_mib = 0;
  double first_workflow_ms =
      0;              // exec of the server to the first completed ping workflow, worker included
  double p50_ms = 0;  // of a ping, one after the other: asking for its start to having its result
  double p99_ms = 0;
  double per_second = 0;           // ping workflows, started and awaited by one client
  double cpu_ms_per_workflow = 0;  // of the server process
};

double Millis(Duration d) { return static_cast<double>(d.count()) / 1e6; }

void Must(const Status& status, std::string_view what) {
  if (status.ok()) return;
  fmt::print(stderr, "squall-bench: {}: {}\n", what, status.message());
  std::exit(1);
}

// Runs the loop until an asynchronous action has called back.
template <typename Start>
Status Finish(AsioExecutor& executor, Start start) {
  std::optional<Status> result;
  start([&result](Status status) { result = std::move(status); });
  executor.RunUntil([&result] { return result.has_value(); }, kLimit);
  return result.value_or(absl::DeadlineExceededError("no answer"));
}

// Keeps `in_flight` ping workflows going until `total` have completed.
class PingLoad {
 public:
  PingLoad(AsioExecutor& executor, TemporalClient& client, std::string prefix, int total)
      : executor_(executor), client_(client), prefix_(std::move(prefix)), total_(total) {}

  Status Run(int in_flight) {
    for (int i = 0; i < in_flight; ++i) Next();
    if (!executor_.RunUntil([this] { return done_ == total_ || !status_.ok(); }, kLimit)) {
      return absl::DeadlineExceededError(fmt::format("{} of {} workflows done", done_, total_));
    }
    return status_;
  }
  // From asking for each start to having its result.
  const std::vector<double>& millis() const { return millis_; }

 private:
  void Next() {
    if (started_ == total_) return;
    const std::string id = fmt::format("{}-{}", prefix_, ++started_);
    const SteadyTime begun = executor_.clock().Now();
    const CallOptions options{
        .deadline = std::chrono::seconds(60), .wait_for_ready = true, .journal = false};
    client_.StartWorkflow(
        {.workflow_id = id, .type = "Ping", .task_queue = "bench", .arguments_json = {"\"x\""}},
        options, [this, id, begun, options](StatusOr<std::string> run) {
          if (!run.ok()) return Fail(run.status());
          client_.AwaitResult(id, *run, std::chrono::seconds(60), options,
                              [this, begun](const StatusOr<WorkflowOutcome>& outcome) {
                                if (!outcome.ok()) return Fail(outcome.status());
                                millis_.push_back(Millis(executor_.clock().Now() - begun));
                                ++done_;
                                Next();
                              });
        });
  }
  void Fail(const Status& status) { status_.Update(status); }

  AsioExecutor& executor_;
  TemporalClient& client_;
  const std::string prefix_;
  const int total_;
  int started_ = 0;
  int done_ = 0;
  std::vector<double> millis_;
  Status status_;
};

// A server as a process of its own, ready when this returns.
class Server {
 public:
  Server(AsioExecutor& executor, ServerKind kind, const std::string& folder) : executor_(executor) {
    const auto cli = FindTemporalCli();
    const auto fake = FindOurProgram("squall-server");
    Must(kind == ServerKind::kDevServer ? cli.status() : fake.status(), "find the server");
    auto lease = PortLease::Take();
    Must(lease.status(), "take a port");
    lease_ = *std::move(lease);
    const std::string port = std::to_string(lease_.port());
    ChildOptions options{
        .name = "server", .role = "server", .log_directory = folder, .journal_lines = false};
    if (kind == ServerKind::kDevServer) {
      auto http = PortLease::Take();
      Must(http.status(), "take a port");
      http_ = *std::move(http);
      options.argv = {*cli,
                      "server",
                      "start-dev",
                      "--headless",
                      "--port",
                      port,
                      "--http-port",
                      std::to_string(http_.port()),
                      "--log-level",
                      "error",
                      "--dynamic-config-value",
                      "matching.rps=100000",
                      "--dynamic-config-value",
                      "frontend.namespaceRPS=100000",
                      "--dynamic-config-value",
                      "frontend.rps=100000"};
      options.ready.tcp_port = lease_.port();
    } else {
      options.argv = {*fake, "--port", port};
      options.ready.line = [](Stream, std::string_view line) {
        return line.find("\"ready\"") != std::string_view::npos;
      };
    }
    process_.emplace(executor, journal_, options);
    started_ = executor.clock().Now();
    Must(Finish(executor, [&](auto done) { process_->Start(done); }), "start the server");
    ready_ms_ = Millis(executor.clock().Now() - started_);
  }
  ~Server() {
    Finish(executor_, [&](auto done) {
      process_->Stop(Intent::kAsked, [done](const ProcessExit&) { done(absl::OkStatus()); });
    }).IgnoreError();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string address() const { return fmt::format("127.0.0.1:{}", lease_.port()); }
  std::int64_t pid() const { return process_->pid(); }
  SteadyTime started() const { return started_; }
  double ready_ms() const { return ready_ms_; }

 private:
  AsioExecutor& executor_;
  journal::NullSink journal_;
  PortLease lease_, http_;
  std::optional<ChildProcess> process_;
  SteadyTime started_;
  double ready_ms_ = 0;
};

Figures Measure(ServerKind kind, const Settings& settings, const std::string& folder) {
  const RealClock clock;
  AsioExecutor executor(clock);
  journal::NullSink journal;
  Figures figures;

  // What takes milliseconds is asked more than once.
  std::vector<double> starts;
  for (int i = 1; i < settings.starts && kind == ServerKind::kFakeProcess; ++i)
    starts.push_back(Server(executor, kind, folder).ready_ms());
  const Server server(executor, kind, folder);
  starts.push_back(server.ready_ms());
  figures.ready_ms = bench::Median(starts);
  figures.private_mib = bench::PrivateMib(server.pid());
  figures.resident_mib = bench::ResidentMib(server.pid());

  TemporalClient client(executor, journal, {.name = "load", .address = server.address()});
  // The dev server accepts before its namespace can be used; the worker's own validation would fail
  // on that.
  const SteadyTime give_up = clock.Now() + std::chrono::seconds(30);
  while (!Finish(executor, [&](auto done) {
            client.DescribeNamespace("default", {.wait_for_ready = true}, done);
          }).ok()) {
    if (clock.Now() > give_up)
      Must(absl::DeadlineExceededError("namespace default"), "wait for the server");
  }
  auto worker = WorkerUnderTest::Create(executor, journal,
                                        {.name = "worker",
                                         .address = server.address(),
                                         .task_queue = "bench",
                                         .work_directory = folder});
  Must(worker.status(), "create the worker");
  Must(Finish(executor, [&](auto done) { (*worker)->Start(done); }), "start the worker");
  const auto run = [&](const char* prefix, int total, int in_flight) {
    PingLoad load(executor, client, prefix, total);
    Must(load.Run(in_flight), fmt::format("run the workflows {}", prefix));
    return load.millis();
  };
  run("first", 1, 1);
  // From the start of the last of the servers, which is the one that the worker has.
  figures.first_workflow_ms = Millis(clock.Now() - server.started());

  run("warm", settings.in_flight, settings.in_flight);
  const std::vector<double> pings = run("ping", settings.pings, 1);
  figures.p50_ms = bench::Percentile(pings, 50);
  figures.p99_ms = bench::Percentile(pings, 99);

  const double cpu_before = bench::CpuMillis(server.pid());
  const SteadyTime load_start = clock.Now();
  run("load", settings.workflows, settings.in_flight);
  const double seconds = Millis(clock.Now() - load_start) / 1000;
  figures.per_second = settings.workflows / seconds;
  figures.cpu_ms_per_workflow = (bench::CpuMillis(server.pid()) - cpu_before) / settings.workflows;

  Finish(executor, [&](auto done) {
    (*worker)->Stop(Intent::kAsked, [done](const ProcessExit&) { done(absl::OkStatus()); });
  }).IgnoreError();
  return figures;
}

using Rounds = std::map<ServerKind, std::vector<Figures>>;

double MedianOf(const Rounds& all, ServerKind kind, double Figures::*field) {
  std::vector<double> values;
  for (const Figures& f : all.at(kind)) values.push_back(f.*field);
  return bench::Median(values);
}

// What issue 4 asks for: at most `limit` of our own figure, or at least `ratio` times better than
// the dev server.
struct Asked {
  std::optional<double> limit, ratio;
};

// Three digits, and no exponent.
std::string Digits(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

void PrintRow(const Rounds& all, std::string_view name, std::string_view unit,
              double Figures::*field, bool more_is_better, const Asked& asked = {}) {
  const double fake = MedianOf(all, ServerKind::kFakeProcess, field);
  const double real = MedianOf(all, ServerKind::kDevServer, field);
  const double ratio = more_is_better ? fake / real : real / fake;
  std::string text;
  if (asked.limit.has_value())
    text = fmt::format("at most {} {}: {}", *asked.limit, unit,
                       fake <= *asked.limit ? "held" : "MISSED");
  if (asked.ratio.has_value())
    text = fmt::format("{} x: {}", *asked.ratio, ratio >= *asked.ratio ? "held" : "MISSED");
  fmt::print("| {} | {} {} | {} {} | {} x | {} |\n", name, Digits(fake), unit, Digits(real), unit,
             Digits(ratio), text);
}

void PrintTable(const Rounds& all, const Settings& settings) {
  fmt::print(
      "Medians of {} rounds; {} ping workflows, {} in flight; {} one after the other; {} starts a "
      "round:\n\n",
      settings.rounds, settings.workflows, settings.in_flight, settings.pings, settings.starts);
  fmt::print("| | squall-server | dev server | better by | asked |\n|---|---|---|---|---|\n");
  PrintRow(all, "exec to serving", "ms", &Figures::ready_ms, false, {.limit = 5, .ratio = {}});
  PrintRow(all, "private memory when serving", "MiB", &Figures::private_mib, false,
           {.limit = 10, .ratio = {}});
  PrintRow(all, "resident memory when serving", "MiB", &Figures::resident_mib, false);
  PrintRow(all, "exec to first workflow completed, worker start included", "ms",
           &Figures::first_workflow_ms, false);
  PrintRow(all, "start to result of one ping, p50", "ms", &Figures::p50_ms, false,
           {.limit = {}, .ratio = 5});
  PrintRow(all, "start to result of one ping, p99", "ms", &Figures::p99_ms, false);
  PrintRow(all, "ping workflows per second (the one worker is the limit)", "", &Figures::per_second,
           true);
  PrintRow(all, "server CPU per workflow", "ms", &Figures::cpu_ms_per_workflow, false,
           {.limit = {}, .ratio = 20});
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Figures of the fake server beside the real dev server, in one run.");
  app.add_option("--rounds", settings.rounds,
                 "rounds, alternating between the two; 0: engines only")
      ->capture_default_str();
  app.add_option("--workflows", settings.workflows, "ping workflows of the load")
      ->capture_default_str();
  app.add_option("--in-flight", settings.in_flight, "workflows started and not yet completed")
      ->capture_default_str();
  app.add_option("--pings", settings.pings, "ping workflows, one after the other")
      ->capture_default_str();
  app.add_option("--starts", settings.starts, "starts of squall-server in a round")
      ->capture_default_str();
  app.add_option("--engines", settings.engines, "engines in one process; 0: none")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("squall-bench-{}", getpid());
  std::filesystem::create_directories(folder);
  Rounds all;
  for (int round = 1; round <= settings.rounds; ++round) {
    for (const ServerKind kind : {ServerKind::kFakeProcess, ServerKind::kDevServer}) {
      const Figures f = Measure(kind, settings, folder);
      fmt::print(stderr,
                 "round {} {:<13} ready {:.1f} ms, first {:.0f} ms, ping {:.2f} ms, {:.0f}/s, "
                 "{:.2f} ms CPU each\n",
                 round, kind == ServerKind::kDevServer ? "dev server" : "squall-server", f.ready_ms,
                 f.first_workflow_ms, f.p50_ms, f.per_second, f.cpu_ms_per_workflow);
      all[kind].push_back(f);
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (settings.rounds > 0) PrintTable(all, settings);
  if (settings.engines > 0) {
    // Behind the servers: a larger process forks more slowly.
    const auto engines = bench::MeasureEngines(settings.engines);
    Must(engines.status(), "engines in one process");
    fmt::print(
        "\n{} engines in one process, each serves a workflow: {:.1f} us and {:.1f} KiB to make "
        "one, "
        "{:.1f} us for the workflow, {:.1f} KiB after it\n",
        engines->engines, engines->create_us, engines->create_kib, engines->workflow_us,
        engines->served_kib);
  }
  return 0;
}

}  // namespace
}  // namespace squall::harness

int main(int argc, char** argv) { return squall::harness::Main(argc, argv); }
