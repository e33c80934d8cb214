#pragma once
// The part of the visibility query language that is understood: comparisons of the fields below and
// of custom search attributes with =, !=, <, <=, >, >=, IN (...), BETWEEN a AND b, STARTS_WITH, IS
// NULL, IS NOT NULL, joined by AND, OR, NOT and parentheses; at the end GROUP BY ExecutionStatus
// (counts). ORDER BY is refused, as by the dev server. Everything else is INVALID_ARGUMENT naming
// what is not understood.
//   WorkflowId RunId WorkflowType ExecutionStatus StartTime CloseTime ExecutionTime TaskQueue
//   ParentWorkflowId RootWorkflowId HistoryLength

#include <functional>
#include <string>
#include <string_view>

#include "base/util/status.h"
#include "fakes/engine/namespaces.h"

namespace squall::fakes::engine {

struct VisibilityQuery {
  std::function<bool(const Run&)> matches;  // never empty
  std::string group_by;                     // "ExecutionStatus" or ""
};

StatusOr<VisibilityQuery> ParseVisibilityQuery(std::string_view text, const Namespace& ns);

}  // namespace squall::fakes::engine
