#pragma once
// The state of standalone activities; for standalone*.cc only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fakes/engine/core.h"
#include "fakes/engine/standalone.h"

namespace squall::fakes::engine {

Status NoSuchActivity(const std::string& id);

// One execution. The states are those of the real server's ActivityExecutionStatus.
struct StandaloneActivity : std::enable_shared_from_this<StandaloneActivity> {
  enum class Status {
    kScheduled,
    kStarted,
    kCancelRequested,
    kPaused,
    kPauseRequested,
    kResetRequested,
    kCompleted,
    kFailed,
    kCanceled,
    kTerminated,
    kTimedOut,
  };

  std::shared_ptr<Namespace> ns;
  std::string activity_id, run_id, request_id;
  Status status = Status::kScheduled;
  common::ActivityType type;
  activitypb::ActivityOptions options, original;
  std::optional<common::Payloads> input;
  std::optional<common::Header> header;
  std::optional<::temporal::api::sdk::v1::UserMetadata> user_metadata;
  std::map<std::string, common::Payload> search_attributes;
  std::vector<common::Link> links;
  std::vector<CompletionCallback> callbacks;

  WallTime scheduled{}, closed{};
  SteadyTime scheduled_steady{};
  int attempt = 1;
  std::uint64_t stamp = 0;  // changes with each scheduling of an attempt
  WallTime started{}, completed{}, dispatch{};
  SteadyTime started_steady{}, heartbeat_steady{};
  std::string worker, sdk_name, sdk_version;
  std::optional<Duration> retry_interval;
  bool interval_from_policy = false;
  std::optional<failure::Failure> last_failure;
  std::optional<common::Payloads> heartbeat_details;
  WallTime heartbeat_time{};
  std::int64_t heartbeats = 0;

  std::optional<common::Payloads> result;
  std::optional<failure::Failure> failed;
  enums::RetryState retry_state = enums::RETRY_STATE_UNSPECIFIED;

  bool cancel_known = false;
  std::string cancel_identity, cancel_reason, cancel_request_id;
  std::string terminate_request_id, pause_request_id, unpause_request_id, reset_request_id,
      options_request_id;
  // What a reset left for the end of the attempt in progress.
  bool reset_clears_heartbeat = false, reset_restores = false, reset_pauses = false;

  std::int64_t transitions = 1;
  TimerId schedule_to_close = 0, schedule_to_start = 0, start_to_close = 0, heartbeat = 0,
          dispatch_timer = 0, retention = 0;

  struct Waiter {
    CallId call = 0;
    TimerId timer = 0;
    std::optional<ws::DescribeActivityExecutionRequest> describe;  // none: waits for the outcome
  };
  std::vector<Waiter> waiters;

  bool open() const { return status < Status::kCompleted; }
  // A worker has an attempt.
  bool running() const {
    return status == Status::kStarted || status == Status::kCancelRequested ||
           status == Status::kPauseRequested || status == Status::kResetRequested;
  }
  Duration start_delay() const;
  WallTime first_dispatch() const { return scheduled + start_delay(); }
};

// INVALID_ARGUMENT for ids that cannot be.
Status CheckIds(const std::string& activity_id, const std::string& run_id);
std::string_view StatusName(StandaloneActivity::Status status);
enums::ActivityExecutionStatus ApiStatus(StandaloneActivity::Status status);

struct StandaloneActivities::State {
  using Activity = StandaloneActivity;
  struct Execution {
    std::shared_ptr<Activity> current;
    std::map<std::string, std::shared_ptr<Activity>> runs;
  };

  explicit State(Core& engine) : core(engine) {}

  // From a request: checks namespace, ids; NOT_FOUND.
  StatusOr<std::shared_ptr<Activity>> Find(const std::string& ns, const std::string& activity_id,
                                           const std::string& run_id);
  StatusOr<std::shared_ptr<Activity>> Find(Namespace& ns, const std::string& activity_id,
                                           const std::string& run_id);
  // The activity whose attempt is in progress. `force`: by id also one that no worker has.
  StatusOr<std::shared_ptr<Activity>> FindAttempt(const Ref& ref, bool force);

  // Every successful change ends with this.
  void Changed(Activity& activity);
  void Close(Activity& activity, Activity::Status status);
  void Remove(const std::shared_ptr<Activity>& activity);

  // Completion callbacks: of a request, those already there through it not again; when it closed;
  // for Describe.
  Status Attach(Activity& activity, const ws::StartActivityExecutionRequest& request) const;
  void CallBackAll(Activity& activity);
  static void TellCallbacks(const Activity& activity,
                            ws::DescribeActivityExecutionResponse* response);

  // Attempts.
  void Dispatch(Activity& activity, WallTime at);
  void ArmScheduleToClose(Activity& activity);
  void ArmAttempt(Activity& activity);
  void Disarm(Activity& activity);
  std::string StartAttempt(Activity& activity, const std::string& identity, const CallInfo& client);
  // Another attempt, or why there is none.
  enums::RetryState Retry(Activity& activity, const failure::Failure& failure);
  void TimedOut(Activity& activity, enums::TimeoutType type);
  static void ClearHeartbeat(Activity& activity);
  void RestoreOptions(Activity& activity);
  Duration Jitter(const google::protobuf::Duration& most);

  void Wait(const std::shared_ptr<Activity>& activity, Activity::Waiter waiter);
  activitypb::ActivityExecutionInfo Info(const Activity& activity,
                                         const ws::DescribeActivityExecutionRequest& request) const;
  ws::DescribeActivityExecutionResponse Description(
      const Activity& activity, const ws::DescribeActivityExecutionRequest& request) const;
  static ws::PollActivityExecutionResponse Outcome(const Activity& activity);
  void Happened(const char* what, const Activity& activity, const std::string& detail = {});

  Core& core;
  std::map<std::string, std::map<std::string, Execution>> by_namespace;  // by namespace id
};

}  // namespace squall::fakes::engine
