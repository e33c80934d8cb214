#pragma once
// The check of a task queue's name that the calls on task queues share.

#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

inline Status CheckQueue(const taskqueue::TaskQueue& queue, bool set) {
  if (!set) return InvalidArgument("taskQueue is not set");
  if (queue.name().empty()) return InvalidArgument("missing task queue name");
  if (queue.name().size() > kMaxIdLength) return InvalidArgument("taskQueue length exceeds limit");
  return absl::OkStatus();
}

}  // namespace squall::fakes::engine
