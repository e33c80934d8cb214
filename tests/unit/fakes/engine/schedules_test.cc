#include <gmock/gmock.h>

#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace schedulepb = ::temporal::api::schedule::v1;

class SchedulesTest : public ::testing::Test {
 protected:
  // Acts every minute unless changed.
  static ws::CreateScheduleRequest Request(const std::string& id = "s") {
    ws::CreateScheduleRequest request;
    request.set_namespace_("default");
    request.set_schedule_id(id);
    request.set_request_id("create-" + id);
    request.mutable_schedule()->mutable_spec()->add_interval()->mutable_interval()->set_seconds(60);
    auto* action = request.mutable_schedule()->mutable_action()->mutable_start_workflow();
    action->set_workflow_id("wf");
    action->mutable_workflow_type()->set_name("Ping");
    action->mutable_task_queue()->set_name("q");
    return request;
  }
  static ws::CreateScheduleRequest WithOverlap(enums::ScheduleOverlapPolicy policy) {
    auto request = Request();
    request.mutable_schedule()->mutable_policies()->set_overlap_policy(policy);
    return request;
  }
  void Create(const ws::CreateScheduleRequest& request) {
    const auto reply = c.Call<ws::CreateScheduleResponse>("CreateSchedule", request);
    ASSERT_TRUE(reply.ok()) << reply.status.message;
    EXPECT_EQ(reply.response.conflict_token(), std::string("\0\0\0\0\0\0\0\1", 8));
  }
  RpcStatus CreateFails(const ws::CreateScheduleRequest& request) {
    return c.Call<ws::CreateScheduleResponse>("CreateSchedule", request).status;
  }
  ws::DescribeScheduleResponse Describe(const std::string& id = "s") {
    ws::DescribeScheduleRequest request;
    request.set_namespace_("default");
    request.set_schedule_id(id);
    const auto reply = c.Call<ws::DescribeScheduleResponse>("DescribeSchedule", request);
    EXPECT_TRUE(reply.ok()) << reply.status.message;
    return reply.response;
  }
  RpcStatus Patch(const schedulepb::SchedulePatch& patch, const std::string& request_id = {},
                  const std::string& id = "s") {
    ws::PatchScheduleRequest request;
    request.set_namespace_("default");
    request.set_schedule_id(id);
    request.set_request_id(request_id);
    *request.mutable_patch() = patch;
    return c.Call<ws::PatchScheduleResponse>("PatchSchedule", request).status;
  }
  static ws::UpdateScheduleRequest UpdateRequest() {
    ws::UpdateScheduleRequest update;
    update.set_namespace_("default");
    update.set_schedule_id("s");
    *update.mutable_schedule() = Request().schedule();
    return update;
  }
  RpcStatus Update(const ws::UpdateScheduleRequest& update) {
    return c.Call<ws::UpdateScheduleResponse>("UpdateSchedule", update).status;
  }
  RpcStatus Delete(const std::string& id = "s") {
    ws::DeleteScheduleRequest request;
    request.set_namespace_("default");
    request.set_schedule_id(id);
    return c.Call<ws::DeleteScheduleResponse>("DeleteSchedule", request).status;
  }
  static std::string WorkflowId(const std::string& minute) {
    return "wf-2026-01-01T00:" + minute + ":00Z";
  }
  std::vector<std::string> Running() {
    std::vector<std::string> ids;
    const auto described = Describe();
    for (const auto& execution : described.info().running_workflows())
      ids.push_back(execution.workflow_id());
    return ids;
  }
  std::vector<std::string> Accepted() {
    std::vector<std::string> ids;
    for (const auto& event : c.sink.Of<journal::WorkflowEvent>("accepted"))
      ids.push_back(event.workflow_id);
    return ids;
  }
  void CompleteNext(const std::string& json = "1") {
    EXPECT_TRUE(c.Complete(c.PollTask(), {CompleteWorkflow(json)}).ok());
  }

  Client c;
};

