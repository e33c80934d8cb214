#include "fakes/engine/matching.h"

#include <algorithm>
#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

constexpr int kWorkflow = enums::TASK_QUEUE_TYPE_WORKFLOW,
              kActivity = enums::TASK_QUEUE_TYPE_ACTIVITY, kNexus = enums::TASK_QUEUE_TYPE_NEXUS;
constexpr std::size_t kMaxIdLength = 1000;  // limit.maxIDLength of the real server
constexpr Duration kRateWindow = std::chrono::seconds(30);
// common.MinLongPollTimeout: the shortest time-out with which the real frontend accepts a long
// poll.
constexpr Duration kMinLongPoll = std::chrono::seconds(2);

const char* KindName(int kind) {
  return kind == kActivity ? "activity" : kind == kNexus ? "nexus" : "workflow";
}

Status CheckQueue(const taskqueue::TaskQueue& queue, bool set) {
  if (!set) return InvalidArgument("taskQueue is not set");
  if (queue.name().empty()) return InvalidArgument("missing task queue name");
  if (queue.name().size() > kMaxIdLength) return InvalidArgument("taskQueue length exceeds limit");
  return absl::OkStatus();
}

void DropOld(std::deque<SteadyTime>& times, SteadyTime now) {
  while (!times.empty() && now - times.front() > kRateWindow) times.pop_front();
}

}  // namespace

void Matching::AddWorkflowTask(const std::shared_ptr<Run>& run) {
  const bool sticky = !run->sticky_queue.empty() && StickyAlive(*run->ns, run->sticky_queue);
  const Key key{run->ns->id, sticky ? run->sticky_queue : run->start.task_queue().name(),
                kWorkflow};
  queues_[key].sticky = sticky;
  Add(key, {.run = run,
            .scheduled_event_id = run->task.scheduled_event_id,
            .stamp = run->task.stamp,
            .added = core_.now.steady});
}

void Matching::AddActivityTask(const std::shared_ptr<Run>& run, const Activity& activity) {
  Add({run->ns->id, activity.attributes.task_queue().name(), kActivity},
      {.run = run,
       .scheduled_event_id = activity.scheduled_event_id,
       .stamp = activity.stamp,
       .added = core_.now.steady});
}

void Matching::AddNexusTask(const std::string& namespace_id, const std::string& queue,
                            std::uint64_t task) {
  Add({namespace_id, queue, kNexus}, {.run = {}, .stamp = task, .added = core_.now.steady});
}

void Matching::AddForeignActivityTask(const Namespace& ns, const std::string& queue,
                                      std::shared_ptr<ForeignTask> task) {
  Task added;
  added.foreign = std::move(task);
  added.added = core_.now.steady;
  Add({ns.id, queue, kActivity}, std::move(added));
}

bool Matching::StickyAlive(const Namespace& ns, const std::string& name) {
  const auto it = queues_.find({ns.id, name, kWorkflow});
  if (it == queues_.end()) return false;
  const Queue& queue = it->second;
  return !queue.waiting.empty() ||
         (queue.polled && core_.now.steady - queue.last_poll <= core_.options.sticky_poller_window);
}

void Matching::Add(const Key& key, Task task) {
  Queue& queue = queues_[key];
  queue.adds.push_back(core_.now.steady);
  DropOld(queue.adds, core_.now.steady);
  queue.backlog.push_back(std::move(task));
  Match(key);
}

bool Matching::Wanted(const Task& task, int kind) const {
  if (kind == kNexus) return core_.nexus_tasks.Wanted(task.stamp);
  if (task.foreign != nullptr) return task.foreign->Wanted();
  const auto run = task.run.lock();
  if (run == nullptr || !run->open()) return false;
  if (kind == kWorkflow) {
    return run->task.pending() && !run->task.is_started() && run->task.stamp == task.stamp;
  }
  if (run->pause) return false;  // added again when the workflow goes on
  const auto it = run->activities.find(task.scheduled_event_id);
  return it != run->activities.end() && !it->second.started && it->second.stamp == task.stamp;
}

