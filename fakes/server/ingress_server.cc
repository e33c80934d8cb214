#include "fakes/server/ingress_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "fakes/server/acceptor.h"

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How long a closed side is still read from, so that closing with unread bytes does not make the
// kernel send RST and destroy the last answer on its way. Envoy's delayed_close_timeout is 1 s.
constexpr std::chrono::seconds kLinger{1};
// How long destruction waits for clients that do not read.
constexpr std::chrono::milliseconds kGoodbye{250};

// One transport of one connection.
struct Side {
  explicit Side(asio::io_context& io) : socket(io), linger(io) {}

  tcp::socket socket;
  asio::steady_timer linger;
  std::array<char, 32 * 1024> input;
  std::string queued;   // to be written
  std::string writing;  // being written; the kernel has not taken all of it
  // Once it was: a peer that has reset it meanwhile is still to be read from, to learn of that.
  bool connected = false;
  bool reading = false;
  bool ended = false;      // FIN or an error was read
  bool end_write = false;  // shut down the sending direction once all is written
  bool close = false;      // and close
};

struct Link {
  Link(asio::io_context& io, std::uint64_t connection) : number(connection), down(io), up(io) {}
  Side& side(IngressSide which) { return which == IngressSide::kDownstream ? down : up; }

  std::uint64_t number;
  Side down;
  Side up;
};
using LinkPtr = std::shared_ptr<Link>;

}  // namespace

