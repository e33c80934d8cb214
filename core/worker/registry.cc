#include "core/worker/registry.h"

namespace squall::core {

void Registry::AddWorkflowFactory(const std::string& type, WorkflowFactory factory) {
  SQUALL_CHECK(workflows_.emplace(type, std::move(factory)).second,
               "workflow type registered twice: " + type);
}

void Registry::AddActivityEntry(const std::string& type, Activity activity) {
  SQUALL_CHECK(activities_.emplace(type, std::move(activity)).second,
               "activity type registered twice: " + type);
}

const Registry::WorkflowFactory* Registry::FindWorkflow(std::string_view type) const {
  const auto it = workflows_.find(type);
  return it == workflows_.end() ? nullptr : &it->second;
}

const Registry::Activity* Registry::FindActivity(std::string_view type) const {
  const auto it = activities_.find(type);
  return it == activities_.end() ? nullptr : &it->second;
}

std::vector<std::string> Registry::WorkflowTypes() const {
  std::vector<std::string> types;
  for (const auto& [type, factory] : workflows_) types.push_back(type);
  return types;
}

std::vector<std::string> Registry::ActivityTypes() const {
  std::vector<std::string> types;
  for (const auto& [type, activity] : activities_) types.push_back(type);
  return types;
}

}  // namespace squall::core
