#pragma once
// Queries: answered together with a workflow task when one is on its way, directly by a poller
// otherwise.

#include <string>

#include "fakes/engine/calls.h"
#include "fakes/engine/matching.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class Queries {
 public:
  explicit Queries(Core& core) : core_(core) {}

  void Query(CallId call, const ws::QueryWorkflowRequest& request);
  // The poll answer that carries a direct query.
  std::string DirectTask(const DirectQuery& query, const std::string& queue);
  // A workflow task ended with results; without another one the rest turns to direct queries.
  void TaskCompleted(
      Run& run, const google::protobuf::Map<std::string, querypb::WorkflowQueryResult>& results,
      bool another_task);
  // The run closed.
  void Unblock(Run& run);

 private:
  Core& core_;
};

}  // namespace squall::fakes::engine
