// Reading, writing, duplicating and closing descriptors; and the files that tell of the machine and
// its load.
#include "sim/kernel/files.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "sim/kernel/descriptors.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

// Both ends of a socketpair of AF_UNIX: tokio makes one for signals, which the simulation delivers
// otherwise. Nothing is ever written to it.
// Tokio keeps one for all runtimes of the program: it is nobody's, and outlives every simulated
// process.
class SilentPipe final : public Object {
 public:
  using Object::Object;
  std::uint32_t Ready() const override { return 0; }
  long Read(void*, std::size_t) override { return FailWith(EAGAIN); }
  long Write(const void*, std::size_t) override { Escaped("write to a socket pair"); }
};

int OpenAt(int folder, const char* path, int flags, unsigned mode) {
  if (Simulated()) {
    const std::string_view name(path);
    if (const auto fd = OpenFile(name)) return *fd;
    if (name.starts_with("/sys/") || name.starts_with("/proc/")) return FailWith(ENOENT);
    if (name == "/dev/urandom" || name == "/dev/random") Escaped("open of /dev/urandom");
  }
  return static_cast<int>(WithErrno(
      Raw(SYS_openat, folder, reinterpret_cast<long>(path), flags, static_cast<long>(mode))));
}

unsigned ModeOf(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, unsigned) : 0;
}

}  // namespace

#define SQUALL_OPEN(name)                                        \
  SQUALL_REPLACES(int, name, const char* path, int flags, ...) { \
    va_list list;                                                \
    va_start(list, flags);                                       \
    const unsigned mode = ModeOf(flags, list);                   \
    va_end(list);                                                \
    return OpenAt(AT_FDCWD, path, flags, mode);                  \
  }
SQUALL_OPEN(open)
SQUALL_OPEN(open64)

#define SQUALL_OPENAT(name)                                                  \
  SQUALL_REPLACES(int, name, int folder, const char* path, int flags, ...) { \
    va_list list;                                                            \
    va_start(list, flags);                                                   \
    const unsigned mode = ModeOf(flags, list);                               \
    va_end(list);                                                            \
    return OpenAt(folder, path, flags, mode);                                \
  }
SQUALL_OPENAT(openat)
SQUALL_OPENAT(openat64)

// libc opens files for its streams past open().
SQUALL_REPLACES(FILE*, fopen, const char* path, const char* mode) {
  if (Simulated()) {
    if (const auto fd = OpenFile(path)) return ::fdopen(*fd, "r");
  }
  return SQUALL_LIBC(fopen)(path, mode);
}
SQUALL_REPLACES(FILE*, fopen64, const char* path, const char* mode) {
  return squall_libc_fopen(path, mode);
}

SQUALL_REPLACES(ssize_t, read, int fd, void* bytes, size_t size) {
  if (const auto object = ObjectOf(fd); object != nullptr && Simulated())
    return object->Read(bytes, size);
  return WithErrno(Raw(SYS_read, fd, reinterpret_cast<long>(bytes), static_cast<long>(size)));
}

SQUALL_REPLACES(ssize_t, write, int fd, const void* bytes, size_t size) {
  if (Simulated()) {
    if (const auto object = ObjectOf(fd)) return object->Write(bytes, size);
    Process& process = *TheScheduler().process();
    if ((fd == 1 || fd == 2) && process.on_line) {
      WriteOutput(process, fd, {static_cast<const char*>(bytes), size});
      return static_cast<ssize_t>(size);
    }
  }
  return WithErrno(Raw(SYS_write, fd, reinterpret_cast<long>(bytes), static_cast<long>(size)));
}

SQUALL_REPLACES(ssize_t, readv, int fd, const iovec* pieces, int count) {
  const auto object = ObjectOf(fd);
  if (object == nullptr || !Simulated())
    return WithErrno(Raw(SYS_readv, fd, reinterpret_cast<long>(pieces), count));
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t n = object->Read(pieces[i].iov_base, pieces[i].iov_len);
    if (n < 0) return total > 0 ? total : n;
    total += n;
    if (static_cast<std::size_t>(n) < pieces[i].iov_len) break;
  }
  return total;
}

SQUALL_REPLACES(ssize_t, writev, int fd, const iovec* pieces, int count) {
  if (!Simulated()) return WithErrno(Raw(SYS_writev, fd, reinterpret_cast<long>(pieces), count));
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    if (pieces[i].iov_len == 0) continue;
    const ssize_t n = squall_libc_write(fd, pieces[i].iov_base, pieces[i].iov_len);
    if (n < 0) return total > 0 ? total : n;
    total += n;
    if (static_cast<std::size_t>(n) < pieces[i].iov_len) break;
  }
  return total;
}

SQUALL_REPLACES(int, close, int fd) {
  DropDescriptor(fd);
  return static_cast<int>(WithErrno(Raw(SYS_close, fd)));
}

SQUALL_REPLACES(int, fcntl, int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const long argument = va_arg(list, long);
  va_end(list);
  const int result = static_cast<int>(WithErrno(Raw(SYS_fcntl, fd, command, argument)));
  if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && ObjectOf(fd) != nullptr)
    ShareDescriptor(fd, result);
  return result;
}

// The same function under the name that 64-bit programs are compiled to.
SQUALL_REPLACES(int, fcntl64, int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const long argument = va_arg(list, long);
  va_end(list);
  return squall_libc_fcntl(fd, command, argument);
}

SQUALL_REPLACES(int, ioctl, int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  const long argument = va_arg(list, long);
  va_end(list);
  // FIONBIO is all that is asked of ours, and they never block.
  if (ObjectOf(fd) != nullptr && Simulated()) return 0;
  return static_cast<int>(WithErrno(Raw(SYS_ioctl, fd, static_cast<long>(request), argument)));
}

SQUALL_REPLACES(int, dup, int fd) {
  if (ObjectOf(fd) != nullptr) Escaped("dup of a simulated descriptor");
  return static_cast<int>(WithErrno(Raw(SYS_dup, fd)));
}

SQUALL_REPLACES(int, socketpair, int domain, int type, int protocol, int* pair) {
  if (!Simulated())
    return static_cast<int>(
        WithErrno(Raw(SYS_socketpair, domain, type, protocol, reinterpret_cast<long>(pair))));
  for (int i = 0; i < 2; ++i) pair[i] = NewDescriptor(std::make_shared<SilentPipe>(nullptr));
  return 0;
}

}  // namespace squall::sim
