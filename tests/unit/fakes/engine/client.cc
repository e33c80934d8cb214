#include "tests/unit/fakes/engine/client.h"

#include "google/rpc/status.pb.h"

namespace squall::fakes::engine {

common::Payloads Json(const std::string& text) {
  common::Payloads payloads;
  common::Payload* payload = payloads.add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(text);
  return payloads;
}

command::Command CompleteWorkflow(const std::string& json) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  *command.mutable_complete_workflow_execution_command_attributes()->mutable_result() = Json(json);
  return command;
}

command::Command FailWorkflow(const std::string& message, const std::string& type) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION);
  auto* failure = command.mutable_fail_workflow_execution_command_attributes()->mutable_failure();
  failure->set_message(message);
  failure->mutable_application_failure_info()->set_type(type);
  return command;
}

command::Command CancelWorkflow() {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION);
  command.mutable_cancel_workflow_execution_command_attributes();
  return command;
}

command::Command ContinueAsNew(const std::string& json) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
  *command.mutable_continue_as_new_workflow_execution_command_attributes()->mutable_input() =
      Json(json);
  return command;
}

command::Command StartTimer(const std::string& id, Duration after) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_START_TIMER);
  command.mutable_start_timer_command_attributes()->set_timer_id(id);
  *command.mutable_start_timer_command_attributes()->mutable_start_to_fire_timeout() =
      ToProto(after);
  return command;
}

command::Command CancelTimer(const std::string& id) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_CANCEL_TIMER);
  command.mutable_cancel_timer_command_attributes()->set_timer_id(id);
  return command;
}

command::Command Schedule(const std::string& id, const std::string& queue) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
  auto* attributes = command.mutable_schedule_activity_task_command_attributes();
  attributes->set_activity_id(id);
  attributes->mutable_activity_type()->set_name("echo");
  attributes->mutable_task_queue()->set_name(queue);
  *attributes->mutable_start_to_close_timeout() = ToProto(seconds(10));
  return command;
}

command::Command CancelActivity(std::int64_t scheduled_event_id) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK);
  command.mutable_request_cancel_activity_task_command_attributes()->set_scheduled_event_id(
      scheduled_event_id);
  return command;
}

command::Command StartChild(const std::string& id, enums::ParentClosePolicy policy) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION);
  auto* attributes = command.mutable_start_child_workflow_execution_command_attributes();
  attributes->set_workflow_id(id);
  attributes->mutable_workflow_type()->set_name("Child");
  attributes->mutable_task_queue()->set_name("children");
  attributes->set_parent_close_policy(policy);
  return command;
}

bool UnpackDetail(const RpcStatus& status, google::protobuf::Message* detail) {
  google::rpc::Status parsed;
  if (!parsed.ParseFromString(status.details)) return false;
  EXPECT_EQ(parsed.code(), status.code);
  EXPECT_EQ(parsed.message(), status.message);
  return parsed.details_size() == 1 && parsed.details(0).UnpackTo(detail);
}

ws::StartWorkflowExecutionRequest Client::StartRequest(const std::string& id,
                                                       const std::string& queue) {
  ws::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(id);
  request.mutable_workflow_type()->set_name("Ping");
  request.mutable_task_queue()->set_name(queue);
  *request.mutable_input() = Json("1");
  request.set_identity("starter");
  request.set_request_id("request-" + id);
  return request;
}

std::string Client::Start(const std::string& id, const std::string& queue) {
  const auto reply = Start(StartRequest(id, queue));
  EXPECT_EQ(reply.status.message, "");
  return reply.response.run_id();
}

void Client::Signal(const std::string& id, const std::string& name) {
  ws::SignalWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id(id);
  request.set_signal_name(name);
  EXPECT_EQ(
      Call<ws::SignalWorkflowExecutionResponse>("SignalWorkflowExecution", request).status.message,
      "");
}

std::uint64_t Client::SendWorkflowPoll(const std::string& queue, const std::string& identity,
                                       const std::string& normal_of_sticky) {
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  if (!normal_of_sticky.empty()) {
    request.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_STICKY);
    request.mutable_task_queue()->set_normal_name(normal_of_sticky);
  }
  request.set_identity(identity);
  return Send("PollWorkflowTaskQueue", request, seconds(70));
}

std::uint64_t Client::SendActivityPoll(const std::string& queue, const std::string& identity) {
  ws::PollActivityTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name(queue);
  request.set_identity(identity);
  return Send("PollActivityTaskQueue", request, seconds(70));
}

