#include "fakes/engine/worker_commands.h"

#include <utility>

#include "fakes/engine/core.h"

namespace squall::fakes::engine {
namespace {

constexpr Duration kDispatchTimeout = std::chrono::seconds(10);
constexpr Duration kRetryAfter = std::chrono::seconds(1);
constexpr int kMaxAttempts = 3;
constexpr std::string_view kService = "temporal.api.nexusservices.workerservice.v1.WorkerService";
constexpr std::string_view kOperation = "ExecuteCommands";

}  // namespace

void WorkerCommands::Cancel(const Run& run, const Activity& activity) {
  if (!core_.options.worker_commands || activity.control_queue.empty() || !activity.started) return;
  workerpb::WorkerCommand command;
  command.mutable_cancel_activity()->set_task_token(TokenOf(run, activity));
  if (pending_.empty()) core_.Defer([this] { Flush(); });
  pending_[{run.ns->id, activity.control_queue}].push_back(std::move(command));
}

// What one input caused goes out as one request per worker.
void WorkerCommands::Flush() {
  for (const auto& [queue, commands] : std::exchange(pending_, {})) {
    // temporal.api.nexusservices.workerservice.v1.ExecuteCommandsRequest, of which no code is
    // generated: `repeated WorkerCommand commands = 1`.
    std::string batch;
    for (const workerpb::WorkerCommand& command : commands)
      AppendField(batch, 1, command.SerializeAsString());
    nexuspb::Request request;
    auto* start = request.mutable_start_operation();
    start->set_service(std::string(kService));
    start->set_operation(std::string(kOperation));
    (*start->mutable_payload()->mutable_metadata())["encoding"] = "binary/protobuf";
    start->mutable_payload()->set_data(std::move(batch));
    Send(queue, request, 1);
  }
}

void WorkerCommands::Send(const Queue& queue, const nexuspb::Request& request, int attempt) {
  core_.nexus_tasks.Add({.namespace_id = queue.first,
                         .task_queue = queue.second,
                         .request = request,
                         .timeout = kDispatchTimeout,
                         .done =
                             [this, queue, request, attempt](const NexusOutcome& outcome) {
                               // A worker that is gone, or late, is told again; its own refusal is
                               // final.
                               const auto* failed = std::get_if<failure::Failure>(&outcome);
                               if (failed == nullptr || !failed->has_nexus_handler_failure_info() ||
                                   attempt >= kMaxAttempts) {
                                 return;
                               }
                               core_.After(kRetryAfter, [this, queue, request, attempt] {
                                 Send(queue, request, attempt + 1);
                               });
                             },
                         .lost = [] {}});
}

}  // namespace squall::fakes::engine
