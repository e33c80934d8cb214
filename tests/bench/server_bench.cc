// The fake server beside the real dev server, in one run, with the same client and the same worker: start-up, memory, time to
// the first completed workflow, ping workflows per second. Rounds alternate between the two so that a busy machine hits both;
// medians and ratios are printed, as Markdown for docs/performance.md.
//
// Usage: squall-bench [--rounds 3] [--workflows 2000] [--in-flight 50]

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
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

namespace squall::harness {
namespace {

constexpr Duration kLimit = std::chrono::minutes(5);

struct Settings {
  int rounds = 3;
  int workflows = 2000;
  int in_flight = 50;
};

// One server's figures of one round.
struct Figures {
  double ready_ms = 0;           // exec to serving: the port accepts (dev server), the ready line (fake)
  double private_mib = 0;        // right after it serves
  double resident_mib = 0;
  double first_workflow_ms = 0;  // exec of the server to the first completed ping workflow, worker included
  double per_second = 0;         // ping workflows, started and awaited by one client
  double cpu_ms_per_workflow = 0;  // of the server process
};

double Millis(Duration d) { return static_cast<double>(d.count()) / 1e6; }

double SmapsMib(std::int64_t pid, std::string_view prefix) {
  std::ifstream in(fmt::format("/proc/{}/smaps_rollup", pid));
  double kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(prefix, 0) == 0) {
      std::istringstream fields(line.substr(line.find(':') + 1));
      double value = 0;
      fields >> value;
      kib += value;
    }
  }
  return kib / 1024;
}

