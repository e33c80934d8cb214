#pragma once
// The RPCs behind --expect-workflow-type, --expect-activity-type and --expect-search-attribute, as
// bytes. All of them only read.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"

namespace squall::doctor {

inline constexpr std::string_view kOperatorService =
    "temporal.api.operatorservice.v1.OperatorService";

// The latest executions on a task queue: of one type, or of all ("").
std::string ListOnQueueRequest(const std::string& ns, const std::string& queue,
                               const std::string& type);
struct ExecutionName {
  std::string id, run;
};
StatusOr<std::vector<ExecutionName>> ReadExecutionNames(const std::string& answer);

// The end of a history, the latest event first, and what waits now.
std::string HistoryEndRequest(const std::string& ns, const ExecutionName& execution);
std::string DescribeExecutionRequest(const std::string& ns, const ExecutionName& execution);

// A worker got a task of that type: and did it, or said why not.
struct TypeEvent {
  std::string activity;  // "": a workflow task
  std::string queue;     // of an activity; "" of workflow tasks and where it is not known
  bool done = false;
  std::string failure;  // the SDK's text
};
// The latest first.
StatusOr<std::vector<TypeEvent>> ReadTypeEvents(const std::string& answer);
// Of activities that are tried again: these are in no history.
StatusOr<std::vector<TypeEvent>> ReadPendingFailures(const std::string& answer);

// Names and types ("Keyword", "Int", ...) of the search attributes that there are, the system's
// among them.
using SearchAttributes = std::map<std::string, std::string>;
std::string ListSearchAttributesRequest(const std::string& ns);
StatusOr<SearchAttributes> ReadSearchAttributes(const std::string& answer);
// The older call, of the workflow service, which knows no namespaces.
StatusOr<SearchAttributes> ReadClusterSearchAttributes(const std::string& answer);
// As it is written above, whatever letters it is given in; "" for none.
std::string SearchAttributeType(std::string_view name);
std::vector<std::string> SearchAttributeTypes();

}  // namespace squall::doctor
