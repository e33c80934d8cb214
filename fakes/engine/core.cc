#include "fakes/engine/core.h"

namespace squall::fakes::engine {

Core::Core(EngineOptions engine_options, journal::Sink& journal_sink)
    : options(std::move(engine_options)),
      sink(journal_sink),
      source("server:" + options.name),
      rng(options.seed) {
  cluster_id = rng.Uuid();
}

void Core::RunDeferred() {
  while (!deferred.empty()) {
    auto work = std::move(deferred.front());
    deferred.pop_front();
    ++transaction;
    work();
  }
}

void Core::WorkflowHappened(const char* what, const Run& run, const std::string& result,
                            const std::string& detail) {
  if (!options.journal_state) return;
  journal::WorkflowEvent event;
  event.what = what;
  event.workflow_id = run.workflow_id;
  event.run_id = run.run_id;
  event.type = run.start.workflow_type().name();
  event.ns = run.ns->name;
  event.task_queue = run.start.task_queue().name();
  event.result = result;
  event.detail = detail;
  sink.Append(source, std::move(event));
}

void Core::ActivityHappened(const char* what, const Run& run, const Activity& activity,
                            const std::string& detail) {
  if (!options.journal_state) return;
  journal::ActivityEvent event;
  event.what = what;
  event.workflow_id = run.workflow_id;
  event.run_id = run.run_id;
  event.activity_id = activity.attributes.activity_id();
  event.type = activity.attributes.activity_type().name();
  event.task_queue = activity.attributes.task_queue().name();
  event.identity = activity.identity;
  event.attempt = activity.attempt;
  event.detail = detail;
  sink.Append(source, std::move(event));
}

}  // namespace squall::fakes::engine
