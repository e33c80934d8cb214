#pragma once
// Completion callbacks: whoever waits for the end of a workflow, given when it starts or attached
// later. Only the service's own address, temporal://system, is called: it completes a Nexus
// operation. After components/callbacks of the real server, whose default refuses all other
// addresses too.

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// A callback to the server itself.
inline constexpr char kSystemUrl[] = "temporal://system";

class Callbacks {
 public:
  explicit Callbacks(Core& core) : core_(core) {}

  // Of a start request: addresses, header, number. Puts header names into lower case and takes the
  // callbacks' links out of `links`.
  static Status Normalize(ws::StartWorkflowExecutionRequest& request);
  // A new run has the callbacks of its started event.
  void RunStarted(Run& run);
  // A run made again by a reset has the callbacks that this event attached.
  void Restore(Run& run, const historypb::HistoryEvent& event);
  // A start request met a running workflow and asks to be attached to it: writes the event, once
  // per request id.
  void Attach(Run& run, const ws::StartWorkflowExecutionRequest& request);
  // The run that follows takes them over.
  static void CopyTo(const Run& run, historypb::WorkflowExecutionStartedEventAttributes& next);
  // The run closed and nothing follows it.
  void RunClosed(Run& run, const historypb::HistoryEvent& close_event);

  static void Describe(const Run& run, ws::DescribeWorkflowExecutionResponse* response);

 private:
  void Add(Run& run, const common::Callback& callback, const std::string& request_id);
  // The text of the error; none: delivered.
  std::optional<std::string> Deliver(const Run& run, const CompletionCallback& callback,
                                     const historypb::HistoryEvent& close_event);

  Core& core_;
};

}  // namespace squall::fakes::engine
