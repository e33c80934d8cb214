// Clocks and sleeps.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {
namespace {

void SleepUntil(std::int64_t deadline) {
  Scheduler& scheduler = TheScheduler();
  if (deadline > scheduler.now()) scheduler.Wait(WaitOn::kSleep, scheduler.current(), deadline);
}

}  // namespace

SQUALL_REPLACES(int, clock_gettime, clockid_t clock, timespec* time) {
  if (!Simulated())
    return static_cast<int>(WithErrno(Raw(SYS_clock_gettime, clock, reinterpret_cast<long>(time))));
  const std::int64_t now = ReadVirtualClock(clock);
  time->tv_sec = now / 1'000'000'000;
  time->tv_nsec = now % 1'000'000'000;
  return 0;
}

SQUALL_REPLACES(int, gettimeofday, timeval* time, void*) {
  timespec now{};
  squall_libc_clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

SQUALL_REPLACES(time_t, time, time_t* result) {
  timespec now{};
  squall_libc_clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

SQUALL_REPLACES(int, clock_nanosleep, clockid_t clock, int flags, const timespec* time, timespec*) {
  if (!Simulated())
    return static_cast<int>(
        -Raw(SYS_clock_nanosleep, clock, flags, reinterpret_cast<long>(time), 0));
  SleepUntil((flags & TIMER_ABSTIME) != 0 ? DeadlineOf(clock, *time) : DeadlineAfter(*time));
  return 0;
}

SQUALL_REPLACES(int, nanosleep, const timespec* time, timespec*) {
  if (!Simulated())
    return static_cast<int>(WithErrno(Raw(SYS_nanosleep, reinterpret_cast<long>(time), 0)));
  SleepUntil(DeadlineAfter(*time));
  return 0;
}

SQUALL_REPLACES(int, usleep, useconds_t microseconds) {
  const timespec time{static_cast<time_t>(microseconds / 1'000'000),
                      static_cast<long>(microseconds % 1'000'000) * 1000};
  return squall_libc_nanosleep(&time, nullptr);
}

SQUALL_REPLACES(unsigned, sleep, unsigned seconds) {
  const timespec time{static_cast<time_t>(seconds), 0};
  squall_libc_nanosleep(&time, nullptr);
  return 0;
}

}  // namespace squall::sim
