#pragma once
// A worker under test as a simulated process: squall-worker's or squall-host's own program, on
// threads of its own, in virtual time.
//
// What it writes becomes journal events as in the harness; it is signalled, stopped, killed and
// started again. Loop thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "fakes/worker/host_program.h"
#include "sim/kernel/process.h"

namespace squall::sim {

struct WorkerOptions {
  std::string name;
  std::string program;  // "squall-worker" or "squall-host"
  std::string kind;     // what RunHostProgram takes: "single"; "" for squall-host
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::string task_queue;
  // Called when a process is about to start; gives the hooks it runs with.
  std::function<fakes::HostProgramHooks(Process&)> on_start;
  // It ended; why is a word of ProcessEvent::reason.
  std::function<void(Process&, const std::string& reason)> on_exit;
};

// What is otherwise with a worker from its next start on.
struct LaunchChange {
  std::map<std::string, std::optional<std::string>> environment;  // nothing: it is not there
  std::int64_t wall_offset = 0;                                   // Process::wall_offset, _rate
  double wall_rate = 1;
  Duration delay{};          // before it does anything
  bool deaf = false;         // SIGTERM does not reach it
  std::optional<int> exits;  // at once, with this code
  std::string says;          // on standard error, before that
  bool ends_it = false;      // if it ends by itself, that is the change's doing
};

class Worker {
 public:
  Worker(Executor& loop, journal::Sink& journal, WorkerOptions options);

  const std::string& name() const { return options_.name; }
  // Why the last process that has ended did so; "" for none.
  const std::string& last_reason() const { return last_reason_; }
  bool HasLaunchCallback(const std::string& id) const { return on_launch_.contains(id); }
  bool alive() const { return process_ != nullptr && !process_->dead; }
  Process* process() { return process_; }

  void Start();
  // Sends a signal; `reason` says why an end that follows happened: asked or injected.
  void Signal(int number, const std::string& reason);
  void Kill(const std::string& reason) { Signal(9, reason); }
  void Pause();
  void Resume();
  void ChangeLaunch(const std::string& id, LaunchChange change);
  void RestoreLaunch(const std::string& id);
  // Called after each start; null: no more.
  void OnLaunch(const std::string& id, std::function<void()> callback);

 private:
  void OnLine(Process& process, bool is_error, const std::string& line);
  void OnEnd(Process& process);
  void Tell(std::string_view what,
            const std::function<void(journal::ProcessEvent&)>& fill = nullptr);

  Executor& loop_;
  journal::Sink& journal_;
  const WorkerOptions options_;
  const std::string source_;
  Process* process_ = nullptr;  // the latest; never freed, as its threads are not
  std::string intent_;          // why its end is wanted; "" while nobody wants it
  std::string last_reason_;
  bool deaf_ = false, changed_ = false;  // of this life
  std::map<std::string, LaunchChange> changes_;
  std::map<std::string, std::function<void()>> on_launch_;
};

// Starts a process whose main thread runs `body`; its result is the exit code. `process` must
// outlive the program.
void StartProcess(Process& process, std::function<int()> body);

}  // namespace squall::sim
