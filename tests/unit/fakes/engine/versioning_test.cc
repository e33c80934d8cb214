// Workflows of versioned workers: routing, pinning, upgrading, overrides, what is handed down.

#include <gmock/gmock.h>

#include "fakes/engine/farm_hash.h"
#include "tests/unit/fakes/engine/nexus_support.h"
#include "tests/unit/fakes/engine/versioned.h"

namespace squall::fakes::engine {
namespace {

using Override = workflowpb::VersioningOverride;

TEST(Version, HashesWorkflowIdsAsTheRealServerDoes) {
  // From go-farm's Fingerprint32.
  const std::pair<std::string, std::uint32_t> known[] = {
      {"", 3696677242u},
      {"a", 1016544589u},
      {"wf-1", 3907881833u},
      {"workflow", 1883476026u},
      {"workflow-123", 1545591485u},
      {"workflow-1234567", 3407083941u},
      {"0123456789abcdefghijklmn", 59490138u},
      {"0123456789abcdefghijklmno", 40847581u},
      {"order-2f6ba1b8-6c1e-4a9c-9d5e-0a8f4e1b7c33-with-a-long-tail", 4060738720u},
      {"\xff\xc3\xa9", 2125063781u}};
  for (const auto& [text, hash] : known) EXPECT_EQ(Fingerprint32(text), hash) << text;
}

TEST(Versioning, SendsNewWorkflowsToTheCurrentVersion) {
  Versioned c;
  const auto old = c.Poll(""), one = c.Poll("1"), two = c.Poll("2");
  c.Start("before");
  EXPECT_EQ(c.Got(old), "before");
  EXPECT_EQ(c.SetCurrent("1").status.message, "");
  c.Start("after");
  EXPECT_FALSE(c.Answered(two));
  EXPECT_EQ(c.Got(one), "after");
  // Until its first task completes it is on its way there.
  auto info = c.Versioning("after");
  EXPECT_EQ(info.version_transition().deployment_version().build_id(), "1");
  EXPECT_EQ(info.revision_number(), 1);
  c.Finish("1", kPinned);
  info = c.Versioning("after");
  EXPECT_FALSE(info.has_version_transition());
  EXPECT_EQ(info.behavior(), kPinned);
  EXPECT_EQ(info.deployment_version().build_id(), "1");
  EXPECT_EQ(info.version(), "d.1");
  const auto completed = c.LastEvent("after").workflow_task_completed_event_attributes();
  EXPECT_EQ(completed.deployment_version().deployment_name(), "d");
  EXPECT_EQ(completed.versioning_behavior(), kPinned);
  EXPECT_EQ(completed.worker_deployment_name(), "d");
  EXPECT_EQ(c.Describe("after")
                .workflow_execution_info()
                .search_attributes()
                .indexed_fields()
                .at("BuildIds")
                .data(),
            "[\"pinned:d:1\"]");
}

TEST(Versioning, KeepsPinnedWorkflowsAndMovesTheOthers) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("pinned");
  c.Work("pinned", "1", kPinned);
  c.Start("moves");
  c.Work("moves", "1", kAutoUpgrade);
  c.SetCurrent("2");
  c.Signal("pinned", "s");
  c.Signal("moves", "s");
  EXPECT_EQ(c.Got(c.Poll("2")), "moves");
  EXPECT_EQ(c.Versioning("moves").version_transition().deployment_version().build_id(), "2");
  c.Finish("2", kAutoUpgrade);
  EXPECT_EQ(c.Versioning("moves").deployment_version().build_id(), "2");
  EXPECT_EQ(c.Got(c.Poll("1")), "pinned");
  // It learns that new workflows go elsewhere by now.
  EXPECT_TRUE(c.LastEvent("pinned")
                  .workflow_task_started_event_attributes()
                  .target_worker_deployment_version_changed());
}

TEST(Versioning, LeavesTheStickyQueueWhenItsVersionIsNoLongerCurrent) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kAutoUpgrade, {}, "sticky1");
  const auto sticky = c.Poll("1", "sticky1", "q");
  const auto two = c.Poll("2");
  c.SetCurrent("2");
  c.Signal("wf", "s");
  EXPECT_FALSE(c.Answered(sticky));
  EXPECT_EQ(c.Got(two), "wf");
  EXPECT_GT(c.last.history().events_size(), 4);  // all of it
}

