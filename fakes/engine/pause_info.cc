#include "fakes/engine/pause_info.h"

#include <fmt/ranges.h>

#include <set>
#include <string>
#include <vector>

#include "fakes/engine/search_attributes.h"

namespace squall::fakes::engine {

void TellPauses(Run& run) {
  constexpr char kPauseInfo[] = "TemporalPauseInfo";
  std::vector<std::string> entries;
  if (run.pause) {
    entries.push_back("Workflow:" + run.workflow_id);
    if (!run.pause->reason.empty()) entries.push_back("Reason:" + run.pause->reason);
  }
  std::set<std::string> types;
  for (const auto& [id, activity] : run.activities) {
    if (activity.paused) types.insert(activity.attributes.activity_type().name());
  }
  for (const std::string& type : types) entries.push_back("property:activityType=" + type);
  if (entries.empty()) {
    run.search_attributes.erase(kPauseInfo);
    return;
  }
  for (std::string& entry : entries) entry = JsonQuoted(entry);
  run.search_attributes[kPauseInfo] = TypedAttribute(fmt::format("[{}]", fmt::join(entries, ",")),
                                                     enums::INDEXED_VALUE_TYPE_KEYWORD_LIST);
}

}  // namespace squall::fakes::engine
