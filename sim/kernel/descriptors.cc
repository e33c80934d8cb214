#include "sim/kernel/descriptors.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

constexpr int kDescriptors = 65536;

// Never destroyed; of its megabyte only what is used is ever touched.
union Storage {
  constexpr Storage() : table() {}
  ~Storage() {}
  std::array<std::shared_ptr<Object>, kDescriptors> table;
};
constinit Storage storage;
auto& Table() { return storage.table; }
int highest = -1;

bool InTable(int fd) { return fd >= 0 && fd <= highest; }

}  // namespace

void Object::Changed() {
  for (std::size_t i = 0; i < watchers_.size(); ++i) {
    if (const auto set = watchers_[i].lock()) set->Notify(*this);
  }
}

bool EpollSet::Due(const Interest& interest) const {
  const auto object = interest.object.lock();
  if (object == nullptr) return false;
  if ((interest.events & EPOLLET) != 0 && !interest.edge) return false;
  return (object->Ready() & (interest.events | EPOLLERR | EPOLLHUP)) != 0;
}

int EpollSet::Control(int operation, const std::shared_ptr<Object>& object,
                      const epoll_event* event) {
  const auto it = std::find_if(interests_.begin(), interests_.end(), [&](const Interest& interest) {
    return interest.address == object.get();
  });
  if (operation == EPOLL_CTL_DEL) {
    if (it == interests_.end()) return FailWith(ENOENT);
    interests_.erase(it);
    auto& watchers = object->watchers_;
    watchers.erase(
        std::remove_if(watchers.begin(), watchers.end(),
                       [this](const auto& watcher) { return watcher.lock().get() == this; }),
        watchers.end());
    return 0;
  }
  if ((event->events & (EPOLLONESHOT | EPOLLEXCLUSIVE)) != 0)
    Escaped("epoll_ctl with EPOLLONESHOT or EPOLLEXCLUSIVE");
  Interest interest{object, object.get(), event->events, event->data.u64, true};
  if (operation == EPOLL_CTL_ADD) {
    if (it != interests_.end()) return FailWith(EEXIST);
    interests_.push_back(interest);
    object->watchers_.push_back(std::static_pointer_cast<EpollSet>(shared_from_this()));
  } else {
    if (it == interests_.end()) return FailWith(ENOENT);
    *it = interest;
  }
  Notify(*object);
  return 0;
}

void EpollSet::Notify(const Object& object) {
  for (Interest& interest : interests_) {
    if (interest.address != &object) continue;
    interest.edge = true;
    if (Due(interest)) TheScheduler().Wake(WaitOn::kEpoll, this, 1 << 20);
  }
}

int EpollSet::Collect(epoll_event* events, int size) {
  int count = 0;
  for (auto it = interests_.begin(); it != interests_.end();) {
    if (it->object.expired()) {
      it = interests_.erase(it);
      continue;
    }
    if (count < size && Due(*it)) {
      it->edge = false;
      events[count].events = it->object.lock()->Ready() & (it->events | EPOLLERR | EPOLLHUP);
      events[count].data.u64 = it->data;
      ++count;
    }
    ++it;
  }
  return count;
}

long EpollSet::Read(void*, std::size_t) { return FailWith(EINVAL); }
long EpollSet::Write(const void*, std::size_t) { return FailWith(EINVAL); }

std::shared_ptr<Object> ObjectOf(int fd) {
  return InTable(fd) ? Table()[static_cast<std::size_t>(fd)] : nullptr;
}

int NewDescriptor(std::shared_ptr<Object> object) {
  const int fd = static_cast<int>(WithErrno(Raw(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (fd < 0) return fd;
  if (fd >= kDescriptors) Escaped("more descriptors than the simulation has");
  Table()[static_cast<std::size_t>(fd)] = std::move(object);
  highest = std::max(highest, fd);
  return fd;
}

void ShareDescriptor(int fd, int other) {
  if (other >= kDescriptors) Escaped("more descriptors than the simulation has");
  Table()[static_cast<std::size_t>(other)] = ObjectOf(fd);
  highest = std::max(highest, other);
}

bool DropDescriptor(int fd) {
  if (!InTable(fd)) return false;
  const std::shared_ptr<Object> object =
      std::exchange(Table()[static_cast<std::size_t>(fd)], nullptr);
  if (object == nullptr) return false;
  for (int other = 0; other <= highest; ++other) {
    if (Table()[static_cast<std::size_t>(other)] == object) return true;
  }
  object->Closed();
  return true;
}

void DropDescriptorsOf(const Process& process) {
  for (int fd = 0; fd <= highest; ++fd) {
    const auto& object = Table()[static_cast<std::size_t>(fd)];
    if (object == nullptr || object->owner() != &process) continue;
    DropDescriptor(fd);
    Raw(SYS_close, fd);
  }
}

}  // namespace squall::sim
