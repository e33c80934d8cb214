#pragma once
// Commands to workers: a worker whose heartbeats are on polls a control queue of its own (as Nexus
// tasks), and is told there that an activity of its is to be cancelled, without waiting for the
// activity's next heartbeat. After common/workercommands of the real server.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fakes/engine/nexus_tasks.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

class WorkerCommands {
 public:
  explicit WorkerCommands(Core& core) : core_(core) {}

  // Tells the worker that has the activity. Nothing when it has no control queue or is not at work
  // on it.
  void Cancel(const Run& run, const Activity& activity);

 private:
  using Queue = std::pair<std::string, std::string>;  // namespace id, control queue
  void Flush();
  void Send(const Queue& queue, const nexuspb::Request& request, int attempt);

  Core& core_;
  std::map<Queue, std::vector<workerpb::WorkerCommand>> pending_;
};

}  // namespace squall::fakes::engine
