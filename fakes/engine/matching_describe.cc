// Task queues: DescribeTaskQueue with its statistics, and partitions.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/matching_queue.h"
#include "fakes/engine/releases.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// matching.wv.reachabilityCacheOpenWFsTTL, reachabilityCacheClosedWFsTTL.
constexpr Duration kOpenRemembered = std::chrono::minutes(1),
                   kClosedRemembered = std::chrono::minutes(10);
constexpr std::int64_t kYearOne = -62135596800;  // 0001-01-01: never

double Seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

}  // namespace

void Matching::Forget(Queue& queue) {
  std::erase_if(queue.pollers, [&](const auto& entry) {
    return entry.second.held == 0 &&
           core_.now.steady - entry.second.access > core_.options.poller_memory;
  });
}

void Matching::Prune(Queue& queue, int kind) {
  const auto stale = [&](const auto& entry) { return !Wanted(entry.second, kind); };
  std::erase_if(queue.tasks, stale);
  for (auto& [version, list] : queue.pinned) std::erase_if(list, stale);
  std::erase_if(queue.pinned, [](const auto& entry) { return entry.second.empty(); });
  for (auto* moves : {&queue.adds, &queue.dispatches}) {
    while (!moves->empty() && core_.now.steady - moves->front().at > kRateWindow)
      moves->pop_front();
  }
}

QueueStats Matching::Stats(const Key& key, bool all, const MaybeVersion& version) {
  struct Part {
    std::int64_t waiting = 0, added = 0, dispatched = 0;
    SteadyTime oldest = SteadyTime::max();
  };
  std::map<int, Part> parts;
  parts[kDefaultPriority];
  auto it = queues_.find(key);
  double window = Seconds(kRateWindow);
  if (it != queues_.end()) {
    Queue& queue = it->second;
    Prune(queue, std::get<2>(key));
    const auto count = [&](const TaskList& list, auto&& belongs) {
      for (const auto& [order, task] : list) {
        if (!belongs(task)) continue;
        Part& part = parts[std::get<0>(order)];
        ++part.waiting;
        part.oldest = std::min(part.oldest, task.added);
      }
    };
    const QueueRouting routing = core_.deployments.Route(key);
    count(queue.tasks, [&](const Task& task) {
      if (all) return true;
      const auto run = task.run.lock();
      const std::string id = run == nullptr ? std::string() : run->workflow_id;
      return routing.Target(id, run != nullptr && Versioning::UseRamping(*run)).first == version;
    });
    for (const auto& [pinned, list] : queue.pinned) {
      const bool belongs = all || MaybeVersion(pinned) == version;
      count(list, [belongs](const Task&) { return belongs; });
    }
    for (const Moved& move : queue.adds) {
      if (all || move.version == version) ++parts[move.priority].added;
    }
    for (const Moved& move : queue.dispatches) {
      if (all || move.version == version) ++parts[move.priority].dispatched;
    }
    // The real trackers measure from their first task on, over 30 s at most.
    const double since = Seconds(core_.now.steady - queue.rates_since);
    if (since > 0) window = std::min(window, since);
  }
  QueueStats stats;
  SteadyTime oldest = SteadyTime::max();
  Part sum;
  const auto fill = [&](const Part& part, taskqueue::TaskQueueStats* out) {
    out->set_approximate_backlog_count(part.waiting);
    *out->mutable_approximate_backlog_age() =
        ToProto(part.waiting == 0 ? Duration{} : core_.now.steady - part.oldest);
    out->set_tasks_add_rate(static_cast<float>(static_cast<double>(part.added) / window));
    out->set_tasks_dispatch_rate(static_cast<float>(static_cast<double>(part.dispatched) / window));
  };
  for (const auto& [priority, part] : parts) {
    fill(part, &stats.by_priority[priority]);
    sum.waiting += part.waiting;
    sum.added += part.added;
    sum.dispatched += part.dispatched;
    oldest = std::min(oldest, part.oldest);
  }
  sum.oldest = oldest;
  fill(sum, &stats.total);
  return stats;
}

QueueStats Matching::VersionStats(const QueueKey& key, const Version& version) {
  return Stats(key, false, version);
}

