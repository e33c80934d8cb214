#include "harness/target/temporal_calls.h"

#include <absl/strings/cord.h>
#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include <thread>
#include <utility>
#include <vector>

#include "base/api/client_calls.h"
#include "base/util/hand_over.h"

namespace squall::harness {
namespace {

// How long gRPC may take over one connection attempt, TLS included. Its own default (20 s) hides a
// silent peer for longer than scenarios wait.
constexpr int kConnectMilliseconds = 5000;

// Between two attempts of a call that waits for the server.
constexpr Duration kRetryPause = std::chrono::milliseconds(20);

int Milliseconds(Duration d) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

std::string ToText(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

}  // namespace

// gRPC's side of a client. A completion queue with a thread of its own: gRPC 1.51's callback API
// shares one queue in the process, and falls over when the last channel goes while its threads
// still run (grpc_cq_internal_unref aborts).
struct TemporalCalls::Wire {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
  grpc::CompletionQueue queue;
  std::thread thread;
};

struct TemporalCalls::Open {
  std::uint64_t number = 0;
  std::string path, method;  // method: the path's last part
  CallOptions how;
  CallFacts facts;
  SteadyTime begun, end;
  std::string request;  // kept where the call may be made again
  Callback done;
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer response;
  grpc::Status status;
};

TemporalCalls::TemporalCalls(Executor& the_executor, journal::Sink& the_journal,
                             TemporalClientOptions the_options)
    : executor(the_executor),
      journal(the_journal),
      options(std::move(the_options)),
      source("client:" + options.name),
      wire_(std::make_unique<Wire>()) {
  Connect();
}

TemporalCalls::~TemporalCalls() { Close(); }

void TemporalCalls::Connect() {
  grpc::ChannelArguments arguments;
  // A connection of its own: gRPC would share it with every other channel to the same address in
  // this process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(options.reconnect_min));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.reconnect_max));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMilliseconds);
  // A call is one attempt: what is retried, and how often, is in the journal.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.tls) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = options.tls->ca_pem;
    ssl.pem_private_key = options.tls->private_key_pem;
    ssl.pem_cert_chain = options.tls->certificate_chain_pem;
    credentials = grpc::SslCredentials(ssl);
    if (!options.tls->server_name.empty())
      arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  wire_->channel = grpc::CreateCustomChannel(options.address, credentials, arguments);
  wire_->stub = std::make_unique<grpc::GenericStub>(wire_->channel);
}

void TemporalCalls::ResetBackoff() {
  grpc::experimental::ChannelResetConnectionBackoff(wire_->channel.get());
}

void TemporalCalls::Start(std::string_view method, const std::string& request,
                          const CallOptions& how, CallFacts facts, Callback done) {
  if (closed) return;  // its owner is gone: nobody is called back any more
  const auto open = std::make_shared<Open>();
  open->path = api::PathOf(method);
  open->number = ++calls_;
  open->method = open->path.substr(open->path.rfind('/') + 1);
  open->how = how;
  open->facts = std::move(facts);
  open->begun = executor.clock().Now();
  open->done = std::move(done);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer message(&slice, 1);
  const Duration deadline = how.deadline.value_or(options.deadline);
  open->end = open->begun + deadline;
  if (how.wait_for_ready) open->request = request;
  // gRPC wants an absolute time of its own clock.
  open->context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                          gpr_time_from_nanos(deadline.count(), GPR_TIMESPAN)));
  open->context.set_wait_for_ready(how.wait_for_ready);
  // What every SDK sends; a frontend may look at them.
  open->context.AddMetadata("client-name", "squall");
  open->context.AddMetadata("client-version", "0.1.0");
  open->context.AddMetadata("temporal-namespace", NamespaceOf(how));
  if (!options.api_key.empty())
    open->context.AddMetadata("authorization", "Bearer " + options.api_key);
  for (const auto& [name, value] : options.headers) open->context.AddMetadata(name, value);
  open_[open->number] = open;
  if (!wire_->thread.joinable()) {
    wire_->thread = std::thread([this, weak = weak_from_this()] {
      // Ends when Close() has shut the queue down and every call has come back; this object waits
      // for that.
      void* tag = nullptr;
      for (bool ok = false; wire_->queue.Next(&tag, &ok);) {
        TakeOver(tag);
        executor.Post([weak, number = static_cast<Open*>(tag)->number] {
          if (const auto self = weak.lock()) self->Finish(number);
        });
      }
    });
  }
  open->reader = wire_->stub->PrepareUnaryCall(&open->context, open->path, message, &wire_->queue);
  open->reader->StartCall();
  HandOver(open.get());
  open->reader->Finish(&open->response, &open->status, open.get());
}

void TemporalCalls::Finish(std::uint64_t number) {
  const auto found = open_.find(number);
  if (closed || found == open_.end()) return;
  const std::shared_ptr<Open> open = std::move(found->second);
  open_.erase(found);
  const grpc::Status& status = open->status;
  if (open->how.journal) {
    journal.Append(source, journal::RpcEvent{.what = status.ok() ? "answered" : "failed",
                                             .side = "client",
                                             .endpoint = options.name,
                                             .call = number,
                                             .method = open->method,
                                             .ns = NamespaceOf(open->how),
                                             .task_queue = open->facts.task_queue,
                                             .workflow_id = open->facts.workflow_id,
                                             .identity = options.identity,
                                             .code = static_cast<int>(status.error_code()),
                                             .latency = executor.clock().Now() - open->begun,
                                             .detail = status.error_message()});
  }
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && open->how.wait_for_ready &&
      executor.clock().Now() + kRetryPause < open->end) {
    // gRPC took a connection for ready that was dead already.
    executor.After(kRetryPause, [weak = weak_from_this(), open] {
      const auto self = weak.lock();
      if (!self || self->closed) return;
      CallOptions how = open->how;
      how.deadline = open->end - self->executor.clock().Now();
      self->Start(open->path, open->request, how, open->facts, std::move(open->done));
    });
    return;
  }
  if (!open->done) return;
  if (status.ok()) {
    open->done(ToText(open->response));
    return;
  }
  Status error(static_cast<StatusCode>(status.error_code()), status.error_message());
  // google.rpc.Status: tells a missing namespace from a missing workflow.
  if (!status.error_details().empty())
    error.SetPayload(api::kStatusDetails, absl::Cord(status.error_details()));
  open->done(std::move(error));
}

void TemporalCalls::CancelAll() {
  for (const auto& [number, open] : open_) open->context.TryCancel();
}

void TemporalCalls::Close() {
  if (std::exchange(closed, true)) return;
  CancelAll();
  wire_->queue.Shutdown();
  if (wire_->thread.joinable()) {
    wire_->thread.join();
  } else {
    void* tag = nullptr;
    for (bool ok = false; wire_->queue.Next(&tag, &ok);) {
    }
  }
  open_.clear();
  wire_->stub.reset();
  wire_->channel.reset();
}

}  // namespace squall::harness
