#include "fakes/engine/nexus_tasks.h"

#include <fmt/format.h>

#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

// What the service keeps of the time-out for itself when it hands a request to a worker.
constexpr Duration kDispatchMargin = std::chrono::seconds(1);
constexpr std::size_t kMaxToken = 4096;  // nexusoperation.limit.operation.token.length

Status NotJson() { return InvalidArgument("failure details must be JSON serializable"); }

bool HasJsonDetails(const nexuspb::Failure& failure) {
  if (!failure.details().empty() && !IsJson(failure.details())) return false;
  return !failure.has_cause() || HasJsonDetails(failure.cause());
}

}  // namespace

std::uint64_t NexusTasks::Add(Request request) {
  const std::uint64_t id = next_++;
  Task& task = tasks_[id];
  task.deadline = core_.now.steady + request.timeout - kDispatchMargin;
  *request.request.mutable_scheduled_time() = ToProto(core_.now.wall);
  task.request = std::move(request);
  task.timer = core_.timers.Add(task.deadline, [this, id] {
    tasks_.at(id).timer = 0;
    (void)Finish(id, HandlerFailure("UPSTREAM_TIMEOUT", "upstream timeout"));
  });
  core_.Defer([this, id] {
    if (!Wanted(id)) return;
    const Task& added = tasks_.at(id);
    core_.matching.AddNexusTask(added.request.namespace_id, added.request.task_queue, id);
  });
  return id;
}

bool NexusTasks::Wanted(std::uint64_t id) const {
  const auto it = tasks_.find(id);
  return it != tasks_.end() && !it->second.taken;
}

std::string NexusTasks::Start(std::uint64_t id) {
  Task& task = tasks_.at(id);
  task.taken = true;
  ws::PollNexusTaskQueueResponse response;
  response.set_task_token(NexusTaskToken{
      .namespace_id = task.request.namespace_id, .task_queue = task.request.task_queue, .task = id}
                              .Serialize());
  *response.mutable_request() = task.request.request;
  // Once as the HTTP client wrote it, once as matching does.
  const std::string left = GoDuration(task.deadline - core_.now.steady);
  auto& header = *response.mutable_request()->mutable_header();
  header["Request-Timeout"] = left;
  header["request-timeout"] = left;
  return SerializeSorted(response);
}

StatusOr<std::uint64_t> NexusTasks::TaskOf(const std::string& ns, const std::string& bytes) const {
  const auto token = NexusTaskToken::Parse(bytes);
  if (!token || token->namespace_id.empty() || token->task_queue.empty())
    return InvalidArgument("Error deserializing task token.");
  SQUALL_ASSIGN_OR_RETURN(auto asked, core_.namespaces.Get(ns));
  if (asked->id != token->namespace_id)
    return InvalidArgument("Operation requested with a token from a different namespace.");
  return token->task;
}

Status NexusTasks::Finish(std::uint64_t id, NexusOutcome outcome) {
  auto node = tasks_.extract(id);
  if (node.empty()) return NotFound("Nexus task not found or already expired");
  core_.CancelTimer(node.mapped().timer);
  node.mapped().request.done(std::move(outcome));
  return absl::OkStatus();
}

StatusOr<ws::RespondNexusTaskCompletedResponse> NexusTasks::Completed(
    const ws::RespondNexusTaskCompletedRequest& request) {
  if (!request.namespace_().empty())
    SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.task_token().empty()) return InvalidArgument("Task token not set on request.");
  const auto& start = request.response().start_operation();
  if (start.has_async_success()) {
    const std::string& token = start.async_success().operation_token().empty()
                                   ? start.async_success().operation_id()
                                   : start.async_success().operation_token();
    if (token.empty()) return InvalidArgument("missing opration token in response");
    if (token.size() > kMaxToken) {
      return InvalidArgument(fmt::format("operation token length exceeds allowed limit ({}/{})",
                                         token.size(), kMaxToken));
    }
  }
  SQUALL_ASSIGN_OR_RETURN(const std::uint64_t id,
                          TaskOf(request.namespace_(), request.task_token()));
  if (!HasJsonDetails(start.operation_error().failure())) return NotJson();
  SQUALL_RETURN_IF_ERROR(Finish(id, request.response()));
  return ws::RespondNexusTaskCompletedResponse();
}

StatusOr<ws::RespondNexusTaskFailedResponse> NexusTasks::Failed(
    const ws::RespondNexusTaskFailedRequest& request) {
  if (!request.namespace_().empty())
    SQUALL_RETURN_IF_ERROR(core_.namespaces.Get(request.namespace_()).status());
  if (request.task_token().empty()) return InvalidArgument("Task token not set on request.");
  SQUALL_ASSIGN_OR_RETURN(const std::uint64_t id,
                          TaskOf(request.namespace_(), request.task_token()));
  if (!request.has_error() && !request.has_failure())
    return InvalidArgument("request must contain error or failure");
  if (request.has_failure() && !request.failure().has_nexus_handler_failure_info()) {
    return InvalidArgument(
        "request Failure must contain error or failure with NexusHandlerFailureInfo");
  }
  if (!HasJsonDetails(request.error().failure())) return NotJson();
  SQUALL_RETURN_IF_ERROR(
      Finish(id, request.has_failure() ? request.failure() : FromHandlerError(request.error())));
  return ws::RespondNexusTaskFailedResponse();
}

void NexusTasks::Restart(bool keep_data) {
  for (auto& [id, task] : std::exchange(tasks_, {})) {
    core_.CancelTimer(task.timer);
    if (keep_data) core_.Defer(std::move(task.request.lost));
  }
}

std::string NexusTasks::Check() const {
  for (const auto& [id, task] : tasks_) {
    if (task.timer == 0) return fmt::format("Nexus task {} has no deadline", id);
  }
  return {};
}

}  // namespace squall::fakes::engine