void Matching::Match(const Key& key) {
  for (;;) {
    auto it = queues_.find(key);
    if (it == queues_.end() || it->second.waiting.empty()) return;
    Queue& queue = it->second;
    auto first = queue.waiting.begin();
    const Poll poll = first->second;
    if (!Serve(key, queue, poll)) return;
    if (poll.timer != 0) core_.timers.Cancel(poll.timer);
    queue.waiting.erase(first);
    Touch(key, queue, poll.identity, -1, "left");
  }
}

bool Matching::Serve(const Key& key, Queue& queue, const Poll& poll) {
  const int kind = std::get<2>(key);
  while (!queue.queries.empty()) {
    const std::uint64_t id = queue.queries.front();
    queue.queries.pop_front();
    auto it = queries_.find(id);
    if (it == queries_.end() || it->second.dispatched) continue;
    it->second.dispatched = true;
    core_.calls.ReplyBytes(poll.call, core_.queries.DirectTask(it->second, std::get<1>(key)));
    return true;
  }
  while (!queue.backlog.empty()) {
    const Task task = queue.backlog.front();
    queue.backlog.pop_front();
    if (!Wanted(task, kind)) continue;
    const auto run = task.run.lock();
    if (task.foreign != nullptr) {
      const CallInfo client = core_.calls.info(poll.call);
      core_.calls.ReplyBytes(poll.call, task.foreign->Start(poll.identity, client));
    } else if (kind == kWorkflow) {
      if (poll.sticky && run->sticky_queue != poll.queue_name)
        continue;  // it moved; its time-out brings it back
      core_.tasks.Start(*run, poll.identity, poll.queue_name, poll.sticky);
      core_.calls.ReplyBytes(poll.call, core_.tasks.Response(*run));
    } else if (kind == kNexus) {
      core_.calls.ReplyBytes(poll.call, core_.nexus_tasks.Start(task.stamp));
    } else {
      core_.calls.ReplyBytes(poll.call,
                             core_.activities.Start(*run, task.scheduled_event_id, poll.identity));
    }
    queue.dispatches.push_back(core_.now.steady);
    DropOld(queue.dispatches, core_.now.steady);
    return true;
  }
  return false;
}

void Matching::Touch(const Key& key, Queue& queue, const std::string& identity, int held_change,
                     const char* journal_what) {
  Poller& poller = queue.pollers[identity];
  poller.access = core_.now.steady;
  poller.access_wall = core_.now.wall;
  poller.held = static_cast<std::uint64_t>(static_cast<std::int64_t>(poller.held) + held_change);
  queue.last_poll = core_.now.steady;
  queue.polled = true;
  if (journal_what == nullptr || !core_.options.journal_state) return;
  journal::PollerEvent event;
  event.what = journal_what;
  event.server = core_.options.name;
  event.task_queue = std::get<1>(key);
  event.task_type = KindName(std::get<2>(key));
  event.identity = identity;
  event.count = poller.held;
  if (auto ns = core_.namespaces.GetById(std::get<0>(key)); ns.ok()) event.ns = (*ns)->name;
  core_.sink.Append(core_.source, std::move(event));
}

