#include "core/worker/workflow_dispatcher.h"

namespace squall::core {

WorkflowDispatcher::WorkflowDispatcher(const Registry& registry,
                                       WorkflowRun::Environment environment, Observer observer)
    : registry_(registry), environment_(std::move(environment)), observer_(std::move(observer)) {}

ActivationCompletion WorkflowDispatcher::Handle(const Activation& activation) {
  bool evict = false;
  bool work = false;
  for (const auto& job : activation.jobs()) (job.has_remove_from_cache() ? evict : work) = true;

  ActivationCompletion completion;
  completion.set_run_id(activation.run_id());
  completion.mutable_successful();
  if (work) {
    std::unique_ptr<WorkflowRun>& run = runs_[activation.run_id()];
    if (run == nullptr)
      run = std::make_unique<WorkflowRun>(registry_, environment_, activation.run_id());
    const bool was_open = run->outcome().empty();
    completion = run->Activate(activation);
    if (observer_.on_task) observer_.on_task(run->info());
    if (completion.has_failed()) {
      if (observer_.on_task_failed)
        observer_.on_task_failed(run->info(), completion.failed().failure().message());
    } else if (was_open && !run->outcome().empty() && observer_.on_closed) {
      observer_.on_closed(run->info(), run->outcome());
    }
  }
  if (evict) runs_.erase(activation.run_id());
  return completion;
}

}  // namespace squall::core
