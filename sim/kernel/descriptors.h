#pragma once
// Simulated descriptors. Each is a real number that the machine's kernel gave out (so that nothing
// else gets it) with a record beside it; no byte passes the kernel. What is not in the table is the
// machine's own: files.

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/kernel/process.h"

namespace squall::sim {

class EpollSet;

// What a descriptor stands for; several descriptors may stand for the same (dup).
class Object : public std::enable_shared_from_this<Object> {
 public:
  explicit Object(Process* owner) : owner_(owner) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  // What epoll would tell of it now.
  virtual std::uint32_t Ready() const = 0;
  // Read and write as on a non-blocking descriptor: a count, or -1 and errno.
  virtual long Read(void* bytes, std::size_t size) = 0;
  virtual long Write(const void* bytes, std::size_t size) = 0;
  // The last descriptor was closed.
  virtual void Closed() {}

  Process* owner() const { return owner_; }
  // Something happened that epoll tells of once more, edge-triggered interests included.
  void Changed();

 private:
  friend class EpollSet;
  Process* const owner_;
  std::vector<std::weak_ptr<EpollSet>> watchers_;
};

class EpollSet final : public Object {
 public:
  using Object::Object;

  // As epoll_ctl; -1 and errno, or 0.
  int Control(int operation, const std::shared_ptr<Object>& object, const epoll_event* event);
  // What is ready and was not told yet.
  int Collect(epoll_event* events, int size);
  void Notify(const Object& object);

  std::uint32_t Ready() const override { return 0; }
  long Read(void*, std::size_t) override;
  long Write(const void*, std::size_t) override;

 private:
  struct Interest {
    std::weak_ptr<Object> object;
    const Object* address = nullptr;
    std::uint32_t events = 0;
    std::uint64_t data = 0;
    bool edge = false;  // happened since it was last told
  };
  bool Due(const Interest& interest) const;

  std::vector<Interest> interests_;  // in the order of their registration
};

// The record of a descriptor; null for the machine's own.
std::shared_ptr<Object> ObjectOf(int fd);
// Gives the object a descriptor; the machine's kernel lends the number.
int NewDescriptor(std::shared_ptr<Object> object);
// Another descriptor for what `fd` stands for.
void ShareDescriptor(int fd, int other);
// Takes the record of `fd` away; true when there was one.
bool DropDescriptor(int fd);
// Closes all descriptors of a process that ended, as the kernel does.
void DropDescriptorsOf(const Process& process);

}  // namespace squall::sim
