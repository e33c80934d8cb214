// Completion callbacks of standalone activities: the end of one completes a Nexus operation.

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/completion_callbacks.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/null_payload.h"
#include "fakes/engine/standalone_state.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

NexusCompletion CompletionOf(const StandaloneActivity& activity,
                             const activitypb::ActivityExecutionOutcome& outcome) {
  NexusCompletion completion;
  completion.started = AsHttpDate(activity.scheduled);
  auto* link = completion.link.emplace().mutable_activity();
  link->set_namespace_(activity.ns->name);
  link->set_activity_id(activity.activity_id);
  link->set_run_id(activity.run_id);
  if (outcome.has_failure()) {
    completion.canceled = activity.status == StandaloneActivity::Status::kCanceled;
    completion.failure = outcome.failure();
  } else {
    completion.result =
        outcome.result().payloads_size() > 0 ? outcome.result().payloads(0) : NullPayload();
  }
  return completion;
}

}  // namespace

Status StandaloneActivities::State::Attach(Activity& activity,
                                           const ws::StartActivityExecutionRequest& request) const {
  auto& callbacks = activity.callbacks;
  const auto given = static_cast<std::size_t>(request.completion_callbacks_size());
  if (given == 0) return absl::OkStatus();
  if (given + callbacks.size() > std::size_t{kMaxCallbacks}) {
    return MakeStatus(
        StatusCode::kFailedPrecondition,
        "cannot attach more than {} callbacks to an activity ({} callbacks already attached)",
        kMaxCallbacks, callbacks.size());
  }
  std::erase_if(callbacks, [&](const CompletionCallback& callback) {
    return callback.request_id == request.request_id();
  });
  for (const common::Callback& callback : request.completion_callbacks()) {
    callbacks.push_back(
        {.callback = callback, .request_id = request.request_id(), .registered = core.now.wall});
  }
  return absl::OkStatus();
}

void StandaloneActivities::State::CallBackAll(Activity& activity) {
  if (activity.callbacks.empty()) return;
  for (CompletionCallback& callback : activity.callbacks)
    callback.state = enums::CALLBACK_STATE_SCHEDULED;
  core.Defer([this, held = activity.shared_from_this()] {
    const NexusCompletion completion = CompletionOf(*held, Outcome(*held).outcome());
    for (CompletionCallback& callback : held->callbacks)
      NoteCall(core, &callback, CallBack(core, callback.callback, completion));
    Changed(*held);
  });
}

void StandaloneActivities::State::TellCallbacks(const Activity& activity,
                                                ws::DescribeActivityExecutionResponse* response) {
  for (const CompletionCallback& callback : activity.callbacks) {
    auto* told = response->add_callbacks();
    told->mutable_trigger()->mutable_activity_closed();
    auto* info = told->mutable_info();
    *info->mutable_callback() = callback.callback;
    *info->mutable_registration_time() = ToProto(callback.registered);
    info->set_state(callback.state);
    info->set_attempt(callback.attempts);
    if (callback.attempts > 0)
      *info->mutable_last_attempt_complete_time() = ToProto(callback.last_complete);
    if (callback.last_failure) *info->mutable_last_attempt_failure() = *callback.last_failure;
  }
}

}  // namespace squall::fakes::engine
