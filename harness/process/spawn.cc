#include "harness/process/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

// close_range's flag, in case the C library's headers are older than the kernel.
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

namespace squall::harness {
namespace {

namespace bp = boost::process;

// 126 as a shell has it for "found, but could not be run".
constexpr int kSetupFailed = 126;

// Runs in the child, between fork and exec, in a copy of a process that may have had other threads:
// only calls that are safe there (signal-safety(7)) and no allocation.
void PrepareChild(const SpawnRequest& request, pid_t parent, int null_fd) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ::_exit(kSetupFailed);
  // The parent may have died before the line above took effect.
  if (::getppid() != parent) ::_exit(kSetupFailed);
  for (int number = 1; number < NSIG; ++number)
    ::signal(number, SIG_DFL);  // fails for SIGKILL, SIGSTOP: as they should be
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!request.working_directory.empty() && ::chdir(request.working_directory.c_str()) != 0)
    ::_exit(kSetupFailed);
  if (::dup2(null_fd, STDIN_FILENO) < 0 || ::dup2(request.stdout_fd, STDOUT_FILENO) < 0 ||
      ::dup2(request.stderr_fd, STDERR_FILENO) < 0) {
    ::_exit(kSetupFailed);
  }
  // Whatever a library of this process opened without the flag. Not closed at once: Boost's own
  // error pipe is among them.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

}  // namespace

StatusOr<pid_t> Spawn(const SpawnRequest& request) {
  std::error_code filesystem_error;
  if (!request.working_directory.empty() &&
      !std::filesystem::is_directory(request.working_directory, filesystem_error)) {
    return MakeStatus(StatusCode::kNotFound, "no such folder to run in: {}",
                      request.working_directory);
  }
  const int null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null_fd < 0)
    return MakeStatus(StatusCode::kUnavailable, "open /dev/null: {}", std::strerror(errno));

  const pid_t parent = ::getpid();
  std::error_code error;
  pid_t pid = -1;
  try {
    bp::environment environment;
    for (const auto& [name, value] : request.environment) environment[name] = value;
    bp::group group;
    bp::child child(
        bp::exe = request.program, bp::args = request.arguments, environment, group,
        bp::extend::on_exec_setup = [&](auto&) { PrepareChild(request, parent, null_fd); },
        // Boost reaps a child whose exec failed without waiting for it, which leaves a zombie when
        // it is quick.
        bp::extend::on_error =
            [](auto& executor, const std::error_code&) {
              if (executor.pid > 0) ::waitpid(executor.pid, nullptr, 0);
            },
        error);
    if (!error) {
      pid = child.id();
      // From here on pid and group are ChildProcess's.
      child.detach();
      group.detach();
    }
  } catch (const std::exception& exception) {
    ::close(null_fd);
    return MakeStatus(StatusCode::kUnavailable, "start {}: {}", request.program, exception.what());
  }
  ::close(null_fd);
  if (error) {
    const StatusCode code = error == std::errc::no_such_file_or_directory ? StatusCode::kNotFound
                            : error == std::errc::permission_denied ? StatusCode::kPermissionDenied
                                                                    : StatusCode::kUnavailable;
    return MakeStatus(code, "start {}: {}", request.program, error.message());
  }
  return pid;
}

}  // namespace squall::harness
