#include "fakes/engine/children.h"

#include <fmt/format.h>

#include "base/util/planted.h"
#include "fakes/engine/closing.h"
#include "fakes/engine/core.h"
#include "fakes/engine/cron.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

common::WorkflowExecution ExecutionOf(const std::string& workflow_id, const std::string& run_id) {
  common::WorkflowExecution execution;
  execution.set_workflow_id(workflow_id);
  execution.set_run_id(run_id);
  return execution;
}

// What the events about a child have in common.
template <typename Attributes>
void FillChild(Attributes* attributes, const Child& child, const Run& run) {
  attributes->set_initiated_event_id(child.initiated_event_id);
  attributes->set_started_event_id(child.started_event_id);
  attributes->set_namespace_(child.attributes.namespace_());
  attributes->set_namespace_id(child.attributes.namespace_id());
  *attributes->mutable_workflow_execution() = ExecutionOf(run.workflow_id, run.run_id);
  *attributes->mutable_workflow_type() = child.attributes.workflow_type();
}

// What a child's close takes to its parent through the real server's queues: 1 to 45 ms on the dev
// server 1.32.0, beside a build. Seen only when a worker has the parent's task meanwhile: what
// comes in before the task's answer makes a closing answer unhandled, and the worker begins anew.
constexpr Duration kTransferTime = std::chrono::milliseconds(5);

}  // namespace

void Children::CopyParent(const Run& run,
                          historypb::WorkflowExecutionStartedEventAttributes& next) {
  if (!run.start.has_parent_workflow_execution()) return;
  next.set_parent_workflow_namespace(run.start.parent_workflow_namespace());
  next.set_parent_workflow_namespace_id(run.start.parent_workflow_namespace_id());
  *next.mutable_parent_workflow_execution() = run.start.parent_workflow_execution();
  next.set_parent_initiated_event_id(run.start.parent_initiated_event_id());
  if (run.start.has_root_workflow_execution())
    *next.mutable_root_workflow_execution() = run.start.root_workflow_execution();
}

void Children::Start(
    Run& run, std::int64_t initiated_id,
    const historypb::StartChildWorkflowExecutionInitiatedEventAttributes& attributes,
    const command::Command& command) {
  Child& child = run.children[initiated_id];
  child.initiated_event_id = initiated_id;
  child.attributes = attributes;
  if (command.has_user_metadata()) child.user_metadata = command.user_metadata();
  child.request_id = fmt::format("{}:{}:0", run.run_id, initiated_id);  // 0: the event's version
  core_.Defer([this, weak = run.weak_from_this(), initiated_id] {
    if (auto parent = weak.lock(); parent != nullptr) Begin(parent, initiated_id);
  });
}

