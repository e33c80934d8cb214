#include "sim/kernel/files.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "sim/kernel/descriptors.h"
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

// A file that is written to: whole lines go on.
class Output final : public Object {
 public:
  explicit Output(std::function<void(std::string_view)> on_line)
      : Object(nullptr), on_line_(std::move(on_line)) {}

  std::uint32_t Ready() const override { return EPOLLOUT; }
  long Read(void*, std::size_t) override { return FailWith(EBADF); }
  long Write(const void* bytes, std::size_t size) override {
    unfinished_.append(static_cast<const char*>(bytes), size);
    std::size_t from = 0;
    for (std::size_t end = 0; (end = unfinished_.find('\n', from)) != std::string::npos;
         from = end + 1)
      on_line_(std::string_view(unfinished_).substr(from, end - from));
    unfinished_.erase(0, from);
    return static_cast<long>(size);
  }

 private:
  std::function<void(std::string_view)> on_line_;
  std::string unfinished_;
};

auto& Outputs() {
  static auto* outputs =
      new std::map<std::string, std::function<void(std::string_view)>, std::less<>>();
  return *outputs;
}

}  // namespace

void AddOutput(const std::string& path, std::function<void(std::string_view line)> on_line) {
  Outputs()[path] = std::move(on_line);
}

void AddFile(const std::string& path, std::string text) { Files()[path] = std::move(text); }

std::optional<int> OpenFile(std::string_view path) {
  if (const auto output = Outputs().find(path); output != Outputs().end())
    return NewDescriptor(std::make_shared<Output>(output->second));
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
