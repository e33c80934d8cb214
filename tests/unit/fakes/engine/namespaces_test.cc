// Namespaces: missing, registered later, described, deleted under running workers, registered
// again.

#include <gmock/gmock.h>

#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

namespace details = ::temporal::api::errordetails::v1;

RpcStatus Register(Client& c, const std::string& name, std::int64_t retention_seconds = 86400) {
  ws::RegisterNamespaceRequest request;
  request.set_namespace_(name);
  if (retention_seconds >= 0)
    request.mutable_workflow_execution_retention_period()->set_seconds(retention_seconds);
  return c.Call<ws::RegisterNamespaceResponse>("RegisterNamespace", request).status;
}

Reply<ws::DescribeNamespaceResponse> Describe(Client& c, const std::string& name) {
  ws::DescribeNamespaceRequest request;
  request.set_namespace_(name);
  return c.Call<ws::DescribeNamespaceResponse>("DescribeNamespace", request);
}

TEST(Namespaces, NamesTheMissingOneInTextAndDetails) {
  EngineOptions options = TestOptions();
  options.namespaces.clear();
  Client c(options);
  for (const auto& status :
       {Describe(c, "default").status, c.Start(Client::StartRequest("wf")).status}) {
    EXPECT_EQ(status.code, 5);
    EXPECT_EQ(status.message, "Namespace default is not found.");
    details::NamespaceNotFoundFailure detail;
    ASSERT_TRUE(UnpackDetail(status, &detail));
    EXPECT_EQ(detail.namespace_(), "default");
  }
  EXPECT_EQ(Register(c, "default").message, "");
  EXPECT_TRUE(c.Start(Client::StartRequest("wf")).ok());
}

TEST(Namespaces, DescribesWhatIsRegistered) {
  Client c;
  const auto reply = Describe(c, "default");
  EXPECT_EQ(reply.response.namespace_info().name(), "default");
  EXPECT_EQ(reply.response.namespace_info().state(), enums::NAMESPACE_STATE_REGISTERED);
  EXPECT_TRUE(reply.response.namespace_info().capabilities().sync_update());
  EXPECT_TRUE(reply.response.namespace_info().capabilities().worker_commands());
  EXPECT_TRUE(reply.response.namespace_info().supports_schedules());
  EXPECT_EQ(reply.response.replication_config().state(), enums::REPLICATION_STATE_UNSPECIFIED);
  EXPECT_EQ(reply.response.config().workflow_execution_retention_ttl().seconds(), 86400);
  EXPECT_EQ(reply.response.replication_config().active_cluster_name(), "active");
  ws::DescribeNamespaceRequest by_id;
  by_id.set_id(reply.response.namespace_info().id());
  EXPECT_TRUE(c.Call<ws::DescribeNamespaceResponse>("DescribeNamespace", by_id).ok());
  EXPECT_EQ(
      c.Call<ws::DescribeNamespaceResponse>("DescribeNamespace", ws::DescribeNamespaceRequest())
          .status.message,
      "Namespace not set on request.");
}

TEST(Namespaces, RefusesToRegisterTwiceOrWithoutRetention) {
  Client c;
  EXPECT_EQ(Register(c, "n", -1).message, "A valid retention period is not set on request.");
  EXPECT_EQ(Register(c, "n", 60).code, 3);
  EXPECT_EQ(Register(c, "n").code, 0);
  const RpcStatus again = Register(c, "n");
  EXPECT_EQ(again.code, 6);
  EXPECT_EQ(again.message, "Namespace \"n\" already exists");
  details::NamespaceAlreadyExistsFailure detail;
  EXPECT_TRUE(UnpackDetail(again, &detail));
}

TEST(Namespaces, ListsInPages) {
  Client c;
  Register(c, "a");
  Register(c, "b");
  ws::ListNamespacesRequest request;
  request.set_page_size(2);
  auto page = c.Call<ws::ListNamespacesResponse>("ListNamespaces", request).response;
  ASSERT_EQ(page.namespaces_size(), 2);
  request.set_next_page_token(page.next_page_token());
  page = c.Call<ws::ListNamespacesResponse>("ListNamespaces", request).response;
  ASSERT_EQ(page.namespaces_size(), 1);
  EXPECT_EQ(page.namespaces(0).namespace_info().name(), "default");
  EXPECT_TRUE(page.next_page_token().empty());
  request.set_next_page_token("junk");
  EXPECT_EQ(c.Call<ws::ListNamespacesResponse>("ListNamespaces", request).status.code, 3);
}

