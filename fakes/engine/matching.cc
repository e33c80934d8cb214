#include "fakes/engine/matching.h"

#include <algorithm>
#include <utility>

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// matching.pollerScalingWaitTime, pollerScalingMinimumBacklog, pollerScalingTaskAddToDispatchRatio
// and pollerScalingDecisionsPerSecond (per poller) of the real server.
constexpr Duration kScalingWait = std::chrono::seconds(1),
                   kScalingBacklogAge = std::chrono::milliseconds(200),
                   kScalingInterval = std::chrono::milliseconds(100);
constexpr double kScalingRatio = 1.2;

int AdviceField(int kind) {
  switch (kind) {
    case kWorkflowQueue:
      return ws::PollWorkflowTaskQueueResponse::kPollerScalingDecisionFieldNumber;
    case kActivityQueue:
      return ws::PollActivityTaskQueueResponse::kPollerScalingDecisionFieldNumber;
    default:
      return ws::PollNexusTaskQueueResponse::kPollerScalingDecisionFieldNumber;
  }
}

}  // namespace

void Matching::AddWorkflowTask(const std::shared_ptr<Run>& run) {
  const Key normal{run->ns->id, run->start.task_queue().name(), kWorkflowQueue};
  bool sticky = !run->sticky_queue.empty() && StickyAlive(*run->ns, run->sticky_queue);
  if (sticky && core_.deployments.Knows(normal) && !Versioning::Pinned(*run)) {
    // The current version is another one by now: the normal queue brings the workflow there.
    const MaybeVersion target = core_.deployments.Route(normal)
                                    .Target(run->workflow_id, Versioning::UseRamping(*run))
                                    .first;
    if (target && target != Versioning::Effective(*run)) sticky = false;
  }
  const Key key = sticky ? Key{run->ns->id, run->sticky_queue, kWorkflowQueue} : normal;
  queues_[key].sticky = sticky;
  const Task task{.run = run,
                  .scheduled_event_id = run->task.scheduled_event_id,
                  .stamp = run->task.stamp,
                  .added = core_.now.steady};
  Add(key, task, RankOf(run->start.priority(), run->start.priority()),
      sticky ? MaybeVersion() : PinOf(key, *run, task));
}

void Matching::AddActivityTask(const std::shared_ptr<Run>& run, const Activity& activity) {
  const Key key{run->ns->id, activity.attributes.task_queue().name(), kActivityQueue};
  const Task task{.run = run,
                  .scheduled_event_id = activity.scheduled_event_id,
                  .stamp = activity.stamp,
                  .added = core_.now.steady};
  Add(key, task, RankOf(activity.attributes.priority(), run->start.priority()),
      PinOf(key, *run, task));
}

void Matching::AddNexusTask(const std::string& namespace_id, const std::string& queue,
                            std::uint64_t task) {
  Add({namespace_id, queue, kNexusQueue}, {.run = {}, .stamp = task, .added = core_.now.steady},
      RankOf({}, {}), {});
}

void Matching::AddForeignActivityTask(const Namespace& ns, const std::string& queue,
                                      std::shared_ptr<ForeignTask> task) {
  const Rank rank = RankOf(task->priority(), {});
  Task added;
  added.foreign = std::move(task);
  added.added = core_.now.steady;
  Add({ns.id, queue, kActivityQueue}, std::move(added), rank, {});
}

// An activity whose queue is not in the workflow's version is independent of it.
MaybeVersion Matching::PinOf(const Key& key, const Run& run, const Task& task) const {
  if (run.versioning == nullptr && !core_.build_ids.Knows(run.ns->id, std::get<1>(key))) return {};
  if (Versioning::Behavior(run) == enums::VERSIONING_BEHAVIOR_UNSPECIFIED) {
    const auto activity = run.activities.find(task.scheduled_event_id);
    const bool fresh = std::get<2>(key) == kActivityQueue
                           ? activity != run.activities.end() &&
                                 !activity->second.attributes.use_workflow_build_id()
                           : run.previous_started_event_id == 0;
    return core_.build_ids.TaskVersion(run, std::get<1>(key), fresh);
  }
  if (!Versioning::Pinned(run)) return {};
  const MaybeVersion version = Versioning::Effective(run);
  if (version && std::get<2>(key) == kActivityQueue && !core_.deployments.Has(key, *version))
    return {};
  return version;
}

