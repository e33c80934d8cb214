#include "sim/kernel/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <map>
#include <utility>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"

namespace squall::sim {
namespace {

// A machine of always the same size and load.
auto& Files() {
  static auto* files = new std::map<std::string, std::string, std::less<>>{
      {"/proc/stat",
       "cpu  1000 0 500 100000 0 0 0 0 0 0\ncpu0 500 0 250 50000 0 0 0 0 0 0\ncpu1 500 0 250 50000 "
       "0 0 0 0 0 0\nbtime 1767224600\n"},
      {"/proc/meminfo",
       "MemTotal: 8000000 kB\nMemFree: 4000000 kB\nMemAvailable: 6000000 kB\nSwapTotal: 0 "
       "kB\nSwapFree: 0 kB\n"},
      {"/proc/loadavg", "0.10 0.10 0.10 1/100 1000\n"},
  };
  return *files;
}

}  // namespace

void AddFile(const std::string& path, std::string text) { Files()[path] = std::move(text); }

std::optional<int> OpenFile(std::string_view path) {
  const auto it = Files().find(path);
  if (it == Files().end()) return std::nullopt;
  const int fd =
      static_cast<int>(Raw(SYS_memfd_create, reinterpret_cast<long>("sim"), MFD_CLOEXEC));
  if (fd < 0) Escaped("memfd_create failed");
  RawWrite(fd, it->second.data(), it->second.size());
  Raw(SYS_lseek, fd, 0, 0);
  return fd;
}

}  // namespace squall::sim
