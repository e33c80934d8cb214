#include "fakes/server/sessions.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace squall::fakes {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 64 << 10;
// A connection whose peer does not read is not read from either once this much waits for it.
constexpr std::size_t kMaxPendingBytes = 16 << 20;
// How long a connection that we closed may stay to let the peer read our last bytes.
constexpr auto kLinger = std::chrono::seconds(1);

}  // namespace

Sessions::Sessions(boost::asio::io_context& io, Owner& owner)
    : io_(io), owner_(owner), read_buffer_(kReadBytes, '\0') {}

bool Sessions::Add(std::uint64_t id, Descriptor fd) {
  auto session = std::make_shared<Session>(io_, id);
  error_code error;
  session->socket.assign(tcp::v4(), fd.get(), error);
  if (error) return false;
  fd.release();
  session->socket.native_non_blocking(true, error);
  sessions_.emplace(id, session);
  WaitForBytes(session);
  return true;
}

void Sessions::WaitForBytes(const SessionPtr& session) {
  if (session->reading || !session->socket.is_open()) return;
  session->reading = true;
  session->socket.async_wait(tcp::socket::wait_read, [this, session](const error_code& error) {
    session->reading = false;
    if (!error) Read(session);
  });
}

void Sessions::Read(const SessionPtr& session) {
  const ssize_t n =
      ::recv(session->socket.native_handle(), read_buffer_.data(), read_buffer_.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    WaitForBytes(session);
    return;
  }
  if (n <= 0) {
    const bool reset = n < 0;
    Drop(session);
    owner_.OnGone(session->id, reset);
    return;
  }
  if (!session->closing) {
    owner_.OnBytes(session->id, std::string_view(read_buffer_.data(), static_cast<std::size_t>(n)));
  }
  if (session->pending.size() - session->pending_sent < kMaxPendingBytes) WaitForBytes(session);
}

void Sessions::Drop(const SessionPtr& session) {
  error_code ignored;
  session->socket.close(ignored);
  session->linger.cancel();
  sessions_.erase(session->id);
}

void Sessions::Carry(FrontendOutput output) {
  const auto it = sessions_.find(output.connection);
  if (it == sessions_.end()) return;
  const SessionPtr session = it->second;
  if (output.end == FrontendOutput::End::kReset) {
    const linger abort = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(session->socket.native_handle(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    return Drop(session);
  }
  if (output.end == FrontendOutput::End::kClose) session->closing = true;
  Send(session, std::move(output.bytes));
}

void Sessions::Send(const SessionPtr& session, std::string bytes) {
  if (session->pending.empty()) {
    session->pending = std::move(bytes);
    session->pending_sent = 0;
  } else {
    session->pending += bytes;
  }
  if (!session->writing) Write(session);
}

void Sessions::Write(const SessionPtr& session) {
  while (session->pending_sent < session->pending.size()) {
    const ssize_t n =
        ::send(session->socket.native_handle(), session->pending.data() + session->pending_sent,
               session->pending.size() - session->pending_sent, MSG_NOSIGNAL);
    if (n >= 0) {
      session->pending_sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      // Reading finds out what happened and tells the owner; nothing can be sent any more.
      session->pending.clear();
      session->pending_sent = 0;
      WaitForBytes(session);
      return;
    }
    session->writing = true;
    session->socket.async_wait(tcp::socket::wait_write, [this, session](const error_code& error) {
      session->writing = false;
      if (!error) Write(session);
    });
    return;
  }
  session->pending.clear();
  session->pending_sent = 0;
  if (session->closing) {
    FinishClosing(session);
  } else {
    WaitForBytes(session);
  }
}

// Says that nothing more comes, and waits for the peer to say the same: closing while bytes of the
// peer are unread would send a reset, which may overtake our last words.
void Sessions::FinishClosing(const SessionPtr& session) {
  error_code ignored;
  session->socket.shutdown(tcp::socket::shutdown_send, ignored);
  session->linger.expires_after(kLinger);
  session->linger.async_wait([this, session](const error_code& error) {
    if (!error) Drop(session);
  });
  WaitForBytes(session);
}

void Sessions::CloseAll() {
  error_code ignored;
  for (auto& [id, session] : sessions_) {
    session->socket.close(ignored);
    session->linger.cancel();
  }
  sessions_.clear();
}

}  // namespace squall::fakes
