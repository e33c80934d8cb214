#include "fakes/server/fake_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <future>
#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 64 << 10;
// A connection whose peer does not read is not read from either once this much waits for it.
constexpr std::size_t kMaxPendingBytes = 16 << 20;
// How long a connection that we closed may stay to let the peer read our last bytes.
constexpr auto kLinger = std::chrono::seconds(1);
// Pause of accepting when the process is out of descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
// How often Start tries a port that is taken.
constexpr auto kBindInterval = std::chrono::milliseconds(20);

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket bound to the port. Made by hand, as Asio's would be inherited by every process that the
// harness starts.
StatusOr<Descriptor> Bind(int port) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) {
    return MakeStatus(StatusCode::kUnavailable, "create a socket: {}", std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return MakeStatus(StatusCode::kUnavailable, "listen on 127.0.0.1:{}: {}", port,
                      std::strerror(errno));
  }
  return fd;
}

StatusOr<Descriptor> Listen(int port) {
  SQUALL_ASSIGN_OR_RETURN(Descriptor fd, Bind(port));
  if (::listen(fd.get(), SOMAXCONN) != 0) {
    return MakeStatus(StatusCode::kUnavailable, "listen on 127.0.0.1:{}: {}", port,
                      std::strerror(errno));
  }
  return fd;
}

int PortOf(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  SQUALL_CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0,
               "getsockname of a bound socket");
  return ntohs(address.sin_port);
}

std::string AddressText(const sockaddr_in& address) {
  const std::uint32_t ip = ntohl(address.sin_addr.s_addr);
  return fmt::format("{}.{}.{}.{}:{}", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
                     ntohs(address.sin_port));
}

// Blocks all signals while a thread is started, so that they go to the threads of the program.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

struct FakeServer::Impl {
  struct Session {
    Session(asio::io_context& io, std::uint64_t id_in) : id(id_in), socket(io), linger(io) {}
    const std::uint64_t id;
    tcp::socket socket;
    std::string pending;  // output that the kernel did not take yet
    std::size_t pending_sent = 0;
    bool writing = false;  // waits for the socket to become writable
    bool reading = false;  // waits for it to become readable
    bool closing = false;  // the frontend is done with it
    asio::steady_timer linger;
  };
  using SessionPtr = std::shared_ptr<Session>;

  Impl(FakeServerOptions options_in, FrontendOptions frontend_options)
      : options(std::move(options_in)),
        sink(options.journal != nullptr ? *options.journal : null_sink),
        clock(options.clock != nullptr ? *options.clock : real_clock),
        engine(options.engine, sink),
        frontend(std::move(frontend_options), engine, sink),
        acceptor(io),
        accept_pause(io),
        timer(io),
        read_buffer(kReadBytes, '\0') {}

  FakeServerOptions options;
  journal::NullSink null_sink;
  RealClock real_clock;
  journal::Sink& sink;
  const Clock& clock;
  Engine engine;
  Frontend frontend;

  asio::io_context io{1};
  Descriptor holder;  // bound, never listening: the port stays ours while the listener is closed
  int port = 0;
  tcp::acceptor acceptor;
  asio::steady_timer accept_pause;
  asio::steady_timer timer;
  std::optional<SteadyTime> timer_at;
  std::map<std::uint64_t, SessionPtr> sessions;
  std::string read_buffer;
  bool suspended = false;
  std::thread thread;

  Moment Now() const { return clock.MomentNow(); }

  // Runs `function` on the server's thread and waits for it.
  void Run(const std::function<void()>& function) {
    SQUALL_CHECK(std::this_thread::get_id() != thread.get_id(),
                 "FakeServer was called from its own thread");
    std::promise<void> done;
    asio::post(io, [&] {
      function();
      done.set_value();
    });
    done.get_future().wait();
  }

  void JournalListening() {
    journal::ConnectionEvent event;
    event.what = "listening";
    event.link = options.name;
    event.local = fmt::format("127.0.0.1:{}", port);
    if (options.tls.has_value()) {
      event.detail = options.tls->require_client_certificate ? "mTLS" : "TLS";
    }
    sink.Append("server:" + options.name, std::move(event));
  }

  Status Open() {
    SQUALL_ASSIGN_OR_RETURN(Descriptor listener, Listen(port));
    error_code error;
    acceptor.assign(tcp::v4(), listener.get(), error);
    if (error) {
      return MakeStatus(StatusCode::kUnavailable, "listen on 127.0.0.1:{}: {}", port,
                        error.message());
    }
    listener.release();
    JournalListening();
    WaitForConnection();
    return absl::OkStatus();
  }

