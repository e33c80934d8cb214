#pragma once
// What a seed of the swarm stands for: a topology, load, and faults that start and heal, as a
// scenario.
//
// Each seed first draws which kinds of fault there are at all and how likely each is (so that some
// runs are all about one kind), then the faults themselves. Everything is in the plan; the scenario
// made from it is an ordinary file. Where nothing is broken, everything must go smoothly: such
// plans are judged more strictly (no warning, no attempt twice, all work done in seconds).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace squall::sim {

struct PlannedWorker {
  std::string name;
  std::string host;          // "" for squall-worker, else a kind of squall-host
  int workers = 1;           // of a supervising host
  std::optional<int> cache;  // workflows that it keeps; nothing: as many as is usual
  bool elsewhere = false;    // at the second server
};

// What stands between the links and the server: "edge".
struct PlannedIngress {
  int pool = 0;  // 0: it does nothing but end TLS
  int recycle_after = 0;
  std::int64_t recycle_age_ms = 0, idle_timeout_ms = 0;
};

struct PlannedWorkflow {
  std::string type, id, input;
  std::int64_t at_ms = 0;
  std::int64_t signal_after_ms = 0;  // SignalWait: when it gets its signal
  bool elsewhere = false;            // at the second server
};

struct PlannedFault {
  std::string target;  // temporal, other (the second server), edge, link-w1, w1
  std::string fault;
  std::string params;  // as in YAML, "delay: 20ms", or empty
  std::int64_t at_ms = 0;
  std::int64_t for_ms = 0;  // 0: one-shot
  bool at_stop = false;     // in force while the workers are asked to stop, in place of a span
};

struct Plan {
  std::uint64_t seed = 1;
  bool bytes = true;  // PlanOptions::bytes
  bool hazards = false;
  bool tls = false;   // of the server, or of the ingress before it
  int frontends = 1;  // of the first server, behind one name
  std::optional<PlannedIngress> ingress;
  std::vector<PlannedWorker> workers;
  std::vector<PlannedWorkflow> workflows;
  std::vector<PlannedFault> faults;
};

struct PlanOptions {
  // Connections are real enough for TLS and for faults that act on bytes.
  bool bytes = true;
  // Also what today's core is known not to bear (X1, X4, X5 in docs/incidents.md): polls that are
  // denied for more than a minute, and faults that are in force while workers stop.
  bool hazards = false;
};

// Of this seed.
Plan PlanOf(std::uint64_t seed, const PlanOptions& options = {});
// The scenario file of a plan.
std::string ScenarioOf(const Plan& plan);

// There is a second server, which has a worker of its own. The first always has one.
bool HasTwoServers(const Plan& plan);
// Acts on front ends, one of several.
bool ActsOnFrontEnds(const PlannedFault& fault);

// How much there is in a plan: faults, workflows and workers. What shrinking brings down.
inline std::size_t SizeOf(const Plan& plan) {
  return plan.faults.size() + plan.workflows.size() + plan.workers.size();
}

}  // namespace squall::sim
