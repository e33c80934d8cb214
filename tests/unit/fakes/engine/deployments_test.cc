// Worker deployments: how they come to be, what operators change, what is refused, draining.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/versioned.h"

namespace squall::fakes::engine {
namespace {

constexpr auto kInactive = enums::WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE,
               kCurrent = enums::WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT,
               kRamping = enums::WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING,
               kDraining = enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING,
               kDrained = enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED;

ws::DescribeWorkerDeploymentVersionResponse DescribeVersion(Versioned& c,
                                                            const std::string& build) {
  ws::DescribeWorkerDeploymentVersionRequest request;
  request.set_namespace_("default");
  request.mutable_deployment_version()->set_deployment_name("d");
  request.mutable_deployment_version()->set_build_id(build);
  const auto reply = c.Client::Call<ws::DescribeWorkerDeploymentVersionResponse>(
      "DescribeWorkerDeploymentVersion", request);
  c.status = reply.status;
  return reply.response;
}

RpcStatus DeleteVersion(Versioned& c, const std::string& build, bool skip = false,
                        const std::string& identity = "op") {
  ws::DeleteWorkerDeploymentVersionRequest request;
  request.set_namespace_("default");
  request.mutable_deployment_version()->set_deployment_name("d");
  request.mutable_deployment_version()->set_build_id(build);
  request.set_skip_drainage(skip);
  request.set_identity(identity);
  return c
      .Client::Call<ws::DeleteWorkerDeploymentVersionResponse>("DeleteWorkerDeploymentVersion",
                                                               request)
      .status;
}

TEST(Deployments, AreMadeByPollsOfVersionedWorkers) {
  Versioned c;
  c.Deployment();
  EXPECT_EQ(c.status.code, 5);
  EXPECT_EQ(c.status.message,
            "no Worker Deployment found with name 'd'; does your Worker Deployment have pollers?");
  c.Poll("1");
  const auto info = c.Deployment();
  ASSERT_EQ(info.version_summaries_size(), 1);
  EXPECT_EQ(info.version_summaries(0).version(), "d.1");
  EXPECT_EQ(info.version_summaries(0).status(), kInactive);
  EXPECT_EQ(info.routing_config().current_version(), "__unversioned__");
  c.PollActivities("1");
  EXPECT_EQ(DescribeVersion(c, "1").version_task_queues_size(), 2);
  DescribeVersion(c, "2");
  EXPECT_EQ(c.status.message, "Worker Deployment Version not found");
  // A sticky queue belongs to no version.
  c.Poll("1", "sticky", "q");
  EXPECT_EQ(DescribeVersion(c, "1").version_task_queues_size(), 2);
}

TEST(Deployments, GiveVersionsTheirStatusAndTimes) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  EXPECT_EQ(c.SetCurrent("1").response.previous_version(), "__unversioned__");
  EXPECT_EQ(c.StatusOf("1"), kCurrent);
  EXPECT_EQ(c.SetRamping("2", 30).status.message, "");
  EXPECT_EQ(c.StatusOf("2"), kRamping);
  auto routing = c.Deployment().routing_config();
  EXPECT_EQ(routing.ramping_version(), "d.2");
  EXPECT_EQ(routing.revision_number(), 2);
  // Promoting the ramping version ends the ramp.
  const auto promoted = c.SetCurrent("2");
  EXPECT_EQ(promoted.response.previous_deployment_version().build_id(), "1");
  routing = c.Deployment().routing_config();
  EXPECT_EQ(routing.ramping_version(), "");
  EXPECT_EQ(routing.current_version(), "d.2");
  EXPECT_EQ(c.StatusOf("1"), kDraining);
  EXPECT_EQ(c.StatusOf("2"), kCurrent);
  const auto version = DescribeVersion(c, "1").worker_deployment_version_info();
  EXPECT_EQ(version.drainage_info().status(), enums::VERSION_DRAINAGE_STATUS_DRAINING);
  EXPECT_FALSE(version.has_current_since_time());
  // Nothing is ramping: unsetting changes nothing but who asked last.
  EXPECT_EQ(c.SetRamping("", 0).status.message, "");
  EXPECT_EQ(c.SetCurrent("").status.message, "");
  EXPECT_EQ(c.StatusOf("2"), kDraining);
  c.Start("wf");
  EXPECT_EQ(c.Got(c.Poll("")), "wf");  // unversioned again
}

TEST(Deployments, RefuseChangesThatMakeNoSense) {
  Versioned c;
  c.Register("1");
  EXPECT_EQ(c.SetCurrent("9").status.message, "build ID '9' not found in Worker Deployment 'd'");
  c.SetCurrent("1");
  EXPECT_EQ(c.SetRamping("1", 5).status.message,
            "requested ramping version d.1 is already current");
  EXPECT_EQ(c.SetRamping("1", 101).status.message,
            "Percentage must be between 0 and 100 (inclusive)");
  ws::SetWorkerDeploymentCurrentVersionRequest request;
  request.set_namespace_("default");
  const auto refusal = [&] {
    return c
        .Client::Call<ws::SetWorkerDeploymentCurrentVersionResponse>(
            "SetWorkerDeploymentCurrentVersion", request)
        .status.message;
  };
  EXPECT_EQ(refusal(), "deployment name cannot be empty");
  request.set_deployment_name("d");
  request.set_version("other.1");
  EXPECT_EQ(refusal(), "invalid version string 'other.1' does not match deployment name 'd'");
  request.set_version("nodelimiter");
  EXPECT_EQ(refusal(),
            "invalid version string: expected delimiter ':' or '.' not found in version string "
            "nodelimiter");
  request.clear_version();
  request.set_conflict_token("stale");
  EXPECT_EQ(refusal(), "conflict token mismatch");
  request.clear_conflict_token();
  request.set_deployment_name("none");
  request.set_build_id("1");
  EXPECT_EQ(refusal(),
            "no Worker Deployment found with name 'none'; does your Worker Deployment have "
            "pollers?");
  request.set_allow_no_pollers(true);
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(c.Deployment("none").routing_config().current_version(), "none.1");
}

TEST(Deployments, KeepQueuesWithWorkInTheNewVersion) {
  Versioned c;
  c.Register("1");
  c.Register("1", "busy");
  c.SetCurrent("1");
  c.Start("wf", "busy");
  c.Register("2");
  EXPECT_EQ(c.SetCurrent("2").status.message,
            "proposed current version 'd:2' is missing active task queues from the current "
            "version; these would become unversioned if it is set as the current version");
  c.Register("2", "busy");
  EXPECT_EQ(c.SetCurrent("2").status.message, "");
}

TEST(Deployments, ListenToTheirManagerOnly) {
  Versioned c;
  c.Register("1");
  ws::SetWorkerDeploymentManagerRequest request;
  request.set_namespace_("default");
  request.set_deployment_name("d");
  const auto set = [&] {
    return c.Client::Call<ws::SetWorkerDeploymentManagerResponse>("SetWorkerDeploymentManager",
                                                                  request);
  };
  EXPECT_EQ(set().status.message, "Identity is required");
  request.set_identity("boss");
  request.set_self(true);
  EXPECT_EQ(set().status.message, "");
  EXPECT_THAT(c.SetCurrent("1").status.message,
              testing::StartsWith("ManagerIdentity 'boss' is set and does not match user identity "
                                  "'op'"));
  request.set_manager_identity("op");
  EXPECT_EQ(set().response.previous_manager_identity(), "boss");
  EXPECT_EQ(c.SetCurrent("1").status.message, "");
}

TEST(Deployments, DrainOnceNothingIsPinnedAnyMore) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kPinned);
  c.SetCurrent("2");
  c.Advance(minutes(3));
  EXPECT_EQ(c.StatusOf("1"), kDraining);
  c.Signal("wf", "s");
  c.Work("wf", "1", kPinned, {CompleteWorkflow()});
  c.Advance(minutes(3));
  EXPECT_EQ(c.StatusOf("1"), kDrained);
  // Nothing is left to wait for but the end of the retention of the closed run.
  ASSERT_TRUE(c.engine.NextDeadline());
  EXPECT_GT(*c.engine.NextDeadline(), c.now().steady + hours(1));
}

