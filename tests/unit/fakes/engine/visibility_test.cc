// Lists and counts: order, pages, the query language and what of it is not understood.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class VisibilityTest : public ::testing::Test {
 protected:
  VisibilityTest() {
    c_.Start("a");
    c_.Advance(seconds(1));
    c_.Start("b");
    c_.Advance(seconds(1));
    c_.Start("c", "other");
    c_.Step({CompleteWorkflow()});  // a
    c_.Advance(seconds(1));
    c_.Step({FailWorkflow("no")});  // b
  }
  std::vector<std::string> List(const std::string& query) {
    ws::ListWorkflowExecutionsRequest request;
    request.set_namespace_("default");
    request.set_query(query);
    const auto reply =
        c_.Call<ws::ListWorkflowExecutionsResponse>("ListWorkflowExecutions", request);
    EXPECT_EQ(reply.status.message, "") << query;
    std::vector<std::string> ids;
    for (const auto& row : reply.response.executions())
      ids.push_back(row.execution().workflow_id());
    return ids;
  }
  RpcStatus Fails(const std::string& query) {
    ws::ListWorkflowExecutionsRequest request;
    request.set_namespace_("default");
    request.set_query(query);
    return c_.Call<ws::ListWorkflowExecutionsResponse>("ListWorkflowExecutions", request).status;
  }
  Client c_;
};

TEST_F(VisibilityTest, ListsOpenFirstThenTheLatestClosed) {
  EXPECT_THAT(List(""), ElementsAre("c", "b", "a"));
}

TEST_F(VisibilityTest, UnderstandsComparisons) {
  EXPECT_THAT(List("WorkflowId = 'a'"), ElementsAre("a"));
  EXPECT_THAT(List("WorkflowId != \"a\""), ElementsAre("c", "b"));
  EXPECT_THAT(List("ExecutionStatus = 'Running'"), ElementsAre("c"));
  EXPECT_THAT(List("ExecutionStatus = \"Failed\" OR ExecutionStatus='Completed'"),
              ElementsAre("b", "a"));
  EXPECT_THAT(List("ExecutionStatus IN ('Failed', 'Running')"), ElementsAre("c", "b"));
  EXPECT_THAT(List("ExecutionStatus NOT IN ('Failed', 'Running')"), ElementsAre("a"));
  EXPECT_THAT(List("WorkflowType = 'Ping' AND NOT (WorkflowId = 'b' or WorkflowId = 'c')"),
              ElementsAre("a"));
  EXPECT_THAT(List("TaskQueue = 'other'"), ElementsAre("c"));
  EXPECT_THAT(List("WorkflowId STARTS_WITH 'b'"), ElementsAre("b"));
  EXPECT_THAT(List("CloseTime IS NULL"), ElementsAre("c"));
  EXPECT_THAT(List("CloseTime is not null"), ElementsAre("b", "a"));
  EXPECT_THAT(List("StartTime > '2026-01-01T00:00:00.5Z'"), ElementsAre("c", "b"));
  EXPECT_THAT(List("StartTime BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-01T00:00:01Z'"),
              ElementsAre("b", "a"));
  EXPECT_THAT(List("HistoryLength >= 5"), ElementsAre("b", "a"));
  EXPECT_THAT(List("`WorkflowId` = 'it''s'"), ElementsAre());
}

TEST_F(VisibilityTest, NamesWhatItDoesNotUnderstand) {
  EXPECT_EQ(Fails("WorkflowType = 5").message,
            "invalid query: invalid expression: invalid value type for search attribute "
            "WorkflowType of type Keyword: 5 (type: int64)");
  EXPECT_EQ(Fails("Foo = 1").message, "invalid query: invalid search attribute: Foo");
  EXPECT_EQ(Fails("ExecutionStatus = 'Foo'").message,
            "invalid query: invalid expression: invalid ExecutionStatus value 'Foo'");
  EXPECT_EQ(Fails("CloseTime is not null order by StartTime desc").message,
            "invalid query: operation is not supported: 'ORDER BY' clause");
  for (const char* query :
       {"WorkflowId =", "WorkflowId", "= 'a'", "WorkflowId = 'a", "(WorkflowId = 'a'",
        "WorkflowId = 'a' WorkflowId = 'b'", "WorkflowId LIKE 'a'", "WorkflowId IN ('a'",
        "WorkflowId = 'a' ;", "ORDER BY WorkflowId", "GROUP BY ExecutionStatus"}) {
    EXPECT_EQ(Fails(query).code, 3) << query;
  }
  EXPECT_EQ(Fails(std::string(5000, '(')).code, 3);
}

