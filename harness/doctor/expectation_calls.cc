#include "harness/doctor/expectation_calls.h"

#include "base/util/text.h"
#include "harness/doctor/api_answer.h"
#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::doctor {
namespace {

namespace workflows = temporal::api::workflowservice::v1;
namespace operators = temporal::api::operatorservice::v1;
namespace enums = temporal::api::enums::v1;

// Enough to meet one that a worker has got, few enough to ask for each of them.
constexpr int kExecutions = 5;
constexpr int kEvents = 100;

std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

struct AttributeType {
  enums::IndexedValueType number;
  std::string_view name;
};
constexpr AttributeType kAttributeTypes[] = {
    {enums::INDEXED_VALUE_TYPE_TEXT, "Text"},
    {enums::INDEXED_VALUE_TYPE_KEYWORD, "Keyword"},
    {enums::INDEXED_VALUE_TYPE_INT, "Int"},
    {enums::INDEXED_VALUE_TYPE_DOUBLE, "Double"},
    {enums::INDEXED_VALUE_TYPE_BOOL, "Bool"},
    {enums::INDEXED_VALUE_TYPE_DATETIME, "Datetime"},
    {enums::INDEXED_VALUE_TYPE_KEYWORD_LIST, "KeywordList"},
};

template <typename Map>
void AddAttributes(const Map& map, SearchAttributes& out) {
  for (const auto& [name, number] : map) {
    out[name] = "";
    for (const AttributeType& type : kAttributeTypes) {
      if (type.number == number) out[name] = type.name;
    }
  }
}

template <typename Request>
std::string OfExecution(const std::string& ns, const ExecutionName& execution, Request request) {
  request.set_namespace_(ns);
  request.mutable_execution()->set_workflow_id(execution.id);
  request.mutable_execution()->set_run_id(execution.run);
  return request.SerializeAsString();
}

}  // namespace

std::string ListOnQueueRequest(const std::string& ns, const std::string& queue,
                               const std::string& type) {
  workflows::ListWorkflowExecutionsRequest request;
  request.set_namespace_(ns);
  request.set_page_size(kExecutions);
  std::string query = "TaskQueue = " + Quoted(queue);
  if (!type.empty()) query += " AND WorkflowType = " + Quoted(type);
  request.set_query(query);
  return request.SerializeAsString();
}

StatusOr<std::vector<ExecutionName>> ReadExecutionNames(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<workflows::ListWorkflowExecutionsResponse>(
                                               answer, "ListWorkflowExecutionsResponse"));
  std::vector<ExecutionName> names;
  for (const auto& one : read.executions())
    names.push_back({one.execution().workflow_id(), one.execution().run_id()});
  return names;
}

std::string HistoryEndRequest(const std::string& ns, const ExecutionName& execution) {
  workflows::GetWorkflowExecutionHistoryReverseRequest request;
  request.set_maximum_page_size(kEvents);
  return OfExecution(ns, execution, std::move(request));
}

std::string DescribeExecutionRequest(const std::string& ns, const ExecutionName& execution) {
  return OfExecution(ns, execution, workflows::DescribeWorkflowExecutionRequest());
}

StatusOr<std::vector<TypeEvent>> ReadTypeEvents(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read,
                          ParseAnswer<workflows::GetWorkflowExecutionHistoryReverseResponse>(
                              answer, "GetWorkflowExecutionHistoryReverseResponse"));
  // An activity's end names the event that scheduled it, which comes later here.
  std::map<std::int64_t, const temporal::api::history::v1::ActivityTaskScheduledEventAttributes*>
      scheduled;
  for (const auto& event : read.history().events()) {
    if (event.has_activity_task_scheduled_event_attributes())
      scheduled[event.event_id()] = &event.activity_task_scheduled_event_attributes();
  }
  std::vector<TypeEvent> events;
  const auto activity = [&](std::int64_t id, bool done, const std::string& failure) {
    const auto it = scheduled.find(id);
    if (it == scheduled.end()) return;
    events.push_back(
        {it->second->activity_type().name(), it->second->task_queue().name(), done, failure});
  };
  for (const auto& event : read.history().events()) {
    switch (event.event_type()) {
      case enums::EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        events.push_back({"", "", true, ""});
        break;
      case enums::EVENT_TYPE_WORKFLOW_TASK_FAILED:
        events.push_back(
            {"", "", false, event.workflow_task_failed_event_attributes().failure().message()});
        break;
      case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
        activity(event.activity_task_completed_event_attributes().scheduled_event_id(), true, "");
        break;
      case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED:
        activity(event.activity_task_failed_event_attributes().scheduled_event_id(), false,
                 event.activity_task_failed_event_attributes().failure().message());
        break;
      default:
        break;
    }
  }
  return events;
}

StatusOr<std::vector<TypeEvent>> ReadPendingFailures(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read,
                          ParseAnswer<workflows::DescribeWorkflowExecutionResponse>(
                              answer, "DescribeWorkflowExecutionResponse"));
  std::vector<TypeEvent> events;
  for (const auto& one : read.pending_activities()) {
    if (one.has_last_failure())
      events.push_back({one.activity_type().name(), "", false, one.last_failure().message()});
  }
  return events;
}

std::string ListSearchAttributesRequest(const std::string& ns) {
  operators::ListSearchAttributesRequest request;
  request.set_namespace_(ns);
  return request.SerializeAsString();
}

StatusOr<SearchAttributes> ReadSearchAttributes(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<operators::ListSearchAttributesResponse>(
                                               answer, "ListSearchAttributesResponse"));
  SearchAttributes attributes;
  AddAttributes(read.system_attributes(), attributes);
  AddAttributes(read.custom_attributes(), attributes);
  return attributes;
}

StatusOr<SearchAttributes> ReadClusterSearchAttributes(const std::string& answer) {
  SQUALL_ASSIGN_OR_RETURN(const auto read, ParseAnswer<workflows::GetSearchAttributesResponse>(
                                               answer, "GetSearchAttributesResponse"));
  SearchAttributes attributes;
  AddAttributes(read.keys(), attributes);
  return attributes;
}

std::vector<std::string> SearchAttributeTypes() {
  std::vector<std::string> names;
  for (const AttributeType& type : kAttributeTypes) names.emplace_back(type.name);
  return names;
}

std::string SearchAttributeType(std::string_view name) {
  for (const AttributeType& type : kAttributeTypes) {
    if (LowerCase(type.name) == LowerCase(name)) return std::string(type.name);
  }
  return "";
}

}  // namespace squall::doctor
