#include "sim/swarm/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/util/rng.h"

namespace squall::sim {
namespace {

// The window in which load and faults begin; liveness is judged after it. Connections are given up
// by the server at their age, five minutes: some runs are longer than that.
constexpr std::int64_t kWindowMs = 60'000, kLongWindowMs = 600'000;

struct FaultKind {
  enum class On { kServer, kLink, kWorker } on;
  const char* fault;
  bool one_shot;
  const char* params;  // {} is a number of milliseconds
};
constexpr FaultKind kKinds[] = {
    {FaultKind::On::kServer, "kill", false, ""},
    {FaultKind::On::kServer, "restart", true, "down_for: {}ms"},
    {FaultKind::On::kServer, "pause", false, ""},
    {FaultKind::On::kServer, "rpc_error", false, "methods: [Poll*], code: UNAVAILABLE"},
    {FaultKind::On::kServer, "rpc_error", false, "methods: [Respond*], code: INTERNAL"},
    {FaultKind::On::kServer, "rpc_error", false, "methods: [Poll*], code: RESOURCE_EXHAUSTED"},
    {FaultKind::On::kLink, "refuse", false, ""},
    {FaultKind::On::kLink, "stall", false, ""},
    {FaultKind::On::kLink, "black_hole", false, ""},
    {FaultKind::On::kLink, "drop_connections", true, ""},
    {FaultKind::On::kLink, "latency", false, "delay: {}ms"},
    {FaultKind::On::kWorker, "pause", false, ""},
    {FaultKind::On::kWorker, "kill", true, ""},
    // From here on: of bytes.
    {FaultKind::On::kLink, "reset", false, ""},
    {FaultKind::On::kLink, "never_accept", false, ""},
    {FaultKind::On::kLink, "bandwidth", false, "rate: 2KiB/s"},
    {FaultKind::On::kLink, "cut", false, "after: 300B, direction: down"},
    {FaultKind::On::kLink, "slow_close", false, "delay: {}ms"},
    {FaultKind::On::kLink, "stall", false, "direction: down"},
    {FaultKind::On::kLink, "stall", false, "direction: up"},
};
constexpr std::size_t kOfCalls = 13;

PlannedFault HazardOf(Rng& rng, const Plan& plan, bool bytes) {
  PlannedFault fault;
  fault.target = "temporal";
  fault.fault = "rpc_error";
  fault.at_stop = true;
  const std::string link = "link-" + plan.workers[rng.Below(plan.workers.size())].name;
  switch (rng.Below(bytes ? 4 : 2)) {
    case 0:
      fault.params = "methods: [Poll*], code: PERMISSION_DENIED";
      fault.at_stop = false;
      fault.at_ms = static_cast<std::int64_t>(rng.Below(kWindowMs));
      fault.for_ms = static_cast<std::int64_t>(30'000 + rng.Below(90'000));
      break;
    case 1:
      fault.params = "methods: [ShutdownWorker], code: UNAVAILABLE";
      break;
    case 2:
      fault.target = link;
      fault.fault = "stall";
      fault.params.clear();
      break;
    default:
      fault.target = link;
      fault.fault = "black_hole";
      fault.params.clear();
      break;
  }
  return fault;
}

// A signal that the server refuses is lost to the workflow, which then waits for ever.
bool ServerAlwaysAnswers(const Plan& plan) {
  return std::none_of(plan.faults.begin(), plan.faults.end(), [](const PlannedFault& fault) {
    return fault.target == "temporal" && fault.fault != "rpc_error";
  });
}

void DrawFaults(Plan& plan, Rng& rng, std::int64_t window) {
  // Which kinds there are in this run, and how likely each is.
  std::array<double, std::size(kKinds)> weights{};
  double all = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = rng.Chance(0.5) ? rng.Uniform() : 0;
    if (i >= kOfCalls && !plan.bytes) weights[i] = 0;
    all += weights[i];
  }
  const std::uint64_t faults = all == 0 ? 0 : rng.Below(6);
  for (std::uint64_t i = 0; i < faults; ++i) {
    double left = rng.Uniform() * all;
    std::size_t kind = 0;
    while (kind + 1 < weights.size() && left >= weights[kind]) left -= weights[kind++];
    const FaultKind& chosen = kKinds[kind];
    const PlannedWorker& worker = plan.workers[rng.Below(plan.workers.size())];
    PlannedFault fault;
    fault.target = chosen.on == FaultKind::On::kServer ? "temporal"
                   : chosen.on == FaultKind::On::kLink ? "link-" + worker.name
                                                       : worker.name;
    fault.fault = chosen.fault;
    fault.params = fmt::format(fmt::runtime(chosen.params), 10 + rng.Below(2000));
    fault.at_ms = static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(window)));
    // Many short, some long.
    fault.for_ms = chosen.one_shot
                       ? 0
                       : static_cast<std::int64_t>(rng.Chance(0.3) ? 1000 + rng.Below(90'000)
                                                                   : 20 + rng.Below(5000));
    // A worker that fails fast may meet no server when it is started again, and would leave. One
    // that was killed may just be on its way back.
    if (fault.fault == "kill" && chosen.on == FaultKind::On::kWorker &&
        (worker.host.empty() ||
         std::any_of(plan.faults.begin(), plan.faults.end(), [&](const PlannedFault& other) {
           return other.target == fault.target && other.fault == fault.fault;
         })))
      continue;
    plan.faults.push_back(std::move(fault));
  }
}

