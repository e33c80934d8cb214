#include "sim/kernel/raw.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace squall::sim {

long Raw(long number, long a, long b, long c, long d, long e, long f) {
  long answer = 0;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return answer;
}

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