TEST(Namespaces, UpdatesAndDeprecates) {
  Client c;
  ws::UpdateNamespaceRequest request;
  request.set_namespace_("default");
  request.mutable_update_info()->set_description("d");
  (*request.mutable_update_info()->mutable_data())["k"] = "v";
  auto reply = c.Call<ws::UpdateNamespaceResponse>("UpdateNamespace", request);
  EXPECT_EQ(reply.response.namespace_info().description(), "d");
  EXPECT_EQ(reply.response.namespace_info().data().at("k"), "v");
  request.mutable_update_info()->set_state(enums::NAMESPACE_STATE_DEPRECATED);
  reply = c.Call<ws::UpdateNamespaceResponse>("UpdateNamespace", request);
  EXPECT_EQ(reply.response.namespace_info().state(), enums::NAMESPACE_STATE_DEPRECATED);
  EXPECT_TRUE(c.Start(Client::StartRequest("wf")).ok());
}

TEST(Namespaces, DeletingOneIsNotNoticedByHeldPolls) {
  Client c;
  c.Start("wf");
  const auto task = c.PollTask();
  const std::uint64_t held = c.SendWorkflowPoll();
  op::DeleteNamespaceRequest request;
  request.set_namespace_("default");
  const auto deleted =
      c.Call<op::DeleteNamespaceResponse>("DeleteNamespace", request, kOperatorService);
  EXPECT_THAT(deleted.response.deleted_namespace(), ::testing::StartsWith("default-deleted-"));
  EXPECT_FALSE(c.Answered(held));
  EXPECT_EQ(Describe(c, "default").status.code, 5);
  EXPECT_EQ(c.Start(Client::StartRequest("x")).status.message, "Namespace default is not found.");
  EXPECT_EQ(c.Complete(task, {CompleteWorkflow()}).status.code, 5);
  EXPECT_EQ(c.engine.open_workflows(), 0u);
  // Registered again it is another namespace: the old poll gets nothing from it.
  EXPECT_EQ(Register(c, "default").code, 0);
  c.Start("wf");
  EXPECT_FALSE(c.Answered(held));
  c.Advance(seconds(60));
  EXPECT_TRUE(c.Answered(held));
  EXPECT_EQ(c.PollTask().workflow_execution().workflow_id(), "wf");
}

TEST(Namespaces, KnowsSearchAttributes) {
  Client c;
  op::AddSearchAttributesRequest add;
  add.set_namespace_("default");
  EXPECT_EQ(c.Call<op::AddSearchAttributesResponse>("AddSearchAttributes", add, kOperatorService)
                .status.code,
            3);
  (*add.mutable_search_attributes())["Color"] = enums::INDEXED_VALUE_TYPE_KEYWORD;
  EXPECT_TRUE(
      c.Call<op::AddSearchAttributesResponse>("AddSearchAttributes", add, kOperatorService).ok());
  op::ListSearchAttributesRequest list;
  list.set_namespace_("default");
  const auto listed =
      c.Call<op::ListSearchAttributesResponse>("ListSearchAttributes", list, kOperatorService)
          .response;
  EXPECT_EQ(listed.custom_attributes().at("Color"), enums::INDEXED_VALUE_TYPE_KEYWORD);
  EXPECT_EQ(listed.system_attributes().at("StartTime"), enums::INDEXED_VALUE_TYPE_DATETIME);
  op::RemoveSearchAttributesRequest remove;
  remove.set_namespace_("default");
  remove.add_search_attributes("Color");
  EXPECT_TRUE(
      c.Call<op::RemoveSearchAttributesResponse>("RemoveSearchAttributes", remove, kOperatorService)
          .ok());
  EXPECT_EQ(
      c.Call<op::RemoveSearchAttributesResponse>("RemoveSearchAttributes", remove, kOperatorService)
          .status.code,
      5);
}

}  // namespace
}  // namespace squall::fakes::engine
