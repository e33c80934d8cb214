#include "sim/net/socket.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/net/network.h"

namespace squall::sim {

Socket::Socket(Process* owner) : Object(owner) {}

int Socket::Connect(const Endpoint& to) {
  Network* network = Network::Current();
  if (network == nullptr) Escaped("connect without a simulated network");
  if (state_ == State::kConnecting) return FailWith(EALREADY);
  if (state_ == State::kOpen) return FailWith(EISCONN);
  state_ = State::kConnecting;
  peer_ = to;
  local_ = to;
  local_.port = network->NewPort();
  TheScheduler().Note("connect", to.port);
  network->Connect(
      local_, to,
      [weak = std::weak_ptr<Socket>(Self())](std::shared_ptr<Stream> stream, int error) {
        const auto self = weak.lock();
        if (self == nullptr || self->closed_) {
          // Nobody waits for it any more: the kernel resets what was accepted.
          if (stream != nullptr) stream->Reset(Side::kClient);
          return;
        }
        if (error != 0) {
          self->state_ = State::kFailed;
          self->error_ = error;
        } else {
          self->state_ = State::kOpen;
          self->stream_ = std::move(stream);
          self->stream_->Attach(Side::kClient, self);
        }
        self->Changed();
      });
  return FailWith(EINPROGRESS);
}

std::uint32_t Socket::Ready() const {
  switch (state_) {
    case State::kConnecting:
      return 0;
    case State::kNew:
      return EPOLLOUT | EPOLLHUP;
    case State::kFailed:
      return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
    case State::kOpen:
      break;
  }
  if (reset_) return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | (error_ != 0 ? EPOLLERR : 0U);
  std::uint32_t ready = 0;
  if (stream_->HasRoom(Side::kClient)) ready |= EPOLLOUT;
  if (read_ < received_.size() || end_) ready |= EPOLLIN;
  if (end_) ready |= EPOLLRDHUP;
  if (end_ && write_shut_) ready |= EPOLLHUP;
  return ready;
}

long Socket::Receive(void* bytes, std::size_t size, bool peek) {
  if (state_ != State::kOpen) return FailWith(state_ == State::kConnecting ? EAGAIN : ENOTCONN);
  if (reset_) {
    if (error_ != 0) return FailWith(TakeError());
    return 0;
  }
  const std::size_t n = std::min(size, received_.size() - read_);
  if (n == 0) return end_ || size == 0 ? 0 : FailWith(EAGAIN);
  std::memcpy(bytes, received_.data() + read_, n);
  if (!peek) read_ += n;
  if (read_ == received_.size()) {
    received_.clear();
    read_ = 0;
  }
  TheScheduler().Note("receives", static_cast<std::int64_t>(n));
  return static_cast<long>(n);
}

long Socket::Write(const void* bytes, std::size_t size) {
  if (state_ != State::kOpen) return FailWith(state_ == State::kConnecting ? EAGAIN : ENOTCONN);
  if (reset_) return FailWith(error_ != 0 ? TakeError() : EPIPE);
  if (write_shut_) return FailWith(EPIPE);
  const std::size_t n = stream_->Send(Side::kClient, {static_cast<const char*>(bytes), size});
  full_ = n < size;
  if (n == 0 && size > 0) return FailWith(EAGAIN);
  TheScheduler().Note("sends", static_cast<std::int64_t>(n));
  return static_cast<long>(n);
}

int Socket::Shutdown(int how) {
  if (state_ != State::kOpen || reset_) return FailWith(ENOTCONN);
  if (how != 0 && !std::exchange(write_shut_, true)) stream_->End(Side::kClient);
  if (how != 1) end_ = true;
  Changed();
  return 0;
}

int Socket::TakeError() { return std::exchange(error_, 0); }

void Socket::Closed() {
  closed_ = true;
  if (Simulated()) TheScheduler().Note("closes socket", local_.port);
  if (stream_ == nullptr || reset_) return;
  if (read_ < received_.size()) {
    stream_->Reset(Side::kClient);  // bytes that nobody will read
  } else if (!write_shut_) {
    stream_->End(Side::kClient);
  }
}

void Socket::OnBytes(std::string_view bytes) {
  TheScheduler().Note("bytes come to socket", local_.port);
  if (closed_) return stream_->Reset(Side::kClient);
  received_ += bytes;
  Changed();
}

void Socket::OnEnd() {
  end_ = true;
  Changed();
}

void Socket::OnReset(int error) {
  reset_ = true;
  error_ = error;
  received_.clear();
  read_ = 0;
  Changed();
}

void Socket::OnRoom() {
  if (!full_ || !stream_->HasRoom(Side::kClient)) return;
  full_ = false;
  Changed();
}

}  // namespace squall::sim