bool Matching::Routed(const Key& key) const {
  return core_.deployments.Knows(key) || core_.build_ids.Knows(std::get<0>(key), std::get<1>(key));
}

bool Matching::StickyAlive(const Namespace& ns, const std::string& name) {
  const auto it = queues_.find({ns.id, name, kWorkflowQueue});
  if (it == queues_.end()) return false;
  const Queue& queue = it->second;
  if (Planted(PlantedBug::kStickyNeverFallsBack)) return queue.polled;
  return !queue.waiting.empty() ||
         (queue.polled && core_.now.steady - queue.last_poll <= core_.options.sticky_poller_window);
}

void Matching::Note(std::deque<Moved>& moves, Queue& queue, SteadyTime now, int priority,
                    const MaybeVersion& version) {
  if (queue.adds.empty() && queue.dispatches.empty()) queue.rates_since = now;
  moves.push_back({now, priority, version});
  while (now - moves.front().at > kRateWindow) moves.pop_front();
}

float Matching::WeightOf(const Key& key, const Rank& rank) const {
  const auto config = configs_.find(key);
  if (config == configs_.end()) return rank.weight;
  const auto& overrides = config->second.fairness_weight_overrides();
  const auto weight = overrides.find(rank.key);
  return weight == overrides.end() ? rank.weight : weight->second;
}

void Matching::Add(const Key& key, Task task, const Rank& rank, const MaybeVersion& pinned) {
  Queue& queue = queues_[key];
  if (Planted(PlantedBug::kTaskDroppedWithoutPoller) && queue.waiting.empty() && !queue.polled)
    return;
  MaybeVersion version = pinned;
  if (!version && !queue.sticky && core_.deployments.Knows(key)) {
    const auto run = task.run.lock();
    version = core_.deployments.Route(key)
                  .Target(run == nullptr ? std::string() : run->workflow_id,
                          run != nullptr && Versioning::UseRamping(*run))
                  .first;
  }
  Note(queue.adds, queue, core_.now.steady, rank.priority, version);
  TaskList& list = pinned ? queue.pinned[*pinned] : queue.tasks;
  const std::uint64_t serial = next_task_++;
  if (!core_.options.fairness) {
    list.emplace(Order(rank.priority, 0, serial), std::move(task));
    return Match(key);
  }
  FairTurns& turns = queue.turns[{pinned, rank.priority}];
  const std::int64_t turn = turns.Next(rank.key, WeightOf(key, rank));
  const Order order(rank.priority, turn, serial);
  list.emplace(order, std::move(task));
  Match(key);
  // A task that meets a waiting poll takes no turn.
  if (const auto left = list.find(order); left != list.end()) {
    left->second.waits = true;
    turns.Wait(rank.key, turn);
  }
}

bool Matching::Wanted(const Task& task, int kind) const {
  if (task.foreign != nullptr) return task.foreign->Wanted();
  if (kind == kNexusQueue) return core_.nexus_tasks.Wanted(task.stamp);
  if (task.foreign != nullptr) return task.foreign->Wanted();
  const auto run = task.run.lock();
  if (run == nullptr || !run->open()) return false;
  if (kind == kWorkflowQueue) {
    return run->task.pending() && !run->task.is_started() && run->task.stamp == task.stamp;
  }
  const auto it = run->activities.find(task.scheduled_event_id);
  return it != run->activities.end() && !it->second.started && it->second.stamp == task.stamp;
}

void Matching::Match(const Key& key) {
  std::uint64_t after = 0;
  for (;;) {
    auto it = queues_.find(key);
    if (it == queues_.end()) return;
    Queue& queue = it->second;
    auto next = queue.waiting.upper_bound(after);
    if (next == queue.waiting.end()) return;
    after = next->first;
    const Poll poll = next->second;
    if (!Serve(key, queue, poll)) {
      // Among polls of one kind the first that gets nothing speaks for all.
      if (!Routed(key)) return;
      continue;
    }
    if (poll.timer != 0) core_.timers.Cancel(poll.timer);
    queue.waiting.erase(after);
    Touch(key, queue, poll, -1, "left");
  }
}

