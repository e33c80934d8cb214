#pragma once
// The latest events of a server, to read from a cursor and to wait for: what its admin interface
// and tests watch. Passes every event on.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"

namespace squall::fakes {

// What a reader wants; empty fields agree with everything.
struct EventFilter {
  std::string kind;      // "rpc"
  std::string what;      // "answered"
  std::string method;    // of rpc events
  std::string fault_id;  // of rpc, connection and fault events
  bool Agrees(const journal::Event& event) const;
};

// Safe from any thread.
class EventLog final : public journal::Sink {
 public:
  // Both must outlive it; `next` may be null. Keeps the latest `capacity` events.
  EventLog(const Clock& clock, journal::Sink* next, std::size_t capacity = 10000);

  void Append(std::string_view source, journal::Payload payload) override;

  struct Page {
    std::vector<journal::Event> events;
    std::uint64_t next = 0;  // cursor behind what was looked at: `after` of the next call
    std::uint64_t lost = 0;  // events behind `after` that are not kept any more
  };
  // Of the events behind the cursor `after` (0: from the beginning), the first `limit` that agree.
  Page Read(const EventFilter& filter, std::uint64_t after = 0, std::size_t limit = 1000) const;
  // The same, once there is at least one; empty when none came within `limit_time` of real time.
  Page Await(const EventFilter& filter, std::uint64_t after, Duration limit_time,
             std::size_t limit = 1000);
  // Cursor behind the latest event.
  std::uint64_t last() const;

  // How many events of each kind and word there were: "rpc answered"; and of RPCs answered, by
  // method and code: "rpc answered PollWorkflowTaskQueue OK".
  std::map<std::string, std::uint64_t> Counters() const;

  // Called after each event, on the thread that appended it: must be quick, and must not append.
  // Null: nobody.
  void SetObserver(std::function<void()> observer);

 private:
  Page ReadLocked(const EventFilter& filter, std::uint64_t after, std::size_t limit) const;

  const Clock& clock_;
  journal::Sink* const next_;
  const std::size_t capacity_;
  const SteadyTime origin_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<journal::Event> events_;
  std::uint64_t last_ = 0;
  std::map<std::string, std::uint64_t> counters_;
  std::function<void()> observer_;
};

}  // namespace squall::fakes
