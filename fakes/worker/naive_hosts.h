#pragma once
// Hosts with one worker each: the plain one, and those with the mistakes of the I account.

#include <memory>
#include <string>

#include "fakes/worker/host.h"

namespace squall::fakes {

// Connects once, runs one worker until it is asked to stop, and ends when anything fails:
// squall-worker, and the broken subject of R1 ("had to start in this exact order"), since it dies
// when the server is not there yet. Exit codes: 0 asked, 1 the worker failed, 3 could not connect
// or validate.
class SingleHost : public Host, protected core::WorkerRunner::Listener {
 public:
  explicit SingleHost(Environment environment);
  ~SingleHost() override;

  void Start() override;
  void Stop() override;
  // The worker stops, and the process ends with kExitFatal.
  void Cancel() override;

 protected:
  void OnPolling(const std::string& types) override;
  void OnTask(const std::string& kind, const std::string& type,
              const std::string& workflow_id) override;
  void OnFatal(const Status& status) override;
  void OnStopping() override;
  void OnStopped(const Status& status) override;

  // The worker is about to start; `connection` is the one it uses.
  virtual void OnStarted() {}
  // Ends the host without waiting for anything; what is in flight is lost. Later calls change
  // nothing.
  void Exit(int code);
  // Whether Stop was called: whatever ends then was asked to.
  bool asked() const { return asked_; }
  void StopWorker();
  void Emit(std::string what, std::string detail = "") {
    environment_.emit(MakeEvent(std::move(what), std::move(detail)));
  }

  const Environment environment_;
  std::shared_ptr<HostConnection> connection_;
  std::unique_ptr<HostWorker> worker_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);

 private:
  void CannotStart(const Status& status);

  std::function<void()> cancel_connect_;
  bool asked_ = false;
  bool exited_ = false;
};

// The I account's mistake: the worker's task is cancelled, the cancellation is swallowed, and the
// process ends though nobody asked. With after_workflows = 0 as soon as the worker polls (I1), else
// after so many ended workflows (I2).
struct CancellingOptions {
  int after_workflows = 1;
  int exit_code = 0;  // 0 looks like a clean exit; the account's first version ended with 1
};

class CancellingHost final : public SingleHost {
 public:
  CancellingHost(Environment environment, CancellingOptions options);

 private:
  void OnPolling(const std::string& types) override;
  void OnWorkflowClosed(const core::WorkflowInfo& info, const std::string& outcome) override;
  void OnStopping() override;
  void OnStopped(const Status& status) override;
  void Cancel();

  const CancellingOptions options_;
  int closed_ = 0;
  bool cancelled_ = false;
};

// I3: a client runs one workflow and closes its connection. Broken (shared = true): it is the
// worker's connection, and the worker goes down with it. Fixed: the client has one of its own.
struct SharedClientOptions {
  bool shared = true;
  int exit_code = 1;        // of the broken host
  std::string workflow_id;  // of the client's Ping
  std::string task_queue;
};

class SharedClientHost final : public SingleHost {
 public:
  SharedClientHost(Environment environment, SharedClientOptions options);
  ~SharedClientHost() override;

 private:
  void OnPolling(const std::string& types) override;
  void OnStopped(const Status& status) override;
  void RunClient(std::shared_ptr<HostConnection> connection);
  void CloseClient(const Status& result);

  const SharedClientOptions options_;
  std::shared_ptr<HostConnection> client_;
  std::function<void()> cancel_client_;
};

}  // namespace squall::fakes