TEST_F(VisibilityTest, ListsInPages) {
  ws::ListWorkflowExecutionsRequest request;
  request.set_namespace_("default");
  request.set_page_size(2);
  auto page =
      c_.Call<ws::ListWorkflowExecutionsResponse>("ListWorkflowExecutions", request).response;
  EXPECT_EQ(page.executions_size(), 2);
  request.set_next_page_token(page.next_page_token());
  page = c_.Call<ws::ListWorkflowExecutionsResponse>("ListWorkflowExecutions", request).response;
  ASSERT_EQ(page.executions_size(), 1);
  EXPECT_EQ(page.executions(0).execution().workflow_id(), "a");
  EXPECT_TRUE(page.next_page_token().empty());
}

// The next page begins behind the last row shown, wherever that row is by now.
TEST_F(VisibilityTest, MissesNoRowWhenOneClosesBetweenThePages) {
  for (const char* id : {"d", "e", "f"}) {
    c_.Advance(seconds(1));
    c_.Start(id);
  }
  ws::ListWorkflowExecutionsRequest request;
  request.set_namespace_("default");
  request.set_query("WorkflowId IN ('d', 'e', 'f')");
  request.set_page_size(1);
  const auto list = [&] {
    return c_.Call<ws::ListWorkflowExecutionsResponse>("ListWorkflowExecutions", request).response;
  };
  auto page = list();
  ASSERT_EQ(page.executions_size(), 1);
  EXPECT_EQ(page.executions(0).execution().workflow_id(), "f");
  ws::TerminateWorkflowExecutionRequest terminate;
  terminate.set_namespace_("default");
  terminate.mutable_workflow_execution()->set_workflow_id("f");
  EXPECT_TRUE(
      c_.Call<ws::TerminateWorkflowExecutionResponse>("TerminateWorkflowExecution", terminate)
          .ok());
  request.set_next_page_token(page.next_page_token());
  page = list();
  ASSERT_EQ(page.executions_size(), 1);
  EXPECT_EQ(page.executions(0).execution().workflow_id(), "e");
}

TEST_F(VisibilityTest, CountsAndGroups) {
  ws::CountWorkflowExecutionsRequest request;
  request.set_namespace_("default");
  EXPECT_EQ(c_.Call<ws::CountWorkflowExecutionsResponse>("CountWorkflowExecutions", request)
                .response.count(),
            3);
  request.set_query("GROUP BY ExecutionStatus");
  const auto grouped =
      c_.Call<ws::CountWorkflowExecutionsResponse>("CountWorkflowExecutions", request).response;
  std::vector<std::string> groups;
  for (const auto& group : grouped.groups()) groups.push_back(group.group_values(0).data());
  EXPECT_THAT(groups, UnorderedElementsAre("\"Running\"", "\"Completed\"", "\"Failed\""));
  request.set_query("GROUP BY WorkflowType");
  EXPECT_EQ(
      c_.Call<ws::CountWorkflowExecutionsResponse>("CountWorkflowExecutions", request).status.code,
      3);
}

