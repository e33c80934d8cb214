#include "base/api/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporal/api/errordetails/v1/message.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"

namespace squall::api {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;
using ::testing::AllOf;
using ::testing::Contains;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

constexpr std::string_view kService = "temporal.api.workflowservice.v1.WorkflowService";

TEST(Messages, TellWhoseCallItIs) {
  workflowservice::PollWorkflowTaskQueueRequest poll;
  poll.set_namespace_("orders");
  poll.set_identity("me");
  poll.mutable_task_queue()->set_name("q");
  const CallFields fields = FieldsOf(kService, "PollWorkflowTaskQueue", poll.SerializeAsString());
  EXPECT_EQ(fields.ns, "orders");
  EXPECT_EQ(fields.identity, "me");
  EXPECT_EQ(fields.task_queue, "q");
  EXPECT_EQ(fields.workflow_id, "");

  workflowservice::SignalWorkflowExecutionRequest signal;
  signal.mutable_workflow_execution()->set_workflow_id("w");
  EXPECT_EQ(FieldsOf(kService, "SignalWorkflowExecution", signal.SerializeAsString()).workflow_id,
            "w");
  EXPECT_EQ(FieldsOf(kService, "NoSuchMethod", "x").ns, "");
  EXPECT_EQ(FieldsOf(kService, "SignalWorkflowExecution", "\xff\xff").ns, "");
}

TEST(Messages, ChangeFieldsAndLeaveTheRest) {
  workflowservice::GetSystemInfoResponse info;
  info.set_server_version("1");
  info.mutable_capabilities()->set_upsert_memo(true);
  info.mutable_capabilities()->set_sdk_metadata(true);
  const auto changed =
      ChangeAnswer(kService, "GetSystemInfo", info.SerializeAsString(),
                   R"({"capabilities":{"upsert_memo":false,"nexus":true},"serverVersion":"2"})");
  ASSERT_OK(changed);
  ASSERT_TRUE(info.ParseFromString(*changed));
  EXPECT_EQ(info.server_version(), "2");
  EXPECT_FALSE(info.capabilities().upsert_memo());
  EXPECT_TRUE(info.capabilities().sdk_metadata());
  EXPECT_TRUE(info.capabilities().nexus());
  const auto cleared = ChangeAnswer("", "GetSystemInfo", *changed, R"({"capabilities":null})");
  ASSERT_OK(cleared);
  ASSERT_TRUE(info.ParseFromString(*cleared));
  EXPECT_FALSE(info.has_capabilities());
}

TEST(Messages, NameWhatIsWrong) {
  EXPECT_THAT(
      ChangeAnswer("", "GetSystemInfo", "", R"({"capabilities":{"upsert_mem":false}})"),
      StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("capabilities.upsert_mem"),
                                                   HasSubstr("did you mean 'upsert_memo'"))));
  EXPECT_THAT(ChangeAnswer("", "GetSystemInfo", "", R"({"capabilities":{"upsert_memo":"maybe"}})"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("capabilities.upsert_memo")));
  EXPECT_THAT(ChangeAnswer("", "GetSystemInf", "", "{}"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no RPC")));
  EXPECT_THAT(EncodeMessage("temporal.api.errordetails.v1.Nothing", "{}"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("there is no message")));
}

TEST(Messages, EncodeDetails) {
  const auto bytes = EncodeMessage("temporal.api.errordetails.v1.NamespaceNotFoundFailure",
                                   R"({"namespace":"gone"})");
  ASSERT_OK(bytes);
  temporal::api::errordetails::v1::NamespaceNotFoundFailure failure;
  ASSERT_TRUE(failure.ParseFromString(*bytes));
  EXPECT_EQ(failure.namespace_(), "gone");
  EXPECT_THAT(MethodNames(), AllOf(Contains("PollWorkflowTaskQueue"),
                                   Contains("AddSearchAttributes"), Contains("Watch")));
}

}  // namespace
}  // namespace squall::api
