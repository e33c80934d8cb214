// Threads: they start when they are chosen, and hand the baton on when they end.
#include <pthread.h>

#include <cerrno>
#include <cstdint>

#include "sim/kernel/escape.h"
#include "sim/kernel/places.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

struct Start {
  void* (*body)(void*);
  void* argument;
  Thread* thread;
};

// libc runs the destructors of a thread's keys after those of its thread-local variables, in rounds
// as long as some key is set again; this one lets all others go first.
pthread_key_t end_key;
pthread_once_t end_key_once = PTHREAD_ONCE_INIT;
constexpr std::uintptr_t kRounds = 4;  // PTHREAD_DESTRUCTOR_ITERATIONS

void AtEnd(void* value) {
  const auto round = reinterpret_cast<std::uintptr_t>(value);
  if (round < kRounds) {
    ::pthread_setspecific(end_key, reinterpret_cast<void*>(round + 1));
    return;
  }
  if (Simulated()) TheScheduler().Leave();
}

void* Body(void* argument) {
  auto* start = static_cast<Start*>(argument);
  const Start copy = *start;
  TheScheduler().Enter(copy.thread);
  delete start;
  ::pthread_setspecific(end_key, reinterpret_cast<void*>(1));
  return copy.body(copy.argument);
}

}  // namespace

SQUALL_REPLACES(int, pthread_create, pthread_t* handle, const pthread_attr_t* attributes,
                void* (*body)(void*), void* argument) {
  if (!Simulated()) return SQUALL_LIBC(pthread_create)(handle, attributes, body, argument);
  ::pthread_once(&end_key_once, [] { ::pthread_key_create(&end_key, &AtEnd); });
  Scheduler& scheduler = TheScheduler();
  auto* start = new Start{body, argument, scheduler.NewThread(scheduler.TakeNextProcess())};
  Thread* thread = start->thread;
  int state = PTHREAD_CREATE_JOINABLE;
  std::size_t size = std::size_t{8} << 20;
  if (attributes != nullptr) {
    ::pthread_attr_getdetachstate(attributes, &state);
    ::pthread_attr_getstacksize(attributes, &size);
  }
  thread->detached = state == PTHREAD_CREATE_DETACHED;
  scheduler.Note("starts", thread->id);
  const Stack stack = NewStack(size);
  thread->stack = stack.slot;
  pthread_attr_t own;
  ::pthread_attr_init(&own);
  ::pthread_attr_setdetachstate(&own, state);
  ::pthread_attr_setstack(&own, stack.base, stack.size);
  const int failed = SQUALL_LIBC(pthread_create)(&thread->handle, &own, &Body, start);
  ::pthread_attr_destroy(&own);
  if (failed != 0) Escaped("pthread_create failed");
  *handle = thread->handle;
  return 0;
}

SQUALL_REPLACES(int, pthread_join, pthread_t handle, void** result) {
  if (!Simulated()) return SQUALL_LIBC(pthread_join)(handle, result);
  Scheduler& scheduler = TheScheduler();
  Thread* thread = scheduler.FindThread(handle);
  if (thread == nullptr) return ESRCH;
  while (thread->state != Thread::State::kEnded) scheduler.Wait(WaitOn::kJoin, thread);
  // What is left of it is libc's own end of a thread, which waits for nothing.
  const int failed = SQUALL_LIBC(pthread_join)(handle, result);
  FreeStack(thread->stack);
  scheduler.Forget(thread);
  delete thread;
  return failed;
}

SQUALL_REPLACES(int, pthread_detach, pthread_t handle) {
  if (Simulated()) {
    if (Thread* thread = TheScheduler().FindThread(handle)) {
      thread->detached = true;
      // Its memory stays: its kernel thread may be about to end.
      TheScheduler().Forget(thread);
    }
  }
  return SQUALL_LIBC(pthread_detach)(handle);
}

SQUALL_REPLACES(int, sched_yield, void) {
  if (!Simulated()) return SQUALL_LIBC(sched_yield)();
  TheScheduler().Yield();
  return 0;
}

// Once: libc waits for another thread's run of it on a futex of its own.
SQUALL_REPLACES(int, pthread_once, pthread_once_t* once, void (*routine)(void)) {
  constexpr int kDone = 2;
  if (__atomic_load_n(once, __ATOMIC_ACQUIRE) == kDone) return 0;
  if (!Simulated()) return SQUALL_LIBC(pthread_once)(once, routine);
  while (*once == 1) TheScheduler().Wait(WaitOn::kOnce, once);
  if (*once == kDone) return 0;
  *once = 1;
  routine();
  __atomic_store_n(once, kDone, __ATOMIC_RELEASE);
  TheScheduler().Wake(WaitOn::kOnce, once, 1 << 20);
  return 0;
}

#define SQUALL_HAS_NO(name) \
  SQUALL_REPLACES(int, name, void) { Escaped(#name); }

SQUALL_HAS_NO(pthread_barrier_wait)
SQUALL_HAS_NO(pthread_cancel)
SQUALL_HAS_NO(pthread_tryjoin_np)
SQUALL_HAS_NO(pthread_timedjoin_np)
SQUALL_HAS_NO(pthread_clockjoin_np)

}  // namespace squall::sim
