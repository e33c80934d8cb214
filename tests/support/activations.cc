#include "tests/support/activations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace squall::testing {
namespace {

using core::Payload;

std::string Text(const Payload& payload) {
  const StatusOr<std::string> json = core::PayloadToJson(payload);
  return json.ok() ? *json : std::string(Message(json.status()));
}

template <typename Repeated>
std::string Texts(const Repeated& payloads) {
  std::vector<std::string> all;
  for (const Payload& payload : payloads) all.push_back(Text(payload));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

std::string Describe(const coresdk::workflow_commands::WorkflowCommand& command) {
  if (command.has_start_timer()) {
    const auto& timer = command.start_timer();
    return fmt::format(
        "start_timer {} {}ms", timer.seq(),
        core::FromProto(timer.start_to_fire_timeout()) / std::chrono::milliseconds(1));
  }
  if (command.has_cancel_timer())
    return fmt::format("cancel_timer {}", command.cancel_timer().seq());
  if (command.has_schedule_activity()) {
    const auto& activity = command.schedule_activity();
    return fmt::format("schedule_activity {} {} {}", activity.seq(), activity.activity_type(),
                       Texts(activity.arguments()));
  }
  if (command.has_request_cancel_activity()) {
    return fmt::format("request_cancel_activity {}", command.request_cancel_activity().seq());
  }
  if (command.has_start_child_workflow_execution()) {
    const auto& child = command.start_child_workflow_execution();
    return fmt::format("start_child {} {} {} {}", child.seq(), child.workflow_type(),
                       child.workflow_id(), Texts(child.input()));
  }
  if (command.has_cancel_child_workflow_execution()) {
    return fmt::format("cancel_child {}",
                       command.cancel_child_workflow_execution().child_workflow_seq());
  }
  if (command.has_complete_workflow_execution()) {
    return "complete " + Text(command.complete_workflow_execution().result());
  }
  if (command.has_fail_workflow_execution()) {
    return "fail " + core::FailureText(command.fail_workflow_execution().failure());
  }
  if (command.has_cancel_workflow_execution()) return "cancelled";
  if (command.has_continue_as_new_workflow_execution()) {
    const auto& next = command.continue_as_new_workflow_execution();
    return fmt::format("continue_as_new {} {}", next.workflow_type(), Texts(next.arguments()));
  }
  if (command.has_set_patch_marker()) return "patch " + command.set_patch_marker().patch_id();
  if (command.has_update_response()) {
    const auto& response = command.update_response();
    if (response.has_accepted()) return "update accepted " + response.protocol_instance_id();
    if (response.has_completed()) return "update completed " + Text(response.completed());
    return "update rejected " + core::FailureText(response.rejected());
  }
  if (command.has_respond_to_query()) {
    const auto& query = command.respond_to_query();
    if (query.has_succeeded())
      return fmt::format("query {} {}", query.query_id(), Text(query.succeeded().response()));
    return fmt::format("query {} failed: {}", query.query_id(), query.failed().message());
  }
  return "? " + command.ShortDebugString();
}

}  // namespace

std::vector<std::string> Commands(const core::ActivationCompletion& completion) {
  if (completion.has_failed()) return {"task failed: " + completion.failed().failure().message()};
  std::vector<std::string> all;
  for (const auto& command : completion.successful().commands()) all.push_back(Describe(command));
  return all;
}

}  // namespace squall::testing
