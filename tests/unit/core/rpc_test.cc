// RPCs by name: every method of the services' descriptors, and nothing else.

#include <google/protobuf/descriptor.h>

#include <string>

#include "core/connection.h"
#include "temporal/api/operatorservice/v1/service.pb.h"
#include "temporal/api/workflowservice/v1/service.pb.h"
#include "tests/unit/core/core_fixture.h"

namespace squall::core {
namespace {

using ::squall::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Unknown(const google::protobuf::FileDescriptor& file) {
  std::vector<std::string> unknown;
  for (int s = 0; s < file.service_count(); ++s) {
    const auto* service = file.service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      if (!KnowsRpc(service->full_name(), service->method(m)->name())) unknown.push_back(service->method(m)->full_name());
    }
  }
  return unknown;
}

const google::protobuf::FileDescriptor& File(const char* name) {
  const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
  SQUALL_CHECK(file != nullptr, name);
  return *file;
}

TEST(RpcTable, KnowsEveryMethodOfTheServices) {
  // These files hold no message; naming their tables links them in.
  ASSERT_NE(&descriptor_table_temporal_2fapi_2fworkflowservice_2fv1_2fservice_2eproto,
            &descriptor_table_temporal_2fapi_2foperatorservice_2fv1_2fservice_2eproto);
  const auto& workflow = File("temporal/api/workflowservice/v1/service.proto");
  ASSERT_EQ(workflow.service_count(), 1);
  EXPECT_GT(workflow.service(0)->method_count(), 100);
  EXPECT_THAT(Unknown(workflow), IsEmpty());
  EXPECT_THAT(Unknown(File("temporal/api/operatorservice/v1/service.proto")), IsEmpty());
  EXPECT_TRUE(KnowsRpc("grpc.health.v1.Health", "Check"));
  EXPECT_FALSE(KnowsRpc("grpc.health.v1.Health", "Watch"));  // a stream
  EXPECT_FALSE(KnowsRpc("temporal.api.workflowservice.v1.WorkflowService", "Nonsense"));
  EXPECT_FALSE(KnowsRpc("Nonsense", "GetSystemInfo"));
}

class RpcTest : public CoreTest {
 protected:
  void SetUp() override {
    CoreTest::SetUp();
    auto connection = Connect(InProcess());
    ASSERT_OK(connection);
    connection_ = *connection;
  }
  std::shared_ptr<Connection> connection_;
};

TEST_F(RpcTest, CarriesMessagesBothWays) {
  server_.On("DescribeNamespace", [](const RpcRequestView& request, const RpcReply& reply) {
    temporal::api::workflowservice::v1::DescribeNamespaceRequest asked;
    ASSERT_TRUE(asked.ParseFromArray(request.message.data(), static_cast<int>(request.message.size())));
    EXPECT_EQ(request.service, "temporal.api.workflowservice.v1.WorkflowService");
    temporal::api::workflowservice::v1::DescribeNamespaceResponse answer;
    answer.mutable_namespace_info()->set_name(asked.namespace_() + "!");
    reply.Succeed(answer.SerializeAsString());
  });
  temporal::api::workflowservice::v1::DescribeNamespaceRequest request;
  request.set_namespace_("production");
  std::string name;
  connection_->CallTyped<temporal::api::workflowservice::v1::DescribeNamespaceResponse>(
      "DescribeNamespace", request,
      [&](StatusOr<temporal::api::workflowservice::v1::DescribeNamespaceResponse> response) {
        ASSERT_OK(response);
        name = response->namespace_info().name();
      });
  ASSERT_TRUE(RunUntil([&] { return !name.empty(); }));
  EXPECT_EQ(name, "production!");
}

TEST_F(RpcTest, KeepsCodeMessageDetailsAndDebugOfAnError) {
  server_.On("DescribeNamespace", [](const RpcRequestView&, const RpcReply& reply) {
    reply.Fail(Status(StatusCode::kPermissionDenied, "not yours"), std::string("\x08\x07\x00!", 4));
  });
  const StatusOr<std::string> result = Call(*connection_, {.method = "DescribeNamespace"});
  EXPECT_THAT(result, StatusIs(StatusCode::kPermissionDenied, "not yours"));
  EXPECT_EQ(StatusDetails(result.status()), std::string("\x08\x07\x00!", 4));
  EXPECT_THAT(StatusDebug(result.status()), HasSubstr("not yours"));
  EXPECT_EQ(StatusDetails(absl::OkStatus()), "");
}

TEST_F(RpcTest, RefusesUnknownMethodsAndUnreadableRequests) {
  EXPECT_THAT(Call(*connection_, {.method = "Nonsense"}),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("WorkflowService/Nonsense")));
  EXPECT_THAT(Call(*connection_, {.method = "DescribeNamespace", .request = "\xff\xff"}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("the request is no such message")));
}

