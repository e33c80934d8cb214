// Standalone activities: ids, attempts, time-outs, cancellation, long polls, operators, lists.

#include <gmock/gmock.h>

#include "temporal/api/errordetails/v1/message.pb.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;

ws::StartActivityExecutionRequest StartOf(const std::string& id) {
  ws::StartActivityExecutionRequest request;
  request.set_namespace_("default");
  request.set_activity_id(id);
  request.mutable_activity_type()->set_name("echo");
  request.mutable_task_queue()->set_name("q");
  *request.mutable_schedule_to_close_timeout() = ToProto(seconds(60));
  request.set_request_id("request-" + id);
  *request.mutable_input() = Json("1");
  return request;
}

Reply<ws::StartActivityExecutionResponse> Start(Client& c,
                                                const ws::StartActivityExecutionRequest& request) {
  return c.Call<ws::StartActivityExecutionResponse>("StartActivityExecution", request);
}

template <typename Request>
Request StandaloneOn(const std::string& id) {
  Request request;
  request.set_namespace_("default");
  request.set_activity_id(id);
  return request;
}

ws::DescribeActivityExecutionResponse StandaloneDescribe(Client& c, const std::string& id) {
  auto request = StandaloneOn<ws::DescribeActivityExecutionRequest>(id);
  request.set_include_input(true);
  request.set_include_outcome(true);
  request.set_include_last_failure(true);
  request.set_include_heartbeat_details(true);
  const auto reply =
      c.Call<ws::DescribeActivityExecutionResponse>("DescribeActivityExecution", request);
  EXPECT_EQ(reply.status.message, "");
  return reply.response;
}

template <typename Response, typename Request>
RpcStatus Do(Client& c, std::string_view method, const Request& request) {
  return c.Call<Response>(method, request).status;
}

RpcStatus Cancel(Client& c, const std::string& id, const std::string& request_id = "c") {
  auto request = StandaloneOn<ws::RequestCancelActivityExecutionRequest>(id);
  request.set_request_id(request_id);
  request.set_reason("why");
  request.set_identity("me");
  return Do<ws::RequestCancelActivityExecutionResponse>(c, "RequestCancelActivityExecution",
                                                        request);
}

RpcStatus StandaloneTerminate(Client& c, const std::string& id,
                              const std::string& request_id = "t") {
  auto request = StandaloneOn<ws::TerminateActivityExecutionRequest>(id);
  request.set_request_id(request_id);
  request.set_reason("why");
  return Do<ws::TerminateActivityExecutionResponse>(c, "TerminateActivityExecution", request);
}

RpcStatus StandalonePause(Client& c, const std::string& id, const std::string& request_id = {}) {
  auto request = StandaloneOn<ws::PauseActivityExecutionRequest>(id);
  request.set_request_id(request_id);
  return Do<ws::PauseActivityExecutionResponse>(c, "PauseActivityExecution", request);
}

RpcStatus StandaloneUnpause(Client& c, const std::string& id) {
  return Do<ws::UnpauseActivityExecutionResponse>(
      c, "UnpauseActivityExecution", StandaloneOn<ws::UnpauseActivityExecutionRequest>(id));
}

Reply<ws::RecordActivityTaskHeartbeatResponse> StandaloneBeat(Client& c, const std::string& token) {
  ws::RecordActivityTaskHeartbeatRequest request;
  request.set_task_token(token);
  *request.mutable_details() = Json("7");
  return c.Call<ws::RecordActivityTaskHeartbeatResponse>("RecordActivityTaskHeartbeat", request);
}

