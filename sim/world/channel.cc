#include "sim/world/channel.h"

#include <cstring>
#include <utility>
#include <vector>

namespace squall::sim {

// Lives as long as its leg tells of something, which holds it.
class Channel::Connection final : public std::enable_shared_from_this<Channel::Connection> {
 public:
  Connection(Channel& channel, const std::shared_ptr<bool>& alive)
      : channel_(channel),
        channel_alive_(alive),
        grpc_({.authority = channel.options_.authority, .tls = channel.options_.tls != nullptr}) {}

  void Open(const std::shared_ptr<Stream>& stream) {
    const auto self = shared_from_this();
    leg_ = Leg::Attach(channel_.loop_, stream, Side::kClient,
                       {.bytes = [self](std::string_view bytes) { self->Receive(bytes); },
                        .ended = [self] { self->End("Socket closed"); },
                        .reset = [self](int error) { self->End(std::strerror(error)); }});
    if (channel_.options_.tls != nullptr) {
      tls_.emplace(channel_.options_.tls, channel_.loop_.clock().WallNow());
      return leg_->Send(tls_->TakeCiphertext());
    }
    Ready();
  }
  bool ready() const { return ready_; }
  bool usable() const { return !over_ && !grpc_.going_away(); }

  wire::StreamId Start(const wire::GrpcRequest& request, wire::GrpcClientConnection::Done done) {
    const wire::StreamId stream = grpc_.StartCall(request, std::move(done));
    Push();
    return stream;
  }
  void Cancel(wire::StreamId stream) {
    if (over_) return;
    grpc_.Cancel(stream);
    Push();
  }
  void End(const std::string& why) {
    if (std::exchange(over_, true)) return;
    const auto self = shared_from_this();  // the leg lets go of it
    leg_->Close();
    const bool never = !ready_;
    grpc_.ConnectionLost(why);
    if (channel_alive_.expired()) return;
    if (channel_.current_ == self) channel_.current_ = nullptr;
    if (never) channel_.FailWaiting(why);
  }

 private:
  void Ready() {
    ready_ = true;
    if (!channel_alive_.expired()) channel_.StartWaiting();
  }
  void Receive(std::string_view bytes) {
    const auto self = shared_from_this();
    std::string plaintext;
    if (tls_) {
      tls_->FeedCiphertext(bytes);
      plaintext = tls_->TakePlaintext();
      bytes = plaintext;
      leg_->Send(tls_->TakeCiphertext());
      if (!tls_->error().ok()) return End(std::string(Message(tls_->error())));
      if (!tls_->handshake_done()) return;
      if (!ready_) Ready();
    }
    if (!bytes.empty()) {
      if (const Status fed = grpc_.Feed(bytes); !fed.ok()) return End(std::string(Message(fed)));
    }
    Push();
    if (grpc_.going_away() && grpc_.open_calls() == 0) End("the server went away");
  }
  void Push() {
    if (over_) return;
    const std::string bytes = grpc_.TakeOutput();
    if (!tls_) return leg_->Send(bytes);
    tls_->WritePlaintext(bytes);
    leg_->Send(tls_->TakeCiphertext());
  }

  Channel& channel_;  // while it is alive
  const std::weak_ptr<bool> channel_alive_;
  wire::GrpcClientConnection grpc_;
  std::optional<wire::TlsSession> tls_;
  std::shared_ptr<Leg> leg_;
  bool ready_ = false, over_ = false;
};

Channel::Channel(Executor& loop, Network& network, ChannelOptions options)
    : loop_(loop), network_(network), options_(std::move(options)) {}

Channel::~Channel() {
  alive_ = nullptr;
  if (current_ != nullptr) current_->End("the client is closed");
}

std::uint64_t Channel::Call(fakes::RpcRequest request, Answer answer) {
  const std::uint64_t call = ++last_call_;
  Pending& pending = calls_[call];
  pending.answer = std::move(answer);
  pending.waiting = std::move(request);
  if (current_ != nullptr && !current_->usable()) current_ = nullptr;
  if (current_ == nullptr) {
    Connect();
  } else if (current_->ready()) {
    StartWaiting();
  }
  return call;
}

void Channel::Cancel(std::uint64_t call) {
  const auto node = calls_.extract(call);
  if (node.empty()) return;
  if (const auto on = node.mapped().on.lock()) on->Cancel(node.mapped().stream);
}

void Channel::Connect() {
  if (std::exchange(connecting_, true)) return;
  Endpoint from = options_.to;
  from.port = network_.NewPort();
  network_.Connect(from, options_.to,
                   [this, alive = std::weak_ptr<bool>(alive_)](
                       const std::shared_ptr<Stream>& stream, int error) {
                     if (alive.expired()) {
                       if (stream != nullptr) stream->Reset(Side::kClient);
                       return;
                     }
                     connecting_ = false;
                     if (error != 0)
                       return FailWaiting(options_.to.ToString() + ": " + std::strerror(error));
                     current_ = std::make_shared<Connection>(*this, alive_);
                     current_->Open(stream);
                   });
}

void Channel::StartWaiting() {
  const std::shared_ptr<Connection> connection = current_;
  for (auto& [call, pending] : calls_) {
    if (!pending.waiting) continue;
    const fakes::RpcRequest request = *std::exchange(pending.waiting, std::nullopt);
    wire::GrpcRequest grpc{request.service, request.method, request.metadata,
                           request.message, std::nullopt,   false};
    if (request.deadline) grpc.timeout = *request.deadline - loop_.clock().Now();
    pending.on = connection;
    pending.stream = connection->Start(grpc, [this, alive = std::weak_ptr<bool>(alive_),
                                              number = call](const wire::GrpcResponse& response) {
      if (alive.expired()) return;
      Done(number, {response.status.code, response.status.message, response.status.details},
           response.message);
    });
  }
}

void Channel::FailWaiting(const std::string& why) {
  for (const auto& [call, pending] : calls_) {
    if (pending.waiting) Done(call, {kUnavailable, why, ""}, "");
  }
}

// Posted: whoever asked is not inside its own call then, and neither is this.
void Channel::Done(std::uint64_t call, const fakes::RpcStatus& status, std::string message) {
  loop_.Post([this, alive = std::weak_ptr<bool>(alive_),
              response = fakes::RpcResponse{call, status, std::move(message)}] {
    if (alive.expired()) return;
    const auto node = calls_.extract(response.call);
    if (!node.empty()) node.mapped().answer(response);
  });
}

}  // namespace squall::sim