TEST(Versioning, RampsByWorkflowId) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.SetRamping("2", 50);
  int ramped = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string id = "wf-" + std::to_string(i);
    c.Start(id);
    const bool ramps = RampThreshold(id) <= 50;
    EXPECT_EQ(c.Got(c.Poll(ramps ? "2" : "1")), id);
    c.Finish(ramps ? "2" : "1", kPinned, {CompleteWorkflow()});
    ramped += ramps ? 1 : 0;
  }
  EXPECT_GT(ramped, 5);
  EXPECT_LT(ramped, 35);
}

TEST(Versioning, KeepsActivitiesWithTheirPinnedWorkflow) {
  Versioned c;
  c.Register("1");
  c.Cancel(c.PollActivities("1"));
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kPinned, {Schedule("a"), Schedule("elsewhere", "free")});
  c.Register("2");
  c.SetCurrent("2");
  const auto two = c.PollActivities("2"), one = c.PollActivities("1");
  EXPECT_FALSE(c.Answered(two));
  EXPECT_TRUE(c.Answered(one));
  // A queue that is in no version is independent.
  EXPECT_TRUE(c.Answered(c.SendActivityPoll("free")));
  const auto pending = c.Describe("wf").pending_activities(0);
  EXPECT_EQ(pending.last_deployment_version().build_id(), "1");
}

TEST(Versioning, MovesTheWorkflowWhenItsActivityMeetsTheNewVersionFirst) {
  Versioned c;
  c.Register("1");
  c.Cancel(c.PollActivities("1"));
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kAutoUpgrade, {Schedule("a")});
  c.Register("2");
  const auto activity = c.PollActivities("2");
  c.SetCurrent("2");
  // The activity waits until the workflow itself has moved.
  EXPECT_FALSE(c.Answered(activity));
  c.Work("wf", "2", kAutoUpgrade);
  EXPECT_TRUE(c.Answered(activity));
}

TEST(Versioning, HandsThePinnedVersionToChildrenAndContinuedRuns) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  auto child = StartChild("child");
  child.mutable_start_child_workflow_execution_command_attributes()->mutable_task_queue()->set_name(
      "q");
  c.Work("wf", "1", kPinned, {child, StartChild("other")});
  c.SetCurrent("2");
  EXPECT_EQ(c.History("child")[0]
                .workflow_execution_started_event_attributes()
                .inherited_pinned_version()
                .build_id(),
            "1");
  EXPECT_FALSE(c.History("other")[0]
                   .workflow_execution_started_event_attributes()
                   .has_inherited_pinned_version());
  c.Work("child", "1", kPinned, {CompleteWorkflow()});
  c.Work("wf", "1", kPinned, {ContinueAsNew()});
  const auto started = c.History("wf")[0].workflow_execution_started_event_attributes();
  EXPECT_EQ(started.inherited_pinned_version().build_id(), "1");
  EXPECT_EQ(started.declined_target_version_upgrade().deployment_version().build_id(), "2");
  EXPECT_EQ(started.declined_target_version_upgrade().revision_number(), 2);
  c.Advance(seconds(2));
  EXPECT_EQ(c.Got(c.Poll("1")), "wf");
  EXPECT_FALSE(c.LastEvent("wf")
                   .workflow_task_started_event_attributes()
                   .target_worker_deployment_version_changed());
  // Asked to upgrade, the next run starts on the current version.
  auto again = ContinueAsNew();
  again.mutable_continue_as_new_workflow_execution_command_attributes()
      ->set_initial_versioning_behavior(enums::CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_AUTO_UPGRADE);
  c.Finish("1", kPinned, {again});
  c.Advance(seconds(2));
  EXPECT_EQ(c.Got(c.Poll("2")), "wf");
}

