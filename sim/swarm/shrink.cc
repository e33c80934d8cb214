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

// A worker goes with the faults of its own.
bool DropWorkers(Plan& plan, const StillFails& fails) {
  bool smaller = false;
  for (std::size_t i = plan.workers.size(); i-- > 0 && plan.workers.size() > 1;) {
    Plan without = plan;
    const std::string name = without.workers[i].name;
    without.workers.erase(without.workers.begin() + static_cast<std::ptrdiff_t>(i));
    std::erase_if(without.faults, [&](const PlannedFault& fault) {
      return fault.target == name || fault.target == "link-" + name;
    });
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

bool Simplify(Plan& plan, const StillFails& fails) {
  bool smaller = false;
  if (plan.tls) {
    Plan plain = plan;
    plain.tls = false;
    smaller = Try(plan, std::move(plain), fails) || smaller;
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
    smaller = Simplify(plan, fails) || smaller;
    smaller = Hasten(plan, fails) || smaller;
  }
  return plan;
}

}  // namespace squall::sim