void Matching::Arrive(CallId call, const Key& key, Poll poll,
                      const std::optional<SteadyTime>& deadline) {
  SteadyTime until = core_.now.steady + core_.options.long_poll;
  if (deadline) until = std::min(until, *deadline - core_.options.long_poll_margin);
  Queue& queue = queues_[key];
  Touch(key, queue, poll.identity, +1, "arrived");
  poll.call = call;
  if (Serve(key, queue, poll)) {
    Touch(key, queue, poll.identity, -1, "left");
    return;
  }
  if (until <= core_.now.steady) {
    Touch(key, queue, poll.identity, -1, "left");
    core_.calls.ReplyBytes(call, {});
    return;
  }
  const std::uint64_t arrival = next_arrival_++;
  poll.timer = core_.timers.Add(until, [this, key, arrival] {
    auto it = queues_.find(key);
    if (it == queues_.end()) return;
    auto waiting = it->second.waiting.find(arrival);
    if (waiting == it->second.waiting.end()) return;
    const CallId expired = waiting->second.call;
    waiting->second.timer = 0;
    Leave(key, arrival, "long poll ended");
    core_.calls.ReplyBytes(expired, {});
  });
  queue.waiting.emplace(arrival, std::move(poll));
  core_.calls.Hold(call, [this, key, arrival] { Leave(key, arrival, "caller left"); });
}

void Matching::Leave(const Key& key, std::uint64_t arrival, const char*) {
  auto it = queues_.find(key);
  if (it == queues_.end()) return;
  auto waiting = it->second.waiting.find(arrival);
  if (waiting == it->second.waiting.end()) return;
  const Poll poll = waiting->second;
  if (poll.timer != 0) core_.timers.Cancel(poll.timer);
  it->second.waiting.erase(waiting);
  Touch(key, it->second, poll.identity, -1, "left");
}

void Matching::PollWorkflow(CallId call, const ws::PollWorkflowTaskQueueRequest& request) {
  auto ns = core_.namespaces.Get(request.namespace_());
  if (!ns.ok()) return core_.calls.Fail(call, ns.status());
  const auto deadline = core_.calls.deadline(call);
  if (deadline && *deadline - core_.now.steady < kMinLongPoll) {
    return core_.calls.Fail(
        call, Status(StatusCode::kFailedPrecondition, "Context timeout is too short."));
  }
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok()) {
    return core_.calls.Fail(call, bad);
  }
  const bool sticky = request.task_queue().kind() == enums::TASK_QUEUE_KIND_STICKY;
  const Key key{(*ns)->id, request.task_queue().name(), kWorkflow};
  Queue& queue = queues_[key];
  queue.sticky = sticky;
  Poller& poller = queue.pollers[request.identity()];
  poller.has_deployment = request.has_deployment_options();
  if (poller.has_deployment) poller.deployment = request.deployment_options();
  Arrive(call, key,
         {.identity = request.identity(),
          .worker_instance_key = request.worker_instance_key(),
          .queue_name = request.task_queue().name(),
          .sticky = sticky},
         deadline);
}

void Matching::PollActivity(CallId call, const ws::PollActivityTaskQueueRequest& request) {
  auto ns = core_.namespaces.Get(request.namespace_());
  if (!ns.ok()) return core_.calls.Fail(call, ns.status());
  const auto deadline = core_.calls.deadline(call);
  if (deadline && *deadline - core_.now.steady < kMinLongPoll) {
    return core_.calls.Fail(
        call, Status(StatusCode::kFailedPrecondition, "Context timeout is too short."));
  }
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok()) {
    return core_.calls.Fail(call, bad);
  }
  const Key key{(*ns)->id, request.task_queue().name(), kActivity};
  Poller& poller = queues_[key].pollers[request.identity()];
  if (request.task_queue_metadata().has_max_tasks_per_second()) {
    poller.rate = request.task_queue_metadata().max_tasks_per_second().value();
  }
  poller.has_deployment = request.has_deployment_options();
  if (poller.has_deployment) poller.deployment = request.deployment_options();
  Arrive(call, key,
         {.identity = request.identity(),
          .worker_instance_key = request.worker_instance_key(),
          .queue_name = request.task_queue().name()},
         deadline);
}

