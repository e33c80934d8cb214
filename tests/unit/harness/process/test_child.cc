// A program for the tests of harness/process. squall_test_child MODE [argument...]:
//   listen PORT        says "binding", listens on 127.0.0.1:PORT and waits
//   daemon             starts a grandchild that leaves group, session and parent, and waits; prints
//   "daemon PID" exit CODE          ends with it abort              ends by SIGABRT owner MODE...
//   enters the guardian, then owns a ChildProcess running squall_test_child MODE...; passes its
//   lines on guarded MODE...    enters the guardian, then does MODE itself strays enters the
//   guardian, starts a daemon whose parent ends, tells what FindDescendants sees, kills it threads
//   enters the guardian with a second thread running; prints the error
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/process/guardian.h"
#include "harness/process/process.h"

namespace {

using squall::harness::ChildProcess;

[[noreturn]] void WaitForEver() {
  for (;;) ::pause();
}

void Say(const std::string& line) {
  std::fprintf(stdout, "%s\n", line.c_str());
  std::fflush(stdout);
}

int Fail(const squall::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 70;
}

int Listen(int port) {
  Say("binding");
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 10) != 0) {
    std::perror("listen");
    return 1;
  }
  WaitForEver();
}

// The classic: fork, setsid, fork; the middle one ends, so that the daemon has no living ancestor
// but a subreaper.
pid_t Daemonise() {
  int pipe_fds[2];
  if (::pipe(pipe_fds) != 0) std::abort();
  if (const pid_t middle = ::fork(); middle == 0) {
    ::setsid();
    const pid_t daemon = ::fork();
    if (daemon == 0) {
      // As daemons do: no output of ours stays open in it.
      for (int fd = 0; fd < 3; ++fd) ::close(fd);
      ::close(pipe_fds[0]);
      ::close(pipe_fds[1]);
      for (const int number : {SIGHUP, SIGTERM, SIGINT}) ::signal(number, SIG_IGN);
      WaitForEver();
    }
    if (::write(pipe_fds[1], &daemon, sizeof daemon) != sizeof daemon) ::_exit(1);
    ::_exit(0);
  } else {
    pid_t daemon = 0;
    if (::read(pipe_fds[0], &daemon, sizeof daemon) != sizeof daemon) std::abort();
    ::waitpid(middle, nullptr, 0);
    return daemon;
  }
}

int Own(std::vector<std::string> mode, const char* self) {
  if (const squall::Status status = squall::harness::EnterGuardian(); !status.ok())
    return Fail(status);
  Say("program " + std::to_string(::getpid()) + " guardian " + std::to_string(::getppid()));
  squall::RealClock clock;
  squall::harness::AsioExecutor executor(clock);
  squall::journal::NullSink journal;
  mode.insert(mode.begin(), self);
  ChildProcess child(executor, journal,
                     {.name = "child", .argv = mode, .on_line = [](auto, std::string_view line) {
                        Say(std::string(line));
                      }});
  child.Start([&](const squall::Status& status) {
    if (!status.ok()) std::exit(Fail(status));
    Say("child " + std::to_string(child.pid()));
  });
  executor.Run();
  return 0;
}

int Strays() {
  if (const squall::Status status = squall::harness::EnterGuardian(); !status.ok())
    return Fail(status);
  const pid_t daemon = Daemonise();
  int seen = 0;
  for (const auto& one : squall::harness::FindDescendants())
    seen += one.pid == daemon && one.parent == ::getpid();
  Say("seen " + std::to_string(seen));
  squall::RealClock clock;
  const auto killed =
      squall::harness::KillDescendants(clock, squall::Scaled(std::chrono::seconds(5)));
  if (!killed.ok()) return Fail(killed.status());
  Say("killed " + std::to_string(*killed) + " left " +
      std::to_string(squall::harness::FindDescendants().size()));
  return 0;
}

int Threads() {
  std::promise<void> over;
  std::thread other([held = over.get_future()]() mutable { held.wait(); });
  const squall::Status status = squall::harness::EnterGuardian();
  over.set_value();
  other.join();
  Say(status.ToString());
  return 0;
}

int Run(const std::vector<std::string>& arguments, const char* self) {
  const std::string mode = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (mode == "listen") return Listen(std::stoi(rest.at(0)));
  if (mode == "daemon") {
    Say("daemon " + std::to_string(Daemonise()));
    WaitForEver();
  }
  if (mode == "exit") return std::stoi(rest.at(0));
  if (mode == "abort") ::raise(SIGABRT);
  if (mode == "wait") {
    Say("waiting");
    WaitForEver();
  }
  if (mode == "owner") return Own(rest, self);
  if (mode == "guarded") {
    if (const squall::Status status = squall::harness::EnterGuardian(); !status.ok())
      return Fail(status);
    Say("program " + std::to_string(::getpid()) + " guardian " + std::to_string(::getppid()));
    return Run(rest, self);
  }
  if (mode == "strays") return Strays();
  if (mode == "threads") return Threads();
  return 64;
}

}  // namespace

int main(int argc, char** argv) { return Run({argv + 1, argv + argc}, argv[0]); }
