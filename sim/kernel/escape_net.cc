#include "sim/kernel/escape_net.h"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/kernel/call_filter.h"
#include "sim/kernel/code_place.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {
namespace {

// Functions of protobuf's maps, mangled: of templates in the program, and what the library has.
constexpr std::string_view kMapFunctions[] = {"_ZN6google8protobuf3MapI",
                                              "_ZNK6google8protobuf3MapI"};

struct CounterReaders {
  bool known = false;
  std::vector<CodeRange> own;
  CodeRange library;
  bool Holds(std::uintptr_t address) const {
    if (library.Holds(address)) return true;
    const auto it =
        std::upper_bound(own.begin(), own.end(), address,
                         [](std::uintptr_t at, const CodeRange& range) { return at < range.end; });
    return it != own.end() && it->Holds(address);
  }
};
// Never destroyed.
CounterReaders& Readers() {
  static auto* readers = new CounterReaders();
  return *readers;
}

// Handlers of faults from before.
struct sigaction fault_before = {};

greg_t& Register(void* context, int number) {
  return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[number];
}

// Calls that the simulation has an answer to, whoever makes them: the gethostname of core's own
// dependencies asks by an instruction of its own, libc's qsort asks how much memory there is.
bool AnswerCall(long number, void* context) {
  const auto first = reinterpret_cast<void*>(Register(context, REG_RDI));
  switch (number) {
    case SYS_uname:
      Register(context, REG_RAX) = ::uname(static_cast<utsname*>(first));
      return true;
    case SYS_sysinfo:
      Register(context, REG_RAX) = ::sysinfo(static_cast<struct sysinfo*>(first));
      return true;
    default:
      return false;
  }
}

void OnSystemCall(int, siginfo_t* about, void* context) {
  if (Simulated() && AnswerCall(about->si_syscall, context)) return;
  const char* name = SystemCallName(about->si_syscall);
  Escaped(fmt::format("system call {} by {}",
                      name != nullptr ? name : fmt::format("{} (unknown)", about->si_syscall),
                      PlaceOf(reinterpret_cast<std::uintptr_t>(about->si_call_addr))));
}

// How long the instruction at a place is, when it reads the cycle counter; otherwise 0.
int CounterInstruction(std::uintptr_t at) {
  static constexpr unsigned char kRdtsc[] = {0x0f, 0x31}, kRdtscp[] = {0x0f, 0x01, 0xf9};
  const auto* code = reinterpret_cast<const void*>(at);
  if (std::memcmp(code, kRdtsc, sizeof kRdtsc) == 0) return sizeof kRdtsc;
  return std::memcmp(code, kRdtscp, sizeof kRdtscp) == 0 ? sizeof kRdtscp : 0;
}

// Does what would have been done without us.
void PassOn(int number, siginfo_t* about, void* context) {
  if ((fault_before.sa_flags & SA_SIGINFO) != 0)
    return fault_before.sa_sigaction(number, about, context);
  if (fault_before.sa_handler != SIG_DFL && fault_before.sa_handler != SIG_IGN)
    return fault_before.sa_handler(number);
  // The instruction faults once more and ends the program; a signal that was sent is sent again.
  ::sigaction(SIGSEGV, &fault_before, nullptr);
  if (about->si_code <= 0) Raw(SYS_tgkill, Raw(SYS_getpid), Raw(SYS_gettid), number);
}

void OnFault(int number, siginfo_t* about, void* context) {
  // A refused instruction has no address of data; that its own bytes can be read is certain when it
  // is the kernel that raised this.
  const auto at = static_cast<std::uintptr_t>(Register(context, REG_RIP));
  const int length = about->si_code == SI_KERNEL ? CounterInstruction(at) : 0;
  if (length == 0) return PassOn(number, about, context);
  if (!Readers().Holds(at)) Escaped(fmt::format("cycle counter read by {}", PlaceOf(at)));
  // A counter of one cycle a nanosecond.
  const std::int64_t cycles = kUptime + (Simulated() ? TheScheduler().now() : 0);
  Register(context, REG_RAX) = cycles & 0xffffffff;
  Register(context, REG_RDX) = cycles >> 32;
  if (length == 3) Register(context, REG_RCX) = 0;  // rdtscp: the processor
  Register(context, REG_RIP) += length;
}

void Handle(int number, void (*handler)(int, siginfo_t*, void*), struct sigaction* before) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  if (::sigaction(number, &action, before) != 0) Escaped("a signal cannot be handled");
}

}  // namespace

void PrepareEscapeNet() {
  CounterReaders& readers = Readers();
  if (std::exchange(readers.known, true)) return;
  readers.own = OwnFunctions(kMapFunctions);
  readers.library = LibraryCode("libprotobuf.so");
}

void SpanEscapeNet() {
  PrepareEscapeNet();
  Handle(SIGSYS, &OnSystemCall, nullptr);
  Handle(SIGSEGV, &OnFault, &fault_before);
  if (Raw(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV) != 0)
    Escaped("the cycle counter cannot be trapped on this machine");

  const std::array<CodeRange, 2> libc = {LibraryCode("libc.so."), LibraryCode("ld-linux")};
  std::vector<sock_filter> text = CallFilter(RawDoor(), libc);
  sock_fprog program = {static_cast<unsigned short>(text.size()), text.data()};
  // No mitigation of Spectre that slows every thread: there is nobody here to be protected.
  if (Raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1) != 0 ||
      Raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
          reinterpret_cast<long>(&program)) != 0)
    Escaped("this machine refuses a filter of system calls");
}

}  // namespace squall::sim
