#pragma once
// Runs a worker from its first poll to the end of its shutdown: poll loops, dispatch, completions,
// in the order that core demands (core/worker.h). Event-driven on one executor; its only threads
// are those for blocking activities, if any.
//
// A poll that fails is fatal for a worker, as for Temporal's SDKs: OnFatal, then shutdown. Core may
// need further polls to end its shutdown, and may never end it (incidents X1, X4, X5): whoever must
// be gone in bounded time sets a limit of his own and destroys the runner.

#include <cstddef>
#include <memory>
#include <string>

#include "base/util/executor.h"
#include "core/worker/activity_dispatcher.h"
#include "core/worker/registry.h"
#include "core/worker/worker_port.h"
#include "core/worker/workflow_dispatcher.h"

namespace squall::core {

class WorkerRunner {
 public:
  // Told on the executor, in this order: OnPolling once, OnTask and the others any number of times,
  // OnFatal at most once, OnStopping once, OnStopped once, after which nothing follows. The runner
  // may be destroyed inside OnStopped only.
  class Listener {
   public:
    virtual ~Listener() = default;
    // The first polls have been given to core. `task_types` is "workflow", "activity" or
    // "workflow,activity".
    virtual void OnPolling(const std::string& task_types) { static_cast<void>(task_types); }
    // Work has arrived for workflow or activity code. `kind` is "workflow" or "activity".
    virtual void OnTask(const std::string& kind, const std::string& type,
                        const std::string& workflow_id) {
      static_cast<void>(kind), static_cast<void>(type), static_cast<void>(workflow_id);
    }
    // A workflow run ended here; outcome: completed, failed, cancelled, continued.
    virtual void OnWorkflowClosed(const WorkflowInfo& info, const std::string& outcome) {
      static_cast<void>(info), static_cast<void>(outcome);
    }
    virtual void OnActivityEnded(const ActivityInfo& info, const std::string& outcome,
                                 const std::string& message) {
      static_cast<void>(info), static_cast<void>(outcome), static_cast<void>(message);
    }
    // Something went wrong that the worker survives: a failed workflow task, a completion that core
    // refused.
    virtual void OnWarning(const std::string& message) { static_cast<void>(message); }
    virtual void OnFatal(const Status& status) { static_cast<void>(status); }
    virtual void OnStopping() {}
    // Shutdown is complete. OK when it was asked for and went well, else the fatal error or
    // shutdown's own.
    virtual void OnStopped(const Status& status) { static_cast<void>(status); }
  };

  struct Options {
    std::string ns = "default";
    std::string task_queue;
    bool workflows = true;
    bool activities = true;
    int activity_threads = 0;  // see ActivityDispatcher::Options::threads
  };

  // `registry`, `executor` and `listener` must outlive the runner.
  WorkerRunner(std::unique_ptr<WorkerPort> port, const Registry& registry, Executor& executor,
               Options options, Listener& listener);
  // At any time; after it nothing is told to the listener. Running activity coroutines are
  // destroyed where they wait.
  ~WorkerRunner();
  WorkerRunner(const WorkerRunner&) = delete;
  WorkerRunner& operator=(const WorkerRunner&) = delete;

  // Issues the first polls. Executor thread, once.
  void Start();
  // Graceful: no new tasks, what runs may end; core cancels activities after the worker's
  // graceful_shutdown_period. Executor thread; repeated calls change nothing.
  void RequestShutdown();

  bool stopping() const { return stopping_; }
  std::size_t running_activities() const { return activities_->running(); }
  std::size_t cached_workflows() const { return workflows_->cached_runs(); }

 private:
  void PollWorkflows();
  void PollActivities();
  // A poll failed: true when polling goes on, to let core end its shutdown.
  bool OnPollError(const char* kind, const Status& status);
  void CompleteWorkflow(const ActivationCompletion& completion);
  void CompleteActivity(const coresdk::ActivityTaskCompletion& completion);
  void FinalizeIfDone();

  Executor& executor_;
  Listener& listener_;
  const Options options_;
  std::unique_ptr<WorkerPort> port_;
  std::unique_ptr<WorkflowDispatcher> workflows_;
  std::unique_ptr<ActivityDispatcher> activities_;
  bool started_ = false;
  bool stopping_ = false;
  bool finalizing_ = false;
  int open_polls_ = 0;          // poll loops that have not ended
  std::size_t completing_ = 0;  // completions that core has not taken yet
  int poll_errors_ = 0;
  Status fatal_;
};

}  // namespace squall::core
