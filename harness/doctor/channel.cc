#include "harness/doctor/channel.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <utility>

namespace squall::doctor {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kKeptBytes = 4096;

}  // namespace

struct Channel::Impl : std::enable_shared_from_this<Channel::Impl> {
  Impl(harness::AsioExecutor& the_executor, std::shared_ptr<wire::TlsContext> context, WallTime now,
       std::optional<Tunnel> the_tunnel)
      : clock(the_executor.clock()),
        tunnel(std::move(the_tunnel)),
        socket(the_executor.io()),
        began(clock.Now()) {
    if (context) session.emplace(std::move(context), now);
  }

  void Connect(const Endpoint& endpoint) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(endpoint.host, error);
    socket.async_connect(tcp::endpoint(address, endpoint.port),
                         [self = shared_from_this()](const boost::system::error_code& problem) {
                           if (!self->closed) self->Connected(problem);
                         });
  }

  void Connected(const boost::system::error_code& problem) {
    if (problem) {
      connect_error = problem.message();
      // An acceptance and a reset that come together are seen as one.
      state =
          problem == asio::error::connection_refused ? State::kRefused
          : problem == asio::error::connection_reset ? State::kReset
          : problem == asio::error::host_unreachable || problem == asio::error::network_unreachable
              ? State::kUnreachable
              : State::kFailed;
      return Changed();
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    Read();
    if (tunnel) return Write(ConnectRequest(*tunnel));
    Open();
  }

  void Open() {
    connect_took = clock.Now() - began;
    state = State::kOpen;
    Pump();
    Changed();
  }

  static std::string ConnectRequest(const Tunnel& tunnel) {
    std::string text = fmt::format(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nUser-Agent: squall-doctor\r\n", tunnel.target);
    if (!tunnel.authorization.empty())
      text += fmt::format("Proxy-Authorization: {}\r\n", tunnel.authorization);
    return text + "\r\n";
  }

  // What the proxy says before the tunnel is there; what comes behind its headers is the target's.
  void Answered(const boost::system::error_code& problem, std::string_view bytes) {
    answer += bytes;
    const auto end = answer.find("\r\n\r\n");
    if (end == std::string::npos && !problem && answer.size() < kKeptBytes) return Read();
    const std::string_view status = std::string_view(answer).substr(0, end);
    if (end == std::string::npos || !status.starts_with("HTTP/1.") || status.find(" 200") != 8) {
      state = State::kNoTunnel;
      connect_error = problem ? problem.message() : "the proxy refused";
      return Changed();
    }
    const std::string rest = answer.substr(end + 4);
    answer.resize(end);
    tunnel.reset();
    Open();
    if (!closed) Arrived(problem, rest);
  }

  void Read() {
    socket.async_read_some(
        asio::buffer(buffer),
        [self = shared_from_this()](const boost::system::error_code& problem, std::size_t size) {
          if (self->closed) return;
          const std::string_view bytes(self->buffer.data(), size);
          self->tunnel ? self->Answered(problem, bytes) : self->Arrived(problem, bytes);
        });
  }

  void Arrived(const boost::system::error_code& problem, std::string_view bytes) {
    if (first.size() < kKeptBytes) first += bytes.substr(0, kKeptBytes - first.size());
    if (session) {
      session->FeedCiphertext(bytes);
      if (problem) session->FeedEnd();
      data += session->TakePlaintext();
      if (session->handshake_done() && handshake_took == Duration::zero()) {
        handshake_took = clock.Now() - began - connect_took;
      }
    } else {
      data += bytes;
    }
    if (problem) {
      state = problem == asio::error::eof ? State::kEnded : State::kReset;
    } else if (session && session->peer_closed()) {
      // close_notify: nothing more will come, whenever TCP ends.
      state = State::kEnded;
    } else {
      Pump();
      Read();
    }
    Changed();
  }

  // Sends what is there to send.
  void Pump() {
    if (state != State::kOpen) return;
    if (session) {
      if (!pending.empty()) session->WritePlaintext(std::exchange(pending, {}));
      out += session->TakeCiphertext();
    } else {
      out += std::exchange(pending, {});
    }
    if (out.empty() || writing) return;
    Write(std::exchange(out, {}));
  }

  void Write(std::string bytes) {
    writing = true;
    sending = std::move(bytes);
    asio::async_write(
        socket, asio::buffer(sending),
        [self = shared_from_this()](const boost::system::error_code& problem, std::size_t) {
          if (self->closed) return;
          self->writing = false;
          // What the peer said before it went is still to be read: reading tells the end.
          if (!problem) self->Pump();
        });
  }

  void Changed() {
    if (on_change) on_change();
  }

  const Clock& clock;
  std::optional<Tunnel> tunnel;  // until it is there
  tcp::socket socket;
  std::optional<wire::TlsSession> session;
  State state = State::kConnecting;
  bool closed = false, writing = false;
  SteadyTime began;
  Duration connect_took{}, handshake_took{};
  std::string connect_error, answer, first, data, pending, out, sending;
  std::array<char, 16384> buffer{};
  std::function<void()> on_change;
};

Channel::Channel(harness::AsioExecutor& executor, const Endpoint& endpoint,
                 std::shared_ptr<wire::TlsContext> tls, WallTime now, std::optional<Tunnel> tunnel)
    : impl_(std::make_shared<Impl>(executor, std::move(tls), now, std::move(tunnel))) {
  impl_->Connect(endpoint);
}

Channel::~Channel() {
  impl_->closed = true;
  impl_->on_change = nullptr;
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

void Channel::OnChange(std::function<void()> callback) { impl_->on_change = std::move(callback); }

void Channel::Send(std::string_view bytes) {
  impl_->pending += bytes;
  impl_->Pump();
}

std::string Channel::Take() { return std::exchange(impl_->data, {}); }

Channel::State Channel::state() const { return impl_->state; }
bool Channel::connected() const {
  return impl_->state == State::kOpen || impl_->state == State::kEnded ||
         impl_->state == State::kReset;
}
bool Channel::over() const {
  return impl_->state != State::kConnecting && impl_->state != State::kOpen;
}
const std::string& Channel::connect_error() const { return impl_->connect_error; }
const std::string& Channel::proxy_answer() const { return impl_->answer; }
std::string Channel::source() const {
  boost::system::error_code error;
  const tcp::endpoint here = impl_->socket.local_endpoint(error);
  return error ? "" : here.address().to_string();
}
const wire::TlsSession* Channel::tls() const { return impl_->session ? &*impl_->session : nullptr; }
bool Channel::ready() const {
  return impl_->session ? impl_->session->handshake_done() && impl_->session->error().ok()
                        : connected();
}
const std::string& Channel::first_bytes() const { return impl_->first; }
Duration Channel::connect_took() const { return impl_->connect_took; }
Duration Channel::handshake_took() const { return impl_->handshake_took; }

}  // namespace squall::doctor
