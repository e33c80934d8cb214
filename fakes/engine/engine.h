#pragma once
// The fake Temporal service as a pure state machine: (moment, request) in; answers, now or later,
// and deadlines out.
//
// It has no socket, no thread and no clock: the caller (the fake server's front end, the simulator,
// a unit test) gives the time with every input, asks when it wants to be called next, and takes the
// answers. All identifiers come from a generator seeded in the options, all state lies in ordered
// containers, so the same inputs give the same answers.
//
//   Engine engine(options, journal);
//   engine.Call(now, 1, {"temporal.api.workflowservice.v1.WorkflowService",
//   "StartWorkflowExecution", {}, bytes, {}}); for (RpcResponse& r : engine.TakeResponses()) ...;
//   // also after Advance and Cancel if (auto at = engine.NextDeadline()) ... engine.Advance(then);
//
// Not thread-safe: one thread at a time.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"

namespace squall::fakes {

inline constexpr std::string_view kWorkflowService =
    "temporal.api.workflowservice.v1.WorkflowService";
inline constexpr std::string_view kOperatorService =
    "temporal.api.operatorservice.v1.OperatorService";
inline constexpr std::string_view kHealthService = "grpc.health.v1.Health";

struct RpcStatus {
  int code = 0;  // gRPC status code
  std::string message;
  std::string details;  // serialized google.rpc.Status (grpc-status-details-bin), or empty
};

struct RpcRequest {
  std::string service;                               // full name, e.g. kWorkflowService
  std::string method;                                // StartWorkflowExecution
  std::multimap<std::string, std::string> metadata;  // lower-case keys
  std::string message;                               // serialized request
  std::optional<SteadyTime> deadline;  // from grpc-timeout; the engine answers or gives up by then

  // Misbehaviour on the way to the engine (base/wire/scripted_server.h), so that the journal tells
  // it with the call: the fault's id; a status to answer instead of handling; or neither handling
  // nor answering (until Cancel).
  std::string fault_id = {};
  std::optional<RpcStatus> refusal = std::nullopt;
  bool withheld = false;
};

struct RpcResponse {
  std::uint64_t call = 0;
  RpcStatus status;
  std::string message;  // serialized response when the status is OK
};

// How large workflows may become: the real server's dynamic configuration with its defaults. Sizes
// in bytes.
struct EngineLimits {
  // What goes beyond ends the workflow.
  std::int64_t history_size = std::int64_t{50} << 20;   // limit.historySize.error
  std::int64_t history_count = std::int64_t{50} << 10;  // limit.historyCount.error
  std::int64_t state_size = std::int64_t{8} << 20;      // limit.mutableStateSize.error
  // What one completion of a workflow task may write at once.
  std::int64_t transaction_size = std::int64_t{4} << 20;  // system.transactionSizeLimit
  // Larger failures of attempts that are retried are cut.
  std::int64_t activity_failure_size = 4096;  // limit.mutableStateActivityFailureSize.error
  // From here on its worker is advised to continue as new.
  std::int64_t history_size_suggest = std::int64_t{4} << 20;   // ...suggestContinueAsNew
  std::int64_t history_count_suggest = std::int64_t{4} << 10;  // ...suggestContinueAsNew
  // Commands beyond fail the workflow task; 0: no limit.
  std::int64_t pending_activities = 2000;  // limit.numPendingActivities.error
  std::int64_t pending_children = 2000;    // limit.numPendingChildExecutions.error
  std::int64_t pending_signals = 2000;     // limit.numPendingSignals.error
  std::int64_t pending_cancels = 2000;     // limit.numPendingCancelRequests.error
  // More events behind a workflow task in progress make it fail.
  std::int64_t buffered_events = 100;                  // history.maximumBufferedEventsBatch
  std::int64_t buffered_size = std::int64_t{2} << 20;  // history.maximumBufferedEventsSizeInBytes
  // 0: no limit.
  std::int64_t signals = 10000;                        // history.maximumSignalsPerExecution
  std::int64_t updates_in_flight = 10;                 // history.maxInFlightUpdates
  std::int64_t updates_size = std::int64_t{20} << 20;  // history.maxInFlightUpdatePayloads
  std::int64_t updates = 2000;                         // history.maxTotalUpdates
};

struct EngineOptions {
  // The server's name in the journal (RpcEvent::endpoint, PollerEvent::server).
  std::string name = "temporal";
  std::uint64_t seed = 1;
  // Registered from the start. Empty: a server on which namespace creation was skipped.
  std::vector<std::string> namespaces = {"default"};
  // Custom search attributes that those namespaces have, and their types ("Keyword").
  std::map<std::string, std::string> search_attributes;
  // What GetSystemInfo and GetClusterInfo tell; the release that the behaviour was compared with.
  std::string server_version = "1.32.0";
  std::string cluster_name = "active";

