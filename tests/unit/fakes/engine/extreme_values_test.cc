// Durations at the edge of what can be said, found by tests/fuzz. Status and texts are those of the
// real server 1.32.0.

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

constexpr std::int64_t kYearSeconds = std::int64_t{365} * 24 * 3600;

TEST(ExtremeValues, AStartIsDelayedForACenturyAtMost) {
  Client c;
  auto request = Client::StartRequest("late");
  request.mutable_workflow_start_delay()->set_seconds(315576000000);  // protobuf's longest
  EXPECT_EQ(c.Start(request).status.message, "");
  const auto events = c.History("late");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]
                .workflow_execution_started_event_attributes()
                .first_workflow_task_backoff()
                .seconds(),
            100 * kYearSeconds);
  request.set_workflow_id("later");
  request.mutable_workflow_start_delay()->set_seconds(INT64_MAX);
  EXPECT_EQ(c.Start(request).status.message, "");
}

TEST(ExtremeValues, TheLongestRetryIntervalWrapsAround) {
  Client c;
  const auto start = [&c](std::int64_t years) {
    auto request = Client::StartRequest(std::to_string(years) + " years");
    request.mutable_retry_policy()->mutable_initial_interval()->set_seconds(years * kYearSeconds);
    return c.Start(request).status.message;
  };
  constexpr const char* kRefused = "invalid MaximumInterval set on retry policy: negative duration";
  EXPECT_EQ(start(2), "");
  EXPECT_EQ(start(3), kRefused);
  EXPECT_EQ(start(6), "");
  EXPECT_EQ(start(50), kRefused);
}

TEST(ExtremeValues, ChildrenHaveNoNegativeTimeouts) {
  for (const std::string name :
       {"WorkflowExecutionTimeout", "WorkflowRunTimeout", "WorkflowTaskTimeout"}) {
    Client c;
    c.Start("parent");
    command::Command command = StartChild("c");
    auto* child = command.mutable_start_child_workflow_execution_command_attributes();
    (name == "WorkflowExecutionTimeout" ? child->mutable_workflow_execution_timeout()
     : name == "WorkflowRunTimeout"     ? child->mutable_workflow_run_timeout()
                                        : child->mutable_workflow_task_timeout())
        ->set_seconds(-1);
    const auto reply = c.Complete(c.PollTask(), {command});
    EXPECT_EQ(reply.status.code, 3);
    EXPECT_EQ(reply.status.message,
              "BadStartChildExecutionAttributes: Invalid " + name +
                  " on StartChildWorkflowExecutionCommand: negative duration. "
                  "WorkflowId=c WorkflowType=Child Namespace=default");
  }
}

TEST(ExtremeValues, ARunContinuesNoSoonerThanNow) {
  Client c;
  c.Start("again");
  command::Command command = ContinueAsNew();
  command.mutable_continue_as_new_workflow_execution_command_attributes()
      ->mutable_backoff_start_interval()
      ->set_seconds(-1);
  const auto reply = c.Complete(c.PollTask(), {command});
  EXPECT_EQ(reply.status.code, 3);
  EXPECT_TRUE(reply.status.message.starts_with(
      "BadContinueAsNewAttributes: Invalid BackoffStartInterval on "
      "ContinueAsNewWorkflowExecutionCommand: negative duration."))
      << reply.status.message;
}

}  // namespace
}  // namespace squall::fakes::engine
