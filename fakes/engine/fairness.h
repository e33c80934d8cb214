#pragma once
// Which of several tasks of one priority goes first: with matching.enableFairness the keys of a
// backlog take turns, by their weights, as the real matching service has them (stride scheduling:
// fair_task_writer.go). Without it, all tasks are of one key.

#include <cstdint>
#include <map>
#include <string>

#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

inline constexpr int kDefaultPriority = 3;

// What is drawn from a task's own priority and, where that says nothing, its workflow's.
struct Rank {
  int priority = 0;  // 1 goes first
  std::string key;
  float weight = 0;  // 0: the default
};
Rank RankOf(const common::Priority& own, const common::Priority& of_run);

// Of one backlog: the tasks of a queue, or of one version there, of one priority.
class FairTurns {
 public:
  // The turn in which a task of the key would come: lower ones go first, equal ones in order of
  // arrival. `weight`: as set for the key, or else by the task.
  std::int64_t Next(const std::string& key, float weight) const;
  // The task waits for its turn.
  void Wait(const std::string& key, std::int64_t turn) { last_[key] = turn; }
  // A task that waited is gone: new keys begin here.
  void Passed(std::int64_t turn);

 private:
  std::int64_t passed_ = 0;
  std::map<std::string, std::int64_t> last_;  // each key's latest turn
};

}  // namespace squall::fakes::engine