void DrawWorkflows(Plan& plan, Rng& rng, std::int64_t window) {
  struct Load {
    const char *type, *input;
  };
  static constexpr Load kLoads[] = {{"Ping", "7"},     {"Echo", "\"x\""}, {"Chain", "3"},
                                    {"Timer", "2000"}, {"Parent", "5"},   {"Loop", "2"},
                                    {"Flaky", "1"},    {"Slow", "6"},     {"SignalWait", "null"}};
  const std::uint64_t workflows = 3 + rng.Below(8);
  for (std::uint64_t i = 1; i <= workflows; ++i) {
    const Load& load = kLoads[rng.Below(std::size(kLoads))];
    PlannedWorkflow workflow{
        load.type, fmt::format("{}-{}", load.type, i), load.input,
        static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(window))), 0};
    // Often while its first task is at a worker.
    const std::uint64_t after = rng.Chance(0.6) ? 1 + rng.Below(6) : 1 + rng.Below(2000);
    if (workflow.type == "SignalWait") {
      if (!ServerAlwaysAnswers(plan)) continue;
      workflow.signal_after_ms = static_cast<std::int64_t>(after);
    }
    plan.workflows.push_back(std::move(workflow));
  }
}

}  // namespace

Plan PlanOf(std::uint64_t seed, const PlanOptions& options) {
  Plan plan;
  plan.seed = seed;
  plan.bytes = options.bytes;
  plan.hazards = options.hazards;
  Rng rng = Rng(seed).Split("plan");
  plan.tls = rng.Chance(0.3) && options.bytes;
  const std::uint64_t workers = 1 + rng.Below(2);
  for (std::uint64_t i = 1; i <= workers; ++i) {
    const bool supervising = rng.Chance(0.7);
    plan.workers.push_back({fmt::format("w{}", i), supervising ? "supervising" : "",
                            supervising ? static_cast<int>(1 + rng.Below(2)) : 1});
  }
  const std::int64_t window = rng.Chance(0.15) ? kLongWindowMs : kWindowMs;
  DrawFaults(plan, rng, window);
  DrawWorkflows(plan, rng, window);
  if (options.hazards && rng.Chance(0.6)) plan.faults.push_back(HazardOf(rng, plan, options.bytes));
  return plan;
}

}  // namespace squall::sim
