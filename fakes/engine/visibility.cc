#include "fakes/engine/visibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"
#include "fakes/engine/visibility_query.h"

namespace squall::fakes::engine {
namespace {

// The rows of one page, in the order of the index, and where the next page begins: behind the last
// row, which the token names by its key, so that a page does not cost what lies before it.
template <typename Response>
Status Fill(const Namespace& ns, const std::function<bool(const Run&)>& matches, int page_size,
            const std::string& page_token, Response* response) {
  auto next = ns.by_visibility.begin();
  if (!page_token.empty()) {
    const auto token = PageToken::Parse(page_token);
    if (!token) return InvalidArgument("unable to deserialize page token");
    next = ns.by_visibility.upper_bound({token->first, token->last, token->run_id});
  }
  if (page_size <= 0 || page_size > kMaxPage) page_size = kMaxPage;
  const VisibilityKey* last = nullptr;
  for (; next != ns.by_visibility.end(); ++next) {
    const auto& [key, run] = *next;
    if (!matches(*run)) continue;
    if (response->executions_size() == page_size) {
      const auto& [closed, started, run_id] = *last;
      response->set_next_page_token(
          PageToken{.run_id = run_id, .first = closed, .last = started}.Serialize());
      break;
    }
    last = &key;
    workflowpb::WorkflowExecutionInfo* row = response->add_executions();
    *row = Reads::Info(*run);
    // What visibility stores do not know.
    row->clear_first_run_id();
    row->clear_auto_reset_points();
    row->clear_priority();
    if (run->open()) {
      row->clear_history_length();
      row->clear_history_size_bytes();
      row->clear_state_transition_count();
    }
  }
  return absl::OkStatus();
}

template <typename Request>
bool Filtered(const Request& request, const Run& run) {
  const auto& start = request.start_time_filter();
  if (start.has_earliest_time() && run.started < FromProto(start.earliest_time())) return false;
  if (start.has_latest_time() && run.started > FromProto(start.latest_time())) return false;
  if (request.has_execution_filter()) {
    if (run.workflow_id != request.execution_filter().workflow_id()) return false;
    const std::string& run_id = request.execution_filter().run_id();
    if (!run_id.empty() && run.run_id != run_id) return false;
  }
  return !request.has_type_filter() ||
         run.start.workflow_type().name() == request.type_filter().name();
}

}  // namespace

StatusOr<ws::ListWorkflowExecutionsResponse> Visibility::List(
    const ws::ListWorkflowExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query, ParseVisibilityQuery(request.query(), *ns));
  if (!query.group_by.empty())
    return InvalidArgument("'group by' clause is only supported for count");
  ws::ListWorkflowExecutionsResponse response;
  SQUALL_RETURN_IF_ERROR(
      Fill(*ns, query.matches, request.page_size(), request.next_page_token(), &response));
  return response;
}

StatusOr<ws::ScanWorkflowExecutionsResponse> Visibility::Scan(
    const ws::ScanWorkflowExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query, ParseVisibilityQuery(request.query(), *ns));
  ws::ScanWorkflowExecutionsResponse response;
  SQUALL_RETURN_IF_ERROR(
      Fill(*ns, query.matches, request.page_size(), request.next_page_token(), &response));
  return response;
}

StatusOr<ws::CountWorkflowExecutionsResponse> Visibility::Count(
    const ws::CountWorkflowExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery query, ParseVisibilityQuery(request.query(), *ns));
  std::map<std::string, std::int64_t> groups;
  ws::CountWorkflowExecutionsResponse response;
  for (const auto& [key, run] : ns->by_visibility) {
    if (!query.matches(*run)) continue;
    response.set_count(response.count() + 1);
    ++groups[PascalName(enums::WorkflowExecutionStatus_Name(run->status),
                        "WORKFLOW_EXECUTION_STATUS_")];
  }
  if (!query.group_by.empty()) AddGroups(groups, &response);
  return response;
}

namespace {

// What these two calls ask for on the real server: a paused workflow counts among the closed ones.
bool IsRunning(const Run& run) { return run.status == enums::WORKFLOW_EXECUTION_STATUS_RUNNING; }

}  // namespace