void Matching::PollNexus(CallId call, const ws::PollNexusTaskQueueRequest& request) {
  auto ns = core_.namespaces.Get(request.namespace_());
  if (!ns.ok()) return core_.calls.Fail(call, ns.status());
  const auto deadline = core_.calls.deadline(call);
  if (deadline && *deadline - core_.now.steady < kMinLongPoll) {
    return core_.calls.Fail(
        call, Status(StatusCode::kFailedPrecondition, "Context timeout is too short."));
  }
  if (request.identity().size() > kMaxIdLength)
    return core_.calls.Fail(call, InvalidArgument("Identity length exceeds limit."));
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok()) {
    return core_.calls.Fail(call, bad);
  }
  Arrive(call, {(*ns)->id, request.task_queue().name(), kNexus},
         {.identity = request.identity(),
          .worker_instance_key = request.worker_instance_key(),
          .queue_name = request.task_queue().name()},
         core_.calls.deadline(call));
}

void Matching::Forget(Queue& queue) {
  std::erase_if(queue.pollers, [&](const auto& entry) {
    return entry.second.held == 0 &&
           core_.now.steady - entry.second.access > core_.options.poller_memory;
  });
}

void Matching::FillStats(Queue& queue, int kind, taskqueue::TaskQueueStats* stats) {
  std::erase_if(queue.backlog, [&](const Task& task) { return !Wanted(task, kind); });
  DropOld(queue.adds, core_.now.steady);
  DropOld(queue.dispatches, core_.now.steady);
  stats->set_approximate_backlog_count(static_cast<std::int64_t>(queue.backlog.size()));
  const Duration age =
      queue.backlog.empty() ? Duration{} : core_.now.steady - queue.backlog.front().added;
  *stats->mutable_approximate_backlog_age() = ToProto(age);
  const float window =
      static_cast<float>(std::chrono::duration_cast<std::chrono::seconds>(kRateWindow).count());
  stats->set_tasks_add_rate(static_cast<float>(queue.adds.size()) / window);
  stats->set_tasks_dispatch_rate(static_cast<float>(queue.dispatches.size()) / window);
}

StatusOr<ws::DescribeTaskQueueResponse> Matching::Describe(
    const ws::DescribeTaskQueueRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok())
    return bad;
  const bool enhanced = request.api_mode() == enums::DESCRIBE_TASK_QUEUE_MODE_ENHANCED;
  ws::DescribeTaskQueueResponse response;
  std::vector<int> kinds;
  if (!enhanced) {
    kinds.push_back(request.task_queue_type() == enums::TASK_QUEUE_TYPE_UNSPECIFIED
                        ? kWorkflow
                        : request.task_queue_type());
  } else if (request.task_queue_types().empty()) {
    kinds = {kWorkflow, kActivity};
  } else {
    kinds.assign(request.task_queue_types().begin(), request.task_queue_types().end());
  }
  for (const int kind : kinds) {
    auto it = queues_.find({ns->id, request.task_queue().name(), kind});
    taskqueue::TaskQueueStats stats;
    google::protobuf::RepeatedPtrField<taskqueue::PollerInfo> pollers;
    if (it != queues_.end()) {
      Forget(it->second);
      FillStats(it->second, kind, &stats);
      for (const auto& [identity, poller] : it->second.pollers) {
        taskqueue::PollerInfo* info = pollers.Add();
        info->set_identity(identity);
        *info->mutable_last_access_time() = ToProto(poller.access_wall);
        info->set_rate_per_second(poller.rate);
        if (poller.has_deployment) *info->mutable_deployment_options() = poller.deployment;
      }
      // The real server lists the latest access first.
      std::stable_sort(pollers.begin(), pollers.end(), [](const auto& a, const auto& b) {
        return FromProto(a.last_access_time()) > FromProto(b.last_access_time());
      });
    } else {
      *stats.mutable_approximate_backlog_age() = ToProto(Duration{});
    }
    if (enhanced) {
      auto& type = (*(*response.mutable_versions_info())[""].mutable_types_info())[kind];
      if (request.report_pollers()) type.mutable_pollers()->Swap(&pollers);
      if (request.report_stats()) *type.mutable_stats() = stats;
    } else {
      response.mutable_pollers()->Swap(&pollers);
      response.mutable_versioning_info()->set_current_version("__unversioned__");
      response.mutable_versioning_info()->mutable_update_time()->set_seconds(
          -62135596800);  // 0001-01-01: never
      response.mutable_effective_rate_limit()->set_requests_per_second(4000);
      response.mutable_effective_rate_limit()->set_rate_limit_source(
          enums::RATE_LIMIT_SOURCE_SYSTEM);
      if (request.report_stats()) {
        *response.mutable_stats() = stats;
        (*response.mutable_stats_by_priority_key())[3] =
            stats;  // everything has the default priority
      }
      if (request.include_task_queue_status()) {
        response.mutable_task_queue_status()->set_backlog_count_hint(
            stats.approximate_backlog_count());
      }
    }
  }
  return response;
}

