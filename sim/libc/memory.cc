#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "sim/kernel/escape.h"
#include "sim/kernel/places.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

extern "C" {
// libc's own, under the names that are not replaced.
void* __libc_malloc(std::size_t size);
void __libc_free(void* memory);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace squall::sim {
namespace {

constexpr std::uintptr_t kHeap = 0x2000'0000'0000;
constexpr std::size_t kHeapSize = std::size_t{64} << 30;
constexpr std::uintptr_t kStacks = 0x2100'0000'0000;
constexpr std::size_t kSlotSize = std::size_t{16} << 20;
constexpr int kSlots = 8192;
constexpr int kClasses = 256;

// In front of each block. A block of an alignment above 16 has it in front of its first aligned
// byte.
struct alignas(16) Header {
  std::uint32_t size_class;
  std::uint32_t offset;  // from the block's beginning to the header
  std::uint64_t size;    // that was asked for
};
struct Free {
  Free* next;
};

bool reserved = false;
std::uintptr_t heap_top = kHeap;
Free* free_blocks[kClasses] = {};
bool slot_taken[kSlots] = {};
bool slot_mapped[kSlots] = {};
int highest_slot = 0;

void* Map(std::uintptr_t at, std::size_t size) {
  const long got =
      Raw(SYS_mmap, static_cast<long>(at), static_cast<long>(size), PROT_READ | PROT_WRITE,
          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got != static_cast<long>(at)) Escaped("a fixed address is taken");
  return reinterpret_cast<void*>(got);
}

// Sixteenths up to 1 KiB, then four steps for each doubling.
int ClassOf(std::size_t size) {
  if (size <= 1024) return static_cast<int>((size + 15) / 16);
  const int log = 63 - __builtin_clzll(size - 1);  // 2^log <= size - 1
  const auto step = ((size - 1) >> (log - 2)) & 3;
  return 65 + (log - 10) * 4 + static_cast<int>(step);
}
std::size_t SizeOf(int size_class) {
  if (size_class <= 64) return static_cast<std::size_t>(size_class) * 16;
  const int log = 10 + (size_class - 65) / 4;
  return (std::size_t{1} << log) +
         static_cast<std::size_t>((size_class - 65) % 4 + 1) * (std::size_t{1} << (log - 2));
}

bool InHeap(const void* memory) {
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  return at >= kHeap && at < kHeap + kHeapSize;
}
bool OnOurHeap() { return reserved && Simulated(); }
Header* HeaderOf(void* memory) { return static_cast<Header*>(memory) - 1; }

void* Allocate(std::size_t size, std::size_t alignment = 16) {
  const std::size_t extra = alignment > 16 ? alignment : 0;
  const int size_class = ClassOf(std::max<std::size_t>(size, 1) + sizeof(Header) + extra);
  std::uintptr_t block = 0;
  if (Free* reused = free_blocks[size_class]) {
    free_blocks[size_class] = reused->next;
    block = reinterpret_cast<std::uintptr_t>(reused);
  } else {
    block = heap_top;
    heap_top += SizeOf(size_class);
    if (heap_top > kHeap + kHeapSize) Escaped("the simulated heap is full");
  }
  std::uintptr_t user = block + sizeof(Header);
  if (extra > 0) user = (user + alignment - 1) & ~(alignment - 1);
  auto* memory = reinterpret_cast<void*>(user);
  *HeaderOf(memory) = {static_cast<std::uint32_t>(size_class),
                       static_cast<std::uint32_t>(user - sizeof(Header) - block), size};
  return memory;
}

void Release(void* memory) {
  Header* header = HeaderOf(memory);
  const std::uint32_t size_class = header->size_class;
  auto* block = reinterpret_cast<Free*>(reinterpret_cast<std::uintptr_t>(header) - header->offset);
  block->next = free_blocks[size_class];
  free_blocks[size_class] = block;
}

}  // namespace

void ReservePlaces() {
  Map(kHeap, kHeapSize);
  // Its first use then costs one fault in 512; nothing else is different.
  Raw(SYS_madvise, static_cast<long>(kHeap), static_cast<long>(kHeapSize), MADV_HUGEPAGE);
  reserved = true;
}

Stack NewStack(std::size_t size) {
  if (size > kSlotSize) Escaped("a thread with a stack of more than 16 MiB");
  const int slot =
      static_cast<int>(std::find(slot_taken, slot_taken + highest_slot, false) - slot_taken);
  if (slot == kSlots) Escaped("more threads than the simulation has stacks");
  highest_slot = std::max(highest_slot, slot + 1);
  slot_taken[slot] = true;
  const std::uintptr_t base = kStacks + static_cast<std::uintptr_t>(slot) * kSlotSize;
  if (!slot_mapped[slot]) Map(base, kSlotSize);
  slot_mapped[slot] = true;
  return {reinterpret_cast<void*>(base + kSlotSize - size), size, slot};
}

void FreeStack(int slot) {
  if (slot >= 0) slot_taken[slot] = false;
}

// --- malloc and its kin ---
//
// A thread that has left the simulation (libc's end of a thread) runs beside others: what it frees
// stays, since the order of such frees is the machine's.

SQUALL_REPLACES(void*, malloc, std::size_t size) {
  return OnOurHeap() ? Allocate(size) : __libc_malloc(size);
}

SQUALL_REPLACES(void, free, void* memory) {
  if (memory == nullptr) return;
  if (!InHeap(memory)) return __libc_free(memory);
  if (Simulated()) Release(memory);
}

SQUALL_REPLACES(void*, calloc, std::size_t count, std::size_t size) {
  if (!OnOurHeap()) return __libc_calloc(count, size);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  void* memory = Allocate(bytes);
  std::memset(memory, 0, bytes);
  return memory;
}

SQUALL_REPLACES(void*, realloc, void* memory, std::size_t size) {
  if (memory == nullptr) return squall_libc_malloc(size);
  if (!InHeap(memory)) return __libc_realloc(memory, size);
  const std::size_t before = HeaderOf(memory)->size;
  if (ClassOf(std::max<std::size_t>(size, 1) + sizeof(Header)) ==
          static_cast<int>(HeaderOf(memory)->size_class) &&
      HeaderOf(memory)->offset == 0) {
    HeaderOf(memory)->size = size;
    return memory;
  }
  void* moved = squall_libc_malloc(size);
  std::memcpy(moved, memory, std::min(before, size));
  squall_libc_free(memory);
  return moved;
}

SQUALL_REPLACES(void*, memalign, std::size_t alignment, std::size_t size) {
  return OnOurHeap() ? Allocate(size, alignment) : __libc_memalign(alignment, size);
}
SQUALL_REPLACES(void*, aligned_alloc, std::size_t alignment, std::size_t size) {
  return squall_libc_memalign(alignment, size);
}
SQUALL_REPLACES(int, posix_memalign, void** result, std::size_t alignment, std::size_t size) {
  *result = squall_libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}
SQUALL_REPLACES(std::size_t, malloc_usable_size, void* memory) {
  if (memory == nullptr) return 0;
  if (InHeap(memory)) return HeaderOf(memory)->size;
  return SQUALL_LIBC(malloc_usable_size)(memory);
}

}  // namespace squall::sim