TEST_F(SchedulesTest, StartsWorkflowsOnTime) {
  auto request = Request();
  auto* action = request.mutable_schedule()->mutable_action()->mutable_start_workflow();
  *action->mutable_input() = Json("7");
  (*action->mutable_memo()->mutable_fields())["m"] = Json("1").payloads(0);
  Create(request);
  c.Advance(seconds(59));
  EXPECT_THAT(Accepted(), IsEmpty());
  c.Advance(seconds(1));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01")));

  const auto task = c.PollTask();
  const auto& started = task.history().events(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.identity(), "temporal-scheduler-default-s");
  EXPECT_EQ(started.input().payloads(0).data(), "7");
  EXPECT_EQ(started.memo().fields().at("m").data(), "1");
  const auto& attributes = started.search_attributes().indexed_fields();
  EXPECT_EQ(attributes.at("TemporalScheduledById").data(), "\"s\"");
  EXPECT_EQ(attributes.at("TemporalScheduledById").metadata().at("type"), "Keyword");
  EXPECT_EQ(attributes.at("TemporalScheduledStartTime").data(), "\"2026-01-01T00:01:00Z\"");
  EXPECT_EQ(attributes.at("TemporalScheduledStartTime").metadata().at("type"), "Datetime");

  const auto described = Describe();
  EXPECT_EQ(described.info().action_count(), 1);
  EXPECT_EQ(described.info().future_action_times_size(), 10);
  ASSERT_EQ(described.info().recent_actions_size(), 1);
  const auto& recent = described.info().recent_actions(0);
  EXPECT_EQ(recent.start_workflow_result().workflow_id(), WorkflowId("01"));
  EXPECT_EQ(recent.start_workflow_status(), enums::WORKFLOW_EXECUTION_STATUS_RUNNING);
  EXPECT_EQ(recent.schedule_time().seconds(), 1767225660);
  EXPECT_EQ(described.schedule().policies().overlap_policy(), enums::SCHEDULE_OVERLAP_POLICY_SKIP);
  EXPECT_EQ(described.schedule().policies().catchup_window().seconds(), 31536000);
  EXPECT_THAT(Running(), ElementsAre(WorkflowId("01")));
}

TEST_F(SchedulesTest, SkipsWhatOverlaps) {
  Create(Request());
  c.Advance(minutes(3));
  EXPECT_EQ(Describe().info().overlap_skipped(), 2);
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01")));
  CompleteNext();
  // Describe sees that it is over; the schedule itself looks afterwards.
  EXPECT_THAT(Running(), IsEmpty());
  EXPECT_EQ(Describe().info().recent_actions(0).start_workflow_status(),
            enums::WORKFLOW_EXECUTION_STATUS_COMPLETED);
  c.Advance(minutes(1));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("04")));
}

TEST_F(SchedulesTest, BuffersOne) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ONE));
  c.Advance(minutes(3));
  EXPECT_EQ(Describe().info().buffer_size(), 1);
  EXPECT_EQ(Describe().info().overlap_skipped(), 1);
  CompleteNext();
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("02")));  // at once
  EXPECT_EQ(Describe().info().buffer_size(), 0);
}

TEST_F(SchedulesTest, BuffersAll) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ALL));
  c.Advance(minutes(3));
  EXPECT_EQ(Describe().info().buffer_size(), 2);
  CompleteNext();
  CompleteNext();
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("02"), WorkflowId("03")));
}

TEST_F(SchedulesTest, FollowsContinuedRunsToTheirEnd) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ONE));
  c.Advance(minutes(2));
  EXPECT_TRUE(c.Complete(c.PollTask(), {ContinueAsNew("1")}).ok());
  c.Advance(seconds(2));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("01")));
  CompleteNext();
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("01"), WorkflowId("02")));
}

TEST_F(SchedulesTest, CancelsTheOther) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER));
  c.Advance(minutes(2));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01")));
  const auto task = c.PollTask();
  const auto& asked = task.history().events(2);
  ASSERT_TRUE(asked.has_workflow_execution_cancel_requested_event_attributes())
      << task.history().ShortDebugString();
  EXPECT_EQ(asked.workflow_execution_cancel_requested_event_attributes().cause(),
            "cancelled by schedule overlap policy");
  EXPECT_TRUE(c.Complete(task, {CancelWorkflow()}).ok());
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("02")));
}

TEST_F(SchedulesTest, TerminatesTheOther) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER));
  c.Advance(minutes(2));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("02")));
  const auto ended = c.sink.Of<journal::WorkflowEvent>("terminated");
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].workflow_id, WorkflowId("01"));
  EXPECT_EQ(Describe().info().recent_actions(0).start_workflow_status(),
            enums::WORKFLOW_EXECUTION_STATUS_TERMINATED);
}

TEST_F(SchedulesTest, LetsAllRun) {
  Create(WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL));
  c.Advance(minutes(12));
  EXPECT_EQ(Describe().info().action_count(), 12);
  EXPECT_EQ(Describe().info().recent_actions_size(), 10);
  EXPECT_THAT(Running(), IsEmpty());  // these are not followed
  EXPECT_EQ(c.engine.open_workflows(), 12U);
}

