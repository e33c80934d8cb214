// Reading histories: pages, long polls, the close-event filter, backwards; tokens; the store of
// events itself.

#include "fakes/engine/history.h"

#include <gmock/gmock.h>

#include "fakes/engine/tokens.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

ws::GetWorkflowExecutionHistoryRequest Read(const std::string& id) {
  ws::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id(id);
  return request;
}

constexpr std::string_view kRead = "GetWorkflowExecutionHistory";

TEST(History, ComesInPages) {
  Client c;
  c.Start("wf");
  c.Step({CompleteWorkflow()});
  auto request = Read("wf");
  request.set_maximum_page_size(2);
  // A page's size counts batches of events that were written together: 1-2, 3 and 4-5 here.
  std::vector<std::int64_t> ids;
  std::vector<int> sizes;
  do {
    const auto page = c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).response;
    sizes.push_back(page.history().events_size());
    for (const auto& event : page.history().events()) ids.push_back(event.event_id());
    request.set_next_page_token(page.next_page_token());
  } while (!request.next_page_token().empty());
  EXPECT_THAT(ids, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(sizes, ElementsAre(3, 2));
}

TEST(History, RefusesBadRequests) {
  Client c;
  c.Start("wf");
  auto request = Read("wf");
  request.set_next_page_token("junk");
  EXPECT_EQ(c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).status.message,
            "Invalid NextPageToken.");
  request = Read("");
  EXPECT_EQ(c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).status.message,
            "WorkflowId is not set on request.");
  request = Read("no");
  EXPECT_EQ(c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).status.message,
            "workflow not found for ID: no");
  request = Read("wf");
  request.mutable_execution()->set_run_id("x");
  EXPECT_EQ(c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).status.message,
            "Invalid RunId.");
  request.mutable_execution()->set_run_id("11111111-1111-4111-8111-111111111111");
  EXPECT_EQ(c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).status.message,
            "workflow execution not found for workflow ID \"wf\" and run ID "
            "\"11111111-1111-4111-8111-111111111111\"");
}

TEST(History, WaitsForNewEvents) {
  Client c;
  c.Start("wf");
  auto request = Read("wf");
  request.set_wait_new_event(true);
  auto reply =
      c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request);  // what is there, at once
  EXPECT_EQ(reply.response.history().events_size(), 2);
  request.set_next_page_token(reply.response.next_page_token());
  const std::uint64_t waiting = c.Send(kRead, request);
  EXPECT_FALSE(c.Answered(waiting));
  c.Signal("wf", "go");
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(waiting);
  ASSERT_EQ(reply.response.history().events_size(), 1);
  EXPECT_EQ(reply.response.history().events(0).event_id(), 3);
  // Nothing happens: after 20 s an empty page and a token to come again with.
  request.set_next_page_token(reply.response.next_page_token());
  const std::uint64_t again = c.Send(kRead, request);
  c.Advance(seconds(20));
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(again);
  EXPECT_EQ(reply.response.history().events_size(), 0);
  request.set_next_page_token(reply.response.next_page_token());
  const std::uint64_t last = c.Send(kRead, request);
  c.Step({CompleteWorkflow()});
  EXPECT_TRUE(c.Answered(last));
}

TEST(History, WaitsForTheCloseEventOnly) {
  Client c;
  c.Start("wf");
  auto request = Read("wf");
  request.set_wait_new_event(true);
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  const std::uint64_t waiting = c.Send(kRead, request);
  const std::uint64_t left = c.Send(kRead, request);
  c.Cancel(left);
  c.Signal("wf", "go");
  EXPECT_FALSE(c.Answered(waiting));
  c.Step({CompleteWorkflow("7")});
  const auto reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(waiting).response;
  ASSERT_EQ(reply.history().events_size(), 1);
  EXPECT_EQ(reply.history()
                .events(0)
                .workflow_execution_completed_event_attributes()
                .result()
                .payloads(0)
                .data(),
            "7");
  EXPECT_TRUE(reply.next_page_token().empty());
  EXPECT_EQ(c.engine.held_calls(), 0u);
}

