#include "fakes/engine/state_size.h"

#include <map>
#include <optional>
#include <string>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

// What the real server's encoding takes around what clients send, roughly.
constexpr std::int64_t kOfRun = 1500, kOfActivity = 250, kOfTimer = 60, kOfChild = 250,
                       kOfExternal = 100, kOfUpdate = 150;

using Fields = std::map<std::string, common::Payload>;

std::int64_t SizeOf(const std::string& key, const common::Payload& value) {
  return static_cast<std::int64_t>(key.size() + value.ByteSizeLong());
}

std::int64_t SizeOf(const Fields& fields) {
  std::int64_t size = 0;
  for (const auto& [key, value] : fields) size += SizeOf(key, value);
  return size;
}

// How much larger `fields` become.
std::int64_t Growth(const Fields& fields,
                    const google::protobuf::Map<std::string, common::Payload>& upserted) {
  std::int64_t size = 0;
  for (const auto& [key, value] : upserted) {
    size += SizeOf(key, value);
    if (const auto old = fields.find(key); old != fields.end()) size -= SizeOf(key, old->second);
  }
  return size;
}

template <typename Message>
std::int64_t SizeOf(const std::optional<Message>& message) {
  return message ? static_cast<std::int64_t>(message->ByteSizeLong()) : 0;
}

}  // namespace

std::int64_t StateSize(const Run& run) {
  std::int64_t size =
      kOfRun + SizeOf(run.memo) + SizeOf(run.search_attributes) + run.history.buffered_bytes();
  for (const auto& [id, activity] : run.activities) {
    size += kOfActivity + SizeOf(activity.heartbeat_details) + SizeOf(activity.last_failure);
  }
  const auto count = [](const auto& things) { return static_cast<std::int64_t>(things.size()); };
  return size + kOfTimer * count(run.timers) + kOfChild * count(run.children) +
         kOfExternal * (count(run.pending_signals) + count(run.pending_cancels)) +
         kOfUpdate * count(run.updates);
}

std::int64_t StateGrowth(const Run& run, const ws::RespondWorkflowTaskCompletedRequest& request) {
  std::int64_t size = 0;
  for (const command::Command& command : request.commands()) {
    switch (command.command_type()) {
      case enums::COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES:
        size += Growth(
            run.memo,
            command.modify_workflow_properties_command_attributes().upserted_memo().fields());
        break;
      case enums::COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
        size += Growth(run.search_attributes,
                       command.upsert_workflow_search_attributes_command_attributes()
                           .search_attributes()
                           .indexed_fields());
        break;
      case enums::COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
        size += kOfActivity;
        break;
      default:
        break;
    }
  }
  return size;
}

std::int64_t StateGrowth(const Activity& activity, const common::Payloads* details) {
  const std::int64_t size =
      details == nullptr ? 0 : static_cast<std::int64_t>(details->ByteSizeLong());
  return size - SizeOf(activity.heartbeat_details);
}

Status RoomInState(Core& core, Run& run, std::int64_t growth) {
  if (StateSize(run) + growth <= core.options.limits.state_size) return absl::OkStatus();
  // A task that is in no history is lost with what is not stored.
  if (run.task.speculative) core.tasks.Clear(run);
  core.closing.Terminate(run, std::string(kStateExceedsLimit), nullptr, "history-service");
  return InvalidArgument(kStateExceedsLimit);
}

}  // namespace squall::fakes::engine