bool Matching::HasPollers(const QueueKey& key, const Version& version) {
  auto it = queues_.find(key);
  if (it == queues_.end()) return false;
  Forget(it->second);
  return std::any_of(it->second.pollers.begin(), it->second.pollers.end(), [&](const auto& entry) {
    return entry.first.second == MaybeVersion(version);
  });
}

void Matching::FillPollers(Queue& queue, const MaybeVersion* version,
                           google::protobuf::RepeatedPtrField<taskqueue::PollerInfo>* pollers) {
  Forget(queue);
  for (const auto& [key, poller] : queue.pollers) {
    if (version != nullptr && key.second != *version) continue;
    taskqueue::PollerInfo* info = pollers->Add();
    info->set_identity(key.first);
    *info->mutable_last_access_time() = ToProto(poller.access_wall);
    info->set_rate_per_second(poller.rate);
    if (poller.has_deployment) *info->mutable_deployment_options() = poller.deployment;
    if (poller.has_capabilities) *info->mutable_worker_version_capabilities() = poller.capabilities;
  }
  // The real server lists the latest access first.
  std::stable_sort(pollers->begin(), pollers->end(), [](const auto& a, const auto& b) {
    return FromProto(a.last_access_time()) > FromProto(b.last_access_time());
  });
}

bool Matching::HasBuild(const Namespace& ns, const std::string& queue, const std::string& value,
                        bool open) {
  auto& [until, exists] = builds_[{ns.id, queue, value, open}];
  if (until > core_.now.steady) return exists;
  until = core_.now.steady + (open ? kOpenRemembered : kClosedRemembered);
  const std::string quoted = "\"" + value + "\"";
  exists = std::any_of(ns.by_visibility.begin(), ns.by_visibility.end(), [&](const auto& entry) {
    const Run& run = *entry.second;
    if (run.running() != open || run.start.task_queue().name() != queue) return false;
    const auto builds = run.search_attributes.find("BuildIds");
    return builds != run.search_attributes.end() &&
           builds->second.data().find(quoted) != std::string::npos;
  });
  return exists;
}

// Without assignment and redirect rules, which are off, new workflows reach the unversioned workers
// only.
enums::BuildIdTaskReachability Matching::Reachability(const Namespace& ns, const std::string& queue,
                                                      const std::string& build) {
  if (build.empty() || HasBuild(ns, queue, "assigned:" + build, true))
    return enums::BUILD_ID_TASK_REACHABILITY_REACHABLE;
  return HasBuild(ns, queue, "versioned:" + build, false)
             ? enums::BUILD_ID_TASK_REACHABILITY_CLOSED_WORKFLOWS_ONLY
             : enums::BUILD_ID_TASK_REACHABILITY_UNREACHABLE;
}

void Matching::DescribeEnhanced(const Namespace& ns, const ws::DescribeTaskQueueRequest& request,
                                ws::DescribeTaskQueueResponse* response) {
  std::vector<int> kinds(request.task_queue_types().begin(), request.task_queue_types().end());
  if (kinds.empty()) kinds = {kWorkflowQueue, kActivityQueue};
  // Names of builds: "" is the unversioned queue.
  std::set<std::string> names;
  const auto& selection = request.versions();
  if (!request.has_versions()) {
    names.insert("");
  } else {
    names.insert(selection.build_ids().begin(), selection.build_ids().end());
    if (selection.unversioned()) names.insert("");
    if (selection.all_active()) {
      names.insert("");
      for (const int kind : kinds) {
        for (const Version& version :
             core_.deployments.VersionsOf({ns.id, request.task_queue().name(), kind}))
          names.insert(ColonName(version));
      }
    }
  }
  for (const std::string& name : names) {
    MaybeVersion version;
    if (const auto parsed = ParseVersion(name); !name.empty() && parsed.ok()) version = *parsed;
    auto& info = (*response->mutable_versions_info())[version ? ColonName(version) : name];
    for (const int kind : kinds) {
      const Key key{ns.id, request.task_queue().name(), kind};
      auto& type = (*info.mutable_types_info())[kind];
      auto it = queues_.find(key);
      const bool known = name.empty() || version.has_value();
      if (request.report_pollers() && it != queues_.end() && known)
        FillPollers(it->second, &version, type.mutable_pollers());
      if (request.report_stats()) {
        if (known) {
          *type.mutable_stats() = Stats(key, false, version).total;
        } else {
          *type.mutable_stats()->mutable_approximate_backlog_age() = ToProto(Duration{});
        }
      }
    }
    if (request.report_task_reachability()) {
      info.set_task_reachability(
          Reachability(ns, request.task_queue().name(), version ? ColonName(version) : name));
    }
  }
}

