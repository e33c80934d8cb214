#include "harness/process/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "harness/process/pidfd.h"

namespace squall::harness {
namespace {

// The guardian looks again this often while what it has killed dies, and gives up after so many
// looks (10 s): a process that hangs in the kernel cannot be waited for.
constexpr long kLookNanoseconds = 10'000'000;
constexpr int kLooksMax = 1000;

int CountThreads() {
  std::error_code error;
  int count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task", error))
    ++count;
  return count;
}

bool ReadStat(std::int64_t pid, Descendant& out) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(in, text)) return false;
  // pid (name, which may hold anything) state parent group ...
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos) return false;
  long long parent = 0, group = 0;
  char state = '?';
  if (std::sscanf(text.c_str() + close + 1, " %c %lld %lld", &state, &parent, &group) != 3)
    return false;
  out = {.pid = pid, .parent = parent, .group = group, .state = state};
  return true;
}

std::string ReadCommand(std::int64_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

[[noreturn]] void EndLike(int status) {
  if (WIFSIGNALED(status)) {
    // Not a second core dump for the same death.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const int number = WTERMSIG(status);
    ::signal(number, SIG_DFL);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigprocmask(SIG_SETMASK, &set, nullptr);
    ::raise(number);
    ::_exit(128 + number);
  }
  ::_exit(WEXITSTATUS(status));
}

// As a subreaper this process gets every orphan below it: when it has no child left, nothing of the
// tree is alive.
void EndTree() {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  for (int look = 0; look < kLooksMax; ++look) {
    for (const Descendant& one : FindDescendants()) ::kill(static_cast<pid_t>(one.pid), SIGKILL);
    for (;;) {
      const pid_t reaped = ::waitpid(-1, nullptr, WNOHANG);
      if (reaped < 0 && errno == ECHILD) return;
      if (reaped <= 0) break;
    }
    const timespec pause{0, kLookNanoseconds};
    ::sigtimedwait(&child, nullptr, &pause);
  }
}

[[noreturn]] void Guard(pid_t program, pid_t above, const GuardianOptions& options,
                        const sigset_t& signals) {
  ::prctl(PR_SET_NAME, options.name.c_str());
  // Nothing that the program holds open may stay open through us, or its peers would miss its end.
  ::close_range(3, ~0U, 0);
  if (options.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const auto orphaned = [&] { return options.die_with_parent && ::getppid() != above; };
  for (;;) {
    if (orphaned()) {
      EndTree();
      ::_exit(128 + SIGTERM);
    }
    siginfo_t info{};
    const int number = ::sigwaitinfo(&signals, &info);
    if (number < 0) continue;  // interrupted by SIGCONT
    if (number != SIGCHLD) {
      // A terminal sends to the whole foreground group: the program has it already.
      if (info.si_code != SI_KERNEL && !orphaned()) ::kill(program, number);
      continue;
    }
    for (;;) {
      int status = 0;
      const pid_t reaped = ::waitpid(-1, &status, WNOHANG);
      if (reaped <= 0) break;
      if (reaped != program) continue;
      EndTree();
      EndLike(status);
    }
  }
}

}  // namespace

Status EnterGuardian(const GuardianOptions& options) {
#if defined(__SANITIZE_THREAD__)
  constexpr int kThreads = 2;  // TSan's own
#else
  constexpr int kThreads = 1;
#endif
  if (const int threads = CountThreads(); threads > kThreads) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "the guardian must be entered before threads start; there are {}", threads);
  }
  const auto failed = [](std::string_view what) {
    return MakeStatus(StatusCode::kUnavailable, "enter the guardian: {}: {}", what,
                      std::strerror(errno));
  };
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return failed("become a subreaper");
  // Blocked before the fork, so that none is lost between it and the guardian's first wait.
  sigset_t signals, before;
  ::sigemptyset(&signals);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})
    ::sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  // An inherited SIG_IGN for SIGCHLD would make the kernel reap behind our back.
  ::signal(SIGCHLD, SIG_DFL);
  std::fflush(nullptr);
  const pid_t above = ::getppid();
  const pid_t self = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) {
    const Status status = failed("fork");
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return status;
  }
  if (program > 0) Guard(program, above, options, signals);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed("die with the guardian");
  if (::getppid() != self) ::_exit(128 + SIGTERM);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return failed("become a subreaper");
  return absl::OkStatus();
}

std::vector<Descendant> FindDescendants(std::int64_t root) {
  if (root == 0) root = ::getpid();
  std::map<std::int64_t, std::vector<Descendant>> by_parent;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    std::int64_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || end != name.data() + name.size()) continue;
    Descendant one;
    if (ReadStat(pid, one)) by_parent[one.parent].push_back(one);
  }
  std::vector<Descendant> found;
  std::vector<std::int64_t> open = {root};
  std::set<std::int64_t> seen = {
      root};  // a pid that is used again while we read must not make a circle
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (Descendant& one : by_parent[open[i]]) {
      if (!seen.insert(one.pid).second) continue;
      open.push_back(one.pid);
      if (one.state == 'Z' || one.state == 'X') continue;
      one.command = ReadCommand(one.pid);
      found.push_back(std::move(one));
    }
  }
  return found;
}

StatusOr<int> KillDescendants(const Clock& clock, Duration limit) {
  const SteadyTime end = clock.Now() + limit;
  std::set<std::int64_t> killed;
  for (;;) {
    const std::vector<Descendant> left = FindDescendants();
    if (left.empty()) return static_cast<int>(killed.size());
    for (const Descendant& one : left) {
      killed.insert(one.pid);
      ::kill(static_cast<pid_t>(one.pid), SIGKILL);
    }
    for (const Descendant& one : left) {
      const Duration rest = end - clock.Now();
      if (rest <= Duration::zero()) {
        return MakeStatus(StatusCode::kDeadlineExceeded, "process {} ({}) does not die", one.pid,
                          one.command);
      }
      const int fd = OpenPidfd(one.pid);
      if (fd >= 0) {
        pollfd wait{fd, POLLIN, 0};
        ::poll(&wait, 1,
               static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(rest).count()));
        ::close(fd);
      }
      // Only our own children can be reaped; it is no error for the others.
      ::waitpid(static_cast<pid_t>(one.pid), nullptr, WNOHANG);
    }
  }
}

}  // namespace squall::harness
