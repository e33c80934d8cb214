#pragma once
// What clients do to running workflows: signal, ask to cancel, terminate, delete.

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Signals {
 public:
  explicit Signals(Core& core) : core_(core) {}

  // Whether the open run may be signalled with this.
  Status Check(const Run& run, const common::Payloads& input) const;
  StatusOr<ws::SignalWorkflowExecutionResponse> Signal(
      const ws::SignalWorkflowExecutionRequest& request);
  StatusOr<ws::RequestCancelWorkflowExecutionResponse> RequestCancel(
      const ws::RequestCancelWorkflowExecutionRequest& request);
  StatusOr<ws::TerminateWorkflowExecutionResponse> Terminate(
      const ws::TerminateWorkflowExecutionRequest& request);
  // Deletes a closed run and all that is known of it.
  void Remove(const std::shared_ptr<Run>& run);
  StatusOr<ws::DeleteWorkflowExecutionResponse> Delete(
      const ws::DeleteWorkflowExecutionRequest& request);

  // Asks an open run to cancel, once. `external`: the workflow that asks, with its initiated event.
  void Cancel(Run& run, const std::string& reason, const std::string& identity,
              const std::string& request_id, const common::WorkflowExecution* external,
              std::int64_t external_initiated_id);

 private:
  // The run that a request means; with `first_run_id` the current run of that chain.
  StatusOr<std::shared_ptr<Run>> Find(const std::string& ns,
                                      const common::WorkflowExecution& execution,
                                      const std::string& first_run_id);
  Core& core_;
};

}  // namespace squall::fakes::engine
