#include "sim/run/leaks.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "sim/kernel/raw.h"

namespace squall::sim {
namespace {

// What a real clock shows leads to different waiting.
std::string LookAtClock() {
  timespec now{};
  Raw(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&now));
  return std::to_string(now.tv_nsec);
}

std::string DrawRandomness() {
  unsigned long bits = 0;
  Raw(SYS_getrandom, reinterpret_cast<long>(&bits), sizeof bits, 0);
  return std::to_string(bits);
}

// The order of a table whose hash is seeded by where a library lies, as hash maps do it.
std::string HashOrder() {
  const std::size_t seed = reinterpret_cast<std::size_t>(NextDefinition("puts")) >> 12;
  std::multimap<std::size_t, int> buckets;
  for (std::size_t i = 1; i <= 64; ++i) buckets.emplace((i * seed) % 1'000'003, i);
  std::string order;
  for (const auto& [bucket, number] : buckets) order += std::to_string(number) + " ";
  return order;
}

// Two threads past the scheduler, and who was first how often.
struct Race {
  std::array<long, 2> turns{};
  long last = -1, changes = 0;
};
std::string ThreadOrder() {
  static Race race;
  const auto run = [](void* number) -> void* {
    const long self = reinterpret_cast<long>(number);
    for (int i = 0; i < 200'000; ++i) {
      if (__atomic_exchange_n(&race.last, self, __ATOMIC_SEQ_CST) != self)
        __atomic_add_fetch(&race.changes, 1, __ATOMIC_SEQ_CST);
    }
    return nullptr;
  };
  std::array<pthread_t, 2> threads{};
  for (long i = 0; i < 2; ++i) {
    pthread_t& thread = threads[static_cast<std::size_t>(i)];
    SQUALL_LIBC(pthread_create)(&thread, nullptr, run, reinterpret_cast<void*>(i));
  }
  for (const pthread_t thread : threads) SQUALL_LIBC(pthread_join)(thread, nullptr);
  return std::to_string(race.changes);
}

// Sorted by where they lie: on the stack, in the heap and in the program, which the machine places
// anew in every process.
std::string AddressOrder() {
  static int in_program = 0;
  int on_stack = 0;
  const auto in_heap = std::make_unique<int>(0);
  const std::array<const int*, 3> places = {&in_program, &on_stack, in_heap.get()};
  std::string order;
  for (const int* place : places)
    order += std::to_string((reinterpret_cast<std::size_t>(place) >> 12) % 1024) + " ";
  return order;
}

struct Leak {
  const char* name;
  std::string (*look)();
};
constexpr Leak kLeaks[] = {{"real_clock", LookAtClock},
                           {"real_randomness", DrawRandomness},
                           {"hash_order", HashOrder},
                           {"thread_order", ThreadOrder},
                           {"address_order", AddressOrder}};

}  // namespace

const std::vector<std::string>& PlantedLeaks() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Leak& leak : kLeaks) all.emplace_back(leak.name);
    return all;
  }();
  return names;
}

void PlantLeak(const std::string& name, Executor& loop, journal::Sink& journal) {
  for (const Leak& leak : kLeaks) {
    if (name != leak.name) continue;
    loop.After(std::chrono::seconds(1), [&journal, leak] {
      journal::LogEvent event;
      event.what = "stdout";
      event.process = leak.name;
      event.line = leak.look();
      journal.Append("leak", std::move(event));
    });
  }
}

}  // namespace squall::sim