TEST(History, WaitsForTheCloseEventWithoutBeingAskedTo) {
  Client c;
  c.Start("wf");
  auto request = Read("wf");
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  std::uint64_t call = c.Send(kRead, request);
  c.Advance(seconds(20) - milliseconds(1));
  EXPECT_FALSE(c.Answered(call));
  c.Advance(milliseconds(1));
  auto reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(call);
  EXPECT_EQ(reply.status.code, 0);
  EXPECT_EQ(reply.response.history().events_size(), 0);
  EXPECT_EQ(reply.response.next_page_token(), "") << "nothing to come again with";

  call = c.Send(kRead, request, seconds(5));
  c.Advance(seconds(4));
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(call);  // a second before the deadline
  EXPECT_EQ(reply.response.next_page_token(), "");

  call = c.Send(kRead, request);
  c.Step({CompleteWorkflow()});
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(call);
  EXPECT_EQ(reply.response.history().events_size(), 1);
}

TEST(History, OfAPausedRunEndsWithoutWaiting) {
  EngineOptions options = TestOptions();
  options.workflow_pause = true;
  Client c(options);
  c.Start("wf");
  auto request = Read("wf");
  request.set_wait_new_event(true);
  auto reply = c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request);
  request.set_next_page_token(reply.response.next_page_token());
  const std::uint64_t waiting = c.Send(kRead, request);
  auto close = Read("wf");
  close.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  const std::uint64_t waiting_for_close = c.Send(kRead, close);
  ws::PauseWorkflowExecutionRequest pause;
  pause.set_namespace_("default");
  pause.set_workflow_id("wf");
  EXPECT_TRUE(c.Call<ws::PauseWorkflowExecutionResponse>("PauseWorkflowExecution", pause).ok());
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(waiting);
  EXPECT_EQ(reply.response.history().events_size(), 2);
  EXPECT_EQ(reply.response.next_page_token(), "");
  reply = c.Take<ws::GetWorkflowExecutionHistoryResponse>(waiting_for_close);
  ASSERT_EQ(reply.response.history().events_size(), 1);
  EXPECT_EQ(reply.response.history().events(0).event_type(),
            enums::EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED);
}

TEST(History, TellsOldClientsOfTheNextRunAsContinuedAsNew) {
  Client c;
  auto start = Client::StartRequest("wf");
  start.mutable_retry_policy()->set_maximum_attempts(2);
  const std::string first = c.Start(start).response.run_id();
  c.Step({FailWorkflow("no")});
  auto request = Read("wf");
  request.mutable_execution()->set_run_id(first);
  request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  auto reply = c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request);
  ASSERT_EQ(reply.response.history().events_size(), 1);
  const historypb::HistoryEvent told = reply.response.history().events(0);
  ASSERT_EQ(told.event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
  const auto& continued = told.workflow_execution_continued_as_new_event_attributes();
  EXPECT_EQ(continued.failure().message(), "no");
  EXPECT_FALSE(continued.new_execution_run_id().empty());
  EXPECT_EQ(told.event_id(), 5);

  c.features = "encoded-failure-attributes,follows-next-run-id";
  reply = c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request);
  EXPECT_EQ(reply.response.history()
                .events(0)
                .workflow_execution_failed_event_attributes()
                .new_execution_run_id(),
            continued.new_execution_run_id());
}

TEST(History, ReadsBackwards) {
  Client c;
  c.Start("wf");
  c.Step({CompleteWorkflow()});
  ws::GetWorkflowExecutionHistoryReverseRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  request.set_maximum_page_size(2);
  auto page = c.Call<ws::GetWorkflowExecutionHistoryReverseResponse>(
                   "GetWorkflowExecutionHistoryReverse", request)
                  .response;
  EXPECT_EQ(page.history().events(0).event_id(), 5);
  EXPECT_EQ(page.history().events(2).event_id(), 3);
  request.set_next_page_token(page.next_page_token());
  page = c.Call<ws::GetWorkflowExecutionHistoryReverseResponse>(
              "GetWorkflowExecutionHistoryReverse", request)
             .response;
  EXPECT_EQ(page.history().events_size(), 2);
  EXPECT_TRUE(page.next_page_token().empty());
}

