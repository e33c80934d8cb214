#include "harness/net/port.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace squall::harness {

namespace asio = boost::asio;

std::string HostPort::ToString() const {
  const std::string digits = std::to_string(port);
  return host.find(':') == std::string::npos ? host + ":" + digits : "[" + host + "]:" + digits;
}

StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "'{}' is not host:port: {}", text, why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("there is no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad(host.find('/') != std::string_view::npos ? "it has a scheme"
                                                        : "an IPv6 address is written in brackets");
  }
  if (host.empty()) return bad("there is no host");
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
    return bad("a port is a number from 1 to 65535");
  }
  return HostPort{std::string(host), static_cast<std::uint16_t>(port)};
}

StatusOr<PortLease> PortLease::Take() { return Take("127.0.0.1", 0); }

StatusOr<PortLease> PortLease::Take(const std::string& address, std::uint16_t port) {
  const auto failed = [&](std::string_view what, std::string_view why) {
    return MakeStatus(StatusCode::kUnavailable, "reserve {}: {}{}",
                      port == 0 ? "a port" : HostPort{address, port}.ToString(), what, why);
  };
  boost::system::error_code bad;
  const asio::ip::tcp::endpoint wanted(asio::ip::make_address(address, bad), port);
  if (bad) return failed("", "'" + address + "' is not an IP address");
  const int fd = ::socket(wanted.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket: ", std::strerror(errno));
  PortLease lease(fd, 0);  // closes it on the ways out
  const int on = 1;
  asio::ip::tcp::endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd, wanted.data(), static_cast<socklen_t>(wanted.size())) != 0 ||
      ::getsockname(fd, bound.data(), &size) != 0) {
    return failed("", std::strerror(errno));
  }
  bound.resize(size);
  lease.port_ = bound.port();
  return lease;
}

PortLease::~PortLease() { Release(); }

PortLease::PortLease(PortLease&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(std::exchange(other.port_, 0)) {}

PortLease& PortLease::operator=(PortLease&& other) noexcept {
  if (this != &other) {
    Release();
    fd_ = std::exchange(other.fd_, -1);
    port_ = std::exchange(other.port_, 0);
  }
  return *this;
}

void PortLease::Release() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

struct ConnectProbe::Impl : std::enable_shared_from_this<ConnectProbe::Impl> {
  static constexpr Duration kFirstPause = std::chrono::milliseconds(10);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(100);

  Impl(AsioExecutor& the_executor, HostPort the_where, std::function<void(Status)> the_done)
      : executor(the_executor),
        where(std::move(the_where)),
        done(std::move(the_done)),
        socket(executor.io()) {}

  void Begin(Duration limit) {
    limit_timer = executor.After(limit, [this, limit] {
      Finish(MakeStatus(StatusCode::kDeadlineExceeded,
                        "nobody accepts connections on {} within {}: {}", where.ToString(),
                        FormatDuration(limit), last_error.empty() ? "no answer" : last_error));
    });
    executor.Post([self = shared_from_this()] { self->Try(); });
  }

  void Try() {
    if (!done) return;
    boost::system::error_code error;
    const asio::ip::address address = asio::ip::make_address(where.host, error);
    if (error) {
      Finish(MakeStatus(StatusCode::kInvalidArgument, "{} is not an IP address", where.host));
      return;
    }
    socket = asio::ip::tcp::socket(executor.io());
    socket.async_connect({address, where.port}, [self = shared_from_this()](
                                                    const boost::system::error_code& result) {
      if (!self->done) return;
      if (!result) {
        self->Finish(absl::OkStatus());
        return;
      }
      self->last_error = result.message();
      self->pause_timer = self->executor.After(self->pause, [impl = self.get()] { impl->Try(); });
      self->pause = std::min(self->pause * 2, kLongestPause);
    });
  }

  void Finish(Status status) {
    const auto callback = std::exchange(done, nullptr);
    Stop();
    if (callback) callback(std::move(status));
  }

  void Stop() {
    done = nullptr;
    executor.Cancel(limit_timer);
    executor.Cancel(pause_timer);
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  AsioExecutor& executor;
  const HostPort where;
  std::function<void(Status)> done;
  asio::ip::tcp::socket socket;
  std::string last_error;
  Duration pause = kFirstPause;
  TimerId limit_timer = 0, pause_timer = 0;
};

ConnectProbe::ConnectProbe(AsioExecutor& executor, HostPort where, Duration limit,
                           std::function<void(Status)> done)
    : impl_(std::make_shared<Impl>(executor, std::move(where), std::move(done))) {
  impl_->Begin(limit);
}

ConnectProbe::~ConnectProbe() { impl_->Stop(); }

}  // namespace squall::harness
