#include "core/worker/worker_runner.h"

#include <utility>

#include "base/util/planted.h"

namespace squall::core {
namespace {

// After a fatal poll error core usually wants a few more polls before it says "shutdown"; one that
// answers nothing but errors is given up after this many.
constexpr int kPollErrorsMax = 20;

}  // namespace

WorkerRunner::WorkerRunner(std::unique_ptr<WorkerPort> port, const Registry& registry,
                           Executor& executor, Options options, Listener& listener)
    : executor_(executor),
      listener_(listener),
      options_(std::move(options)),
      port_(std::move(port)) {
  WorkflowRun::Environment environment;
  environment.ns = options_.ns;
  environment.task_queue = options_.task_queue;
  environment.warn = [this](const std::string& message) { listener_.OnWarning(message); };
  WorkflowDispatcher::Observer observer;
  observer.on_task = [this](const WorkflowInfo& info) {
    listener_.OnTask("workflow", info.workflow_type, info.workflow_id);
  };
  observer.on_closed = [this](const WorkflowInfo& info, const std::string& outcome) {
    listener_.OnWorkflowClosed(info, outcome);
  };
  observer.on_task_failed = [this](const WorkflowInfo& info, const std::string& message) {
    listener_.OnWarning("workflow task failed: run " + info.run_id + ": " + message);
  };
  workflows_ =
      std::make_unique<WorkflowDispatcher>(registry, std::move(environment), std::move(observer));

  ActivityDispatcher::Callbacks callbacks;
  callbacks.complete = [this](const coresdk::ActivityTaskCompletion& completion) {
    CompleteActivity(completion);
  };
  callbacks.heartbeat = [this](const coresdk::ActivityHeartbeat& heartbeat) {
    if (const Status status = port_->RecordActivityHeartbeat(heartbeat); !status.ok()) {
      listener_.OnWarning("heartbeat: " + std::string(Message(status)));
    }
  };
  callbacks.on_task = [this](const ActivityInfo& info) {
    listener_.OnTask("activity", info.activity_type, info.workflow_id);
  };
  callbacks.on_ended = [this](const ActivityInfo& info, const std::string& outcome,
                              const std::string& message) {
    listener_.OnActivityEnded(info, outcome, message);
  };
  ActivityDispatcher::Options activity_options;
  activity_options.task_queue = options_.task_queue;
  activity_options.threads = options_.activity_threads;
  activities_ = std::make_unique<ActivityDispatcher>(
      registry, executor, std::move(activity_options), std::move(callbacks));
}

WorkerRunner::~WorkerRunner() {
  // The port first: from then on no callback of core's refers to this object.
  port_.reset();
}

void WorkerRunner::Start() {
  SQUALL_CHECK(!started_, "a worker runs once");
  SQUALL_CHECK(options_.workflows || options_.activities, "a worker polls for something");
  started_ = true;
  std::string types;
  if (options_.workflows) {
    ++open_polls_;
    types = "workflow";
    PollWorkflows();
  }
  if (options_.activities) {
    ++open_polls_;
    types += types.empty() ? "activity" : ",activity";
    PollActivities();
  }
  listener_.OnPolling(types);
}

void WorkerRunner::RequestShutdown() {
  if (stopping_) return;
  stopping_ = true;
  listener_.OnStopping();
  port_->InitiateShutdown();
  FinalizeIfDone();
}

void WorkerRunner::PollWorkflows() {
  port_->PollWorkflowActivation([this](WorkflowPoll poll) {
    if (poll.is_task()) {
      CompleteWorkflow(workflows_->Handle(poll.task()));
      if (Planted(PlantedBug::kPollingEndsWithCache) && workflows_->cached_runs() == 0) return;
    } else if (poll.is_shutdown() || !OnPollError("workflow", poll.status())) {
      --open_polls_;
      return FinalizeIfDone();
    }
    PollWorkflows();
  });
}

void WorkerRunner::PollActivities() {
  port_->PollActivityTask([this](ActivityPoll poll) {
    if (poll.is_task()) {
      activities_->Handle(poll.task());
    } else if (poll.is_shutdown() || !OnPollError("activity", poll.status())) {
      --open_polls_;
      return FinalizeIfDone();
    }
    PollActivities();
  });
}

bool WorkerRunner::OnPollError(const char* kind, const Status& status) {
  if (fatal_.ok()) {
    fatal_ = Annotate(status, std::string("poll ") + kind + " tasks");
    listener_.OnFatal(fatal_);
    RequestShutdown();
  }
  return ++poll_errors_ < kPollErrorsMax;
}

void WorkerRunner::CompleteWorkflow(const ActivationCompletion& completion) {
  ++completing_;
  port_->CompleteWorkflowActivation(completion, [this](const Status& status) {
    --completing_;
    if (!status.ok())
      listener_.OnWarning("workflow completion refused: " + std::string(Message(status)));
    FinalizeIfDone();
  });
}

void WorkerRunner::CompleteActivity(const coresdk::ActivityTaskCompletion& completion) {
  ++completing_;
  port_->CompleteActivityTask(completion, [this](const Status& status) {
    --completing_;
    if (!status.ok())
      listener_.OnWarning("activity completion refused: " + std::string(Message(status)));
    FinalizeIfDone();
  });
}

void WorkerRunner::FinalizeIfDone() {
  if (!started_ || finalizing_ || open_polls_ > 0 || completing_ > 0 || activities_->running() > 0)
    return;
  finalizing_ = true;
  if (!stopping_) {
    // Core ended the worker by itself, without an error.
    stopping_ = true;
    listener_.OnStopping();
  }
  port_->FinalizeShutdown([this](const Status& status) {
    Status result = fatal_.ok() ? Annotate(status, "finalize shutdown") : fatal_;
    // May destroy this object: nothing of it is touched afterwards.
    listener_.OnStopped(result);
  });
}

}  // namespace squall::core