TEST_F(SchedulesTest, HandsResultsAndFailuresToTheNextRun) {
  Create(Request());
  c.Advance(minutes(1));
  CompleteNext("\"one\"");
  c.Advance(minutes(1));
  auto task = c.PollTask();
  const auto* started = &task.history().events(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started->last_completion_result().payloads(0).data(), "\"one\"");
  EXPECT_TRUE(c.Complete(task, {FailWorkflow("no luck")}).ok());
  c.Advance(minutes(1));
  task = c.PollTask();
  started = &task.history().events(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started->last_completion_result().payloads(0).data(), "\"one\"");
  EXPECT_EQ(started->continued_failure().message(), "no luck");
}

TEST_F(SchedulesTest, PausesOnFailure) {
  auto request = WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_BUFFER_ONE);
  request.mutable_schedule()->mutable_policies()->set_pause_on_failure(true);
  Create(request);
  c.Advance(minutes(2));
  EXPECT_TRUE(c.Complete(c.PollTask(), {FailWorkflow("no luck")}).ok());
  const auto described = Describe();
  EXPECT_TRUE(described.schedule().state().paused());
  EXPECT_EQ(described.schedule().state().notes(),
            "paused due to workflow failure: " + WorkflowId("01") + ": no luck");
  EXPECT_EQ(described.conflict_token().back(), '\2');
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01")));  // what was buffered is dropped
  c.Advance(minutes(5));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01")));
}

TEST_F(SchedulesTest, CountsLimitedActionsDown) {
  auto request = WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL);
  request.mutable_schedule()->mutable_state()->set_limited_actions(true);
  request.mutable_schedule()->mutable_state()->set_remaining_actions(2);
  Create(request);
  EXPECT_EQ(Describe().info().future_action_times_size(), 2);
  c.Advance(minutes(5));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("01"), WorkflowId("02")));
  EXPECT_EQ(Describe().schedule().state().remaining_actions(), 0);
  EXPECT_EQ(Describe().conflict_token().back(), '\3');
  schedulepb::SchedulePatch patch;
  patch.mutable_trigger_immediately();
  EXPECT_EQ(Patch(patch).code, 0);  // manual ones do not count
  EXPECT_EQ(Accepted().size(), 3U);
  c.Advance(hours(24 * 7));  // nothing left to do for a week
  EXPECT_EQ(Delete().message, "workflow execution already completed");
}

TEST_F(SchedulesTest, CatchesUpWithinTheWindowAfterTheServerWasDown) {
  auto request = WithOverlap(enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL);
  request.mutable_schedule()->mutable_policies()->mutable_catchup_window()->set_seconds(150);
  Create(request);
  c.clock.Advance(minutes(6));
  c.engine.Restart(c.now(), true);
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("04"), WorkflowId("05"), WorkflowId("06")));
  EXPECT_EQ(Describe().info().missed_catchup_window(), 3);
}

TEST_F(SchedulesTest, TriggersOncePerRequest) {
  auto request = Request();
  request.mutable_schedule()->mutable_state()->set_paused(true);
  Create(request);
  c.Advance(seconds(90));
  schedulepb::SchedulePatch patch;
  patch.mutable_trigger_immediately();
  EXPECT_EQ(Patch(patch, "once").code, 0);
  EXPECT_EQ(Patch(patch, "once").code, 0);
  EXPECT_THAT(Accepted(), ElementsAre("wf-2026-01-01T00:01:30Z"));
  EXPECT_EQ(Patch(patch, "twice").code, 0);
  EXPECT_EQ(Describe().info().overlap_skipped(), 1);
}

TEST_F(SchedulesTest, BackfillsTenAtATime) {
  auto request = Request();
  request.mutable_schedule()->mutable_state()->set_paused(true);
  auto* backfill = request.mutable_initial_patch()->add_backfill_request();
  backfill->mutable_start_time()->set_seconds(1767225600 - 3600);
  backfill->mutable_end_time()->set_seconds(1767225600 - 3600 + 14 * 60);
  backfill->set_overlap_policy(enums::SCHEDULE_OVERLAP_POLICY_ALLOW_ALL);
  Create(request);
  EXPECT_EQ(Accepted().size(), 10U);
  EXPECT_EQ(Accepted().front(), "wf-2025-12-31T23:00:00Z");  // the start belongs to it
  c.Advance(seconds(1));
  EXPECT_EQ(Accepted().size(), 15U);
  EXPECT_EQ(Accepted().back(), "wf-2025-12-31T23:14:00Z");
}