TEST(Deployments, DeleteVersionsThatNobodyNeeds) {
  Versioned c;
  EXPECT_EQ(DeleteVersion(c, "1").message,
            "workflow not found for ID: temporal-sys-worker-deployment:d");
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  EXPECT_EQ(DeleteVersion(c, "1").message,
            "version 'd:1' cannot be deleted since it is current or ramping");
  c.SetCurrent("2");
  EXPECT_EQ(DeleteVersion(c, "1").message, "version 'd:1' cannot be deleted since it is draining");
  EXPECT_EQ(DeleteVersion(c, "1", true).message,
            "version 'd:1' cannot be deleted since it has active pollers");
  c.Advance(minutes(6));
  EXPECT_EQ(DeleteVersion(c, "1").message, "");
  EXPECT_EQ(DeleteVersion(c, "1").message, "");  // gone already
  ws::DeleteWorkerDeploymentRequest request;
  request.set_namespace_("default");
  request.set_deployment_name("d");
  const auto remove = [&] {
    return c.Client::Call<ws::DeleteWorkerDeploymentResponse>("DeleteWorkerDeployment", request)
        .status.message;
  };
  EXPECT_EQ(remove(), "deployment has versions, can't be deleted");
  c.SetCurrent("");
  EXPECT_EQ(DeleteVersion(c, "2", true).message, "");
  EXPECT_EQ(remove(), "");
  EXPECT_EQ(remove(), "");
  c.Deployment();
  EXPECT_EQ(c.status.code, 5);
}