TEST(Versioning, ContinuesOnTheRampingVersionWhenAsked) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  EXPECT_EQ(c.Got(c.Poll("1")), "wf");
  c.SetRamping("2", 0);
  auto again = ContinueAsNew();
  again.mutable_continue_as_new_workflow_execution_command_attributes()
      ->set_initial_versioning_behavior(
          enums::CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_USE_RAMPING_VERSION);
  c.Finish("1", kPinned, {again});
  c.Advance(seconds(2));
  const auto inherited = c.History("wf")[0]
                             .workflow_execution_started_event_attributes()
                             .inherited_auto_upgrade_info();
  EXPECT_EQ(inherited.source_deployment_version().build_id(), "1");
  EXPECT_EQ(c.Got(c.Poll("2")), "wf");
}

ws::StartWorkflowExecutionRequest StartWith(const std::string& id, const Override& override) {
  auto request = Client::StartRequest(id);
  *request.mutable_versioning_override() = override;
  return request;
}

TEST(Overrides, PinAtTheStart) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  Override pin;
  pin.mutable_pinned()->set_behavior(Override::PINNED_OVERRIDE_BEHAVIOR_PINNED);
  pin.mutable_pinned()->mutable_version()->set_deployment_name("d");
  pin.mutable_pinned()->mutable_version()->set_build_id("2");
  EXPECT_EQ(c.Client::Start(StartWith("wf", pin)).status.message, "");
  EXPECT_EQ(c.StatusOf("2"), enums::WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING);
  c.Work("wf", "2", kAutoUpgrade);
  c.Signal("wf", "s");
  c.Work("wf", "2", kAutoUpgrade);
  const auto info = c.Versioning("wf");
  EXPECT_EQ(info.behavior(), kAutoUpgrade);
  EXPECT_EQ(info.versioning_override().pinned().version().build_id(), "2");
  EXPECT_EQ(info.versioning_override().pinned_version(), "d.2");
  pin.mutable_pinned()->mutable_version()->set_build_id("9");
  const auto refused = c.Client::Start(StartWith("no", pin));
  EXPECT_EQ(refused.status.code, 9);
  EXPECT_EQ(refused.status.message,
            "Pinned version 'd:9' is not present in task queue 'q' of type 'Workflow'");
  pin.mutable_pinned()->clear_version();
  EXPECT_EQ(c.Client::Start(StartWith("no", pin)).status.message,
            "must provide version if override is pinned.");
}

TEST(Overrides, HoldForOneTaskWhenTheyAreOneTime) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  Override once;
  once.mutable_one_time()->mutable_target_deployment_version()->set_deployment_name("d");
  once.mutable_one_time()->mutable_target_deployment_version()->set_build_id("2");
  EXPECT_EQ(c.Client::Start(StartWith("wf", once)).status.message, "");
  c.Work("wf", "2", kAutoUpgrade);
  EXPECT_FALSE(c.Versioning("wf").has_versioning_override());
  c.Signal("wf", "s");
  c.Work("wf", "1", kAutoUpgrade);
}

Reply<ws::UpdateWorkflowExecutionOptionsResponse> UpdateOptions(
    Client& c, const std::string& path, const workflowpb::WorkflowExecutionOptions& options) {
  ws::UpdateWorkflowExecutionOptionsRequest request;
  request.set_namespace_("default");
  request.mutable_workflow_execution()->set_workflow_id("wf");
  *request.mutable_workflow_execution_options() = options;
  request.mutable_update_mask()->add_paths(path);
  request.set_identity("op");
  return c.Call<ws::UpdateWorkflowExecutionOptionsResponse>("UpdateWorkflowExecutionOptions",
                                                            request);
}

