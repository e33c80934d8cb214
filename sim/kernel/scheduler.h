#pragma once
// Virtual time: exactly one of the program's threads runs, chosen by the seed, and the clock jumps
// when none can.
//
// A thread that would wait (in one of the functions of sim/libc) calls Wait, which hands the baton
// to another; a thread that makes others runnable calls Wake. When no thread can run, time moves to
// the earliest deadline; when there is none either, the run has deadlocked, and that is told with
// what each thread waits for. Nothing ever sleeps, and between two such calls no time passes.
//
// All functions are called by the thread that has the baton, which is therefore the only one that
// touches anything here.

#include <pthread.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/util/rng.h"
#include "sim/kernel/context.h"
#include "sim/kernel/process.h"

namespace squall::sim {

inline constexpr std::int64_t kNever = INT64_MAX;

// What a thread waits for; with the address of the object, what Wake names.
enum class WaitOn : std::uint8_t {
  kSleep,
  kFutex,
  kMutex,
  kCondition,
  kRwLock,
  kSemaphore,
  kOnce,
  kJoin,
  kEpoll,
  kSignal,
  kLoop,
  kAnswer
};
const char* WaitName(WaitOn on);

struct Thread {
  int id = 0;
  Process* process = nullptr;
  enum class State : std::uint8_t { kReady, kWaiting, kEnded } state = State::kReady;
  WaitOn on = WaitOn::kSleep;
  const void* key = nullptr;
  std::int64_t deadline = kNever;
  bool woken = false;
  bool detached = false;
  int stack = -1;  // its slot
  Context context;
  // Futexes of the machine's: its kernel thread sleeps, and may end.
  std::uint32_t parked = 0, released = 0;
  pthread_t handle{};
};

struct SchedulerOptions {
  std::uint64_t seed = 1;
  // After waking others a thread is interrupted with this probability.
  double preemption = 0.1;
  // Virtual time at which a run counts as hanging.
  std::int64_t time_limit = std::int64_t{48} * 3600 * 1'000'000'000;
  // Choices without time moving, after which it counts as spinning.
  std::uint64_t spin_limit = 3'000'000;
  // Keep a line for each choice, wait and wake.
  bool trace = false;
};

class Scheduler {
 public:
  // From here on time is virtual; the calling thread becomes the first one, of process 0. Once in
  // the life of a program.
  void Begin(const SchedulerOptions& options);
  bool on() const { return on_; }

  // Nanoseconds since Begin.
  std::int64_t now() const { return now_; }
  Thread* current() const;

  // Waits until woken (true) or until `deadline` (false).
  bool Wait(WaitOn on, const void* key, std::int64_t deadline = kNever);
  // Makes up to `count` threads that wait for this runnable, chosen by the seed; how many they
  // were.
  int Wake(WaitOn on, const void* key, int count);
  // The same, and perhaps lets others run.
  int WakeAndYield(WaitOn on, const void* key, int count);
  bool AnyWaits(WaitOn on) const { return waiting_[static_cast<std::size_t>(on)] > 0; }
  // Lets another runnable thread go first. When it is the only one, a microsecond passes.
  void Yield();

  // A thread that is about to be started. It first runs when it is chosen.
  Thread* NewThread(Process* process);
  // The new thread's first call: returns when it is chosen.
  void Enter(Thread* thread);
  // The calling thread's last call.
  void Leave();
  // The calling thread's process is dead: hands the baton on for good.
  [[noreturn]] void Halt();
  Thread* FindThread(pthread_t handle) const;
  // It will not be looked for again.
  void Forget(Thread* thread);

  // For the caller's process; it then calls Halt when it is its own.
  void EndProcess(Process& process, int exit_code, int signal);
  void Resume(Process& process);
  // The calling thread's process.
  Process* process() const;
  // The next thread that is made is the first of this process.
  void SetNextProcess(Process* process) { next_process_ = process; }
  Process* TakeNextProcess();

  // Random bytes for whoever asks the operating system.
  void FillEntropy(void* bytes, std::size_t size);
  Rng& chances() { return chances_; }

  // A number over every choice that was made, and how many they were.
  std::uint64_t digest() const { return digest_; }
  std::uint64_t choices() const { return choices_; }
  // Adds what happened to the digest, and a line to the trace. `what` must not hold addresses or
  // descriptors.
  void Note(const char* what, std::int64_t detail = 0);
  const std::string& trace() const { return trace_; }
  // Process, thread, and what it waits for, one line each.
  std::string Describe() const;

 private:
  Thread* Choose();
  // Goes on as `next`; returns when the calling thread is chosen again.
  void HandTo(Thread* next);
  void Switch(Thread* self, Thread* next);
  void LetGo();
  void Expire();
  [[noreturn]] void Stuck(const char* why);

  bool on_ = false;
  std::int64_t now_ = 0;
  SchedulerOptions options_;
  Rng choices_rng_{0}, entropy_{0}, chances_{0};
  Process world_;
  Process* next_process_ = nullptr;
  std::vector<Thread*> threads_;  // that have not ended
  std::vector<Thread*> ended_;    // and not been joined
  std::vector<Thread*> ready_;    // scratch
  Thread* leaving_ = nullptr;     // whose kernel thread may end as soon as its stack is left
  int last_id_ = 0;
  std::uint32_t waiting_[16] = {};
  std::uint64_t choices_ = 0, digest_ = 0xcbf29ce484222325ULL, spins_ = 0;
  std::string trace_;
};

// The one there is.
Scheduler& TheScheduler();

// The calling thread, if it is simulated. Only the scheduler sets it.
extern constinit thread_local Thread* current_thread;
// Whether the calling thread lives in virtual time.
inline bool Simulated() { return current_thread != nullptr; }

}  // namespace squall::sim
