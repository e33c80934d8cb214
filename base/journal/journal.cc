#include "base/journal/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace squall::journal {
namespace {

void CheckWord(const Event& event) {
  for (const std::string_view word : WordsOf(event.kind())) {
    if (word == event.what()) return;
  }
  SQUALL_CHECK(false, fmt::format("no such {} event: '{}'", event.kind(), event.what()));
}

}  // namespace

Journal::Journal(const Clock& clock) : clock_(clock), origin_(clock.Now()) {}

StatusOr<std::unique_ptr<Journal>> Journal::Create(const Clock& clock, const std::string& path) {
  auto journal = std::make_unique<Journal>(clock);
  journal->fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (journal->fd_ < 0) {
    return MakeStatus(StatusCode::kUnavailable, "create journal {}: {}", path, std::strerror(errno));
  }
  return journal;
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

void Journal::Append(std::string_view source, Payload payload) {
  const std::lock_guard lock(mutex_);
  Event event{.sequence = events_.size() + 1,
              .time = SteadyTime(clock_.Now() - origin_),
              .wall = clock_.WallNow(),
              .source = std::string(source),
              .payload = std::move(payload)};
  CheckWord(event);
  if (fd_ >= 0 && status_.ok()) {
    const std::string line = ToJson(event) + "\n";
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        status_ = MakeStatus(StatusCode::kUnavailable, "write journal: {}", std::strerror(errno));
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  if (observer_) observer_(event);
  events_.push_back(std::move(event));
}

void Journal::SetObserver(std::function<void(const Event&)> observer) {
  const std::lock_guard lock(mutex_);
  observer_ = std::move(observer);
}

std::vector<Event> Journal::Events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

Status Journal::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

StatusOr<std::vector<Event>> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return MakeStatus(StatusCode::kNotFound, "read journal {}: {}", path, std::strerror(errno));
  std::vector<Event> events;
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number) {
    const bool torn = in.eof();  // getline met the end before a line break
    StatusOr<Event> event = FromJson(line);
    if (event.ok()) {
      events.push_back(*std::move(event));
    } else if (!torn) {
      return Annotate(event.status(), fmt::format("{}:{}", path, number));
    }
  }
  return events;
}

}  // namespace squall::journal
