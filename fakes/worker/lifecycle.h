#pragma once
// The lifecycle lines of workers under test: one JSON object per line, the fields of
// journal::WorkerEvent with `what` spelled "squall_event". harness/target reads them into the
// journal; docs/journal.md describes the fields.

#include <cstdint>
#include <string>

#include "base/journal/event.h"
#include "base/util/status.h"

namespace squall::fakes {

// The line without its line break. Empty fields are left out.
std::string LifecycleLine(const journal::WorkerEvent& event);

// Writes each event as one line with one write(2): lines of several threads do not mix, and what
// was written survives the process. Thread-safe. Errors are ignored: a reader that went away must
// not end the worker.
class LifecycleWriter {
 public:
  // `fd` is borrowed (1 for standard output). `pid` and `task_queue` are put into events that have
  // none.
  LifecycleWriter(int fd, std::int64_t pid, std::string task_queue);
  void Write(journal::WorkerEvent event) const;

 private:
  const int fd_;
  const std::int64_t pid_;
  const std::string task_queue_;
};

}  // namespace squall::fakes