  // --- Connections
  // ---------------------------------------------------------------------------------------------------

  void WaitForConnection() {
    acceptor.async_wait(tcp::acceptor::wait_read, [this](const error_code& error) {
      if (!error) AcceptAll();
    });
  }

  void AcceptAll() {
    for (;;) {
      sockaddr_in peer = {};
      socklen_t size = sizeof peer;
      Descriptor fd(::accept4(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.get() < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          // The connection stays in the backlog; asking again at once would only turn in a circle.
          accept_pause.expires_after(kAcceptPause);
          accept_pause.async_wait([this](const error_code& error) {
            if (!error && acceptor.is_open()) AcceptAll();
          });
          Flush();
          return;
        }
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
        break;
      }
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const std::uint64_t id =
          frontend.Accept(Now(), AddressText(peer), fmt::format("127.0.0.1:{}", port));
      auto session = std::make_shared<Session>(io, id);
      error_code error;
      session->socket.assign(tcp::v4(), fd.get(), error);
      if (error) {
        frontend.PeerClosed(Now(), id, true);
        continue;
      }
      fd.release();
      session->socket.native_non_blocking(true, error);
      sessions.emplace(id, session);
      WaitForBytes(session);
    }
    Flush();
    WaitForConnection();
  }

  void WaitForBytes(const SessionPtr& session) {
    if (session->reading || !session->socket.is_open()) return;
    session->reading = true;
    session->socket.async_wait(tcp::socket::wait_read, [this, session](const error_code& error) {
      session->reading = false;
      if (!error) ReadFrom(session);
    });
  }

  void ReadFrom(const SessionPtr& session) {
    const ssize_t n =
        ::recv(session->socket.native_handle(), read_buffer.data(), read_buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      WaitForBytes(session);
      return;
    }
    if (n <= 0) {
      const bool reset = n < 0;
      Drop(session);
      frontend.PeerClosed(Now(), session->id, reset);
      Flush();
      return;
    }
    if (!session->closing) {
      frontend.Receive(Now(), session->id,
                       std::string_view(read_buffer.data(), static_cast<std::size_t>(n)));
      Flush();
    }
    if (session->pending.size() - session->pending_sent < kMaxPendingBytes) WaitForBytes(session);
  }

  void Drop(const SessionPtr& session) {
    error_code ignored;
    session->socket.close(ignored);
    session->linger.cancel();
    sessions.erase(session->id);
  }

