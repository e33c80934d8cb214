#pragma once
// Runs activity tasks: coroutines on the executor, blocking functions on a pool of threads (or
// inline without one), and turns how they end into completions for core. Executor thread only.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/util/executor.h"
#include "core/worker/registry.h"
#include "core/worker/thread_pool.h"
#include "temporal/sdk/core/activity_task/activity_task.pb.h"
#include "temporal/sdk/core/core_interface.pb.h"

namespace squall::core {

class ActivityDispatcher {
 public:
  struct Options {
    std::string task_queue;
    // Threads for blocking activities; 0 runs them inline on the executor: deterministic, but they
    // must not wait.
    int threads = 0;
  };
  struct Callbacks {
    std::function<void(coresdk::ActivityTaskCompletion)> complete;
    std::function<void(coresdk::ActivityHeartbeat)> heartbeat;
    // An attempt starts.
    std::function<void(const ActivityInfo&)> on_task;
    // It ended: "completed", "failed", "cancelled", with the failure's text.
    std::function<void(const ActivityInfo&, const std::string& outcome, const std::string& message)>
        on_ended;
  };

  // `registry` and `executor` must outlive the dispatcher.
  ActivityDispatcher(const Registry& registry, Executor& executor, Options options,
                     Callbacks callbacks);
  // Destroys running coroutines without resuming them and waits for running functions, whose
  // results are dropped.
  ~ActivityDispatcher();
  ActivityDispatcher(const ActivityDispatcher&) = delete;
  ActivityDispatcher& operator=(const ActivityDispatcher&) = delete;

  void Handle(const coresdk::activity_task::ActivityTask& task);

  // Attempts that have not ended.
  std::size_t running() const { return attempts_.size(); }

 private:
  struct Attempt;

  void Start(const std::string& token, const coresdk::activity_task::Start& start);
  void Finish(const std::string& token, coresdk::ActivityTaskCompletion completion);
  void Heartbeat(const std::string& token, Payloads details);
  // Runs the attempt's code to its end and gives its completion; never throws.
  static Task<void> RunToEnd(Attempt& attempt);

  const Registry& registry_;
  Executor& executor_;
  const Options options_;
  const Callbacks callbacks_;
  std::map<std::string, std::shared_ptr<Attempt>> attempts_;  // by task token
  std::shared_ptr<ActivityDispatcher*>
      self_;  // null inside once destroyed: for what is still posted
  std::unique_ptr<ThreadPool> pool_;
};

}  // namespace squall::core
