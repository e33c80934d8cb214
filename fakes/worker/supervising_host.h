#pragma once
// The host of the R account (a Go service with Temporal inside): it may start before the server,
// checks its health, reconnects with back-off, stops the old workers and starts new ones, and
// refuses creations while it is down.
//
// With restart = false it is the account's "old way": it notices the loss, stops its workers,
// reconnects, and never starts new ones. The process stays up and looks healthy, and nothing polls.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fakes/worker/host.h"

namespace squall::fakes {

// Defaults are the account's (R1 to R5 in incidents.md); scenarios scale them.
struct SupervisingOptions {
  int workers = 3;
  Duration health_interval =
      std::chrono::seconds(15);  // between checks; also between attempts at a missing namespace
  Duration health_limit = std::chrono::seconds(5);     // one check may take this long
  Duration backoff_initial = std::chrono::seconds(1);  // after a failed attempt; doubles
  Duration backoff_max = std::chrono::seconds(30);
  // One attempt to connect may take this long, and so may the start of its workers; core alone
  // has no such limit.
  Duration connect_limit = std::chrono::seconds(10);
  Duration stop_limit = std::chrono::seconds(30);  // then a worker that does not stop is destroyed
  bool restart = true;                             // false: the broken host described above
};

class SupervisingHost final : public Host {
 public:
  SupervisingHost(Environment environment, SupervisingOptions options);
  ~SupervisingHost() override;

  void Start() override;
  void Stop() override;
  // As any other loss of its workers.
  void Cancel() override;

  // Starts a workflow for a user of the service. While the host is down: UNAVAILABLE at once.
  void Create(const StartRequest& request, std::function<void(Status)> callback);

  bool up() const { return state_ == State::kUp; }
  // Workers that exist, those that are still stopping included.
  std::size_t workers() const { return slots_.size(); }
  int connects() const { return connects_; }

 private:
  enum class State { kIdle, kConnecting, kWaiting, kStartingWorkers, kUp, kStopping, kStopped };

  // One worker and its listener.
  struct Slot;

  void Attempt();
  void GiveUpConnecting();
  void Connected(StatusOr<std::shared_ptr<HostConnection>> connection);
  void CheckNamespace();
  void StartWorkers();
  void GiveUpStarting();
  void WorkerMade(std::uint64_t id, StatusOr<std::unique_ptr<HostWorker>> worker);
  void Up();
  void CheckHealth();
  // Down for this reason: stops the workers and tries again, when and how the reason demands.
  void Lost(const Status& status);
  void RetryAfter(Duration delay, const Status& why, void (SupervisingHost::*next)());
  void StopWorkers();
  void WorkerStopped(std::uint64_t id);
  void WorkerFatal(const Status& status);
  void ExitIfStopped();
  void SetTimer(Duration delay, void (SupervisingHost::*next)());
  void ClearTimer();
  Duration NextBackoff();
  void Emit(std::string what, std::string detail = "") {
    environment_.emit(MakeEvent(std::move(what), std::move(detail)));
  }

  const Environment environment_;
  const SupervisingOptions options_;
  State state_ = State::kIdle;
  Duration backoff_;
  int connects_ = 0;
  bool workers_stopped_for_good_ = false;  // the broken host, after its first loss
  std::function<void()> cancel_connect_;
  TimerId timer_ = 0;
  std::shared_ptr<HostConnection> connection_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // goes with the host
  std::map<std::uint64_t, std::unique_ptr<Slot>> slots_;
  std::uint64_t last_slot_ = 0;
  int starting_ = 0;  // workers of this connection that are not running yet
};

}  // namespace squall::fakes
