#include "fakes/engine/starts.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/cron.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

constexpr Duration kMaxTaskTimeout =
    std::chrono::seconds(120);  // maxWorkflowTaskStartToCloseTimeout

Status CheckDuration(const google::protobuf::Duration& duration, std::string_view field) {
  if (FromProto(duration).count() >= 0) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument,
                    "An invalid {} is set on request. cause: negative duration", field);
}

void SetDefaults(enums::WorkflowIdReusePolicy* reuse, enums::WorkflowIdConflictPolicy* conflict,
                 enums::WorkflowIdConflictPolicy usual) {
  if (*conflict == enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED) {
    if (*reuse == enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING) {
      *conflict = enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING;
      *reuse = enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
    } else {
      *conflict = usual;
    }
  }
  if (*reuse == enums::WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED)
    *reuse = enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
}

Status CheckPolicies(enums::WorkflowIdReusePolicy reuse, enums::WorkflowIdConflictPolicy conflict) {
  if (conflict != enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED &&
      reuse == enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING) {
    return InvalidArgument(
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be "
        "used together with a "
        "WorkflowIDConflictPolicy");
  }
  if (conflict == enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING &&
      reuse == enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE) {
    return InvalidArgument(
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used "
        "together with "
        "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
  }
  return absl::OkStatus();
}

}  // namespace

Duration EffectiveRunTimeout(Duration run, Duration execution) {
  if (execution.count() == 0) return run;
  return run.count() == 0 ? execution : std::min(run, execution);
}

Duration EffectiveTaskTimeout(Duration task, Duration run, Duration usual) {
  if (task.count() == 0) task = usual;
  task = std::min(task, kMaxTaskTimeout);
  return run.count() == 0 ? task : std::min(task, run);
}

Status NormalizeQueue(taskqueue::TaskQueue* queue, const std::string& default_name) {
  if (queue->kind() == enums::TASK_QUEUE_KIND_UNSPECIFIED)
    queue->set_kind(enums::TASK_QUEUE_KIND_NORMAL);
  if (queue->name().empty()) {
    if (default_name.empty()) return InvalidArgument("missing task queue name");
    queue->set_name(default_name);
  }
  if (queue->name().size() > kMaxIdLength) return InvalidArgument("taskQueue length exceeds limit");
  if (queue->name().starts_with("/_sys/")) {
    return InvalidArgument("task queue name cannot start with reserved prefix /_sys/");
  }
  return absl::OkStatus();
}