TEST_F(VisibilityTest, ListsTheOldWay) {
  ws::ListOpenWorkflowExecutionsRequest open;
  open.set_namespace_("default");
  EXPECT_EQ(c_.Call<ws::ListOpenWorkflowExecutionsResponse>("ListOpenWorkflowExecutions", open)
                .response.executions_size(),
            1);
  ws::ListClosedWorkflowExecutionsRequest closed;
  closed.set_namespace_("default");
  closed.mutable_status_filter()->set_status(enums::WORKFLOW_EXECUTION_STATUS_FAILED);
  const auto failed =
      c_.Call<ws::ListClosedWorkflowExecutionsResponse>("ListClosedWorkflowExecutions", closed)
          .response;
  ASSERT_EQ(failed.executions_size(), 1);
  EXPECT_EQ(failed.executions(0).execution().workflow_id(), "b");
}

TEST(Visibility, FindsBySearchAttribute) {
  Client c;
  op::AddSearchAttributesRequest add;
  add.set_namespace_("default");
  (*add.mutable_search_attributes())["Color"] = enums::INDEXED_VALUE_TYPE_KEYWORD_LIST;
  (*add.mutable_search_attributes())["Size"] = enums::INDEXED_VALUE_TYPE_INT;
  EXPECT_TRUE(
      c.Call<op::AddSearchAttributesResponse>("AddSearchAttributes", add, kOperatorService).ok());
  auto start = Client::StartRequest("wf");
  (*start.mutable_search_attributes()->mutable_indexed_fields())["Color"] =
      Json("[\"red\",\"blue\"]").payloads(0);
  (*start.mutable_search_attributes()->mutable_indexed_fields())["Size"] = Json("7").payloads(0);
  EXPECT_TRUE(c.Start(start).ok());
  ws::CountWorkflowExecutionsRequest request;
  request.set_namespace_("default");
  const auto count = [&](const std::string& query) {
    request.set_query(query);
    return c.Call<ws::CountWorkflowExecutionsResponse>("CountWorkflowExecutions", request)
        .response.count();
  };
  EXPECT_EQ(count("Color = 'blue'"), 1);
  EXPECT_EQ(count("Color = 'green'"), 0);
  EXPECT_EQ(count("Size > 6 AND Size <= 7"), 1);
  EXPECT_EQ(count("Size < 7"), 0);
}

TEST(Visibility, WritesTheTypeOfAnUpsertedAttribute) {
  EngineOptions options = TestOptions();
  options.search_attributes["Number"] = "Int";
  Client c(std::move(options));
  c.Start("wf");
  command::Command upsert;
  upsert.set_command_type(enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES);
  auto& fields = *upsert.mutable_upsert_workflow_search_attributes_command_attributes()
                      ->mutable_search_attributes()
                      ->mutable_indexed_fields();
  fields["Number"] = Json("5").payloads(0);
  c.Step({upsert});
  const auto info = c.Describe("wf").workflow_execution_info();
  EXPECT_EQ(info.search_attributes().indexed_fields().at("Number").metadata().at("type"), "Int");
}

TEST(Visibility, RefusesSearchAttributesOfAnotherType) {
  EngineOptions options = TestOptions();
  options.search_attributes = {{"Count", "Int"}, {"Words", "Text"}, {"Right", "Bool"}};
  Client c(options);
  const auto start = [&c](const std::string& name, const std::string& json) {
    auto request = Client::StartRequest("wf-" + name + json);
    common::Payload& payload =
        (*request.mutable_search_attributes()->mutable_indexed_fields())[name];
    (*payload.mutable_metadata())["encoding"] = "json/plain";
    payload.set_data(json);
    return c.Start(request).status.message;
  };
  EXPECT_EQ(start("Words", "5"), "invalid value for search attribute Words of type Text: 5");
  EXPECT_EQ(start("Count", "\"five\""),
            "invalid value for search attribute Count of type Int: five");
  EXPECT_EQ(start("Right", "1"), "invalid value for search attribute Right of type Bool: 1");
  EXPECT_EQ(start("Count", "[1, 2]"), "");
  EXPECT_EQ(start("Words", "\"five\""), "");
  EXPECT_EQ(start("Right", "null"), "");
}

}  // namespace
}  // namespace squall::fakes::engine