// All but the upstream's address belongs to the thread once it runs.
class IngressServer::Impl {
 public:
  explicit Impl(IngressServerOptions options)
      : options_(std::move(options)),
        clock_(options_.clock != nullptr ? *options_.clock : real_clock_),
        journal_(options_.journal != nullptr ? *options_.journal : null_sink_),
        acceptor_(io_),
        timer_(io_),
        upstream_host_(options_.upstream_host),
        upstream_port_(options_.upstream_port) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { Stop(); });
    thread_.join();
  }

  Status Start() {
    SQUALL_ASSIGN_OR_RETURN(ingress_, Ingress::Create(options_.ingress, journal_));
    SQUALL_RETURN_IF_ERROR(Annotate(acceptor_.Open(options_.port,
                                                   [this](Descriptor fd, const std::string& peer) {
                                                     OnAccepted(std::move(fd), peer);
                                                   }),
                                    "ingress " + options_.ingress.name));
    journal::ConnectionEvent event;
    event.what = "listening";
    event.link = options_.ingress.name;
    event.local = fmt::format("127.0.0.1:{}", port());
    journal_.Append("ingress:" + options_.ingress.name, std::move(event));
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  int port() const { return acceptor_.port(); }

  void SetUpstream(std::string host, int port) {
    const std::lock_guard lock(mutex_);
    upstream_host_ = std::move(host);
    upstream_port_ = port;
  }

  void CloseConnections() {
    std::promise<void> done;
    asio::post(io_, [this, &done] {
      ingress_->CloseAll(clock_.MomentNow());
      Settle();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  void OnAccepted(Descriptor fd, const std::string& peer) {
    tcp::socket socket(io_);
    if (!Adopt(std::move(fd), socket)) return;
    const std::uint64_t number = ingress_->Accept(clock_.MomentNow(), peer);
    auto link = std::make_shared<Link>(io_, number);
    link->down.socket = std::move(socket);
    links_.emplace(number, std::move(link));
    Settle();
  }

  // Carries out what the ingress wants, then looks at every connection's reads and at the timer.
  void Settle() {
    for (IngressOutput& output : ingress_->TakeOutput()) {
      const auto it = links_.find(output.connection);
      if (it == links_.end()) continue;
      const LinkPtr link = it->second;  // a copy: Write may end it and take it off the map
      Side& side = link->side(output.side);
      side.queued += output.bytes;
      switch (output.then) {
        case IngressOutput::Then::kKeep:
          break;
        case IngressOutput::Then::kConnect:
          Connect(link);
          break;
        case IngressOutput::Then::kEndWrite:
          side.end_write = true;
          break;
        case IngressOutput::Then::kClose:
          side.end_write = side.close = true;
          break;
      }
      Write(link, output.side);
    }
    for (const auto& [number, link] : links_) {
      Read(link, IngressSide::kDownstream);
      Read(link, IngressSide::kUpstream);
    }
    ArmTimer();
  }

  void ArmTimer() {
    if (stopping_) return;
    const auto deadline = ingress_->NextDeadline();
    if (deadline == armed_) return;
    armed_ = deadline;
    timer_.cancel();
    if (!deadline) return;
    timer_.expires_after(std::max(*deadline - clock_.Now(), Duration::zero()));
    timer_.async_wait([this](error_code error) {
      if (error) return;
      armed_.reset();
      ingress_->Advance(clock_.MomentNow());
      Settle();
    });
  }

  void Connect(const LinkPtr& link) {
    std::string host;
    int port = 0;
    {
      const std::lock_guard lock(mutex_);
      host = upstream_host_;
      port = upstream_port_;
    }
    const auto connected = [this, link, host, port](error_code error) {
      if (error) {
        ingress_->UpstreamFailed(clock_.MomentNow(), link->number,
                                 fmt::format("{}:{}: {}", host, port, error.message()));
      } else {
        error_code ignored;
        link->up.socket.set_option(tcp::no_delay(true), ignored);
        link->up.connected = true;
        ingress_->UpstreamConnected(clock_.MomentNow(), link->number);
      }
      Settle();
    };
    error_code not_numeric;
    const auto address = asio::ip::make_address(host, not_numeric);
    if (!not_numeric) {
      link->up.socket.async_connect({address, static_cast<asio::ip::port_type>(port)}, connected);
      return;
    }
    auto resolver = std::make_shared<tcp::resolver>(io_);
    resolver->async_resolve(
        host, std::to_string(port),
        [link, connected, resolver](error_code error, const tcp::resolver::results_type& found) {
          if (link->up.close) return;  // the client has left meanwhile
          if (error) return connected(error);
          asio::async_connect(link->up.socket, found,
                              [connected](error_code failed, const auto&) { connected(failed); });
        });
  }

  void Read(const LinkPtr& link, IngressSide which) {
    Side& side = link->side(which);
    if (!side.socket.is_open() || side.reading || side.ended) return;
    // A socket that is still connecting has no peer to read from.
    if (which == IngressSide::kUpstream && !side.connected) return;
    if (!side.close && !ingress_->WantsRead(link->number, which)) return;
    side.reading = true;
    side.socket.async_read_some(
        asio::buffer(side.input), [this, link, which](error_code error, std::size_t size) {
          Side& from = link->side(which);
          from.reading = false;
          if (error == asio::error::operation_aborted) return;
          if (error) from.ended = true;
          if (from.close) {
            // Only drained by now; what comes is dropped.
            if (error) Close(link, which);
          } else if (!error) {
            ingress_->Receive(clock_.MomentNow(), link->number, which, {from.input.data(), size});
          } else if (error == asio::error::eof) {
            ingress_->PeerClosed(clock_.MomentNow(), link->number, which);
          } else {
            ingress_->PeerLost(clock_.MomentNow(), link->number, which, error.message());
            Close(link, which);
          }
          Settle();
        });
  }

  void Write(const LinkPtr& link, IngressSide which) {
    Side& side = link->side(which);
    if (!side.socket.is_open() || !side.writing.empty()) return;
    if (side.queued.empty()) {
      if (side.end_write) EndWrite(link, which);
      return;
    }
    if (which == IngressSide::kUpstream && !side.connected) return;
    side.writing.swap(side.queued);
    asio::async_write(side.socket, asio::buffer(side.writing),
                      [this, link, which](error_code error, std::size_t size) {
                        if (error == asio::error::operation_aborted) return;
                        link->side(which).writing.clear();
                        if (error) {
                          ingress_->PeerLost(clock_.MomentNow(), link->number, which,
                                             error.message());
                          Close(link, which);
                        } else {
                          ingress_->Sent(link->number, which, size);
                          Write(link, which);
                        }
                        Settle();
                      });
  }

  void EndWrite(const LinkPtr& link, IngressSide which) {
    Side& side = link->side(which);
    if (!side.close) {
      error_code ignored;
      side.end_write = false;
      side.socket.shutdown(tcp::socket::shutdown_send, ignored);
      return;
    }
    if (side.ended || stopping_ || (which == IngressSide::kUpstream && !side.connected))
      return Close(link, which);
    error_code ignored;
    side.socket.shutdown(tcp::socket::shutdown_send, ignored);
    side.linger.expires_after(kLinger);
    side.linger.async_wait([this, link, which](error_code error) {
      if (!error) Close(link, which);
    });
    Read(link, which);
  }

  void Close(const LinkPtr& link, IngressSide which) {
    Side& side = link->side(which);
    error_code ignored;
    side.linger.cancel();
    side.socket.close(ignored);
    if (!link->down.socket.is_open() && !link->up.socket.is_open()) links_.erase(link->number);
    if (stopping_ && links_.empty()) io_.stop();
  }

  // Says goodbye to every client that still reads, and ends the loop.
  void Stop() {
    stopping_ = true;
    acceptor_.Close();
    ingress_->CloseAll(clock_.MomentNow());
    Settle();
    const auto open = links_;  // Close takes links off the map
    for (const auto& [number, link] : open) {
      Close(link, IngressSide::kUpstream);
      if (link->down.queued.empty() && link->down.writing.empty()) {
        Close(link, IngressSide::kDownstream);
      }
    }
    if (links_.empty()) return io_.stop();
    timer_.expires_after(kGoodbye);
    timer_.async_wait([this](error_code error) {
      if (!error) io_.stop();
    });
  }

  IngressServerOptions options_;
  RealClock real_clock_;
  journal::NullSink null_sink_;
  const Clock& clock_;
  journal::Sink& journal_;
  asio::io_context io_{1};
  Acceptor acceptor_;
  asio::steady_timer timer_;
  std::optional<SteadyTime> armed_;
  std::unique_ptr<Ingress> ingress_;
  std::map<std::uint64_t, LinkPtr> links_;
  bool stopping_ = false;

  std::mutex mutex_;  // guards the upstream's address
  std::string upstream_host_;
  int upstream_port_;

  std::thread thread_;  // last: it uses all of the above
};

IngressServer::IngressServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IngressServer::~IngressServer() = default;

StatusOr<std::unique_ptr<IngressServer>> IngressServer::Start(IngressServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  SQUALL_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<IngressServer>(new IngressServer(std::move(impl)));
}

int IngressServer::port() const { return impl_->port(); }
std::string IngressServer::address() const { return fmt::format("127.0.0.1:{}", port()); }
void IngressServer::SetUpstream(std::string host, int port) {
  impl_->SetUpstream(std::move(host), port);
}
void IngressServer::CloseConnections() { impl_->CloseConnections(); }

}  // namespace squall::fakes
