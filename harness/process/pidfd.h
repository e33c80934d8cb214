#pragma once
// A descriptor for a process: readable once it is dead, and never for another process with the same
// pid. By number, since glibc 2.36's <sys/pidfd.h> does not declare its functions for C++.

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace squall::harness {

// -1 with errno when there is no such process. Close-on-exec.
inline int OpenPidfd(std::int64_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
}

}  // namespace squall::harness
