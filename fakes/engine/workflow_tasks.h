#pragma once
// The workflow task of a run: scheduled, started, completed, failed, timed out; and the end of each
// change to a run. After workflow_task_state_machine.go of the real server, whose rules are noted
// at each step.

#include <optional>
#include <string>

#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"
#include "fakes/engine/versioning.h"

namespace squall::fakes::engine {

// A workflow whose task failed this often in a row is neither queried nor updated.
inline constexpr int kFailFastAttempt = 3;

struct ScheduleOptions {
  bool speculative = false;      // for updates: in no history unless something comes of it
  bool heartbeat = false;        // keeps the original scheduling time
  bool bypass_matching = false;  // the caller starts it at once
};

class WorkflowTasks {
 public:
  explicit WorkflowTasks(Core& core) : core_(core) {}

  // An event of now, without id and attributes.
  historypb::HistoryEvent NewEvent(enums::EventType type);
  // The queue of the next workflow task.
  static taskqueue::TaskQueue CurrentQueue(const Run& run);

  // Only when none is pending.
  void Schedule(Run& run, const ScheduleOptions& options = {});
  // Hands the pending task to matching again (the restart of a server, a sticky queue that died).
  void Dispatch(Run& run);
  // A poll takes the pending task; `route` is how matching came to that poll.
  void Start(Run& run, const std::string& identity, const std::string& queue, bool sticky_poll,
             const std::string& request_id = {}, const TaskRoute& route = {});
  // The task as the answer of a poll; `page_size` events at most. `cached`: to a worker that has
  // the events before, even without a sticky queue.
  std::string Response(Run& run, bool heartbeat = false, bool cached = false);
  // A page of the history of a workflow task, by token. Nothing when the task is gone.
  std::string NextPage(Run& run, std::int64_t first, std::int64_t last, std::uint64_t stamp,
                       std::string* next_token);

  // The events of the pending transient or speculative task, as fields of History: they follow the
  // history but are not in it. "" when the task's events are written, or there is none.
  std::string UnwrittenEvents(const Run& run, const std::string& identity);

  // How many events starting the pending task adds to the history, and ending the started one
  // without success.
  static std::int64_t StartEvents(const Run& run);
  static std::int64_t FailureEvents(const Run& run);

  // Ends the pending started task with a failure. Only the first of several failures in a row is in
  // the history.
  void Fail(Run& run, enums::WorkflowTaskFailedCause cause, const failure::Failure* failure,
            const std::string& identity, const std::string& checksum = {});
  void StartToCloseTimedOut(Run& run);
  void ScheduleToStartTimedOut(Run& run);
  // Writes the scheduled and started events of a started transient or speculative task.
  void WriteEvents(Run& run, const std::string& identity);
  // Forgets the pending task (completed): the next one is attempt 1.
  void Clear(Run& run);
  static void ClearSticky(Run& run) {
    run.sticky_queue.clear();
    run.sticky_timeout = {};
  }

  // The end of a change. `need_task`: something happened that the workflow must see.
  void Settle(Run& run, bool need_task);
  void Flush(Run& run);

  StatusOr<ws::RespondWorkflowTaskFailedResponse> RespondFailed(
      const ws::RespondWorkflowTaskFailedRequest& request);
  StatusOr<ws::ResetStickyTaskQueueResponse> ResetSticky(
      const ws::ResetStickyTaskQueueRequest& request);

  // The run whose started task the token names: NOT_FOUND otherwise.
  StatusOr<std::shared_ptr<Run>> FindStarted(const std::string& token_bytes);

 private:
  Duration StartToClose(const Run& run, int attempt);
  void AfterFailure(Run& run, bool increment);
  // Fills in what the worker is advised at the start of the task.
  void Suggest(Run& run) const;
  void ForgetTask(Run& run);
  // A speculative task cannot outlive a change of the run: it becomes a normal one.
  void MakeNormal(Run& run);
  historypb::HistoryEvent ScheduledEvent(const Run& run);
  historypb::HistoryEvent StartedEvent(const Run& run, const std::string& identity);
  // Whether the pending task's events are in no history yet.
  static bool Unwritten(const Run& run) { return run.transient() || run.task.speculative; }

  Core& core_;
};

}  // namespace squall::fakes::engine
