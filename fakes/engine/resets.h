#pragma once
// ResetWorkflowExecution: a new run whose history is a copy of an earlier run's up to a workflow
// task, which is then failed. What came later (signals, updates) is applied again. After
// ndc/workflow_resetter.go of the real server.

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Resets {
 public:
  explicit Resets(Core& core) : core_(core) {}

  StatusOr<ws::ResetWorkflowExecutionResponse> Reset(
      const ws::ResetWorkflowExecutionRequest& request);
  // Resets `base` to before `finish_event_id`: the id of the new run. For batches too.
  StatusOr<std::string> ResetRun(const std::shared_ptr<Run>& base,
                                 const ws::ResetWorkflowExecutionRequest& request);

  // A workflow task was completed: the first by its build makes a point to which one may reset, and
  // the search attributes BuildIds and BinaryChecksums know of it.
  static void NoteCompletion(Run& run, const historypb::HistoryEvent& completed);

 private:
  using Excluded = std::set<int>;  // ResetReapplyExcludeType

  // The run that events 1 to `last` of `base` make, not yet among the namespace's runs and without
  // timers. rebuild.cc.
  std::shared_ptr<Run> Rebuild(const Run& base, std::int64_t last);
  void Replay(Run& run, const historypb::HistoryEvent& event);
  // Begins what the rebuilt run waits for: time-outs, timers, activities.
  void Revive(Run& run);
  void FailTask(Run& run, const Run& base, const std::string& reason);
  // Applies the events from `first` of `from` on, and of the runs that continued it.
  void Reapply(Run& run, const Run& from, std::int64_t first, const Excluded& excluded);
  void ReapplyEvent(Run& run, const historypb::HistoryEvent& event, const Excluded& excluded);
  void ReapplyChild(Run& run, const historypb::HistoryEvent& event, std::int64_t initiated_id);
  // The same event, to be written now.
  historypb::HistoryEvent Again(const historypb::HistoryEvent& event);
  void PostReset(Run& run, const workflowpb::PostResetOperation& operation);

  Core& core_;
};

}  // namespace squall::fakes::engine
