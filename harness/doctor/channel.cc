#include "harness/doctor/channel.h"

#include <algorithm>
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

void ResolveName(harness::AsioExecutor& executor, const std::string& host, std::uint16_t port,
                 std::function<void(StatusOr<std::vector<Endpoint>>)> done) {
  boost::system::error_code error;
  if (const auto address = asio::ip::make_address(host, error); !error) {
    executor.Post([endpoint = Endpoint{address.to_string(), port}, done = std::move(done)] {
      done(std::vector<Endpoint>{endpoint});
    });
    return;
  }
  auto resolver = std::make_shared<tcp::resolver>(executor.io());
  // Without address_configured: a family that has no address here is shown by the layer below.
  resolver->async_resolve(
      host, std::to_string(port), asio::ip::resolver_base::flags(),
      [resolver, port, done = std::move(done)](const boost::system::error_code& problem,
                                               const tcp::resolver::results_type& results) {
        if (problem) {
          const bool none =
              problem == asio::error::host_not_found || problem == asio::error::no_data;
          return done(MakeStatus(none ? StatusCode::kNotFound : StatusCode::kUnavailable, "{}",
                                 problem.message()));
        }
        std::vector<Endpoint> endpoints;
        for (const auto& entry : results) {
          Endpoint endpoint{entry.endpoint().address().to_string(), port};
          if (std::ranges::find(endpoints, endpoint.host, &Endpoint::host) == endpoints.end())
            endpoints.push_back(std::move(endpoint));
        }
        done(std::move(endpoints));
      });
}

struct Channel::Impl : std::enable_shared_from_this<Channel::Impl> {
  Impl(harness::AsioExecutor& the_executor, std::shared_ptr<wire::TlsContext> context, WallTime now)
      : clock(the_executor.clock()), socket(the_executor.io()), began(clock.Now()) {
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
    connect_took = clock.Now() - began;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    state = State::kOpen;
    Read();
    Pump();
    Changed();
  }

  void Read() {
    socket.async_read_some(
        asio::buffer(buffer),
        [self = shared_from_this()](const boost::system::error_code& problem, std::size_t size) {
          if (!self->closed) self->Arrived(problem, size);
        });
  }

  void Arrived(const boost::system::error_code& problem, std::size_t size) {
    const std::string_view bytes(buffer.data(), size);
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
    writing = true;
    sending = std::exchange(out, {});
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
  tcp::socket socket;
  std::optional<wire::TlsSession> session;
  State state = State::kConnecting;
  bool closed = false, writing = false;
  SteadyTime began;
  Duration connect_took{}, handshake_took{};
  std::string connect_error, first, data, pending, out, sending;
  std::array<char, 16384> buffer{};
  std::function<void()> on_change;
};

Channel::Channel(harness::AsioExecutor& executor, const Endpoint& endpoint,
                 std::shared_ptr<wire::TlsContext> tls, WallTime now)
    : impl_(std::make_shared<Impl>(executor, std::move(tls), now)) {
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
const wire::TlsSession* Channel::tls() const { return impl_->session ? &*impl_->session : nullptr; }
bool Channel::ready() const {
  return impl_->session ? impl_->session->handshake_done() && impl_->session->error().ok()
                        : connected();
}
const std::string& Channel::first_bytes() const { return impl_->first; }
Duration Channel::connect_took() const { return impl_->connect_took; }
Duration Channel::handshake_took() const { return impl_->handshake_took; }

}  // namespace squall::doctor