void Children::Begin(const std::shared_ptr<Run>& parent, std::int64_t initiated_id) {
  auto it = parent->children.find(initiated_id);
  // A child of a parent that closed in the same task is not started.
  if (it == parent->children.end() || !parent->open()) return;
  Child& child = it->second;
  const auto& attributes = child.attributes;
  auto ns = core_.namespaces.Get(attributes.namespace_());
  if (!ns.ok()) {
    StartFailed(*parent, initiated_id,
                enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND);
    return;
  }
  StartRequest request;
  request.reuse = attributes.workflow_id_reuse_policy();
  if (request.reuse == enums::WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING) {
    request.reuse = enums::WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
    request.conflict = enums::WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING;
  }
  NewRun& start = request.run;
  start.ns = *ns;
  start.workflow_id = attributes.workflow_id();
  start.request_id = child.request_id;
  start.user_metadata = child.user_metadata;
  auto& started = start.attributes;
  *started.mutable_workflow_type() = attributes.workflow_type();
  *started.mutable_task_queue() = attributes.task_queue();
  if (attributes.has_input()) *started.mutable_input() = attributes.input();
  if (attributes.has_header()) *started.mutable_header() = attributes.header();
  if (attributes.has_workflow_execution_timeout()) {
    *started.mutable_workflow_execution_timeout() = attributes.workflow_execution_timeout();
  }
  *started.mutable_workflow_run_timeout() = attributes.workflow_run_timeout();
  *started.mutable_workflow_task_timeout() = attributes.workflow_task_timeout();
  if (attributes.has_retry_policy()) *started.mutable_retry_policy() = attributes.retry_policy();
  started.set_cron_schedule(attributes.cron_schedule());
  if (attributes.has_memo()) *started.mutable_memo() = attributes.memo();
  if (attributes.has_search_attributes())
    *started.mutable_search_attributes() = attributes.search_attributes();
  if (attributes.has_priority()) *started.mutable_priority() = attributes.priority();
  if (attributes.has_versioning_override() &&
      !core_.versioning
           .CheckOverride(**ns, attributes.task_queue().name(), attributes.versioning_override())
           .ok()) {
    StartFailed(*parent, initiated_id,
                enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_INVALID_VERSIONING_OVERRIDE);
    return;
  }
  core_.versioning.InheritByChild(*parent, attributes, &started);
  started.set_attempt(1);
  if (const Duration limit = FromProto(attributes.workflow_execution_timeout());
      limit.count() > 0) {
    *started.mutable_workflow_execution_expiration_time() = ToProto(core_.now.wall + limit);
  }
  Duration backoff{};
  if (!attributes.cron_schedule().empty()) {
    started.set_initiator(enums::CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE);
    backoff = CronBackoff(attributes.cron_schedule(), core_.now.wall, core_.now.wall)
                  .value_or(Duration{});
  }
  *started.mutable_first_workflow_task_backoff() = ToProto(backoff);
  started.set_parent_workflow_namespace(parent->ns->name);
  started.set_parent_workflow_namespace_id(parent->ns->id);
  *started.mutable_parent_workflow_execution() = ExecutionOf(parent->workflow_id, parent->run_id);
  started.set_parent_initiated_event_id(initiated_id);
  *started.mutable_root_workflow_execution() =
      parent->start.has_root_workflow_execution()
          ? parent->start.root_workflow_execution()
          : ExecutionOf(parent->workflow_id, parent->run_id);
  auto outcome = core_.starts.StartOrReuse(std::move(request));
  if (!outcome.ok()) {
    StartFailed(*parent, initiated_id,
                enums::START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS);
    return;
  }
  if (outcome->created) ++outcome->run->transitions;  // its first task is a transaction of its own
  child.started = true;
  child.run_id = outcome->run->run_id;
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED);
  auto* happened = event.mutable_child_workflow_execution_started_event_attributes();
  happened->set_initiated_event_id(initiated_id);
  happened->set_namespace_(attributes.namespace_());
  happened->set_namespace_id(attributes.namespace_id());
  *happened->mutable_workflow_execution() =
      ExecutionOf(outcome->run->workflow_id, outcome->run->run_id);
  *happened->mutable_workflow_type() = attributes.workflow_type();
  if (attributes.has_header()) *happened->mutable_header() = attributes.header();
  parent->history.Buffer(std::move(event));
  core_.tasks.Settle(*parent, true);
}

void Children::StartFailed(Run& parent, std::int64_t initiated_id,
                           enums::StartChildWorkflowExecutionFailedCause cause) {
  const auto attributes = parent.children.at(initiated_id).attributes;
  parent.children.erase(initiated_id);
  historypb::HistoryEvent event =
      core_.tasks.NewEvent(enums::EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED);
  auto* failed = event.mutable_start_child_workflow_execution_failed_event_attributes();
  failed->set_initiated_event_id(initiated_id);
  failed->set_cause(cause);
  failed->set_namespace_(attributes.namespace_());
  failed->set_namespace_id(attributes.namespace_id());
  failed->set_workflow_id(attributes.workflow_id());
  *failed->mutable_workflow_type() = attributes.workflow_type();
  failed->set_control(attributes.control());
  parent.history.Buffer(std::move(event));
  core_.tasks.Settle(parent, true);
}

Run* Children::OpenParentOf(const Run& run) const {
  if (!run.start.has_parent_workflow_execution() || !run.new_run_id.empty() || run.closed_by_reset)
    return nullptr;
  auto ns = core_.namespaces.GetById(run.start.parent_workflow_namespace_id());
  if (!ns.ok()) return nullptr;
  auto found = Namespaces::FindRun(**ns, run.start.parent_workflow_execution().workflow_id(),
                                   run.start.parent_workflow_execution().run_id());
  // A parent that was reset meanwhile.
  while (found.ok() && !(*found)->reset_run_id.empty()) {
    found = Namespaces::FindRun(**ns, (*found)->workflow_id, (*found)->reset_run_id);
  }
  if (!found.ok() || !(*found)->open()) return nullptr;
  const auto it = (*found)->children.find(run.start.parent_initiated_event_id());
  if (it == (*found)->children.end() || it->second.run_id != run.first_run_id) return nullptr;
  return found->get();
}

