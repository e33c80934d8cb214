#pragma once
// A gRPC client on a real socket, driven by the test's own thread: it moves only while the test
// waits.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/util/clock.h"
#include "base/wire/grpc.h"
#include "base/wire/tls.h"

namespace squall::fakes {

class SocketClient {
 public:
  // Connects to 127.0.0.1:port; see connected() and connect_errno().
  explicit SocketClient(int port, std::optional<wire::TlsClientOptions> tls = std::nullopt)
      : grpc_(Options(tls.has_value())) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      connect_errno_ = errno;
      return;
    }
    if (tls.has_value()) {
      auto context = wire::TlsContext::Client(*tls);
      EXPECT_TRUE(context.ok()) << context.status();
      tls_.emplace(*context, clock_.WallNow());
    }
  }
  ~SocketClient() {
    if (fd_ >= 0) ::close(fd_);
  }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  bool connected() const { return connect_errno_ == 0; }
  int connect_errno() const { return connect_errno_; }
  bool ended() const { return ended_; }
  wire::GrpcClientConnection& grpc() { return grpc_; }

  // Sends what is pending without waiting for anything to come back.
  void Send() {
    std::string bytes = grpc_.TakeOutput();
    if (tls_.has_value()) {
      if (!bytes.empty()) tls_->WritePlaintext(bytes);
      bytes = tls_->TakeCiphertext();
    }
    for (std::string_view rest = bytes; !rest.empty();) {
      const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return;  // reading tells why
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  // Moves bytes until `done` or the connection's end; false when neither came within 10 s (scaled).
  bool Until(const std::function<bool()>& done) {
    const SteadyTime limit = clock_.Now() + Scaled(std::chrono::seconds(10));
    for (;;) {
      Send();
      if (done()) return true;
      if (ended_) return done();
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(limit - clock_.Now()).count();
      pollfd waiting = {.fd = fd_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&waiting, 1, left > 0 ? static_cast<int>(left) : 0);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return false;
      char buffer[16384];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) {
        ended_ = true;
        grpc_.ConnectionLost(n == 0 ? "connection closed" : "connection reset");
        continue;
      }
      std::string plain(buffer, static_cast<std::size_t>(n));
      if (tls_.has_value()) {
        tls_->FeedCiphertext(plain);
        plain = tls_->TakePlaintext();
      }
      if (!plain.empty()) grpc_.Feed(plain).IgnoreError();
    }
  }

  struct Result {
    bool done = false;
    wire::GrpcResponse response;
  };
  std::shared_ptr<Result> Begin(std::string service, std::string method, std::string message) {
    auto result = std::make_shared<Result>();
    grpc_.StartCall({.service = std::move(service),
                     .method = std::move(method),
                     .message = std::move(message),
                     .timeout = std::chrono::seconds(70)},
                    [result](wire::GrpcResponse response) {
                      result->done = true;
                      result->response = std::move(response);
                    });
    return result;
  }
  wire::GrpcResponse Call(std::string service, std::string method, std::string message) {
    const auto result = Begin(std::move(service), std::move(method), std::move(message));
    EXPECT_TRUE(Until([&] { return result->done; })) << "no answer in time";
    return result->response;
  }

 private:
  static wire::GrpcClientOptions Options(bool tls) {
    wire::GrpcClientOptions options;
    options.authority = "localhost";
    options.tls = tls;
    options.max_response_bytes = 64 << 20;
    return options;
  }

  RealClock clock_;
  int fd_ = -1;
  int connect_errno_ = 0;
  bool ended_ = false;
  std::optional<wire::TlsSession> tls_;
  wire::GrpcClientConnection grpc_;
};

}  // namespace squall::fakes
