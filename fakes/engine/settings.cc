#include "fakes/engine/settings.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

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
};

// The engine is always so.
constexpr std::array<std::string_view, 11> kAlwaysOn = {
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

// Limits of load and size that the engine does not have.
constexpr std::array<std::string_view, 3> kNoLimit = {"frontend.namespaceRPS", "matching.rps",
                                                      "system.transactionSizeLimit"};

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
  if (Contains(kAlwaysOn, key)) {
    if (on) return absl::OkStatus();
    return MakeStatus(StatusCode::kInvalidArgument, "{} is always true here", key);
  }
  if (Contains(kNoLimit, key)) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument, "the fake server knows no setting {}", key);
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
