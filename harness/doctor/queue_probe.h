#pragma once
// Who polls the task queue: which kinds of task, how long ago, of which version, and what waits.

#include <vector>

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

// The calls of a look at the queue, begun together with the others'.
struct QueueCalls {
  CallPtr workflows, activities;  // DescribeTaskQueue
  CallPtr executions;             // names of queues that are in use, for near misses

  bool done() const { return workflows->done && activities->done && executions->done; }
};
QueueCalls AskAboutQueue(const Probe& probe, Rpc& rpc);

// Once they are done. `expect_pollers`: a queue that nobody polls is wrong, not just worth telling.
void JudgeQueue(const Probe& probe, Rpc& rpc, const QueueCalls& calls, bool expect_pollers);

}  // namespace squall::doctor
