// Task queues: polls that arrive, wait and leave, and workers that shut down.

#include <algorithm>
#include <utility>

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/matching_queue.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// common.MinLongPollTimeout: the shortest time-out with which the real frontend accepts a long
// poll.
constexpr Duration kMinLongPoll = std::chrono::seconds(2);
// matching remembers this long which workers shut down: a poll of theirs that was overtaken by the
// ShutdownWorker call is answered at once.
constexpr Duration kShutDownMemory = std::chrono::seconds(30);

const char* JournalKind(int kind) {
  return kind == kActivityQueue ? "activity" : kind == kNexusQueue ? "nexus" : "workflow";
}

}  // namespace

void Matching::Touch(const Key& key, Queue& queue, const Poll& poll, int held_change,
                     const char* journal_what) {
  Poller& poller = queue.pollers[{poll.identity, poll.version}];
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
  event.task_type = JournalKind(std::get<2>(key));
  event.identity = poll.identity;
  event.count = poller.held;
  if (auto ns = core_.namespaces.GetById(std::get<0>(key)); ns.ok()) event.ns = (*ns)->name;
  core_.sink.Append(core_.source, std::move(event));
}

void Matching::Arrive(CallId call, const Key& key, Poll poll,
                      const std::optional<SteadyTime>& deadline) {
  if (auto it = shut_down_.find(poll.worker_instance_key);
      it != shut_down_.end() && core_.now.steady < it->second) {
    return core_.calls.ReplyBytes(call, {});
  }
  SteadyTime until = core_.now.steady + core_.options.long_poll;
  if (deadline) until = std::min(until, *deadline - core_.options.long_poll_margin);
  Queue& queue = queues_[key];
  Touch(key, queue, poll, +1, "arrived");
  poll.call = call;
  poll.arrived = core_.now.steady;
  if (!Planted(PlantedBug::kBacklogNotServed) && Serve(key, queue, poll)) {
    Touch(key, queue, poll, -1, "left");
    return;
  }
  if (until <= core_.now.steady) {
    Touch(key, queue, poll, -1, "left");
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
  Touch(key, it->second, poll, -1, "left");
}

// Registers a versioned worker's version, remembers the poller, and waits.
template <typename Request>
void Matching::AcceptPoll(CallId call, const Request& request, int kind) {
  auto ns = core_.namespaces.Get(request.namespace_());
  if (!ns.ok()) return core_.calls.Fail(call, ns.status());
  const auto deadline = core_.calls.deadline(call);
  if (deadline && *deadline - core_.now.steady < kMinLongPoll) {
    return core_.calls.Fail(
        call, Status(StatusCode::kFailedPrecondition, "Context timeout is too short."));
  }
  if (request.identity().size() > kMaxIdLength)
    return core_.calls.Fail(call, InvalidArgument("Identity length exceeds limit."));
  const auto& capabilities = request.worker_version_capabilities();
  Status bad =
      CheckVersioning(request.has_deployment_options() ? &request.deployment_options() : nullptr,
                      capabilities.use_versioning(), capabilities.build_id(), request.task_queue());
  if (bad.ok()) bad = CheckQueue(request.task_queue(), request.has_task_queue());
  if (!bad.ok()) return core_.calls.Fail(call, bad);
  Poll poll{.identity = request.identity(),
            .worker_instance_key = request.worker_instance_key(),
            .queue_name = request.task_queue().name(),
            .sticky = request.task_queue().kind() == enums::TASK_QUEUE_KIND_STICKY,
            .version = VersionOf(request.deployment_options(), capabilities)};
  if constexpr (requires { request.worker_control_task_queue(); })
    poll.control_queue = request.worker_control_task_queue();
  if (!poll.version && capabilities.use_versioning()) {
    const std::string& queue = poll.sticky ? request.task_queue().normal_name() : poll.queue_name;
    auto build = core_.build_ids.PollVersion((*ns)->id, queue, capabilities.build_id());
    if (!build.ok()) return core_.calls.Fail(call, build.status());
    if (!poll.sticky) poll.version = *build;
  }
  if (poll.version && !poll.version->deployment.empty() && !poll.sticky) {
    if (Status full = core_.deployments.Register(**ns, *poll.version, poll.queue_name, kind);
        !full.ok()) {
      return core_.calls.Fail(call, full);
    }
  }
  const Key key{(*ns)->id, poll.queue_name, kind};
  Queue& queue = queues_[key];
  if (kind == kWorkflowQueue) queue.sticky = poll.sticky;
  Poller& poller = queue.pollers[{poll.identity, poll.version}];
  poller.has_deployment = request.has_deployment_options();
  if (poller.has_deployment) poller.deployment = request.deployment_options();
  poller.has_capabilities = request.has_worker_version_capabilities();
  if (poller.has_capabilities) poller.capabilities = capabilities;
  if constexpr (requires { request.task_queue_metadata(); }) {
    const bool limited = request.task_queue_metadata().has_max_tasks_per_second();
    const std::optional<double> rate =
        limited ? std::optional(request.task_queue_metadata().max_tasks_per_second().value())
                : std::nullopt;
    if (limited) poller.rate = *rate;
    if (queue.worker_rate != rate) {  // the last poller decides
      queue.worker_rate = rate;
      queue.limit.Clip(core_.now.steady, EffectiveRate(key, queue).first);
    }
  }
  Arrive(call, key, std::move(poll), deadline);
}

void Matching::PollWorkflow(CallId call, const ws::PollWorkflowTaskQueueRequest& request) {
  AcceptPoll(call, request, kWorkflowQueue);
}

void Matching::PollActivity(CallId call, const ws::PollActivityTaskQueueRequest& request) {
  AcceptPoll(call, request, kActivityQueue);
}

void Matching::PollNexus(CallId call, const ws::PollNexusTaskQueueRequest& request) {
  AcceptPoll(call, request, kNexusQueue);
}

StatusOr<ws::ShutdownWorkerResponse> Matching::ShutdownWorker(
    const ws::ShutdownWorkerRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (core_.options.complete_polls_on_shutdown && !request.worker_instance_key().empty() &&
      !request.task_queue().empty()) {
    shut_down_[request.worker_instance_key()] = core_.now.steady + kShutDownMemory;
    std::erase_if(shut_down_, [&](const auto& entry) { return entry.second <= core_.now.steady; });
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
    std::vector<int> kinds(request.task_queue_types().begin(), request.task_queue_types().end());
    if (kinds.empty()) kinds = {kWorkflowQueue, kActivityQueue};
    for (const int kind : kinds) {
      auto it = queues_.find({ns->id, request.task_queue(), kind});
      if (it == queues_.end() || request.identity().empty()) continue;
      std::erase_if(it->second.pollers, [&](const auto& entry) {
        return entry.first.first == request.identity() && entry.second.held == 0;
      });
    }
  }
  if (request.has_worker_heartbeat()) core_.workers.Store(*ns, request.worker_heartbeat());
  // The sticky queue counts as dead from now on; its tasks turn to the normal queue.
  const Key sticky{ns->id, request.sticky_task_queue(), kWorkflowQueue};
  if (auto it = queues_.find(sticky); it != queues_.end()) {
    it->second.polled = false;
    it->second.pollers.clear();
    for (const auto& [arrival, poll] : it->second.waiting) {
      (void)arrival;
      Poller& poller = it->second.pollers[{poll.identity, poll.version}];
      poller.access = core_.now.steady;
      poller.access_wall = core_.now.wall;
      ++poller.held;
    }
    const TaskList tasks = std::exchange(it->second.tasks, {});
    for (const auto& [order, task] : tasks) {
      if (!Wanted(task, kWorkflowQueue)) continue;
      core_.Defer([this, weak = task.run, stamp = task.stamp] {
        auto run = weak.lock();
        if (run != nullptr && run->open() && run->task.stamp == stamp) AddWorkflowTask(run);
      });
    }
  }
  return ws::ShutdownWorkerResponse();
}

}  // namespace squall::fakes::engine
