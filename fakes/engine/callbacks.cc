#include "fakes/engine/callbacks.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/completion_callbacks.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/null_payload.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

constexpr char kTokenHeader[] = "temporal-callback-token";
// frontend.callbackURLMaxLength, frontend.callbackHeaderMaxLength.
constexpr std::size_t kMaxCallbackUrl = 1000, kMaxCallbackHeader = 8192;

Status CheckCallback(const common::Callback& callback) {
  switch (callback.variant_case()) {
    case common::Callback::kNexus:
      break;
    case common::Callback::kInternal:
      return InvalidArgument("unsupported callback variant: *common.Callback_Internal_");
    default:
      return Status(StatusCode::kUnimplemented, "unknown callback variant: <nil>");
  }
  const std::string& url = callback.nexus().url();
  if (url.size() > kMaxCallbackUrl) {
    return InvalidArgument(fmt::format(
        "invalid url: url length longer than max length allowed of {}", kMaxCallbackUrl));
  }
  if (url != kSystemUrl) {
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return InvalidArgument("invalid url: unknown scheme: " + url);
    return InvalidArgument("invalid url: url does not match any configured callback address: " +
                           url);
  }
  std::size_t size = 0;
  for (const auto& [key, value] : callback.nexus().header()) size += key.size() + value.size();
  if (size > kMaxCallbackHeader) {
    return InvalidArgument(fmt::format(
        "invalid header: header size longer than max allowed size of {}", kMaxCallbackHeader));
  }
  return absl::OkStatus();
}

// The end of a workflow as the end of an operation.
NexusCompletion CompletionOf(const historypb::HistoryEvent& close_event) {
  NexusCompletion completion;
  failure::Failure failure;
  switch (close_event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: {
      const auto& result = close_event.workflow_execution_completed_event_attributes().result();
      completion.result = result.payloads_size() > 0 ? result.payloads(0) : NullPayload();
      return completion;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
      failure = close_event.workflow_execution_failed_event_attributes().failure();
      break;
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: {
      const auto& closed = close_event.workflow_execution_canceled_event_attributes();
      completion.canceled = true;
      failure.set_message("operation canceled");
      auto* info = failure.mutable_canceled_failure_info();
      if (closed.has_details()) *info->mutable_details() = closed.details();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
      failure.set_message("operation terminated");
      failure.mutable_terminated_failure_info();
      break;
    default:
      failure.set_message("operation exceeded internal timeout");
      failure.mutable_timeout_failure_info();
  }
  completion.failure = std::move(failure);
  return completion;
}

}  // namespace

Status NormalizeCallbacks(google::protobuf::RepeatedPtrField<common::Callback>* callbacks) {
  if (callbacks->size() > kMaxCallbacks) {
    return InvalidArgument(
        fmt::format("cannot attach more than {} callbacks to an execution", kMaxCallbacks));
  }
  for (common::Callback& callback : *callbacks) {
    SQUALL_RETURN_IF_ERROR(CheckCallback(callback));
    google::protobuf::Map<std::string, std::string> lower;
    for (const auto& [key, value] : callback.nexus().header())
      lower[absl::AsciiStrToLower(key)] = value;
    callback.mutable_nexus()->mutable_header()->swap(lower);
  }
  return absl::OkStatus();
}

WallTime AsHttpDate(WallTime time) {
  return WallTime(std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()));
}

std::optional<std::string> CallBack(Core& core, const common::Callback& callback,
                                    const NexusCompletion& completion) {
  const auto& header = callback.nexus().header();
  const auto text = header.find(kTokenHeader);
  const auto token = text == header.end() ? std::nullopt : CallbackToken::Parse(text->second);
  if (!token) return "handler error (BAD_REQUEST): invalid callback token";
  if (const auto error = core.nexus_operations.Complete(*token, completion))
    return "handler error (NOT_FOUND): " + *error;
  return std::nullopt;
}

void NoteCall(const Core& core, CompletionCallback* callback,
              const std::optional<std::string>& error) {
  ++callback->attempts;
  callback->last_complete = core.now.wall;
  callback->state = error ? enums::CALLBACK_STATE_FAILED : enums::CALLBACK_STATE_SUCCEEDED;
  if (!error) return;
  failure::Failure& failure = callback->last_failure.emplace();
  failure.set_message(*error);
  failure.mutable_application_failure_info()->set_non_retryable(true);
}

Status Callbacks::Normalize(ws::StartWorkflowExecutionRequest& request) {
  SQUALL_RETURN_IF_ERROR(NormalizeCallbacks(request.mutable_completion_callbacks()));
  const auto& options = request.on_conflict_options();
  if (options.attach_completion_callbacks() && !options.attach_request_id()) {
    return InvalidArgument("attaching request ID is required for attaching completion callbacks");
  }
  // What a callback links to needs no second link.
  auto& links = *request.mutable_links();
  for (int i = 0; i < links.size();) {
    const std::string link = SerializeSorted(links[i]);
    const auto& callbacks = request.completion_callbacks();
    const bool known = std::any_of(callbacks.begin(), callbacks.end(), [&](const auto& callback) {
      return std::any_of(callback.links().begin(), callback.links().end(),
                         [&](const auto& other) { return SerializeSorted(other) == link; });
    });
    if (known) {
      links.DeleteSubrange(i, 1);
    } else {
      ++i;
    }
  }
  return absl::OkStatus();
}

