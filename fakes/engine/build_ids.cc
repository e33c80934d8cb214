#include "fakes/engine/build_ids.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/matching_queue.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

constexpr std::size_t kMaxBuildId = 255;   // limit.workerBuildIdSize
constexpr std::size_t kMaxSets = 10;       // limit.versionCompatibleSetLimitPerQueue
constexpr std::size_t kMaxBuilds = 100;    // limit.versionBuildIdLimitPerQueue
// frontend.reachabilityQuerySetDurationSinceDefault: a set that was the default until lately still
// counts as one.
constexpr Duration kStillDefault = std::chrono::minutes(5);

using UpdateRequest = ws::UpdateWorkerBuildIdCompatibilityRequest;

Status RulesDisabled() {
  ::temporal::api::errordetails::v1::PermissionDeniedFailure detail;
  return WithDetail(StatusCode::kPermissionDenied,
                    "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this "
                    "namespace.",
                    detail);
}

Status CheckRequest(const UpdateRequest& request) {
  std::vector<std::string> wrong;
  const auto need = [&](const std::string& value, const char* text) {
    if (value.empty()) wrong.emplace_back(text);
    if (value.size() > kMaxBuildId) {
      wrong.push_back(
          fmt::format(" Worker build IDs to be no larger than {} characters", kMaxBuildId));
    }
  };
  if (request.namespace_().empty()) wrong.emplace_back("`namespace` to be set");
  if (request.task_queue().empty()) wrong.emplace_back("`task_queue` to be set");
  switch (request.operation_case()) {
    case UpdateRequest::OPERATION_NOT_SET:
      wrong.emplace_back("an operation to be specified");
      break;
    case UpdateRequest::kAddNewCompatibleBuildId:
      need(request.add_new_compatible_build_id().new_build_id(),
           "`add_new_compatible_version` to be set");
      if (request.add_new_compatible_build_id().existing_compatible_build_id().empty())
        wrong.emplace_back("`existing_compatible_version` to be set");
      break;
    case UpdateRequest::kAddNewBuildIdInNewDefaultSet:
      need(request.add_new_build_id_in_new_default_set(),
           "`add_new_version_id_in_new_default_set` to be set");
      break;
    case UpdateRequest::kPromoteSetByBuildId:
      need(request.promote_set_by_build_id(), "`promote_set_by_version_id` to be set");
      break;
    case UpdateRequest::kPromoteBuildIdWithinSet:
      need(request.promote_build_id_within_set(), "`promote_version_id_within_set` to be set");
      break;
    default:
      break;
  }
  if (wrong.empty()) return absl::OkStatus();
  std::string text = "request to update worker build ID compatability requires: ";
  for (const std::string& part : wrong) text += ", " + part;
  return InvalidArgument(text);
}

// The last element comes to be the one at `index`; the others move down.
template <typename T>
void MoveToEnd(std::vector<T>& values, int index) {
  std::rotate(values.begin() + index, values.begin() + index + 1, values.end());
}

}  // namespace

std::pair<int, int> BuildIds::Find(const Sets& sets, const std::string& build) {
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = 0; j < sets[i].builds.size(); ++j) {
      if (sets[i].builds[j] == build) return {static_cast<int>(i), static_cast<int>(j)};
    }
  }
  return {-1, -1};
}

StatusOr<Version> BuildIds::PollVersion(const std::string& ns_id, const std::string& queue,
                                        const std::string& build) const {
  const auto it = sets_.find({ns_id, queue});
  if (it == sets_.end()) return Version{"", build};
  const auto [set, place] = Find(it->second, build);
  if (set < 0) return Version{"", build};
  const Set& found = it->second[static_cast<std::size_t>(set)];
  if (found.builds.back() != build) {
    ::temporal::api::errordetails::v1::NewerBuildExistsFailure detail;
    detail.set_default_build_id(found.builds.back());
    return WithDetail(
        StatusCode::kOutOfRange,
        fmt::format("Task queue has a newer compatible build: \"{}\"", found.builds.back()),
        detail);
  }
  return Version{"", found.id};
}

MaybeVersion BuildIds::TaskVersion(const Run& run, const std::string& queue, bool new_task) const {
  const auto it = sets_.find({run.ns->id, queue});
  std::string build;
  if (run.versioning != nullptr && run.versioning->stamp.use_versioning())
    build = run.versioning->stamp.build_id();
  if (build.empty() && !new_task) return {};
  if (it == sets_.end()) {
    if (build.empty()) return {};
    return Version{"", build};
  }
  if (build.empty()) return Version{"", it->second.back().id};
  const int set = Find(it->second, build).first;
  return Version{"", set < 0 ? build : it->second[static_cast<std::size_t>(set)].id};
}

