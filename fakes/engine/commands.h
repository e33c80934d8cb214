#pragma once
// RespondWorkflowTaskCompleted: a workflow task ends with commands and messages. They are checked
// first, all of them; when one is wrong nothing of them is applied and the workflow task fails, as
// on the real server.

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// Why a workflow task fails for its commands.
struct TaskFailure {
  enums::WorkflowTaskFailedCause cause{};
  std::string message;      // "" when the cause says all
  bool terminates = false;  // what is too large ends the workflow
  // "BadStartTimerAttributes: TimerId is not set on StartTimerCommand."
  std::string Text() const;
};

// Checks commands against the state of the run and completes their attributes with the server's
// defaults.
class CommandCheck {
 public:
  CommandCheck(Core& core, const Run& run);
  // The first that is wrong.
  std::optional<TaskFailure> Check(
      google::protobuf::RepeatedPtrField<command::Command>* commands,
      const google::protobuf::RepeatedPtrField<protocol::Message>& messages);

 private:
  using Result = std::optional<TaskFailure>;
  Result Activity(command::ScheduleActivityTaskCommandAttributes* attributes);
  Result CancelActivity(const command::RequestCancelActivityTaskCommandAttributes& attributes);
  Result StartTimer(const command::StartTimerCommandAttributes& attributes);
  Result CancelTimer(const command::CancelTimerCommandAttributes& attributes);
  Result Child(command::StartChildWorkflowExecutionCommandAttributes* attributes);
  Result SignalExternal(command::SignalExternalWorkflowExecutionCommandAttributes* attributes);
  Result CancelExternal(
      const command::RequestCancelExternalWorkflowExecutionCommandAttributes& attributes);
  Result ContinueAsNew(command::ContinueAsNewWorkflowExecutionCommandAttributes* attributes);
  Result Message(const protocol::Message& message);

  Core& core_;
  const Run& run_;
  std::set<std::string> activity_ids_, timers_, children_;
  std::set<std::int64_t> cancelled_activities_;
  std::set<std::string> fired_timers_;        // fired events in the buffer
  std::size_t buffered_;                      // buffered events left
  std::map<std::string, int> update_states_;  // what messages made of updates so far
};

class Commands {
 public:
  explicit Commands(Core& core) : core_(core) {}

  void RespondCompleted(CallId call, ws::RespondWorkflowTaskCompletedRequest& request);
  // A user timer's time has come.
  void TimerFired(Run& run, const std::string& timer_id);

 private:
  StatusOr<std::string> Completed(ws::RespondWorkflowTaskCompletedRequest& request);
  void Apply(Run& run, std::int64_t completed_id, const command::Command& command,
             const ws::RespondWorkflowTaskCompletedRequest& request,
             std::vector<std::int64_t>* eager);
  void ScheduleActivity(Run& run, std::int64_t completed_id, const command::Command& command,
                        std::vector<std::int64_t>* eager);
  void StartTimer(Run& run, std::int64_t completed_id, const command::Command& command);
  void CancelTimer(Run& run, std::int64_t completed_id, const command::Command& command,
                   const std::string& identity);
  void StartChild(Run& run, std::int64_t completed_id, const command::Command& command);
  std::int64_t Append(Run& run, historypb::HistoryEvent& event, const command::Command& command);

  Core& core_;
  bool activity_not_started_cancelled_ = false;  // of the task being completed
};

// The real server's name of an enum value: WORKFLOW_TASK_FAILED_CAUSE_BAD_BINARY -> BadBinary.
std::string PascalName(std::string_view enum_name, std::string_view prefix);

}  // namespace squall::fakes::engine
