#include "harness/net/proxy_pipe.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <utility>

#include "harness/net/proxy_connection.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kHeldBytesMax = 64 * 1024;
// A long line holds what is under way: with less, latency would limit the throughput as well.
constexpr std::size_t kUnderWayBytesMax = 8 * 1024 * 1024;
// One turn of a bulk transfer; then others have theirs.
constexpr int kBulkRounds = 8;
constexpr std::size_t kBulkBytes = 512 * 1024;

error_code LastError() { return {errno, boost::system::system_category()}; }

}  // namespace

// -------------------------------------------------------------------------------------------------
// reading

void ProxyPipe::MaybeRead() {
  using Phase = ProxyConnection::Phase;
  const Phase phase = connection_.phase();
  if (reading_ || read_done_ || phase == Phase::kEnded || phase == Phase::kCutting) return;
  const bool thrown_away = phase == Phase::kLingering || phase == Phase::kForgotten;
  if (!thrown_away && held_bytes_ >= HeldMax()) return;
  if (kernel_ && kernel_->bytes() > 0) return;
  reading_ = true;
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<std::array<char, 16 * 1024>>();
  const std::size_t room =
      thrown_away ? buffer_->size() : std::min(buffer_->size(), HeldMax() - held_bytes_);
  from_.async_read_some(
      asio::buffer(buffer_->data(), room),
      [this, keep = connection_.shared_from_this()](const error_code& error, std::size_t bytes) {
        reading_ = false;
        OnRead(error, bytes);
      });
}

std::size_t ProxyPipe::HeldMax() const {
  return connection_.faults().AnyActs(NetFaultKind::kLatency, up_) ? kUnderWayBytesMax
                                                                   : kHeldBytesMax;
}

void ProxyPipe::OnRead(const error_code& error, std::size_t bytes) {
  using Phase = ProxyConnection::Phase;
  const Phase phase = connection_.phase();
  if (phase == Phase::kEnded || phase == Phase::kCutting) return;
  if (phase == Phase::kLingering || phase == Phase::kForgotten) {
    if (error) read_done_ = true;
    connection_.OnThrownAway(*this, bytes);
    MaybeRead();
    return;
  }
  if (read_done_) return;  // EndAfterHeld was called meanwhile: what came after it does not count
  if (error) {
    if (phase == Phase::kHeld) {
      connection_.OnClientGaveUp();
      return;
    }
    HoldEnd(error);
    MaybeWrite();
    return;
  }
  connection_.OnReceived(up_, bytes);
  if (Unhindered()) {
    PassOn(bytes);
    return;
  }
  connection_.faults().Corrupt(up_, read_, {buffer_->data(), bytes});
  if (connection_.faults().Swallows(up_)) {
    read_ += bytes;
  } else {
    Hold(buffer_->data(), bytes);
  }
  MaybeRead();
  MaybeWrite();
}

void ProxyPipe::Hold(const char* data, std::size_t bytes) {
  last_due_ =
      std::max(last_due_, connection_.Now() + connection_.faults().Delay(up_, read_, false));
  read_ += bytes;
  held_.push_back({.data = std::string(data, bytes), .due = last_due_});
  held_bytes_ += bytes;
}

void ProxyPipe::HoldEnd(const error_code& error) {
  read_done_ = true;
  last_due_ = std::max(last_due_, connection_.Now() + connection_.faults().Delay(up_, read_, true));
  held_.push_back({.end = true, .reset = error && error != asio::error::eof, .due = last_due_});
}

void ProxyPipe::EndAfterHeld() {
  if (read_done_) return;
  LeaveBulk();
  read_done_ = true;
  held_.push_back({.end = true, .due = last_due_});
}

void ProxyPipe::Drain() {
  LeaveBulk();
  held_.clear();
  held_bytes_ = 0;
  // EndAfterHeld marks a direction as read though it is not.
  read_done_ = false;
  MaybeRead();
}

void ProxyPipe::Drop() {
  done_ = read_done_ = true;
  kernel_.reset();
  held_.clear();
  held_bytes_ = 0;
}

// -------------------------------------------------------------------------------------------------
// passing on, with nothing in the way

bool ProxyPipe::Unhindered() const {
  return connection_.phase() == ProxyConnection::Phase::kOpen && held_.empty() &&
         !waiting_for_room_ && !connection_.faults().ActsOn(up_);
}

void ProxyPipe::PassOn(std::size_t bytes) {
  const long written = Write(buffer_->data(), bytes);
  if (written < 0) return;
  const auto passed = static_cast<std::size_t>(written);
  read_ += passed;
  if (passed < bytes) {
    Hold(buffer_->data() + passed, bytes - passed);
    MaybeRead();
    WaitForRoom();
    return;
  }
  // A full buffer: more is on its way.
  if (bytes == buffer_->size()) {
    PassOnInBulk();
  } else {
    MaybeRead();
  }
}