Status BuildIds::Apply(Sets& sets, const UpdateRequest& request) {
  const int last = static_cast<int>(sets.size()) - 1;
  const auto at = [&](int index) -> Set& { return sets[static_cast<std::size_t>(index)]; };
  const auto promote = [&](int set) {
    MoveToEnd(sets, set);
    sets.back().became_default = core_.now.steady;
  };
  switch (request.operation_case()) {
    case UpdateRequest::kAddNewBuildIdInNewDefaultSet: {
      const std::string& build = request.add_new_build_id_in_new_default_set();
      const int set = Find(sets, build).first;
      if (set >= 0 && set == last && at(set).builds.size() == 1) return absl::OkStatus();
      if (set >= 0) return InvalidArgument(fmt::format("version {} already exists", build));
      sets.push_back({.id = build, .builds = {build}, .became_default = core_.now.steady});
      return absl::OkStatus();
    }
    case UpdateRequest::kAddNewCompatibleBuildId: {
      const auto& add = request.add_new_compatible_build_id();
      const std::string& build = add.new_build_id();
      const auto [set, place] = Find(sets, build);
      const int other = Find(sets, add.existing_compatible_build_id()).first;
      if (other < 0) {
        return NotFound(fmt::format("targeted compatible_version {} not found",
                                    add.existing_compatible_build_id()));
      }
      if (set >= 0 && set != other) {
        return InvalidArgument(fmt::format(
            "{} requested to be made compatible with {} but both versions exist and are "
            "incompatible",
            build, add.existing_compatible_build_id()));
      }
      if (set >= 0) {
        if (add.make_set_default() && set != last) {
          return InvalidArgument(
              fmt::format("version {} already exists and is not default for queue", build));
        }
        if (at(set).builds.back() != build) {
          return InvalidArgument(
              fmt::format("version {} already exists and is not default in set", build));
        }
        return absl::OkStatus();
      }
      at(other).builds.push_back(build);
      if (add.make_set_default()) promote(other);
      return absl::OkStatus();
    }
    case UpdateRequest::kPromoteSetByBuildId: {
      const int set = Find(sets, request.promote_set_by_build_id()).first;
      if (set < 0) {
        return NotFound(
            fmt::format("targeted version {} not found", request.promote_set_by_build_id()));
      }
      if (set != last) promote(set);
      return absl::OkStatus();
    }
    case UpdateRequest::kPromoteBuildIdWithinSet: {
      const auto [set, place] = Find(sets, request.promote_build_id_within_set());
      if (set < 0) {
        return NotFound(
            fmt::format("targeted version {} not found", request.promote_build_id_within_set()));
      }
      MoveToEnd(at(set).builds, place);
      return absl::OkStatus();
    }
    default: {
      const auto& merge = request.merge_sets();
      const int primary = Find(sets, merge.primary_set_build_id()).first;
      if (primary < 0) {
        return NotFound(
            fmt::format("targeted primary version {} not found", merge.primary_set_build_id()));
      }
      const int secondary = Find(sets, merge.secondary_set_build_id()).first;
      if (secondary < 0) {
        return NotFound(
            fmt::format("targeted secondary version {} not found", merge.secondary_set_build_id()));
      }
      if (primary == secondary) return absl::OkStatus();
      // The primary set keeps its default, and its place.
      auto moved = std::move(at(secondary).builds);
      auto& builds = at(primary).builds;
      builds.insert(builds.begin(), moved.begin(), moved.end());
      sets.erase(sets.begin() + secondary);
      return absl::OkStatus();
    }
  }
}

StatusOr<ws::UpdateWorkerBuildIdCompatibilityResponse> BuildIds::Update(
    const UpdateRequest& request) {
  SQUALL_RETURN_IF_ERROR(CheckRequest(request));
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  const Queue queue{ns->id, request.task_queue()};
  const auto it = sets_.find(queue);
  Sets sets = it == sets_.end() ? Sets() : it->second;
  SQUALL_RETURN_IF_ERROR(Apply(sets, request));
  std::size_t builds = 0;
  for (const Set& set : sets) builds += set.builds.size();
  if (sets.size() > kMaxSets) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "update would exceed number of compatible version sets permitted in "
                      "namespace dynamic config ({}/{})",
                      sets.size(), kMaxSets);
  }
  if (builds > kMaxBuilds) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "update would exceed number of build IDs permitted in namespace dynamic "
                      "config ({}/{})",
                      builds, kMaxBuilds);
  }
  if (!sets.empty()) sets_[queue] = std::move(sets);
  return ws::UpdateWorkerBuildIdCompatibilityResponse();
}

StatusOr<ws::GetWorkerBuildIdCompatibilityResponse> BuildIds::Get(
    const ws::GetWorkerBuildIdCompatibilityRequest& request) {
  taskqueue::TaskQueue queue;
  queue.set_name(request.task_queue());
  SQUALL_RETURN_IF_ERROR(CheckQueue(queue, true));
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  ws::GetWorkerBuildIdCompatibilityResponse response;
  const auto it = sets_.find({ns->id, request.task_queue()});
  if (it == sets_.end()) return response;
  const std::size_t count = it->second.size();
  const std::size_t most =
      request.max_sets() > 0 ? static_cast<std::size_t>(request.max_sets()) : count;
  for (std::size_t i = count - std::min(count, most); i < count; ++i) {
    auto* set = response.add_major_version_sets();
    for (const std::string& build : it->second[i].builds) set->add_build_ids(build);
  }
  return response;
}

