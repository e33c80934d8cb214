#pragma once
// What is kept of an open workflow beside its history (the real server's mutable state), and its
// limit. What clients can make large is counted, the rest is estimated.

#include <cstdint>
#include <string_view>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

inline constexpr std::string_view kStateExceedsLimit = "Workflow mutable state size exceeds limit.";

// In bytes.
std::int64_t StateSize(const Run& run);
// How much larger it becomes: by a completion of the workflow task; by details of a heartbeat in
// the place of those that the activity has.
std::int64_t StateGrowth(const Run& run, const ws::RespondWorkflowTaskCompletedRequest& request);
std::int64_t StateGrowth(const Activity& activity, const common::Payloads* details);

// Before a change of an open run: OK, or the error of the call that asked for it, after the run was
// terminated.
Status RoomInState(Core& core, Run& run, std::int64_t growth);

}  // namespace squall::fakes::engine
