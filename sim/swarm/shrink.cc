#include "sim/swarm/shrink.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace squall::sim {
namespace {

// Takes every element away that the failure does not need, the last ones first.
template <typename T>
bool Thin(Plan& plan, std::vector<T> Plan::*list, std::size_t least, const StillFails& fails) {
  bool smaller = false;
  for (std::size_t i = (plan.*list).size(); i-- > 0 && (plan.*list).size() > least;) {
    Plan without = plan;
    (without.*list).erase((without.*list).begin() + static_cast<std::ptrdiff_t>(i));
    if (!fails(without)) continue;
    plan = std::move(without);
    smaller = true;
  }
  return smaller;
}

bool Try(Plan& plan, Plan changed, const StillFails& fails) {
  if (!fails(changed)) return false;
  plan = std::move(changed);
  return true;
}

// All at the first server.
void Unite(Plan& plan) {
  for (PlannedWorker& worker : plan.workers) worker.elsewhere = false;
  for (PlannedWorkflow& workflow : plan.workflows) workflow.elsewhere = false;
  for (PlannedFault& fault : plan.faults) {
    if (fault.target == "other") fault.target = "temporal";
  }
}

// A worker goes with the faults of its own; one server is enough for one worker.
bool DropWorkers(Plan& plan, const StillFails& fails) {
  bool smaller = false;
  for (std::size_t i = plan.workers.size(); i-- > 0 && plan.workers.size() > 1;) {
    Plan without = plan;
    const std::string name = without.workers[i].name;
    without.workers.erase(without.workers.begin() + static_cast<std::ptrdiff_t>(i));
    std::erase_if(without.faults, [&](const PlannedFault& fault) {
      return fault.target == name || fault.target == "link-" + name;
    });
    if (without.workers.size() == 1) Unite(without);
    smaller = Try(plan, std::move(without), fails) || smaller;
  }
  return smaller;
}

// Nothing happens before the first thing that happens; and long stories become short ones.
bool Hasten(Plan& plan, const StillFails& fails) {
  const auto moved = [&plan](auto&& change) {
    Plan sooner = plan;
    for (PlannedFault& fault : sooner.faults) fault.at_ms = change(fault.at_ms);
    for (PlannedWorkflow& workflow : sooner.workflows) workflow.at_ms = change(workflow.at_ms);
    return sooner;
  };
  std::int64_t first = INT64_MAX, last = 0;
  for (const PlannedFault& fault : plan.faults) {
    first = std::min(first, fault.at_ms);
    last = std::max(last, fault.at_ms);
  }
  for (const PlannedWorkflow& workflow : plan.workflows) {
    first = std::min(first, workflow.at_ms);
    last = std::max(last, workflow.at_ms);
  }
  if (last < 1000) return false;
  if (first > 0 && Try(plan, moved([first](std::int64_t at) { return at - first; }), fails))
    return true;
  return Try(plan, moved([](std::int64_t at) { return at / 2; }), fails);
}

// Ways become straight ones, and what acted on the bends goes with them.
bool Straighten(Plan& plan, const StillFails& fails) {
  bool smaller = false;
  const auto attempt = [&](auto&& change) {
    Plan simple = plan;
    change(simple);
    smaller = Try(plan, std::move(simple), fails) || smaller;
  };
  if (plan.tls && (!plan.ingress || plan.ingress->pool > 0)) {
    attempt([](Plan& simple) {
      simple.tls = false;
      if (simple.ingress) simple.ingress->idle_timeout_ms = 0;
    });
  }
  if (HasTwoServers(plan)) attempt(&Unite);
  if (plan.frontends > 1) {
    attempt([](Plan& simple) {
      simple.frontends = 1;
      std::erase_if(simple.faults, &ActsOnFrontEnds);
    });
  }
  if (plan.ingress) {
    attempt([](Plan& simple) {
      simple.ingress.reset();
      std::erase_if(simple.faults,
                    [](const PlannedFault& fault) { return fault.target == "edge"; });
    });
  }
  if (plan.ingress && plan.ingress->recycle_after > 0)
    attempt([](Plan& simple) { simple.ingress->recycle_after = 0; });
  if (plan.ingress && plan.ingress->recycle_age_ms > 0)
    attempt([](Plan& simple) { simple.ingress->recycle_age_ms = 0; });
  if (plan.ingress && plan.ingress->idle_timeout_ms > 0)
    attempt([](Plan& simple) { simple.ingress->idle_timeout_ms = 0; });
  if (plan.ingress && plan.tls && plan.ingress->pool > 0)
    attempt([](Plan& simple) { simple.ingress = PlannedIngress{}; });
  return smaller;
}

bool Simplify(Plan& plan, const StillFails& fails) {
  bool smaller = false;
  for (std::size_t i = 0; i < plan.workers.size(); ++i) {
    if (!plan.workers[i].cache) continue;
    Plan simple = plan;
    simple.workers[i].cache.reset();
    smaller = Try(plan, std::move(simple), fails) || smaller;
  }
  for (std::size_t i = 0; i < plan.workers.size(); ++i) {
    if (plan.workers[i].host.empty()) continue;
    Plan simple = plan;
    simple.workers[i].host.clear();
    simple.workers[i].workers = 1;
    smaller = Try(plan, std::move(simple), fails) || smaller;
  }
  for (std::size_t i = 0; i < plan.faults.size(); ++i) {
    if (plan.faults[i].for_ms < 2000) continue;
    Plan shorter = plan;
    shorter.faults[i].for_ms /= 2;
    smaller = Try(plan, std::move(shorter), fails) || smaller;
  }
  return smaller;
}

}  // namespace

Plan Shrink(Plan plan, const StillFails& fails) {
  for (bool smaller = true; smaller;) {
    smaller = Thin(plan, &Plan::faults, 0, fails);
    smaller = DropWorkers(plan, fails) || smaller;
    smaller = Thin(plan, &Plan::workflows, 0, fails) || smaller;
    smaller = Straighten(plan, fails) || smaller;
    smaller = Simplify(plan, fails) || smaller;
    smaller = Hasten(plan, fails) || smaller;
  }
  return plan;
}

}  // namespace squall::sim
