#pragma once
// Nexus operations that workflows call: scheduled, tried until the handler answers, started,
// completed (at once or by a callback), cancelled, timed out. After components/nexusoperations of
// the real server.
//
// Only endpoints whose target is a task queue are called. One with an external URL is not: its
// operations stay scheduled without an attempt, as on the dev server, which has no callback URL to
// tell to the outside.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/commands.h"
#include "fakes/engine/nexus_tasks.h"
#include "fakes/engine/nexus_text.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// nexusoperation.limit.request.timeout.min: with less time left nothing is sent.
inline constexpr Duration kMinRequestTimeout = std::chrono::milliseconds(1500);

// Checks the commands of one workflow task about Nexus, in order. `event_id` is the id that the
// command's event will have.
class NexusCommandCheck {
 public:
  NexusCommandCheck(const Core& core, const Run& run) : core_(core), run_(run) {}
  std::optional<TaskFailure> Check(command::Command& command, std::int64_t event_id);

 private:
  std::optional<TaskFailure> Schedule(command::Command& command, std::int64_t event_id);
  std::optional<TaskFailure> Cancel(const command::Command& command);

  const Core& core_;
  const Run& run_;
  std::set<std::int64_t> scheduled_, cancelled_;
};

// What a callback brings.
struct NexusCompletion {
  bool canceled = false;
  std::optional<failure::Failure> failure;  // none: success
  common::Payload result;
  // When and where the handler started, for a caller that does not know yet that it did.
  WallTime started{};
  std::optional<common::Link> link;
};

class NexusOperations {
 public:
  explicit NexusOperations(Core& core) : core_(core) {}

  // Commands; checked before.
  void Schedule(Run& run, std::int64_t completed_id, const command::Command& command);
  void RequestCancel(Run& run, std::int64_t completed_id, const command::Command& command);
  // A callback arrived. The error is the text of the handler error that the caller's server answers
  // with.
  std::optional<std::string> Complete(const CallbackToken& token,
                                      const NexusCompletion& completion);
  // A run made again by a reset: `event` is replayed. False: it concerns no pending operation.
  bool Restore(Run& run, const historypb::HistoryEvent& event);
  // The replay is done: what was pending goes on.
  void Revive(Run& run);
  // The run closed: nothing is tried any more. What was pending is still described.
  void RunClosed(Run& run);

  void Describe(const Run& run, ws::DescribeWorkflowExecutionResponse* response) const;
  // The violated invariant, or "".
  static std::string Check(const Run& run);

 private:
  NexusOperation* Find(Run& run, std::int64_t id) const;
  // Runs `work` when the run is still open and the operation still pending.
  using Work = std::function<void(Run&, NexusOperation&)>;
  void Guarded(const std::weak_ptr<Run>& weak, std::int64_t id, const Work& work) const;
  // The time left for one request, and which time-out of the operation ends it (none: the request's
  // own).
  struct Budget {
    Duration time{};
    enums::TimeoutType ends = enums::TIMEOUT_TYPE_UNSPECIFIED;
  };
  Budget TimeLeft(const NexusOperation& operation) const;

  void Attempt(Run& run, NexusOperation& operation);
  void Answered(Run& run, NexusOperation& operation, const NexusOutcome& outcome);
  void AttemptFailed(Run& run, NexusOperation& operation, const failure::Failure& failure);
  void Started(Run& run, NexusOperation& operation, const std::string& token,
               const google::protobuf::RepeatedPtrField<nexuspb::Link>& links);
  // Writes the closing event and forgets the operation.
  void Succeeded(Run& run, NexusOperation& operation, const common::Payload& result,
                 const google::protobuf::RepeatedPtrField<nexuspb::Link>& links);
  void Failed(Run& run, NexusOperation& operation, const failure::Failure& cause);
  void Canceled(Run& run, NexusOperation& operation, failure::Failure cause);
  void TimedOut(Run& run, NexusOperation& operation, enums::TimeoutType type);
  void Close(Run& run, NexusOperation& operation, historypb::HistoryEvent event);

  void AttemptCancel(Run& run, NexusOperation& operation);
  void CancelAnswered(Run& run, NexusOperation& operation, const NexusOutcome& outcome);
  void CancelFailed(Run& run, NexusOperation& operation, const failure::Failure& failure,
                    bool retryable);

  TimerId ArmTimeout(Run& run, std::int64_t id, SteadyTime at, enums::TimeoutType type);
  void RecordAttempt(NexusAttempts& attempts, const failure::Failure* failure) const;
  Duration Backoff(int attempt);
  void Disarm(NexusOperation& operation);

  Core& core_;
};

}  // namespace squall::fakes::engine