TEST_F(RpcTest, RetriesOnlyWhenAsked) {
  server_.On("ListNamespaces", [](const RpcRequestView&, const RpcReply& reply) {
    reply.Fail(Status(StatusCode::kUnavailable, "down"));
  });
  EXPECT_THAT(Call(*connection_, {.method = "ListNamespaces"}), StatusIs(StatusCode::kUnavailable, "down"));
  EXPECT_EQ(server_.calls("ListNamespaces"), 1);

  ConnectionOptions options = InProcess();
  options.retry.initial_interval = std::chrono::milliseconds(1);
  options.retry.max_interval = std::chrono::milliseconds(2);
  options.retry.max_retries = 4;
  auto retrying = Connect(options);
  ASSERT_OK(retrying);
  EXPECT_THAT(Call(**retrying, {.method = "ListNamespaces", .retry = true}),
              StatusIs(StatusCode::kUnavailable, "down"));
  EXPECT_EQ(server_.calls("ListNamespaces"), 1 + 4);
}

TEST_F(RpcTest, SendsMetadataHeadersKeyAndTimeout) {
  ConnectionOptions options = InProcess();
  options.api_key = "first";
  options.headers = {{"x-region", "north"}, {"x-raw-bin", std::string("\x00\x01", 2)}};
  auto connection = Connect(options);
  ASSERT_OK(connection);
  Metadata seen;
  server_.On("GetClusterInfo", [&](const RpcRequestView& request, const RpcReply& reply) {
    seen = request.metadata;
    reply.Succeed("");
  });
  ASSERT_OK(Call(**connection, {.method = "GetClusterInfo",
                                .timeout = std::chrono::seconds(7),
                                .metadata = {{"x-one", "1"}, {"x-more-bin", std::string("\xff", 1)}}}));
  using ::testing::Contains;
  using ::testing::Pair;
  EXPECT_THAT(seen, Contains(Pair("authorization", "Bearer first")));
  EXPECT_THAT(seen, Contains(Pair("x-region", "north")));
  EXPECT_THAT(seen, Contains(Pair("x-raw-bin", "AAE")));
  EXPECT_THAT(seen, Contains(Pair("x-one", "1")));
  EXPECT_THAT(seen, Contains(Pair("x-more-bin", "/w")));
  EXPECT_THAT(seen, Contains(Pair("grpc-timeout", "7000000u")));
  EXPECT_THAT(seen, Contains(Pair("client-name", "squall")));

  ASSERT_OK((*connection)->SetApiKey("second"));
  ASSERT_OK((*connection)->SetHeaders({{"x-region", "south"}}));
  ASSERT_OK(Call(**connection, {.method = "GetClusterInfo"}));
  EXPECT_THAT(seen, Contains(Pair("authorization", "Bearer second")));
  EXPECT_THAT(seen, Contains(Pair("x-region", "south")));
  EXPECT_THAT((*connection)->SetHeaders({{"not a key", ""}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("Invalid headers")));
}

TEST_F(RpcTest, CancelEndsTheCallAndTellsTheHandler) {
  bool told = false;
  std::optional<RpcReply> kept;
  server_.On("GetClusterInfo", [&](const RpcRequestView&, const RpcReply& reply) {
    reply.OnCancelled([&] { told = true; });
    kept = reply;
  });
  std::optional<StatusOr<std::string>> result;
  CallHandle call = connection_->Call({.method = "GetClusterInfo"}, [&](StatusOr<std::string> given) { result = std::move(given); });
  ASSERT_TRUE(RunUntil([&] { return kept.has_value(); }));
  EXPECT_FALSE(kept->cancelled());
  call.Cancel();
  call.Cancel();
  ASSERT_TRUE(RunUntil([&] { return result.has_value() && told; }));
  EXPECT_THAT(*result, StatusIs(StatusCode::kCancelled, "the call was cancelled"));
  EXPECT_TRUE(kept->cancelled());
  kept->Succeed("too late");  // ignored
}

TEST_F(RpcTest, ADroppedReplyIsCancelled) {
  server_.On("GetClusterInfo", [](const RpcRequestView&, const RpcReply&) {});
  EXPECT_THAT(Call(*connection_, {.method = "GetClusterInfo"}),
              StatusIs(StatusCode::kCancelled, "the handler dropped the call"));
}

TEST_F(RpcTest, NoCallbackAfterTheConnectionIsGone) {
  server_.Hold("GetClusterInfo");
  int calls_back = 0;
  for (int i = 0; i < 3; ++i) {
    connection_->Call({.method = "GetClusterInfo"}, [&](const StatusOr<std::string>&) { ++calls_back; });
  }
  ASSERT_TRUE(RunUntil([&] { return server_.held("GetClusterInfo") == 3; }));
  connection_.reset();
  server_.Release("GetClusterInfo");
  runtime_.reset();
  executor_.RunReady();
  EXPECT_EQ(calls_back, 0);
}

}  // namespace
}  // namespace squall::core
