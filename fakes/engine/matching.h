#pragma once
// Task queues: tasks in order, polls that wait for one, and who polled when. One task goes to one
// poll: by priority, then first come, first served on both sides; of versioned workers only those
// of the version to which the task is routed. Whether a task is still wanted, and by which version,
// is asked at the moment it is handed out.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/fairness.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/rate_limit.h"
#include "fakes/engine/run.h"
#include "fakes/engine/version.h"
#include "fakes/engine/versioning.h"

namespace squall::fakes::engine {

// Kinds of task queue, as the keys of queues have them.
inline constexpr int kWorkflowQueue = enums::TASK_QUEUE_TYPE_WORKFLOW,
                     kActivityQueue = enums::TASK_QUEUE_TYPE_ACTIVITY,
                     kNexusQueue = enums::TASK_QUEUE_TYPE_NEXUS;
// Over which rates of adding and dispatching are taken.
inline constexpr Duration kRateWindow = std::chrono::seconds(30);

enum class TaskKind { kWorkflow, kActivity };

// What waits in a task queue and belongs to no workflow (standalone activities).
class ForeignTask {
 public:
  virtual ~ForeignTask() = default;
  // Asked at the moment at which a poll could take it.
  virtual bool Wanted() const = 0;
  virtual const common::Priority& priority() const = 0;
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
  bool waits = false;  // no poll was there when it came
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
  MaybeVersion version;
  std::string control_queue;  // the worker's own, for commands
  SteadyTime arrived{};
  TimerId timer = 0;
};

struct QueueStats {
  taskqueue::TaskQueueStats total;
  std::map<int, taskqueue::TaskQueueStats> by_priority;
};

// Priority key and fairness of a start, an activity, an update of options.
Status CheckPriority(const common::Priority& priority);

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
  StatusOr<ws::UpdateTaskQueueConfigResponse> UpdateConfig(
      const ws::UpdateTaskQueueConfigRequest& request);
  // Answers the held polls of that worker with nothing and forgets the pollers of its sticky queue.
  StatusOr<ws::ShutdownWorkerResponse> ShutdownWorker(const ws::ShutdownWorkerRequest& request);

  // Direct queries. The call is held; its answer comes through RespondQuery or is an error.
  void Query(CallId call, const std::shared_ptr<Run>& run, const querypb::WorkflowQuery& query);
  StatusOr<ws::RespondQueryTaskCompletedResponse> RespondQuery(
      const ws::RespondQueryTaskCompletedRequest& request);

  // For deployments. The routing of the queue changed: its tasks and polls are looked at again.
  void Rerouted(const QueueKey& key);
  bool HasPollers(const QueueKey& key, const Version& version);
  QueueStats VersionStats(const QueueKey& key, const Version& version);

  // Forgets polls (their calls are gone) and pollers; with `tasks` the tasks too.
  void Reset(bool tasks);
  // The violated invariant, or "".
  std::string Check() const;
  std::size_t waiting_polls() const;
  // Queries that wait for a worker or its answer.
  std::size_t pending_queries() const { return queries_.size(); }

 private:
  using Key = QueueKey;
  using PollerKey = std::pair<std::string, MaybeVersion>;  // identity, version
  // Priority (1 first), turn among the fairness keys, arrival.
  using Order = std::tuple<int, std::int64_t, std::uint64_t>;
  using TaskList = std::map<Order, Task>;
  struct Poller {
    SteadyTime access{};
    WallTime access_wall{};
    std::uint64_t held = 0;
    double rate = 100000;
    deploymentpb::WorkerDeploymentOptions deployment;
    bool has_deployment = false;
    common::WorkerVersionCapabilities capabilities;
    bool has_capabilities = false;
  };
  // When a task came or went, for the rates.
  struct Moved {
    SteadyTime at{};
    int priority = 0;
    MaybeVersion version;
  };
  struct Queue {
    bool sticky = false;
    TaskList tasks;                      // of whatever version the routing says
    std::map<Version, TaskList> pinned;  // of one version
    // Of `pinned` or, without a version, of `tasks`; by priority.
    std::map<std::pair<MaybeVersion, int>, FairTurns> turns;
    std::deque<std::uint64_t> queries;      // ids into queries_
    std::map<std::uint64_t, Poll> waiting;  // by arrival
    std::map<PollerKey, Poller> pollers;
    SteadyTime last_poll{};
    bool polled = false;
    std::deque<Moved> adds, dispatches;  // of the last 30 s
    SteadyTime rates_since{};            // the first of all
    RateLimit limit;
    TimerId limit_timer = 0;
    std::optional<double> worker_rate;  // asked for by the last poll
    SteadyTime scaling_ready{};         // when the next advice to pollers may be given
  };

