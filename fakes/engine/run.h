#pragma once
// The state of one run of a workflow (mutable state in the real server): plain data with its
// history. The rules by which it changes are in workflow_tasks, commands, activities, children,
// closing, queries and updates.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/history.h"
#include "fakes/engine/nexus_state.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/version.h"

namespace squall::fakes::engine {

struct Namespace;
struct RunVersioning;

// At most one workflow task is pending in a run. Attempts after the first ("transient") and tasks
// for updates
// ("speculative") are in no history until they end.
struct WorkflowTask {
  std::int64_t scheduled_event_id = 0;  // 0: none pending
  std::int64_t started_event_id = 0;    // 0: not started
  int attempt = 1;                      // of the pending or the next task
  bool speculative = false;
  Duration timeout{};
  WallTime scheduled{}, started{}, original_scheduled{};
  std::string request_id, identity;  // of the start
  std::int64_t history_size = 0;     // at the start
  // Why the worker is advised to continue as new, at the start.
  std::vector<enums::SuggestContinueAsNewReason> suggestions;
  std::uint64_t stamp = 0;  // changes with each scheduling and each start
  TimerId schedule_to_start = 0, start_to_close = 0;
  bool heartbeat = false;  // made by force_create_new_workflow_task

  bool pending() const { return scheduled_event_id != 0; }
  bool is_started() const { return started_event_id != 0; }
};

struct Activity {
  std::int64_t scheduled_event_id = 0;
  historypb::ActivityTaskScheduledEventAttributes attributes;
  int attempt = 1;
  bool started = false;
  WallTime first_scheduled{}, scheduled{}, started_time{}, last_heartbeat_time{},
      last_complete_time{};
  WallTime expires{};  // of the options that it was scheduled with, for descriptions
  SteadyTime first_scheduled_steady{}, scheduled_steady{}, started_steady{}, heartbeat_steady{};
  std::string request_id, identity, last_identity;
  MaybeVersion version;       // of the worker that has it, or had it last
  std::string control_queue;  // of that worker: cancellations are told to it there
  std::optional<common::Payloads> heartbeat_details;
  std::optional<failure::Failure> last_failure;
  bool cancel_requested = false;
  std::int64_t cancel_request_event_id = 0;
  // By PauseActivity and ResetActivity. `reset`: asked for while a worker had it, until that
  // attempt ends.
  bool paused = false, reset = false, reset_heartbeats = false;
  bool withheld = false;         // by the pause of its workflow, until that goes on
  bool options_changed = false;  // `attributes` differ from the scheduled event
  WallTime pause_time{};
  std::string pause_identity, pause_reason, pause_request_id;
  Duration retry_interval{};  // while waiting for the next attempt
  std::uint64_t stamp = 0;    // changes with each scheduling of an attempt
  // 0 when not set. The retry timer and the per-attempt time-outs exclude each other.
  TimerId schedule_to_close = 0, schedule_to_start = 0, start_to_close = 0, heartbeat = 0,
          retry = 0;

