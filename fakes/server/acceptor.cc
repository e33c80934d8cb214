#include "fakes/server/acceptor.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <utility>

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Before accepting again after the system had no descriptor left.
constexpr std::chrono::milliseconds kAcceptPause{50};

}  // namespace

struct Acceptor::Impl : std::enable_shared_from_this<Acceptor::Impl> {
  explicit Impl(asio::io_context& io) : acceptor(io), pause(io) {}

  void WaitForConnection() {
    acceptor.async_wait(tcp::acceptor::wait_read, [self = shared_from_this(), round = round](
                                                      const error_code& error) {
      if (!error && round == self->round) self->AcceptAll();
    });
  }

  void AcceptAll() {
    const std::uint64_t begun = round;
    while (round == begun) {
      sockaddr_in peer = {};
      Descriptor fd = Accept(acceptor.native_handle(), &peer);
      if (fd.get() < 0) {
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
          return WaitForDescriptors();
        return WaitForConnection();
      }
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const OnAccepted tell = on_accepted;  // a copy: it may close us
      tell(std::move(fd), AddressText(peer));
    }
  }

  // The connection stays in the backlog; asking again at once would only turn in a circle.
  void WaitForDescriptors() {
    pause.expires_after(kAcceptPause);
    pause.async_wait([self = shared_from_this(), round = round](const error_code& error) {
      if (!error && round == self->round) self->AcceptAll();
    });
  }

  void Close() {
    ++round;
    on_accepted = nullptr;
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
  }

  tcp::acceptor acceptor;
  asio::steady_timer pause;
  OnAccepted on_accepted;
  int port = 0;
  std::uint64_t round = 0;  // of opening and closing: what waits belongs to one
};

Acceptor::Acceptor(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}
Acceptor::~Acceptor() { impl_->Close(); }

Status Acceptor::Open(int port, OnAccepted on_accepted) {
  SQUALL_ASSIGN_OR_RETURN(Descriptor fd, Listen(port));
  impl_->port = PortOf(fd.get());
  error_code error;
  impl_->acceptor.assign(tcp::v4(), fd.get(), error);
  if (error) {
    return MakeStatus(StatusCode::kUnavailable, "cannot listen on 127.0.0.1:{}: {}", impl_->port,
                      error.message());
  }
  fd.release();
  impl_->on_accepted = std::move(on_accepted);
  impl_->WaitForConnection();
  return absl::OkStatus();
}

void Acceptor::Close() { impl_->Close(); }
int Acceptor::port() const { return impl_->port; }

bool Adopt(Descriptor fd, tcp::socket& socket) {
  error_code error;
  socket.assign(tcp::v4(), fd.get(), error);
  if (error) return false;
  fd.release();
  return true;
}

}  // namespace squall::fakes
