#pragma once
// Pipes of the kernel through which bytes go from socket to socket without being copied into this
// process. Internal to harness/net.

#include <cstddef>
#include <memory>
#include <vector>

namespace squall::harness {

// Empty whenever nobody holds it.
class KernelPipe {
 public:
  // Null where the process has no descriptors left.
  static std::unique_ptr<KernelPipe> Make();
  ~KernelPipe();
  KernelPipe(const KernelPipe&) = delete;
  KernelPipe& operator=(const KernelPipe&) = delete;

  // As splice(2): bytes moved, 0 at the end of the stream, or -1 with errno; never waits.
  // SIGPIPE of the second must be blocked (PipeSignalBlocked).
  long Fill(int socket, std::size_t most);
  long Empty(int socket);
  // Takes what is in it.
  std::size_t Take(char* data, std::size_t size);
  std::size_t bytes() const { return bytes_; }

 private:
  KernelPipe(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}
  const int read_end_, write_end_;
  std::size_t bytes_ = 0;
};

// Keeps a few that are empty: as many are in use as streams are in the middle of a transfer.
class KernelPipePool {
 public:
  // Null where the process has no descriptors left.
  std::unique_ptr<KernelPipe> Borrow();
  // It must be empty, else it is closed with what is in it.
  void GiveBack(std::unique_ptr<KernelPipe> pipe);

 private:
  std::vector<std::unique_ptr<KernelPipe>> idle_;
};

// splice(2) to a socket whose peer has gone raises SIGPIPE, and there is no flag against it. While
// this lives the calling thread does not get it.
class PipeSignalBlocked {
 public:
  PipeSignalBlocked();
  ~PipeSignalBlocked();
  PipeSignalBlocked(const PipeSignalBlocked&) = delete;
  PipeSignalBlocked& operator=(const PipeSignalBlocked&) = delete;

  // A call failed with EPIPE: the signal is pending, and goes with this object.
  void Came() { came_ = true; }

 private:
  bool was_blocked_ = false, came_ = false;
};

}  // namespace squall::harness