  // Carries the frontend's output to the sockets and sets the timer anew.
  void Flush() {
    for (FrontendOutput& output : frontend.TakeOutput()) {
      const auto it = sessions.find(output.connection);
      if (it == sessions.end()) continue;
      const SessionPtr session = it->second;
      if (output.end == FrontendOutput::End::kReset) {
        const linger abort = {.l_onoff = 1, .l_linger = 0};
        ::setsockopt(session->socket.native_handle(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        Drop(session);
        continue;
      }
      if (output.end == FrontendOutput::End::kClose) session->closing = true;
      Send(session, std::move(output.bytes));
    }
    SetTimer();
  }

  void Send(const SessionPtr& session, std::string bytes) {
    if (session->pending.empty()) {
      session->pending = std::move(bytes);
      session->pending_sent = 0;
    } else {
      session->pending += bytes;
    }
    if (!session->writing) Write(session);
  }

  void Write(const SessionPtr& session) {
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
        // Reading finds out what happened and tells the frontend; nothing can be sent any more.
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

  // Says that nothing more comes, and waits for the peer to say the same: closing while bytes of
  // the peer are unread would send a reset, which may overtake our last words.
  void FinishClosing(const SessionPtr& session) {
    error_code ignored;
    session->socket.shutdown(tcp::socket::shutdown_send, ignored);
    session->linger.expires_after(kLinger);
    session->linger.async_wait([this, session](const error_code& error) {
      if (!error) Drop(session);
    });
    WaitForBytes(session);
  }

  // --- Time
  // ----------------------------------------------------------------------------------------------------------

  // Deadlines move with every call, mostly away. A timer that is set earlier than needed fires for
  // nothing, which is cheaper than setting it anew each time.
  void SetTimer() {
    const std::optional<SteadyTime> next = suspended ? std::nullopt : frontend.NextDeadline();
    if (!next.has_value() || (timer_at.has_value() && *timer_at <= *next)) return;
    timer_at = next;
    timer.expires_after(std::max(Duration::zero(), *next - clock.Now()));
    timer.async_wait([this](const error_code& error) {
      if (error) return;
      timer_at.reset();
      if (suspended) return;
      frontend.Advance(Now());
      Flush();
    });
  }

  void CloseConnections(Frontend::Ending ending) {
    error_code ignored;
    acceptor.close(ignored);
    accept_pause.cancel();
    frontend.CloseAll(Now(), ending);
    if (ending == Frontend::Ending::kShutdown) {
      Flush();
    } else {
      frontend.TakeOutput();  // a dead process sends nothing
    }
    for (auto& [id, session] : sessions) {
      session->socket.close(ignored);
      session->linger.cancel();
    }
    sessions.clear();
  }
};

FakeServer::FakeServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<FakeServer>> FakeServer::Start(FakeServerOptions options) {
  FrontendOptions frontend = options.frontend;
  frontend.name = options.name;
  options.engine.name = options.name;
  if (options.journal == nullptr) {
    options.engine.journal_rpcs = false;
    options.engine.journal_state = false;
  }
  if (options.tls.has_value()) {
    StatusOr<std::shared_ptr<wire::TlsContext>> tls = wire::TlsContext::Server(*options.tls);
    if (!tls.ok()) return Annotate(tls.status(), "TLS of the fake server");
    frontend.tls = *std::move(tls);
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(frontend));

  const SteadyTime give_up = impl->clock.Now() + impl->options.port_patience;
  for (;;) {
    StatusOr<Descriptor> holder = Bind(impl->options.port);
    if (holder.ok()) {
      impl->holder = *std::move(holder);
      break;
    }
    if (impl->clock.Now() >= give_up) return holder.status();
    impl->timer.expires_after(kBindInterval);
    impl->timer.wait();
  }
  impl->port = PortOf(impl->holder.get());
  SQUALL_RETURN_IF_ERROR(impl->Open());
  impl->SetTimer();

  const SignalsBlocked blocked;
  Impl& served = *impl;
  impl->thread = std::thread([&served] {
    pthread_setname_np(pthread_self(), "squall-server");
    const auto work = asio::make_work_guard(served.io);
    served.io.run();
  });
  return std::unique_ptr<FakeServer>(new FakeServer(std::move(impl)));
}

FakeServer::~FakeServer() {
  impl_->Run([this] {
    impl_->CloseConnections(Frontend::Ending::kCrash);
    impl_->io.stop();
  });
  impl_->thread.join();
}

std::string FakeServer::address() const { return fmt::format("127.0.0.1:{}", impl_->port); }

int FakeServer::port() const { return impl_->port; }

Status FakeServer::Suspend() {
  impl_->Run([this] {
    if (impl_->suspended) return;
    impl_->suspended = true;
    impl_->timer.cancel();
    impl_->timer_at.reset();
    impl_->CloseConnections(Frontend::Ending::kCrash);
  });
  return absl::OkStatus();
}

Status FakeServer::Resume(bool keep_data) {
  Status status;
  impl_->Run([&] {
    if (!impl_->suspended) return;
    status = impl_->Open();
    if (!status.ok()) return;
    impl_->suspended = false;
    impl_->engine.Restart(impl_->Now(), keep_data);
    impl_->frontend.Advance(impl_->Now());
    impl_->Flush();
  });
  return status;
}

bool FakeServer::suspended() const {
  bool result = false;
  impl_->Run([&] { result = impl_->suspended; });
  return result;
}

void FakeServer::Drain() {
  impl_->Run([this] {
    impl_->frontend.Drain(impl_->Now());
    impl_->Flush();
  });
}

void FakeServer::Shutdown() {
  impl_->Run([this] {
    impl_->suspended = true;
    impl_->timer.cancel();
    impl_->CloseConnections(Frontend::Ending::kShutdown);
  });
}

void FakeServer::WithEngine(const std::function<void(Engine&, Moment)>& function) {
  impl_->Run([&] {
    const Moment now = impl_->Now();
    function(impl_->engine, now);
    impl_->frontend.Poll(now);
    impl_->Flush();
  });
}

std::size_t FakeServer::connections() const {
  std::size_t result = 0;
  impl_->Run([&] { result = impl_->sessions.size(); });
  return result;
}

}  // namespace squall::fakes