TEST(Overrides, ComeAndGoWithUpdatesOfOptions) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kPinned);
  c.Signal("wf", "s");  // its task waits for version 1
  workflowpb::WorkflowExecutionOptions options;
  auto* pinned = options.mutable_versioning_override()->mutable_pinned();
  pinned->set_behavior(Override::PINNED_OVERRIDE_BEHAVIOR_PINNED);
  pinned->mutable_version()->set_deployment_name("d");
  pinned->mutable_version()->set_build_id("2");
  EXPECT_EQ(UpdateOptions(c, "versioning_override", options).status.message, "");
  const auto event = c.LastEvent("wf");
  EXPECT_EQ(event.event_type(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
  EXPECT_TRUE(event.worker_may_ignore());
  EXPECT_EQ(event.workflow_execution_options_updated_event_attributes().identity(), "op");
  const std::size_t events = c.History("wf").size();
  EXPECT_EQ(UpdateOptions(c, "versioning_override", options).status.message, "");
  EXPECT_EQ(c.History("wf").size(), events);  // no change, no event
  c.Work("wf", "2", kPinned);
  EXPECT_EQ(UpdateOptions(c, "versioning_override", {}).status.message, "");
  EXPECT_TRUE(c.LastEvent("wf")
                  .workflow_execution_options_updated_event_attributes()
                  .unset_versioning_override());
  EXPECT_FALSE(c.Versioning("wf").has_versioning_override());
  EXPECT_EQ(c.Versioning("wf").deployment_version().build_id(), "2");

  EXPECT_EQ(UpdateOptions(c, "nonsense", options).status.code, 3);
  EXPECT_EQ(UpdateOptions(c, "versioning_override.pinned", options).status.message,
            "error applying update_options: versioning_override doesn't support partial updates");
  EXPECT_EQ(UpdateOptions(c, "versioning_override.behavior", options).status.message,
            "error applying update_options: versioning_override fields must be updated together");
  options.mutable_priority()->set_priority_key(-1);
  EXPECT_EQ(UpdateOptions(c, "priority", options).status.message, "priority key can't be negative");
}

TEST(Versioning, AsksWorkersOfTheRightVersionForQueries) {
  Versioned c;
  c.Register("1");
  c.Register("2");
  c.SetCurrent("1");
  c.Start("wf");
  c.Work("wf", "1", kPinned);
  c.SetCurrent("2");
  const auto two = c.Poll("2");
  ws::QueryWorkflowRequest request;
  request.set_namespace_("default");
  request.mutable_execution()->set_workflow_id("wf");
  request.mutable_query()->set_query_type("state");
  c.Send("QueryWorkflow", request, seconds(20));
  EXPECT_FALSE(c.Answered(two));
  EXPECT_TRUE(c.Answered(c.Poll("1")));
}

TEST(Versioning, SendsNexusTasksToTheCurrentVersionAndDuringARampToThatOne) {
  Versioned c;
  Endpoint(c);
  const auto poll = [&c](const std::string& build) {
    ws::PollNexusTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name("nq");
    request.set_identity("n" + build);
    Fill(request.mutable_deployment_options(), build);
    return c.Send("PollNexusTaskQueue", request, seconds(70));
  };
  for (const char* build : {"1", "2"}) c.Cancel(poll(build));
  EXPECT_EQ(c.SetCurrent("1").status.message, "");
  const auto first = poll("1"), second = poll("2");
  c.Start("wf", "unversioned");
  c.Step({CallNexus()}, "unversioned");
  EXPECT_TRUE(c.Answered(first));
  EXPECT_FALSE(c.Answered(second));
  EXPECT_EQ(c.SetRamping("2", 5).status.message, "");
  const auto third = poll("1");
  c.Signal("wf", "s");
  c.Step({CallNexus()}, "unversioned");
  EXPECT_TRUE(c.Answered(second)) << "a Nexus task has no workflow id to be drawn by";
  EXPECT_FALSE(c.Answered(third));
}

TEST(Versioning, RefusesPollsThatAreHalfVersioned) {
  Client c;
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.mutable_task_queue()->set_name("q");
  Fill(request.mutable_deployment_options(), "");
  const auto refusal = [&] {
    return c.Call<ws::PollWorkflowTaskQueueResponse>("PollWorkflowTaskQueue", request)
        .status.message;
  };
  EXPECT_EQ(refusal(), "Deployment name and build id must be set together.");
  Fill(request.mutable_deployment_options(), "1");
  request.mutable_deployment_options()->set_deployment_name("a.b");
  EXPECT_EQ(refusal(), "worker deployment name cannot contain '.'");
  request.mutable_deployment_options()->set_deployment_name("d");
  request.mutable_task_queue()->set_kind(enums::TASK_QUEUE_KIND_STICKY);
  EXPECT_EQ(refusal(),
            "NormalName must be set on sticky queue when UseVersioning is true or "
            "DeploymentOptions are set.");
}

}  // namespace
}  // namespace squall::fakes::engine
