#include "sim/swarm/plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"
#include "sim/swarm/shrink.h"

namespace squall::sim {
namespace {

// Empty when it can be loaded.
std::string WhyNoScenario(const Plan& plan) {
  const auto scenario = scenarios::LoadScenario(ScenarioOf(plan), fmt::format("{}.yaml", plan.seed),
                                                scenarios::Checks());
  return scenario.ok() ? "" : std::string(Message(scenario.status()));
}

bool HasFault(const Plan& plan, std::string_view fault) {
  return std::any_of(plan.faults.begin(), plan.faults.end(),
                     [&](const PlannedFault& one) { return one.fault == fault; });
}

void Note(const Plan& plan, std::set<std::string>& seen) {
  if (plan.tls) seen.insert("tls");
  if (plan.frontends > 2) seen.insert("three front ends");
  if (HasTwoServers(plan)) seen.insert("two servers");
  if (plan.ingress) {
    seen.insert(!plan.tls ? "balancer" : plan.ingress->pool > 0 ? "balancer with TLS" : "TLS gate");
    if (plan.ingress->recycle_after > 0) seen.insert("recycled after calls");
    if (plan.ingress->recycle_age_ms > 0) seen.insert("recycled by age");
    if (plan.ingress->idle_timeout_ms > 0) seen.insert("idle time-out");
  }
  for (const PlannedWorker& worker : plan.workers) {
    if (worker.cache) seen.insert("small cache");
    seen.insert(worker.host.empty() ? "plain worker" : "host");
  }
  for (const PlannedFault& fault : plan.faults)
    seen.insert((fault.target == "edge" ? "edge " : "") + fault.fault);
}

TEST(SwarmPlanTest, SeedsDrawAllThatScenariosCanHave) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 800; ++seed) {
    const Plan plan = PlanOf(seed);
    Note(plan, seen);
    if (seed > 150) continue;
    EXPECT_EQ(WhyNoScenario(plan), "") << ScenarioOf(plan);
  }
  for (const char* what : {"tls",
                           "three front ends",
                           "two servers",
                           "balancer",
                           "balancer with TLS",
                           "TLS gate",
                           "recycled after calls",
                           "recycled by age",
                           "idle time-out",
                           "small cache",
                           "plain worker",
                           "host",
                           "edge restart",
                           "kill",
                           "frontend_down",
                           "rolling_restart",
                           "kernel_drop",
                           "kernel_reject",
                           "kernel_link_down",
                           "kernel_address_change",
                           "kernel_bandwidth",
                           "dns_fail",
                           "dns_hang",
                           "dns_answer",
                           "drop_connections",
                           "goaway",
                           "lost_answer",
                           "half_open",
                           "idle_drop",
                           "swallow",
                           "clock_skew",
                           "crash_loop",
                           "slow_start"})
    EXPECT_TRUE(seen.contains(what)) << what;
}

TEST(SwarmPlanTest, CallsHaveNothingOfConnections) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) Note(PlanOf(seed, {.bytes = false}), seen);
  for (const char* what : {"tls", "three front ends", "balancer", "TLS gate", "kernel_drop",
                           "reset", "dns_fail", "goaway", "frontend_down"})
    EXPECT_FALSE(seen.contains(what)) << what;
  EXPECT_TRUE(seen.contains("two servers"));
  EXPECT_TRUE(seen.contains("stall"));
}

TEST(SwarmPlanTest, ASeedIsAPlan) {
  EXPECT_EQ(ScenarioOf(PlanOf(7)), ScenarioOf(PlanOf(7)));
  EXPECT_NE(ScenarioOf(PlanOf(7)), ScenarioOf(PlanOf(8)));
}

TEST(ShrinkTest, TakesAwayAllThatIsNotNeeded) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Plan small = Shrink(PlanOf(seed), [](Plan& plan) {
      EXPECT_EQ(WhyNoScenario(plan), "") << ScenarioOf(plan);
      return true;
    });
    EXPECT_EQ(SizeOf(small), 1u) << ScenarioOf(small);
    EXPECT_EQ(small.workers[0].host, "");
    EXPECT_FALSE(small.workers[0].cache);
    EXPECT_FALSE(small.tls);
    EXPECT_FALSE(small.ingress);
    EXPECT_EQ(small.frontends, 1);
    EXPECT_FALSE(HasTwoServers(small));
  }
}

// The smallest plan that still has what `needed` says, of the first seed that has it.
Plan Smallest(bool (*needed)(const Plan&)) {
  std::uint64_t seed = 1;
  while (seed < 2000 && !needed(PlanOf(seed))) ++seed;
  EXPECT_TRUE(needed(PlanOf(seed)));
  return Shrink(PlanOf(seed), [needed](Plan& plan) { return needed(plan); });
}

TEST(ShrinkTest, KeepsWhatIsNeeded) {
  const Plan balanced = Smallest([](const Plan& plan) {
    return plan.ingress && plan.ingress->pool > 0 && plan.ingress->recycle_age_ms > 0;
  });
  EXPECT_FALSE(balanced.tls);
  EXPECT_EQ(balanced.ingress->recycle_after, 0);
  EXPECT_EQ(balanced.ingress->idle_timeout_ms, 0);
  EXPECT_TRUE(balanced.faults.empty());

  const Plan gate = Smallest([](const Plan& plan) { return plan.ingress && plan.tls; });
  EXPECT_EQ(gate.ingress->pool, 0);

  const Plan fronts = Smallest([](const Plan& plan) { return HasFault(plan, "frontend_down"); });
  EXPECT_GT(fronts.frontends, 1);
  EXPECT_EQ(fronts.faults.size(), 1u);

  const Plan two = Smallest([](const Plan& plan) { return HasTwoServers(plan); });
  EXPECT_EQ(two.workers.size(), 2u);
  EXPECT_TRUE(two.workflows.empty());
  EXPECT_EQ(WhyNoScenario(two), "");
}

}  // namespace
}  // namespace squall::sim
