#include "scenarios/engine/fault_driver.h"

#include <algorithm>
#include <utility>

#include "scenarios/format/fault_ids.h"

namespace squall::scenarios {
namespace {

bool Among(const std::vector<std::string>& labels, const std::string& label) {
  return labels.empty() || std::find(labels.begin(), labels.end(), label) != labels.end();
}

}  // namespace

FaultDriver::FaultDriver(Executor& executor, World& world, std::uint64_t seed, Blame blame)
    : executor_(executor),
      world_(world),
      rng_(Rng(seed).Split("faults")),
      blame_(std::move(blame)) {}

FaultDriver::~FaultDriver() {
  *alive_ = false;
  EndSchedules();
  for (const auto& fault : active_) executor_.Cancel(fault->span_timer);
}

// --- injecting ---

void FaultDriver::Inject(const InjectStep& step, Done done) {
  auto plan = std::make_unique<Plan>();
  plan->step = &step;
  plan->rng = rng_.Split(step.as);
  Plan& made = *plan;
  plans_.push_back(std::move(plan));
  if (step.when) {
    made.matcher.emplace(*step.when);
    executor_.Post([alive = alive_, done = std::move(done)] {
      if (*alive) done(absl::OkStatus());
    });
    return;
  }
  NextRound(made);
  Round(made, std::move(done));
}

void FaultDriver::ForgetInjections(const std::vector<std::string>& labels) {
  std::erase_if(under_way_, [&](const auto& one) {
    if (!Among(labels, one.first)) return false;
    *one.second = false;
    return true;
  });
}

void FaultDriver::OnEvent(const journal::Event& event) {
  std::vector<Plan*> due;
  for (const auto& plan : plans_) {
    if (!plan->matcher || !plan->matcher->Matches(event)) continue;
    if (++plan->matched < plan->step->when->count) continue;
    plan->matcher.reset();
    due.push_back(plan.get());
  }
  // Each round may end its own plan, and no other.
  for (Plan* plan : due) {
    NextRound(*plan);
    RoundAlone(*plan);
  }
}

// Arms the timer of the round after the one that begins now.
void FaultDriver::NextRound(Plan& plan) {
  ++plan.round;
  const InjectStep& step = *plan.step;
  if (!step.every || (step.times > 0 && plan.round >= step.times)) return;
  plan.timer = executor_.After(*step.every, [this, &plan] {
    plan.timer = 0;
    NextRound(plan);
    RoundAlone(plan);
  });
}

void FaultDriver::RoundAlone(Plan& plan) {
  const std::string label = plan.step->as;
  // A node that is not there at the moment is not hit this time; the journal says so.
  Round(plan, [this, label](const Status& status) {
    if (!status.ok() && status.code() != StatusCode::kFailedPrecondition)
      blame_("inject " + label, status);
  });
}

void FaultDriver::Round(Plan& plan, Done done) {
  const InjectStep& step = *plan.step;
  std::vector<std::string> nodes = step.on;
  if (step.one) nodes = {step.on[plan.rng.Below(step.on.size())]};
  // Drawn for each, also where it is certain, so that another chance does not change the rest.
  std::erase_if(nodes, [&](const std::string&) { return !plan.rng.Chance(step.chance); });
  const int round = plan.round;
  if (plan.timer == 0) {
    std::erase_if(plans_, [&plan](const auto& one) { return one.get() == &plan; });
  }
  std::erase_if(under_way_, [](const auto& one) { return one.second.use_count() == 1; });
  auto wanted = std::make_shared<bool>(true);
  under_way_.emplace_back(step.as, wanted);
  InjectInto(step, std::move(nodes), round, std::move(wanted), std::move(done));
}

// One after the other, so that an error leaves the rest alone.
void FaultDriver::InjectInto(const InjectStep& step, std::vector<std::string> nodes, int round,
                             std::shared_ptr<bool> wanted, Done done) {
  if (nodes.empty()) {
    executor_.Post([alive = alive_, done = std::move(done)] {
      if (*alive) done(absl::OkStatus());
    });
    return;
  }
  const std::string node = nodes.front();
  nodes.erase(nodes.begin());
  const std::string id = FaultId(step.as, step.on.size() > 1 ? node : "", round);
  InjectRequest request{id, step.fault, node, step.params};
  world_.Inject(request, [this, alive = alive_, &step, id, nodes = std::move(nodes), round,
                          wanted = std::move(wanted),
                          done = std::move(done)](StatusOr<std::unique_ptr<FaultHandle>> handle) {
    // Too late: the handle heals as it goes.
    if (!*alive || !*wanted) return;
    if (!handle.ok()) return done(handle.status());
    auto fault = std::make_unique<Active>();
    fault->id = id;
    fault->label = step.as;
    fault->handle = *std::move(handle);
    Active* raw = fault.get();
    active_.push_back(std::move(fault));
    if (step.span) {
      raw->span_timer = executor_.After(*step.span, [this, raw] {
        raw->span_timer = 0;
        HealOne(*raw, [](const Status&) {});
      });
    }
    if (nodes.empty()) return done(absl::OkStatus());
    InjectInto(step, nodes, round, wanted, done);
  });
}

// --- healing ---

// Heals one fault, or joins its healing; `done` is called when it is over. The fault leaves the
// list whatever came of it.
void FaultDriver::HealOne(Active& fault, Done done) {
  fault.waiting.push_back(std::move(done));
  if (fault.healing) return;
  fault.healing = true;
  executor_.Cancel(fault.span_timer);
  fault.span_timer = 0;
  fault.handle->Heal([this, alive = alive_, raw = &fault](const Status& status) {
    if (!*alive) return;
    const auto it = std::find_if(active_.begin(), active_.end(),
                                 [raw](const auto& one) { return one.get() == raw; });
    if (it == active_.end()) return;
    const std::unique_ptr<Active> ended = std::move(*it);
    active_.erase(it);
    if (!status.ok()) blame_("heal " + ended->id, status);
    for (const Done& waiting : ended->waiting) waiting(status);
  });
}

void FaultDriver::Heal(std::vector<std::string> labels, Done done) {
  EndPlans(labels);
  // The last injected first; those that healed by themselves meanwhile are done.
  for (auto it = active_.rbegin(); it != active_.rend(); ++it) {
    Active& fault = **it;
    if (!Among(labels, fault.label)) continue;
    return HealOne(fault, [this, alive = alive_, labels = std::move(labels),
                           done = std::move(done)](const Status& status) {
      if (!*alive) return;
      if (!status.ok()) return done(status);
      Heal(labels, done);
    });
  }
  done(absl::OkStatus());
}

void FaultDriver::EndPlans(const std::vector<std::string>& labels) {
  ForgetInjections(labels);
  std::erase_if(plans_, [&](const auto& plan) {
    if (!Among(labels, plan->step->as)) return false;
    executor_.Cancel(plan->timer);
    return true;
  });
}

void FaultDriver::EndSchedules() { EndPlans({}); }

std::optional<std::string> FaultDriver::Last() const {
  if (active_.empty()) return std::nullopt;
  return active_.back()->id;
}

void FaultDriver::HealLast(Done done) { HealOne(*active_.back(), std::move(done)); }

void FaultDriver::DropLast() {
  if (active_.empty()) return;
  executor_.Cancel(active_.back()->span_timer);
  active_.pop_back();
}

void FaultDriver::DropAll() {
  EndSchedules();
  while (!active_.empty()) DropLast();
}

}  // namespace squall::scenarios