TEST(Standalone, RunsToItsResult) {
  Client c;
  const auto started = Start(c, StartOf("a"));
  ASSERT_EQ(started.status.message, "");
  EXPECT_TRUE(started.response.started());
  EXPECT_EQ(started.response.link().activity().run_id(), started.response.run_id());
  const auto outcome = c.Send("PollActivityExecution",
                              StandaloneOn<ws::PollActivityExecutionRequest>("a"), seconds(10));
  const auto task = c.PollActivity();
  EXPECT_EQ(task.activity_id(), "a");
  EXPECT_EQ(task.activity_run_id(), started.response.run_id());
  EXPECT_EQ(task.workflow_execution().workflow_id(), "");
  EXPECT_EQ(task.input().payloads(0).data(), "1");
  EXPECT_EQ(StandaloneDescribe(c, "a").info().run_state(), enums::PENDING_ACTIVITY_STATE_STARTED);
  EXPECT_FALSE(c.Answered(outcome));
  EXPECT_TRUE(c.CompleteActivity(task.task_token()).ok());
  const auto polled = c.Take<ws::PollActivityExecutionResponse>(outcome).response;
  EXPECT_EQ(polled.outcome().result().payloads(0).data(), "\"done\"");
  const auto described = StandaloneDescribe(c, "a");
  EXPECT_EQ(described.info().status(), enums::ACTIVITY_EXECUTION_STATUS_COMPLETED);
  EXPECT_EQ(described.info().state_transition_count(), 3);
  EXPECT_EQ(described.outcome().result().payloads(0).data(), "\"done\"");
  EXPECT_EQ(c.CompleteActivity(task.task_token()).status.message, "activity not found for ID: a");
}

