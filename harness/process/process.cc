#include "harness/process/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "harness/net/port.h"
#include "harness/process/guardian.h"
#include "harness/process/pidfd.h"
#include "harness/process/spawn.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Read at most this much of what a dead process left in its pipes: a descendant that lives on may
// write for ever.
constexpr std::size_t kDrainBytesMax = 16u << 20;
// After SIGKILL the kernel needs a moment; longer than this is a process that hangs in the kernel.
constexpr Duration kKillWait = std::chrono::seconds(5);
// A group that was told to stop is looked at for this long.
constexpr Duration kStopWait = std::chrono::milliseconds(200);

bool Terminates(int signal) {
  switch (signal) {
    case SIGINT:
    case SIGTERM:
    case SIGKILL:
    case SIGQUIT:
    case SIGHUP:
    case SIGABRT:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct ChildProcess::Impl : std::enable_shared_from_this<ChildProcess::Impl> {
  // One of the two streams of output.
  struct Output {
    Output(AsioExecutor& executor, Stream the_which) : which(the_which), pipe(executor.io()) {}
    const Stream which;
    asio::posix::stream_descriptor pipe;
    std::string partial;
    int log_fd = -1;
    std::size_t logged = 0;
    std::array<char, 64 * 1024> buffer{};
    std::string_view Word() const { return which == Stream::kStdout ? "stdout" : "stderr"; }
  };

  Impl(AsioExecutor& the_executor, journal::Sink& the_journal, ChildOptions the_options)
      : executor(the_executor),
        journal(the_journal),
        options(std::move(the_options)),
        source(options.role + ":" + options.name),
        outputs{Output(executor, Stream::kStdout), Output(executor, Stream::kStderr)},
        pidfd(executor.io()) {}

  ~Impl() {
    for (Output& output : outputs) {
      if (output.log_fd >= 0) ::close(output.log_fd);
    }
  }

  // -------------------------------------------------------------------------------------------------------------
  // the start

  void Start(ReadyCallback callback) {
    if (alive) {
      PostReady(std::move(callback),
                MakeStatus(StatusCode::kFailedPrecondition, "{} runs already", options.name));
      return;
    }
    if (const Status status = Launch(); !status.ok()) {
      journal.Append(source, journal::ProcessEvent{.what = "start_failed",
                                                   .process = options.name,
                                                   .role = options.role,
                                                   .detail = std::string(Message(status))});
      PostReady(std::move(callback), Annotate(status, "start " + options.name));
      return;
    }
    on_ready = std::move(callback);
    const ReadyWhen& when = options.ready;
    const std::uint64_t life = starts;
    line_seen = !when.line;
    port_seen = when.tcp_port == 0;
    probe_seen = !when.probe;
    const Duration limit = Scaled(when.limit);
    if (!port_seen) {
      port_probe = std::make_unique<ConnectProbe>(executor, HostPort{"127.0.0.1", when.tcp_port},
                                                  limit, [this](const Status& status) {
                                                    if (!status.ok())
                                                      return;  // the limit's timer speaks
                                                    port_seen = true;
                                                    LookReady();
                                                  });
    }
    if (!probe_seen) AskProbe(life);
    ready_timer = executor.After(limit, [this, limit] {
      ready_timer = 0;
      std::vector<std::string> missing;
      if (!line_seen) missing.push_back("the line of output that shows it");
      if (!port_seen)
        missing.push_back(fmt::format("a listener on port {}", options.ready.tcp_port));
      if (!probe_seen)
        missing.push_back(fmt::format("an answer that is OK (last: {})", Message(last_probe)));
      FinishStart(MakeStatus(StatusCode::kDeadlineExceeded,
                             "{} is not ready within {}: missing {}{}", options.name,
                             FormatDuration(limit), fmt::join(missing, ", "), LastLinesText()));
    });
    // Also the way without any evidence: never from within this call.
    executor.Post([weak = weak_from_this(), life] {
      const auto self = weak.lock();
      if (self && !self->destroyed && self->starts == life) self->LookReady();
    });
  }

  void AskProbe(std::uint64_t life) {
    options.ready.probe([weak = weak_from_this(), life](const Status& status) {
      const auto self = weak.lock();
      if (!self || self->destroyed || self->starts != life || !self->on_ready) return;
      self->last_probe = status;
      if (status.ok()) {
        self->probe_seen = true;
        self->LookReady();
        return;
      }
      self->probe_timer =
          self->executor.After(self->options.ready.probe_pause, [impl = self.get(), life] {
            impl->probe_timer = 0;
            impl->AskProbe(life);
          });
    });
  }

  void LookReady() {
    if (!alive || !on_ready || !line_seen || !port_seen || !probe_seen) return;
    ready = true;
    journal.Append(source, Event("ready"));
    FinishStart(absl::OkStatus());
  }

  void FinishStart(Status status) {
    for (TimerId* timer : {&ready_timer, &probe_timer}) executor.Cancel(std::exchange(*timer, 0));
    if (const auto callback = std::exchange(on_ready, nullptr)) callback(std::move(status));
  }

  Status Launch() {
    if (options.argv.empty()) return MakeStatus(StatusCode::kInvalidArgument, "no command");
    SQUALL_ASSIGN_OR_RETURN(const std::string program, FindProgram(options.argv[0]));
    SpawnRequest request{
        .program = program,
        .arguments = {options.argv.begin() + 1, options.argv.end()},
        .environment = MakeEnvironment(options.clean_environment, options.environment),
        .working_directory = options.working_directory};
    int pipes[2][2] = {{-1, -1}, {-1, -1}};
    const auto close_all = [&] {
      for (auto& ends : pipes) {
        for (int& fd : ends) {
          if (fd >= 0) ::close(std::exchange(fd, -1));
        }
      }
    };
    if (::pipe2(pipes[0], O_CLOEXEC) != 0 || ::pipe2(pipes[1], O_CLOEXEC) != 0) {
      const int number = errno;
      close_all();
      return MakeStatus(StatusCode::kUnavailable, "pipe: {}", std::strerror(number));
    }
    request.stdout_fd = pipes[0][1];
    request.stderr_fd = pipes[1][1];
    if (const Status status = OpenLogs(); !status.ok()) {
      close_all();
      return status;
    }
    const StatusOr<pid_t> spawned = Spawn(request);
    if (!spawned.ok()) {
      close_all();
      return spawned.status();
    }
    const int process_fd = OpenPidfd(*spawned);
    if (process_fd < 0) {  // a kernel before 5.3, or no descriptor left
      const int number = errno;
      ::kill(-*spawned, SIGKILL);
      ::waitpid(*spawned, nullptr, 0);
      close_all();
      return MakeStatus(StatusCode::kUnavailable, "pidfd_open: {}", std::strerror(number));
    }
    pid = *spawned;
    ++starts;
    alive = true;
    ready = paused = false;
    intent.reset();
    blamed.reset();
    journaled_lines = 0;
    recent.clear();
    journal.Append(source, Event("starting"));
    for (int i = 0; i < 2; ++i) {
      ::close(std::exchange(pipes[i][1], -1));
      outputs[i].partial.clear();
      outputs[i].pipe.assign(std::exchange(pipes[i][0], -1));
      outputs[i].pipe.non_blocking(true);
      Read(outputs[i]);
    }
    pidfd.assign(process_fd);
    WaitForDeath();
    return absl::OkStatus();
  }

  void WaitForDeath() {
    pidfd.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this(), life = starts](const error_code& error) {
                       if (error || self->destroyed || self->starts != life) return;
                       // Asio may report a descriptor ready on account of the one that had its
                       // place before (the last life's): look.
                       siginfo_t info{};
                       const bool dead = ::waitid(P_PID, static_cast<id_t>(self->pid), &info,
                                                  WEXITED | WNOHANG | WNOWAIT) != 0 ||
                                         info.si_pid != 0;
                       if (dead) {
                         self->OnExit();
                       } else {
                         self->WaitForDeath();
                       }
                     });
  }

  Status OpenLogs() {
    if (options.log_directory.empty()) return absl::OkStatus();
    for (Output& output : outputs) {
      if (output.log_fd >= 0) continue;
      const std::string path =
          fmt::format("{}/{}.{}.log", options.log_directory, options.name, output.Word());
      output.log_fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      if (output.log_fd < 0)
        return MakeStatus(StatusCode::kUnavailable, "create {}: {}", path, std::strerror(errno));
    }
    return absl::OkStatus();
  }

  // ----------------------------------------------------------------------------------------------------------------
  // output

  // Asio only says when: it must not read ahead, or what it has read and not yet handed out when
  // the process dies is lost.
  void Read(Output& output) {
    output.pipe.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this(), &output, life = starts](const error_code& error) {
          const auto over = [&] {
            return self->destroyed || self->starts != life || !output.pipe.is_open();
          };
          if (error || over()) return;
          const ssize_t bytes =
              ::read(output.pipe.native_handle(), output.buffer.data(), output.buffer.size());
          if (bytes > 0) {
            self->OnBytes(output, {output.buffer.data(), static_cast<std::size_t>(bytes)});
          } else if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) {
            self->CloseOutput(output);
          }
          if (!over()) self->Read(output);
        });
  }

  void OnBytes(Output& output, std::string_view bytes) {
    Log(output, bytes);
    // A callback may destroy the owner, which drains into the same buffer: then nothing is left to
    // do here.
    const bool was_destroyed = destroyed;
    while (!bytes.empty() && destroyed == was_destroyed) {
      const std::size_t room = options.line_bytes_max - output.partial.size();
      const std::size_t end = bytes.find('\n');
      const std::size_t take = std::min({end, bytes.size(), room});
      output.partial.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (!bytes.empty() && bytes.front() == '\n') {
        bytes.remove_prefix(1);
        FlushLine(output);
      } else if (output.partial.size() >= options.line_bytes_max) {
        FlushLine(output);
      }
    }
  }

  void Log(Output& output, std::string_view bytes) {
    if (output.log_fd < 0 || output.logged >= options.log_bytes_max) return;
    output.logged += bytes.size();
    while (!bytes.empty()) {
      const ssize_t written = ::write(output.log_fd, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0)
        return;  // a full disk must not take the run down; the journal has its own error
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (output.logged >= options.log_bytes_max) {
      static constexpr std::string_view kNotice = "\n[squall: output is cut here]\n";
      [[maybe_unused]] const ssize_t ignored =
          ::write(output.log_fd, kNotice.data(), kNotice.size());
    }
  }

  void FlushLine(Output& output) {
    std::string line = std::exchange(output.partial, {});
    if (!line.empty() && line.back() == '\r') line.pop_back();
    recent.push_back(line);
    if (recent.size() > options.kept_lines) recent.pop_front();
    if (options.journal_lines && journaled_lines <= options.journal_lines_max) {
      const bool last = journaled_lines++ == options.journal_lines_max;
      journal.Append(source,
                     journal::LogEvent{
                         .what = std::string(output.Word()),
                         .process = options.name,
                         .line = last ? "[squall: further lines are in the log file only]" : line});
    }
    if (destroyed) return;
    if (options.on_line) options.on_line(output.which, line);
    if (destroyed) return;
    if (!line_seen && options.ready.line && options.ready.line(output.which, line)) {
      line_seen = true;
      LookReady();
    }
  }

  // Everything that lies in the pipe now.
  void Drain(Output& output) {
    std::size_t total = 0;
    while (output.pipe.is_open() && total < kDrainBytesMax) {
      const ssize_t bytes =
          ::read(output.pipe.native_handle(), output.buffer.data(), output.buffer.size());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) break;
      total += static_cast<std::size_t>(bytes);
      OnBytes(output, {output.buffer.data(), static_cast<std::size_t>(bytes)});
    }
    if (output.pipe.is_open()) CloseOutput(output);
  }

  void CloseOutput(Output& output) {
    if (!output.partial.empty()) FlushLine(output);
    error_code ignored;
    output.pipe.close(ignored);
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the end

  // The process is dead and not reaped.
  ProcessExit Reap() {
    // Its group while its pid, being unreaped, still cannot be anybody else's: nothing of it lives
    // on.
    ::kill(-static_cast<pid_t>(pid), SIGKILL);
    for (Output& output : outputs) Drain(output);
    if (!alive)
      return *last_exit;  // a line's callback destroyed the owner, and that has done the rest
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
    }
    ProcessExit exit;
    if (info.si_code == CLD_EXITED) {
      exit.code = info.si_status;
    } else {
      exit.signal = info.si_status;
    }
    const std::optional<Intent> why = intent ? intent : blamed;
    exit.reason = !why ? "unexpected" : *why == Intent::kAsked ? "asked" : "injected";
    exit.last_lines.assign(recent.begin(), recent.end());
    journal::ProcessEvent event = Event("exited");
    event.exit_code = exit.code;
    event.signal = exit.signal;
    event.reason = exit.reason;
    event.detail = exit.Full();
    journal.Append(source, std::move(event));
    error_code ignored;
    pidfd.close(ignored);
    alive = ready = paused = false;
    pid = 0;
    last_exit = exit;
    return exit;
  }

  void OnExit() {
    const ProcessExit exit = Reap();
    executor.Cancel(std::exchange(kill_timer, 0));
    port_probe.reset();
    if (destroyed) return;
    FinishStart(MakeStatus(intent ? StatusCode::kCancelled : StatusCode::kFailedPrecondition,
                           "{} {}", options.name, exit.Full()));
    for (const ExitCallback& callback : std::exchange(on_exit, {})) {
      if (destroyed) return;
      callback(exit);
    }
    if (!destroyed && options.on_exit) options.on_exit(exit);
  }

  // -------------------------------------------------------------------------------------------------------------
  // its signals

  Status Signal(int number, Intent why, std::string detail = "") {
    if (!alive) return MakeStatus(StatusCode::kFailedPrecondition, "{} does not run", options.name);
    // The first who wanted it to end is the reason; SIGKILL after a stop that took too long does
    // not change it.
    if (Terminates(number) && !intent) intent = why;
    const pid_t to = static_cast<pid_t>(number == SIGKILL || options.signal_group ? -pid : pid);
    if (::kill(to, number) != 0) {
      return MakeStatus(StatusCode::kUnavailable, "send {} to {}: {}", SignalName(number),
                        options.name, std::strerror(errno));
    }
    journal::ProcessEvent event = Event("signalled");
    event.signal = number;
    event.reason = why == Intent::kAsked ? "asked" : "injected";
    event.detail = std::move(detail);
    journal.Append(source, std::move(event));
    // A stopped process acts on a signal only when it goes on.
    if (paused && number != SIGKILL) return Continue();
    return absl::OkStatus();
  }

  Status Pause() {
    if (!alive) return MakeStatus(StatusCode::kFailedPrecondition, "{} does not run", options.name);
    if (paused) return absl::OkStatus();
    if (::kill(-static_cast<pid_t>(pid), SIGSTOP) != 0) {
      return MakeStatus(StatusCode::kUnavailable, "pause {}: {}", options.name,
                        std::strerror(errno));
    }
    // The kernel stops a process one thread after the other; what is called paused must answer
    // nothing any more. Not for ever: one that waits in vfork for a child that is stopped before
    // its exec never stops itself, and does nothing either.
    const SteadyTime end = executor.clock().Now() + kStopWait;
    while (!Stopped() && executor.clock().Now() < end) ::sched_yield();
    paused = true;
    journal.Append(source, Event("paused"));
    return absl::OkStatus();
  }

  bool Stopped() const {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WEXITED | WNOWAIT | WNOHANG) ==
            0 &&
        info.si_pid == 0)
      return false;
    // Children of it that are in its group are not ours to wait for: looked up.
    const std::vector<Descendant> below = FindDescendants(pid);
    return std::all_of(below.begin(), below.end(), [this](const Descendant& one) {
      return one.group != pid || one.state == 'T';
    });
  }

  Status Continue() {
    if (!alive || !paused) return absl::OkStatus();
    if (::kill(-static_cast<pid_t>(pid), SIGCONT) != 0) {
      return MakeStatus(StatusCode::kUnavailable, "resume {}: {}", options.name,
                        std::strerror(errno));
    }
    paused = false;
    journal.Append(source, Event("resumed"));
    return absl::OkStatus();
  }

  void Stop(int number, Duration grace, Intent why, ExitCallback done) {
    if (!alive) {
      AwaitExit(std::move(done));
      return;
    }
    if (done) on_exit.push_back(std::move(done));
    // It may have died already without our having been told: then the exit is on its way.
    if (!Signal(number, why).ok() || number == SIGKILL) return;
    const SteadyTime when = executor.clock().Now() + Scaled(grace);
    if (kill_timer != 0) {
      if (kill_at <= when) return;
      executor.Cancel(kill_timer);
    }
    kill_at = when;
    kill_timer = executor.At(when, [this, why, grace] {
      kill_timer = 0;
      [[maybe_unused]] const Status ignored =
          Signal(SIGKILL, why,
                 "still there " + FormatDuration(Scaled(grace)) + " after it was asked to stop");
    });
  }

  void AwaitExit(ExitCallback done) {
    if (!done) return;
    if (alive) {
      on_exit.push_back(std::move(done));
      return;
    }
    executor.Post([weak = weak_from_this(), done = std::move(done)] {
      const auto self = weak.lock();
      if (self && !self->destroyed) done(self->last_exit.value_or(ProcessExit{.reason = "asked"}));
    });
  }

  void Destroy() {
    destroyed = true;
    on_ready = nullptr;
    on_exit.clear();
    for (TimerId* timer : {&ready_timer, &probe_timer, &kill_timer})
      executor.Cancel(std::exchange(*timer, 0));
    port_probe.reset();
    if (!alive) return;
    [[maybe_unused]] Status ignored = Signal(options.stop_signal, Intent::kAsked);
    if (!WaitDead(Scaled(options.stop_grace))) {
      ignored = Signal(SIGKILL, Intent::kAsked, "still there when its owner went");
      // One that hangs in the kernel stays, as a child of the guardian.
      if (!WaitDead(Scaled(kKillWait))) return;
    }
    Reap();
  }

  // Blocks, and keeps the pipes empty meanwhile so that the process is not held up by its own
  // output.
  bool WaitDead(Duration limit) {
    const SteadyTime end = executor.clock().Now() + limit;
    for (;;) {
      const Duration left = end - executor.clock().Now();
      if (left <= Duration::zero()) return false;
      std::array<pollfd, 3> fds{pollfd{pidfd.native_handle(), POLLIN, 0}, pollfd{-1, POLLIN, 0},
                                pollfd{-1, POLLIN, 0}};
      for (int i = 0; i < 2; ++i) {
        if (outputs[i].pipe.is_open()) fds[i + 1].fd = outputs[i].pipe.native_handle();
      }
      const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      if (::poll(fds.data(), fds.size(), static_cast<int>(milliseconds)) <= 0) continue;
      if (fds[0].revents != 0) return true;
      for (int i = 0; i < 2; ++i) {
        if (fds[i + 1].revents == 0) continue;
        Output& output = outputs[i];
        const ssize_t bytes =
            ::read(output.pipe.native_handle(), output.buffer.data(), output.buffer.size());
        if (bytes > 0) {
          OnBytes(output, {output.buffer.data(), static_cast<std::size_t>(bytes)});
        } else if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) {
          CloseOutput(output);
        }
      }
    }
  }

  // -----------------------------------------------------------------------------------------------------------------
  // helpers

  void PostReady(ReadyCallback callback, Status status) {
    executor.Post(
        [weak = weak_from_this(), callback = std::move(callback), status = std::move(status)] {
          const auto self = weak.lock();
          if (self && !self->destroyed && callback) callback(status);
        });
  }

  journal::ProcessEvent Event(std::string_view word) const {
    return {.what = std::string(word), .process = options.name, .role = options.role, .pid = pid};
  }

  std::string LastLinesText() const {
    return recent.empty() ? "; no output"
                          : fmt::format("; last output:\n  {}", fmt::join(recent, "\n  "));
  }

  AsioExecutor& executor;
  journal::Sink& journal;
  ChildOptions options;
  const std::string source;
  std::array<Output, 2> outputs;
  asio::posix::stream_descriptor pidfd;

  std::int64_t pid = 0;
  std::uint64_t starts = 0;
  bool alive = false, ready = false, paused = false;
  bool destroyed = false;
  std::optional<Intent> intent;  // why this life ends, once somebody asked for it
  std::optional<Intent> blamed;  // and why if nobody does
  std::optional<ProcessExit> last_exit;
  std::deque<std::string> recent;
  std::size_t journaled_lines = 0;

  ReadyCallback on_ready;
  bool line_seen = false, port_seen = false, probe_seen = false;
  Status last_probe = absl::UnknownError("none yet");
  std::unique_ptr<ConnectProbe> port_probe;
  std::vector<ExitCallback> on_exit;
  TimerId ready_timer = 0, probe_timer = 0, kill_timer = 0;
  SteadyTime kill_at{};
};

