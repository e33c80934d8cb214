#include "sim/kernel/scheduler.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <utility>

#include "base/util/status.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/escape_net.h"
#include "sim/kernel/places.h"
#include "sim/kernel/raw.h"

namespace squall::sim {
namespace {

// Never destroyed: threads outlive static objects.
alignas(Scheduler) unsigned char scheduler_memory[sizeof(Scheduler)];
constinit Scheduler* the_scheduler = nullptr;

}  // namespace

constinit thread_local Thread* current_thread = nullptr;

const char* WaitName(WaitOn on) {
  static constexpr const char* kNames[] = {"sleep",  "futex",     "mutex", "condition",
                                           "rwlock", "semaphore", "once",  "join",
                                           "epoll",  "signal",    "loop",  "answer"};
  return kNames[static_cast<std::size_t>(on)];
}

Scheduler& TheScheduler() {
  if (the_scheduler == nullptr) the_scheduler = new (scheduler_memory) Scheduler();
  return *the_scheduler;
}

Thread* Scheduler::current() const { return current_thread; }
Process* Scheduler::process() const { return current_thread->process; }

Process* Scheduler::TakeNextProcess() {
  Process* next = std::exchange(next_process_, nullptr);
  return next != nullptr ? next : process();
}

void Scheduler::Begin(const SchedulerOptions& options) {
  options_ = options;
  const Rng seed(options.seed);
  choices_rng_ = seed.Split("choices");
  entropy_ = seed.Split("entropy");
  chances_ = seed.Split("chances");
  threads_.reserve(1024);
  ready_.reserve(1024);
  world_.id = 1;
  Thread* main = NewThread(&world_);
  main->handle = ::pthread_self();
  PrepareEscapeNet();
  main->context.storage = StorageHere();
  main->parked = 1;
  ReservePlaces();
  current_thread = main;
  on_ = true;
  SpanEscapeNet();
}

Thread* Scheduler::NewThread(Process* process) {
  auto* thread = new Thread();
  thread->id = last_id_++;
  thread->process = process;
  threads_.push_back(thread);
  return thread;
}

void Scheduler::Switch(Thread* self, Thread* next) {
  // Perhaps its kernel thread has not come to rest yet.
  while (__atomic_load_n(&next->parked, __ATOMIC_ACQUIRE) == 0) {
    Raw(SYS_futex, reinterpret_cast<long>(&next->parked), FUTEX_WAIT_PRIVATE, 0, 0);
  }
  SwitchContext(self->context, next->context);
}

void Scheduler::HandTo(Thread* next) {
  Switch(current_thread, next);
  LetGo();
}

void Scheduler::LetGo() {
  if (leaving_ == nullptr) return;
  std::uint32_t& released = std::exchange(leaving_, nullptr)->released;
  __atomic_store_n(&released, 1U, __ATOMIC_RELEASE);
  Raw(SYS_futex, reinterpret_cast<long>(&released), FUTEX_WAKE_PRIVATE, 1);
}

void Scheduler::Note(const char* what, std::int64_t detail) {
  const auto mix = [this](std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3ULL; };
  for (const char* c = what; *c != '\0'; ++c) mix(static_cast<unsigned char>(*c));
  mix(static_cast<std::uint64_t>(detail));
  mix(static_cast<std::uint64_t>(now_));
  const Thread* thread = current_thread;
  mix(thread == nullptr ? ~0ULL : static_cast<std::uint64_t>(thread->id));
  if (!options_.trace) return;
  trace_ += fmt::format("{:14.9f} {}.{} {} {}\n", static_cast<double>(now_) / 1e9,
                        thread == nullptr ? "?" : thread->process->name,
                        thread == nullptr ? -1 : thread->id, what, detail);
}

void Scheduler::Expire() {
  for (Thread* thread : threads_) {
    if (thread->state != Thread::State::kWaiting || thread->deadline > now_ ||
        thread->process->frozen())
      continue;
    thread->state = Thread::State::kReady;
    --waiting_[static_cast<std::size_t>(thread->on)];
  }
}

Thread* Scheduler::Choose() {
  for (;;) {
    ready_.clear();
    std::int64_t next = kNever;
    for (Thread* thread : threads_) {
      if (thread->process->frozen()) continue;
      if (thread->state == Thread::State::kReady) {
        ready_.push_back(thread);
      } else {
        next = std::min(next, thread->deadline);
      }
    }
    if (!ready_.empty()) {
      ++choices_;
      if (++spins_ > options_.spin_limit) Stuck("spins: no time passes");
      Thread* chosen = ready_[ready_.size() == 1 ? 0 : choices_rng_.Below(ready_.size())];
      Note("runs", chosen->id);
      return chosen;
    }
    if (next == kNever) Stuck("deadlock: no thread can run and nothing is due");
    if (next > options_.time_limit) Stuck("the limit of virtual time is reached");
    if (next > now_) {
      now_ = next;
      spins_ = 0;
    }
    Expire();
  }
}

bool Scheduler::Wait(WaitOn on, const void* key, std::int64_t deadline) {
  Thread* self = current_thread;
  self->state = Thread::State::kWaiting;
  self->on = on;
  self->key = key;
  self->deadline = deadline;
  self->woken = false;
  ++waiting_[static_cast<std::size_t>(on)];
  Note(WaitName(on), deadline == kNever ? -1 : deadline - now_);
  Thread* next = Choose();
  if (next != self) HandTo(next);
  self->deadline = kNever;
  self->key = nullptr;
  return self->woken;
}

int Scheduler::Wake(WaitOn on, const void* key, int count) {
  if (!AnyWaits(on)) return 0;
  int woken = 0;
  while (woken < count) {
    ready_.clear();
    for (Thread* thread : threads_) {
      if (thread->state == Thread::State::kWaiting && thread->on == on && thread->key == key)
        ready_.push_back(thread);
    }
    if (ready_.empty()) break;
    Thread* chosen = ready_[ready_.size() == 1 || count >= static_cast<int>(ready_.size())
                                ? 0
                                : choices_rng_.Below(ready_.size())];
    chosen->state = Thread::State::kReady;
    chosen->woken = true;
    --waiting_[static_cast<std::size_t>(on)];
    Note("wakes", chosen->id);
    ++woken;
  }
  return woken;
}

int Scheduler::WakeAndYield(WaitOn on, const void* key, int count) {
  const int woken = Wake(on, key, count);
  if (woken > 0 && options_.preemption > 0 && chances_.Chance(options_.preemption)) Yield();
  return woken;
}

void Scheduler::Yield() {
  Thread* self = current_thread;
  const bool alone = std::none_of(threads_.begin(), threads_.end(), [self](const Thread* thread) {
    return thread != self && thread->state == Thread::State::kReady && !thread->process->frozen();
  });
  if (alone) {
    Wait(WaitOn::kSleep, self, now_ + 1000);
    return;
  }
  Thread* next = Choose();
  if (next != self) HandTo(next);
}

void Scheduler::Enter(Thread* thread) {
  current_thread = thread;
  thread->context.storage = StorageHere();
  ParkContext(thread->context, thread->parked, thread->released);
  LetGo();
}

void Scheduler::Leave() {
  Thread* self = current_thread;
  self->state = Thread::State::kEnded;
  threads_.erase(std::find(threads_.begin(), threads_.end(), self));
  if (self->detached) {
    // Its memory stays: somebody may still hold its handle.
  } else {
    ended_.push_back(self);
  }
  Wake(WaitOn::kJoin, self, 1 << 20);
  Note("ends");
  Thread* next = Choose();
  current_thread = nullptr;
  leaving_ = self;
  // Returns on the thread's own kernel thread.
  Switch(self, next);
}

void Scheduler::Halt() {
  Thread* self = current_thread;
  Thread* next = Choose();
  SQUALL_CHECK(next != self, "a thread of a dead process is not chosen");
  HandTo(next);
  Escaped("a thread of a dead process goes on");
}

Thread* Scheduler::FindThread(pthread_t handle) const {
  for (const auto* list : {&threads_, &ended_}) {
    for (Thread* thread : *list) {
      if (::pthread_equal(thread->handle, handle) != 0) return thread;
    }
  }
  return nullptr;
}

void Scheduler::Forget(Thread* thread) {
  const auto it = std::find(ended_.begin(), ended_.end(), thread);
  if (it == ended_.end()) return;
  ended_.erase(it);
}

void Scheduler::EndProcess(Process& process, int exit_code, int signal) {
  if (process.dead) return;
  process.dead = true;
  process.exit_code = exit_code;
  process.killed_by = signal;
  Note("process ends", process.id);
  if (process.on_end) process.on_end(process);
}

void Scheduler::Resume(Process& process) {
  process.stopped = false;
  Expire();
}

void Scheduler::FillEntropy(void* bytes, std::size_t size) {
  entropy_.Fill({static_cast<std::uint8_t*>(bytes), size});
  Note("entropy", static_cast<std::int64_t>(size));
}

std::string Scheduler::Describe() const {
  std::string text;
  for (const Thread* thread : threads_) {
    text += fmt::format("  {} thread {}: {}", thread->process->name, thread->id,
                        thread->state == Thread::State::kReady
                            ? "can run"
                            : fmt::format("waits for a {}", WaitName(thread->on)));
    if (thread->state == Thread::State::kWaiting && thread->deadline != kNever) {
      text += fmt::format(" until {:.9f}", static_cast<double>(thread->deadline) / 1e9);
    }
    if (thread->process->dead) text += " (dead)";
    if (thread->process->stopped) text += " (stopped)";
    text += "\n";
  }
  return text;
}

void Scheduler::Stuck(const char* why) {
  FailRun(FailureKind::kStuck,
          fmt::format("{} at {:.9f} s\n{}", why, static_cast<double>(now_) / 1e9, Describe()));
}

}  // namespace squall::sim
