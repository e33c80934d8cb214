#pragma once
// The requests that load is made of, and a worker that answers workflow tasks.

#include <functional>
#include <string>
#include <vector>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "tests/load/connections.h"

namespace squall::load {

namespace command = fakes::engine::command;
namespace enums = fakes::engine::enums;
namespace ws = fakes::engine::ws;

constexpr Duration kPollTimeout = std::chrono::seconds(70);
constexpr Duration kCallTimeout = std::chrono::seconds(60);

ws::StartWorkflowExecutionRequest StartRequest(const std::string& id, const std::string& queue);
ws::PollWorkflowTaskQueueRequest PollRequest(const std::string& queue);
command::Command CompleteWorkflow();
command::Command StartTimer(const std::string& id, Duration after);
command::Command ScheduleActivity(const std::string& id, const std::string& queue);

// Requests on one workflow whose execution field has this name.
template <typename Request>
Request OnWorkflow(const std::string& id) {
  Request request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  return request;
}

// "UNAVAILABLE: text" as a status.
inline Status StatusOf(const wire::GrpcResponse& response) { return response.status.ToStatus(); }

// The first error of many calls, and how many there were.
struct Errors {
  std::size_t count = 0;
  Status first;
  // Whether the call failed.
  bool Saw(const wire::GrpcResponse& response) {
    if (response.status.ok()) return false;
    if (count++ == 0) first = StatusOf(response);
    return true;
  }
  Status status(std::string_view what) const {
    if (count == 0) return absl::OkStatus();
    return Annotate(first, fmt::format("{}: {} failed, the first with", what, count));
  }
};

// Keeps `calls` calls in progress until `total` are answered: `make` begins the n-th (from 0) and
// gives its `done` to it. One that fails as UNAVAILABLE (the server renews a connection) is begun
// again: requests carry ids by which the server knows them.
class Window {
 public:
  using Make = std::function<void(std::size_t n, Connections::Done done)>;
  Window(harness::AsioExecutor& executor, std::size_t total, std::size_t calls, Make make);
  // Blocks until all are answered, or one failed.
  Status Run(Duration limit);
  // How long each took, in milliseconds.
  const std::vector<double>& millis() const { return millis_; }
  std::size_t repeated() const { return repeated_; }

 private:
  void Next();
  void Begin(std::size_t n);
  harness::AsioExecutor& executor_;
  const std::size_t total_, calls_;
  const Make make_;
  std::size_t begun_ = 0, answered_ = 0, repeated_ = 0;
  std::vector<double> millis_;
  Errors errors_;
};

// Polls a queue for workflow tasks, `polls` at once and in turn over all slots, and completes each
// with what `decide` says. Polls and completions that fail as UNAVAILABLE (the server renews a
// connection) are made again.
class Worker {
 public:
  using Decide =
      std::function<std::vector<command::Command>(const ws::PollWorkflowTaskQueueResponse& task)>;
  Worker(Connections& connections, std::string queue, std::size_t polls, Decide decide);
  // No further poll is begun; those that are held stay.
  void Stop() { stopped_ = true; }

  std::size_t completed() const { return completed_; }
  // Tasks of workflows that had ended meanwhile: NOT_FOUND to the completion.
  std::size_t too_late() const { return too_late_; }
  std::size_t repeated() const { return repeated_; }
  const Errors& errors() const { return errors_; }

 private:
  void Poll();
  void Complete(ws::RespondWorkflowTaskCompletedRequest request);

  Connections& connections_;
  const std::string queue_;
  const Decide decide_;
  bool stopped_ = false;
  std::size_t next_slot_ = 0;
  std::size_t completed_ = 0, too_late_ = 0, repeated_ = 0;
  Errors errors_;
};

}  // namespace squall::load
