#include "harness/net/proxy_door.h"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;
// After an accept that failed (too many open files): what is pending stays pending.
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);

// The address that a name of this machine stands for; IPv4 where it has both.
StatusOr<asio::ip::address> AddressOf(asio::io_context& io, const std::string& host) {
  if (host.empty()) return asio::ip::address(asio::ip::address_v6::any());
  if (host == "localhost") return asio::ip::address(asio::ip::address_v4::loopback());
  error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (!error) return address;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, "0", error);
  if (error || found.empty())
    return MakeStatus(StatusCode::kUnavailable, "listen tcp: lookup {}: {}", host, error.message());
  for (const auto& entry : found)
    if (entry.endpoint().address().is_v4()) return entry.endpoint().address();
  return found.begin()->endpoint().address();
}

// As Go's programs word the system's errors, which API clients compare.
std::string Lower(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

struct ProxyDoor::Impl : std::enable_shared_from_this<ProxyDoor::Impl> {
  Impl(AsioExecutor& the_executor, HostPort the_wanted, Visitors& the_visitors)
      : executor(the_executor),
        wanted(std::move(the_wanted)),
        visitors(the_visitors),
        acceptor(executor.io()) {}

  tcp::endpoint Endpoint() const { return {address, lease->port()}; }
  // Where a connection of this process to the listener goes.
  tcp::endpoint Within() const {
    if (!address.is_unspecified()) return Endpoint();
    return {address.is_v4() ? asio::ip::address(asio::ip::address_v4::loopback())
                            : asio::ip::address(asio::ip::address_v6::loopback()),
            lease->port()};
  }

  Status TakePort() {
    if (lease) return absl::OkStatus();
    SQUALL_ASSIGN_OR_RETURN(address, AddressOf(executor.io(), wanted.host));
    StatusOr<PortLease> taken = PortLease::Take(address.to_string(), wanted.port);
    if (!taken.ok()) {
      const std::string_view why = Message(taken.status());
      const std::size_t colon = why.rfind(": ");
      return MakeStatus(StatusCode::kUnavailable, "listen tcp {}: bind: {}",
                        HostPort{address.to_string(), wanted.port}.ToString(),
                        Lower(std::string(colon == why.npos ? why : why.substr(colon + 2))));
    }
    lease = std::move(*taken);
    wanted = {address.to_string(), lease->port()};
    return absl::OkStatus();
  }

  Status Set(State state) {
    if (state == now) return absl::OkStatus();
    error_code error;
    if (state == State::kClosed) {
      // The kernel resets what was in the backlog. At once: a child that has been forked and not
      // yet executed has the descriptor as well, and closing ours alone would leave the port open.
      if (acceptor.is_open()) ::shutdown(acceptor.native_handle(), SHUT_RDWR);
      acceptor.close(error);
    } else {
      if (!acceptor.is_open()) {
        const bool held = lease.has_value();
        SQUALL_RETURN_IF_ERROR(TakePort());
        if (const Status status = Listen(); !status.ok()) {
          if (!held) lease.reset();
          return status;
        }
      }
      acceptor.cancel(error);
      // Calling listen again changes the length of the backlog.
      if (now == State::kFull) ::listen(acceptor.native_handle(), kBacklog);
      if (state == State::kFull) FillBacklog();
    }
    if (state != State::kFull) EmptyBacklog();
    now = state;
    if (now == State::kOpen) Accept();
    return absl::OkStatus();
  }

  Status Listen() {
    error_code error;
    const auto failed = [&](std::string_view what) {
      const Status status = MakeStatus(StatusCode::kUnavailable, "listen tcp {}: {}: {}",
                                       wanted.ToString(), what, Lower(error.message()));
      error_code ignored;
      acceptor.close(ignored);
      return status;
    };
    acceptor.open(Endpoint().protocol(), error);
    if (error) return failed("socket");
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (error) return failed("setsockopt");
    acceptor.bind(Endpoint(), error);
    if (error) return failed("bind");
    acceptor.listen(kBacklog, error);
    if (error) return failed("bind");  // where the kernel tells of another listener
    visitors.OnListening(wanted.ToString());
    return absl::OkStatus();
  }

  // With a backlog of 0 Linux keeps one connection waiting and drops the SYNs of all others. The
  // one is ours.
  void FillBacklog() {
    ::listen(acceptor.native_handle(), 0);
    filler = std::make_shared<tcp::socket>(executor.io());
    error_code error;
    const tcp::endpoint within = Within();
    filler->open(within.protocol(), error);
    filler->bind({within.address(), 0}, error);
    if (!error) filler_ports.insert(filler->local_endpoint(error).port());
    filler->async_connect(within, [keep = filler](const error_code&) {});
  }

  void EmptyBacklog() {
    if (!filler) return;
    error_code ignored;
    filler->close(ignored);
    filler.reset();
  }

  void Accept() {
    acceptor.async_accept([weak = weak_from_this()](const error_code& error, tcp::socket socket) {
      const auto self = weak.lock();
      if (!self || error == asio::error::operation_aborted) return;
      if (error) {
        self->accept_timer = self->executor.After(kAcceptPause, [weak] {
          const auto again = weak.lock();
          if (again && again->now == State::kOpen) again->Accept();
        });
        return;
      }
      self->OnAccepted(std::move(socket));
      if (self->now == State::kOpen) self->Accept();
    });
  }

  void OnAccepted(tcp::socket socket) {
    error_code error;
    const tcp::endpoint peer = socket.remote_endpoint(error);
    if (!error && filler_ports.erase(peer.port()) > 0) return;
    visitors.OnAccepted(std::move(socket),
                        error ? "" : HostPort{peer.address().to_string(), peer.port()}.ToString());
  }

  void ShutDown() {
    error_code ignored;
    acceptor.close(ignored);
    EmptyBacklog();
    executor.Cancel(accept_timer);
    now = State::kClosed;
  }

  AsioExecutor& executor;
  HostPort wanted;
  Visitors& visitors;
  asio::ip::address address;
  std::optional<PortLease> lease;
  tcp::acceptor acceptor;
  State now = State::kClosed;
  TimerId accept_timer = 0;
  std::shared_ptr<tcp::socket> filler;
  std::set<std::uint16_t> filler_ports;
};

ProxyDoor::ProxyDoor(AsioExecutor& executor, HostPort wanted, Visitors& visitors)
    : impl_(std::make_shared<Impl>(executor, std::move(wanted), visitors)) {}
ProxyDoor::~ProxyDoor() { impl_->ShutDown(); }

HostPort ProxyDoor::where() const { return impl_->wanted; }
void ProxyDoor::Move(HostPort wanted) { impl_->wanted = std::move(wanted); }
Status ProxyDoor::TakePort() { return impl_->TakePort(); }
void ProxyDoor::GivePortUp() { impl_->lease.reset(); }
bool ProxyDoor::holds_port() const { return impl_->lease.has_value(); }
Status ProxyDoor::Set(State state) { return impl_->Set(state); }
void ProxyDoor::ShutDown() { impl_->ShutDown(); }

}  // namespace squall::harness
