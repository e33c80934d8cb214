// What the bed's worker and its operator do: poll, start, complete, fail, make a version current.

#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/integration/doctor/bed.h"

namespace squall::doctor {
namespace {

namespace service = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;

template <typename Request>
std::string Bytes(Request request) {
  request.set_namespace_("default");
  return request.SerializeAsString();
}

template <typename Request>
Request PollOf(const std::string& queue) {
  Request request;
  request.set_identity("worker-1");
  request.mutable_task_queue()->set_name(queue);
  return request;
}

template <typename Request>
std::string VersionedPoll(const std::string& queue, const std::string& deployment,
                          const std::string& build) {
  Request request = PollOf<Request>(queue);
  if (!deployment.empty()) {
    auto* options = request.mutable_deployment_options();
    options->set_deployment_name(deployment);
    options->set_build_id(build);
    options->set_worker_versioning_mode(enums::WORKER_VERSIONING_MODE_VERSIONED);
  }
  return Bytes(std::move(request));
}

template <typename Message>
Message Parsed(const std::string& bytes) {
  Message message;
  SQUALL_CHECK(message.ParseFromString(bytes), "the answer cannot be read");
  return message;
}

}  // namespace

Rpc& DoctorBed::Helper() {
  if (!helper_) {
    RpcOptions rpc;
    rpc.authority = "helper";
    if (const std::string key = Get("TEMPORAL_API_KEY"); !key.empty())
      rpc.metadata.emplace("authorization", "Bearer " + key);
    const auto port = real_ ? real_->port : static_cast<std::uint16_t>(fake_->port(1));
    helper_ =
        std::make_unique<Rpc>(executor_,
                              std::make_unique<Channel>(executor_, Endpoint{"127.0.0.1", port},
                                                        nullptr, clock_.WallNow()),
                              rpc);
  }
  return *helper_;
}

std::string DoctorBed::Answered(std::string_view method, const std::string& request) {
  const CallPtr call =
      Helper().Start(Rpc::kWorkflowService, method, request, std::chrono::seconds(20));
  SQUALL_CHECK(executor_.RunUntil([&] { return call->done; }, Scaled(std::chrono::seconds(20))),
               method);
  SQUALL_CHECK(call->response.status.ok(), call->response.status.message);
  return call->response.message;
}

void DoctorBed::Poll(const std::string& queue, bool activities) {
  PollAs(queue, activities, "", "");
}

void DoctorBed::PollAs(const std::string& queue, bool activities, const std::string& deployment,
                       const std::string& build) {
  Helper().Start(
      Rpc::kWorkflowService, activities ? "PollActivityTaskQueue" : "PollWorkflowTaskQueue",
      activities ? VersionedPoll<service::PollActivityTaskQueueRequest>(queue, deployment, build)
                 : VersionedPoll<service::PollWorkflowTaskQueueRequest>(queue, deployment, build),
      std::chrono::seconds(60));
  // A real server shows it a moment later.
  AwaitQueue(queue, activities, "no poller is shown", [&build](const std::string& answer) {
    const auto seen = Parsed<service::DescribeTaskQueueResponse>(answer);
    for (const auto& one : seen.pollers()) {
      if (one.deployment_options().build_id() == build) return true;
    }
    return false;
  });
}

void DoctorBed::AwaitQueue(const std::string& queue, bool activities, std::string_view otherwise,
                           const std::function<bool(const std::string&)>& is) {
  service::DescribeTaskQueueRequest describe;
  describe.mutable_task_queue()->set_name(queue);
  describe.set_task_queue_type(activities ? enums::TASK_QUEUE_TYPE_ACTIVITY
                                          : enums::TASK_QUEUE_TYPE_WORKFLOW);
  const SteadyTime began = clock_.Now();
  while (!is(Answered("DescribeTaskQueue", Bytes(describe))))
    SQUALL_CHECK(clock_.Now() - began < Scaled(std::chrono::seconds(20)), otherwise);
}

void DoctorBed::MakeCurrent(const std::string& queue, const std::string& deployment,
                            const std::string& build) {
  service::SetWorkerDeploymentCurrentVersionRequest request;
  request.set_deployment_name(deployment);
  request.set_build_id(build);
  request.set_identity("operator");
  request.set_ignore_missing_task_queues(true);
  const SteadyTime began = clock_.Now();
  // A real server knows the version a moment after its first poll.
  for (bool done = false; !done;) {
    const CallPtr call = Helper().Start(Rpc::kWorkflowService, "SetWorkerDeploymentCurrentVersion",
                                        Bytes(request), std::chrono::seconds(20));
    SQUALL_CHECK(executor_.RunUntil([&] { return call->done; }, Scaled(std::chrono::seconds(20))),
                 "SetWorkerDeploymentCurrentVersion");
    done = call->response.status.ok();
    SQUALL_CHECK(done || clock_.Now() - began < Scaled(std::chrono::seconds(20)),
                 call->response.status.message);
  }
  for (const bool activities : {false, true}) {
    AwaitQueue(queue, activities, "the version does not get current",
               [&build](const std::string& answer) {
                 return Parsed<service::DescribeTaskQueueResponse>(answer)
                            .versioning_info()
                            .current_deployment_version()
                            .build_id() == build;
               });
  }
}

void DoctorBed::DeleteNamespace(const std::string& name) {
  service::RegisterNamespaceRequest request;
  request.set_namespace_(name);
  request.mutable_workflow_execution_retention_period()->set_seconds(86400);
  Answered("RegisterNamespace", request.SerializeAsString());
  service::UpdateNamespaceRequest update;
  update.set_namespace_(name);
  update.mutable_update_info()->set_state(temporal::api::enums::v1::NAMESPACE_STATE_DELETED);
  Answered("UpdateNamespace", update.SerializeAsString());
}

void DoctorBed::StartWorkflow(const std::string& queue, const std::string& type) {
  service::StartWorkflowExecutionRequest start;
  start.set_workflow_id("w-" + rng_.Hex(12));
  start.set_request_id(rng_.Hex(12));
  start.mutable_workflow_type()->set_name(type);
  start.mutable_task_queue()->set_name(queue);
  Answered("StartWorkflowExecution", Bytes(std::move(start)));
}

void DoctorBed::DoWorkflowTask(const std::string& queue, const std::string& activity,
                               const std::string& failure) {
  const auto task = Parsed<service::PollWorkflowTaskQueueResponse>(Answered(
      "PollWorkflowTaskQueue", Bytes(PollOf<service::PollWorkflowTaskQueueRequest>(queue))));
  SQUALL_CHECK(!task.task_token().empty(), "there is no task");
  if (!failure.empty()) {
    service::RespondWorkflowTaskFailedRequest request;
    request.set_task_token(task.task_token());
    request.set_cause(enums::WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE);
    request.mutable_failure()->set_message(failure);
    request.mutable_failure()->mutable_application_failure_info();
    Answered("RespondWorkflowTaskFailed", Bytes(std::move(request)));
    return;
  }
  service::RespondWorkflowTaskCompletedRequest request;
  request.set_task_token(task.task_token());
  if (!activity.empty()) {
    auto* command = request.add_commands();
    command->set_command_type(enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK);
    auto* schedule = command->mutable_schedule_activity_task_command_attributes();
    schedule->set_activity_id("1");
    schedule->mutable_activity_type()->set_name(activity);
    schedule->mutable_task_queue()->set_name(queue);
    schedule->mutable_start_to_close_timeout()->set_seconds(60);
  }
  Answered("RespondWorkflowTaskCompleted", Bytes(std::move(request)));
}

void DoctorBed::DoActivityTask(const std::string& queue, const std::string& failure) {
  const auto task = Parsed<service::PollActivityTaskQueueResponse>(Answered(
      "PollActivityTaskQueue", Bytes(PollOf<service::PollActivityTaskQueueRequest>(queue))));
  SQUALL_CHECK(!task.task_token().empty(), "there is no task");
  if (failure.empty()) {
    service::RespondActivityTaskCompletedRequest request;
    request.set_task_token(task.task_token());
    Answered("RespondActivityTaskCompleted", Bytes(std::move(request)));
    return;
  }
  service::RespondActivityTaskFailedRequest request;
  request.set_task_token(task.task_token());
  request.mutable_failure()->set_message(failure);
  request.mutable_failure()->mutable_application_failure_info()->set_type("NotFoundError");
  Answered("RespondActivityTaskFailed", Bytes(std::move(request)));
}

void DoctorBed::AwaitListed(const std::string& queue) {
  service::ListWorkflowExecutionsRequest list;
  list.set_query(fmt::format("TaskQueue = '{}'", queue));
  const SteadyTime began = clock_.Now();
  while (Parsed<service::ListWorkflowExecutionsResponse>(
             Answered("ListWorkflowExecutions", Bytes(list)))
             .executions()
             .empty())
    SQUALL_CHECK(clock_.Now() - began < Scaled(std::chrono::seconds(20)), "it is not listed");
}

}  // namespace squall::doctor
