#pragma once
// Lists and counts of workflow executions, and the search attributes that they carry.

#include <map>
#include <memory>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Visibility {
 public:
  explicit Visibility(Core& core) : core_(core) {}

  StatusOr<ws::ListWorkflowExecutionsResponse> List(
      const ws::ListWorkflowExecutionsRequest& request);
  StatusOr<ws::ScanWorkflowExecutionsResponse> Scan(
      const ws::ScanWorkflowExecutionsRequest& request);
  StatusOr<ws::CountWorkflowExecutionsResponse> Count(
      const ws::CountWorkflowExecutionsRequest& request);
  StatusOr<ws::ListOpenWorkflowExecutionsResponse> ListOpen(
      const ws::ListOpenWorkflowExecutionsRequest& request);
  StatusOr<ws::ListClosedWorkflowExecutionsResponse> ListClosed(
      const ws::ListClosedWorkflowExecutionsRequest& request);

  // Whether the namespace knows these attributes.
  Status CheckAttributes(const Namespace& ns, const common::SearchAttributes& attributes) const;
  // A null payload removes the key.
  static void Upsert(std::map<std::string, common::Payload>& fields, const std::string& key,
                     const common::Payload& value);

 private:
  Core& core_;
};

}  // namespace squall::fakes::engine
