#include "sim/kernel/process.h"

namespace squall::sim {

void WriteOutput(Process& process, int fd, std::string_view bytes) {
  const bool is_error = fd == 2;
  std::string& unfinished = process.unfinished[is_error ? 1 : 0];
  unfinished += bytes;
  std::size_t from = 0;
  for (std::size_t end = 0; (end = unfinished.find('\n', from)) != std::string::npos;
       from = end + 1) {
    if (process.on_line)
      process.on_line(is_error, std::string_view(unfinished).substr(from, end - from));
  }
  unfinished.erase(0, from);
}

}  // namespace squall::sim
