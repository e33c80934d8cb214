// A plan as a scenario file: the story in the order of its times, and what must hold.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "sim/swarm/plan.h"

namespace squall::sim {
namespace {

// Silence that nobody's end of a connection tells of: keepalive (45 s), or the kernel's SYN
// retransmissions (127 s) find out. Whoever is stopped has as much to make up for.
bool IsSilent(const PlannedFault& fault) {
  static constexpr std::string_view kSilent[] = {"bandwidth",
                                                 "black_hole",
                                                 "dns_hang",
                                                 "half_open",
                                                 "idle_drop",
                                                 "kernel_drop",
                                                 "kernel_bandwidth",
                                                 "kernel_address_change",
                                                 "lost_answer",
                                                 "kernel_reject",
                                                 "kernel_link_down",
                                                 "never_accept",
                                                 "no_ping_ack",
                                                 "no_window",
                                                 "pause",
                                                 "rpc_hang",
                                                 "stall",
                                                 "swallow"};
  return std::find(std::begin(kSilent), std::end(kSilent), fault.fault) != std::end(kSilent);
}

// New connections get no answer to their SYN for longer than the kernel goes on asking (63 s).
bool OutlastsSyns(const Plan& plan) {
  std::int64_t dropped = 0;
  for (const PlannedFault& fault : plan.faults) {
    if (fault.fault == "kernel_drop" || (fault.fault == "never_accept" && !fault.params.empty()))
      dropped += fault.for_ms;
  }
  return dropped > 60'000;
}

bool Any(const Plan& plan, bool (*is)(const PlannedFault&)) {
  return std::any_of(plan.faults.begin(), plan.faults.end(), is);
}

std::string IngressOf(const Plan& plan) {
  const PlannedIngress& ingress = *plan.ingress;
  std::string text =
      fmt::format("  ingresses: {{edge: {{to: temporal, tls: {}", plan.tls ? "server" : "none");
  if (ingress.pool > 0) text += fmt::format(", pool: {}", ingress.pool);
  if (ingress.recycle_after > 0) text += fmt::format(", recycle_after: {}", ingress.recycle_after);
  if (ingress.recycle_age_ms > 0)
    text += fmt::format(", recycle_age: {}ms", ingress.recycle_age_ms);
  if (ingress.idle_timeout_ms > 0)
    text += fmt::format(", idle_timeout: {}ms", ingress.idle_timeout_ms);
  return text + "}}\n";
}

std::string WorkerOf(const PlannedWorker& worker) {
  std::string kind, args;
  if (!worker.host.empty()) {
    kind = fmt::format("kind: host, host: {}, ", worker.host);
    args = fmt::format("--workers, \"{}\"", worker.workers);
  }
  if (worker.cache)
    args +=
        fmt::format("{}--max-cached-workflows, \"{}\"", args.empty() ? "" : ", ", *worker.cache);
  if (!args.empty()) args = fmt::format("args: [{}], ", args);
  return fmt::format(
      "    {0}: {{{1}{2}connect: {{to: link-{0}}}, restart: {{on_exit: [500ms]}}}}\n", worker.name,
      kind, args);
}

std::string TopologyOf(const Plan& plan) {
  const char* tls = plan.tls && !plan.ingress ? ", tls: server" : "";
  std::string text = fmt::format("topology:\n  servers: {{temporal: {{data: kept{}", tls);
  if (plan.frontends > 1) text += fmt::format(", frontends: {}", plan.frontends);
  if (HasTwoServers(plan)) text += fmt::format("}}, other: {{data: kept{}", tls);
  text += "}}\n";
  if (HasTwoServers(plan)) text += "  clients: {elsewhere: {connect: other}}\n";
  if (plan.ingress) text += IngressOf(plan);
  text += "  links:\n";
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format("    link-{}: {}\n", worker.name,
                        plan.ingress       ? "edge"
                        : worker.elsewhere ? "other"
                                           : "temporal");
  text += "  workers:\n";
  for (const PlannedWorker& worker : plan.workers) text += WorkerOf(worker);
  return text;
}

// Who talks to a workflow's server.
const char* ClientOf(const PlannedWorkflow& workflow) {
  return workflow.elsewhere ? ", client: elsewhere" : "";
}

// A worker may just be on its way back: then there is nobody to stop or to kill.
bool MayMissItsTarget(const Plan& plan, const PlannedFault& fault) {
  return std::any_of(plan.workers.begin(), plan.workers.end(),
                     [&](const PlannedWorker& worker) { return worker.name == fault.target; });
}

std::string InjectionOf(const Plan& plan, const PlannedFault& fault, int number) {
  if (fault.target == "edge")
    return fmt::format("  - restart: {{node: edge, {}}}\n    within: 60s\n", fault.params);
  std::string step =
      fmt::format("  - inject: {{fault: {}, on: {}, as: f{}", fault.fault, fault.target, number);
  if (fault.for_ms > 0) step += fmt::format(", for: {}ms", fault.for_ms);
  if (!fault.params.empty()) step += ", " + fault.params;
  step += "}\n    within: 60s\n";
  if (MayMissItsTarget(plan, fault)) step += "    optional: true\n";
  return step;
}

// Load and faults, in the order of their times; what comes between is waiting.
std::string StoryOf(const Plan& plan, int& number) {
  struct Moment {
    std::int64_t at_ms;
    std::string step;
  };
  std::vector<Moment> moments;
  for (const PlannedWorkflow& workflow : plan.workflows) {
    const bool signalled = workflow.signal_after_ms > 0;
    moments.push_back(
        {workflow.at_ms,
         fmt::format(
             "  - start_workflow: {{workflow: {}, id: {}, input: {}{}{}}}\n    within: 60s\n",
             workflow.type, workflow.id, workflow.input, ClientOf(workflow),
             signalled ? "" : ", may_be_refused: true")});
    if (signalled)
      moments.push_back({workflow.at_ms + workflow.signal_after_ms,
                         fmt::format("  - signal_workflow: {{id: {}, signal: go, input: 1{}}}\n    "
                                     "within: 60s\n",
                                     workflow.id, ClientOf(workflow))});
  }
  for (const PlannedFault& fault : plan.faults) {
    if (fault.at_stop) continue;
    moments.push_back({fault.at_ms, InjectionOf(plan, fault, ++number)});
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at_ms < b.at_ms; });
  std::string text;
  std::int64_t now = 0;
  for (const Moment& moment : moments) {
    if (moment.at_ms > now)
      text += fmt::format("  - for: {}ms\n    within: 700s\n", moment.at_ms - now);
    now = moment.at_ms;
    text += moment.step;
  }
  // Faults last as long as they were drawn.
  std::int64_t end = now;
  for (const PlannedFault& fault : plan.faults)
    if (!fault.at_stop) end = std::max(end, fault.at_ms + fault.for_ms);
  if (end > now) text += fmt::format("  - for: {}ms\n    within: 700s\n", end - now);
  return text;
}

std::string StopsOf(const Plan& plan, int number) {
  std::string text;
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
  return text;
}

std::string ChecksOf(const Plan& plan) {
  std::string text = "expect:\n  - no_workflow_lost: {within: 60s}\n";
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format(
        "  - exits: {{id: exits-{0}, worker: {0}, code: 0, reason: asked, within: 40s, after: "
        "process.signalled process={0} reason=asked}}\n",
        worker.name);
  // A host that leaves a worker behind has not stopped it, though the process ends.
  text +=
      "  - never: {id: none-left-behind, event: worker.stopping detail=/left behind/, after: "
      "workflow.completed workflow_id=after-all}\n  - no_unexpected_exit: {}\n";
  // Of Slow five attempts may get lost, each behind a heartbeat of five seconds; of Flaky four more
  // than the one that fails, each behind half a minute.
  std::int64_t disturbed = 0;
  for (const PlannedFault& fault : plan.faults) disturbed += fault.for_ms;
  text += fmt::format(
      "  - never: {{id: none-fails, event: \"workflow.failed workflow_id=/^(?!{})/\"}}\n",
      disturbed < 100'000 ? "Slow" : "Slow|Flaky");
  // Core's connects have no limit of their own (docs/findings/connect-waits.yaml): a worker without
  // a host that has one waits for the kernel to give up, which may be 64 s after the network heals.
  for (const PlannedWorker& worker : plan.workers) {
    if (!plan.hazards && worker.host.empty() && OutlastsSyns(plan))
      text +=
          fmt::format("  - not_zombie: {{id: polls-{0}, worker: {0}, within: 80s}}\n", worker.name);
  }
  if (!plan.faults.empty()) return text;
  text +=
      "  - workflow_completed: {within: 15s}\n"
      "  - effects_once: {}\n"
      "  - log_never: {pattern: \".\", level: WARN}\n";
  // A host starts its workers anew when GOAWAY cancels its health check
  // (docs/findings/goaway-cancels.md); and who replaces connections cuts what is open on them.
  const bool replaces =
      plan.ingress && (plan.ingress->recycle_after > 0 || plan.ingress->recycle_age_ms > 0);
  if (!replaces && std::all_of(plan.workers.begin(), plan.workers.end(),
                               [](const PlannedWorker& worker) { return worker.host.empty(); }))
    text += "  - never: {id: no-call-cut, event: rpc.cancelled, until: process.signalled}\n";
  if (plan.bytes) text += "  - never: {id: no-reset, event: connection.reset}\n";
  return text;
}

}  // namespace

std::string ScenarioOf(const Plan& plan) {
  int number = 0;
  std::string text = fmt::format(
      "id: S{0}\ntitle: Swarm, seed {0}\nwhy: Drawn by the seed.\nneeds: {{worlds: [sim, "
      "fake]}}\nseed: {0}\ntimeout: 60m\n",
      plan.seed);
  text += TopologyOf(plan) + "steps:\n";
  for (const PlannedWorker& worker : plan.workers)
    text += fmt::format("  - wait_healthy: {}\n    within: 60s\n", worker.name);
  text += StoryOf(plan, number);
  // Everything heals, and then whatever was accepted must end, and new work must be done at once.
  const int quiet = Any(plan, IsSilent) ? 150 : 45;
  text += fmt::format("  - heal: all\n    within: 120s\n  - for: {}s\n    within: 200s\n", quiet);
  if (HasTwoServers(plan))
    text +=
        "  - run: {workflow: Chain, id: after-all-there, input: 2, result: 2, client: elsewhere}\n"
        "    within: 20s\n";
  text += "  - run: {workflow: Chain, id: after-all, input: 2, result: 2}\n    within: 20s\n";
  return text + StopsOf(plan, number) + ChecksOf(plan);
}

}  // namespace squall::sim