TEST(Standalone, IdsFollowTheirPolicies) {
  Client c;
  auto request = StartOf("a");
  const std::string first = Start(c, request).response.run_id();
  EXPECT_EQ(Start(c, request).response.run_id(), first);  // the same request again
  request.set_request_id("other");
  const auto refused = Start(c, request);
  EXPECT_EQ(refused.status.message, "activity execution already started");
  ::temporal::api::errordetails::v1::ActivityExecutionAlreadyStartedFailure detail;
  ASSERT_TRUE(UnpackDetail(refused.status, &detail));
  EXPECT_EQ(detail.run_id(), first);
  EXPECT_EQ(detail.start_request_id(), "request-a");
  request.set_id_conflict_policy(enums::ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING);
  EXPECT_EQ(Start(c, request).response.run_id(), first);
  c.CompleteActivity(c.PollActivity().task_token());
  request.set_id_reuse_policy(enums::ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE);
  EXPECT_FALSE(Start(c, request).ok());
  request.set_id_reuse_policy(enums::ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
  EXPECT_FALSE(Start(c, request).ok());
  request.set_id_reuse_policy(enums::ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE);
  const auto second = Start(c, request);
  EXPECT_TRUE(second.response.started());
  EXPECT_EQ(StandaloneTerminate(c, "a").message, "");
  request.set_request_id("third");
  request.set_id_reuse_policy(enums::ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
  EXPECT_TRUE(Start(c, request).response.started());
  auto old = StandaloneOn<ws::DescribeActivityExecutionRequest>("a");
  old.set_run_id(first);
  EXPECT_EQ(c.Call<ws::DescribeActivityExecutionResponse>("DescribeActivityExecution", old)
                .response.info()
                .status(),
            enums::ACTIVITY_EXECUTION_STATUS_COMPLETED);
}

TEST(Standalone, RefusesWhatCannotBe) {
  Client c;
  const auto message = [&](const std::function<void(ws::StartActivityExecutionRequest&)>& change) {
    auto request = StartOf("a");
    change(request);
    return Start(c, request).status.message;
  };
  EXPECT_EQ(message([](auto& r) { r.clear_task_queue(); }), "taskQueue is not set");
  EXPECT_EQ(message([](auto& r) { r.mutable_task_queue()->clear_name(); }),
            "missing task queue name");
  EXPECT_EQ(message([](auto& r) { r.clear_activity_id(); }), "activityId is not set");
  EXPECT_EQ(message([](auto& r) { r.clear_activity_type(); }), "activityType is not set");
  EXPECT_EQ(message([](auto& r) { r.clear_schedule_to_close_timeout(); }),
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
            "ActivityId=a ActivityType=echo");
  EXPECT_EQ(message([](auto& r) { r.mutable_heartbeat_timeout()->set_seconds(-1); }),
            "invalid HeartbeatTimeout: negative duration");
  EXPECT_EQ(message([](auto& r) { r.set_request_id(std::string(1001, 'r')); }),
            "request ID exceeds length limit. Length=1001 Limit=1000");
  EXPECT_EQ(message([](auto& r) { r.mutable_on_conflict_options()->set_attach_request_id(true); }),
            "on_conflict_options: attach_request_id requires at least one completion callback or "
            "link");
  EXPECT_EQ(Cancel(c, "none").message, "activity not found for ID: none");
  EXPECT_EQ(Cancel(c, "").message, "activity ID is required");
  auto bad = StandaloneOn<ws::DeleteActivityExecutionRequest>("a");
  bad.set_run_id("bad");
  EXPECT_EQ(Do<ws::DeleteActivityExecutionResponse>(c, "DeleteActivityExecution", bad).message,
            "invalid run id: must be a valid UUID");
}

TEST(Standalone, RetriesAndGivesUp) {
  Client c;
  auto request = StartOf("a");
  request.mutable_retry_policy()->set_maximum_attempts(2);
  Start(c, request);
  EXPECT_TRUE(c.FailActivity(c.PollActivity().task_token()).ok());
  const auto waiting = StandaloneDescribe(c, "a").info();
  EXPECT_EQ(waiting.attempt(), 2);
  EXPECT_EQ(waiting.current_retry_interval().seconds(), 1);
  EXPECT_EQ(waiting.last_failure().message(), "it broke");
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(seconds(1));
  const auto task = c.Take<ws::PollActivityTaskQueueResponse>(poll).response;
  EXPECT_TRUE(c.FailActivity(task.task_token()).ok());
  const auto closed = StandaloneDescribe(c, "a");
  EXPECT_EQ(closed.info().status(), enums::ACTIVITY_EXECUTION_STATUS_FAILED);
  EXPECT_EQ(closed.outcome().failure().message(), "it broke");
  EXPECT_EQ(closed.outcome().retry_state(), enums::RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED);
}

TEST(Standalone, AllFourTimeOuts) {
  Client c;
  auto request = StartOf("start");
  *request.mutable_schedule_to_start_timeout() = ToProto(seconds(1));
  Start(c, request);
  c.Advance(seconds(1));
  EXPECT_EQ(StandaloneDescribe(c, "start").outcome().failure().message(),
            "activity ScheduleToStart timeout");

  request = StartOf("close");
  Start(c, request);
  c.PollActivity();
  c.Advance(seconds(60));
  EXPECT_EQ(StandaloneDescribe(c, "close").outcome().failure().message(),
            "activity ScheduleToClose timeout");
  EXPECT_EQ(StandaloneDescribe(c, "close").info().status(),
            enums::ACTIVITY_EXECUTION_STATUS_TIMED_OUT);

  request = StartOf("run");
  *request.mutable_start_to_close_timeout() = ToProto(seconds(2));
  Start(c, request);
  c.PollActivity();
  c.Advance(seconds(2));
  EXPECT_EQ(StandaloneDescribe(c, "run").info().attempt(), 2);
  EXPECT_EQ(StandaloneDescribe(c, "run").info().last_failure().message(),
            "activity StartToClose timeout");
  StandaloneTerminate(c, "run");

  request = StartOf("beat");
  *request.mutable_heartbeat_timeout() = ToProto(seconds(2));
  request.mutable_retry_policy()->set_maximum_attempts(1);
  Start(c, request);
  const auto task = c.PollActivity();
  c.Advance(milliseconds(1500));
  EXPECT_TRUE(StandaloneBeat(c, task.task_token()).ok());
  c.Advance(milliseconds(1500));
  EXPECT_EQ(StandaloneDescribe(c, "beat").info().status(),
            enums::ACTIVITY_EXECUTION_STATUS_RUNNING);
  c.Advance(milliseconds(500));
  const auto failure = StandaloneDescribe(c, "beat").outcome().failure();
  EXPECT_EQ(failure.message(), "activity Heartbeat timeout");
  EXPECT_EQ(failure.timeout_failure_info().last_heartbeat_details().payloads(0).data(), "7");
}

TEST(Standalone, CancellationWaitsForTheWorker) {
  Client c;
  Start(c, StartOf("idle"));
  EXPECT_EQ(Cancel(c, "idle").message, "");
  const auto idle = StandaloneDescribe(c, "idle");
  EXPECT_EQ(idle.info().status(), enums::ACTIVITY_EXECUTION_STATUS_CANCELED);
  EXPECT_EQ(idle.info().canceled_reason(), "why");
  EXPECT_EQ(idle.outcome().failure().canceled_failure_info().details().payloads(0).data(),
            "\"why\"");

  Start(c, StartOf("busy"));
  const auto task = c.PollActivity();
  ws::RespondActivityTaskCanceledRequest canceled;
  canceled.set_task_token(task.task_token());
  EXPECT_EQ(Do<ws::RespondActivityTaskCanceledResponse>(c, "RespondActivityTaskCanceled", canceled)
                .message,
            "unable to mark activity as canceled without activity being request canceled first");
  EXPECT_EQ(Cancel(c, "busy").message, "");
  EXPECT_EQ(Cancel(c, "busy").message, "");
  EXPECT_EQ(Cancel(c, "busy", "other").message, "cancellation already requested with request ID c");
  EXPECT_TRUE(StandaloneBeat(c, task.task_token()).response.cancel_requested());
  EXPECT_EQ(StandalonePause(c, "busy").message,
            "activity is in non-pausable state CancelRequested");
  EXPECT_EQ(Do<ws::RespondActivityTaskCanceledResponse>(c, "RespondActivityTaskCanceled", canceled)
                .message,
            "");
  EXPECT_EQ(StandaloneDescribe(c, "busy").info().status(),
            enums::ACTIVITY_EXECUTION_STATUS_CANCELED);
  EXPECT_EQ(Cancel(c, "busy", "late").message, "activity is in terminal state Canceled");
  EXPECT_EQ(StandaloneTerminate(c, "busy").message, "invalid transition from Canceled");
}

TEST(Standalone, DescriptionsWaitForAChange) {
  Client c;
  const std::string run = Start(c, StartOf("a")).response.run_id();
  auto request = StandaloneOn<ws::DescribeActivityExecutionRequest>("a");
  request.set_long_poll_token(StandaloneDescribe(c, "a").long_poll_token());
  EXPECT_EQ(c.Call<ws::DescribeActivityExecutionResponse>("DescribeActivityExecution", request)
                .status.message,
            "run id is required when long poll token is provided");
  request.set_run_id(run);
  const auto call = c.Send("DescribeActivityExecution", request, seconds(30));
  EXPECT_FALSE(c.Answered(call));
  c.PollActivity();
  const auto described = c.Take<ws::DescribeActivityExecutionResponse>(call).response;
  EXPECT_EQ(described.info().run_state(), enums::PENDING_ACTIVITY_STATE_STARTED);
  request.set_long_poll_token(described.long_poll_token());
  const auto idle = c.Send("DescribeActivityExecution", request, seconds(30));
  c.Advance(seconds(20));
  EXPECT_FALSE(c.Take<ws::DescribeActivityExecutionResponse>(idle).response.has_info());
  request.set_long_poll_token("garbage");
  EXPECT_EQ(c.Call<ws::DescribeActivityExecutionResponse>("DescribeActivityExecution", request)
                .status.message,
            "invalid long poll token");
}

TEST(Standalone, WorkersAnswerById) {
  Client c;
  Start(c, StartOf("a"));
  c.PollActivity();
  ws::RecordActivityTaskHeartbeatByIdRequest beat;
  beat.set_namespace_("default");
  beat.set_activity_id("a");
  EXPECT_TRUE(
      c.Call<ws::RecordActivityTaskHeartbeatByIdResponse>("RecordActivityTaskHeartbeatById", beat)
          .ok());
  EXPECT_EQ(StandaloneDescribe(c, "a").info().total_heartbeat_count(), 1);
  ws::RespondActivityTaskCompletedByIdRequest complete;
  complete.set_namespace_("default");
  complete.set_activity_id("a");
  *complete.mutable_result() = Json("2");
  EXPECT_TRUE(c.Call<ws::RespondActivityTaskCompletedByIdResponse>(
                   "RespondActivityTaskCompletedById", complete)
                  .ok());
  EXPECT_EQ(StandaloneDescribe(c, "a").outcome().result().payloads(0).data(), "2");
}

TEST(Standalone, PauseAndReset) {
  Client c;
  Start(c, StartOf("a"));
  EXPECT_EQ(StandalonePause(c, "a", "r").message, "");
  EXPECT_EQ(StandaloneDescribe(c, "a").info().status(), enums::ACTIVITY_EXECUTION_STATUS_PAUSED);
  EXPECT_EQ(StandalonePause(c, "a", "r").message, "");
  EXPECT_EQ(StandalonePause(c, "a", "other").message, "activity is in non-pausable state Paused");
  const auto poll = c.SendActivityPoll();
  EXPECT_FALSE(c.Answered(poll));
  EXPECT_EQ(StandaloneUnpause(c, "a").message, "");
  const auto task = c.Take<ws::PollActivityTaskQueueResponse>(poll).response;
  EXPECT_EQ(StandaloneUnpause(c, "a").message, "activity is in non-unpausable state Started");
  EXPECT_EQ(StandalonePause(c, "a").message, "");
  EXPECT_TRUE(StandaloneBeat(c, task.task_token()).response.activity_paused());
  auto reset = StandaloneOn<ws::ResetActivityExecutionRequest>("a");
  reset.set_keep_paused(true);
  reset.set_reset_heartbeat(true);
  const auto send = [&] {
    return Do<ws::ResetActivityExecutionResponse>(c, "ResetActivityExecution", reset).message;
  };
  EXPECT_EQ(send(), "");
  EXPECT_EQ(send(), "cannot reset an activity with a pending reset");
  EXPECT_TRUE(StandaloneBeat(c, task.task_token()).response.activity_reset());
  EXPECT_TRUE(c.FailActivity(task.task_token()).ok());
  const auto info = StandaloneDescribe(c, "a").info();
  EXPECT_EQ(info.status(), enums::ACTIVITY_EXECUTION_STATUS_PAUSED);
  EXPECT_EQ(info.attempt(), 1);
  EXPECT_FALSE(info.has_heartbeat_details());
  reset.set_keep_paused(false);
  EXPECT_EQ(send(), "");
  EXPECT_EQ(c.PollActivity().attempt(), 1);
  EXPECT_EQ(StandaloneTerminate(c, "a").message, "");
  EXPECT_EQ(StandaloneTerminate(c, "a").message, "");
  EXPECT_EQ(StandaloneTerminate(c, "a", "x").message, "already terminated with request ID t");
  EXPECT_EQ(send(), "activity execution is not running");
}

TEST(Standalone, OptionsChange) {
  Client c;
  Start(c, StartOf("a"));
  auto request = StandaloneOn<ws::UpdateActivityExecutionOptionsRequest>("a");
  const auto send = [&] {
    return c.Call<ws::UpdateActivityExecutionOptionsResponse>("UpdateActivityExecutionOptions",
                                                              request);
  };
  EXPECT_EQ(send().status.message, "ActivityOptions are not provided");
  request.mutable_activity_options()->mutable_task_queue()->set_name("other");
  request.mutable_update_mask();
  EXPECT_EQ(send().status.message, "UpdateMask must specify at least one path");
  request.mutable_update_mask()->add_paths("nope");
  EXPECT_EQ(send().status.message, "unsupported update_mask path: \"nope\"");
  request.mutable_update_mask()->set_paths(0, "task_queue.name");
  EXPECT_EQ(send().status.message, "");
  const auto task = c.PollActivity("other");
  request.mutable_update_mask()->set_paths(0, "start_delay");
  EXPECT_EQ(send().status.message,
            "cannot update start_delay: the first activity attempt has already been dispatched");
  request.mutable_update_mask()->set_paths(0, "heartbeat_timeout");
  *request.mutable_activity_options()->mutable_heartbeat_timeout() = ToProto(seconds(2));
  EXPECT_EQ(send().status.message, "");
  c.Advance(seconds(2));
  EXPECT_EQ(StandaloneDescribe(c, "a").info().attempt(), 2);
  request.clear_update_mask();
  request.clear_activity_options();
  request.set_restore_original(true);
  EXPECT_EQ(send().response.activity_options().task_queue().name(), "q");
  c.Advance(seconds(1));
  EXPECT_EQ(c.PollActivity().attempt(), 2);
}

TEST(Standalone, AStartMayBeDelayed) {
  Client c;
  auto request = StartOf("a");
  *request.mutable_start_delay() = ToProto(seconds(5));
  Start(c, request);
  const auto poll = c.SendActivityPoll();
  c.Advance(milliseconds(4999));
  EXPECT_FALSE(c.Answered(poll));
  c.Advance(milliseconds(1));
  EXPECT_TRUE(c.Answered(poll));
}

TEST(Standalone, ListsCountsAndDeletes) {
  Client c;
  for (const char* id : {"a", "b", "c"}) {
    Start(c, StartOf(id));
    c.Advance(milliseconds(1));
  }
  c.CompleteActivity(c.PollActivity().task_token());
  const auto list = [&](const std::string& query) {
    ws::ListActivityExecutionsRequest request;
    request.set_namespace_("default");
    request.set_query(query);
    const auto reply =
        c.Call<ws::ListActivityExecutionsResponse>("ListActivityExecutions", request);
    EXPECT_EQ(reply.status.message, "");
    std::vector<std::string> ids;
    for (const auto& row : reply.response.executions()) ids.push_back(row.activity_id());
    return ids;
  };
  EXPECT_THAT(list(""), ElementsAre("c", "b", "a"));
  EXPECT_THAT(list("TaskQueue = 'q' AND ExecutionStatus = 'Running'"), ElementsAre("c", "b"));
  EXPECT_THAT(list("ActivityId = 'b' AND ActivityType = 'echo'"), ElementsAre("b"));
  ws::CountActivityExecutionsRequest count;
  count.set_namespace_("default");
  count.set_query("GROUP BY ExecutionStatus");
  const auto counted =
      c.Call<ws::CountActivityExecutionsResponse>("CountActivityExecutions", count).response;
  EXPECT_EQ(counted.count(), 3);
  EXPECT_EQ(counted.groups_size(), 2);
  EXPECT_EQ(Do<ws::DeleteActivityExecutionResponse>(
                c, "DeleteActivityExecution", StandaloneOn<ws::DeleteActivityExecutionRequest>("b"))
                .message,
            "");
  EXPECT_THAT(list(""), ElementsAre("c", "a"));
  // Retention takes what is closed; the other one timed out a minute after its start.
  c.Advance(hours(24));
  EXPECT_THAT(list(""), ElementsAre("c"));
  c.Advance(minutes(1));
  EXPECT_TRUE(list("").empty());
}

}  // namespace
}  // namespace squall::fakes::engine
