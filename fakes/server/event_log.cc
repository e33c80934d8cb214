#include "fakes/server/event_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/util/status.h"

namespace squall::fakes {

bool EventFilter::Agrees(const journal::Event& event) const {
  if (!kind.empty() && event.kind() != kind) return false;
  if (!what.empty() && event.what() != what) return false;
  if (!method.empty()) {
    const auto* rpc = event.As<journal::RpcEvent>();
    if (rpc == nullptr || rpc->method != method) return false;
  }
  if (fault_id.empty()) return true;
  if (const auto* rpc = event.As<journal::RpcEvent>()) return rpc->fault_id == fault_id;
  if (const auto* fault = event.As<journal::FaultEvent>()) return fault->fault_id == fault_id;
  const auto* connection = event.As<journal::ConnectionEvent>();
  return connection != nullptr && connection->fault_id == fault_id;
}

EventLog::EventLog(const Clock& clock, journal::Sink* next, std::size_t capacity)
    : clock_(clock), next_(next), capacity_(capacity), origin_(clock.Now()) {}

void EventLog::Append(std::string_view source, journal::Payload payload) {
  if (next_ != nullptr) next_->Append(source, payload);
  std::function<void()> observer;
  {
    const std::lock_guard lock(mutex_);
    journal::Event event;
    event.sequence = ++last_;
    event.time = SteadyTime(clock_.Now() - origin_);
    event.wall = clock_.WallNow();
    event.source = source;
    event.payload = std::move(payload);
    ++counters_[fmt::format("{} {}", event.kind(), event.what())];
    if (const auto* rpc = event.As<journal::RpcEvent>(); rpc != nullptr && rpc->code.has_value()) {
      ++counters_[fmt::format("rpc {} {} {}", rpc->what, rpc->method, CodeName(*rpc->code))];
    }
    events_.push_back(std::move(event));
    if (events_.size() > capacity_) events_.pop_front();
    observer = observer_;
  }
  arrived_.notify_all();
  if (observer) observer();
}

EventLog::Page EventLog::ReadLocked(const EventFilter& filter, std::uint64_t after,
                                    std::size_t limit) const {
  Page page;
  const std::uint64_t first = last_ - events_.size() + 1;
  if (after + 1 < first) page.lost = first - after - 1;
  page.next = last_;
  for (std::uint64_t at = std::max(after + 1, first); at <= last_; ++at) {
    const journal::Event& event = events_[at - first];
    if (!filter.Agrees(event)) continue;
    page.events.push_back(event);
    if (page.events.size() < limit) continue;
    page.next = at;
    break;
  }
  return page;
}

EventLog::Page EventLog::Read(const EventFilter& filter, std::uint64_t after,
                              std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  return ReadLocked(filter, after, limit);
}

EventLog::Page EventLog::Await(const EventFilter& filter, std::uint64_t after, Duration limit_time,
                               std::size_t limit) {
  std::unique_lock lock(mutex_);
  Page page;
  arrived_.wait_for(lock, limit_time, [&] {
    page = ReadLocked(filter, after, limit);
    return !page.events.empty();
  });
  return page;
}

std::uint64_t EventLog::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::map<std::string, std::uint64_t> EventLog::Counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void EventLog::SetObserver(std::function<void()> observer) {
  const std::lock_guard lock(mutex_);
  observer_ = std::move(observer);
}

}  // namespace squall::fakes
