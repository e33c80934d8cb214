#include "core/worker/workflow_run.h"

#include <fmt/ranges.h>

namespace squall::core {
namespace {

using coresdk::workflow_activation::WorkflowActivationJob;

Payloads ToPayloads(const google::protobuf::RepeatedPtrField<Payload>& in) {
  return {in.begin(), in.end()};
}

template <typename Map>
std::vector<std::string> Keys(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

// An operation number that core resolves but nothing waits for any more: cancelled meanwhile, for
// example.
template <typename Map>
typename Map::mapped_type Take(Map& map, std::uint32_t seq) {
  const auto it = map.find(seq);
  if (it == map.end()) return {};
  typename Map::mapped_type value = std::move(it->second);
  map.erase(it);
  return value;
}

}  // namespace

WorkflowRun::WorkflowRun(const Registry& registry, Environment environment, std::string run_id)
    : registry_(registry), environment_(std::move(environment)) {
  info_.run_id = std::move(run_id);
  info_.ns = environment_.ns;
  info_.task_queue = environment_.task_queue;
}

WorkflowRun::~WorkflowRun() {
  destroying_ = true;
  ready_.clear();
  handlers_.clear();
  main_.Reset();
  body_.reset();
}

ActivationCompletion WorkflowRun::Activate(const Activation& activation) {
  ActivationCompletion completion;
  completion.set_run_id(activation.run_id());
  commands_.clear();
  if (activation.has_timestamp()) now_ = FromProto(activation.timestamp());
  replaying_ = activation.is_replaying();
  history_length_ = activation.history_length();
  continue_as_new_suggested_ = activation.continue_as_new_suggested();
  try {
    ApplyPreamble(activation);
    ApplyMessages(activation);
    ApplyResolutions(activation);
    FinishMain();
    AnswerQueries(activation);
    for (Command& command : commands_)
      *completion.mutable_successful()->add_commands() = std::move(command);
    completion.mutable_successful();  // present also without commands
  } catch (const std::exception& error) {
    *completion.mutable_failed()->mutable_failure() = FailureFromException(error);
  } catch (...) {
    *completion.mutable_failed()->mutable_failure() =
        MakeApplicationFailure("workflow code threw something that is no exception", "", false);
  }
  commands_.clear();
  return completion;
}

void WorkflowRun::ApplyPreamble(const Activation& activation) {
  for (const WorkflowActivationJob& job : activation.jobs()) {
    switch (job.variant_case()) {
      case WorkflowActivationJob::kInitializeWorkflow:
        Initialize(job.initialize_workflow());
        break;
      case WorkflowActivationJob::kNotifyHasPatch:
        notified_patches_.insert(job.notify_has_patch().patch_id());
        break;
      case WorkflowActivationJob::kUpdateRandomSeed:
        random_ = Rng(job.update_random_seed().randomness_seed());
        break;
      default:
        break;
    }
  }
  if (body_ == nullptr) {
    throw std::runtime_error("no start record: run " + info_.run_id +
                             " is not in this worker's cache");
  }
}

void WorkflowRun::ApplyMessages(const Activation& activation) {
  for (const WorkflowActivationJob& job : activation.jobs()) {
    if (job.has_signal_workflow()) {
      StartSignal(job.signal_workflow().signal_name(), ToPayloads(job.signal_workflow().input()));
    } else if (job.has_do_update()) {
      StartUpdate(job.do_update());
    }
  }
  RunUntilIdle();
}

void WorkflowRun::ApplyResolutions(const Activation& activation) {
  bool any = false;
  for (const WorkflowActivationJob& job : activation.jobs()) {
    any = true;
    switch (job.variant_case()) {
      case WorkflowActivationJob::kInitializeWorkflow:
        break;
      case WorkflowActivationJob::kFireTimer:
        if (const State timer = Take(timers_, job.fire_timer().seq()))
          timer->Complete(NullPayload());
        break;
      case WorkflowActivationJob::kCancelWorkflow:
        scope_->Cancel(job.cancel_workflow().reason());
        break;
      case WorkflowActivationJob::kResolveActivity:
        ResolveActivity(job.resolve_activity());
        break;
      case WorkflowActivationJob::kResolveChildWorkflowExecutionStart:
        ResolveChildStart(job.resolve_child_workflow_execution_start());
        break;
      case WorkflowActivationJob::kResolveChildWorkflowExecution:
        ResolveChild(job.resolve_child_workflow_execution());
        break;
      case WorkflowActivationJob::kNotifyHasPatch:
      case WorkflowActivationJob::kUpdateRandomSeed:
      case WorkflowActivationJob::kSignalWorkflow:
      case WorkflowActivationJob::kDoUpdate:
      case WorkflowActivationJob::kQueryWorkflow:
        break;
      default:
        throw std::runtime_error(
            fmt::format("activation job {} is not supported", job.variant_case()));
    }
  }
  if (!main_started_) {
    // Here and not at the start record: handlers of the first task's signals come first, and
    // cancellation is known.
    main_started_ = true;
    main_ = body_->Run(std::exchange(arguments_, {}));
    Ready(main_.handle());
  }
  if (any) RunUntilIdle();
}

void WorkflowRun::Initialize(const coresdk::workflow_activation::InitializeWorkflow& start) {
  if (body_ != nullptr) throw std::logic_error("second start record for run " + info_.run_id);
  const Registry::WorkflowFactory* factory = registry_.FindWorkflow(start.workflow_type());
  if (factory == nullptr) {
    throw ApplicationFailure(
        fmt::format("Workflow type {} is not registered on this worker, available workflows: {}",
                    start.workflow_type(), fmt::join(registry_.WorkflowTypes(), ", ")),
        "NotFoundError");
  }
  info_.workflow_type = start.workflow_type();
  info_.workflow_id = start.workflow_id();
  info_.first_run_id = start.first_execution_run_id();
  info_.continued_from_run_id = start.continued_from_execution_run_id();
  info_.parent_workflow_id = start.parent_workflow_info().workflow_id();
  info_.attempt = start.attempt();
  info_.start_time = FromProto(start.start_time());
  random_ = Rng(start.randomness_seed());
  arguments_ = ToPayloads(start.arguments());
  body_ = (*factory)(*this);
}

void WorkflowRun::StartSignal(const std::string& name, const Payloads& input) {
  const auto handler = signal_handlers_.find(name);
  if (handler == signal_handlers_.end()) {
    waiting_signals_[name].push_back(input);
    return;
  }
  try {
    handlers_.push_back({handler->second(input), "", name});
  } catch (const std::invalid_argument& error) {
    // As SDKs do: a sender's mistake must not block the workflow for ever.
    if (environment_.warn) {
      environment_.warn(
          fmt::format("workflow {}: signal {} dropped: {}", info_.workflow_id, name, error.what()));
    }
    return;
  }
  Ready(handlers_.back().task.handle());
}

void WorkflowRun::StartUpdate(const coresdk::workflow_activation::DoUpdate& job) {
  const auto reject = [&](const FailureProto& failure) {
    RejectUpdate(job.protocol_instance_id(), failure);
  };
  const auto update = update_handlers_.find(job.name());
  if (update == update_handlers_.end()) {
    return reject(MakeApplicationFailure(
        fmt::format("Update handler for '{}' expected but not found, and there is no "
                    "dynamic handler. known updates: [{}]",
                    job.name(), fmt::join(Keys(update_handlers_), " ")),
        "", false));
  }
  const Payloads input = ToPayloads(job.input());
  Task<Payload> task;
  try {
    if (job.run_validator() && update->second.validator) {
      read_only_ = true;
      update->second.validator(input);
      read_only_ = false;
    }
    task = update->second.handler(input);
  } catch (const std::exception& error) {
    read_only_ = false;
    return reject(FailureFromException(error));
  }
  auto& response = *AddCommand().mutable_update_response();
  response.set_protocol_instance_id(job.protocol_instance_id());
  response.mutable_accepted();
  handlers_.push_back({std::move(task), job.protocol_instance_id(), job.name()});
  Ready(handlers_.back().task.handle());
}

void WorkflowRun::ResolveActivity(const coresdk::workflow_activation::ResolveActivity& job) {
  const State state = Take(activities_, job.seq());
  if (state == nullptr) return;
  const auto& result = job.result();
  if (result.has_completed()) {
    state->Complete(result.completed().has_result() ? result.completed().result() : NullPayload());
  } else if (result.has_failed()) {
    state->Fail(result.failed().failure());
  } else if (result.has_cancelled()) {
    state->Fail(result.cancelled().failure());
  } else {
    throw std::runtime_error("activity resolved in a way that only local activities know");
  }
}

void WorkflowRun::ResolveChildStart(
    const coresdk::workflow_activation::ResolveChildWorkflowExecutionStart& job) {
  const auto it = children_.find(job.seq());
  if (it == children_.end()) return;
  if (job.has_succeeded()) {
    it->second.started = true;
    return;
  }
  const State state = it->second.state;
  children_.erase(it);
  if (job.has_cancelled()) return state->Fail(job.cancelled().failure());
  FailureProto failure;
  failure.set_message("Child Workflow execution failed to start");
  auto& info = *failure.mutable_child_workflow_execution_failure_info();
  info.set_namespace_(environment_.ns);
  info.mutable_workflow_execution()->set_workflow_id(job.failed().workflow_id());
  info.mutable_workflow_type()->set_name(job.failed().workflow_type());
  *failure.mutable_cause() = MakeApplicationFailure(
      coresdk::child_workflow::StartChildWorkflowExecutionFailedCause_Name(job.failed().cause()),
      "ChildStartFailed", true);
  state->Fail(std::move(failure));
}

void WorkflowRun::ResolveChild(
    const coresdk::workflow_activation::ResolveChildWorkflowExecution& job) {
  const State state = Take(children_, job.seq()).state;
  if (state == nullptr) return;
  const auto& result = job.result();
  if (result.has_completed()) {
    state->Complete(result.completed().has_result() ? result.completed().result() : NullPayload());
  } else {
    state->Fail(result.has_failed() ? result.failed().failure() : result.cancelled().failure());
  }
}

void WorkflowRun::RunUntilIdle() {
  for (;;) {
    while (!ready_.empty()) {
      const std::coroutine_handle<> next = ready_.front();
      ready_.pop_front();
      next.resume();
    }
    FinishHandlers();
    const State met = TakeMetCondition();
    if (met == nullptr) return;
    met->Complete(NullPayload());
  }
}

WorkflowRun::State WorkflowRun::TakeMetCondition() {
  for (auto it = conditions_.begin(); it != conditions_.end();) {
    const State state = it->second.state.lock();
    if (state != nullptr && !it->second.holds()) {
      ++it;
      continue;
    }
    it = conditions_.erase(it);
    if (state != nullptr) return state;
  }
  return nullptr;
}

void WorkflowRun::FinishHandlers() {
  for (auto handler = handlers_.begin(); handler != handlers_.end();) {
    if (!handler->task.done()) {
      ++handler;
      continue;
    }
    Handler ended = std::move(*handler);
    handler = handlers_.erase(handler);
    try {
      const Payload result = ended.task.TakeResult();
      if (ended.protocol_instance_id.empty()) continue;
      auto& response = *AddCommand().mutable_update_response();
      response.set_protocol_instance_id(ended.protocol_instance_id);
      *response.mutable_completed() = result;
    } catch (const FailureError& error) {
      if (!ended.protocol_instance_id.empty()) {
        RejectUpdate(ended.protocol_instance_id, error.proto());
      } else if (outcome_.empty()) {
        // A signal handler's failure is the workflow's, as in the SDKs.
        outcome_ = "failed";
        *AddCommand().mutable_fail_workflow_execution()->mutable_failure() = error.proto();
      }
    }
  }
}

void WorkflowRun::FinishMain() {
  if (!outcome_.empty() || !main_.done()) return;
  try {
    const Payload result = main_.TakeResult();
    *AddCommand().mutable_complete_workflow_execution()->mutable_result() = result;
    outcome_ = "completed";
  } catch (const ContinueAsNewRequest& request) {
    auto& next = *AddCommand().mutable_continue_as_new_workflow_execution();
    const ContinueAsNewOptions& options = request.options;
    next.set_workflow_type(options.workflow_type.empty() ? info_.workflow_type
                                                         : options.workflow_type);
    next.set_task_queue(options.task_queue.empty() ? info_.task_queue : options.task_queue);
    for (const Payload& argument : request.arguments) *next.add_arguments() = argument;
    if (options.run_timeout) SetProto(*options.run_timeout, next.mutable_workflow_run_timeout());
    if (options.retry_policy) SetProto(*options.retry_policy, next.mutable_retry_policy());
    outcome_ = "continued";
  } catch (const FailureError& error) {
    if (scope_->cancelled() && IsCancellation(error.proto())) {
      AddCommand().mutable_cancel_workflow_execution();
      outcome_ = "cancelled";
    } else {
      *AddCommand().mutable_fail_workflow_execution()->mutable_failure() = error.proto();
      outcome_ = "failed";
    }
  }
}

void WorkflowRun::AnswerQueries(const Activation& activation) {
  for (const WorkflowActivationJob& job : activation.jobs()) {
    if (!job.has_query_workflow()) continue;
    const auto& query = job.query_workflow();
    coresdk::workflow_commands::QueryResult result;
    result.set_query_id(query.query_id());
    const auto handler = query_handlers_.find(query.query_type());
    read_only_ = true;
    try {
      if (handler == query_handlers_.end()) {
        throw ApplicationFailure(
            fmt::format("Query handler for '{}' expected but not found, known queries: [{}]",
                        query.query_type(), fmt::join(Keys(query_handlers_), " ")));
      }
      *result.mutable_succeeded()->mutable_response() =
          handler->second(ToPayloads(query.arguments()));
    } catch (const std::exception& error) {
      *result.mutable_failed() = FailureFromException(error);
    }
    read_only_ = false;
    *AddCommand().mutable_respond_to_query() = std::move(result);
  }
}

WorkflowRun::Command& WorkflowRun::AddCommand() { return commands_.emplace_back(); }

void WorkflowRun::RejectUpdate(const std::string& protocol_instance_id,
                               const FailureProto& failure) {
  auto& response = *AddCommand().mutable_update_response();
  response.set_protocol_instance_id(protocol_instance_id);
  *response.mutable_rejected() = failure;
}

void WorkflowRun::CheckMayChange() const {
  if (read_only_) throw std::logic_error("queries and validators must not act on the workflow");
}

bool WorkflowRun::Patched(const std::string& id) {
  CheckMayChange();
  if (const auto known = patches_.find(id); known != patches_.end()) return known->second;
  const bool active = !replaying_ || notified_patches_.contains(id);
  patches_[id] = active;
  if (active) AddCommand().mutable_set_patch_marker()->set_patch_id(id);
  return active;
}

bool WorkflowRun::HasSignal(const std::string& name) const {
  const auto it = waiting_signals_.find(name);
  return it != waiting_signals_.end() && !it->second.empty();
}

Payloads WorkflowRun::TakeSignal(const std::string& name) {
  std::deque<Payloads>& queue = waiting_signals_.at(name);
  Payloads input = std::move(queue.front());
  queue.pop_front();
  return input;
}

void WorkflowRun::SetSignalHandler(const std::string& name, TaskHandler handler) {
  CheckMayChange();
  signal_handlers_[name] = std::move(handler);
  if (const auto waiting = waiting_signals_.find(name); waiting != waiting_signals_.end()) {
    const std::deque<Payloads> inputs = std::move(waiting->second);
    waiting_signals_.erase(waiting);
    for (const Payloads& input : inputs) StartSignal(name, input);
  }
}

void WorkflowRun::SetQueryHandler(const std::string& name, QueryHandler handler) {
  CheckMayChange();
  query_handlers_[name] = std::move(handler);
}

void WorkflowRun::SetUpdateHandler(const std::string& name, TaskHandler handler,
                                   Validator validator) {
  CheckMayChange();
  update_handlers_[name] = {std::move(handler), std::move(validator)};
}

}  // namespace squall::core
