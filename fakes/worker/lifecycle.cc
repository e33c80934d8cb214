// Adapter to nlohmann's JSON; only dump() can throw there, and not with its replacing error
// handler.
#include "fakes/worker/lifecycle.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

namespace squall::fakes {

std::string LifecycleLine(const journal::WorkerEvent& event) {
  SQUALL_CHECK(
      std::find(event.kWords.begin(), event.kWords.end(), event.what) != event.kWords.end(),
      "no word of WorkerEvent: " + event.what);
  nlohmann::ordered_json line;
  line["squall_event"] = event.what;
  // Visit is the journal's and not const: it reads into fields as well.
  journal::WorkerEvent copy = event;
  copy.Visit([&line](const char* name, auto& value) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, std::string>) {
      if (!value.empty()) line[name] = value;
    } else if constexpr (std::is_same_v<T, std::optional<int>>) {
      if (value) line[name] = *value;
    } else if constexpr (std::is_same_v<T, Duration>) {
      if (value != Duration::zero()) line[name] = value.count();
    } else {
      if (value != 0) line[name] = value;
    }
  });
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

LifecycleWriter::LifecycleWriter(int fd, std::int64_t pid, std::string task_queue)
    : fd_(fd), pid_(pid), task_queue_(std::move(task_queue)) {}

void LifecycleWriter::Write(journal::WorkerEvent event) const {
  if (event.pid == 0) event.pid = pid_;
  if (event.task_queue.empty()) event.task_queue = task_queue_;
  const std::string line = LifecycleLine(event) + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t n = write(fd_, line.data() + done, line.size() - done);
    if (n < 0 && errno != EINTR) return;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

}  // namespace squall::fakes
