#include "tests/load/requests.h"

#include <utility>

#include "fakes/engine/times.h"

namespace squall::load {

ws::StartWorkflowExecutionRequest StartRequest(const std::string& id, const std::string& queue) {
  ws::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(id);
  request.mutable_workflow_type()->set_name("Load");
  request.mutable_task_queue()->set_name(queue);
  auto* payload = request.mutable_input()->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data("{\"order\":\"" + id + "\",\"amount\":100}");
  request.set_identity("squall-load");
  request.set_request_id("start-" + id);
  return request;
}

ws::PollWorkflowTaskQueueRequest PollRequest(const std::string& queue) {
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  request.set_identity("squall-load");
  return request;
}

command::Command CompleteWorkflow() {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  command.mutable_complete_workflow_execution_command_attributes();
  return command;
}

command::Command StartTimer(const std::string& id, Duration after) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_START_TIMER);
  auto* attributes = command.mutable_start_timer_command_attributes();
  attributes->set_timer_id(id);
  *attributes->mutable_start_to_fire_timeout() = fakes::engine::ToProto(after);
  return command;
}

command::Command ScheduleActivity(const std::string& id, const std::string& queue) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
  auto* attributes = command.mutable_schedule_activity_task_command_attributes();
  attributes->set_activity_id(id);
  attributes->mutable_activity_type()->set_name("Pay");
  attributes->mutable_task_queue()->set_name(queue);
  attributes->mutable_start_to_close_timeout()->set_seconds(60);
  return command;
}

Window::Window(harness::AsioExecutor& executor, std::size_t total, std::size_t calls, Make make)
    : executor_(executor), total_(total), calls_(calls), make_(std::move(make)) {}

Status Window::Run(Duration limit) {
  for (std::size_t i = 0; i < calls_; ++i) Next();
  if (!executor_.RunUntil([this] { return answered_ == total_; }, limit)) {
    if (errors_.count != 0) return errors_.status("calls");
    return MakeStatus(StatusCode::kDeadlineExceeded, "{} of {} calls are answered", answered_,
                      total_);
  }
  return errors_.status("calls");
}

void Window::Next() {
  if (begun_ < total_) Begin(begun_++);
}

void Window::Begin(std::size_t n) {
  const SteadyTime start = executor_.clock().Now();
  make_(n, [this, n, start](const wire::GrpcResponse& response) {
    if (response.status.code == static_cast<int>(StatusCode::kUnavailable)) {
      ++repeated_;
      return executor_.Post([this, n] { Begin(n); });
    }
    ++answered_;
    if (!errors_.Saw(response))
      millis_.push_back(static_cast<double>((executor_.clock().Now() - start).count()) / 1e6);
    Next();
  });
}

Worker::Worker(Connections& connections, std::string queue, std::size_t polls, Decide decide)
    : connections_(connections), queue_(std::move(queue)), decide_(std::move(decide)) {
  for (std::size_t i = 0; i < polls; ++i) Poll();
}

void Worker::Poll() {
  if (stopped_) return;
  const std::size_t slot = next_slot_++ % connections_.size();
  connections_.Call(slot, "PollWorkflowTaskQueue", PollRequest(queue_), kPollTimeout,
                    [this](const wire::GrpcResponse& response) {
                      if (response.status.code == static_cast<int>(StatusCode::kUnavailable)) {
                        ++repeated_;
                        return connections_.Post([this] { Poll(); });
                      }
                      ws::PollWorkflowTaskQueueResponse task;
                      if (errors_.Saw(response)) return;
                      if (!task.ParseFromString(response.message) || task.task_token().empty())
                        return Poll();
                      ws::RespondWorkflowTaskCompletedRequest request;
                      request.set_namespace_("default");
                      request.set_identity("squall-load");
                      request.set_task_token(task.task_token());
                      for (command::Command& command : decide_(task))
                        *request.add_commands() = std::move(command);
                      Complete(std::move(request));
                    });
}

void Worker::Complete(ws::RespondWorkflowTaskCompletedRequest request) {
  const std::size_t slot = next_slot_++ % connections_.size();
  // The call serializes the request before it returns.
  const auto kept = std::make_shared<ws::RespondWorkflowTaskCompletedRequest>(std::move(request));
  connections_.Call(slot, "RespondWorkflowTaskCompleted", *kept, kCallTimeout,
                    [this, kept](const wire::GrpcResponse& response) {
                      const auto code = static_cast<StatusCode>(response.status.code);
                      if (code == StatusCode::kUnavailable) {
                        ++repeated_;
                        return connections_.Post([this, kept] { Complete(std::move(*kept)); });
                      }
                      if (code == StatusCode::kNotFound) {
                        ++too_late_;
                      } else if (!errors_.Saw(response)) {
                        ++completed_;
                      }
                      Poll();
                    });
}

}  // namespace squall::load