common::Link StartedLink(const Run& run) {
  common::Link link;
  auto* event = link.mutable_workflow_event();
  event->set_namespace_(run.ns->name);
  event->set_workflow_id(run.workflow_id);
  event->set_run_id(run.run_id);
  event->mutable_event_ref()->set_event_id(1);
  event->mutable_event_ref()->set_event_type(enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
  return link;
}

common::Link RequestLink(const Run& run, const std::string& request_id, enums::EventType type) {
  common::Link link;
  auto* event = link.mutable_workflow_event();
  event->set_namespace_(run.ns->name);
  event->set_workflow_id(run.workflow_id);
  event->set_run_id(run.run_id);
  event->mutable_request_id_ref()->set_request_id(request_id);
  event->mutable_request_id_ref()->set_event_type(type);
  return link;
}

void Starts::ArmExpiry(Run& run) {
  std::optional<WallTime> ends = run.run_expires;
  if (run.execution_expires)
    ends = ends ? std::min(*ends, *run.execution_expires) : *run.execution_expires;
  if (ends) {
    run.run_timer = core_.After(*ends - core_.now.wall, [this, weak = run.weak_from_this()] {
      auto held = weak.lock();
      if (held == nullptr || !held->open()) return;
      held->run_timer = 0;
      core_.closing.TimedOut(*held);
    });
  }
}

std::shared_ptr<Run> Starts::Create(NewRun start) {
  auto run = std::make_shared<Run>();
  run->history.SetTransaction(&core_.transaction);
  run->ns = std::move(start.ns);
  run->workflow_id = std::move(start.workflow_id);
  run->run_id = start.run_id.empty() ? core_.rng.Uuid() : std::move(start.run_id);
  run->create_request_id = std::move(start.request_id);
  run->start = std::move(start.attributes);
  run->start.set_workflow_id(run->workflow_id);
  run->start.set_original_execution_run_id(run->run_id);
  if (run->start.first_execution_run_id().empty())
    run->start.set_first_execution_run_id(run->run_id);
  run->first_run_id = run->start.first_execution_run_id();
  for (const auto& point : run->start.prev_auto_reset_points().points())
    run->reset_points.push_back(point);
  run->user_metadata = std::move(start.user_metadata);
  run->started = core_.now.wall;
  const Duration backoff = FromProto(run->start.first_workflow_task_backoff());
  run->execution_time = run->started + backoff;
  for (const auto& [key, value] : run->start.memo().fields()) run->memo[key] = value;
  for (const auto& [key, value] : run->start.search_attributes().indexed_fields())
    run->search_attributes[key] = value;
  core_.versioning.Started(*run);
  if (run->start.has_workflow_execution_expiration_time()) {
    run->execution_expires = FromProto(run->start.workflow_execution_expiration_time());
  }
  if (const Duration limit = FromProto(run->start.workflow_run_timeout()); limit.count() > 0) {
    run->run_expires = run->started + limit + backoff;
    if (run->execution_expires)
      run->run_expires = std::min(*run->run_expires, *run->execution_expires);
  }

  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
  *event.mutable_workflow_execution_started_event_attributes() = run->start;
  if (run->user_metadata) *event.mutable_user_metadata() = *run->user_metadata;
  *event.mutable_links() = std::move(start.links);
  run->history.Append(event);
  core_.callbacks.RunStarted(*run);
  core_.namespaces.Insert(run, true);
  core_.WorkflowHappened("accepted", *run);

  ArmExpiry(*run);
  if (start.signal) run->history.Buffer(std::move(*start.signal));
  if (backoff.count() > 0) {
    core_.tasks.Flush(*run);
    run->backoff_timer = core_.After(backoff, [this, weak = run->weak_from_this()] {
      auto held = weak.lock();
      if (held == nullptr || !held->open()) return;
      held->backoff_timer = 0;
      if (!held->had_or_has_workflow_task()) core_.tasks.Settle(*held, true);
    });
  } else {
    core_.tasks.Schedule(*run, {.bypass_matching = start.eager});
  }
  ++run->transitions;
  return run;
}

StatusOr<StartRequest> Starts::Prepare(ws::StartWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  StartRequest start;
  start.reuse = request.workflow_id_reuse_policy();
  start.conflict = request.workflow_id_conflict_policy();
  if (request.workflow_id().empty()) return InvalidArgument("WorkflowId is not set on request.");
  if (request.workflow_id().size() > kMaxIdLength) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "WorkflowId exceeds maximum allowed length ({}/{})",
                      request.workflow_id().size(), kMaxIdLength);
  }
  if (request.has_retry_policy()) {
    EnsureRetryDefaults(request.mutable_retry_policy());
    SQUALL_RETURN_IF_ERROR(CheckRetryPolicy(request.retry_policy()));
  }
  if (!request.cron_schedule().empty() && request.has_workflow_start_delay()) {
    return InvalidArgument("CronSchedule and WorkflowStartDelay may not be used together.");
  }
  SQUALL_RETURN_IF_ERROR(
      CheckDuration(request.workflow_start_delay(), "WorkflowStartDelaySeconds"));
  SQUALL_RETURN_IF_ERROR(CheckCron(request.cron_schedule()));
  if (request.workflow_type().name().empty())
    return InvalidArgument("WorkflowType is not set on request.");
  if (request.workflow_type().name().size() > kMaxIdLength) {
    return InvalidArgument("WorkflowType length exceeds limit.");
  }
  if (!request.has_task_queue()) return InvalidArgument("taskQueue is not set");
  SQUALL_RETURN_IF_ERROR(NormalizeQueue(request.mutable_task_queue(), ""));
  SQUALL_RETURN_IF_ERROR(
      CheckDuration(request.workflow_execution_timeout(), "WorkflowExecutionTimeoutSeconds"));
  SQUALL_RETURN_IF_ERROR(
      CheckDuration(request.workflow_run_timeout(), "WorkflowRunTimeoutSeconds"));
  SQUALL_RETURN_IF_ERROR(
      CheckDuration(request.workflow_task_timeout(), "WorkflowTaskTimeoutSeconds"));
  SQUALL_RETURN_IF_ERROR(CheckPolicies(start.reuse, start.conflict));
  SetDefaults(&start.reuse, &start.conflict, enums::WORKFLOW_ID_CONFLICT_POLICY_FAIL);
  if (request.request_id().empty()) request.set_request_id(core_.rng.Uuid());
  if (request.request_id().size() > kMaxIdLength)
    return InvalidArgument("RequestId length exceeds limit.");
  SQUALL_RETURN_IF_ERROR(core_.visibility.CheckAttributes(*ns, request.search_attributes()));
  SQUALL_RETURN_IF_ERROR(Callbacks::Normalize(request));

  if (ExceedsBlobLimit(&request.input())) return InvalidArgument(kBlobExceedsLimit);
  if (request.memo().ByteSizeLong() > kMemoSizeError)
    return InvalidArgument("Memo size exceeds limit.");
  SQUALL_RETURN_IF_ERROR(CheckPriority(request.priority()));
  if (request.has_versioning_override()) {
    SQUALL_RETURN_IF_ERROR(core_.versioning.CheckOverride(*ns, request.task_queue().name(),
                                                          request.versioning_override()));
  }

  const Duration execution = FromProto(request.workflow_execution_timeout());
  const Duration run_timeout =
      EffectiveRunTimeout(FromProto(request.workflow_run_timeout()), execution);
  NewRun& run = start.run;
  run.ns = std::move(ns);
  run.workflow_id = request.workflow_id();
  run.request_id = request.request_id();
  if (request.has_user_metadata()) run.user_metadata = request.user_metadata();
  run.links = request.links();
  auto& attributes = run.attributes;
  *attributes.mutable_workflow_type() = request.workflow_type();
  *attributes.mutable_task_queue() = request.task_queue();
  if (request.has_input()) attributes.mutable_input()->Swap(request.mutable_input());
  if (request.has_header()) *attributes.mutable_header() = request.header();
  // What the request leaves out stays out of the event.
  if (request.has_workflow_execution_timeout())
    *attributes.mutable_workflow_execution_timeout() = ToProto(execution);
  if (request.has_workflow_run_timeout() || run_timeout.count() > 0) {
    *attributes.mutable_workflow_run_timeout() = ToProto(run_timeout);
  }
  *attributes.mutable_workflow_task_timeout() =
      ToProto(EffectiveTaskTimeout(FromProto(request.workflow_task_timeout()), run_timeout,
                                   core_.options.workflow_task_timeout));
  attributes.set_identity(request.identity());
  if (request.has_retry_policy()) *attributes.mutable_retry_policy() = request.retry_policy();
  attributes.set_attempt(1);
  if (execution.count() > 0) {
    *attributes.mutable_workflow_execution_expiration_time() = ToProto(core_.now.wall + execution);
  }
  attributes.set_cron_schedule(request.cron_schedule());
  if (request.has_last_completion_result()) {
    *attributes.mutable_last_completion_result() = request.last_completion_result();
  }
  if (request.has_continued_failure())
    *attributes.mutable_continued_failure() = request.continued_failure();
  Duration backoff = FromProto(request.workflow_start_delay());
  if (!request.cron_schedule().empty()) {
    attributes.set_initiator(enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
    backoff =
        CronBackoff(request.cron_schedule(), core_.now.wall, core_.now.wall).value_or(Duration{});
  }
  *attributes.mutable_first_workflow_task_backoff() = ToProto(backoff);
  if (!request.memo().fields().empty()) *attributes.mutable_memo() = request.memo();
  if (!request.search_attributes().indexed_fields().empty()) {
    *attributes.mutable_search_attributes() = request.search_attributes();
  }
  *attributes.mutable_completion_callbacks() = request.completion_callbacks();
  if (request.has_priority()) *attributes.mutable_priority() = request.priority();
  if (request.has_versioning_override())
    *attributes.mutable_versioning_override() = Versioning::Modern(request.versioning_override());
  return start;
}