ChildProcess::ChildProcess(AsioExecutor& executor, journal::Sink& journal, ChildOptions options)
    : impl_(std::make_shared<Impl>(executor, journal, std::move(options))) {}

ChildProcess::~ChildProcess() { impl_->Destroy(); }

void ChildProcess::Start(ReadyCallback ready) {
  // on_exit of a life may start the next one and, in doing so, be replaced: keep the state alive
  // over the call.
  const auto keep = impl_;
  keep->Start(std::move(ready));
}

void ChildProcess::Stop(Intent intent, ExitCallback done) {
  impl_->Stop(impl_->options.stop_signal, impl_->options.stop_grace, intent, std::move(done));
}
void ChildProcess::StopWith(int signal, Duration grace, Intent intent, ExitCallback done) {
  impl_->Stop(signal, grace, intent, std::move(done));
}
void ChildProcess::Kill(Intent intent, ExitCallback done) {
  impl_->Stop(SIGKILL, Duration::zero(), intent, std::move(done));
}
Status ChildProcess::Signal(int signal, Intent intent) { return impl_->Signal(signal, intent); }
Status ChildProcess::Pause() { return impl_->Pause(); }
Status ChildProcess::Resume() { return impl_->Continue(); }
void ChildProcess::BlameExit(Intent intent) {
  if (impl_->alive) impl_->blamed = intent;
}
void ChildProcess::AwaitExit(ExitCallback done) { impl_->AwaitExit(std::move(done)); }

ChildProcess::State ChildProcess::state() const {
  if (!impl_->alive) return impl_->starts == 0 ? State::kIdle : State::kExited;
  if (impl_->paused) return State::kPaused;
  return impl_->ready ? State::kReady : State::kStarting;
}
bool ChildProcess::alive() const { return impl_->alive; }
bool ChildProcess::paused() const { return impl_->paused; }
std::int64_t ChildProcess::pid() const { return impl_->pid; }
int ChildProcess::starts() const { return static_cast<int>(impl_->starts); }
const std::optional<ProcessExit>& ChildProcess::last_exit() const { return impl_->last_exit; }
std::vector<std::string> ChildProcess::last_lines() const {
  return {impl_->recent.begin(), impl_->recent.end()};
}
const ChildOptions& ChildProcess::options() const { return impl_->options; }
void ChildProcess::SetArgv(std::vector<std::string> argv) { impl_->options.argv = std::move(argv); }
void ChildProcess::SetEnvironment(std::map<std::string, std::optional<std::string>> environment) {
  impl_->options.environment = std::move(environment);
}

}  // namespace squall::harness
