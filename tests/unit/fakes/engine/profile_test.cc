// Engines that answer as older releases: what is not known there is neither read nor said.

#include "fakes/engine/profile.h"

#include <gmock/gmock.h>

#include <set>

#include "fakes/engine/releases.h"
#include "fakes/engine/settings.h"
#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

EngineOptions As(std::string_view version) {
  EngineOptions options = TestOptions();
  const Status status = ApplyProfile(version, &options);
  EXPECT_EQ(Message(status), "");
  return options;
}

TEST(Profile, ClearsFieldsAtAnyDepthInBothDirections) {
  constexpr std::array absent = {
      std::string_view("temporal.api.workflowservice.v1.StartWorkflowExecutionRequest.priority"),
      std::string_view("temporal.api.common.v1.RetryPolicy.maximum_attempts"),
      std::string_view("temporal.api.common.v1.Payload.data")};
  const Profile profile = {.version = "0.1",
                           .unknown_methods = {},
                           .refused_methods = {},
                           .absent_fields = absent,
                           .capabilities_off = {}};
  const ProfileFilter filter(profile);
  ws::StartWorkflowExecutionRequest request;
  request.set_workflow_id("wf");
  request.mutable_priority()->set_priority_key(3);
  request.mutable_retry_policy()->set_maximum_attempts(3);
  request.mutable_retry_policy()->set_backoff_coefficient(2);
  request.mutable_input()->add_payloads()->set_data("gone");
  auto& memo = (*request.mutable_memo()->mutable_fields())["m"];
  memo.set_data("gone");
  (*memo.mutable_metadata())["encoding"] = "kept";
  ws::StartWorkflowExecutionRequest seen;
  ASSERT_TRUE(seen.ParseFromString(
      filter.Request(kWorkflowService, "StartWorkflowExecution", request.SerializeAsString())));
  EXPECT_EQ(seen.workflow_id(), "wf");
  EXPECT_FALSE(seen.has_priority());
  EXPECT_EQ(seen.retry_policy().maximum_attempts(), 0);
  EXPECT_EQ(seen.retry_policy().backoff_coefficient(), 2);
  EXPECT_EQ(seen.input().payloads(0).data(), "");
  EXPECT_EQ(seen.memo().fields().at("m").data(), "");
  EXPECT_EQ(seen.memo().fields().at("m").metadata().at("encoding"), "kept");

  ws::QueryWorkflowResponse response;
  response.mutable_query_result()->add_payloads()->set_data("gone");
  ws::QueryWorkflowResponse said;
  ASSERT_TRUE(said.ParseFromString(filter.Response("QueryWorkflow", response.SerializeAsString())));
  EXPECT_EQ(said.query_result().payloads_size(), 1);
  EXPECT_EQ(said.query_result().payloads(0).data(), "");
  EXPECT_EQ(filter.Response("QueryWorkflow", "\xff no message"), "\xff no message");
}

TEST(Profile, RefusesMethodsThatTheReleaseDoesNotHave) {
  constexpr std::array unknown = {
      std::string_view("temporal.api.workflowservice.v1.WorkflowService/QueryWorkflow")};
  constexpr std::array refused = {
      RefusedMethod{"temporal.api.operatorservice.v1.OperatorService/ListClusters", "not here"}};
  const Profile profile = {.version = "0.1",
                           .unknown_methods = unknown,
                           .refused_methods = refused,
                           .absent_fields = {},
                           .capabilities_off = {}};
  const ProfileFilter filter(profile);
  EXPECT_THAT(*filter.Refusal(kWorkflowService, "QueryWorkflow"),
              StatusIs(StatusCode::kUnimplemented,
                       "unknown method QueryWorkflow for service "
                       "temporal.api.workflowservice.v1.WorkflowService"));
  EXPECT_THAT(*filter.Refusal(kOperatorService, "ListClusters"),
              StatusIs(StatusCode::kUnimplemented, "not here"));
  EXPECT_EQ(filter.Refusal(kWorkflowService, "ListClusters"), std::nullopt);
}

