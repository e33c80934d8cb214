#include "harness/runner/poller_observer.h"

namespace squall::harness {

struct PollerObserver::Impl : std::enable_shared_from_this<PollerObserver::Impl> {
  AsioExecutor* executor;
  journal::Sink* journal;
  ServerUnderTest* server;
  std::string ns, task_queue;
  Duration interval;
  TimerId timer = 0;
  bool ended = false;

  void Ask() {
    timer = 0;
    if (!server->running()) return Again();
    CallOptions options;
    options.ns = ns;
    options.journal = false;
    options.deadline = std::chrono::seconds(2);
    server->client().DescribeTaskQueue(
        task_queue, options,
        [self = shared_from_this()](const StatusOr<TaskQueueDescription>& answer) {
          if (self->ended) return;
          if (answer.ok()) {
            self->Tell("workflow", answer->workflow_pollers);
            self->Tell("activity", answer->activity_pollers);
          }
          self->Again();
        });
  }

  void Again() {
    timer = executor->After(interval, [self = shared_from_this()] {
      if (!self->ended) self->Ask();
    });
  }

  void Tell(const std::string& task_type, const std::vector<Poller>& pollers) {
    journal::PollerEvent event;
    event.server = server->name();
    event.ns = ns;
    event.task_queue = task_queue;
    event.task_type = task_type;
    event.count = pollers.size();
    if (pollers.empty()) {
      event.what = "none";
      journal->Append("observer:" + server->name(), event);
    }
    for (const Poller& poller : pollers) {
      event.what = "seen";
      event.identity = poller.identity;
      event.age = poller.age;
      journal->Append("observer:" + server->name(), event);
    }
  }
};

PollerObserver::PollerObserver(AsioExecutor& executor, journal::Sink& journal,
                               ServerUnderTest& server, std::string ns, std::string task_queue,
                               Duration interval)
    : impl_(std::make_shared<Impl>()) {
  impl_->executor = &executor;
  impl_->journal = &journal;
  impl_->server = &server;
  impl_->ns = std::move(ns);
  impl_->task_queue = std::move(task_queue);
  impl_->interval = interval;
  impl_->Ask();
}

PollerObserver::~PollerObserver() {
  impl_->ended = true;
  impl_->executor->Cancel(impl_->timer);
}

}  // namespace squall::harness
