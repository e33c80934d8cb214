#pragma once
// PauseWorkflowExecution and UnpauseWorkflowExecution: a paused workflow gets no workflow tasks,
// and its activities wait. Off unless the options say otherwise, as on the real server.

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Pauses {
 public:
  explicit Pauses(Core& core) : core_(core) {}

  StatusOr<ws::PauseWorkflowExecutionResponse> Pause(
      const ws::PauseWorkflowExecutionRequest& request);
  StatusOr<ws::UnpauseWorkflowExecutionResponse> Unpause(
      const ws::UnpauseWorkflowExecutionRequest& request);

 private:
  Core& core_;
};

}  // namespace squall::fakes::engine
