// Who a simulated process is, where it runs, and how it ends.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/kernel/descriptors.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

extern "C" char** environ;

namespace squall::sim {
namespace {

constexpr int kProcessors = 2;

// What the machine's own environment says; nothing of it reaches a simulated process.
char* RealVariable(const char* name) {
  const std::size_t size = std::strlen(name);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, size) == 0 && (*entry)[size] == '=') return *entry + size + 1;
  }
  return nullptr;
}

[[noreturn]] void EndCaller(int code) {
  Scheduler& scheduler = TheScheduler();
  Process& process = *scheduler.process();
  scheduler.EndProcess(process, code, 0);
  scheduler.Halt();
}

}  // namespace

SQUALL_REPLACES(pid_t, getpid, void) {
  if (!Simulated()) return static_cast<pid_t>(Raw(SYS_getpid));
  return TheScheduler().process()->id;
}

SQUALL_REPLACES(pid_t, gettid, void) {
  if (!Simulated()) return static_cast<pid_t>(Raw(SYS_gettid));
  return 1000 + TheScheduler().current()->id;
}

SQUALL_REPLACES(int, gethostname, char* name, size_t size) {
  const char* host = Simulated() ? TheScheduler().process()->host.c_str() : "sim";
  std::strncpy(name, host, size);
  return 0;
}

SQUALL_REPLACES(int, uname, utsname* about) {
  std::memset(about, 0, sizeof *about);
  std::strcpy(about->sysname, "Linux");
  std::strcpy(about->release, "6.1.0");
  std::strcpy(about->version, "#1 simulated");
  std::strcpy(about->machine, "x86_64");
  squall_libc_gethostname(about->nodename, sizeof about->nodename - 1);
  return 0;
}

// As /proc/meminfo has it (sim/kernel/files.cc).
SQUALL_REPLACES(int, sysinfo, struct sysinfo* about) {
  std::memset(about, 0, sizeof *about);
  about->totalram = 8'000'000;
  about->freeram = 4'000'000;
  about->mem_unit = 1024;
  about->procs = 100;
  return 0;
}

SQUALL_REPLACES(char*, getenv, const char* name) {
  if (!Simulated()) return RealVariable(name);
  auto& environment = TheScheduler().process()->environment;
  const auto it = environment.find(name);
  return it == environment.end() ? nullptr : it->second.data();
}
SQUALL_REPLACES(char*, secure_getenv, const char* name) { return squall_libc_getenv(name); }

SQUALL_REPLACES(int, sched_getaffinity, pid_t, size_t size, cpu_set_t* set) {
  CPU_ZERO_S(size, set);
  for (int cpu = 0; cpu < kProcessors; ++cpu) CPU_SET_S(static_cast<std::size_t>(cpu), size, set);
  return 0;
}

SQUALL_REPLACES(long, sysconf, int name) {
  if (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF) return kProcessors;
  return SQUALL_LIBC(sysconf)(name);
}

SQUALL_REPLACES(int, get_nprocs, void) { return kProcessors; }

SQUALL_REPLACES(int, sched_getcpu, void) { return 0; }

// --- the end of a process ---

SQUALL_REPLACES(void, _exit, int code) {
  if (!Simulated() || TheScheduler().process()->id == 1) RawExit(code);
  EndCaller(code);
}
SQUALL_REPLACES(void, _Exit, int code) { squall_libc__exit(code); }
SQUALL_REPLACES(void, exit, int code) {
  if (!Simulated() || TheScheduler().process()->id == 1) {
    SQUALL_LIBC(exit)(code);
    RawExit(code);
  }
  EndCaller(code);
}

// --- signals: sent to a process, taken by its listener ---

SQUALL_REPLACES(int, sigwait, const sigset_t* set, int* number) {
  if (!Simulated()) return SQUALL_LIBC(sigwait)(set, number);
  Process& process = *TheScheduler().process();
  for (;;) {
    const auto it = std::find_if(process.signals.begin(), process.signals.end(),
                                 [set](int signal) { return sigismember(set, signal) == 1; });
    if (it != process.signals.end()) {
      *number = *it;
      process.signals.erase(it);
      return 0;
    }
    TheScheduler().Wait(WaitOn::kSignal, &process);
  }
}

SQUALL_REPLACES(int, pthread_kill, pthread_t thread, int number) {
  if (!Simulated()) return SQUALL_LIBC(pthread_kill)(thread, number);
  Process& process = *TheScheduler().process();
  process.signals.push_back(number);
  TheScheduler().Wake(WaitOn::kSignal, &process, 1);
  return 0;
}

}  // namespace squall::sim
