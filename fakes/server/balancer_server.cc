#include "fakes/server/balancer_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <map>
#include <thread>
#include <utility>

#include "fakes/server/acceptor.h"

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct Wire {
  explicit Wire(asio::io_context& io) : socket(io) {}
  tcp::socket socket;
  std::array<char, 32 * 1024> input;
  std::string queued, writing;
  bool connected = false;
  bool close = false;  // once all is written
};
using WirePtr = std::shared_ptr<Wire>;

}  // namespace

// Belongs to the thread once it runs.
class BalancerServer::Impl {
 public:
  explicit Impl(BalancerServerOptions options)
      : options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : real_clock_),
        journal_(options_.journal != nullptr ? *options_.journal : null_sink_),
        balancer_(options_.balancer, journal_),
        acceptor_(io_),
        timer_(io_) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      stopping_ = true;
      acceptor_.Close();
      balancer_.CloseAll(clock_.MomentNow());
      Settle();
      io_.stop();
    });
    thread_.join();
  }

  Status Start() {
    SQUALL_RETURN_IF_ERROR(SetUpstreamNow(options_.upstream_host, options_.upstream_port));
    SQUALL_RETURN_IF_ERROR(Annotate(acceptor_.Open(options_.port,
                                                   [this](Descriptor fd, const std::string& peer) {
                                                     OnAccepted(std::move(fd), peer);
                                                   }),
                                    "balancer " + options_.balancer.name));
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  int port() const { return acceptor_.port(); }

  Status SetUpstream(const std::string& host, int port) {
    std::promise<Status> done;
    asio::post(io_, [&] { done.set_value(SetUpstreamNow(host, port)); });
    return done.get_future().get();
  }

  void CloseConnections() {
    std::promise<void> done;
    asio::post(io_, [&] {
      balancer_.CloseAll(clock_.MomentNow());
      Settle();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  Status SetUpstreamNow(const std::string& host, int port) {
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) {
      return MakeStatus(StatusCode::kInvalidArgument, "balancer {}: '{}' is no IP address",
                        options_.balancer.name, host);
    }
    upstream_ = {address, static_cast<asio::ip::port_type>(port)};
    return absl::OkStatus();
  }

  void OnAccepted(Descriptor fd, const std::string& peer) {
    auto wire = std::make_shared<Wire>(io_);
    if (!Adopt(std::move(fd), wire->socket)) return;
    const std::uint64_t number = balancer_.Accept(clock_.MomentNow(), peer);
    wire->connected = true;
    wires_.emplace(number, wire);
    Read(number, wire);
    Settle();
  }

  // Carries out what the balancer wants.
  void Settle() {
    for (BalancerOutput& output : balancer_.TakeOutput()) {
      if (output.then == BalancerOutput::Then::kConnect) Connect(output.transport);
      const auto it = wires_.find(output.transport);
      if (it == wires_.end()) continue;
      const WirePtr wire = it->second;
      wire->queued += output.bytes;
      if (output.then == BalancerOutput::Then::kClose) {
        wire->close = true;
        wires_.erase(it);
      }
      Write(output.transport, wire);
    }
    ArmTimer();
  }

  void ArmTimer() {
    if (stopping_) return;
    const auto deadline = balancer_.NextDeadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    timer_.cancel();
    if (!deadline) return;
    timer_.expires_after(std::max(*deadline - clock_.Now(), Duration::zero()));
    timer_.async_wait([this](error_code error) {
      if (error) return;
      armed_.reset();
      balancer_.Advance(clock_.MomentNow());
      Settle();
    });
  }

  void Connect(std::uint64_t number) {
    auto wire = std::make_shared<Wire>(io_);
    wires_.emplace(number, wire);
    wire->socket.async_connect(upstream_, [this, number, wire](error_code error) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        Lose(number, error);
      } else {
        error_code ignored;
        wire->socket.set_option(tcp::no_delay(true), ignored);
        wire->connected = true;
        balancer_.Connected(clock_.MomentNow(), number);
        Read(number, wire);
      }
      Settle();
    });
  }

  void Read(std::uint64_t number, const WirePtr& wire) {
    wire->socket.async_read_some(
        asio::buffer(wire->input), [this, number, wire](error_code error, std::size_t size) {
          if (error == asio::error::operation_aborted || wire->close) return;
          if (error) {
            Lose(number, error);
          } else {
            balancer_.Receive(clock_.MomentNow(), number, {wire->input.data(), size});
            Read(number, wire);
          }
          Settle();
        });
  }

  void Write(std::uint64_t number, const WirePtr& wire) {
    if (!wire->writing.empty()) return;
    if (wire->queued.empty() || !wire->connected) {
      if (wire->close) Close(*wire);
      return;
    }
    wire->writing.swap(wire->queued);
    asio::async_write(wire->socket, asio::buffer(wire->writing),
                      [this, number, wire](error_code error, std::size_t) {
                        wire->writing.clear();
                        if (error == asio::error::operation_aborted) return;
                        if (!error) return Write(number, wire);
                        if (wire->close) return Close(*wire);
                        Lose(number, error);
                        Settle();
                      });
  }

  void Lose(std::uint64_t number, error_code error) {
    const auto it = wires_.find(number);
    if (it == wires_.end()) return;
    Close(*it->second);
    wires_.erase(it);
    balancer_.Lost(clock_.MomentNow(), number,
                   error == asio::error::eof ? "closed by the peer" : error.message());
  }

  static void Close(Wire& wire) {
    error_code ignored;
    wire.socket.shutdown(tcp::socket::shutdown_both, ignored);
    wire.socket.close(ignored);
  }

  BalancerServerOptions options_;
  RealClock real_clock_;
  journal::NullSink null_sink_;
  const Clock& clock_;
  journal::Sink& journal_;
  Balancer balancer_;
  asio::io_context io_{1};
  Acceptor acceptor_;
  asio::steady_timer timer_;
  std::optional<SteadyTime> armed_;
  std::map<std::uint64_t, WirePtr> wires_;
  tcp::endpoint upstream_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

BalancerServer::BalancerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BalancerServer::~BalancerServer() = default;

StatusOr<std::unique_ptr<BalancerServer>> BalancerServer::Start(BalancerServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  SQUALL_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<BalancerServer>(new BalancerServer(std::move(impl)));
}

int BalancerServer::port() const { return impl_->port(); }
Status BalancerServer::SetUpstream(const std::string& host, int port) {
  return impl_->SetUpstream(host, port);
}
void BalancerServer::CloseConnections() { impl_->CloseConnections(); }

}  // namespace squall::fakes