TEST_F(SchedulesTest, PausesAndGoesOn) {
  Create(Request());
  schedulepb::SchedulePatch patch;
  patch.set_pause("halt");
  EXPECT_EQ(Patch(patch).code, 0);
  c.Advance(minutes(3));
  EXPECT_THAT(Accepted(), IsEmpty());
  EXPECT_EQ(Describe().schedule().state().notes(), "halt");
  patch.Clear();
  patch.set_unpause("go");
  EXPECT_EQ(Patch(patch).code, 0);
  EXPECT_EQ(Describe().conflict_token().back(), '\3');
  c.Advance(minutes(1));
  EXPECT_THAT(Accepted(), ElementsAre(WorkflowId("04")));  // nothing is caught up
}

TEST_F(SchedulesTest, UpdatesUnlessSomebodyWasFaster) {
  Create(Request());
  auto update = UpdateRequest();
  update.mutable_schedule()->mutable_spec()->mutable_interval(0)->mutable_interval()->set_seconds(
      90);
  update.set_conflict_token(std::string("\0\0\0\0\0\0\0\7", 8));
  EXPECT_EQ(Update(update).code, 0);  // and nothing happens
  EXPECT_EQ(Describe().schedule().spec().interval(0).interval().seconds(), 60);
  update.set_conflict_token(Describe().conflict_token());
  EXPECT_EQ(Update(update).code, 0);
  EXPECT_EQ(Describe().schedule().spec().interval(0).interval().seconds(), 90);
  EXPECT_TRUE(Describe().info().has_update_time());
  c.Advance(seconds(100));
  EXPECT_THAT(Accepted(), ElementsAre("wf-2026-01-01T00:01:30Z"));
}

TEST_F(SchedulesTest, ReplacesSearchAttributesWithUpdates) {
  op::AddSearchAttributesRequest add;
  add.set_namespace_("default");
  (*add.mutable_search_attributes())["Color"] = enums::INDEXED_VALUE_TYPE_KEYWORD;
  (*add.mutable_search_attributes())["Size"] = enums::INDEXED_VALUE_TYPE_INT;
  EXPECT_TRUE(
      c.Call<op::AddSearchAttributesResponse>("AddSearchAttributes", add, kOperatorService).ok());
  auto request = Request();
  (*request.mutable_search_attributes()->mutable_indexed_fields())["Color"] =
      Json("\"red\"").payloads(0);
  (*request.mutable_memo()->mutable_fields())["m"] = Json("1").payloads(0);
  Create(request);
  const auto before = Describe().search_attributes().indexed_fields();
  EXPECT_EQ(before.at("Color").metadata().at("type"), "Keyword");
  EXPECT_EQ(before.size(), 1U);
  auto update = UpdateRequest();
  EXPECT_EQ(Update(update).code, 0);
  EXPECT_EQ(Describe().search_attributes().indexed_fields_size(), 1);  // not set: kept
  (*update.mutable_search_attributes()->mutable_indexed_fields())["Size"] = Json("4").payloads(0);
  EXPECT_EQ(Update(update).code, 0);
  const auto described = Describe();
  EXPECT_EQ(described.search_attributes().indexed_fields().count("Color"), 0U);
  EXPECT_EQ(described.search_attributes().indexed_fields().at("Size").data(), "4");
  EXPECT_EQ(described.memo().fields().at("m").data(), "1");
}

TEST_F(SchedulesTest, RefusesBadUpdatesAndPatches) {
  Create(Request());
  auto update = UpdateRequest();
  update.mutable_schedule()->clear_action();
  EXPECT_EQ(Update(update).message, "Only StartWorkflow action is supported for schedules");
  update.mutable_schedule()->mutable_spec()->add_cron_string("x");
  EXPECT_EQ(Update(update).message, "Invalid schedule spec: CronString does not have 5-7 fields");
  update = UpdateRequest();
  update.mutable_memo();
  EXPECT_EQ(Update(update).code, 9);
  update = UpdateRequest();
  update.set_request_id(std::string(1001, 'x'));
  EXPECT_EQ(Update(update).message, "RequestId length exceeds limit.");
  update = UpdateRequest();
  update.set_schedule_id("missing");
  EXPECT_EQ(Update(update).message, "workflow not found for ID: temporal-sys-scheduler:missing");
  schedulepb::SchedulePatch patch;
  patch.set_pause(std::string(1001, 'x'));
  EXPECT_EQ(Patch(patch).message, "Schedule notes exceeds limit.");
  patch.set_pause("x");
  EXPECT_EQ(Patch(patch, {}, "missing").code, 5);
  ws::PatchScheduleRequest none;
  none.set_namespace_("default");
  none.set_schedule_id("s");
  EXPECT_EQ(c.Call<ws::PatchScheduleResponse>("PatchSchedule", none).status.message,
            "Patch is not set on request.");
}