StatusOr<ws::GetWorkerTaskReachabilityResponse> BuildIds::Reachability(
    const ws::GetWorkerTaskReachabilityRequest& request) {
  if (request.build_ids().empty()) {
    return InvalidArgument(
        "Must query at least one build ID (or empty string for unversioned worker)");
  }
  if (request.build_ids_size() > kMaxReachabilityBuilds) {
    return InvalidArgument(
        fmt::format("Too many build ids queried at once, limit: {}", kMaxReachabilityBuilds));
  }
  bool unversioned = false;
  for (const std::string& build : request.build_ids()) {
    unversioned = unversioned || build.empty();
    if (build.size() > kMaxBuildId) {
      return InvalidArgument(
          "Build ID exceeds configured limit.workerBuildIdSize, use a shorter build ID.");
    }
  }
  if (unversioned && request.task_queues().empty()) {
    return InvalidArgument(
        "Cannot get reachability of an unversioned worker without specifying at least one task "
        "queue (empty build ID is interpereted as unversioned)");
  }
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  const auto wanted = request.reachability();
  ws::GetWorkerTaskReachabilityResponse response;
  for (const std::string& build : request.build_ids()) {
    auto* told = response.add_build_id_reachability();
    told->set_build_id(build);
    std::vector<std::string> queues(request.task_queues().begin(), request.task_queues().end());
    if (queues.empty()) {
      for (const auto& [queue, sets] : sets_) {
        if (queue.first == ns->id && Find(sets, build).first >= 0) queues.push_back(queue.second);
      }
    }
    for (const std::string& queue : queues) {
      auto* reach = told->add_task_queue_reachability();
      reach->set_task_queue(queue);
      const auto it = sets_.find({ns->id, queue});
      const Sets* sets = it == sets_.end() ? nullptr : &it->second;
      bool is_default = false, for_new = false;
      std::vector<std::string> marks;  // in the search attribute BuildIds
      if (build.empty()) {
        is_default = for_new = sets == nullptr;
        if (sets != nullptr) {
          SteadyTime since = SteadyTime::max();
          for (const Set& set : *sets) since = std::min(since, set.became_default);
          for_new = core_.now.steady - since < kStillDefault;
        }
        marks.emplace_back("unversioned");
      } else {
        if (sets == nullptr) continue;
        const int set = Find(*sets, build).first;
        if (set < 0 || (*sets)[static_cast<std::size_t>(set)].builds.back() != build) continue;
        const Set& found = (*sets)[static_cast<std::size_t>(set)];
        is_default = set == static_cast<int>(sets->size()) - 1;
        for_new = is_default || core_.now.steady - found.became_default < kStillDefault;
        for (const std::string& other : found.builds) marks.push_back("versioned:" + other);
      }
      if (for_new) reach->add_reachability(enums::TASK_REACHABILITY_NEW_WORKFLOWS);
      if (wanted == enums::TASK_REACHABILITY_NEW_WORKFLOWS) continue;
      const bool exists =
          std::any_of(ns->by_visibility.begin(), ns->by_visibility.end(), [&](const auto& entry) {
            const Run& run = *entry.second;
            if (run.start.task_queue().name() != queue) return false;
            if (wanted == enums::TASK_REACHABILITY_OPEN_WORKFLOWS && !run.open()) return false;
            if (wanted == enums::TASK_REACHABILITY_CLOSED_WORKFLOWS && run.open()) return false;
            const auto ids = run.search_attributes.find("BuildIds");
            if (ids == run.search_attributes.end())
              return is_default && wanted != enums::TASK_REACHABILITY_CLOSED_WORKFLOWS;
            return std::any_of(marks.begin(), marks.end(), [&](const std::string& mark) {
              return ids->second.data().find("\"" + mark + "\"") != std::string::npos;
            });
          });
      if (exists) {
        reach->add_reachability(wanted == enums::TASK_REACHABILITY_UNSPECIFIED
                                    ? enums::TASK_REACHABILITY_EXISTING_WORKFLOWS
                                    : wanted);
      }
    }
  }
  return response;
}

StatusOr<ws::UpdateWorkerVersioningRulesResponse> BuildIds::UpdateRules(
    const ws::UpdateWorkerVersioningRulesRequest&) {
  return RulesDisabled();
}
StatusOr<ws::GetWorkerVersioningRulesResponse> BuildIds::GetRules(
    const ws::GetWorkerVersioningRulesRequest&) {
  return RulesDisabled();
}

}  // namespace squall::fakes::engine
