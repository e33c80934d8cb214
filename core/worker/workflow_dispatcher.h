#pragma once
// The cache of workflow runs: routes core's activations to them by run id. Pure: no thread, clock
// or core behind it, so tests feed activations by hand.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/worker/registry.h"
#include "core/worker/workflow_run.h"

namespace squall::core {

class WorkflowDispatcher {
 public:
  struct Observer {
    // An activation with work for the workflow's code has come (not a mere eviction).
    std::function<void(const WorkflowInfo&)> on_task;
    // The run ended by its own command; outcome as WorkflowRun::outcome().
    std::function<void(const WorkflowInfo&, const std::string& outcome)> on_closed;
    // The workflow task failed, with the text that core is told.
    std::function<void(const WorkflowInfo&, const std::string& message)> on_task_failed;
  };

  // `registry` must outlive the dispatcher.
  WorkflowDispatcher(const Registry& registry, WorkflowRun::Environment environment,
                     Observer observer = {});

  // The completion to give to core. An eviction destroys the run and completes without commands.
  ActivationCompletion Handle(const Activation& activation);

  std::size_t cached_runs() const { return runs_.size(); }

 private:
  const Registry& registry_;
  const WorkflowRun::Environment environment_;
  const Observer observer_;
  std::map<std::string, std::unique_ptr<WorkflowRun>> runs_;
};

}  // namespace squall::core
