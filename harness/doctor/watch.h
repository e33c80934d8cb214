#pragma once
// Watch mode: one examination after another, what changed on the terminal, and the state of it all
// on a small page and as Prometheus metrics (incident I7).

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/doctor/diagnosis.h"
#include "harness/net/asio_executor.h"

namespace squall::doctor {

// What has been seen so far. Pure: text out.
class WatchState {
 public:
  // Returns the line to print, or "" when nothing is new: the verdict and the cause are as before,
  // and so is whether anybody polls.
  std::string Observe(const Diagnosis& diagnosis, WallTime now);

  // Prometheus' text format, names beginning with squall_doctor_.
  std::string Metrics() const;
  // A page without scripts that loads itself again.
  std::string Page() const;
  const std::optional<Diagnosis>& last() const { return last_; }

 private:
  std::optional<Diagnosis> last_;
  WallTime last_at_{}, since_{};
  std::string told_;
  std::uint64_t examinations_ = 0;
  std::map<std::string, std::uint64_t> causes_;          // how often each was the cause
  std::vector<std::pair<WallTime, std::string>> lines_;  // the latest changes
};

struct WatchOptions {
  Duration interval = std::chrono::seconds(5);    // from the end of one examination to the next
  std::uint64_t count = 0;                        // so many; 0: until a signal comes
  std::string listen;                             // HOST:PORT of page and metrics; "": none
  std::function<void(const std::string&)> print;  // a line, without its break
};

// Blocks until SIGINT, SIGTERM or the count is reached; returns the last verdict. `examine` is
// called on the loop's thread. UNAVAILABLE when the port cannot be had.
StatusOr<Verdict> Watch(harness::AsioExecutor& executor, const WatchOptions& options,
                        const std::function<Diagnosis()>& examine);

}  // namespace squall::doctor
