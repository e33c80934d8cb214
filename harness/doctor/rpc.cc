#include "harness/doctor/rpc.h"

#include <utility>

namespace squall::doctor {
namespace {

constexpr std::size_t kKeptSpeech = 4096;

}  // namespace

struct Rpc::Impl {
  Impl(harness::AsioExecutor& the_executor, std::unique_ptr<Channel> the_channel,
       RpcOptions the_options)
      : clock(the_executor.clock()),
        channel(std::move(the_channel)),
        options(std::move(the_options)),
        grpc(Options(options)) {}

  static wire::GrpcClientOptions Options(const RpcOptions& options) {
    wire::GrpcClientOptions result;
    result.authority = options.authority;
    result.tls = options.tls;
    result.user_agent = "squall-doctor";
    return result;
  }

  const Clock& clock;
  std::unique_ptr<Channel> channel;
  const RpcOptions options;
  wire::GrpcClientConnection grpc;
  std::map<wire::StreamId, CallPtr> open;
  std::string said;
  Status broken;
  bool lost = false;
};

Rpc::Rpc(harness::AsioExecutor& executor, std::unique_ptr<Channel> channel, RpcOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(channel), std::move(options))) {
  impl_->channel->OnChange([this] { Pump(); });
  Pump();
}

Rpc::~Rpc() { impl_->channel->OnChange(nullptr); }

void Rpc::Pump() {
  Impl& s = *impl_;
  const std::string bytes = s.channel->Take();
  if (!bytes.empty()) {
    if (!s.grpc.established() && s.said.size() < kKeptSpeech)
      s.said += bytes.substr(0, kKeptSpeech - s.said.size());
    if (s.broken.ok()) s.broken = s.grpc.Feed(bytes);
  }
  if (!s.lost && (s.channel->over() || !s.broken.ok())) {
    s.lost = true;
    s.grpc.ConnectionLost(s.broken.ok() ? "the connection ended" : Message(s.broken));
  }
  if (s.channel->ready()) {
    if (const std::string out = s.grpc.TakeOutput(); !out.empty()) s.channel->Send(out);
  }
}

CallPtr Rpc::Start(std::string_view service, std::string_view method, std::string message,
                   Duration timeout) {
  Impl& s = *impl_;
  auto call = std::make_shared<Call>();
  call->method = method;
  wire::GrpcRequest request;
  request.service = service;
  request.method = method;
  request.message = std::move(message);
  request.metadata = s.options.metadata;
  request.timeout = timeout;
  const SteadyTime began = s.clock.Now();
  const wire::StreamId stream =
      s.grpc.StartCall(request, [call, began, &s](wire::GrpcResponse response) {
        call->response = std::move(response);
        call->took = s.clock.Now() - began;
        call->done = true;
      });
  if (stream != 0) s.open[stream] = call;
  Pump();
  return call;
}

void Rpc::CancelOpen() {
  for (const auto& [stream, call] : impl_->open) {
    if (!call->done) impl_->grpc.Cancel(stream);
  }
  Pump();
}

void Rpc::Ping() {
  impl_->grpc.http2().Ping("squall");
  Pump();
}
bool Rpc::TakePingAck() { return impl_->grpc.TakePingAck(); }

bool Rpc::established() const { return impl_->grpc.established(); }
bool Rpc::going_away() const { return impl_->grpc.going_away(); }
const Status& Rpc::broken() const { return impl_->broken; }
const std::string& Rpc::said() const { return impl_->said; }
const Channel& Rpc::channel() const { return *impl_->channel; }
Channel& Rpc::channel() { return *impl_->channel; }

}  // namespace squall::doctor
