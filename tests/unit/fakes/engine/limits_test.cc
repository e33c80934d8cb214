// What is larger than the real server accepts is refused, or takes the place of what was meant.

#include "fakes/engine/limits.h"

#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

common::Payloads Large() { return Json(std::string(kBlobSizeError + 1, 'x')); }

// The failure that the activity's closing event tells; the activity has a first attempt only.
failure::Failure ClosedBy(Client& c) {
  for (const historypb::HistoryEvent& event : c.History("wf")) {
    if (event.event_type() == enums::EVENT_TYPE_ACTIVITY_TASK_FAILED)
      return event.activity_task_failed_event_attributes().failure();
  }
  ADD_FAILURE() << "no activity failed";
  return {};
}

struct Started {
  Client c;
  std::string token;
  Started() {
    c.Start("wf");
    c.Step({Schedule("1")});
    token = c.PollActivity().task_token();
  }
};

TEST(Limits, ALargeResultFailsTheActivityForGood) {
  Started s;
  ws::RespondActivityTaskCompletedRequest request;
  request.set_task_token(s.token);
  *request.mutable_result() = Large();
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskCompletedResponse>("RespondActivityTaskCompleted", request)
          .ok());
  const failure::Failure failure = ClosedBy(s.c);
  EXPECT_EQ(failure.message(), "Complete result exceeds size limit.");
  EXPECT_TRUE(failure.server_failure_info().non_retryable());
}

TEST(Limits, AResultAtTheLimitPasses) {
  Started s;
  ws::RespondActivityTaskCompletedRequest request;
  request.set_task_token(s.token);
  *request.mutable_result() = Large();
  std::string* data = request.mutable_result()->mutable_payloads(0)->mutable_data();
  // The lengths in front of it need fewer bytes when it is shorter.
  data->resize(data->size() - 100);
  data->append(kBlobSizeError - request.result().ByteSizeLong(), 'x');
  ASSERT_EQ(request.result().ByteSizeLong(), kBlobSizeError);
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskCompletedResponse>("RespondActivityTaskCompleted", request)
          .ok());
  EXPECT_THAT(s.c.EventNames("wf"), ::testing::Contains("ACTIVITY_TASK_COMPLETED"));
}

TEST(Limits, ALargeHeartbeatFailsTheActivityAndTellsTheWorkerToStop) {
  Started s;
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(s.token);
  *request.mutable_details() = Large();
  const auto reply =
      s.c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request);
  EXPECT_TRUE(reply.response.cancel_requested());
  EXPECT_EQ(ClosedBy(s.c).message(), "Heartbeat details exceed size limit.");
}

TEST(Limits, ALargeFailureIsCut) {
  Started s;
  ws::RespondActivityTaskFailedRequest request;
  request.set_task_token(s.token);
  request.mutable_failure()->set_message(std::string(kBlobSizeError, 'm'));
  request.mutable_failure()->mutable_application_failure_info()->set_type("Mine");
  request.mutable_failure()->mutable_cause()->set_message("deeper");
  EXPECT_TRUE(
      s.c.Call<ws::RespondActivityTaskFailedResponse>("RespondActivityTaskFailed", request).ok());
  const failure::Failure failure = ClosedBy(s.c);
  EXPECT_EQ(failure.message(), "Failure exceeds size limit.");
  EXPECT_EQ(failure.cause().application_failure_info().type(), "Mine");
  EXPECT_LE(failure.ByteSizeLong(), kBlobSizeWarn + 200);
  EXPECT_FALSE(failure.cause().has_cause()) << "there was no room left";
}

TEST(Limits, LargeInputsAreRefused) {
  Client c;
  ws::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("wf");
  start.mutable_workflow_type()->set_name("t");
  start.mutable_task_queue()->set_name("q");
  *start.mutable_input() = Large();
  EXPECT_EQ(c.Start(start).status.message, kBlobExceedsLimit);
  start.clear_input();
  (*start.mutable_memo()->mutable_fields())["m"] = Large().payloads(0);
  EXPECT_EQ(c.Start(start).status.message, "Memo size exceeds limit.");
  start.clear_memo();
  EXPECT_TRUE(c.Start(start).ok());
  ws::SignalWorkflowExecutionRequest signal;
  signal.set_namespace_("default");
  signal.mutable_workflow_execution()->set_workflow_id("wf");
  signal.set_signal_name("s");
  *signal.mutable_input() = Large();
  EXPECT_EQ(
      c.Call<ws::SignalWorkflowExecutionResponse>("SignalWorkflowExecution", signal).status.message,
      kBlobExceedsLimit);
}

}  // namespace
}  // namespace squall::fakes::engine