StatusOr<StartOutcome> Starts::StartOrReuse(StartRequest request) {
  auto it = request.run.ns->executions.find(request.run.workflow_id);
  if (it == request.run.ns->executions.end() || it->second.current == nullptr) {
    return StartOutcome{Create(std::move(request.run)), true, true};
  }
  const std::shared_ptr<Run> current = it->second.current;
  if (request.idempotent && !request.run.request_id.empty() &&
      current->create_request_id == request.run.request_id) {
    return StartOutcome{current, true, false};
  }
  const auto refuse = [&](fmt::format_string<std::string&, std::string&> text) {
    return AlreadyStarted(fmt::format(text, current->workflow_id, current->run_id),
                          current->create_request_id, current->run_id, current->first_run_id);
  };
  if (current->open()) {
    switch (request.conflict) {
      case enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
        return StartOutcome{current, false, false};
      case enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING: {
        request.run.run_id = core_.rng.Uuid();
        const common::Payloads details = JsonText("terminated by new runID: " + request.run.run_id);
        core_.closing.Terminate(*current, "TerminateIfRunning WorkflowIdReusePolicy", &details,
                                "history-service");
        return StartOutcome{Create(std::move(request.run)), true, true};
      }
      default:
        return refuse("Workflow execution is already running. WorkflowId: {}, RunId: {}.");
    }
  }
  switch (request.reuse) {
    case enums::WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
      return refuse(
          "Workflow execution already finished. WorkflowId: {}, RunId: {}. Workflow Id reuse "
          "policy: reject duplicate "
          "workflow Id.");
    case enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
      if (current->status == enums::WORKFLOW_EXECUTION_STATUS_COMPLETED ||
          current->status == enums::WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW) {
        return refuse(
            "Workflow execution already finished successfully. WorkflowId: {}, RunId: {}. Workflow "
            "Id reuse policy: "
            "allow duplicate workflow Id if last run failed.");
      }
      break;
    default:
      break;
  }
  return StartOutcome{Create(std::move(request.run)), true, true};
}

