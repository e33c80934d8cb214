#pragma once
// The query language of ListWorkers and CountWorkers: conditions on fields of worker heartbeats,
// joined by AND, OR and parentheses. After worker_query_engine.go of the real matching service,
// which reads them with an SQL parser.

#include <memory>
#include <string_view>

#include "base/util/status.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

class WorkerQuery {
 public:
  // INVALID_ARGUMENT when the text cannot be read. What can be read but makes no sense (an unknown
  // field, an operator that the field does not have) matches nothing, as on the real server.
  static StatusOr<WorkerQuery> Parse(std::string_view text);
  bool Matches(const workerpb::WorkerHeartbeat& heartbeat) const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;  // null: everything
};

}  // namespace squall::fakes::engine
