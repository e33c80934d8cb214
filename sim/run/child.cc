#include "sim/run/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/util/clock.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"

namespace squall::sim {
namespace {

// What ld.so looks for; the program itself is linked so, its libraries are not.
constexpr const char* kResolveNow = "LD_BIND_NOW";

std::string ReadAllOf(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), at);
    if (n <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    at += n;
  }
}

}  // namespace

void StayOnOneProcessor(std::size_t number) {
  std::array<unsigned long, 16> allowed{};
  const long bytes = Raw(SYS_sched_getaffinity, 0, sizeof allowed, reinterpret_cast<long>(allowed.data()));
  std::vector<std::size_t> processors;
  for (std::size_t bit = 0; bytes > 0 && bit < static_cast<std::size_t>(bytes) * 8; ++bit) {
    if ((allowed[bit / 64] >> (bit % 64) & 1) != 0) processors.push_back(bit);
  }
  if (processors.empty()) return;
  const std::size_t chosen = processors[number % processors.size()];
  allowed.fill(0);
  allowed[chosen / 64] = 1UL << (chosen % 64);
  Raw(SYS_sched_setaffinity, 0, sizeof allowed, reinterpret_cast<long>(allowed.data()));
}

void ResolveNamesAtStart() {
  if (std::getenv(kResolveNow) != nullptr) return;
  // What was asked for, whatever main took off it.
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string word; std::getline(file, word, '\0');) arguments.push_back(word);
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed || arguments.empty()) return;
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::setenv(kResolveNow, "1", 1);
  ::execv(self.c_str(), argv.data());
}

struct Children::Child {
  pid_t pid = 0;
  int handle = -1;  // pidfd
  int output = -1;  // memfd that it writes to
  SteadyTime begun;
  std::function<void(const ChildResult&)> done;
};

Children::Children(int at_once, int limit_ms)
    : at_once_(static_cast<std::size_t>(at_once)), limit_ms_(limit_ms) {}

Children::~Children() {
  for (const Child& child : children_) {
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    ::close(child.handle);
    ::close(child.output);
  }
}

void Children::Start(const std::function<void(int)>& body,
                     std::function<void(const ChildResult&)> done) {
  while (children_.size() >= at_once_) Reap();
  Child child;
  child.output = ::memfd_create("result", 0);
  child.begun = RealClock().Now();
  child.done = std::move(done);
  const pid_t parent = ::getpid();
  child.pid = ::fork();
  if (child.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) RawExit(1);
    StayOnOneProcessor(started_);
    body(child.output);
    RawExit(0);
  }
  ++started_;
  child.handle = static_cast<int>(Raw(SYS_pidfd_open, child.pid));
  children_.push_back(std::move(child));
}

void Children::Fork(std::function<std::string()> work,
                    std::function<void(const ChildResult&)> done) {
  Start(
      [&work](int output) {
        OnFailure([output](FailureKind, const std::string& story) {
          RawWrite(output, story.data(), story.size());
        });
        const std::string text = work();
        RawWrite(output, text.data(), text.size());
      },
      std::move(done));
}

void Children::Execute(std::vector<std::string> arguments,
                       std::function<void(const ChildResult&)> done) {
  Start(
      [&arguments](int output) {
        std::vector<char*> argv;
        std::string self = "squall-sim";
        argv.push_back(self.data());
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        ::unsetenv(kResolveNow);
        ::dup2(output, STDOUT_FILENO);
        ::execv("/proc/self/exe", argv.data());
        RawExit(127);
      },
      std::move(done));
}

void Children::Reap() {
  const RealClock clock;
  for (;;) {
    std::vector<pollfd> handles;
    for (const Child& child : children_) handles.push_back({child.handle, POLLIN, 0});
    ::poll(handles.data(), handles.size(), 1000);
    for (std::size_t i = 0; i < children_.size(); ++i) {
      ChildResult result;
      result.timed_out = clock.Now() - children_[i].begun > std::chrono::milliseconds(limit_ms_);
      if (result.timed_out) ::kill(children_[i].pid, SIGKILL);
      if ((handles[i].revents & POLLIN) == 0 && !result.timed_out) continue;
      const Child child = std::move(children_[i]);
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      int status = 0;
      ::waitpid(child.pid, &status, 0);
      if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
      result.text = ReadAllOf(child.output);
      ::close(child.handle);
      ::close(child.output);
      if (child.done) child.done(result);
      return;
    }
  }
}

void Children::Wait() {
  while (!children_.empty()) Reap();
}

}  // namespace squall::sim