TEST(History, ReachesWorkersInPagesToo) {
  EngineOptions options = TestOptions();
  options.history_page_size = 4;
  Client c(options);
  c.Start("wf");
  for (int i = 0; i < 3; ++i) c.Signal("wf", "s");
  c.FailTask(c.PollTask());
  const auto task = c.PollTask();  // attempt 2: its two events come at the very end
  EXPECT_EQ(task.history().events_size(), 4);
  ASSERT_FALSE(task.next_page_token().empty());
  auto request = Read("wf");
  request.set_next_page_token(task.next_page_token());
  const auto rest = c.Call<ws::GetWorkflowExecutionHistoryResponse>(kRead, request).response;
  ASSERT_EQ(rest.history().events_size(), 5);
  EXPECT_EQ(rest.history().events(4).event_id(), task.started_event_id());
  EXPECT_TRUE(rest.next_page_token().empty());
}

TEST(History, ShowsUnwrittenTasksToSdks) {
  Client c;
  c.Start("wf");
  c.FailTask(c.PollTask());
  EXPECT_EQ(c.History("wf").size(), 4u);
  c.client_name = "temporal-rust";
  EXPECT_EQ(c.EventNames("wf").back(), "WORKFLOW_TASK_SCHEDULED");
  const auto task = c.PollTask();
  EXPECT_EQ(c.LastEvent("wf").event_id(), task.started_event_id());
  EXPECT_TRUE(c.Complete(task, {CompleteWorkflow()}).ok());
  EXPECT_EQ(c.History("wf").size(), 8u);
}

TEST(HistoryStore, SlicesAndFlushes) {
  class History history;
  const auto event = [](enums::EventType type) {
    historypb::HistoryEvent made;
    made.set_event_type(type);
    return made;
  };
  auto started = event(enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
  EXPECT_EQ(history.Append(started), 1);
  auto completed = event(enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED);
  completed.mutable_activity_task_completed_event_attributes()->set_scheduled_event_id(9);
  history.Buffer(event(enums::EVENT_TYPE_ACTIVITY_TASK_STARTED));
  history.Buffer(completed);
  auto fired = event(enums::EVENT_TYPE_TIMER_FIRED);
  fired.mutable_timer_fired_event_attributes()->set_timer_id("t");
  history.Buffer(fired);
  EXPECT_TRUE(history.HasBufferedActivityClose(9));
  EXPECT_FALSE(history.HasBufferedActivityClose(8));
  EXPECT_TRUE(history.RemoveTimerFired("t"));
  EXPECT_FALSE(history.RemoveTimerFired("t"));
  history.Flush();
  EXPECT_FALSE(history.has_buffered());
  EXPECT_EQ(history.next_event_id(), 4);
  EXPECT_EQ(history.Read(3).event_type(), enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED);
  EXPECT_EQ(history.Slice(2, 1), "");
  EXPECT_EQ(history.Slice(0, 99), history.Slice(1, 3));
  EXPECT_EQ(std::string(history.Slice(1, 2)) + std::string(history.Slice(3, 3)),
            history.Slice(1, 3));
  EXPECT_EQ(history.Read(77).event_id(), 0);
}

TEST(Tokens, SurviveTheTripAndRefuseAllElse) {
  const TaskToken token{.namespace_id = "n",
                        .workflow_id = std::string("w\0x", 3),
                        .run_id = "r",
                        .scheduled_event_id = 300,
                        .attempt = 2,
                        .stamp = ~0ull,
                        .activity_id = "a"};
  const std::string bytes = token.Serialize();
  const auto parsed = TaskToken::Parse(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->workflow_id, token.workflow_id);
  EXPECT_EQ(parsed->stamp, token.stamp);
  EXPECT_EQ(parsed->scheduled_event_id, 300);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(TaskToken::Parse(bytes.substr(0, cut))) << cut;
  EXPECT_FALSE(TaskToken::Parse(bytes + "x"));
  EXPECT_FALSE(QueryToken::Parse(bytes));
  EXPECT_FALSE(TaskToken::Parse("sqT1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  const auto page = PageToken::Parse(
      PageToken{.run_id = "r", .first = 5, .last = 9, .waiting = true}.Serialize());
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->waiting);
  EXPECT_EQ(page->last, 9);
}

}  // namespace
}  // namespace squall::fakes::engine