StatusOr<ws::ListTaskQueuePartitionsResponse> Matching::ListPartitions(
    const ws::ListTaskQueuePartitionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok())
    return bad;
  ws::ListTaskQueuePartitionsResponse response;
  for (auto* partition : {response.add_activity_task_queue_partitions(),
                          response.add_workflow_task_queue_partitions()}) {
    partition->set_key(request.task_queue().name());
    partition->set_owner_host_name(core_.options.name);
  }
  return response;
}

StatusOr<ws::ShutdownWorkerResponse> Matching::ShutdownWorker(
    const ws::ShutdownWorkerRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (core_.options.complete_polls_on_shutdown && !request.worker_instance_key().empty()) {
    std::vector<std::pair<Key, std::uint64_t>> ended;
    for (const auto& [key, queue] : queues_) {
      if (std::get<0>(key) != ns->id) continue;
      for (const auto& [arrival, poll] : queue.waiting) {
        if (poll.worker_instance_key == request.worker_instance_key())
          ended.emplace_back(key, arrival);
      }
    }
    for (const auto& [key, arrival] : ended) {
      const CallId call = queues_[key].waiting.at(arrival).call;
      Leave(key, arrival, "worker shuts down");
      core_.calls.ReplyBytes(call, {});
    }
  }
  if (request.has_worker_heartbeat()) core_.workers.Store(*ns, request.worker_heartbeat());
  // The sticky queue counts as dead from now on; its tasks turn to the normal queue.
  const Key sticky{ns->id, request.sticky_task_queue(), kWorkflow};
  if (auto it = queues_.find(sticky); it != queues_.end()) {
    it->second.polled = false;
    it->second.pollers.clear();
    for (const auto& [arrival, poll] : it->second.waiting) {
      (void)arrival;
      Poller& poller = it->second.pollers[poll.identity];
      poller.access = core_.now.steady;
      poller.access_wall = core_.now.wall;
      ++poller.held;
    }
    std::deque<Task> tasks = std::exchange(it->second.backlog, {});
    for (const Task& task : tasks) {
      if (!Wanted(task, kWorkflow)) continue;
      core_.Defer([this, weak = task.run, stamp = task.stamp] {
        auto run = weak.lock();
        if (run != nullptr && run->open() && run->task.stamp == stamp) AddWorkflowTask(run);
      });
    }
  }
  return ws::ShutdownWorkerResponse();
}

