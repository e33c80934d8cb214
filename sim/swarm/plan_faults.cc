#include "sim/swarm/plan_faults.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

namespace squall::sim {
namespace {

enum class On { kServer, kIngress, kLink, kWorker };

// What there must be for a kind of fault.
enum class Needs {
  kNothing,
  kHost,       // a worker that is started again when it cannot reach anybody
  kBytes,      // connections
  kFrames,     // connections that lead to the server itself, whose front end plays the proxy
  kNames,      // connections; and they are cut, so that somebody looks the name up
  kFrontEnds,  // several of them; {} is the number of one
  kIngress,
};

struct FaultKind {
  On on;
  Needs needs;
  const char* fault;
  const char* params;  // {} is a number of milliseconds
  bool one_shot = false;
};
constexpr FaultKind kKinds[] = {
    {On::kServer, Needs::kNothing, "kill", ""},
    {On::kServer, Needs::kNothing, "restart", "down_for: {}ms", true},
    {On::kServer, Needs::kNothing, "pause", ""},
    {On::kServer, Needs::kNothing, "rpc_error", "methods: [Poll*], code: UNAVAILABLE"},
    {On::kServer, Needs::kNothing, "rpc_error", "methods: [Respond*], code: INTERNAL"},
    {On::kServer, Needs::kNothing, "rpc_error", "methods: [Poll*], code: RESOURCE_EXHAUSTED"},
    {On::kServer, Needs::kFrontEnds, "frontend_down", "number: {}"},
    {On::kServer, Needs::kFrontEnds, "rolling_restart", "down_for: 500ms, pause: 300ms", true},
    {On::kServer, Needs::kFrontEnds, "rolling_restart", "down_for: 4s, pause: 2s", true},
    {On::kIngress, Needs::kIngress, "restart", "down_for: {}ms", true},
    {On::kLink, Needs::kNothing, "refuse", ""},
    {On::kLink, Needs::kNothing, "stall", ""},
    {On::kLink, Needs::kNothing, "black_hole", ""},
    {On::kLink, Needs::kNothing, "drop_connections", "", true},
    {On::kLink, Needs::kNothing, "latency", "delay: {}ms"},
    {On::kLink, Needs::kBytes, "reset", ""},
    {On::kLink, Needs::kBytes, "reset_on_data", ""},
    {On::kLink, Needs::kBytes, "never_accept", ""},
    {On::kLink, Needs::kBytes, "never_accept", "backlog: full"},
    {On::kLink, Needs::kBytes, "bandwidth", "rate: 2KiB/s"},
    {On::kLink, Needs::kBytes, "slice", "bytes: 20B, variation: 0.5"},
    {On::kLink, Needs::kBytes, "cut", "after: 300B, direction: down"},
    {On::kLink, Needs::kBytes, "slow_close", "delay: {}ms"},
    {On::kLink, Needs::kBytes, "stall", "direction: down"},
    {On::kLink, Needs::kBytes, "stall", "direction: up"},
    {On::kLink, Needs::kBytes, "swallow", ""},
    {On::kLink, Needs::kBytes, "swallow", "direction: down"},
    {On::kLink, Needs::kBytes, "idle_drop", "idle: {}ms"},
    {On::kLink, Needs::kBytes, "idle_drop", "idle: {}ms, end: reset_next"},
    {On::kLink, Needs::kBytes, "half_open", "idle: {}ms"},
    {On::kLink, Needs::kBytes, "half_open", "idle: {}ms, direction: down"},
    {On::kLink, Needs::kBytes, "kernel_drop", ""},
    {On::kLink, Needs::kBytes, "kernel_drop", "direction: up"},
    {On::kLink, Needs::kBytes, "kernel_drop", "direction: down"},
    {On::kLink, Needs::kBytes, "kernel_reject", ""},
    {On::kLink, Needs::kBytes, "kernel_reject", "with: icmp"},
    {On::kLink, Needs::kBytes, "kernel_link_down", ""},
    {On::kLink, Needs::kBytes, "kernel_address_change", ""},
    {On::kLink, Needs::kBytes, "kernel_bandwidth", "rate: 4KiB/s"},
    {On::kLink, Needs::kNames, "dns_fail", ""},
    {On::kLink, Needs::kNames, "dns_fail", "code: NXDOMAIN"},
    {On::kLink, Needs::kNames, "dns_hang", ""},
    {On::kLink, Needs::kNames, "dns_answer", ""},
    {On::kLink, Needs::kFrames, "goaway", "after: {}ms"},
    {On::kLink, Needs::kFrames, "http_page", "methods: [Poll*], status: 504"},
    {On::kLink, Needs::kFrames, "http_page", "probability: 0.3"},
    {On::kLink, Needs::kFrames, "lost_answer", "probability: 0.3"},
    {On::kLink, Needs::kFrames, "lost_answer", "how: silence"},
    {On::kLink, Needs::kFrames, "lost_answer", "methods: [Respond*], how: reset_connection"},
    {On::kLink, Needs::kFrames, "missing_trailers", "methods: [Respond*], probability: 0.5"},
    {On::kLink, Needs::kFrames, "no_ping_ack", ""},
    {On::kLink, Needs::kFrames, "no_window", ""},
    {On::kLink, Needs::kFrames, "reset_stream", "error: REFUSED_STREAM, probability: 0.5"},
    {On::kLink, Needs::kFrames, "rpc_delay", "delay: {}ms"},
    {On::kLink, Needs::kFrames, "rpc_hang", "probability: 0.3"},
    {On::kLink, Needs::kFrames, "stream_limit", "streams: 3"},
    {On::kWorker, Needs::kNothing, "pause", ""},
    {On::kWorker, Needs::kHost, "kill", "", true},
    {On::kWorker, Needs::kHost, "crash_loop", "after: {}ms"},
    {On::kWorker, Needs::kHost, "slow_start", "delay: {}ms"},
    {On::kWorker, Needs::kHost, "clock_skew", "by: {}ms, rate: 0.5"},
    {On::kWorker, Needs::kHost, "clock_skew", "by: {}ms, direction: ahead, rate: 3"},
};

// Links have the most kinds; what happens elsewhere is to happen as often.
double ShareOf(On on) { return on == On::kLink ? 1 : on == On::kWorker ? 2 : 4; }

bool Has(const Plan& plan, const PlannedWorker& worker, Needs needs) {
  switch (needs) {
    case Needs::kNothing:
      return true;
    case Needs::kHost:
      return !worker.host.empty();
    case Needs::kBytes:
    case Needs::kNames:
      return plan.bytes;
    case Needs::kFrames:
      return plan.bytes && !plan.ingress;
    case Needs::kFrontEnds:
      return plan.frontends > 1 && !worker.elsewhere;
    case Needs::kIngress:
      return plan.ingress.has_value();
  }
  return false;
}

std::string TargetOf(On on, const PlannedWorker& worker) {
  switch (on) {
    case On::kServer:
      return worker.elsewhere ? "other" : "temporal";
    case On::kIngress:
      return "edge";
    case On::kLink:
      return "link-" + worker.name;
    case On::kWorker:
      break;
  }
  return worker.name;
}

std::int64_t Milliseconds(Rng& rng, std::uint64_t from, std::uint64_t below) {
  return static_cast<std::int64_t>(from + rng.Below(below));
}

// Many are short, some long, and a few longer than what the kernel tries again for (63 s).
std::int64_t SpanOf(Rng& rng) {
  const double length = rng.Uniform();
  return length < 0.6   ? Milliseconds(rng, 20, 5000)
         : length < 0.9 ? Milliseconds(rng, 1000, 90'000)
                        : Milliseconds(rng, 60'000, 80'000);
}

}  // namespace

bool ActsOnFrontEnds(const PlannedFault& fault) {
  return fault.fault == "frontend_down" || fault.fault == "rolling_restart";
}

void DrawFaults(Plan& plan, Rng& rng, std::int64_t window_ms) {
  // Which kinds there are in this run, and how likely each is: runs of nearly one kind only, and
  // runs of nearly all.
  static constexpr double kShares[] = {0.05, 0.2, 0.5};
  const double share = kShares[rng.Below(std::size(kShares))];
  std::array<double, std::size(kKinds)> weights{};
  for (std::size_t kind = 0; kind < weights.size(); ++kind)
    weights[kind] = rng.Chance(share) ? rng.Uniform() * ShareOf(kKinds[kind].on) : 0;
  const std::uint64_t faults = rng.Below(6);
  for (std::uint64_t i = 0; i < faults; ++i) {
    const PlannedWorker& worker = plan.workers[rng.Below(plan.workers.size())];
    std::array<double, std::size(kKinds)> here{};
    double left = 0;
    for (std::size_t kind = 0; kind < here.size(); ++kind) {
      here[kind] = Has(plan, worker, kKinds[kind].needs) ? weights[kind] : 0;
      left += here[kind];
    }
    if (left == 0) continue;
    left *= rng.Uniform();
    std::size_t kind = 0;
    while (kind + 1 < here.size() && left >= here[kind]) left -= here[kind++];
    const FaultKind& chosen = kKinds[kind];
    const auto number = chosen.needs == Needs::kFrontEnds
                            ? Milliseconds(rng, 1, static_cast<std::uint64_t>(plan.frontends))
                            : Milliseconds(rng, 10, 2000);
    PlannedFault fault;
    fault.target = TargetOf(chosen.on, worker);
    fault.fault = chosen.fault;
    fault.params = fmt::format(fmt::runtime(chosen.params), number);
    fault.at_ms = Milliseconds(rng, 0, static_cast<std::uint64_t>(window_ms));
    const std::int64_t lasts = SpanOf(rng);
    if (!chosen.one_shot) fault.for_ms = lasts;
    if (chosen.needs == Needs::kNames) {
      PlannedFault cut{fault.target, "drop_connections", "", fault.at_ms, 0, false};
      cut.at_ms += Milliseconds(rng, 1, static_cast<std::uint64_t>(lasts));
      plan.faults.push_back(std::move(cut));
    }
    plan.faults.push_back(std::move(fault));
  }
}

PlannedFault HazardOf(Rng& rng, const Plan& plan, std::int64_t window_ms) {
  PlannedFault fault;
  fault.target = "temporal";
  fault.fault = "rpc_error";
  fault.at_stop = true;
  const std::string link = "link-" + plan.workers[rng.Below(plan.workers.size())].name;
  switch (rng.Below(plan.bytes ? 4 : 2)) {
    case 0:
      fault.params = "methods: [Poll*], code: PERMISSION_DENIED";
      fault.at_stop = false;
      fault.at_ms = Milliseconds(rng, 0, static_cast<std::uint64_t>(window_ms));
      fault.for_ms = Milliseconds(rng, 30'000, 90'000);
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

}  // namespace squall::sim
