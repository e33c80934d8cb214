// Mutexes, conditions, read-write locks and semaphores: libc's would wait on futexes of their own,
// past the scheduler.
//
// The objects stay libc's (what was locked before time became virtual is still locked); only
// waiting is ours: a lock is tried, and whoever does not get it waits until it is released. The try
// functions themselves are therefore libc's.
#include <pthread.h>
#include <semaphore.h>

#include <cerrno>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {
namespace {

constexpr int kAll = 1 << 20;

int LockMutex(pthread_mutex_t* mutex, std::int64_t deadline = kNever) {
  for (;;) {
    const int failed = SQUALL_LIBC(pthread_mutex_trylock)(mutex);
    if (failed != EBUSY) return failed;
    if (!TheScheduler().Wait(WaitOn::kMutex, mutex, deadline) && TheScheduler().now() >= deadline)
      return ETIMEDOUT;
  }
}

int WaitForCondition(pthread_cond_t* condition, pthread_mutex_t* mutex, std::int64_t deadline) {
  SQUALL_LIBC(pthread_mutex_unlock)(mutex);
  TheScheduler().Wake(WaitOn::kMutex, mutex, 1);
  const bool woken = TheScheduler().Wait(WaitOn::kCondition, condition, deadline);
  LockMutex(mutex);
  return woken ? 0 : ETIMEDOUT;
}

// libc keeps the clock that pthread_cond_timedwait goes by in this bit.
bool GoesByMonotonic(const pthread_cond_t* condition) {
  return (condition->__data.__wrefs & 2U) != 0;
}

template <typename Try>
int LockReadWrite(pthread_rwlock_t* lock, Try attempt, std::int64_t deadline = kNever) {
  for (;;) {
    const int failed = attempt(lock);
    if (failed != EBUSY) return failed;
    if (!TheScheduler().Wait(WaitOn::kRwLock, lock, deadline) && TheScheduler().now() >= deadline)
      return ETIMEDOUT;
  }
}

int WaitForSemaphore(sem_t* semaphore, std::int64_t deadline) {
  for (;;) {
    if (SQUALL_LIBC(sem_trywait)(semaphore) == 0) return 0;
    if (!TheScheduler().Wait(WaitOn::kSemaphore, semaphore, deadline)) return FailWith(ETIMEDOUT);
  }
}

}  // namespace

SQUALL_REPLACES(int, pthread_mutex_lock, pthread_mutex_t* mutex) {
  if (!Simulated()) return SQUALL_LIBC(pthread_mutex_lock)(mutex);
  return LockMutex(mutex);
}
SQUALL_REPLACES(int, pthread_mutex_timedlock, pthread_mutex_t* mutex, const timespec* until) {
  if (!Simulated()) Escaped("pthread_mutex_timedlock");
  return LockMutex(mutex, DeadlineOf(CLOCK_REALTIME, *until));
}
SQUALL_REPLACES(int, pthread_mutex_clocklock, pthread_mutex_t* mutex, clockid_t clock,
                const timespec* until) {
  if (!Simulated()) Escaped("pthread_mutex_clocklock");
  return LockMutex(mutex, DeadlineOf(clock, *until));
}
SQUALL_REPLACES(int, pthread_mutex_unlock, pthread_mutex_t* mutex) {
  const int failed = SQUALL_LIBC(pthread_mutex_unlock)(mutex);
  if (Simulated()) TheScheduler().WakeAndYield(WaitOn::kMutex, mutex, 1);
  return failed;
}

