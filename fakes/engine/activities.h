#pragma once
// Activities of workflows: scheduled, handed out, heartbeating, retried, timed out, cancelled and
// closed.

#include <string>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// Fills in what the policy leaves open (the real server's defaults: 1 s, x2, at most 100 times the
// first).
void EnsureRetryDefaults(common::RetryPolicy* policy);
Status CheckRetryPolicy(const common::RetryPolicy& policy);
bool IsRetryable(const failure::Failure& failure, const common::RetryPolicy& policy);
// The wait before attempt + 1, or why there is none. `expires`: when no attempt may start any more.
struct Backoff {
  Duration interval{};
  enums::RetryState state = enums::RETRY_STATE_IN_PROGRESS;
};
Backoff NextBackoff(SteadyTime now, int attempt, const common::RetryPolicy& policy,
                    std::optional<SteadyTime> expires, std::optional<Duration> delay);
// The delay that an application failure asks for.
std::optional<Duration> RequestedDelay(const failure::Failure& failure);
// "StartToClose", as messages have it.
const char* TimeoutName(enums::TimeoutType type);
failure::Failure TimeoutFailure(const std::string& message, enums::TimeoutType type);

// The token of the task that a worker has of it, now or by its next poll.
std::string TokenOf(const Run& run, const Activity& activity);

class Activities {
 public:
  explicit Activities(Core& core) : core_(core) {}

  // The scheduled event is in the history; its attributes are complete.
  Activity& Schedule(Run& run, std::int64_t scheduled_event_id,
                     const historypb::ActivityTaskScheduledEventAttributes& attributes, bool eager);
  // An activity of a run rebuilt from its history: it is scheduled as if for the first time.
  void Revive(Run& run, Activity& activity);
  // Activities that wait for a worker are queued again: their versions may be others by now.
  void Reschedule(Run& run);
  // A worker takes it: the answer of its poll.
  ws::PollActivityTaskQueueResponse StartTask(Run& run, Activity& activity,
                                              const std::string& identity);
  std::string Start(Run& run, std::int64_t scheduled_event_id, const std::string& identity);
  // The workflow asks for cancellation. True when the activity ended at once (it was not started).
  bool RequestCancel(Run& run, std::int64_t scheduled_event_id, std::int64_t cancel_event_id,
                     const std::string& identity);
  // For operators. A paused activity waits without time-outs of an attempt; it is scheduled again,
  // with no memory of its last failure; its time-outs and retry follow changed options.
  void Withhold(Activity& activity);
  void Redispatch(Run& run, Activity& activity, Duration delay);
  // The workflow is paused: attempts that no worker has, and waits for the next attempt, are put
  // off until it goes on. Those that a worker has are not, nor are their retries.
  void PutOff(Run& run);
  void GoOn(Run& run);
  void RearmTimeouts(Run& run, Activity& activity);
  // The run closed: nothing is left of its activities.
  void DropAll(Run& run);

  StatusOr<ws::RespondActivityTaskCompletedResponse> Completed(
      const ws::RespondActivityTaskCompletedRequest& request);
  StatusOr<ws::RespondActivityTaskCompletedByIdResponse> CompletedById(
      const ws::RespondActivityTaskCompletedByIdRequest& request);
  StatusOr<ws::RespondActivityTaskFailedResponse> Failed(
      const ws::RespondActivityTaskFailedRequest& request);
  StatusOr<ws::RespondActivityTaskFailedByIdResponse> FailedById(
      const ws::RespondActivityTaskFailedByIdRequest& request);
  StatusOr<ws::RespondActivityTaskCanceledResponse> Canceled(
      const ws::RespondActivityTaskCanceledRequest& request);
  StatusOr<ws::RespondActivityTaskCanceledByIdResponse> CanceledById(
      const ws::RespondActivityTaskCanceledByIdRequest& request);
  StatusOr<ws::RecordActivityTaskHeartbeatResponse> Heartbeat(
      const ws::RecordActivityTaskHeartbeatRequest& request);
  StatusOr<ws::RecordActivityTaskHeartbeatByIdResponse> HeartbeatById(
      const ws::RecordActivityTaskHeartbeatByIdRequest& request);

  // For DescribeWorkflowExecution.
  workflowpb::PendingActivityInfo Describe(const Activity& activity) const;

 private:
  struct Found {
    std::shared_ptr<Run> run;
    Activity* activity = nullptr;
  };
  // `force_complete`: by id an activity that is not started may be completed.
  StatusOr<Found> FindByToken(const std::string& token);
  StatusOr<Found> FindById(const std::string& ns, const std::string& workflow_id,
                           const std::string& run_id, const std::string& activity_id,
                           bool force_complete);
  // By whichever of the two the request has.
  template <typename Request>
  StatusOr<Found> FindFor(const Request& request, bool force_complete);
  // The RPCs, each in both forms.
  template <typename Response, typename Request>
  StatusOr<Response> AnswerCompleted(const Request& request);
  template <typename Response, typename Request>
  StatusOr<Response> AnswerFailed(const Request& request);
  template <typename Response, typename Request>
  StatusOr<Response> AnswerCanceled(const Request& request);
  template <typename Response, typename Request>
  StatusOr<Response> AnswerHeartbeat(const Request& request);

  void Complete(const Found& found, const common::Payloads* result, const std::string& identity);
  void FailAttempt(const Found& found, const failure::Failure& failure,
                   const common::Payloads* heartbeat, const std::string& identity);
  Status Cancel(const Found& found, const common::Payloads* details, const std::string& identity);
  // False: the details are too large, and the activity has failed by that.
  bool RecordHeartbeat(const Found& found, const common::Payloads* details,
                       const std::string& identity);
  void TimedOut(Run& run, std::int64_t scheduled_event_id, enums::TimeoutType type);
  // Schedules the next attempt, or says why not.
  enums::RetryState Retry(Run& run, Activity& activity, const failure::Failure& failure);

  void Begin(Run& run, Activity& activity);
  void PutOff(Activity& activity);
  void ArmRetry(Run& run, Activity& activity, Duration delay);
  void ArmScheduled(Run& run, Activity& activity);
  void Enqueue(Run& run, const Activity& activity);
  void ArmHeartbeat(Run& run, Activity& activity);
  TimerId ArmTimeout(Run& run, const Activity& activity, SteadyTime at, enums::TimeoutType type);
  void DisarmAttempt(Activity& activity);
  void EndAttempt(Activity& activity, const failure::Failure* failure);
  void Erase(Run& run, Activity& activity);
  void BufferStarted(Run& run, const Activity& activity);
  std::optional<SteadyTime> Expires(const Activity& activity) const;

  Core& core_;
};

}  // namespace squall::fakes::engine