TEST_F(SchedulesTest, RefusesBadCreates) {
  using Change = std::function<void(ws::CreateScheduleRequest&)>;
  const auto action = [](ws::CreateScheduleRequest& r) {
    return r.mutable_schedule()->mutable_action()->mutable_start_workflow();
  };
  const std::pair<Change, const char*> kCases[] = {
      {[](auto& r) { r.set_namespace_("nope"); }, "Namespace nope is not found."},
      {[](auto& r) { r.clear_schedule_id(); },
       "Can't load workflow execution.  WorkflowId not set."},
      {[](auto& r) { r.set_schedule_id(std::string(990, 'x')); },
       "WorkflowId exceeds maximum allowed length (1013/1000)"},
      {[](auto& r) { r.clear_request_id(); }, "RequestId is not set on request."},
      {[](auto& r) { r.set_request_id(std::string(1001, 'x')); },
       "RequestId length exceeds limit."},
      {[&](auto& r) { action(r)->set_workflow_id(std::string(990, 'x')); },
       "WorkflowId exceeds maximum allowed length (1011/1000)"},
      {[&](auto& r) { action(r)->clear_workflow_type(); }, "WorkflowType is not set on request."},
      {[&](auto& r) { action(r)->mutable_workflow_type()->set_name(std::string(1001, 'x')); },
       "WorkflowType length exceeds limit."},
      {[&](auto& r) { action(r)->clear_task_queue(); }, "taskQueue is not set"},
      {[&](auto& r) { action(r)->mutable_task_queue()->clear_name(); }, "missing task queue name"},
      {[&](auto& r) { action(r)->mutable_workflow_run_timeout()->set_seconds(-1); },
       "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration"},
      {[&](auto& r) { action(r)->set_cron_schedule("* * * * *"); },
       "Scheduled workflow must not contain CronSchedule"},
      {[&](auto& r) {
         action(r)->set_workflow_id_reuse_policy(
             enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY);
       },
       "Scheduled workflow must not contain WorkflowIDReusePolicy"},
      {[](auto& r) { (*r.mutable_search_attributes()->mutable_indexed_fields())["Nope"]; },
       "Namespace default has no mapping defined for search attribute Nope"},
      {[](auto& r) { r.mutable_schedule()->mutable_spec()->set_timezone_name("Nope"); },
       "Invalid schedule spec: unknown time zone Nope"}};
  for (const auto& [change, text] : kCases) {
    auto request = Request();
    change(request);
    EXPECT_EQ(CreateFails(request).message, text);
  }
}

TEST_F(SchedulesTest, KnowsItsRequestsAndItsDead) {
  Create(Request());
  Create(Request());  // the same request again
  auto other = Request();
  other.set_request_id("other");
  EXPECT_EQ(CreateFails(other).message, "schedule \"s\" is already registered");
  EXPECT_EQ(CreateFails(other).code, 6);
  EXPECT_EQ(Delete().code, 0);
  c.Advance(minutes(5));
  EXPECT_THAT(Accepted(), IsEmpty());
  EXPECT_EQ(Delete().message, "workflow execution already completed");
  schedulepb::SchedulePatch patch;
  patch.mutable_trigger_immediately();
  EXPECT_EQ(Patch(patch).message, "workflow execution already completed");
  ws::DescribeScheduleRequest describe;
  describe.set_namespace_("default");
  describe.set_schedule_id("s");
  EXPECT_EQ(c.Call<ws::DescribeScheduleResponse>("DescribeSchedule", describe).status.message,
            "schedule not found");
  Create(Request());  // still the first request: answered, but nothing comes to life
  EXPECT_EQ(c.Call<ws::DescribeScheduleResponse>("DescribeSchedule", describe).status.code, 5);
  Create(other);
  c.Advance(minutes(1));
  EXPECT_EQ(Accepted().size(), 1U);
}

