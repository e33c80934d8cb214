#pragma once
// Reading: histories (pages, long polls, backwards) and DescribeWorkflowExecution.

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Reads {
 public:
  explicit Reads(Core& core) : core_(core) {}

  void History(CallId call, const ws::GetWorkflowExecutionHistoryRequest& request);
  StatusOr<ws::GetWorkflowExecutionHistoryReverseResponse> HistoryReverse(
      const ws::GetWorkflowExecutionHistoryReverseRequest& request);
  StatusOr<ws::DescribeWorkflowExecutionResponse> Describe(
      const ws::DescribeWorkflowExecutionRequest& request);

  // The history of `run` grew or the run closed: answers who waits for that.
  void Notify(Run& run);
  // The run was deleted.
  void Gone(Run& run);

  // The row of a run in lists.
  static workflowpb::WorkflowExecutionInfo Info(const Run& run);

 private:
  struct Page {
    std::int64_t first = 1;
    int size = 0;
    bool wait = false;
    bool close_only = false;
    bool may_wait = false;  // the first answer to a call
  };
  void Answer(CallId call, Run& run, const Page& page);
  void Wait(CallId call, Run& run, const Page& page);

  Core& core_;
};

}  // namespace squall::fakes::engine
