#pragma once
// Hand-overs between threads that ThreadSanitizer cannot see, because what synchronizes them is not instrumented: Rust's
// channels and futexes inside the production core, gRPC's completion queues.
//
// Code that gives an object to such a library calls HandOver with its address just before; code that gets it back on another
// thread calls TakeOver with the same address first. All that the one did before is then known to come before all that the
// other does after. In other builds both are nothing: they synchronize nothing, they only tell what the library does. Use them
// nowhere else, or they hide a race.

#if defined(SQUALL_THREAD_SANITIZER)
extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace squall {

inline void HandOver([[maybe_unused]] const void* object) {
#if defined(SQUALL_THREAD_SANITIZER)
  __tsan_release(const_cast<void*>(object));
#endif
}

inline void TakeOver([[maybe_unused]] const void* object) {
#if defined(SQUALL_THREAD_SANITIZER)
  __tsan_acquire(const_cast<void*>(object));
#endif
}

}  // namespace squall