TaskRoute Matching::RouteOf(const Key& key, const Task& task, const Poll& poll) const {
  TaskRoute route{.matched = true};
  if (poll.version && !poll.version->deployment.empty()) route.poller = poll.version;
  const auto run = task.run.lock();
  if (run == nullptr) return route;
  const Key routed =
      poll.sticky ? Key{std::get<0>(key), run->start.task_queue().name(), kWorkflowQueue} : key;
  if (!core_.deployments.Knows(routed)) return route;
  std::tie(route.target, route.revision) =
      core_.deployments.Route(routed).Target(run->workflow_id, Versioning::UseRamping(*run));
  if (!route.target && !Versioning::Pinned(*run)) route.revision = 0;
  return route;
}

std::optional<Task> Matching::Take(const Key& key, Queue& queue, const Poll& poll, int* priority) {
  const int kind = std::get<2>(key);
  const bool routed = !poll.sticky && core_.deployments.Knows(key);
  const QueueRouting routing = routed ? core_.deployments.Route(key) : QueueRouting();
  const auto first = [&](TaskList& list, bool any) {
    for (auto it = list.begin(); it != list.end();) {
      if (!Wanted(it->second, kind)) {
        it = list.erase(it);
        continue;
      }
      if (any) return it;
      const auto run = it->second.run.lock();
      const bool ramping = run != nullptr && Versioning::UseRamping(*run);
      const auto target =
          routing.Target(run == nullptr ? std::string() : run->workflow_id, ramping).first;
      if (target == poll.version) return it;
      if (routing.uniform()) return list.end();
      ++it;
    }
    return list.end();
  };
  TaskList* list = &queue.tasks;
  auto found = first(queue.tasks, poll.sticky || (!routed && !poll.version));
  bool have = found != queue.tasks.end();
  if (poll.version && !poll.sticky) {
    if (auto pinned = queue.pinned.find(*poll.version); pinned != queue.pinned.end()) {
      auto other = first(pinned->second, true);
      if (other != pinned->second.end() && (!have || other->first < found->first)) {
        list = &pinned->second;
        found = other;
        have = true;
      }
    }
  }
  if (!have) return {};
  *priority = std::get<0>(found->first);
  Task task = std::move(found->second);
  if (task.waits) {
    const MaybeVersion version = list == &queue.tasks ? MaybeVersion() : poll.version;
    queue.turns[{version, *priority}].Passed(std::get<1>(found->first));
  }
  list->erase(found);
  return task;
}

bool Matching::Serve(const Key& key, Queue& queue, const Poll& poll) {
  if (ServeQuery(key, queue, poll)) return true;
  if (!MayDispatch(key, queue)) return false;
  const int kind = std::get<2>(key);
  int priority = 0;
  while (auto task = Take(key, queue, poll, &priority)) {
    const auto run = task->run.lock();
    std::string answer;
    if (task->foreign != nullptr) {
      answer = task->foreign->Start(poll.identity, core_.calls.info(poll.call));
    } else if (kind == kWorkflowQueue) {
      if (poll.sticky && run->sticky_queue != poll.queue_name)
        continue;  // it moved; its time-out brings it back
      if (core_.limits.Refuse(*run, WorkflowTasks::StartEvents(*run))) continue;
      core_.tasks.Start(*run, poll.identity, poll.queue_name, poll.sticky, {},
                        RouteOf(key, *task, poll));
      answer = core_.tasks.Response(*run);
    } else if (kind == kNexusQueue) {
      answer = core_.nexus_tasks.Start(task->stamp);
    } else {
      if (core_.limits.Refuse(*run, 0)) continue;
      if (!core_.versioning.ActivityMayStart(*run, RouteOf(key, *task, poll))) continue;
      Activity& activity = run->activities.at(task->scheduled_event_id);
      activity.version = RouteOf(key, *task, poll).poller;
      activity.control_queue = poll.control_queue;
      answer = core_.activities.Start(*run, task->scheduled_event_id, poll.identity);
    }
    Note(queue.dispatches, queue, core_.now.steady, priority, poll.version);
    if (const auto [rate, source] = EffectiveRate(key, queue);
        source != enums::RATE_LIMIT_SOURCE_SYSTEM) {
      queue.limit.Consume(core_.now.steady, rate);
    }
    if (const std::string advice = Advice(queue, poll);
        !advice.empty() && task->foreign == nullptr) {
      AppendField(answer, AdviceField(kind), advice);
    }
    core_.calls.ReplyBytes(poll.call, std::move(answer));
    return true;
  }
  return false;
}