void Matching::Query(CallId call, const std::shared_ptr<Run>& run,
                     const querypb::WorkflowQuery& query) {
  const std::uint64_t id = next_query_++;
  DirectQuery& direct = queries_[id];
  direct = {.id = id, .call = call, .run = run, .query = query};
  direct.sticky = !run->sticky_queue.empty();
  if (direct.sticky && !StickyAlive(*run->ns, run->sticky_queue)) {
    direct.sticky = false;
    if (run->open()) WorkflowTasks::ClearSticky(*run);
  }
  core_.calls.Hold(
      call, [this, id] { EndQuery(id); },
      Status(StatusCode::kDeadlineExceeded, "query timed out before a worker could process it"));
  if (direct.sticky) {
    const Duration limit =
        run->sticky_timeout.count() > 0 ? run->sticky_timeout : Duration(std::chrono::seconds(10));
    direct.timer = core_.After(limit, [this, id] {
      auto it = queries_.find(id);
      if (it == queries_.end()) return;
      it->second.timer = 0;
      it->second.sticky = false;
      it->second.dispatched = false;
      if (it->second.run->open()) WorkflowTasks::ClearSticky(*it->second.run);
      EnqueueQuery(id);
    });
  }
  EnqueueQuery(id);
}

void Matching::EnqueueQuery(std::uint64_t id) {
  const DirectQuery& direct = queries_.at(id);
  const Run& run = *direct.run;
  const Key key{run.ns->id, direct.sticky ? run.sticky_queue : run.start.task_queue().name(),
                kWorkflow};
  queues_[key].queries.push_back(id);
  core_.Defer([this, key] { Match(key); });
}

void Matching::EndQuery(std::uint64_t id) {
  auto it = queries_.find(id);
  if (it == queries_.end()) return;
  if (it->second.timer != 0) core_.timers.Cancel(it->second.timer);
  queries_.erase(it);
}

StatusOr<ws::RespondQueryTaskCompletedResponse> Matching::RespondQuery(
    const ws::RespondQueryTaskCompletedRequest& request) {
  if (request.task_token().empty()) return InvalidArgument("Task token not set on request.");
  const auto token = QueryToken::Parse(request.task_token());
  if (!token) return InvalidArgument("Error deserializing task token.");
  if (token->task_queue.empty() || token->query == 0) return InvalidArgument("Invalid TaskToken.");
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.GetById(token->namespace_id));
  auto it = queries_.find(token->query);
  if (it == queries_.end()) return NotFound("query task not found, or already expired");
  const CallId call = it->second.call;
  EndQuery(token->query);
  switch (request.completed_type()) {
    case enums::QUERY_RESULT_TYPE_ANSWERED: {
      ws::QueryWorkflowResponse response;
      if (request.has_query_result()) *response.mutable_query_result() = request.query_result();
      core_.calls.Reply(call, response);
      break;
    }
    case enums::QUERY_RESULT_TYPE_FAILED:
      core_.calls.Fail(call, QueryFailed(request.error_message(), request.failure()));
      break;
    default:
      core_.calls.Fail(call, Status(StatusCode::kInternal, "unknown query completed type"));
  }
  return ws::RespondQueryTaskCompletedResponse();
}

void Matching::Reset(bool tasks) {
  for (auto& [key, queue] : queues_) {
    for (auto& [arrival, poll] : queue.waiting) {
      if (poll.timer != 0) core_.timers.Cancel(poll.timer);
    }
    queue.waiting.clear();
    queue.pollers.clear();
    queue.queries.clear();
    queue.polled = false;
  }
  for (auto& [id, query] : queries_) {
    if (query.timer != 0) core_.timers.Cancel(query.timer);
  }
  queries_.clear();
  if (tasks) queues_.clear();
}

std::string Matching::Check() const {
  for (const auto& [key, queue] : queues_) {
    if (queue.waiting.empty()) continue;
    for (const auto& [arrival, poll] : queue.waiting) {
      if (!core_.calls.IsOpen(poll.call))
        return "a poll waits in " + std::get<1>(key) + " whose call is over";
    }
    for (const Task& task : queue.backlog) {
      if (Wanted(task, std::get<2>(key)))
        return "task and poll wait beside each other in " + std::get<1>(key);
    }
  }
  return {};
}

std::size_t Matching::waiting_polls() const {
  std::size_t count = 0;
  for (const auto& [key, queue] : queues_) count += queue.waiting.size();
  return count;
}

}  // namespace squall::fakes::engine
