#pragma once
// Task queues: tasks in order, polls that wait for one, and who polled when. One task goes to one
// poll, first come, first served on both sides. Whether a task is still wanted is asked at the
// moment it is handed out.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

enum class TaskKind { kWorkflow, kActivity };

// What waits in a task queue and belongs to no workflow (standalone activities).
class ForeignTask {
 public:
  virtual ~ForeignTask() = default;
  // Asked at the moment at which a poll could take it.
  virtual bool Wanted() const = 0;
  // The answer of the poll. `client`: what the poll's metadata say of the worker.
  virtual std::string Start(const std::string& identity, const CallInfo& client) = 0;
};

// A task refers to the run; what it becomes is decided by the run's state when a poll takes it.
struct Task {
  std::shared_ptr<ForeignTask> foreign;  // then nothing of the rest but `added` counts
  std::weak_ptr<Run> run;
  std::int64_t scheduled_event_id = 0;
  std::uint64_t stamp = 0;
  SteadyTime added{};
};

// A query that is handed to a poll directly, past the backlog.
struct DirectQuery {
  std::uint64_t id = 0;
  CallId call = 0;
  std::shared_ptr<Run> run;
  querypb::WorkflowQuery query;
  bool sticky = false;      // waits in the sticky queue
  bool dispatched = false;  // a worker has it
  TimerId timer = 0;        // sticky: when to turn to the normal queue
};

// What a waiting poll says about itself.
struct Poll {
  CallId call = 0;
  std::string identity, worker_instance_key;
  std::string queue_name;
  bool sticky = false;
  TimerId timer = 0;
};

class Matching {
 public:
  explicit Matching(Core& core) : core_(core) {}

  // Queues a task or gives it to a waiting poll.
  void AddWorkflowTask(const std::shared_ptr<Run>& run);
  void AddActivityTask(const std::shared_ptr<Run>& run, const Activity& activity);
  void AddNexusTask(const std::string& namespace_id, const std::string& queue, std::uint64_t task);
  void AddForeignActivityTask(const Namespace& ns, const std::string& queue,
                              std::shared_ptr<ForeignTask> task);

  // Whether somebody polls that sticky queue, or did within the options' sticky_poller_window.
  bool StickyAlive(const Namespace& ns, const std::string& queue);

  void PollWorkflow(CallId call, const ws::PollWorkflowTaskQueueRequest& request);
  void PollActivity(CallId call, const ws::PollActivityTaskQueueRequest& request);
  void PollNexus(CallId call, const ws::PollNexusTaskQueueRequest& request);
  StatusOr<ws::DescribeTaskQueueResponse> Describe(const ws::DescribeTaskQueueRequest& request);
  StatusOr<ws::ListTaskQueuePartitionsResponse> ListPartitions(
      const ws::ListTaskQueuePartitionsRequest& request);
  // Answers the held polls of that worker with nothing and forgets the pollers of its sticky queue.
  StatusOr<ws::ShutdownWorkerResponse> ShutdownWorker(const ws::ShutdownWorkerRequest& request);

  // Direct queries. The call is held; its answer comes through RespondQuery or is an error.
  void Query(CallId call, const std::shared_ptr<Run>& run, const querypb::WorkflowQuery& query);
  StatusOr<ws::RespondQueryTaskCompletedResponse> RespondQuery(
      const ws::RespondQueryTaskCompletedRequest& request);

  // Forgets polls (their calls are gone) and pollers; with `tasks` the tasks too.
  void Reset(bool tasks);
  // The violated invariant, or "".
  std::string Check() const;
  std::size_t waiting_polls() const;

 private:
  // Namespace id, queue name, kind (workflow 1, activity 2, nexus 3 as in the API).
  using Key = std::tuple<std::string, std::string, int>;
  struct Poller {
    SteadyTime access{};
    WallTime access_wall{};
    std::uint64_t held = 0;
    double rate = 100000;
    ::temporal::api::deployment::v1::WorkerDeploymentOptions deployment;
    bool has_deployment = false;
  };
  struct Queue {
    bool sticky = false;
    std::deque<Task> backlog;
    std::deque<std::uint64_t> queries;      // ids into queries_
    std::map<std::uint64_t, Poll> waiting;  // by arrival
    std::map<std::string, Poller> pollers;  // by identity
    SteadyTime last_poll{};
    bool polled = false;
    std::deque<SteadyTime> adds, dispatches;  // of the last 30 s, for the rates
  };

  void Add(const Key& key, Task task);
  // Gives what is queued to who waits until one side is empty.
  void Match(const Key& key);
  // True when the poll got something.
  bool Serve(const Key& key, Queue& queue, const Poll& poll);
  bool Wanted(const Task& task, int kind) const;
  void Arrive(CallId call, const Key& key, Poll poll, const std::optional<SteadyTime>& deadline);
  void Touch(const Key& key, Queue& queue, const std::string& identity, int held_change,
             const char* journal_what);
  void Leave(const Key& key, std::uint64_t arrival, const char* why_empty);
  void EndQuery(std::uint64_t id);
  void EnqueueQuery(std::uint64_t id);
  void FillStats(Queue& queue, int kind, taskqueue::TaskQueueStats* stats);
  void Forget(Queue& queue);

  Core& core_;
  std::map<Key, Queue> queues_;
  std::map<std::uint64_t, DirectQuery> queries_;
  std::uint64_t next_arrival_ = 1;
  std::uint64_t next_query_ = 1;
};

}  // namespace squall::fakes::engine
