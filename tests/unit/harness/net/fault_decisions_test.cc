// What chance decides: the same for the same seed, names, numbers and positions, however often and
// in whatever order it is asked.
#include "harness/net/fault_decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace squall::harness {
namespace {

using namespace std::chrono_literals;

std::vector<double> Milliseconds(const NetFault& spec, int count = 20'000) {
  const StreamDecisions decisions = FaultDecisions(7, "l", "f").Stream(1, true);
  std::vector<double> all;
  for (int i = 0; i < count; ++i)
    all.push_back(
        static_cast<double>(decisions.Delay(spec, static_cast<std::uint64_t>(i)).count()) / 1e6);
  std::sort(all.begin(), all.end());
  return all;
}

double Mean(const std::vector<double>& all) {
  double sum = 0;
  for (const double one : all) sum += one;
  return sum / static_cast<double>(all.size());
}

double Quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

TEST(FaultDecisionsTest, DependOnNothingButTheirArguments) {
  const NetFault spec{.latency = 10ms,
                      .jitter = 5ms,
                      .slice_bytes = 10,
                      .slice_variation = 9,
                      .corrupt_share = 0.5};
  const auto all = [&](bool backwards) {
    const FaultDecisions decisions(3, "w->t", "f");
    std::vector<std::string> text(200);
    for (std::uint64_t n = 0; n < 200; ++n) {
      const std::uint64_t i = backwards ? 199 - n : n;
      const StreamDecisions stream = decisions.Stream(i / 10, i % 2 == 0);
      text[i] = std::to_string(decisions.Chosen(0.5, i)) + " " +
                std::to_string(stream.Delay(spec, i).count()) + " " +
                std::to_string(stream.SliceBytes(spec, i)) + " " +
                std::to_string(stream.Change(spec, i));
    }
    return text;
  };
  EXPECT_EQ(all(false), all(true));
}

TEST(FaultDecisionsTest, DifferBySeedLinkFaultConnectionDirectionAndPosition) {
  const NetFault spec{.jitter = 1h, .spread = Spread::kExponential};
  const auto delay = [&](std::uint64_t seed, std::string_view link, std::string_view fault,
                         std::uint64_t connection, bool up, std::uint64_t position) {
    return FaultDecisions(seed, link, fault).Stream(connection, up).Delay(spec, position);
  };
  const Duration first = delay(1, "a", "b", 1, true, 0);
  EXPECT_EQ(first, delay(1, "a", "b", 1, true, 0));
  EXPECT_NE(first, delay(2, "a", "b", 1, true, 0));
  EXPECT_NE(first, delay(1, "b", "a", 1, true, 0));
  EXPECT_NE(first, delay(1, "a", "c", 1, true, 0));
  EXPECT_NE(first, delay(1, "a", "b", 2, true, 0));
  EXPECT_NE(first, delay(1, "a", "b", 1, false, 0));
  EXPECT_NE(first, delay(1, "a", "b", 1, true, 1));
}

TEST(FaultDecisionsTest, WhoIsChosenRarelyIsChosenOftenAsWell) {
  const FaultDecisions decisions(1, "l", "f");
  int rarely = 0, often = 0;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    const bool rare = decisions.Chosen(0.2, i), frequent = decisions.Chosen(0.7, i);
    EXPECT_TRUE(!rare || frequent) << i;
    EXPECT_TRUE(decisions.Chosen(1, i));
    EXPECT_FALSE(decisions.Chosen(0, i));
    rarely += rare;
    often += frequent;
  }
  EXPECT_NEAR(rarely, 2000, 200);
  EXPECT_NEAR(often, 7000, 200);
}

TEST(FaultDecisionsTest, DelaysHaveTheirShapes) {
  const auto uniform = Milliseconds({.latency = 100ms, .jitter = 20ms});
  EXPECT_GE(uniform.front(), 80);
  EXPECT_LE(uniform.back(), 120);
  EXPECT_NEAR(Mean(uniform), 100, 1);
  EXPECT_NEAR(Quantile(uniform, 0.25), 90, 1);

  const auto normal = Milliseconds({.latency = 100ms, .jitter = 20ms, .spread = Spread::kNormal});
  EXPECT_NEAR(Mean(normal), 100, 1);
  EXPECT_NEAR(Quantile(normal, 0.8413), 120, 1.5);
  EXPECT_GT(normal.back(), 150);

  const auto exponential =
      Milliseconds({.latency = 100ms, .jitter = 20ms, .spread = Spread::kExponential});
  EXPECT_GE(exponential.front(), 100);
  EXPECT_NEAR(Mean(exponential), 120, 1);
  EXPECT_NEAR(Quantile(exponential, 0.5), 100 + 20 * std::log(2), 1);

  const auto pareto =
      Milliseconds({.latency = 100ms, .jitter = 20ms, .spread = Spread::kPareto, .shape = 2});
  EXPECT_GE(pareto.front(), 100);
  EXPECT_NEAR(Quantile(pareto, 0.75), 120, 1.5);
  EXPECT_GT(pareto.back(), 600) << "a heavy tail";

  const auto capped = Milliseconds({.latency = 100ms,
                                    .jitter = 20ms,
                                    .spread = Spread::kPareto,
                                    .shape = 0.1,
                                    .longest = 250ms});
  EXPECT_EQ(capped.back(), 250);
  EXPECT_GE(Milliseconds({.latency = 1ms, .jitter = 20ms}).front(), 0) << "never negative";
}

TEST(FaultDecisionsTest, SlicesAndChangesStayWithinTheirBounds) {
  const StreamDecisions decisions = FaultDecisions(7, "l", "f").Stream(1, true);
  std::vector<bool> sizes(20);
  int changed = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::uint64_t size = decisions.SliceBytes({.slice_bytes = 10, .slice_variation = 9}, i);
    ASSERT_GE(size, 1u);
    ASSERT_LE(size, 19u);
    sizes[size] = true;
    EXPECT_EQ(decisions.SliceBytes({.slice_bytes = 10}, i), 10u);
    EXPECT_NE(decisions.Change({}, i), 0) << "a share of 1 changes every byte";
    changed += decisions.Change({.corrupt_share = 0.1}, i) != 0;
  }
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), true), 19);
  EXPECT_NEAR(changed, 1000, 150);
}

}  // namespace
}  // namespace squall::harness
