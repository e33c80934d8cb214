#pragma once
// Workflow updates: admitted, sent with a workflow task, accepted or rejected, completed; and who
// waits for which stage.

#include <map>
#include <optional>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Updates {
 public:
  explicit Updates(Core& core) : core_(core) {}

  void UpdateWorkflow(CallId call, const ws::UpdateWorkflowExecutionRequest& request);
  void Poll(CallId call, const ws::PollWorkflowExecutionUpdateRequest& request);
  // Admits the update and makes sure that a workflow task will carry it.
  Status Begin(Run& run, const ws::UpdateWorkflowExecutionRequest& request);

  // So many updates that the workflow's worker is advised to continue as new.
  bool SuggestContinueAsNew(const Run& run) const;

  // Answers an update-with-start once the update has reached its stage. If the run closes before,
  // `once_more` (unless it is null) is what is done instead of failing.
  void WaitWithStart(CallId call, Run& run, const ws::UpdateWorkflowExecutionRequest& request,
                     ws::StartWorkflowExecutionResponse started,
                     std::shared_ptr<ws::ExecuteMultiOperationRequest> once_more);

  // The requests that go with the workflow task being handed out.
  void Send(Run& run, bool again, google::protobuf::RepeatedPtrField<protocol::Message>* messages);
  bool HasOutgoing(const Run& run) const;
  // What is wrong with a worker's message; `states` carries what earlier messages of the same task
  // made of updates.
  std::optional<std::string> Check(const Run& run, const protocol::Message& message,
                                   std::map<std::string, int>* states) const;
  void Apply(Run& run, const protocol::Message& message);
  // Sent with the task, but the worker said nothing about them.
  void RejectUnprocessed(Run& run);
  // What an event about an update says, for a run rebuilt from its history.
  void Restore(Run& run, const historypb::HistoryEvent& event);
  void TaskFailed(Run& run);
  void RunClosed(Run& run);

  static Status CheckRequest(const ws::UpdateWorkflowExecutionRequest& request);
  // The stage that an update has reached.
  static enums::UpdateWorkflowExecutionLifecycleStage StageOf(const Update& update);
  ws::UpdateWorkflowExecutionResponse Response(const Run& run, const Update& update) const;

 private:
  // Whether the workflow may have one more.
  Status CheckLimits(const Run& run, const updatepb::Request& request) const;
  void Wait(CallId call, Run& run, Update& update, UpdateWaiter waiter);
  static enums::UpdateWorkflowExecutionLifecycleStage Wanted(const updatepb::WaitPolicy& policy);
  void Answer(Run& run, Update& update, const UpdateWaiter& waiter);
  // Answers who waited for no more than the stage reached.
  void Notify(Run& run, Update& update);
  void FailWaiters(Update& update, const Status& status);
  // Its run closes before it was accepted.
  void Abort(Update& update);

  Core& core_;
  std::uint64_t next_admitted_ = 1;
};

}  // namespace squall::fakes::engine
