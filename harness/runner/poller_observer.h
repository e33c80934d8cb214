#pragma once
// Who polls a task queue of a server that does not tell by itself: DescribeTaskQueue, asked again
// and again.

#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/target/target.h"

namespace squall::harness {

// Journal (source "observer:SERVER"): poller.seen for each poller of an answer, poller.none for a
// task type without one. An answer that does not come is no event: nothing was observed. Loop
// thread only.
class PollerObserver {
 public:
  // `server` outlives the observer.
  PollerObserver(AsioExecutor& executor, journal::Sink& journal, ServerUnderTest& server,
                 std::string ns, std::string task_queue,
                 Duration interval = std::chrono::milliseconds(250));
  ~PollerObserver();
  PollerObserver(const PollerObserver&) = delete;
  PollerObserver& operator=(const PollerObserver&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
