#pragma once
// A process under test and everything that must be true of it: it is in a process group of its own,
// dies with squall, has clean signal dispositions, its output is kept, its readiness is shown by
// evidence, and its end is known with the reason.
//
//   ChildProcess worker(executor, journal, {.name = "w", .argv = {"squall-worker"}});
//   worker.Start([](Status ready) { ... });          // OK, or how it died and its last lines
//   worker.Stop(Intent::kAsked, [](const ProcessExit& exit) { ... });
//
// What is done in the child between fork and exec: own process group (setpgid), SIGKILL when the
// thread that spawned it ends (PR_SET_PDEATHSIG, and a look at getppid for the race), all signal
// dispositions back to default and none blocked (a background job of a shell inherits an ignored
// SIGINT, and a Python worker then ignores it for ever), stdin from /dev/null, every other
// descriptor closed on exec. Since PR_SET_PDEATHSIG is bound to the *thread*, start processes on
// the loop's thread only, and let that thread live as long as the process. Grandchildren that leave
// the group are the guardian's business (guardian.h).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"

namespace squall::harness {

enum class Stream { kStdout, kStderr };

// Who wanted what is done to a process: the scenario's own life cycle, or a fault. It becomes the
// reason of its exit.
enum class Intent { kAsked, kInjected };

// How a process ended.
struct ProcessExit {
  std::optional<int> code;    // it exited by itself
  std::optional<int> signal;  // or was killed by this
  std::string reason;         // asked, injected, unexpected
  std::vector<std::string> last_lines;
  // "exited with code 1", "killed by signal 9 (SIGKILL), which squall did not send: out of memory?"
  std::string Describe() const;
  // Describe() with the last lines of output below it.
  std::string Full() const;
};

// What shows that a process serves. All that is given must hold; nothing given: it is ready as soon
// as it is started.
struct ReadyWhen {
  // True for the line of output that shows it.
  std::function<bool(Stream, std::string_view)> line;
  // Somebody accepts connections on this port of 127.0.0.1.
  std::uint16_t tcp_port = 0;
  // Asked again `probe_pause` after each answer that is not OK. It must answer once, from the loop,
  // and bound its own time.
  std::function<void(std::function<void(Status)> answer)> probe;
  Duration probe_pause = std::chrono::milliseconds(50);
  // Time allowed from the start until all evidence is there; multiplied by SQUALL_TIMEOUT_SCALE.
  Duration limit = std::chrono::seconds(30);
};

struct ChildOptions {
  // Its name in the scenario and the journal.
  std::string name;
  // server, worker, ingress, client, command.
  std::string role = "command";
  // The program (searched in PATH when it has no slash) and its arguments.
  std::vector<std::string> argv;
  // Set in its environment, or removed when null.
  std::map<std::string, std::optional<std::string>> environment;
  // Start from an empty environment (PATH, HOME, TMPDIR and LANG are kept) instead of squall's own.
  bool clean_environment = false;
  // Empty: squall's own.
  std::string working_directory;
  // Where NAME.stdout.log and NAME.stderr.log go (appended over restarts). Empty: no files.
  std::string log_directory;
  ReadyWhen ready;
  // Sent by Stop, to the process alone (as `docker stop` and Kubernetes do) or to its whole group
  // (as a terminal does).
  int stop_signal = 15;
  bool signal_group = false;
  // Between the stop signal and SIGKILL to the group; multiplied by SQUALL_TIMEOUT_SCALE.
  Duration stop_grace = std::chrono::seconds(10);
  // A longer line is delivered in pieces of this many bytes.
  std::size_t line_bytes_max = 16 * 1024;
  // How many of the last lines are kept for messages.
  std::size_t kept_lines = 30;
  // Write a log event for each line, up to so many in one life.
  bool journal_lines = true;
  std::size_t journal_lines_max = 20000;
  // Each log file ends, with a note, at this size.
  std::size_t log_bytes_max = 64u << 20;
  // Every line of output, without its line break, in order, from the loop. All come before on_exit.
  std::function<void(Stream, std::string_view)> on_line;
  // The end of every life, from the loop, after the callbacks of Start and Stop.
  std::function<void(const ProcessExit&)> on_exit;
};

// Owns one process at a time. Loop thread only. No callback runs after the destructor, which sends
// the stop signal, waits for the grace period (blocking the loop), kills the group and reaps.
//
// States: idle -> starting -> ready -> exited, from any living state to paused and back; Start
// again from exited.
class ChildProcess {
 public:
  enum class State { kIdle, kStarting, kReady, kPaused, kExited };
  using ReadyCallback = std::function<void(Status)>;
  using ExitCallback = std::function<void(const ProcessExit&)>;

  ChildProcess(AsioExecutor& executor, journal::Sink& journal, ChildOptions options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Spawns it and calls `ready` once: OK with all evidence there; NOT_FOUND for no such program;
  // FAILED_PRECONDITION when it exited before (at once, with its exit and last lines);
  // DEADLINE_EXCEEDED when the evidence did not come in time (the process is left alive: the caller
  // decides); CANCELLED when it was stopped meanwhile. Again the same command after an exit: a
  // restart. FAILED_PRECONDITION while it lives.
  void Start(ReadyCallback ready);

  // Sends the stop signal, and SIGKILL to the group when the grace is over. `done` gets the exit
  // (at once, posted, when there is no living process). A paused process goes on so that it can act
  // on it.
  void Stop(Intent intent, ExitCallback done);
  // As Stop with another signal and grace.
  void StopWith(int signal, Duration grace, Intent intent, ExitCallback done);
  // SIGKILL to the group.
  void Kill(Intent intent, ExitCallback done);
  // Sends any signal to the process. An exit that follows has this intent's reason.
  // FAILED_PRECONDITION when none lives.
  Status Signal(int signal, Intent intent);
  // SIGSTOP and SIGCONT to the group. Idempotent. Every thread of the process stands still when
  // Pause returns.
  Status Pause();
  Status Resume();

  // An exit of this life that nobody asks for has this intent's reason: something was done to the
  // process that ends it, such as a limit or a wrong program.
  void BlameExit(Intent intent);

  // `done` is called with the next exit (at once, posted, when it has already exited).
  void AwaitExit(ExitCallback done);

  State state() const;
  bool alive() const;
  bool paused() const;
  // 0 when none lives.
  std::int64_t pid() const;
  // How often it was started.
  int starts() const;
  const std::optional<ProcessExit>& last_exit() const;
  std::vector<std::string> last_lines() const;
  const ChildOptions& options() const;
  // For the next Start.
  void SetArgv(std::vector<std::string> argv);
  void SetEnvironment(std::map<std::string, std::optional<std::string>> environment);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The program that `name` means: itself with a slash, else searched in PATH. NOT_FOUND names what
// was searched.
StatusOr<std::string> FindProgram(std::string_view name);

// "SIGTERM" for 15; "signal 99" for an unknown one.
std::string SignalName(int signal);

}  // namespace squall::harness
