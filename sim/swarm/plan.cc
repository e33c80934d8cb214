#include "sim/swarm/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/util/rng.h"
#include "sim/swarm/plan_faults.h"

namespace squall::sim {
namespace {

// The window in which load and faults begin; liveness is judged after it. Connections are given up
// by the server at their age, five minutes: some runs are longer than that.
constexpr std::int64_t kWindowMs = 60'000, kLongWindowMs = 600'000;
// And some have all of their load at once.
constexpr std::int64_t kBurstMs = 300;

void DrawWorkers(Plan& plan, Rng& rng) {
  const std::uint64_t workers = 1 + rng.Below(2);
  for (std::uint64_t i = 1; i <= workers; ++i) {
    const bool supervising = rng.Chance(0.7);
    PlannedWorker worker{fmt::format("w{}", i), supervising ? "supervising" : "",
                         supervising ? static_cast<int>(1 + rng.Below(2)) : 1, std::nullopt, false};
    // With little room, workflows are thrown out and replayed from their history.
    if (rng.Chance(0.25)) worker.cache = static_cast<int>(rng.Below(3));
    plan.workers.push_back(std::move(worker));
  }
  if (workers > 1 && rng.Chance(0.2)) plan.workers.back().elsewhere = true;
}

// What stands between workers and the server's engine. Calls know of nothing there.
void DrawWay(Plan& plan, Rng& rng) {
  plan.tls = rng.Chance(0.3);
  const std::uint64_t way = rng.Below(10);
  if (way < 3) {
    plan.frontends = static_cast<int>(2 + rng.Below(2));
  } else if (way < 6 && !HasTwoServers(plan)) {
    PlannedIngress ingress;
    // Without TLS an ingress has nothing to do but to balance.
    if (!plan.tls || rng.Chance(0.5)) ingress.pool = static_cast<int>(1 + rng.Below(3));
    if (ingress.pool > 0 && rng.Chance(0.4))
      ingress.recycle_after = static_cast<int>(3 + rng.Below(40));
    if (ingress.pool > 0 && rng.Chance(0.4))
      ingress.recycle_age_ms = static_cast<std::int64_t>(2000 + rng.Below(60'000));
    if (plan.tls && rng.Chance(0.4))
      ingress.idle_timeout_ms = static_cast<std::int64_t>(40'000 + rng.Below(200'000));
    plan.ingress = ingress;
  }
  if (!plan.bytes) {
    plan.tls = false;
    plan.frontends = 1;
    plan.ingress.reset();
  }
}

// A signal that the server refuses is lost to the workflow, which then waits for ever.
bool ServerAlwaysAnswers(const Plan& plan) {
  return std::none_of(plan.faults.begin(), plan.faults.end(), [](const PlannedFault& fault) {
    return (fault.target == "temporal" || fault.target == "other") && fault.fault != "rpc_error";
  });
}

void DrawWorkflows(Plan& plan, Rng& rng, std::int64_t window_ms) {
  struct Load {
    const char *type, *input;
  };
  static constexpr Load kLoads[] = {{"Ping", "7"},     {"Echo", "\"x\""}, {"Chain", "3"},
                                    {"Timer", "2000"}, {"Parent", "5"},   {"Loop", "2"},
                                    {"Flaky", "1"},    {"Slow", "6"},     {"SignalWait", "null"}};
  const std::int64_t begin = rng.Chance(0.2) ? static_cast<std::int64_t>(rng.Below(kWindowMs)) : -1;
  const std::uint64_t workflows = 3 + rng.Below(8);
  for (std::uint64_t i = 1; i <= workflows; ++i) {
    const Load& load = kLoads[rng.Below(std::size(kLoads))];
    PlannedWorkflow workflow{load.type, fmt::format("{}-{}", load.type, i),    load.input, 0,
                             0,         HasTwoServers(plan) && rng.Chance(0.5)};
    workflow.at_ms =
        begin >= 0 ? begin + static_cast<std::int64_t>(rng.Below(kBurstMs))
                   : static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(window_ms)));
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

bool HasTwoServers(const Plan& plan) {
  return std::any_of(plan.workers.begin(), plan.workers.end(),
                     [](const PlannedWorker& worker) { return worker.elsewhere; });
}

Plan PlanOf(std::uint64_t seed, const PlanOptions& options) {
  Plan plan;
  plan.seed = seed;
  plan.bytes = options.bytes;
  plan.hazards = options.hazards;
  // Each part has luck of its own: what one draws more shifts no other.
  const Rng rng = Rng(seed).Split("plan");
  Rng length = rng.Split("length"), workers = rng.Split("workers"), way = rng.Split("way"),
      faults = rng.Split("faults"), load = rng.Split("load"), hazard = rng.Split("hazard");
  const std::int64_t window = length.Chance(0.15) ? kLongWindowMs : kWindowMs;
  DrawWorkers(plan, workers);
  DrawWay(plan, way);
  DrawFaults(plan, faults, window);
  DrawWorkflows(plan, load, window);
  if (options.hazards && hazard.Chance(0.6))
    plan.faults.push_back(HazardOf(hazard, plan, kWindowMs));
  return plan;
}

}  // namespace squall::sim
