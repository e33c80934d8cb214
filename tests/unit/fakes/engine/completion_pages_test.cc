// Completions of workflow tasks in pages; deletion after the retention.

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

command::Command Marker(const std::string& name) {
  command::Command command;
  command.set_command_type(enums::COMMAND_TYPE_RECORD_MARKER);
  command.mutable_record_marker_command_attributes()->set_marker_name(name);
  return command;
}

class Pages {
 public:
  explicit Pages(bool enabled) : c(Options(enabled)) {
    c.Start("wf");
    task = c.PollTask();
  }
  RpcStatus Page(int number, bool intermediate, const command::Command& command) {
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_task_token(task.task_token());
    request.set_page_number(number);
    request.set_intermediate_page(intermediate);
    *request.add_commands() = command;
    return c.Call<ws::RespondWorkflowTaskCompletedResponse>("RespondWorkflowTaskCompleted", request)
        .status;
  }
  std::vector<std::string> Markers() {
    std::vector<std::string> names;
    for (const auto& event : c.History("wf")) {
      if (event.has_marker_recorded_event_attributes())
        names.push_back(event.marker_recorded_event_attributes().marker_name());
    }
    return names;
  }
  Client c;
  ws::PollWorkflowTaskQueueResponse task;

 private:
  static EngineOptions Options(bool enabled) {
    EngineOptions options = TestOptions();
    options.task_completion_pages = enabled;
    return options;
  }
};

TEST(CompletionPages, AreRefusedUnlessEnabled) {
  Pages p(false);
  EXPECT_EQ(p.Page(0, true, Marker("a")).message,
            "workflow task completion pagination is disabled for this namespace default");
}

TEST(CompletionPages, MakeOneCompletionInTheirOrder) {
  Pages p(true);
  EXPECT_EQ(p.Page(1, true, Marker("b")).message, "");
  EXPECT_EQ(p.Page(0, true, Marker("a")).message, "");
  EXPECT_EQ(p.Page(0, true, Marker("again")).message, "");  // the first one counts
  EXPECT_TRUE(p.Markers().empty());
  EXPECT_EQ(p.Page(2, false, CompleteWorkflow()).message, "");
  EXPECT_THAT(p.Markers(), ElementsAre("a", "b"));
  EXPECT_EQ(p.c.LastEvent("wf").event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED);
}

TEST(CompletionPages, MustAllBeThere) {
  Pages p(true);
  EXPECT_EQ(p.Page(2, false, CompleteWorkflow()).message,
            "workflow task completion buffer lost for scheduled event 2 attempt 1");
  EXPECT_EQ(p.Page(0, true, Marker("a")).message, "");
  const RpcStatus missing = p.Page(2, false, CompleteWorkflow());
  EXPECT_EQ(missing.code, 10);
  EXPECT_EQ(missing.message, "workflow task completion buffer missing page 1 of 2");
  EXPECT_EQ(p.Page(-1, true, Marker("x")).message,
            "workflow task completion pagination page number must be non-negative");
  EXPECT_EQ(p.Page(0, false, CompleteWorkflow()).message, "");  // whole: what was kept is dropped
  EXPECT_TRUE(p.Markers().empty());
}

TEST(Retention, DeletesWhatClosedLongAgo) {
  Client c;
  const std::string run = c.Start("wf");
  c.Step({CompleteWorkflow()});
  c.Start("open");
  c.Advance(hours(24) - milliseconds(1));
  EXPECT_EQ(c.Describe("wf").workflow_execution_info().execution().run_id(), run);
  c.Advance(milliseconds(1));
  ws::DescribeWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  EXPECT_EQ(c.Call<ws::DescribeWorkflowExecutionResponse>("DescribeWorkflowExecution", request)
                .status.message,
            "workflow not found for ID: wf");
  EXPECT_EQ(c.Describe("open").workflow_execution_info().status(),
            enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
}

}  // namespace
}  // namespace squall::fakes::engine
