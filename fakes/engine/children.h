#pragma once
// Child workflows, and signals and cancellations that one workflow sends to another.

#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Children {
 public:
  explicit Children(Core& core) : core_(core) {}

  // The initiated events are in the history; what follows happens after the workflow task's
  // completion.
  void Start(Run& run, std::int64_t initiated_id,
             const historypb::StartChildWorkflowExecutionInitiatedEventAttributes& attributes,
             const command::Command& command);
  void SignalExternal(
      Run& run, std::int64_t initiated_id,
      const historypb::SignalExternalWorkflowExecutionInitiatedEventAttributes& attributes,
      const std::string& identity);
  void CancelExternal(
      Run& run, std::int64_t initiated_id,
      const historypb::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes& attributes);

  // Tells the parent and applies the parent close policy to the children.
  void RunClosed(Run& run, const historypb::HistoryEvent& close_event);
  // Parent and root of `run`, for the next run in its chain.
  static void CopyParent(const Run& run, historypb::WorkflowExecutionStartedEventAttributes& next);

 private:
  void Begin(const std::shared_ptr<Run>& parent, std::int64_t initiated_id);
  void StartFailed(Run& parent, std::int64_t initiated_id,
                   enums::StartChildWorkflowExecutionFailedCause cause);
  // The parent that waits for `child`; null: none does, any more.
  Run* OpenParentOf(const Run& child) const;
  void TellParent(const Run& child, const historypb::HistoryEvent& close_event);
  static bool IsChildOf(const Run& run, const Run& parent) {
    const auto& of = run.start.parent_workflow_execution();
    return of.workflow_id() == parent.workflow_id &&
           (of.run_id() == parent.run_id || parent.base_run_ids.contains(of.run_id()));
  }

  Core& core_;
};

}  // namespace squall::fakes::engine