  void Add(const Key& key, Task task, const Rank& rank, const MaybeVersion& pinned);
  float WeightOf(const Key& key, const Rank& rank) const;
  // Gives what is queued to who waits until one side is empty.
  void Match(const Key& key);
  // True when the poll got something.
  bool Serve(const Key& key, Queue& queue, const Poll& poll);
  bool ServeQuery(const Key& key, Queue& queue, const Poll& poll);
  // The task that the poll may take, out of its list.
  std::optional<Task> Take(const Key& key, Queue& queue, const Poll& poll, int* priority);
  TaskRoute RouteOf(const Key& key, const Task& task, const Poll& poll) const;
  MaybeVersion QueryVersion(const Key& key, const DirectQuery& query) const;
  bool Wanted(const Task& task, int kind) const;
  // Pinned tasks wait for their version, all others for the routing's. Nothing: the latter.
  MaybeVersion PinOf(const Key& key, const Run& run, const Task& task) const;
  // Polls of the queue differ in what they may take.
  bool Routed(const Key& key) const;
  template <typename Request>
  void AcceptPoll(CallId call, const Request& request, int kind);
  void Arrive(CallId call, const Key& key, Poll poll, const std::optional<SteadyTime>& deadline);
  void Touch(const Key& key, Queue& queue, const Poll& poll, int held_change,
             const char* journal_what);
  void Leave(const Key& key, std::uint64_t arrival, const char* why_empty);
  void EndQuery(std::uint64_t id);
  void EnqueueQuery(std::uint64_t id);
  std::string Advice(Queue& queue, const Poll& poll);
  static void Note(std::deque<Moved>& moves, Queue& queue, SteadyTime now, int priority,
                   const MaybeVersion& version);
  void Prune(Queue& queue, int kind);
  // Of one version (nothing: the unversioned part), or of all.
  QueueStats Stats(const Key& key, bool all, const MaybeVersion& version);
  void FillPollers(Queue& queue, const MaybeVersion* version,
                   google::protobuf::RepeatedPtrField<taskqueue::PollerInfo>* pollers);
  void DescribeEnhanced(const Namespace& ns, const ws::DescribeTaskQueueRequest& request,
                        ws::DescribeTaskQueueResponse* response);
  enums::BuildIdTaskReachability Reachability(const Namespace& ns, const std::string& queue,
                                              const std::string& build);
  // Whether a workflow of the queue, open or closed, has the value in its BuildIds. As the real
  // server, which asks its visibility store, it remembers the answer for a while.
  bool HasBuild(const Namespace& ns, const std::string& queue, const std::string& value, bool open);
  void Forget(Queue& queue);
  // The limit in force, and where it comes from.
  std::pair<double, enums::RateLimitSource> EffectiveRate(const Key& key, const Queue& queue) const;
  // False: too early for the next task; the queue is looked at again in time.
  bool MayDispatch(const Key& key, Queue& queue);

  Core& core_;
  std::map<Key, Queue> queues_;
  std::map<Key, taskqueue::TaskQueueConfig> configs_;
  // Namespace, queue, value of BuildIds, open: until when it is remembered, and whether there was
  // such a workflow.
  std::map<std::tuple<std::string, std::string, std::string, bool>, std::pair<SteadyTime, bool>>
      builds_;
  std::map<std::uint64_t, DirectQuery> queries_;
  std::map<std::string, SteadyTime> shut_down_;  // worker instance keys, until when
  std::uint64_t next_arrival_ = 1;
  std::uint64_t next_query_ = 1;
  std::uint64_t next_task_ = 1;
};

}  // namespace squall::fakes::engine
