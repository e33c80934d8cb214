// epoll and eventfd: how tokio's threads wait, and wake one another.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "sim/kernel/descriptors.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

class EventCounter final : public Object {
 public:
  EventCounter(Process* owner, std::uint64_t count) : Object(owner), count_(count) {}

  std::uint32_t Ready() const override { return (count_ > 0 ? EPOLLIN : 0U) | EPOLLOUT; }
  long Read(void* bytes, std::size_t size) override {
    if (size < sizeof count_) return FailWith(EINVAL);
    if (count_ == 0) return FailWith(EAGAIN);
    std::memcpy(bytes, &count_, sizeof count_);
    count_ = 0;
    return sizeof count_;
  }
  long Write(const void* bytes, std::size_t size) override {
    std::uint64_t more = 0;
    if (size < sizeof more) return FailWith(EINVAL);
    std::memcpy(&more, bytes, sizeof more);
    count_ += more;
    Changed();
    return sizeof more;
  }

 private:
  std::uint64_t count_;
};

std::shared_ptr<EpollSet> SetOf(int fd) {
  return std::dynamic_pointer_cast<EpollSet>(ObjectOf(fd));
}

int WaitForEvents(int fd, epoll_event* events, int size, std::int64_t deadline) {
  const std::shared_ptr<EpollSet> set = SetOf(fd);
  if (set == nullptr) Escaped("epoll_wait on a set from before the simulation");
  Scheduler& scheduler = TheScheduler();
  // A look in passing: others may go first, as on a machine.
  if (deadline <= scheduler.now() && scheduler.chances().Chance(0.5)) scheduler.Yield();
  for (;;) {
    const int count = set->Collect(events, size);
    if (count > 0 || deadline <= scheduler.now()) {
      scheduler.Note("epoll tells", count);
      return count;
    }
    scheduler.Wait(WaitOn::kEpoll, set.get(), deadline);
  }
}

}  // namespace

SQUALL_REPLACES(int, eventfd, unsigned count, int flags) {
  if (!Simulated()) return static_cast<int>(WithErrno(Raw(SYS_eventfd2, count, flags)));
  if ((flags & EFD_NONBLOCK) == 0 || (flags & EFD_SEMAPHORE) != 0)
    Escaped("eventfd that blocks or counts down");
  return NewDescriptor(std::make_shared<EventCounter>(TheScheduler().process(), count));
}

SQUALL_REPLACES(int, epoll_create1, int flags) {
  if (!Simulated()) return static_cast<int>(WithErrno(Raw(SYS_epoll_create1, flags)));
  return NewDescriptor(std::make_shared<EpollSet>(TheScheduler().process()));
}

SQUALL_REPLACES(int, epoll_create, int) { return squall_libc_epoll_create1(0); }

SQUALL_REPLACES(int, epoll_ctl, int set, int operation, int fd, epoll_event* event) {
  if (!Simulated())
    return static_cast<int>(
        WithErrno(Raw(SYS_epoll_ctl, set, operation, fd, reinterpret_cast<long>(event))));
  const std::shared_ptr<EpollSet> simulated = SetOf(set);
  const std::shared_ptr<Object> object = ObjectOf(fd);
  if (simulated == nullptr || object == nullptr)
    Escaped("epoll_ctl on a descriptor of the machine");
  return simulated->Control(operation, object, event);
}

SQUALL_REPLACES(int, epoll_wait, int set, epoll_event* events, int size, int timeout_ms) {
  if (!Simulated())
    return static_cast<int>(
        WithErrno(Raw(SYS_epoll_wait, set, reinterpret_cast<long>(events), size, timeout_ms)));
  return WaitForEvents(
      set, events, size,
      timeout_ms < 0 ? kNever : TheScheduler().now() + std::int64_t{timeout_ms} * 1'000'000);
}

SQUALL_REPLACES(int, epoll_pwait2, int set, epoll_event* events, int size, const timespec* timeout,
                const void*) {
  if (!Simulated()) Escaped("epoll_pwait2");
  const std::int64_t deadline =
      timeout == nullptr
          ? kNever
          : TheScheduler().now() + timeout->tv_sec * 1'000'000'000 + timeout->tv_nsec;
  return WaitForEvents(set, events, size, deadline);
}

SQUALL_REPLACES(int, poll, pollfd* descriptors, nfds_t count, int timeout_ms) {
  if (Simulated() && timeout_ms != 0) Escaped("poll");
  return static_cast<int>(WithErrno(
      Raw(SYS_poll, reinterpret_cast<long>(descriptors), static_cast<long>(count), timeout_ms)));
}

}  // namespace squall::sim
