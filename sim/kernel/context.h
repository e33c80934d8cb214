#pragma once
// Where a simulated thread stands: its stack and its thread-local storage.
//
// The kernel makes each thread, so that libc's record of it, its stack and its thread-local storage
// are what they are everywhere. Then the kernel's part of it sleeps until the thread ends, and the
// kernel's first thread, the carrier, goes on in its place: to hand the baton over it exchanges two
// registers, where two kernel threads would have to wake and to sleep.

#include <cstdint>

namespace squall::sim {

struct Context {
  void* stack = nullptr;    // what was saved lies on top
  void* storage = nullptr;  // the FS base
  // Of its kernel thread, while it sleeps.
  alignas(16) unsigned char parking[1024];
};

// Where the calling thread's storage lies.
void* StorageHere();

// Leaves the calling thread at `from`, and goes on where `to` was left.
void SwitchContext(Context& from, const Context& to);

// For a new thread of the kernel: leaves it at `self`, says so in `parked`, and sleeps until
// `released` is set; its stack is the carrier's until then. Returns whenever something switches to
// `self`; last, on the kernel's own thread, where `self` was left for good.
void ParkContext(Context& self, std::uint32_t& parked, std::uint32_t& released);

}  // namespace squall::sim