void Children::TellParent(const Run& run, const historypb::HistoryEvent& close_event) {
  Run* const found = OpenParentOf(run);
  if (found == nullptr) return;
  Run& parent = *found;
  if (Planted(PlantedBug::kChildEndNotTold) && parent.task.is_started()) return;
  const auto it = parent.children.find(run.start.parent_initiated_event_id());
  const Child& child = it->second;
  historypb::HistoryEvent event;
  switch (close_event.event_type()) {
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED);
      auto* attributes = event.mutable_child_workflow_execution_completed_event_attributes();
      FillChild(attributes, child, run);
      const auto& closed = close_event.workflow_execution_completed_event_attributes();
      if (closed.has_result()) *attributes->mutable_result() = closed.result();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED);
      auto* attributes = event.mutable_child_workflow_execution_failed_event_attributes();
      FillChild(attributes, child, run);
      const auto& closed = close_event.workflow_execution_failed_event_attributes();
      *attributes->mutable_failure() = closed.failure();
      attributes->set_retry_state(closed.retry_state());
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED);
      auto* attributes = event.mutable_child_workflow_execution_canceled_event_attributes();
      FillChild(attributes, child, run);
      const auto& closed = close_event.workflow_execution_canceled_event_attributes();
      if (closed.has_details()) *attributes->mutable_details() = closed.details();
      break;
    }
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED);
      FillChild(event.mutable_child_workflow_execution_terminated_event_attributes(), child, run);
      break;
    case enums::EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT);
      auto* attributes = event.mutable_child_workflow_execution_timed_out_event_attributes();
      FillChild(attributes, child, run);
      attributes->set_retry_state(
          close_event.workflow_execution_timed_out_event_attributes().retry_state());
      break;
    }
    default:
      return;
  }
  parent.children.erase(it);
  parent.history.Buffer(std::move(event));
  core_.tasks.Settle(parent, true);
}

void Children::RunClosed(Run& run, const historypb::HistoryEvent& close_event) {
  if (const Run* parent = OpenParentOf(run); parent != nullptr && parent->task.is_started()) {
    core_.timers.Add(
        core_.now.steady + kTransferTime,
        [this, child = run.shared_from_this(), close_event] { TellParent(*child, close_event); });
  } else {
    TellParent(run, close_event);
  }
  if (run.closed_by_reset) return;  // the run made from this one has them
  // They stay pending, as Describe of the real server tells them for good: a closed parent hears of
  // no end.
  for (const auto& [id, child] : run.children) {
    if (!child.started ||
        child.attributes.parent_close_policy() == enums::PARENT_CLOSE_POLICY_ABANDON)
      continue;
    auto ns = core_.namespaces.GetById(child.attributes.namespace_id());
    if (!ns.ok()) continue;
    auto found = Namespaces::FindRun(**ns, child.attributes.workflow_id(), "");
    if (!found.ok() || !(*found)->open() || (*found)->first_run_id != child.run_id ||
        !IsChildOf(**found, run))
      continue;
    if (child.attributes.parent_close_policy() == enums::PARENT_CLOSE_POLICY_REQUEST_CANCEL) {
      const common::WorkflowExecution parent = ExecutionOf(run.workflow_id, run.run_id);
      core_.signals.Cancel(**found, {}, kHistoryService, {}, &parent, 0);
    } else {
      core_.closing.Terminate(**found, "by parent close policy", nullptr, kHistoryService);
    }
  }
}