  // How long a poll without a task is held (the real matching service: 1 min), and how long before
  // the caller's own deadline it is answered at the latest (the real one: 1 s).
  Duration long_poll = std::chrono::seconds(60);
  Duration long_poll_margin = std::chrono::seconds(1);
  // History long polls and update waits (the real history service: 20 s).
  Duration history_long_poll = std::chrono::seconds(20);
  // Start-to-close of workflow tasks when the starter names none (the real default).
  Duration workflow_task_timeout = std::chrono::seconds(10);
  // A sticky queue without a poll for this long counts as dead: its tasks go to the normal queue at
  // once.
  Duration sticky_poller_window = std::chrono::seconds(10);
  // ShutdownWorker answers the worker's held polls with nothing, and DescribeNamespace says so
  // (frontend.enableCancelWorkerPollsOnShutdown of the real server, off there unless configured).
  bool complete_polls_on_shutdown = false;
  // frontend.WorkflowPauseEnabled, history.enableWorkflowTaskCompletionPagination of the real
  // server.
  bool workflow_pause = false;
  // Tasks of one priority go by their fairness keys, in turns (matching.enableFairness, off there
  // unless configured).
  bool fairness = false;
  bool task_completion_pages = false;
  // Workers with heartbeats poll a control queue, where cancellations of their activities are told
  // to them at once (frontend.workerCommandsEnabled and system.enableCancelActivityWorkerCommand of
  // the real server, off there unless configured).
  bool worker_commands = true;
  // How often a draining deployment version is asked whether workflows are still pinned to it
  // (matching.wv.VersionDrainageStatusRefreshInterval of the real server).
  Duration version_drainage_interval = std::chrono::minutes(3);
  // How long DescribeTaskQueue remembers a poller (the real one: 5 min).
  Duration poller_memory = std::chrono::minutes(5);
  // Time until a query without an answer fails when the caller sets no deadline.
  Duration query_timeout = std::chrono::seconds(10);
  // Events in one page of history given to a worker (the real default: 256).
  int history_page_size = 256;
  EngineLimits limits;

  // Write an rpc event per call received and answered. Off where nobody looks and speed counts.
  bool journal_rpcs = true;
  // Write poller, workflow and activity events.
  bool journal_state = true;
  // Check the engine's own invariants after every input; a violation aborts. For tests: costs
  // O(state) per step.
  bool check_invariants = false;
};

// One input of an engine, as it was handled. An engine with the same options that is given the same
// inputs in the same order is in the same state.
struct EngineInput {
  enum class Kind { kCall, kCancel, kAdvance, kRestart };
  Kind kind = Kind::kAdvance;
  Moment now{};                         // as the engine counted it: never before an earlier one
  std::uint64_t call = 0;               // kCall, kCancel
  const RpcRequest* request = nullptr;  // kCall; only during the observer's call
  bool keep_data = false;               // kRestart
};

// One line of the table of RPCs.
struct RpcSupport {
  enum class Level { kFull, kPartial, kRefused };
  std::string_view service, method;
  Level level = Level::kRefused;
  std::string_view note;  // what is missing, or why it is refused
};

class Engine {
 public:
  // `sink` must outlive the engine.
  Engine(EngineOptions options, journal::Sink& sink);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Handles one call. `call` is chosen by the caller and unique among calls in progress. The answer
  // appears in TakeResponses(), at once or much later (long polls); exactly one per call unless it
  // is cancelled.
  void Call(Moment now, std::uint64_t call, RpcRequest request);
  // The client went away (RST_STREAM, lost connection): a held poll leaves its queue at once, there
  // is no answer. Unknown or answered calls are ignored.
  void Cancel(Moment now, std::uint64_t call);
  // Fires what is due at `now`. Time never runs backwards: an earlier moment counts as the latest
  // one seen.
  void Advance(Moment now);
  // When Advance has to be called next; none when nothing is pending.
  std::optional<SteadyTime> NextDeadline() const;
  // The answers so far, in the order in which they were given. Also fails calls that the engine
  // dropped.
  std::vector<RpcResponse> TakeResponses();

  // Asked before each call is handled: a status refuses the call with it (faults). The hook may
  // answer OK with no value by returning nullopt only; a returned status with code 0 is treated as
  // no refusal.
  using RpcHook = std::function<std::optional<RpcStatus>(const RpcRequest&)>;
  void SetRpcHook(RpcHook hook);
  // The id of the fault that refused the call being journaled; set by the hook's owner, "" for
  // none.
  void SetFaultId(std::string fault_id);

  // Told of every input that may have changed the state, once it was handled and before its answers
  // can be taken: what a state file keeps. Not told are calls that were refused or only read, and
  // time at which nothing fell due; an input that is not told but made something fire is told as
  // kAdvance.
  using InputObserver = std::function<void(const EngineInput&)>;
  void SetInputObserver(InputObserver observer);
  // A number that is the same for engines in the same state and almost surely differs otherwise;
  // cheap: it looks at counters, not at every workflow.
  std::uint64_t StateDigest() const;

  // Where a server that skips time may go at once: the next deadline, when nobody is at work (no
  // workflow task, activity attempt, query or fresh update) and a workflow waits for time alone: a
  // timer, a start delay, a back-off of cron, a retry or an activity. Looks at every open workflow.
  std::optional<SteadyTime> NextSkip() const;

  // What a restart of the server does. All held calls are dropped without an answer (their
  // connections are gone) and pollers are forgotten. With `keep_data` namespaces, workflows and
  // tasks stay, as with a database file; deadlines that passed meanwhile fire now, once. Without,
  // only `options.namespaces` exist afterwards, under new ids.
  void Restart(Moment now, bool keep_data);

  // Held calls (long polls, queries, updates), for tests and figures.
  std::size_t held_calls() const;
  // Workflow executions that are open, in all namespaces.
  std::size_t open_workflows() const;
  // Empty when all invariants hold, else the first violation. Listed in invariants.h.
  std::string CheckInvariants() const;

  // Every RPC of WorkflowService, OperatorService and the health service, in the order of the
  // protos.
  static std::vector<RpcSupport> SupportTable();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::fakes