ws::PollWorkflowTaskQueueResponse Client::PollTask(const std::string& queue,
                                                   const std::string& normal_of_sticky) {
  const std::uint64_t call = SendWorkflowPoll(queue, "w", normal_of_sticky);
  if (!Answered(call)) {
    ADD_FAILURE() << "no workflow task in " << queue;
    Cancel(call);
    return {};
  }
  return Take<ws::PollWorkflowTaskQueueResponse>(call).response;
}

ws::PollActivityTaskQueueResponse Client::PollActivity(const std::string& queue,
                                                       const std::string& identity) {
  const std::uint64_t call = SendActivityPoll(queue, identity);
  if (!Answered(call)) {
    ADD_FAILURE() << "no activity task in " << queue;
    Cancel(call);
    return {};
  }
  return Take<ws::PollActivityTaskQueueResponse>(call).response;
}

Reply<ws::RespondWorkflowTaskCompletedResponse> Client::Complete(
    const ws::PollWorkflowTaskQueueResponse& task, const std::vector<command::Command>& commands,
    const std::string& sticky) {
  ws::RespondWorkflowTaskCompletedRequest request;
  request.set_namespace_("default");
  request.set_task_token(task.task_token());
  request.set_identity("w");
  for (const auto& command : commands) *request.add_commands() = command;
  if (!sticky.empty()) {
    request.mutable_sticky_attributes()->mutable_worker_task_queue()->set_name(sticky);
    *request.mutable_sticky_attributes()->mutable_schedule_to_start_timeout() =
        ToProto(seconds(10));
  }
  return Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request);
}

Reply<ws::RespondWorkflowTaskFailedResponse> Client::FailTask(
    const ws::PollWorkflowTaskQueueResponse& task) {
  ws::RespondWorkflowTaskFailedRequest request;
  request.set_namespace_("default");
  request.set_task_token(task.task_token());
  request.set_cause(enums::WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE);
  request.mutable_failure()->set_message("boom");
  request.set_identity("w");
  return Call<ws::RespondWorkflowTaskFailedResponse>("RespondWorkflowTaskFailed", request);
}

Reply<ws::RespondActivityTaskCompletedResponse> Client::CompleteActivity(
    const std::string& token, const std::string& result) {
  ws::RespondActivityTaskCompletedRequest request;
  request.set_namespace_("default");
  request.set_task_token(token);
  request.set_identity("w");
  *request.mutable_result() = Json(result);
  return Call<ws::RespondActivityTaskCompletedResponse>("RespondActivityTaskCompleted", request);
}

Reply<ws::RespondActivityTaskFailedResponse> Client::FailActivity(const std::string& token,
                                                                  const std::string& type,
                                                                  bool non_retryable) {
  ws::RespondActivityTaskFailedRequest request;
  request.set_namespace_("default");
  request.set_task_token(token);
  request.set_identity("w");
  request.mutable_failure()->set_message("it broke");
  request.mutable_failure()->mutable_application_failure_info()->set_type(type);
  request.mutable_failure()->mutable_application_failure_info()->set_non_retryable(non_retryable);
  return Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request);
}

std::vector<historypb::HistoryEvent> Client::History(const std::string& id,
                                                     const std::string& run_id) {
  ws::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(id);
  request.mutable_execution()->set_run_id(run_id);
  std::vector<historypb::HistoryEvent> events;
  do {
    const auto reply =
        Call<ws::GetWorkflowExecutionHistoryResponse>("GetWorkflowExecutionHistory", request);
    EXPECT_EQ(reply.status.message, "");
    events.insert(events.end(), reply.response.history().events().begin(),
                  reply.response.history().events().end());
    request.set_next_page_token(reply.response.next_page_token());
  } while (!request.next_page_token().empty());
  return events;
}

std::vector<std::string> Client::EventNames(const std::string& id, const std::string& run_id) {
  std::vector<std::string> names;
  for (const auto& event : History(id, run_id)) {
    names.push_back(
        enums::EventType_Name(event.event_type()).substr(std::string("EVENT_TYPE_").size()));
  }
  return names;
}

ws::DescribeWorkflowExecutionResponse Client::Describe(const std::string& id,
                                                       const std::string& run_id) {
  ws::DescribeWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(id);
  request.mutable_execution()->set_run_id(run_id);
  const auto reply =
      Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", request);
  EXPECT_EQ(reply.status.message, "");
  return reply.response;
}

}  // namespace squall::fakes::engine