StatusOr<ws::StartWorkflowExecutionResponse> Starts::Start(
    ws::StartWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(StartRequest start, Prepare(request));
  const auto& attributes = start.run.attributes;
  // Eager start is for the first task of a workflow that begins at once.
  start.run.eager = request.request_eager_execution() &&
                    FromProto(attributes.first_workflow_task_backoff()).count() == 0;
  start.run.attributes.set_eager_execution_accepted(start.run.eager);
  const bool eager = start.run.eager;
  const bool attach = request.has_on_conflict_options();
  SQUALL_ASSIGN_OR_RETURN(const StartOutcome outcome, StartOrReuse(std::move(start)));
  Run& run = *outcome.run;
  ws::StartWorkflowExecutionResponse response;
  response.set_run_id(run.run_id);
  response.set_first_execution_run_id(run.first_run_id);
  response.set_started(outcome.started);
  response.set_status(run.status);
  *response.mutable_link() = StartedLink(run);
  if (outcome.created && eager) {
    core_.tasks.Start(run, request.identity(), run.start.task_queue().name(), false);
    response.mutable_eager_workflow_task()->ParseFromString(core_.tasks.Response(run));
  } else if (!outcome.started && attach) {
    if (request.on_conflict_options().attach_request_id()) {
      *response.mutable_link() = RequestLink(run, request.request_id(),
                                             enums::EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED);
    }
    core_.callbacks.Attach(run, request);
  }
  return response;
}

