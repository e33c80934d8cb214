#include "fakes/engine/fairness.h"

#include <algorithm>

namespace squall::fakes::engine {
namespace {

// matching.priorityLevels 5: keys beyond count as the last.
constexpr int kPriorities = 5;
// strideFactor, minWeight of the real server.
constexpr float kStride = 1000, kMinWeight = 0.001F;

}  // namespace

Rank RankOf(const common::Priority& own, const common::Priority& of_run) {
  int priority = own.priority_key() != 0 ? own.priority_key() : of_run.priority_key();
  if (priority == 0) priority = kDefaultPriority;
  return {.priority = std::min(priority, kPriorities),
          .key = own.fairness_key().empty() ? of_run.fairness_key() : own.fairness_key(),
          .weight = own.fairness_weight() != 0 ? own.fairness_weight() : of_run.fairness_weight()};
}

std::int64_t FairTurns::Next(const std::string& key, float weight) const {
  const float effective = weight <= 0 ? 1 : std::max(weight, kMinWeight);
  const std::int64_t stride =
      std::max(std::int64_t{1}, static_cast<std::int64_t>(kStride / effective));
  const auto last = last_.find(key);
  return std::max(passed_, (last == last_.end() ? 0 : last->second) + stride);
}

void FairTurns::Passed(std::int64_t turn) { passed_ = std::max(passed_, turn); }

}  // namespace squall::fakes::engine