// Outside the simulation nobody else runs who could signal.
SQUALL_REPLACES(int, pthread_cond_wait, pthread_cond_t* condition, pthread_mutex_t* mutex) {
  if (!Simulated()) Escaped("pthread_cond_wait");
  return WaitForCondition(condition, mutex, kNever);
}
SQUALL_REPLACES(int, pthread_cond_timedwait, pthread_cond_t* condition, pthread_mutex_t* mutex,
                const timespec* until) {
  if (!Simulated()) Escaped("pthread_cond_timedwait");
  return WaitForCondition(
      condition, mutex,
      DeadlineOf(GoesByMonotonic(condition) ? CLOCK_MONOTONIC : CLOCK_REALTIME, *until));
}
SQUALL_REPLACES(int, pthread_cond_clockwait, pthread_cond_t* condition, pthread_mutex_t* mutex,
                clockid_t clock, const timespec* until) {
  if (!Simulated()) Escaped("pthread_cond_clockwait");
  return WaitForCondition(condition, mutex, DeadlineOf(clock, *until));
}
SQUALL_REPLACES(int, pthread_cond_signal, pthread_cond_t* condition) {
  if (Simulated()) TheScheduler().WakeAndYield(WaitOn::kCondition, condition, 1);
  return 0;
}
SQUALL_REPLACES(int, pthread_cond_broadcast, pthread_cond_t* condition) {
  if (Simulated()) TheScheduler().WakeAndYield(WaitOn::kCondition, condition, kAll);
  return 0;
}

SQUALL_REPLACES(int, pthread_rwlock_rdlock, pthread_rwlock_t* lock) {
  if (!Simulated()) return SQUALL_LIBC(pthread_rwlock_rdlock)(lock);
  return LockReadWrite(lock, SQUALL_LIBC(pthread_rwlock_tryrdlock));
}
SQUALL_REPLACES(int, pthread_rwlock_wrlock, pthread_rwlock_t* lock) {
  if (!Simulated()) return SQUALL_LIBC(pthread_rwlock_wrlock)(lock);
  return LockReadWrite(lock, SQUALL_LIBC(pthread_rwlock_trywrlock));
}
SQUALL_REPLACES(int, pthread_rwlock_timedrdlock, pthread_rwlock_t* lock, const timespec* until) {
  if (!Simulated()) Escaped("pthread_rwlock_timedrdlock");
  return LockReadWrite(lock, SQUALL_LIBC(pthread_rwlock_tryrdlock),
                       DeadlineOf(CLOCK_REALTIME, *until));
}
SQUALL_REPLACES(int, pthread_rwlock_timedwrlock, pthread_rwlock_t* lock, const timespec* until) {
  if (!Simulated()) Escaped("pthread_rwlock_timedwrlock");
  return LockReadWrite(lock, SQUALL_LIBC(pthread_rwlock_trywrlock),
                       DeadlineOf(CLOCK_REALTIME, *until));
}
SQUALL_REPLACES(int, pthread_rwlock_unlock, pthread_rwlock_t* lock) {
  const int failed = SQUALL_LIBC(pthread_rwlock_unlock)(lock);
  if (Simulated()) TheScheduler().WakeAndYield(WaitOn::kRwLock, lock, kAll);
  return failed;
}

SQUALL_REPLACES(int, sem_wait, sem_t* semaphore) {
  if (!Simulated()) return SQUALL_LIBC(sem_wait)(semaphore);
  return WaitForSemaphore(semaphore, kNever);
}
SQUALL_REPLACES(int, sem_timedwait, sem_t* semaphore, const timespec* until) {
  if (!Simulated()) Escaped("sem_timedwait");
  return WaitForSemaphore(semaphore, DeadlineOf(CLOCK_REALTIME, *until));
}
SQUALL_REPLACES(int, sem_clockwait, sem_t* semaphore, clockid_t clock, const timespec* until) {
  if (!Simulated()) Escaped("sem_clockwait");
  return WaitForSemaphore(semaphore, DeadlineOf(clock, *until));
}
SQUALL_REPLACES(int, sem_post, sem_t* semaphore) {
  const int failed = SQUALL_LIBC(sem_post)(semaphore);
  if (Simulated()) TheScheduler().WakeAndYield(WaitOn::kSemaphore, semaphore, 1);
  return failed;
}

}  // namespace squall::sim
