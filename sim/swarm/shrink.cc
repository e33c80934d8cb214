#include "sim/swarm/shrink.h"

#include <utility>

namespace squall::sim {
namespace {

// Takes every element away that the failure does not need, the last ones first.
template <typename T>
bool Thin(Plan& plan, std::vector<T> Plan::*list, std::size_t least,
          const std::function<bool(const Plan&)>& fails) {
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

bool Try(Plan& plan, Plan changed, const std::function<bool(const Plan&)>& fails) {
  if (!fails(changed)) return false;
  plan = std::move(changed);
  return true;
}

// A worker goes with the faults of its own.
bool DropWorkers(Plan& plan, const std::function<bool(const Plan&)>& fails) {
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

bool Simplify(Plan& plan, const std::function<bool(const Plan&)>& fails) {
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

Plan Shrink(Plan plan, const std::function<bool(const Plan&)>& fails) {
  for (bool smaller = true; smaller;) {
    smaller = Thin(plan, &Plan::faults, 0, fails);
    smaller = DropWorkers(plan, fails) || smaller;
    smaller = Thin(plan, &Plan::workflows, 0, fails) || smaller;
    smaller = Simplify(plan, fails) || smaller;
  }
  return plan;
}

}  // namespace squall::sim
