#pragma once
// The journal: everything that happened, in order, as events in memory and lines in a file.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::journal {

// Where producers put events. Append is safe from any thread and never fails towards the producer.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Append(std::string_view source, Payload payload) = 0;
};

// Drops everything: for components used without a journal.
class NullSink final : public Sink {
 public:
  void Append(std::string_view, Payload) override {}
};

// Stamps events with sequence and time, keeps them in memory, hands them to observers and, when opened on a file, writes
// each as one line with one write(2) to a descriptor in append mode: what was appended survives SIGKILL of this process.
// The time of every event is relative to the journal's creation. Thread-safe.
class Journal final : public Sink {
 public:
  // In memory only.
  explicit Journal(const Clock& clock);
  // Also writes to `path`, which must not exist.
  static StatusOr<std::unique_ptr<Journal>> Create(const Clock& clock, const std::string& path);
  ~Journal() override;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void Append(std::string_view source, Payload payload) override;

  // Called with each event, in order, on the thread that appended it and under the journal's lock: it must be quick and
  // must not append. Set before the first event.
  void SetObserver(std::function<void(const Event&)> observer);

  // A copy of all events so far.
  std::vector<Event> Events() const;
  SteadyTime origin() const { return origin_; }
  // The first error of writing the file, if any.
  Status status() const;

 private:
  const Clock& clock_;
  const SteadyTime origin_;
  int fd_ = -1;
  mutable std::mutex mutex_;
  std::function<void(const Event&)> observer_;
  std::vector<Event> events_;
  Status status_;
};

// Parses one line. Errors name what is wrong with it.
StatusOr<Event> FromJson(std::string_view line);

// Reads a journal file. A torn last line (the writer was killed in the middle of the machine's own write) is dropped;
// any other bad line is an error with its number.
StatusOr<std::vector<Event>> ReadFile(const std::string& path);

}  // namespace squall::journal
