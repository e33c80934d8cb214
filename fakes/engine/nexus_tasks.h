#pragma once
// Nexus tasks: requests that wait in a task queue for a worker, each under the deadline of the call
// that it stands for. A task that nobody takes or answers in time ends that attempt; the operation
// makes the next one. In the real server this is an HTTP request held by matching.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "base/util/status.h"
#include "fakes/engine/calls.h"
#include "fakes/engine/nexus_text.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// How a task ended: a worker's response, or a handler error (also "upstream timeout").
using NexusOutcome = std::variant<nexuspb::Response, failure::Failure>;

class NexusTasks {
 public:
  explicit NexusTasks(Core& core) : core_(core) {}

  struct Request {
    std::string namespace_id, task_queue;  // of the worker
    nexuspb::Request request;
    Duration timeout{};  // of the whole call; the worker gets a little less
    std::function<void(NexusOutcome)> done;
    std::function<void()> lost;  // the server restarted
  };
  // Queues a task; its number.
  std::uint64_t Add(Request request);
  bool Wanted(std::uint64_t id) const;
  // Tasks that wait for a worker or its answer.
  std::size_t pending() const { return tasks_.size(); }
  // A poll takes it: the answer of the poll.
  std::string Start(std::uint64_t id);

  StatusOr<ws::RespondNexusTaskCompletedResponse> Completed(
      const ws::RespondNexusTaskCompletedRequest& request);
  StatusOr<ws::RespondNexusTaskFailedResponse> Failed(
      const ws::RespondNexusTaskFailedRequest& request);

  // The calls in progress are gone with the server's process; with `keep_data` their owners make
  // new ones.
  void Restart(bool keep_data);
  // The violated invariant, or "".
  std::string Check() const;

 private:
  struct Task {
    Request request;
    bool taken = false;
    SteadyTime deadline{};
    TimerId timer = 0;
  };
  // Checks namespace and token; the id of the task, which may be over.
  StatusOr<std::uint64_t> TaskOf(const std::string& ns, const std::string& token) const;
  Status Finish(std::uint64_t id, NexusOutcome outcome);

  Core& core_;
  std::map<std::uint64_t, Task> tasks_;
  std::uint64_t next_ = 1;
};

}  // namespace squall::fakes::engine