TEST(Deployments, AreCreatedAheadOfTheirWorkers) {
  Versioned c;
  ws::CreateWorkerDeploymentRequest make;
  make.set_namespace_("default");
  make.set_deployment_name("d");
  make.set_request_id("r");
  const auto create = [&] {
    return c.Client::Call<ws::CreateWorkerDeploymentResponse>("CreateWorkerDeployment", make);
  };
  const std::string token = create().response.conflict_token();
  EXPECT_EQ(create().response.conflict_token(), token);
  make.set_request_id("s");
  EXPECT_EQ(create().status.message, "Worker Deployment with name \"d\" already exists");
  EXPECT_EQ(create().status.code, 6);
  ws::CreateWorkerDeploymentVersionRequest version;
  version.set_namespace_("default");
  version.mutable_deployment_version()->set_deployment_name("d");
  version.mutable_deployment_version()->set_build_id("1");
  version.set_request_id("r");
  const auto add = [&] {
    return c
        .Client::Call<ws::CreateWorkerDeploymentVersionResponse>("CreateWorkerDeploymentVersion",
                                                                 version)
        .status.message;
  };
  EXPECT_EQ(add(), "");
  EXPECT_EQ(add(), "");
  EXPECT_EQ(c.StatusOf("1"), enums::WORKER_DEPLOYMENT_VERSION_STATUS_CREATED);
  c.Register("1");
  EXPECT_EQ(c.StatusOf("1"), kInactive);
  version.set_request_id("t");
  EXPECT_EQ(add(), "Worker Deployment Version \"d.1\" already exists");
  version.mutable_deployment_version()->set_build_id("2");
  (*version.mutable_compute_config()->mutable_scaling_groups())["g"].mutable_provider()->set_type(
      "aws-lambda");
  EXPECT_EQ(add(), "g: Could not instantiate compute provider with type 'aws-lambda'");
}

TEST(Deployments, AreListedInPagesTheLatestFirst) {
  Versioned c;
  for (const char* name : {"a", "b", "c"}) {
    ws::CreateWorkerDeploymentRequest make;
    make.set_namespace_("default");
    make.set_deployment_name(name);
    c.Client::Call<ws::CreateWorkerDeploymentResponse>("CreateWorkerDeployment", make);
  }
  ws::ListWorkerDeploymentsRequest request;
  request.set_namespace_("default");
  request.set_page_size(2);
  const auto list = [&] {
    return c.Client::Call<ws::ListWorkerDeploymentsResponse>("ListWorkerDeployments", request)
        .response;
  };
  const auto first = list();
  ASSERT_EQ(first.worker_deployments_size(), 2);
  EXPECT_EQ(first.worker_deployments(0).name(), "c");
  request.set_next_page_token(first.next_page_token());
  const auto second = list();
  ASSERT_EQ(second.worker_deployments_size(), 1);
  EXPECT_EQ(second.worker_deployments(0).name(), "a");
  EXPECT_EQ(second.next_page_token(), "");
}

TEST(Deployments, StayOverARestartWithItsData) {
  for (const bool keep : {true, false}) {
    Versioned c;
    c.Register("1");
    c.SetCurrent("1");
    c.engine.Restart(c.now(), keep);
    EXPECT_EQ(c.Deployment().routing_config().current_version(), keep ? "d.1" : "");
  }
}

}  // namespace
}  // namespace squall::fakes::engine