TEST(Profile, KnowsReleasesFromTheOldestToTheNewest) {
  EXPECT_GE(Profiles().size(), 5u);
  EXPECT_EQ(Profiles().back()->version, EngineOptions().server_version);
  std::set<std::string_view> versions;
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const Profile* profile : Profiles()) {
    EXPECT_TRUE(versions.insert(profile->version).second) << profile->version;
    EXPECT_EQ(FindProfile(profile->version), profile);
    // What was recorded means something to this build: nothing is left out by a misspelt name.
    for (const std::string_view field : profile->absent_fields)
      EXPECT_NE(pool->FindFieldByName(std::string(field)), nullptr) << field;
    for (const std::string_view field : profile->capabilities_off)
      EXPECT_NE(pool->FindFieldByName(std::string(field)), nullptr) << field;
  }
}

TEST(Profile, AnswersAsTheReleaseThatItIsGiven) {
  const Profile& oldest = *Profiles().front();
  ASSERT_FALSE(oldest.unknown_methods.empty());
  Client c(As(oldest.version));
  const auto info = c.Call<ws::GetSystemInfoResponse>("GetSystemInfo", ws::GetSystemInfoRequest());
  EXPECT_EQ(info.response.server_version(), oldest.version);
  EXPECT_TRUE(info.response.capabilities().nexus());
  EXPECT_FALSE(info.response.capabilities().server_scaled_deployments());
  EXPECT_TRUE(Client()
                  .Call<ws::GetSystemInfoResponse>("GetSystemInfo", ws::GetSystemInfoRequest())
                  .response.capabilities()
                  .server_scaled_deployments());
  ws::CountSchedulesRequest count;
  count.set_namespace_("default");
  EXPECT_EQ(Client().Call<ws::CountSchedulesResponse>("CountSchedules", count).status.code, 0);
  const auto unknown = c.Call<ws::CountSchedulesResponse>("CountSchedules", count);
  EXPECT_EQ(unknown.status.code, static_cast<int>(StatusCode::kUnimplemented));
  EXPECT_THAT(unknown.status.message, HasSubstr("unknown method CountSchedules for service"));
}

TEST(Profile, ErrorsHaveTheTextAndTheDetailsOfTheRelease) {
  for (const bool old : {true, false}) {
    Client c(old ? As("1.29.1") : TestOptions());
    auto request = Client::StartRequest("wf");
    request.mutable_priority()->set_priority_key(-1);
    EXPECT_EQ(c.Start(request).status.message,
              old ? "PriorityKey can't be negative" : "priority key can't be negative");
    c.Start("wf");
    request = Client::StartRequest("wf");
    request.set_request_id("another");
    const auto refused = c.Start(request);
    ::temporal::api::errordetails::v1::WorkflowExecutionAlreadyStartedFailure failure;
    ASSERT_TRUE(UnpackDetail(refused.status, &failure));
    EXPECT_NE(failure.run_id(), "");
    EXPECT_EQ(failure.first_execution_run_id().empty(), old);
  }
}

TEST(Profile, ReleasesAreOrdered) {
  EXPECT_TRUE(IsBefore("1.29.1", "1.30"));
  EXPECT_TRUE(IsBefore("1.9.3", "1.29.1"));
  EXPECT_FALSE(IsBefore("1.30.2", "1.30"));
  EXPECT_FALSE(IsBefore("1.30", "1.30"));
  EXPECT_FALSE(OlderThan(TestOptions(), "1.99"));  // the newest behaves as it does
  EXPECT_TRUE(OlderThan(As("1.31.2"), "1.32"));
}

TEST(Profile, WorkflowsRunInEveryRelease) {
  for (const Profile* profile : Profiles()) {
    Client c(As(profile->version));
    c.Start("wf");
    EXPECT_EQ(c.Complete(c.PollTask(), {CompleteWorkflow("\"pong\"")}).status.message, "")
        << profile->version;
    EXPECT_EQ(c.Describe("wf").workflow_execution_info().status(),
              enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  }
}

TEST(Profile, RefusesWhatItDoesNotKnowWithTheNearest) {
  EngineOptions options;
  EXPECT_THAT(ApplyProfile("1.29", &options),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("no profile of release 1.29 (did you mean '1.29.1'?)"),
                             HasSubstr(std::string(Profiles().back()->version)))));
  EXPECT_EQ(options.server_version, EngineOptions().server_version);
}

}  // namespace
}  // namespace squall::fakes::engine
