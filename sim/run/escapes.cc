#include "sim/run/escapes.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/world/core_assertions.h"

namespace squall::sim {
namespace {

// A system call as code does it that goes past libc. All that are made here would answer at once.
__attribute__((noinline)) long PlantedInstruction(long number, long a = 0, long b = 0, long c = 0,
                                                  long d = 0) {
  long answer = 0;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return answer;
}

long Address(const void* of) { return reinterpret_cast<long>(of); }

void WriteCoreAssertion() {
  static constexpr std::string_view kLine =
      R"({"antithesis_assert":{"assert_type":"always","display_type":"Always","condition":false,)"
      R"("message":"planted","hit":true,"must_hit":true,"id":"planted","details":{"seen":1}}})"
      "\n";
  const int file = ::open(kCoreAssertionsFile, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (::write(file, kLine.data(), kLine.size()) < 0) Escaped("the file of core's assertions");
  ::close(file);
}

struct PlantedWay {
  const char* name;
  void (*take)();
};
constexpr PlantedWay kWays[] = {
    {"raw_clock_gettime",
     [] {
       timespec now{};
       PlantedInstruction(SYS_clock_gettime, CLOCK_MONOTONIC, Address(&now));
     }},
    {"raw_nanosleep",
     [] {
       const timespec shortest{0, 1};
       PlantedInstruction(SYS_nanosleep, Address(&shortest));
     }},
    {"raw_getrandom",
     [] {
       long bits = 0;
       PlantedInstruction(SYS_getrandom, Address(&bits), sizeof bits);
     }},
    {"raw_poll", [] { PlantedInstruction(SYS_poll); }},
    {"raw_epoll_wait", [] { PlantedInstruction(SYS_epoll_wait, -1); }},
    {"raw_socket", [] { PlantedInstruction(SYS_socket, AF_INET, SOCK_STREAM); }},
    {"raw_connect", [] { PlantedInstruction(SYS_connect, -1); }},
    {"raw_read", [] { PlantedInstruction(SYS_read, -1); }},
    {"raw_futex",
     [] {
       const int word = 0;
       PlantedInstruction(SYS_futex, Address(&word), FUTEX_WAIT_PRIVATE, 1);
     }},
    {"raw_getpid", [] { PlantedInstruction(SYS_getpid); }},
    // libc's own functions, which are behind those that replace them.
    {"libc_sleep",
     [] {
       const timespec shortest{0, 1};
       SQUALL_LIBC(clock_nanosleep)(CLOCK_MONOTONIC, 0, &shortest, nullptr);
     }},
    {"libc_timed_wait",
     [] {
       sem_t semaphore;
       ::sem_init(&semaphore, 0, 0);
       const timespec past{1, 0};
       SQUALL_LIBC(sem_timedwait)(&semaphore, &past);
     }},
    {"libc_clock",
     [] {
       timespec now{};
       SQUALL_LIBC(clock_gettime)(CLOCK_MONOTONIC, &now);
     }},
    {"cycle_counter",
     [] {
       unsigned low = 0, high = 0;
       __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
     }},
    {"cycle_counter_and_processor",
     [] {
       unsigned low = 0, high = 0, processor = 0;
       __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(processor));
     }},
    // No escapes. What core writes of an assertion of its own that failed;
    {"core_assertion", [] { WriteCoreAssertion(); }},
    // a fault that is nobody's business here stays what it was.
    {"segmentation_fault", [] { *static_cast<volatile int*>(nullptr) = 0; }},
};

}  // namespace

const std::vector<std::string>& PlantedEscapes() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const PlantedWay& way : kWays) all.emplace_back(way.name);
    return all;
  }();
  return names;
}

void PlantEscape(const std::string& name, Executor& loop) {
  for (const PlantedWay& way : kWays) {
    if (name == way.name) loop.After(std::chrono::seconds(1), way.take);
  }
}

}  // namespace squall::sim
