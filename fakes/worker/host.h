#pragma once
// Hosts: what runs workers in a service, with its habits good and bad. A host is a state machine on
// one executor; the connection, the workers and the calls come from a HostFactory: core's in the
// programs, fakes in unit tests, simulated ones later. No thread or socket is a host's own.

#include <functional>
#include <memory>
#include <string>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "core/worker/worker_runner.h"

namespace squall::fakes {

struct StartRequest {
  std::string workflow_type;
  std::string workflow_id;
  std::string task_queue;
  std::string input_json = "null";
};

// A client connection. Callbacks come on the host's executor, none after the object's destruction.
class HostConnection {
 public:
  virtual ~HostConnection() = default;
  // The health check: whether the namespace answers within `limit`.
  virtual void CheckHealth(Duration limit, std::function<void(Status)> callback) = 0;
  virtual void StartWorkflow(const StartRequest& request, Duration limit,
                             std::function<void(Status)> callback) = 0;
  // Starts it and waits for its end; OK when it completed.
  virtual void RunWorkflow(const StartRequest& request, std::function<void(Status)> callback) = 0;
};

// One worker that was created and validated, and does not poll yet.
class HostWorker {
 public:
  virtual ~HostWorker() = default;
  virtual void Start() = 0;
  // Graceful; ends in the listener's OnStopped, or not at all (X1, X4, X5): the host destroys it
  // then.
  virtual void Stop() = 0;
};

// Callbacks are posted, never run inside the call.
class HostFactory {
 public:
  virtual ~HostFactory() = default;
  // Calls back exactly once unless cancelled by the function that it returns.
  virtual std::function<void()> Connect(
      std::function<void(StatusOr<std::shared_ptr<HostConnection>>)> callback) = 0;
  // Creates and validates a worker on `connection`. `listener` must outlive the worker. Calls back
  // exactly once, unless `alive` has expired by then.
  virtual void MakeWorker(std::shared_ptr<HostConnection> connection,
                          core::WorkerRunner::Listener& listener, std::weak_ptr<void> alive,
                          std::function<void(StatusOr<std::unique_ptr<HostWorker>>)> callback) = 0;
};

// Exit codes of the programs; docs and --help list them.
inline constexpr int kExitAsked = 0;  // stopped because it was asked to
inline constexpr int kExitFatal = 1;  // fatal at run time: the worker failed, or its shutdown did
inline constexpr int kExitUsage = 2;  // wrong usage or configuration; nothing was tried
inline constexpr int kExitCannotStart = 3;  // connecting or validating failed

class Host {
 public:
  struct Environment {
    Executor& executor;
    HostFactory& factory;
    // Lifecycle events; pid and task queue are filled in by whoever writes them.
    std::function<void(journal::WorkerEvent)> emit;
    // The host is done; the process ends with this code. Called once, as the host's last act, which
    // may destroy it.
    std::function<void(int exit_code)> exit;
  };

  virtual ~Host() = default;
  virtual void Start() = 0;
  // Asked to stop (SIGTERM): gracefully, then exit.
  virtual void Stop() = 0;
  // What runs the worker is cancelled from inside, without anybody having asked the process to end
  // (SIGUSR2): a mistake of the service around it, which a host survives or not.
  virtual void Cancel() = 0;
};

// An event with nothing but its word and a detail.
inline journal::WorkerEvent MakeEvent(std::string what, std::string detail = "") {
  journal::WorkerEvent event;
  event.what = std::move(what);
  event.detail = std::move(detail);
  return event;
}

// "UNAVAILABLE: tcp connect error"
std::string Describe(const Status& status);

}  // namespace squall::fakes
