#pragma once
// What the server tells about itself and what workers tell about themselves: system and cluster
// info, heartbeats.

#include "base/util/status.h"
#include "fakes/engine/namespaces.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

class Workers {
 public:
  explicit Workers(Core& core) : core_(core) {}

  StatusOr<ws::GetSystemInfoResponse> SystemInfo(const ws::GetSystemInfoRequest& request);
  StatusOr<ws::GetClusterInfoResponse> ClusterInfo(const ws::GetClusterInfoRequest& request);
  StatusOr<ws::RecordWorkerHeartbeatResponse> Record(
      const ws::RecordWorkerHeartbeatRequest& request);
  StatusOr<ws::ListWorkersResponse> List(const ws::ListWorkersRequest& request);
  StatusOr<ws::DescribeWorkerResponse> Describe(const ws::DescribeWorkerRequest& request);

  void Store(Namespace& ns, const workerpb::WorkerHeartbeat& heartbeat) {
    ns.workers[heartbeat.worker_instance_key()] = heartbeat;
  }

 private:
  Core& core_;
};

}  // namespace squall::fakes::engine
