// syscall(2): how Rust's std, parking_lot, libstdc++ and abseil reach futexes.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <string>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {
namespace {

long Futex(int* word, int operation, int value, const timespec* time) {
  Scheduler& scheduler = TheScheduler();
  const int command = operation & FUTEX_CMD_MASK;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) return FailWith(EAGAIN);
      std::int64_t deadline = kNever;
      if (time != nullptr) {
        // WAIT is given how long, WAIT_BITSET until when.
        deadline = command == FUTEX_WAIT
                       ? DeadlineAfter(*time)
                       : DeadlineOf((operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME
                                                                            : CLOCK_MONOTONIC,
                                    *time);
      }
      return scheduler.Wait(WaitOn::kFutex, word, deadline) ? 0 : FailWith(ETIMEDOUT);
    }
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
      return scheduler.WakeAndYield(WaitOn::kFutex, word, value);
    default:
      Escaped("futex operation " + std::to_string(command));
  }
}

}  // namespace

SQUALL_REPLACES(long, syscall, long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& value : a) value = va_arg(list, long);
  va_end(list);
  if (!Simulated()) return WithErrno(Raw(number, a[0], a[1], a[2], a[3], a[4], a[5]));
  switch (number) {
    case SYS_futex:
      return Futex(reinterpret_cast<int*>(a[0]), static_cast<int>(a[1]), static_cast<int>(a[2]),
                   reinterpret_cast<const timespec*>(a[3]));
    case SYS_getrandom:
      TheScheduler().FillEntropy(reinterpret_cast<void*>(a[0]), static_cast<std::size_t>(a[1]));
      return a[1];
    case SYS_gettid:
      return 1000 + TheScheduler().current()->id;
    // About files, not about time or others.
    case SYS_statx:
    case SYS_membarrier:
    case SYS_rseq:
      return WithErrno(Raw(number, a[0], a[1], a[2], a[3], a[4], a[5]));
    default:
      Escaped("syscall " + std::to_string(number));
  }
}

}  // namespace squall::sim
