#pragma once
// How runs end, and what follows: retries, cron, continue-as-new, the notice to the parent, the
// fate of the children.

#include <optional>
#include <string>

#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// The identity of what the server does by itself.
inline constexpr char kHistoryService[] = "history-service";

class Closing {
 public:
  explicit Closing(Core& core) : core_(core) {}

  // Commands of the workflow; `completed_id` is the event id of the completed workflow task.
  void Complete(Run& run, std::int64_t completed_id, const command::Command& command);
  void Fail(Run& run, std::int64_t completed_id, const command::Command& command);
  void Cancel(Run& run, std::int64_t completed_id, const command::Command& command);
  // The attributes are normalized.
  void ContinueAsNew(Run& run, std::int64_t completed_id, const command::Command& command);

  void Terminate(Run& run, const std::string& reason, const common::Payloads* details,
                 const std::string& identity,
                 const google::protobuf::RepeatedPtrField<common::Link>* links = nullptr);
  // The run or the whole execution took too long.
  void TimedOut(Run& run);

 private:
  struct Next {
    enums::ContinueAsNewInitiator initiator =
        enums::CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED;  // unspecified: no next run
    Duration backoff{};
    enums::RetryState state = enums::RETRY_STATE_UNSPECIFIED;
    bool follows() const { return initiator != enums::CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED; }
  };
  Next AfterFailure(const Run& run, const failure::Failure& failure);
  Next AfterCron(const Run& run);
  // Ends a workflow task in progress when the server closes the run.
  void ForceTaskEnd(Run& run);
  // `event` is the closing event, whose attributes name `new_run_id` already.
  void Close(Run& run, historypb::HistoryEvent event, enums::WorkflowExecutionStatus status,
             const char* journal_what, const std::string& result, const std::string& detail,
             const std::string& new_run_id);
  void StartNext(Run& run, const Next& next, const std::string& new_run_id,
                 const common::Payloads* last_result, const failure::Failure* last_failure);
  Duration MinBackoff(const Run& run, Duration backoff) const;

  Core& core_;
};

}  // namespace squall::fakes::engine
