#include "sim/kernel/raw.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace squall::sim {

// The one instruction by which the simulator makes system calls, at a place of its own: the filter
// (call_filter.h) knows it by the address behind it.
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl squall_system_call\n"
    ".type squall_system_call, @function\n"
    "squall_system_call:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  mov %rcx, %rdx\n"
    "  mov %r8, %r10\n"
    "  mov %r9, %r8\n"
    "  mov 8(%rsp), %r9\n"
    "  syscall\n"
    ".globl squall_system_call_door\n"
    "squall_system_call_door:\n"
    "  ret\n"
    ".size squall_system_call, . - squall_system_call\n");
extern "C" long squall_system_call(long number, long a, long b, long c, long d, long e, long f);
extern "C" const char squall_system_call_door;

long Raw(long number, long a, long b, long c, long d, long e, long f) {
  return squall_system_call(number, a, b, c, d, e, f);
}

const void* RawDoor() { return &squall_system_call_door; }

long WithErrno(long answer) {
  if (answer < 0 && answer > -4096) {
    errno = static_cast<int>(-answer);
    return -1;
  }
  return answer;
}

int FailWith(int error) {
  errno = error;
  return -1;
}

void RawWrite(int fd, const char* text, unsigned long size) {
  while (size > 0) {
    const long n = Raw(SYS_write, fd, reinterpret_cast<long>(text), static_cast<long>(size));
    if (n <= 0 && n != -EINTR) return;
    if (n > 0) {
      text += n;
      size -= static_cast<unsigned long>(n);
    }
  }
}

void RawExit(int code) {
  for (;;) Raw(SYS_exit_group, code);
}

void* NextDefinition(const char* name) {
  void* found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    static constexpr char kText[] = "squall-sim: libc has no function of a name that it needs\n";
    RawWrite(2, kText, sizeof kText - 1);
    RawExit(70);
  }
  return found;
}

}  // namespace squall::sim
