#pragma once
// Versioned workers in a few words, over Client.

#include <string>

#include "fakes/engine/version.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {

inline constexpr auto kPinned = enums::VERSIONING_BEHAVIOR_PINNED;
inline constexpr auto kAutoUpgrade = enums::VERSIONING_BEHAVIOR_AUTO_UPGRADE;

inline void Fill(deploymentpb::WorkerDeploymentOptions* options, const std::string& build) {
  options->set_deployment_name("d");
  options->set_build_id(build);
  options->set_worker_versioning_mode(enums::WORKER_VERSIONING_MODE_VERSIONED);
}

// Workers of deployment "d" on queue "q".
class Versioned : public Client {
 public:
  using Client::Client;

  std::uint64_t Poll(const std::string& build, const std::string& queue = "q",
                     const std::string& normal_of_sticky = {}) {
    ws::PollWorkflowTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name(queue);
    if (!normal_of_sticky.empty()) {
      request.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_STICKY);
      request.mutable_task_queue()->set_normal_name(normal_of_sticky);
    }
    request.set_identity("w" + build);
    if (!build.empty()) Fill(request.mutable_deployment_options(), build);
    return Send("PollWorkflowTaskQueue", request, seconds(70));
  }
  std::uint64_t PollActivities(const std::string& build, const std::string& queue = "q") {
    ws::PollActivityTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name(queue);
    request.set_identity("a" + build);
    if (!build.empty()) Fill(request.mutable_deployment_options(), build);
    return Send("PollActivityTaskQueue", request, seconds(70));
  }
  // Makes the version known on "q" without leaving a poll behind.
  void Register(const std::string& build, const std::string& queue = "q") {
    Cancel(Poll(build, queue));
  }
  // The workflow of the task that the poll got, or "".
  std::string Got(std::uint64_t poll) {
    if (!Answered(poll)) return "";
    last = Take<ws::PollWorkflowTaskQueueResponse>(poll).response;
    return last.workflow_execution().workflow_id();
  }
  void Finish(const std::string& build, enums::VersioningBehavior behavior,
              const std::vector<command::Command>& commands = {}, const std::string& sticky = {}) {
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_namespace_("default");
    request.set_task_token(last.task_token());
    request.set_identity("w" + build);
    request.set_versioning_behavior(behavior);
    if (!build.empty()) Fill(request.mutable_deployment_options(), build);
    for (const auto& command : commands) *request.add_commands() = command;
    if (!sticky.empty()) {
      auto* queue = request.mutable_sticky_attributes()->mutable_worker_task_queue();
      queue->set_name(sticky);
      queue->set_kind(enums::TASK_QUEUE_KIND_STICKY);
      queue->set_normal_name("q");
      *request.mutable_sticky_attributes()->mutable_schedule_to_start_timeout() =
          ToProto(seconds(10));
    }
    EXPECT_EQ(Client::Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted",
                                                                     request)
                  .status.message,
              "");
  }
  // A worker of that build takes the task that must be there and answers it.
  void Work(const std::string& workflow, const std::string& build,
            enums::VersioningBehavior behavior, const std::vector<command::Command>& commands = {},
            const std::string& sticky = {}) {
    EXPECT_EQ(Got(Poll(build)), workflow);
    Finish(build, behavior, commands, sticky);
  }
  Reply<ws::SetWorkerDeploymentCurrentVersionResponse> SetCurrent(const std::string& build) {
    ws::SetWorkerDeploymentCurrentVersionRequest request;
    request.set_namespace_("default");
    request.set_deployment_name("d");
    request.set_build_id(build);
    request.set_identity("op");
    return Client::Call<ws::SetWorkerDeploymentCurrentVersionResponse>(
        "SetWorkerDeploymentCurrentVersion", request);
  }
  Reply<ws::SetWorkerDeploymentRampingVersionResponse> SetRamping(const std::string& build,
                                                                  float percentage) {
    ws::SetWorkerDeploymentRampingVersionRequest request;
    request.set_namespace_("default");
    request.set_deployment_name("d");
    request.set_build_id(build);
    request.set_percentage(percentage);
    request.set_identity("op");
    return Client::Call<ws::SetWorkerDeploymentRampingVersionResponse>(
        "SetWorkerDeploymentRampingVersion", request);
  }
  deploymentpb::WorkerDeploymentInfo Deployment(const std::string& name = "d") {
    ws::DescribeWorkerDeploymentRequest request;
    request.set_namespace_("default");
    request.set_deployment_name(name);
    auto reply =
        Client::Call<ws::DescribeWorkerDeploymentResponse>("DescribeWorkerDeployment", request);
    status = reply.status;
    return reply.response.worker_deployment_info();
  }
  enums::WorkerDeploymentVersionStatus StatusOf(const std::string& build) {
    const auto info = Deployment();
    for (const auto& version : info.version_summaries()) {
      if (version.deployment_version().build_id() == build) return version.status();
    }
    return enums::WORKER_DEPLOYMENT_VERSION_STATUS_UNSPECIFIED;
  }
  workflowpb::WorkflowExecutionVersioningInfo Versioning(const std::string& workflow) {
    return Describe(workflow).workflow_execution_info().versioning_info();
  }

  ws::PollWorkflowTaskQueueResponse last;
  RpcStatus status;
};

}  // namespace squall::fakes::engine
