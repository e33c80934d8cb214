// UpdateTaskQueueConfig, and the dispatch limits of task queues. After ratelimit_manager.go of the
// real matching service.

#include <fmt/format.h>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// What the dev server's partitions allow together.
constexpr double kSystemRate = 4000;
constexpr std::size_t kMaxReason = 1000, kMaxFairnessKey = 64, kMaxWeights = 1000;

using RateUpdate = ws::UpdateTaskQueueConfigRequest::RateLimitUpdate;

Status CheckLength(std::string_view field, std::size_t length, std::size_t most) {
  if (length <= most) return absl::OkStatus();
  return InvalidArgument(fmt::format("{} field too long (max {} characters).", field, most));
}

Status CheckRate(const RateUpdate& update, std::string_view label) {
  if (!update.has_rate_limit()) return absl::OkStatus();
  if (update.rate_limit().requests_per_second() < 0) {
    return InvalidArgument(
        fmt::format("RequestsPerSecond for {} rate limit must be non-negative.", label));
  }
  return CheckLength(fmt::format("{}.Reason", label), update.reason().size(), kMaxReason);
}

Status CheckKey(const std::string& key) {
  if (key.empty()) return InvalidArgument("fairness weight override key must not be empty");
  if (key.size() > kMaxFairnessKey) return InvalidArgument("fairness key length exceeds limit");
  return absl::OkStatus();
}

Status CheckWeights(const ws::UpdateTaskQueueConfigRequest& request) {
  const auto& set = request.set_fairness_weight_overrides();
  const auto& unset = request.unset_fairness_weight_overrides();
  const std::size_t total = set.size() + static_cast<std::size_t>(unset.size());
  if (total > kMaxWeights) {
    return InvalidArgument(fmt::format(
        "too many fairness weight overrides in request: got {}, maximum {}", total, kMaxWeights));
  }
  for (const auto& [key, weight] : std::map<std::string, float>(set.begin(), set.end())) {
    SQUALL_RETURN_IF_ERROR(CheckKey(key));
    if (weight <= 0) {
      return InvalidArgument(fmt::format(
          "invalid fairness weight weight for key \"{}\": must be greater than zero", key));
    }
  }
  for (const std::string& key : unset) SQUALL_RETURN_IF_ERROR(CheckKey(key));
  for (const std::string& key : unset) {
    if (set.contains(key)) {
      return InvalidArgument(fmt::format(
          "fairness weight override key \"{}\" present in both set and unset lists", key));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Status CheckPriority(const common::Priority& priority) {
  if (priority.priority_key() < 0) return InvalidArgument("priority key can't be negative");
  if (priority.fairness_key().size() > kMaxFairnessKey)
    return InvalidArgument("fairness key length exceeds limit");
  if (priority.fairness_weight() < 0) return InvalidArgument("must be greater than zero");
  return absl::OkStatus();
}

StatusOr<ws::UpdateTaskQueueConfigResponse> Matching::UpdateConfig(
    const ws::UpdateTaskQueueConfigRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  const bool workflow = request.task_queue_type() == enums::TASK_QUEUE_TYPE_WORKFLOW;
  if (workflow && request.update_queue_rate_limit().has_rate_limit())
    return InvalidArgument("Setting rate limit on workflow task queues is not allowed.");
  SQUALL_RETURN_IF_ERROR(CheckRate(request.update_queue_rate_limit(), "UpdateQueueRateLimit"));
  if (workflow && request.update_fairness_key_rate_limit_default().has_rate_limit()) {
    return InvalidArgument(
        "Setting fairness key rate limit on workflow task queues is not allowed.");
  }
  SQUALL_RETURN_IF_ERROR(CheckRate(request.update_fairness_key_rate_limit_default(),
                                   "UpdateFairnessKeyRateLimitDefault"));
  SQUALL_RETURN_IF_ERROR(CheckLength("Identity", request.identity().size(), kMaxIdLength));
  SQUALL_RETURN_IF_ERROR(CheckWeights(request));
  const Key key{ns->id, request.task_queue(), request.task_queue_type()};
  taskqueue::TaskQueueConfig& config = configs_[key];
  const auto set = [&](const RateUpdate& update, taskqueue::RateLimitConfig* limit) {
    limit->Clear();
    if (update.has_rate_limit()) *limit->mutable_rate_limit() = update.rate_limit();
    auto* metadata = limit->mutable_metadata();
    metadata->set_reason(update.reason());
    metadata->set_update_identity(request.identity());
    *metadata->mutable_update_time() = ToProto(core_.now.wall);
  };
  if (request.has_update_queue_rate_limit())
    set(request.update_queue_rate_limit(), config.mutable_queue_rate_limit());
  if (request.has_update_fairness_key_rate_limit_default()) {
    set(request.update_fairness_key_rate_limit_default(),
        config.mutable_fairness_keys_rate_limit_default());
  }
  auto& weights = *config.mutable_fairness_weight_overrides();
  for (const std::string& name : request.unset_fairness_weight_overrides()) weights.erase(name);
  for (const auto& [name, weight] : request.set_fairness_weight_overrides()) weights[name] = weight;
  Queue& queue = queues_[key];
  queue.limit.Clip(core_.now.steady, EffectiveRate(key, queue).first);
  core_.CancelTimer(queue.limit_timer);
  core_.Defer([this, key] { Match(key); });
  ws::UpdateTaskQueueConfigResponse response;
  *response.mutable_config() = config;
  return response;
}

std::pair<double, enums::RateLimitSource> Matching::EffectiveRate(const Key& key,
                                                                  const Queue& queue) const {
  std::pair<double, enums::RateLimitSource> effective{kSystemRate, enums::RATE_LIMIT_SOURCE_SYSTEM};
  const auto config = configs_.empty() ? configs_.end() : configs_.find(key);
  if (config != configs_.end() && config->second.queue_rate_limit().has_rate_limit()) {
    effective = {config->second.queue_rate_limit().rate_limit().requests_per_second(),
                 enums::RATE_LIMIT_SOURCE_API};
  } else if (queue.worker_rate) {
    effective = {*queue.worker_rate, enums::RATE_LIMIT_SOURCE_WORKER};
  }
  // The system's own limit is told, not enforced.
  if (effective.first >= kSystemRate) return {kSystemRate, enums::RATE_LIMIT_SOURCE_SYSTEM};
  return effective;
}

bool Matching::MayDispatch(const Key& key, Queue& queue) {
  const auto [rate, source] = EffectiveRate(key, queue);
  if (source == enums::RATE_LIMIT_SOURCE_SYSTEM) return true;
  const SteadyTime ready = queue.limit.Ready(rate);
  if (ready <= core_.now.steady) return true;
  if (queue.limit_timer == 0 && ready != SteadyTime::max()) {
    queue.limit_timer = core_.timers.Add(ready, [this, key] {
      auto it = queues_.find(key);
      if (it == queues_.end()) return;
      it->second.limit_timer = 0;
      Match(key);
    });
  }
  return false;
}

}  // namespace squall::fakes::engine