StatusOr<ws::ListOpenWorkflowExecutionsResponse> Visibility::ListOpen(
    const ws::ListOpenWorkflowExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  ws::ListOpenWorkflowExecutionsResponse response;
  SQUALL_RETURN_IF_ERROR(Fill(
      *ns, [&](const Run& run) { return IsRunning(run) && Filtered(request, run); },
      request.maximum_page_size(), request.next_page_token(), &response));
  return response;
}

StatusOr<ws::ListClosedWorkflowExecutionsResponse> Visibility::ListClosed(
    const ws::ListClosedWorkflowExecutionsRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  ws::ListClosedWorkflowExecutionsResponse response;
  const auto matches = [&](const Run& run) {
    return !IsRunning(run) && Filtered(request, run) &&
           (!request.has_status_filter() || run.status == request.status_filter().status());
  };
  SQUALL_RETURN_IF_ERROR(
      Fill(*ns, matches, request.maximum_page_size(), request.next_page_token(), &response));
  return response;
}

namespace {

// Whether JSON is of the attribute's type; each type takes lists of its values too
// (system.visibilityAllowList).
bool Fits(enums::IndexedValueType type, const nlohmann::json& value) {
  if (value.is_array()) {
    return std::all_of(value.begin(), value.end(), [type](const nlohmann::json& each) {
      return !each.is_array() && Fits(type, each);
    });
  }
  switch (type) {
    case enums::INDEXED_VALUE_TYPE_INT:
      return value.is_number_integer();
    case enums::INDEXED_VALUE_TYPE_DOUBLE:
      return value.is_number();
    case enums::INDEXED_VALUE_TYPE_BOOL:
      return value.is_boolean();
    default:  // Text, Keyword, KeywordList, Datetime
      return value.is_string();
  }
}

Status CheckValue(const std::string& name, enums::IndexedValueType type,
                  const common::Payload& payload) {
  if (payload.data().empty()) return absl::OkStatus();
  const auto value = nlohmann::json::parse(payload.data(), nullptr, false);
  if (value.is_null() || (!value.is_discarded() && Fits(type, value))) return absl::OkStatus();
  const std::string shown = value.is_string()      ? value.get<std::string>()
                            : value.is_discarded() ? "<nil>"
                                                   : value.dump();
  return InvalidArgument(fmt::format("invalid value for search attribute {} of type {}: {}", name,
                                     TypeName(type), shown));
}

}  // namespace

Status Visibility::CheckAttributes(const Namespace& ns,
                                   const common::SearchAttributes& attributes) const {
  static const std::set<std::string> kPredefined = {"TemporalChangeVersion",
                                                    "BinaryChecksums",
                                                    "BuildIds",
                                                    "BatcherNamespace",
                                                    "BatcherUser",
                                                    "TemporalScheduledStartTime",
                                                    "TemporalScheduledById",
                                                    "TemporalSchedulePaused",
                                                    "TemporalNamespaceDivision",
                                                    "TemporalPauseInfo",
                                                    "TemporalReportedProblems",
                                                    "TemporalWorkerDeploymentVersion",
                                                    "TemporalWorkerDeployment",
                                                    "TemporalWorkflowVersioningBehavior"};
  std::map<std::string, const common::Payload*> ordered;
  for (const auto& [key, value] : attributes.indexed_fields()) ordered[key] = &value;
  for (const auto& [key, value] : ordered) {
    if (const auto known = ns.search_attributes.find(key); known != ns.search_attributes.end()) {
      SQUALL_RETURN_IF_ERROR(CheckValue(key, known->second, *value));
      continue;
    }
    if (kPredefined.contains(key)) continue;
    return InvalidArgument(
        fmt::format("Namespace {} has no mapping defined for search attribute {}", ns.name, key));
  }
  return absl::OkStatus();
}

void Visibility::Upsert(std::map<std::string, common::Payload>& fields, const std::string& key,
                        const common::Payload& value) {
  const auto encoding = value.metadata().find("encoding");
  const bool null = value.data().empty() ||
                    (encoding != value.metadata().end() && encoding->second == "binary/null") ||
                    value.data() == "null" || value.data() == "[]";
  if (null) {
    fields.erase(key);
  } else {
    fields[key] = value;
  }
}

}  // namespace squall::fakes::engine
