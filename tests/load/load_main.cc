// squall-load: the fake server under many connections, many workflows, and for long. Prints what it
// saw as Markdown for docs/performance.md; exit 1 when something is lost, wrong or grows.
//
// Usage: squall-load polls|workflows|soak|all [options]

#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>

#include "base/util/clock.h"
#include "harness/net/asio_executor.h"
#include "tests/load/proofs.h"

namespace squall::load {
namespace {

// A descriptor for each connection.
Status TakeDescriptors(std::size_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = count + 100;
  if (limit.rlim_cur >= wanted) return absl::OkStatus();
  if (limit.rlim_max < wanted)
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "{} connections need ulimit -n {}; it is at most {}", count, wanted,
                      limit.rlim_max);
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  PollSettings polls;
  WorkflowSettings workflows;
  SoakSettings soak;
  double soak_minutes = 60;
  int held_seconds = 10;
  std::string what = "all";
  CLI::App app("The fake server under many connections, many workflows, and for long.");
  app.add_option("what", what, "polls, workflows, soak or all")
      ->check(CLI::IsMember({"polls", "workflows", "soak", "all"}))
      ->capture_default_str();
  app.add_option("--connections", polls.connections, "connections that poll")
      ->capture_default_str();
  app.add_option("--polls", polls.polls, "polls held, in all")->capture_default_str();
  app.add_option("--queues", polls.queues, "task queues that they are on")->capture_default_str();
  app.add_option("--held-seconds", held_seconds, "how long they are only held")
      ->capture_default_str();
  app.add_option("--workflows", workflows.workflows, "workflows open at once")
      ->capture_default_str();
  app.add_option("--soak-minutes", soak_minutes, "duration of the soak")->capture_default_str();
  app.add_option("--soak-rate", soak.per_second, "workflows begun a second")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  polls.held = std::chrono::seconds(held_seconds);
  soak.duration = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::ratio<60>>(soak_minutes));
  // Enough samples for a median of a tenth of them, however short it is.
  soak.sample = std::min<Duration>(soak.sample, soak.duration / 200);

  const RealClock clock;
  harness::AsioExecutor executor(clock);
  const auto prove = [&](const char* name, auto proof) {
    if (what != "all" && what != name) return true;
    fmt::print("\n| {} | |\n|---|---|\n", name);
    const Status status = proof();
    std::fflush(stdout);
    if (!status.ok()) fmt::print(stderr, "squall-load: {}: {}\n", name, status.message());
    return status.ok();
  };
  bool ok = prove("polls", [&]() -> Status {
    SQUALL_RETURN_IF_ERROR(TakeDescriptors(polls.connections));
    return ProvePolls(executor, polls);
  });
  ok = prove("workflows", [&] { return ProveWorkflows(executor, workflows); }) && ok;
  ok = prove("soak", [&] { return ProveSoak(executor, soak); }) && ok;
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace squall::load

int main(int argc, char** argv) { return squall::load::Main(argc, argv); }
