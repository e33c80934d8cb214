#pragma once
// The registry of Nexus endpoints, which the operator service keeps: names that workflows call, and
// where each leads.

#include <map>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/nexus_text.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Core;

class NexusEndpoints {
 public:
  explicit NexusEndpoints(Core& core) : core_(core) {}

  StatusOr<op::CreateNexusEndpointResponse> Create(const op::CreateNexusEndpointRequest& request);
  StatusOr<op::UpdateNexusEndpointResponse> Update(const op::UpdateNexusEndpointRequest& request);
  StatusOr<op::DeleteNexusEndpointResponse> Delete(const op::DeleteNexusEndpointRequest& request);
  StatusOr<op::GetNexusEndpointResponse> Get(const op::GetNexusEndpointRequest& request);
  StatusOr<op::ListNexusEndpointsResponse> List(const op::ListNexusEndpointsRequest& request);

  // Null when there is none.
  const nexuspb::Endpoint* FindByName(const std::string& name) const;
  // By id, or by name when the endpoint was made anew since: what the real server looks up before
  // each attempt.
  const nexuspb::Endpoint* Find(const std::string& id, const std::string& name) const;
  void Clear() { by_id_.clear(); }

 private:
  Status CheckSpec(const nexuspb::EndpointSpec& spec) const;

  Core& core_;
  std::map<std::string, nexuspb::Endpoint> by_id_;
};

}  // namespace squall::fakes::engine