// What the real server advises workers that scale their pollers: fewer after idle waits, more while
// tasks pile up.
std::string Matching::Advice(Queue& queue, const Poll& poll) {
  taskqueue::PollerScalingDecision decision;
  const SteadyTime now = core_.now.steady;
  if (now - poll.arrived >= kScalingWait) {
    decision.set_poll_request_delta_suggestion(-1);
    return decision.SerializeAsString();
  }
  if (now < queue.scaling_ready) return {};
  queue.scaling_ready = now + kScalingInterval / static_cast<std::int64_t>(std::max<std::size_t>(
                                                     queue.pollers.size(), 1));
  std::size_t waiting = queue.tasks.size();
  SteadyTime oldest = queue.tasks.empty() ? now : queue.tasks.begin()->second.added;
  if (poll.version) {
    if (auto it = queue.pinned.find(*poll.version);
        it != queue.pinned.end() && !it->second.empty()) {
      waiting += it->second.size();
      oldest = std::min(oldest, it->second.begin()->second.added);
    }
  }
  const bool backlog = waiting > 0 && now - oldest > kScalingBacklogAge;
  const bool faster =
      !queue.dispatches.empty() &&
      static_cast<double>(queue.adds.size()) / static_cast<double>(queue.dispatches.size()) >
          kScalingRatio;
  if (!backlog && !faster) return {};
  decision.set_poll_request_delta_suggestion(1);
  return decision.SerializeAsString();
}

void Matching::Rerouted(const QueueKey& key) {
  core_.Defer([this, key] {
    auto it = queues_.find(key);
    if (it == queues_.end()) return;
    Queue& queue = it->second;
    if (std::get<2>(key) == kActivityQueue) {
      // Activities may have become part of their workflow's version, or independent of it.
      TaskList all = std::move(queue.tasks);
      queue.tasks.clear();
      for (auto& [version, list] : queue.pinned) all.merge(list);
      queue.pinned.clear();
      for (auto& [order, task] : all) {
        const auto run = task.run.lock();
        const MaybeVersion pin = run == nullptr ? MaybeVersion() : PinOf(key, *run, task);
        (pin ? queue.pinned[*pin] : queue.tasks).emplace(order, std::move(task));
      }
    }
    Match(key);
  });
}

void Matching::Reset(bool tasks) {
  for (auto& [key, queue] : queues_) {
    for (auto& [arrival, poll] : queue.waiting) {
      if (poll.timer != 0) core_.timers.Cancel(poll.timer);
    }
    core_.CancelTimer(queue.limit_timer);
    queue.waiting.clear();
    queue.pollers.clear();
    queue.queries.clear();
    queue.polled = false;
  }
  for (auto& [id, query] : queries_) {
    if (query.timer != 0) core_.timers.Cancel(query.timer);
  }
  queries_.clear();
  builds_.clear();
  shut_down_.clear();
  if (!tasks) return;
  queues_.clear();
  configs_.clear();
}

std::string Matching::Check() const {
  for (const auto& [key, queue] : queues_) {
    if (queue.waiting.empty()) continue;
    for (const auto& [arrival, poll] : queue.waiting) {
      if (!core_.calls.IsOpen(poll.call))
        return "a poll waits in " + std::get<1>(key) + " whose call is over";
    }
    if (EffectiveRate(key, queue).second != enums::RATE_LIMIT_SOURCE_SYSTEM)
      continue;  // a rate limit may hold them apart
    for (const auto& [order, task] : queue.tasks) {
      if (!Wanted(task, std::get<2>(key))) continue;
      const MaybeVersion target = RouteOf(key, task, queue.waiting.begin()->second).target;
      for (const auto& [arrival, poll] : queue.waiting) {
        if (poll.sticky || poll.version == target)
          return "task and poll wait beside each other in " + std::get<1>(key);
      }
    }
    for (const auto& [version, list] : queue.pinned) {
      for (const auto& [order, task] : list) {
        if (!Wanted(task, std::get<2>(key))) continue;
        for (const auto& [arrival, poll] : queue.waiting) {
          if (poll.version == MaybeVersion(version))
            return "pinned task and poll wait beside each other in " + std::get<1>(key);
        }
      }
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