StatusOr<ws::DescribeTaskQueueResponse> Matching::Describe(
    const ws::DescribeTaskQueueRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  if (Status bad = CheckQueue(request.task_queue(), request.has_task_queue()); !bad.ok())
    return bad;
  if (request.report_task_reachability() &&
      request.versions().build_ids_size() > kMaxReachabilityBuilds) {
    return InvalidArgument(
        fmt::format("Too many build ids queried at once with ReportTaskReachability==true, limit: "
                    "{}",
                    kMaxReachabilityBuilds));
  }
  ws::DescribeTaskQueueResponse response;
  if (request.api_mode() == enums::DESCRIBE_TASK_QUEUE_MODE_ENHANCED) {
    if (request.task_queue().kind() == enums::TASK_QUEUE_KIND_STICKY) {
      return InvalidArgument(
          "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or "
          "a "
          "normal queue.");
    }
    DescribeEnhanced(*ns, request, &response);
    return response;
  }
  const int kind = request.task_queue_type() == enums::TASK_QUEUE_TYPE_UNSPECIFIED
                       ? kWorkflowQueue
                       : static_cast<int>(request.task_queue_type());
  const Key key{ns->id, request.task_queue().name(), kind};
  Queue empty;
  const auto it = queues_.find(key);
  Queue& queue = it == queues_.end() ? empty : it->second;
  FillPollers(queue, nullptr, response.mutable_pollers());
  if (request.task_queue().kind() != enums::TASK_QUEUE_KIND_STICKY) {
    const QueueRouting routing = core_.deployments.Route(key);
    auto* info = response.mutable_versioning_info();
    info->set_current_version(DottedName(routing.current));
    if (routing.current) *info->mutable_current_deployment_version() = ToProto(*routing.current);
    WallTime changed = routing.current_changed;
    if (routing.is_ramping) {
      info->set_ramping_version_percentage(routing.percentage);
      info->set_ramping_version(DottedName(routing.ramping));
      if (routing.ramping) *info->mutable_ramping_deployment_version() = ToProto(*routing.ramping);
      changed = std::max(changed, routing.ramping_changed);
    }
    if (changed == WallTime{} && OlderThan(core_.options, "1.30")) {
      // They left it out.
    } else if (changed == WallTime{}) {
      info->mutable_update_time()->set_seconds(core_.deployments.Knows(key) ? 0 : kYearOne);
    } else {
      *info->mutable_update_time() = ToProto(changed);
    }
  }
  const auto [rate, source] = EffectiveRate(key, queue);
  response.mutable_effective_rate_limit()->set_requests_per_second(static_cast<float>(rate));
  response.mutable_effective_rate_limit()->set_rate_limit_source(source);
  if (request.report_config()) {
    if (const auto config = configs_.find(key); config != configs_.end())
      *response.mutable_config() = config->second;
  }
  const QueueStats stats = Stats(key, true, {});
  if (request.report_stats()) {
    *response.mutable_stats() = stats.total;
    for (const auto& [priority, part] : stats.by_priority)
      (*response.mutable_stats_by_priority_key())[priority] = part;
  }
  if (request.include_task_queue_status()) {
    auto* status = response.mutable_task_queue_status();
    status->set_backlog_count_hint(stats.total.approximate_backlog_count());
    status->set_rate_per_second(rate);
    // The first block of task ids that the real service reserves.
    status->mutable_task_id_block()->set_start_id(1);
    status->mutable_task_id_block()->set_end_id(100000);
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

}  // namespace squall::fakes::engine