StatusOr<ws::SignalWithStartWorkflowExecutionResponse> Starts::SignalWithStart(
    ws::SignalWithStartWorkflowExecutionRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(auto ns, core_.namespaces.Get(request.namespace_()));
  SQUALL_RETURN_IF_ERROR(CheckCron(request.cron_schedule()));
  if (request.workflow_id().empty()) return InvalidArgument("WorkflowId is not set on request.");
  if (request.signal_name().empty()) return InvalidArgument("signal not set");
  if (request.workflow_type().name().empty()) return InvalidArgument("workflow type not set");
  SQUALL_RETURN_IF_ERROR(
      CheckPolicies(request.workflow_id_reuse_policy(), request.workflow_id_conflict_policy()));
  if (request.workflow_id_conflict_policy() == enums::WORKFLOW_ID_CONFLICT_POLICY_FAIL) {
    return InvalidArgument(
        "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for "
        "this operation.");
  }
  ws::StartWorkflowExecutionRequest as_start;
  as_start.set_namespace_(request.namespace_());
  as_start.set_workflow_id(request.workflow_id());
  *as_start.mutable_workflow_type() = request.workflow_type();
  if (request.has_task_queue()) *as_start.mutable_task_queue() = request.task_queue();
  if (request.has_input()) *as_start.mutable_input() = request.input();
  if (request.has_workflow_execution_timeout()) {
    *as_start.mutable_workflow_execution_timeout() = request.workflow_execution_timeout();
  }
  if (request.has_workflow_run_timeout())
    *as_start.mutable_workflow_run_timeout() = request.workflow_run_timeout();
  if (request.has_workflow_task_timeout())
    *as_start.mutable_workflow_task_timeout() = request.workflow_task_timeout();
  as_start.set_identity(request.identity());
  as_start.set_request_id(request.request_id());
  as_start.set_workflow_id_reuse_policy(request.workflow_id_reuse_policy());
  as_start.set_workflow_id_conflict_policy(
      request.workflow_id_conflict_policy() == enums::WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED &&
              request.workflow_id_reuse_policy() !=
                  enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING
          ? enums::WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
          : request.workflow_id_conflict_policy());
  if (request.has_retry_policy()) *as_start.mutable_retry_policy() = request.retry_policy();
  as_start.set_cron_schedule(request.cron_schedule());
  if (request.has_memo()) *as_start.mutable_memo() = request.memo();
  if (request.has_search_attributes())
    *as_start.mutable_search_attributes() = request.search_attributes();
  if (request.has_header()) *as_start.mutable_header() = request.header();
  if (request.has_workflow_start_delay())
    *as_start.mutable_workflow_start_delay() = request.workflow_start_delay();
  if (request.has_user_metadata()) *as_start.mutable_user_metadata() = request.user_metadata();
  *as_start.mutable_links() = request.links();
  if (request.has_priority()) *as_start.mutable_priority() = request.priority();
  if (request.has_versioning_override())
    *as_start.mutable_versioning_override() = request.versioning_override();

  SQUALL_ASSIGN_OR_RETURN(StartRequest start, Prepare(as_start));
  historypb::HistoryEvent signal =
      core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  auto* attributes = signal.mutable_workflow_execution_signaled_event_attributes();
  attributes->set_signal_name(request.signal_name());
  if (request.has_signal_input()) *attributes->mutable_input() = request.signal_input();
  attributes->set_identity(request.identity());
  if (request.has_header()) *attributes->mutable_header() = request.header();
  attributes->set_request_id(as_start.request_id());
  *signal.mutable_links() = request.links();
  start.run.signal = signal;
  start.idempotent = false;
  if (ExceedsBlobLimit(&request.signal_input())) return InvalidArgument(kBlobExceedsLimit);
  SQUALL_ASSIGN_OR_RETURN(const StartOutcome outcome, StartOrReuse(std::move(start)));
  Run& run = *outcome.run;
  if (outcome.created) {
    run.signal_request_ids.insert(as_start.request_id());
  } else if (run.open()) {
    SQUALL_RETURN_IF_ERROR(core_.signals.Check(run, request.signal_input()));
    if (run.signal_request_ids.insert(as_start.request_id()).second) {
      run.history.Buffer(std::move(signal));
      core_.tasks.Settle(run, true);  // unlike a signal, it does not wait for a back-off
    }
  }
  ws::SignalWithStartWorkflowExecutionResponse response;
  response.set_run_id(run.run_id);
  response.set_first_execution_run_id(run.first_run_id);
  response.set_started(outcome.created);
  *response.mutable_signal_link() =
      RequestLink(run, as_start.request_id(), enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  return response;
}

}  // namespace squall::fakes::engine
