#include "sim/swarm/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/util/rng.h"

namespace squall::sim {
namespace {

// The window in which faults begin; liveness is judged after it.
constexpr std::int64_t kWindowMs = 60'000;

template <std::size_t N>
const char* Pick(Rng& rng, const std::array<const char*, N>& words) {
  return words[rng.Below(N)];
}

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
    // From here on: of bytes.
    {FaultKind::On::kLink, "reset", false, ""},
    {FaultKind::On::kLink, "never_accept", false, ""},
    {FaultKind::On::kLink, "bandwidth", false, "rate: 2KiB/s"},
    {FaultKind::On::kLink, "cut", false, "after: 300B, direction: down"},
    {FaultKind::On::kLink, "slow_close", false, "delay: {}ms"},
    {FaultKind::On::kLink, "stall", false, "direction: down"},
    {FaultKind::On::kLink, "stall", false, "direction: up"},
};
constexpr std::size_t kOfCalls = 12;

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

}  // namespace

Plan PlanOf(std::uint64_t seed, const PlanOptions& options) {
  const bool bytes = options.bytes;
  Plan plan;
  plan.seed = seed;
  Rng rng = Rng(seed).Split("plan");
  plan.tls = rng.Chance(0.3) && bytes;
  const std::uint64_t workers = 1 + rng.Below(2);
  for (std::uint64_t i = 1; i <= workers; ++i) {
    const bool supervising = rng.Chance(0.7);
    plan.workers.push_back({fmt::format("w{}", i), supervising ? "supervising" : "",
                            supervising ? static_cast<int>(1 + rng.Below(2)) : 1});
  }
  const std::uint64_t workflows = 3 + rng.Below(8);
  for (std::uint64_t i = 1; i <= workflows; ++i) {
    struct Load {
      const char *type, *input, *result;
    };
    static constexpr Load kLoads[] = {{"Ping", "7", "7"},   {"Echo", "\"x\"", "\"x\""},
                                      {"Chain", "3", "3"},  {"Timer", "2000", "\"done\""},
                                      {"Parent", "5", "5"}, {"Loop", "2", "2"}};
    const Load& load = kLoads[rng.Below(std::size(kLoads))];
    plan.workflows.push_back({load.type, fmt::format("{}-{}", load.type, i), load.input,
                              load.result, static_cast<std::int64_t>(rng.Below(kWindowMs))});
  }
  // Which kinds there are in this run, and how likely each is.
  std::array<double, std::size(kKinds)> weights{};
  double all = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = rng.Chance(0.5) ? rng.Uniform() : 0;
    if (i >= kOfCalls && !bytes) weights[i] = 0;
    all += weights[i];
  }
  const std::uint64_t faults = all == 0 ? 0 : rng.Below(6);
  for (std::uint64_t i = 0; i < faults; ++i) {
    double left = rng.Uniform() * all;
    std::size_t kind = 0;
    while (kind + 1 < weights.size() && left >= weights[kind]) left -= weights[kind++];
    const FaultKind& chosen = kKinds[kind];
    PlannedFault fault;
    const std::string& worker = plan.workers[rng.Below(plan.workers.size())].name;
    fault.target = chosen.on == FaultKind::On::kServer ? "temporal"
                   : chosen.on == FaultKind::On::kLink ? "link-" + worker
                                                       : worker;
    fault.fault = chosen.fault;
    fault.params = fmt::format(fmt::runtime(chosen.params), 10 + rng.Below(2000));
    fault.at_ms = static_cast<std::int64_t>(rng.Below(kWindowMs));
    // Many short, some long.
    fault.for_ms = chosen.one_shot
                       ? 0
                       : static_cast<std::int64_t>(rng.Chance(0.3) ? 1000 + rng.Below(90'000)
                                                                   : 20 + rng.Below(5000));
    plan.faults.push_back(std::move(fault));
  }
  if (options.hazards && rng.Chance(0.6)) plan.faults.push_back(HazardOf(rng, plan, bytes));
  return plan;
}

std::string ScenarioOf(const Plan& plan) {
  std::string text = fmt::format(
      "id: S{0}\ntitle: Swarm, seed {0}\nwhy: Drawn by the seed.\nneeds: {{worlds: [sim, "
      "fake]}}\nseed: {0}\ntimeout: 20m\ntopology:\n"
      "  servers: {{temporal: {{data: kept{1}}}}}\n  links:\n",
      plan.seed, plan.tls ? ", tls: server" : "");
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format("    link-{}: temporal\n", worker.name);
  text += "  workers:\n";
  for (const PlannedWorker& worker : plan.workers) {
    text += fmt::format("    {}: {{", worker.name);
    if (!worker.host.empty())
      text += fmt::format("kind: host, host: {}, args: [--workers, \"{}\"], ", worker.host,
                          worker.workers);
    text += fmt::format("connect: {{to: link-{}}}}}\n", worker.name);
  }
  text += "steps:\n";
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format("  - wait_healthy: {}\n    within: 60s\n", worker.name);

  // In the order of their times; what comes between is waiting.
  struct Moment {
    std::int64_t at_ms;
    std::string step;
  };
  std::vector<Moment> moments;
  for (const PlannedWorkflow& workflow : plan.workflows) {
    moments.push_back({workflow.at_ms, ""});
    moments.back().step = fmt::format(
        "  - start_workflow: {{workflow: {}, id: {}, input: {}, may_be_refused: true}}\n    "
        "within: 60s\n",
        workflow.type, workflow.id, workflow.input);
  }
  int number = 0;
  for (const PlannedFault& fault : plan.faults) {
    if (fault.at_stop) continue;
    std::string step = fmt::format("  - inject: {{fault: {}, on: {}, as: f{}", fault.fault,
                                   fault.target, ++number);
    if (fault.for_ms > 0) step += fmt::format(", for: {}ms", fault.for_ms);
    if (!fault.params.empty()) step += ", " + fault.params;
    moments.push_back({fault.at_ms, step + "}\n    within: 60s\n"});
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at_ms < b.at_ms; });
  std::int64_t now = 0;
  for (const Moment& moment : moments) {
    if (moment.at_ms > now)
      text += fmt::format("  - for: {}ms\n    within: 120s\n", moment.at_ms - now);
    now = moment.at_ms;
    text += moment.step;
  }
  // Everything heals, and then whatever was accepted must end, and new work must be done.
  text += "  - heal: all\n    within: 120s\n  - for: 150s\n    within: 200s\n";
  text += "  - run: {workflow: Echo, id: after-all, input: 1, result: 1}\n    within: 120s\n";
  for (const PlannedFault& fault : plan.faults) {
    if (!fault.at_stop) continue;
    text += fmt::format("  - inject: {{fault: {}, on: {}, as: f{}{}{}}}\n    within: 60s\n",
                        fault.fault, fault.target, ++number, fault.params.empty() ? "" : ", ",
                        fault.params);
    // What stands is cut, so that the next connection meets the fault from its beginning.
    if (fault.fault == "black_hole")
      text += fmt::format("  - inject: {{fault: drop_connections, on: {}}}\n  - for: 5s\n",
                          fault.target);
  }
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format("  - stop: {}\n    within: 60s\n", worker.name);
  text += "expect:\n  - no_workflow_lost: {within: 60s}\n";
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format(
        "  - exits: {{id: exits-{0}, worker: {0}, code: 0, reason: asked, within: 30m}}\n",
        worker.name);
  return text;
}

}  // namespace squall::sim
