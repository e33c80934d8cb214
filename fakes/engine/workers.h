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
  StatusOr<ws::CountWorkersResponse> Count(const ws::CountWorkersRequest& request);
  StatusOr<ws::DescribeWorkerResponse> Describe(const ws::DescribeWorkerRequest& request);
  // Not enabled on the real server either.
  StatusOr<ws::FetchWorkerConfigResponse> FetchConfig(const ws::FetchWorkerConfigRequest& request);
  StatusOr<ws::UpdateWorkerConfigResponse> UpdateConfig(
      const ws::UpdateWorkerConfigRequest& request);

  void Store(Namespace& ns, const workerpb::WorkerHeartbeat& heartbeat);

 private:
  // Whose heartbeats match, by instance key.
  StatusOr<std::vector<const workerpb::WorkerHeartbeat*>> Find(Namespace& ns,
                                                               const std::string& query,
                                                               bool system);

  Core& core_;
};

}  // namespace squall::fakes::engine