void ProxyPipe::PassOnInBulk() {
  if (!kernel_) kernel_ = connection_.kernel_pipes().Borrow();
  if (!kernel_) {
    MaybeRead();
    return;
  }
  PipeSignalBlocked blocked;
  for (int round = 0; round < kBulkRounds; ++round) {
    if (kernel_->bytes() == 0) {
      const long filled = kernel_->Fill(from_.native_handle(), kBulkBytes);
      if (filled <= 0) {
        const error_code error = filled == 0 ? error_code(asio::error::eof) : LastError();
        LeaveBulk();
        if (filled == 0 || (error != asio::error::would_block && error != asio::error::try_again)) {
          HoldEnd(error);
          MaybeWrite();
        } else {
          MaybeRead();
        }
        return;
      }
      read_ += static_cast<std::uint64_t>(filled);
      connection_.OnReceived(up_, static_cast<std::size_t>(filled));
    }
    const long emptied = kernel_->Empty(to_.native_handle());
    if (emptied < 0) {
      if (errno == EAGAIN) {
        WaitForRoom();
      } else {
        const error_code error = LastError();
        if (error.value() == EPIPE) blocked.Came();
        connection_.OnWriteFailed(*this, error);
      }
      return;
    }
    Count(static_cast<std::size_t>(emptied));
  }
  reading_ = true;
  connection_.Post([this, keep = connection_.shared_from_this()] {
    reading_ = false;
    if (kernel_ && Unhindered()) {
      PassOnInBulk();
    } else {
      MaybeRead();
      MaybeWrite();
    }
  });
}

// What is in the kernel's pipe comes before whatever is held from now on.
void ProxyPipe::LeaveBulk() {
  if (!kernel_) return;
  while (kernel_->bytes() > 0) {
    std::string data(kernel_->bytes(), '\0');
    const std::size_t taken = kernel_->Take(data.data(), data.size());
    if (taken == 0) break;
    data.resize(taken);
    held_bytes_ += taken;
    held_.push_back({.data = std::move(data)});
  }
  connection_.kernel_pipes().GiveBack(std::move(kernel_));
}

// -------------------------------------------------------------------------------------------------
// writing

long ProxyPipe::Write(const char* data, std::size_t bytes) {
  const ssize_t written = ::send(to_.native_handle(), data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (written >= 0) {
    Count(static_cast<std::size_t>(written));
    return written;
  }
  if (errno == EAGAIN || errno == EINTR) return 0;
  connection_.OnWriteFailed(*this, LastError());
  return -1;
}

void ProxyPipe::Count(std::size_t bytes) {
  written_ += bytes;
  connection_.OnDelivered(up_, bytes);
}

void ProxyPipe::MaybeWrite() {
  using Phase = ProxyConnection::Phase;
  StreamFaults& faults = connection_.faults();
  while (connection_.phase() == Phase::kOpen && !waiting_for_room_ && !done_ && !held_.empty()) {
    Piece& piece = held_.front();
    const SteadyTime now = connection_.Now();
    if (piece.due > now) {
      WaitUntil(piece.due);
      return;
    }
    const std::size_t left = piece.data.size() - piece.sent;
    const StreamFaults::Permit permit = faults.MayWrite(up_, written_, left);
    if (permit.held) {  // goes on when the faults change
      if (permit.trigger != nullptr) connection_.OnTriggered(*permit.trigger);
      return;
    }
    if (piece.end) {
      const bool reset = piece.reset;
      held_.pop_front();
      done_ = true;
      connection_.OnEndOfDirection(*this, reset);
      return;
    }
    if (permit.cut != nullptr) {
      connection_.Cut(*permit.cut->fault);
      return;
    }
    if (permit.paced && pace_free_ > now) {
      WaitUntil(pace_free_);
      return;
    }
    const std::uint64_t position = written_;
    const long sent = Write(piece.data.data() + piece.sent, permit.bytes);
    if (sent < 0) return;
    if (sent == 0) {
      WaitForRoom();
      return;
    }
    const auto bytes = static_cast<std::size_t>(sent);
    piece.sent += bytes;
    held_bytes_ -= bytes;
    if (piece.sent == piece.data.size()) held_.pop_front();
    const StreamFaults::Written written = faults.Wrote(up_, position, bytes);
    if (written.pause > Duration::zero())
      pace_free_ = std::max(pace_free_, connection_.Now() + written.pause);
    if (written.cut != nullptr) {
      connection_.Cut(*written.cut->fault);
      return;
    }
    MaybeRead();
  }
}

void ProxyPipe::WaitForRoom() {
  if (std::exchange(waiting_for_room_, true)) return;
  to_.async_wait(Socket::wait_write,
                 [this, keep = connection_.shared_from_this()](const error_code& error) {
                   waiting_for_room_ = false;
                   if (error == asio::error::operation_aborted) return;
                   if (kernel_ && kernel_->bytes() > 0 && Unhindered()) {
                     PassOnInBulk();
                   } else {
                     MaybeWrite();
                   }
                 });
}

void ProxyPipe::WaitUntil(SteadyTime when) {
  CancelTimer();
  timer_ = connection_.executor().At(when, [this, weak = connection_.weak_from_this()] {
    const auto keep = weak.lock();
    if (!keep) return;
    timer_ = 0;
    MaybeWrite();
  });
}

void ProxyPipe::CancelTimer() { connection_.executor().Cancel(std::exchange(timer_, 0)); }

void ProxyPipe::FaultsChanged(bool undelayed) {
  if (connection_.faults().ActsOn(up_)) LeaveBulk();
  if (undelayed) {
    last_due_ = {};
    for (Piece& piece : held_) piece.due = {};
  }
  pace_free_ = {};
  CancelTimer();
  if (connection_.phase() != ProxyConnection::Phase::kOpen) return;
  MaybeRead();
  MaybeWrite();
}

}  // namespace squall::harness