// User and system time of a process so far.
double CpuMillis(std::int64_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(in, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

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
  PingLoad(TemporalClient& client, std::string prefix, int total) : client_(client), prefix_(std::move(prefix)), total_(total) {}

  Status Run(AsioExecutor& executor, int in_flight) {
    for (int i = 0; i < in_flight; ++i) Next();
    if (!executor.RunUntil([this] { return done_ == total_ || !status_.ok(); }, kLimit)) {
      return absl::DeadlineExceededError(fmt::format("{} of {} workflows done", done_, total_));
    }
    return status_;
  }

 private:
  void Next() {
    if (started_ == total_) return;
    const std::string id = fmt::format("{}-{}", prefix_, ++started_);
    const CallOptions options{.deadline = std::chrono::seconds(60), .wait_for_ready = true, .journal = false};
    client_.StartWorkflow({.workflow_id = id, .type = "Ping", .task_queue = "bench", .arguments_json = {"\"x\""}}, options,
                          [this, id, options](StatusOr<std::string> run) {
                            if (!run.ok()) return Fail(run.status());
                            client_.AwaitResult(id, *run, std::chrono::seconds(60), options,
                                                [this](StatusOr<WorkflowOutcome> outcome) {
                                                  if (!outcome.ok()) return Fail(outcome.status());
                                                  ++done_;
                                                  Next();
                                                });
                          });
  }
  void Fail(const Status& status) { status_.Update(status); }

  TemporalClient& client_;
  const std::string prefix_;
  const int total_;
  int started_ = 0;
  int done_ = 0;
  Status status_;
};

Figures Measure(ServerKind kind, const Settings& settings, const std::string& folder) {
  const RealClock clock;
  AsioExecutor executor(clock);
  journal::NullSink journal;
  Figures figures;

  const auto cli = FindTemporalCli();
  const auto fake = FindOurProgram("squall-server");
  Must(kind == ServerKind::kDevServer ? cli.status() : fake.status(), "find the server");

  auto lease = PortLease::Take();
  Must(lease.status(), "take a port");
  const std::string port = std::to_string(lease->port());
  ChildOptions options{.name = "server", .role = "server", .log_directory = folder, .journal_lines = false};
  if (kind == ServerKind::kDevServer) {
    auto http = PortLease::Take();
    Must(http.status(), "take a port");
    options.argv = {*cli, "server", "start-dev", "--headless", "--port", port, "--http-port", std::to_string(http->port()),
                    "--log-level", "error", "--dynamic-config-value", "matching.rps=100000",
                    "--dynamic-config-value", "frontend.namespaceRPS=100000", "--dynamic-config-value", "frontend.rps=100000"};
    options.ready.tcp_port = lease->port();
  } else {
    options.argv = {*fake, "--port", port};
    options.ready.line = [](Stream, std::string_view line) { return line.find("\"ready\"") != std::string_view::npos; };
  }
  ChildProcess server(executor, journal, options);
  const SteadyTime start = clock.Now();
  Must(Finish(executor, [&](auto done) { server.Start(done); }), "start the server");
  figures.ready_ms = Millis(clock.Now() - start);
  figures.private_mib = SmapsMib(server.pid(), "Private_");
  figures.resident_mib = SmapsMib(server.pid(), "Rss");

  TemporalClient client(executor, journal, {.name = "load", .address = "127.0.0.1:" + port});
  // The dev server accepts before its namespace can be used; the worker's own validation would fail on that.
  const SteadyTime give_up = clock.Now() + std::chrono::seconds(30);
  while (!Finish(executor, [&](auto done) { client.DescribeNamespace("default", {.wait_for_ready = true}, done); }).ok()) {
    if (clock.Now() > give_up) Must(absl::DeadlineExceededError("namespace default"), "wait for the server");
  }
  auto worker = WorkerUnderTest::Create(executor, journal,
                                        {.name = "worker", .address = "127.0.0.1:" + port, .task_queue = "bench",
                                         .work_directory = folder});
  Must(worker.status(), "create the worker");
  Must(Finish(executor, [&](auto done) { (*worker)->Start(done); }), "start the worker");
  Must(PingLoad(client, "first", 1).Run(executor, 1), "run the first workflow");
  figures.first_workflow_ms = Millis(clock.Now() - start);

  Must(PingLoad(client, "warm", settings.in_flight).Run(executor, settings.in_flight), "warm up");
  const double cpu_before = CpuMillis(server.pid());
  const SteadyTime load_start = clock.Now();
  Must(PingLoad(client, "load", settings.workflows).Run(executor, settings.in_flight), "run the load");
  const double seconds = Millis(clock.Now() - load_start) / 1000;
  figures.per_second = settings.workflows / seconds;
  figures.cpu_ms_per_workflow = (CpuMillis(server.pid()) - cpu_before) / settings.workflows;

  Finish(executor, [&](auto done) {
    (*worker)->Stop(Intent::kAsked, [done](const ProcessExit&) { done(absl::OkStatus()); });
  }).IgnoreError();
  Finish(executor, [&](auto done) {
    server.Stop(Intent::kAsked, [done](const ProcessExit&) { done(absl::OkStatus()); });
  }).IgnoreError();
  return figures;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Figures of the fake server beside the real dev server, in one run.");
  app.add_option("--rounds", settings.rounds, "rounds, alternating between the two")->capture_default_str();
  app.add_option("--workflows", settings.workflows, "ping workflows of the load")->capture_default_str();
  app.add_option("--in-flight", settings.in_flight, "workflows started and not yet completed")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("squall-bench-{}", getpid());
  std::filesystem::create_directories(folder);
  std::map<ServerKind, std::vector<Figures>> all;
  for (int round = 1; round <= settings.rounds; ++round) {
    for (const ServerKind kind : {ServerKind::kFakeProcess, ServerKind::kDevServer}) {
      const Figures f = Measure(kind, settings, folder);
      fmt::print(stderr, "round {} {:<12} ready {:.1f} ms, first {:.0f} ms, {:.0f}/s, {:.2f} ms CPU each\n", round,
                 kind == ServerKind::kDevServer ? "dev server" : "squall-server", f.ready_ms, f.first_workflow_ms, f.per_second,
                 f.cpu_ms_per_workflow);
      all[kind].push_back(f);
    }
  }
  const auto row = [&all](std::string_view name, std::string_view unit, double Figures::*field, bool more_is_better) {
    const auto median = [&](ServerKind kind) {
      std::vector<double> values;
      for (const Figures& f : all[kind]) values.push_back(f.*field);
      return Median(values);
    };
    const double fake = median(ServerKind::kFakeProcess);
    const double real = median(ServerKind::kDevServer);
    fmt::print("| {} | {:.1f} {} | {:.1f} {} | {:.1f} x |\n", name, fake, unit, real, unit,
               more_is_better ? fake / real : real / fake);
  };
  fmt::print("Median of {} rounds, {} ping workflows, {} in flight:\n\n", settings.rounds, settings.workflows, settings.in_flight);
  fmt::print("| | squall-server | dev server | better by |\n|---|---|---|---|\n");
  row("exec to serving", "ms", &Figures::ready_ms, false);
  row("private memory when serving", "MiB", &Figures::private_mib, false);
  row("resident memory when serving", "MiB", &Figures::resident_mib, false);
  row("exec to first workflow completed, worker start included", "ms", &Figures::first_workflow_ms, false);
  row("ping workflows per second", "", &Figures::per_second, true);
  row("server CPU per workflow", "ms", &Figures::cpu_ms_per_workflow, false);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return 0;
}

}  // namespace
}  // namespace squall::harness

int main(int argc, char** argv) { return squall::harness::Main(argc, argv); }
