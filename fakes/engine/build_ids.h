#pragma once
// The first form of worker versioning (v0.1, deprecated): sets of compatible build ids in order,
// the last set the queue's default, the last id of a set the set's. Workflows stay with the set in
// which they began. The second form, assignment and redirect rules, is disabled on the dev server,
// and so here.

#include <map>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"
#include "fakes/engine/version.h"

namespace squall::fakes::engine {

class BuildIds {
 public:
  explicit BuildIds(Core& core) : core_(core) {}

  // Whether the queue has sets.
  bool Knows(const std::string& ns_id, const std::string& queue) const {
    return sets_.contains({ns_id, queue});
  }
  // Where a worker of that build takes its tasks from, as a version without deployment. An error
  // for a build that a newer one of its set has replaced.
  StatusOr<Version> PollVersion(const std::string& ns_id, const std::string& queue,
                                const std::string& build) const;
  // Where a task of that run goes; nothing: to workers without versioning.
  MaybeVersion TaskVersion(const Run& run, const std::string& queue, bool new_task) const;

  StatusOr<ws::UpdateWorkerBuildIdCompatibilityResponse> Update(
      const ws::UpdateWorkerBuildIdCompatibilityRequest& request);
  StatusOr<ws::GetWorkerBuildIdCompatibilityResponse> Get(
      const ws::GetWorkerBuildIdCompatibilityRequest& request);
  StatusOr<ws::GetWorkerTaskReachabilityResponse> Reachability(
      const ws::GetWorkerTaskReachabilityRequest& request);
  StatusOr<ws::UpdateWorkerVersioningRulesResponse> UpdateRules(
      const ws::UpdateWorkerVersioningRulesRequest& request);
  StatusOr<ws::GetWorkerVersioningRulesResponse> GetRules(
      const ws::GetWorkerVersioningRulesRequest& request);

  void Clear() { sets_.clear(); }

 private:
  struct Set {
    std::string id;  // of its first build
    std::vector<std::string> builds;
    SteadyTime became_default{};
  };
  using Sets = std::vector<Set>;
  using Queue = std::pair<std::string, std::string>;  // namespace id, name
  // The set of a build and its place there; -1 when it is in none.
  static std::pair<int, int> Find(const Sets& sets, const std::string& build);
  Status Apply(Sets& sets, const ws::UpdateWorkerBuildIdCompatibilityRequest& request);

  Core& core_;
  std::map<Queue, Sets> sets_;
};

}  // namespace squall::fakes::engine
