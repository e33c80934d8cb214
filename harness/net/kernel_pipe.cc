#include "harness/net/kernel_pipe.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace squall::harness {
namespace {

constexpr std::size_t kIdleMax = 16;
// Asked for; less is given where the user's share of pipe memory is used up, and does as well.
constexpr int kPipeBytes = 512 * 1024;

sigset_t PipeSignal() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

std::unique_ptr<KernelPipe> KernelPipe::Make() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  return std::unique_ptr<KernelPipe>(new KernelPipe(ends[0], ends[1]));
}

KernelPipe::~KernelPipe() {
  ::close(read_end_);
  ::close(write_end_);
}

long KernelPipe::Fill(int socket, std::size_t most) {
  const ssize_t moved =
      ::splice(socket, nullptr, write_end_, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved > 0) bytes_ += static_cast<std::size_t>(moved);
  return moved;
}

long KernelPipe::Empty(int socket) {
  const ssize_t moved =
      ::splice(read_end_, nullptr, socket, nullptr, bytes_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved > 0) bytes_ -= static_cast<std::size_t>(moved);
  return moved;
}

std::size_t KernelPipe::Take(char* data, std::size_t size) {
  const ssize_t taken = ::read(read_end_, data, size);
  if (taken <= 0) return 0;
  bytes_ -= static_cast<std::size_t>(taken);
  return static_cast<std::size_t>(taken);
}

std::unique_ptr<KernelPipe> KernelPipePool::Borrow() {
  if (idle_.empty()) return KernelPipe::Make();
  std::unique_ptr<KernelPipe> pipe = std::move(idle_.back());
  idle_.pop_back();
  return pipe;
}

void KernelPipePool::GiveBack(std::unique_ptr<KernelPipe> pipe) {
  if (pipe && pipe->bytes() == 0 && idle_.size() < kIdleMax) idle_.push_back(std::move(pipe));
}

PipeSignalBlocked::PipeSignalBlocked() {
  const sigset_t set = PipeSignal();
  sigset_t before;
  ::sigemptyset(&before);
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  was_blocked_ = ::sigismember(&before, SIGPIPE) == 1;
}

PipeSignalBlocked::~PipeSignalBlocked() {
  // Who has it blocked anyway has a way of its own with it.
  if (was_blocked_) return;
  const sigset_t set = PipeSignal();
  if (came_) {
    const timespec at_once{};
    ::sigtimedwait(&set, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace squall::harness
