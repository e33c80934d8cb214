#pragma once
// What the deployment counts on beyond the connection: types that the queue's workers have, and
// search attributes.

#include <map>
#include <string>
#include <vector>

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

// No server keeps a list of the types that workers have registered: what workers did with the
// latest tasks of a type is what there is to go by.
struct Expectations {
  std::vector<std::string> workflow_types, activity_types;
  std::map<std::string, std::string> search_attributes;  // name -> "Keyword", "Int", ...

  bool empty() const {
    return workflow_types.empty() && activity_types.empty() && search_attributes.empty();
  }
};

// Rows of the layer "types". False when one of them is not met, or cannot be told.
bool ProbeExpectations(const Probe& probe, Rpc& rpc, const Expectations& expectations);

}  // namespace squall::doctor
