// Randomness of the operating system: the run's seed.
#include <sys/random.h>
#include <sys/syscall.h>

#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {

SQUALL_REPLACES(ssize_t, getrandom, void* bytes, size_t size, unsigned flags) {
  if (!Simulated())
    return WithErrno(
        Raw(SYS_getrandom, reinterpret_cast<long>(bytes), static_cast<long>(size), flags));
  TheScheduler().FillEntropy(bytes, size);
  return static_cast<ssize_t>(size);
}

SQUALL_REPLACES(int, getentropy, void* bytes, size_t size) {
  return squall_libc_getrandom(bytes, size, 0) == static_cast<ssize_t>(size) ? 0 : -1;
}

SQUALL_REPLACES(void, arc4random_buf, void* bytes, size_t size) {
  squall_libc_getrandom(bytes, size, 0);
}

SQUALL_REPLACES(unsigned, arc4random, void) {
  unsigned value = 0;
  squall_libc_getrandom(&value, sizeof value, 0);
  return value;
}

}  // namespace squall::sim