void Callbacks::Add(Run& run, const common::Callback& callback, const std::string& request_id) {
  run.callbacks.push_back(
      {.callback = callback, .request_id = request_id, .registered = core_.now.wall});
}

void Callbacks::RunStarted(Run& run) {
  for (const auto& callback : run.start.completion_callbacks())
    Add(run, callback, run.create_request_id);
}

void Callbacks::Restore(Run& run, const historypb::HistoryEvent& event) {
  const auto& attributes = event.workflow_execution_options_updated_event_attributes();
  const std::string& request_id = attributes.attached_request_id();
  if (!request_id.empty()) run.attached_request_ids.insert(request_id);
  for (const auto& callback : attributes.attached_completion_callbacks())
    Add(run, callback, request_id);
}

void Callbacks::Attach(Run& run, const ws::StartWorkflowExecutionRequest& request) {
  const auto& options = request.on_conflict_options();
  if (options.attach_request_id() && !run.attached_request_ids.insert(request.request_id()).second)
    return;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
  event.set_worker_may_ignore(true);
  auto* updated = event.mutable_workflow_execution_options_updated_event_attributes();
  if (options.attach_request_id()) updated->set_attached_request_id(request.request_id());
  if (options.attach_completion_callbacks()) {
    *updated->mutable_attached_completion_callbacks() = request.completion_callbacks();
    for (const auto& callback : request.completion_callbacks())
      Add(run, callback, request.request_id());
  }
  if (options.attach_links()) *event.mutable_links() = request.links();
  run.history.Buffer(std::move(event));
  core_.tasks.Settle(run, false);
}

void Callbacks::CopyTo(const Run& run, historypb::WorkflowExecutionStartedEventAttributes& next) {
  next.clear_completion_callbacks();
  for (const CompletionCallback& callback : run.callbacks)
    *next.add_completion_callbacks() = callback.callback;
}

std::optional<std::string> Callbacks::Deliver(const Run& run, const CompletionCallback& callback,
                                              const historypb::HistoryEvent& close_event) {
  NexusCompletion completion = CompletionOf(close_event);
  completion.started = AsHttpDate(run.started);
  completion.link = run.attached_request_ids.contains(callback.request_id)
                        ? RequestLink(run, callback.request_id,
                                      enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
                        : StartedLink(run);
  return CallBack(core_, callback.callback, completion);
}

void Callbacks::RunClosed(Run& run, const historypb::HistoryEvent& close_event) {
  if (!run.new_run_id.empty()) return;
  if (run.closed_by_reset || !run.reset_run_id.empty()) return;  // the new run calls them
  for (CompletionCallback& callback : run.callbacks) {
    callback.state = enums::CALLBACK_STATE_SCHEDULED;
  }
  if (run.callbacks.empty()) return;
  core_.Defer([this, held = run.shared_from_this(), close_event] {
    for (CompletionCallback& callback : held->callbacks)
      NoteCall(core_, &callback, Deliver(*held, callback, close_event));
  });
}

void Callbacks::Describe(const Run& run, ws::DescribeWorkflowExecutionResponse* response) {
  for (const CompletionCallback& callback : run.callbacks) {
    workflowpb::CallbackInfo* info = response->add_callbacks();
    *info->mutable_callback() = callback.callback;
    info->mutable_trigger()->mutable_workflow_closed();
    *info->mutable_registration_time() = ToProto(callback.registered);
    info->set_state(callback.state);
    info->set_attempt(callback.attempts);
    if (callback.attempts > 0)
      *info->mutable_last_attempt_complete_time() = ToProto(callback.last_complete);
    if (callback.last_failure) *info->mutable_last_attempt_failure() = *callback.last_failure;
  }
  if (run.attached_request_ids.empty()) return;
  auto& infos = *response->mutable_workflow_extended_info()->mutable_request_id_infos();
  for (const std::string& id : run.attached_request_ids) {
    infos[id].set_event_type(enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
    infos[id].set_buffered(true);
  }
  for (std::int64_t id = 1; id < run.history.next_event_id(); ++id) {
    const historypb::HistoryEvent event = run.history.Read(id);
    if (event.event_type() != enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED) continue;
    const auto it = infos.find(
        event.workflow_execution_options_updated_event_attributes().attached_request_id());
    if (it == infos.end()) continue;
    it->second.set_event_id(id);
    it->second.clear_buffered();
  }
}

}  // namespace squall::fakes::engine
