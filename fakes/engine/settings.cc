#include "fakes/engine/settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "base/util/text.h"
#include "fakes/engine/profile.h"

namespace squall::fakes {
namespace {

struct Switch {
  std::string_view key;
  bool EngineOptions::*value;
};

constexpr std::array kSwitches = {
    Switch{"frontend.WorkflowPauseEnabled", &EngineOptions::workflow_pause},
    Switch{"history.enableWorkflowTaskCompletionPagination", &EngineOptions::task_completion_pages},
    Switch{"frontend.enableCancelWorkerPollsOnShutdown",
           &EngineOptions::complete_polls_on_shutdown},
    Switch{"matching.enableFairness", &EngineOptions::fairness},
};

struct NumberSetting {
  std::string_view key;
  std::int64_t EngineLimits::*value;
};

constexpr std::array kNumbers = {
    NumberSetting{"history.maxInFlightUpdatePayloads", &EngineLimits::updates_size},
    NumberSetting{"history.maxInFlightUpdates", &EngineLimits::updates_in_flight},
    NumberSetting{"history.maxTotalUpdates", &EngineLimits::updates},
    NumberSetting{"history.maximumBufferedEventsBatch", &EngineLimits::buffered_events},
    NumberSetting{"history.maximumBufferedEventsSizeInBytes", &EngineLimits::buffered_size},
    NumberSetting{"history.maximumSignalsPerExecution", &EngineLimits::signals},
    NumberSetting{"limit.historyCount.error", &EngineLimits::history_count},
    NumberSetting{"limit.historyCount.suggestContinueAsNew", &EngineLimits::history_count_suggest},
    NumberSetting{"limit.historySize.error", &EngineLimits::history_size},
    NumberSetting{"limit.historySize.suggestContinueAsNew", &EngineLimits::history_size_suggest},
    NumberSetting{"limit.mutableStateActivityFailureSize.error",
                  &EngineLimits::activity_failure_size},
    NumberSetting{"limit.mutableStateSize.error", &EngineLimits::state_size},
    NumberSetting{"limit.numPendingActivities.error", &EngineLimits::pending_activities},
    NumberSetting{"limit.numPendingCancelRequests.error", &EngineLimits::pending_cancels},
    NumberSetting{"limit.numPendingChildExecutions.error", &EngineLimits::pending_children},
    NumberSetting{"limit.numPendingSignals.error", &EngineLimits::pending_signals},
    NumberSetting{"system.transactionSizeLimit", &EngineLimits::transaction_size},
};

// The engine is always so.
constexpr std::array<std::string_view, 12> kAlwaysOn = {
    "activity.enableCallbacks",
    "activity.enableStandalone",
    "component.nexusoperations.recordCancelRequestCompletionEvents",
    "frontend.ListWorkersEnabled",
    "frontend.WorkerHeartbeatsEnabled",
    "frontend.workerCommandsEnabled",
    "frontend.workerVersioningDataAPIs",
    "frontend.workerVersioningWorkflowAPIs",
    "system.enableCancelActivityWorkerCommand",
    "system.enableDeploymentVersions",
    "system.enableEagerWorkflowStart",
    "system.forceSearchAttributesCacheRefreshOnRead",
};

// Limits of load that the engine does not have.
constexpr std::array<std::string_view, 2> kNoLimit = {"frontend.namespaceRPS", "matching.rps"};

constexpr std::array<std::string_view, 7> kTypes = {"Text", "Keyword",  "Int",        "Double",
                                                    "Bool", "Datetime", "KeywordList"};

bool Contains(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Status ApplySetting(std::string_view setting, EngineOptions* options) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string_view::npos) {
    return MakeStatus(StatusCode::kInvalidArgument, "a setting is KEY=VALUE, not \"{}\"", setting);
  }
  const std::string_view key = setting.substr(0, equals), value = setting.substr(equals + 1);
  const bool on = value == "true";
  for (const Switch& known : kSwitches) {
    if (known.key != key) continue;
    if (!on && value != "false") {
      return MakeStatus(StatusCode::kInvalidArgument, "{} is true or false, not \"{}\"", key,
                        value);
    }
    options->*known.value = on;
    return absl::OkStatus();
  }
  for (const NumberSetting& known : kNumbers) {
    if (known.key != key) continue;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 0) {
      return MakeStatus(StatusCode::kInvalidArgument, "{} is a whole number, not \"{}\"", key,
                        value);
    }
    options->limits.*known.value = number;
    return absl::OkStatus();
  }
  if (Contains(kAlwaysOn, key)) {
    if (on) return absl::OkStatus();
    return MakeStatus(StatusCode::kInvalidArgument, "{} is always true here", key);
  }
  if (Contains(kNoLimit, key)) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument, "the fake server knows no setting {}", key);
}

std::vector<std::pair<std::string_view, std::int64_t>> LimitSettings(const EngineLimits& limits) {
  std::vector<std::pair<std::string_view, std::int64_t>> settings;
  for (const NumberSetting& number : kNumbers)
    settings.emplace_back(number.key, limits.*number.value);
  return settings;
}

std::vector<ProfileSummary> KnownProfiles() {
  std::vector<ProfileSummary> known;
  for (const engine::Profile* profile : engine::Profiles()) {
    known.push_back({.version = std::string(profile->version),
                     .unknown_methods = profile->unknown_methods.size(),
                     .refused_methods = profile->refused_methods.size(),
                     .absent_fields = profile->absent_fields.size(),
                     .capabilities_off = profile->capabilities_off.size()});
  }
  return known;
}

Status ApplyProfile(std::string_view version, EngineOptions* options) {
  std::vector<std::string> known;
  for (const ProfileSummary& profile : KnownProfiles()) known.push_back(profile.version);
  if (!Contains(known, version)) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "the fake server has no profile of release {}{}; it has {}", version,
                      DidYouMean(version, known), fmt::join(known, ", "));
  }
  options->server_version = version;
  return absl::OkStatus();
}

Status ApplySearchAttribute(std::string_view attribute, EngineOptions* options) {
  const std::size_t equals = attribute.find('=');
  const std::string_view type =
      equals == std::string_view::npos ? std::string_view() : attribute.substr(equals + 1);
  if (equals == 0 || !Contains(kTypes, type)) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "a search attribute is NAME=TYPE, with one of the types Text, Keyword, Int, "
                      "Double, Bool, Datetime, KeywordList, not \"{}\"",
                      attribute);
  }
  options->search_attributes[std::string(attribute.substr(0, equals))] = std::string(type);
  return absl::OkStatus();
}

}  // namespace squall::fakes