void Children::SignalExternal(
    Run& run, std::int64_t initiated_id,
    const historypb::SignalExternalWorkflowExecutionInitiatedEventAttributes& attributes,
    const std::string& identity) {
  run.pending_signals.insert(initiated_id);
  core_.Defer([this, weak = run.weak_from_this(), initiated_id, attributes, identity] {
    auto sender = weak.lock();
    if (sender == nullptr || !sender->open() || sender->pending_signals.erase(initiated_id) == 0)
      return;
    const auto& to = attributes.workflow_execution();
    auto cause = enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_UNSPECIFIED;
    auto ns = core_.namespaces.GetById(attributes.namespace_id());
    if (!ns.ok()) {
      cause = enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND;
    } else {
      auto target = Namespaces::FindRun(**ns, to.workflow_id(), to.run_id());
      const bool self = (*ns)->id == sender->ns->id && to.workflow_id() == sender->workflow_id;
      if (self || !target.ok() || !(*target)->open() ||
          (attributes.child_workflow_only() && !IsChildOf(**target, *sender))) {
        cause = enums::
            SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND;
      } else if (core_.signals.Check(**target, attributes.input()).code() ==
                 StatusCode::kInvalidArgument) {
        cause = enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED;
      } else {
        historypb::HistoryEvent signal =
            core_.tasks.NewEvent(enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
        auto* signaled = signal.mutable_workflow_execution_signaled_event_attributes();
        signaled->set_signal_name(attributes.signal_name());
        if (attributes.has_input()) *signaled->mutable_input() = attributes.input();
        signaled->set_identity(kHistoryService);
        if (attributes.has_header()) *signaled->mutable_header() = attributes.header();
        *signaled->mutable_external_workflow_execution() =
            ExecutionOf(sender->workflow_id, sender->run_id);
        signaled->set_request_id(core_.rng.Uuid());
        (*target)->history.Buffer(std::move(signal));
        core_.limits.TakeError();  // of others
        core_.tasks.Settle(**target, (*target)->backoff_timer == 0);
        if (core_.limits.TakeError()) {  // its history had no room
          cause =
              enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED;
        }
      }
    }
    historypb::HistoryEvent event;
    if (cause == enums::SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_UNSPECIFIED) {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED);
      auto* done = event.mutable_external_workflow_execution_signaled_event_attributes();
      done->set_initiated_event_id(initiated_id);
      done->set_namespace_(attributes.namespace_().empty() ? sender->ns->name
                                                           : attributes.namespace_());
      done->set_namespace_id(attributes.namespace_id());
      *done->mutable_workflow_execution() = to;
      done->set_control(attributes.control());
    } else {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED);
      auto* failed = event.mutable_signal_external_workflow_execution_failed_event_attributes();
      failed->set_cause(cause);
      failed->set_initiated_event_id(initiated_id);
      failed->set_namespace_(attributes.namespace_().empty() ? sender->ns->name
                                                             : attributes.namespace_());
      failed->set_namespace_id(attributes.namespace_id());
      *failed->mutable_workflow_execution() = to;
      failed->set_control(attributes.control());
    }
    sender->history.Buffer(std::move(event));
    core_.tasks.Settle(*sender, true);
  });
}

void Children::CancelExternal(
    Run& run, std::int64_t initiated_id,
    const historypb::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes& attributes) {
  run.pending_cancels.insert(initiated_id);
  core_.Defer([this, weak = run.weak_from_this(), initiated_id, attributes] {
    auto sender = weak.lock();
    if (sender == nullptr || !sender->open() || sender->pending_cancels.erase(initiated_id) == 0)
      return;
    const auto& to = attributes.workflow_execution();
    auto cause = enums::CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_UNSPECIFIED;
    auto ns = core_.namespaces.GetById(attributes.namespace_id());
    if (!ns.ok()) {
      cause = enums::CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND;
    } else {
      auto target = Namespaces::FindRun(**ns, to.workflow_id(), to.run_id());
      const bool self = (*ns)->id == sender->ns->id && to.workflow_id() == sender->workflow_id;
      if (self || !target.ok() ||
          (attributes.child_workflow_only() && !IsChildOf(**target, *sender))) {
        cause = enums::
            CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND;
      } else if ((*target)->open()) {
        const common::WorkflowExecution from = ExecutionOf(sender->workflow_id, sender->run_id);
        core_.signals.Cancel(**target, attributes.reason(), kHistoryService, {}, &from,
                             initiated_id);
      }
    }
    historypb::HistoryEvent event;
    if (cause == enums::CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_UNSPECIFIED) {
      event = core_.tasks.NewEvent(enums::EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED);
      auto* done = event.mutable_external_workflow_execution_cancel_requested_event_attributes();
      done->set_initiated_event_id(initiated_id);
      done->set_namespace_(attributes.namespace_().empty() ? sender->ns->name
                                                           : attributes.namespace_());
      done->set_namespace_id(attributes.namespace_id());
      *done->mutable_workflow_execution() = to;
    } else {
      event =
          core_.tasks.NewEvent(enums::EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED);
      auto* failed =
          event.mutable_request_cancel_external_workflow_execution_failed_event_attributes();
      failed->set_cause(cause);
      failed->set_initiated_event_id(initiated_id);
      failed->set_namespace_(attributes.namespace_().empty() ? sender->ns->name
                                                             : attributes.namespace_());
      failed->set_namespace_id(attributes.namespace_id());
      *failed->mutable_workflow_execution() = to;
    }
    sender->history.Buffer(std::move(event));
    core_.tasks.Settle(*sender, true);
  });
}

}  // namespace squall::fakes::engine
