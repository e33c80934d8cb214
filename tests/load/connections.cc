#include "tests/load/connections.h"

#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "fakes/engine/engine.h"

namespace squall::load {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 256 << 10;

wire::GrpcClientOptions ClientOptions() {
  wire::GrpcClientOptions options;
  options.authority = "localhost";
  options.user_agent = "squall-load";
  options.max_response_bytes = 64 << 20;
  return options;
}

}  // namespace

struct Connections::Link {
  explicit Link(boost::asio::io_context& io) : socket(io), grpc(ClientOptions()) {}
  tcp::socket socket;
  wire::GrpcClientConnection grpc;
  std::set<wire::StreamId> calls;
  std::string pending;  // what the kernel did not take yet
  std::size_t sent = 0;
  bool open = false;       // TCP is connected
  bool counted = false;    // in established_
  bool writing = false;    // waits for the socket to become writable
  bool scheduled = false;  // a Flush is posted
  bool lost = false;
};

Connections::Connections(harness::AsioExecutor& executor, int port, std::size_t count)
    : executor_(executor), port_(port), slots_(count), buffer_(kReadBytes, '\0') {}

Connections::~Connections() {
  *alive_ = false;
  for (const LinkPtr& link : slots_) {
    error_code ignored;
    if (link != nullptr) link->socket.close(ignored);
  }
}

Status Connections::ConnectAll(Duration limit) {
  for (std::size_t i = 0; i < slots_.size(); ++i) Living(i);
  if (executor_.RunUntil([this] { return established_ >= slots_.size(); }, limit))
    return absl::OkStatus();
  return MakeStatus(StatusCode::kDeadlineExceeded, "{} of {} connections are established",
                    established_, slots_.size());
}

Connections::LinkPtr& Connections::Living(std::size_t slot) {
  LinkPtr& link = slots_.at(slot);
  if (link == nullptr || link->lost || link->grpc.going_away()) {
    link = std::make_shared<Link>(executor_.io());
    Open(link);
  }
  return link;
}

void Connections::Open(const LinkPtr& link) {
  error_code error;
  link->socket.open(tcp::v4(), error);
  if (error) return Lose(link, "socket: " + error.message());
  link->socket.set_option(tcp::no_delay(true), error);
  const tcp::endpoint server(boost::asio::ip::address_v4::loopback(),
                             static_cast<std::uint16_t>(port_));
  link->socket.async_connect(server, [this, link, alive = alive_](const error_code& failed) {
    if (!*alive) return;
    if (failed) return Lose(link, "connect: " + failed.message());
    error_code ignored;
    link->socket.native_non_blocking(true, ignored);
    link->open = true;
    ++connected_;
    Flush(link);
    Read(link);
  });
}

void Connections::Read(const LinkPtr& link) {
  link->socket.async_wait(
      tcp::socket::wait_read, [this, link, alive = alive_](const error_code& error) {
        if (!*alive || error || link->lost) return;
        const ssize_t n = ::recv(link->socket.native_handle(), buffer_.data(), buffer_.size(), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Read(link);
        if (n <= 0) return Lose(link, n == 0 ? "closed by the server" : std::strerror(errno));
        const Status status =
            link->grpc.Feed(std::string_view(buffer_.data(), static_cast<std::size_t>(n)));
        if (!status.ok()) return Lose(link, Message(status));
        if (!link->counted && link->grpc.established()) {
          link->counted = true;
          ++established_;
        }
        Flush(link);
        if (!link->lost) Read(link);
      });
}

void Connections::Flush(const LinkPtr& link) {
  if (link->lost || !link->open || link->writing) return;
  for (;;) {
    if (link->sent == link->pending.size()) {
      link->pending.clear();
      link->sent = 0;
      link->grpc.TakeOutput(link->pending);
      if (link->pending.empty()) return;
    }
    const ssize_t n = ::send(link->socket.native_handle(), link->pending.data() + link->sent,
                             link->pending.size() - link->sent, MSG_NOSIGNAL);
    if (n >= 0) {
      link->sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      link->writing = true;
      link->socket.async_wait(tcp::socket::wait_write,
                              [this, link, alive = alive_](const error_code& error) {
                                if (!*alive || error) return;
                                link->writing = false;
                                Flush(link);
                              });
      return;
    } else if (errno != EINTR) {
      return;  // reading tells why
    }
  }
}

void Connections::Lose(const LinkPtr& link, std::string_view why) {
  if (std::exchange(link->lost, true)) return;
  error_code ignored;
  link->socket.close(ignored);
  if (link->counted) --established_;
  link->grpc.ConnectionLost(why);
}

void Connections::Call(std::size_t slot, std::string_view method,
                       const google::protobuf::MessageLite& request, Duration timeout, Done done) {
  const LinkPtr link = Living(slot);
  ++open_calls_;
  auto stream = std::make_shared<wire::StreamId>(0);
  *stream = link->grpc.StartCall(
      {.service = std::string(fakes::kWorkflowService),
       .method = std::string(method),
       .metadata = {},
       .message = request.SerializeAsString(),
       .timeout = timeout},
      [this, link = link.get(), stream, done = std::move(done)](wire::GrpcResponse response) {
        --open_calls_;
        link->calls.erase(*stream);
        done(std::move(response));
      });
  if (*stream != 0) link->calls.insert(*stream);
  // Calls that are made together leave together.
  if (std::exchange(link->scheduled, true)) return;
  Post([this, link] {
    link->scheduled = false;
    Flush(link);
  });
}

void Connections::Post(std::function<void()> work) {
  executor_.Post([alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

void Connections::CancelCalls(std::size_t slot) {
  const LinkPtr link = slots_.at(slot);
  if (link == nullptr || link->lost) return;
  const std::set<wire::StreamId> calls = link->calls;
  for (const wire::StreamId call : calls) link->grpc.Cancel(call);
  Flush(link);
}

void Connections::Close(std::size_t slot) {
  if (const LinkPtr link = slots_.at(slot)) Lose(link, "closed by us");
}

}  // namespace squall::load