  Duration timeout(const google::protobuf::Duration& duration) const;
};

struct UserTimer {
  std::int64_t started_event_id = 0;
  TimerId timer = 0;
  WallTime fires{};  // set by a rebuild only
};

struct Child {
  std::int64_t initiated_event_id = 0;
  std::int64_t started_event_id =
      0;  // 0: not started yet; kBuffered while the started event is in the buffer
  bool started = false;
  historypb::StartChildWorkflowExecutionInitiatedEventAttributes attributes;
  std::optional<::temporal::api::sdk::v1::UserMetadata> user_metadata;
  std::string request_id;
  std::string run_id;  // first run of the child
};

// A query that waits for the workflow task in progress or the next one.
struct BufferedQuery {
  std::string id;
  CallId call = 0;
  querypb::WorkflowQuery query;
};

struct UpdateWaiter {
  CallId call = 0;
  enums::UpdateWorkflowExecutionLifecycleStage stage{};
  TimerId timer = 0;  // soft time-out: answered with the stage reached so far
  bool poll = false;  // answer to PollWorkflowExecutionUpdate, not UpdateWorkflowExecution
  std::shared_ptr<ws::StartWorkflowExecutionResponse> started;  // answer to ExecuteMultiOperation
  // What is done once more if the run closes first; null: that was done, or the run was started for
  // this update.
  std::shared_ptr<ws::ExecuteMultiOperationRequest> once_more;
};

struct Update {
  enum class State { kAdmitted, kSent, kAccepted, kCompleted };
  std::string id;
  State state = State::kAdmitted;
  std::uint64_t admitted = 0;  // order of admission
  updatepb::Request request;
  std::int64_t accepted_event_id = 0;
  bool in_history = false;  // by an admitted event (after a reset): workers find it there
  bool rejected = false;
  std::optional<updatepb::Outcome> outcome;
  std::vector<UpdateWaiter> waiters;
};

// A GetWorkflowExecutionHistory call that waits for an event.
struct HistoryWaiter {
  CallId call = 0;
  std::int64_t next = 1;  // first event it has not seen
  bool close_only = false;
  bool again = true;  // asked for new events: an answer without any has a token to come again with
  TimerId timer = 0;
  int page_size = 0;
};

struct Run : std::enable_shared_from_this<Run> {
  std::shared_ptr<Namespace> ns;
  std::string workflow_id, run_id;
  std::string first_run_id;
  historypb::WorkflowExecutionStartedEventAttributes start;  // of the started event
  std::optional<::temporal::api::sdk::v1::UserMetadata> user_metadata;
  std::string create_request_id;
  WallTime started{}, execution_time{};
  WallTime closed{};
  std::optional<WallTime> run_expires, execution_expires;
  enums::WorkflowExecutionStatus status = enums::WORKFLOW_EXECUTION_STATUS_RUNNING;
  std::string new_run_id;  // the run that continues this one after its end
  std::map<std::string, common::Payload> memo, search_attributes;
  std::int64_t transitions = 0;  // what state_transition_count tells

  std::shared_ptr<RunVersioning> versioning;  // null: never on a versioned worker
  std::string deployment_name;                // of the last workflow task's worker

  History history;
  WorkflowTask task;
  // What was pending when it was closed from outside; only told.
  WorkflowTask task_at_close;
  std::vector<workflowpb::PendingActivityInfo> activities_at_close;
  std::int64_t previous_started_event_id = 0;  // of the last completed workflow task
  bool close_attempted = false;  // an UnhandledCommand failure: the workflow wants to close
  std::string sticky_queue;      // "" when not set
  Duration sticky_timeout{};

  std::map<std::int64_t, Activity> activities;  // by scheduled event id
  std::map<std::string, std::int64_t> activity_ids;
  std::map<std::string, UserTimer> timers;
  std::map<std::int64_t, Child> children;  // by initiated event id
  std::set<std::int64_t> pending_signals,
      pending_cancels;  // of external workflows, by initiated event id
  std::map<std::int64_t, NexusOperation> nexus_operations;  // by scheduled event id
  std::vector<CompletionCallback> callbacks;
  std::set<std::string> attached_request_ids;  // of start requests that met this run
  std::set<std::string> signal_request_ids;
  bool cancel_requested = false;
  std::string cancel_request_id;

  std::vector<BufferedQuery> queries;
  std::map<std::string, Update> updates;
  std::vector<HistoryWaiter> history_waiters;

  // By PauseWorkflowExecution.
  struct Pause {
    std::string identity, reason, request_id;
    WallTime since{};
  };
  std::optional<Pause> pause;

  // The pages so far of a workflow task's completion that comes in pages, and of which task.
  std::vector<ws::RespondWorkflowTaskCompletedRequest> completion_pages;
  std::uint64_t completion_stamp = 0;

  // Resets. The runs that this one was made from, directly or not; the run made from this one.
  std::set<std::string> base_run_ids;
  std::string reset_run_id;
  bool closed_by_reset = false;
  WallTime original_started{}, last_reset{};  // zero when this is no reset run
  std::vector<workflowpb::ResetPointInfo> reset_points;

  TimerId retention = 0;  // of a closed run: when it is deleted
  TimerId run_timer = 0, execution_timer = 0, backoff_timer = 0;

  bool open() const {
    return status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING ||
           status == enums::WORKFLOW_EXECUTION_STATUS_PAUSED;
  }
  // Not so while it is paused: who waits for its history takes it for closed then, as on the real
  // server.
  bool running() const { return status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING; }
  bool had_or_has_workflow_task() const { return task.pending() || previous_started_event_id != 0; }
  bool transient() const { return task.attempt > 1; }
};

}  // namespace squall::fakes::engine