TEST_F(SchedulesTest, ListsMatchingTimes) {
  Create(Request());
  ws::ListScheduleMatchingTimesRequest request;
  request.set_namespace_("default");
  request.set_schedule_id("s");
  const auto call = [&] {
    return c.Call<ws::ListScheduleMatchingTimesResponse>("ListScheduleMatchingTimes", request);
  };
  EXPECT_EQ(call().status.message, "missing or invalid query");
  EXPECT_FALSE(call().status.details.empty());
  request.mutable_start_time()->set_seconds(1893456000);
  request.mutable_end_time()->set_seconds(1893456000 + 180);
  EXPECT_EQ(call().response.start_time_size(), 3);
  request.mutable_end_time()->set_seconds(1893456000 + 180 * 86400);
  EXPECT_EQ(call().response.start_time_size(), 1000);
  EXPECT_EQ(Delete().code, 0);
  EXPECT_EQ(call().response.start_time_size(), 1000);
  request.set_schedule_id("missing");
  EXPECT_EQ(call().status.code, 5);
}

TEST_F(SchedulesTest, ListsPagesAndAnswersQueries) {
  for (const char* id : {"a", "b", "c"}) {
    auto request = Request(id);
    if (id == std::string("b")) request.mutable_schedule()->mutable_state()->set_paused(true);
    Create(request);
  }
  ws::ListSchedulesRequest list;
  list.set_namespace_("default");
  list.set_maximum_page_size(2);
  auto page = c.Call<ws::ListSchedulesResponse>("ListSchedules", list).response;
  ASSERT_EQ(page.schedules_size(), 2);
  EXPECT_EQ(page.schedules(0).schedule_id(), "c");
  EXPECT_EQ(page.schedules(0).info().workflow_type().name(), "Ping");
  EXPECT_EQ(page.schedules(0).info().future_action_times_size(), 5);
  EXPECT_TRUE(page.schedules(1).info().paused());
  list.set_next_page_token(page.next_page_token());
  page = c.Call<ws::ListSchedulesResponse>("ListSchedules", list).response;
  ASSERT_EQ(page.schedules_size(), 1);
  EXPECT_EQ(page.schedules(0).schedule_id(), "a");
  EXPECT_EQ(page.next_page_token(), "");
  list.set_next_page_token("junk");
  EXPECT_EQ(c.Call<ws::ListSchedulesResponse>("ListSchedules", list).status.code, 3);

  const auto count = [&](const std::string& query) {
    ws::CountSchedulesRequest request;
    request.set_namespace_("default");
    request.set_query(query);
    return c.Call<ws::CountSchedulesResponse>("CountSchedules", request);
  };
  EXPECT_EQ(count("").response.count(), 3);
  EXPECT_EQ(count("TemporalSchedulePaused = true").response.count(), 1);
  EXPECT_EQ(count("TemporalSchedulePaused = false").response.count(), 2);
  EXPECT_EQ(count("ScheduleId = 'a' OR ScheduleId STARTS_WITH 'b'").response.count(), 2);
  EXPECT_EQ(count("ScheduleId = 'ExecutionStatus'").response.count(), 0);
  EXPECT_EQ(count("WorkflowId = 'a'").status.message,
            "invalid query filter for schedules: cannot filter on \"WorkflowId\"");
  EXPECT_THAT(count("Nope = 1").status.message, HasSubstr("invalid search attribute: Nope"));
}

TEST_F(SchedulesTest, QuotesItsIdInSearchAttributes) {
  Create(Request("a\"<&\n"));
  c.Advance(minutes(1));
  const auto task = c.PollTask();
  const auto& started = task.history().events(0).workflow_execution_started_event_attributes();
  EXPECT_EQ(started.search_attributes().indexed_fields().at("TemporalScheduledById").data(),
            "\"a\\\"\\u003c\\u0026\\n\"");
}

TEST_F(SchedulesTest, GoesWithItsNamespaceAndWithItsData) {
  Create(Request());
  op::DeleteNamespaceRequest remove;
  remove.set_namespace_("default");
  EXPECT_TRUE(
      c.Call<op::DeleteNamespaceResponse>("DeleteNamespace", remove, kOperatorService).ok());
  c.Advance(minutes(5));
  EXPECT_THAT(Accepted(), IsEmpty());
  c.engine.Restart(c.now(), false);
  Create(Request());
  c.engine.Restart(c.now(), false);
  c.Advance(minutes(5));
  EXPECT_THAT(Accepted(), IsEmpty());
}

}  // namespace
}  // namespace squall::fakes::engine
