#pragma once
// A front end on a manual clock with clients at the other end of its connections, byte by byte.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "base/wire/tls.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/frontend.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/segments.h"

namespace squall::fakes {

// The catalogue is minted for the manual clock's first day.
inline const wire::CertificateSet& Catalogue() {
  static const wire::CertificateSet set = [] {
    Rng rng(7);
    return wire::MintCatalogue(ManualClock().WallNow(), rng);
  }();
  return set;
}

class FrontendFixture : public ::testing::Test {
 protected:
  // A client at the other end of one connection.
  struct Peer {
    explicit Peer(const wire::GrpcClientOptions& options) : grpc(options) {}
    std::uint64_t id = 0;
    wire::GrpcClientConnection grpc;
    std::unique_ptr<wire::TlsSession> tls;
    std::string raw;  // sent as it is, instead of gRPC
    std::string received_raw;
    std::optional<FrontendOutput::End> end;
  };

  void Start(FrontendOptions options = {}, const EngineOptions& engine_options = {}) {
    peers.clear();
    frontend.reset();
    journal.emplace(clock);
    engine.emplace(engine_options, *journal);
    options.limits = limits;
    frontend.emplace(std::move(options), *engine, *journal);
  }

  FrontendOptions Tls(const std::string& client_ca = {}) {
    wire::TlsServerOptions tls;
    tls.identity = Catalogue().server;
    tls.client_ca_pem = client_ca;
    tls.require_client_certificate = !client_ca.empty();
    auto context = wire::TlsContext::Server(tls);
    EXPECT_OK(context);
    FrontendOptions options;
    options.tls = *context;
    return options;
  }

  wire::TlsClientOptions Trusting() {
    wire::TlsClientOptions options;
    options.ca_pem = Catalogue().ca_pem;
    options.server_name = "localhost";
    return options;
  }

  Peer& Connect(std::optional<wire::TlsClientOptions> tls = std::nullopt,
                std::size_t listener = 0) {
    wire::GrpcClientOptions options;
    options.authority = "localhost:7233";
    options.tls = tls.has_value();
    peers.push_back(std::make_unique<Peer>(options));
    Peer& peer = *peers.back();
    peer.id = frontend->Accept(clock.MomentNow(), fmt::format("10.0.0.{}:1", peers.size()), "here",
                               listener);
    if (tls.has_value()) {
      auto context = wire::TlsContext::Client(*tls);
      EXPECT_OK(context);
      peer.tls = std::make_unique<wire::TlsSession>(*context, clock.WallNow());
    }
    return peer;
  }

  // Carries bytes between the peers and the frontend until all are silent.
  void Exchange() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& peer : peers) {
        if (peer->end.has_value()) continue;
        std::string up = std::exchange(peer->raw, {});
        if (up.empty() && peer->received_raw.empty()) up = peer->grpc.TakeOutput();
        if (peer->tls != nullptr) {
          if (!up.empty()) peer->tls->WritePlaintext(up);
          up = peer->tls->TakeCiphertext();
        }
        moved = moved || !up.empty();
        wire::InPieces(up, rng, 600, [&](std::string_view piece) {
          frontend->Receive(clock.MomentNow(), peer->id, piece);
          return true;
        });
      }
      for (const FrontendOutput& output : frontend->TakeOutput()) {
        moved = true;
        for (const auto& peer : peers) {
          if (peer->id != output.connection) continue;
          EXPECT_FALSE(peer->end.has_value()) << "output behind the end";
          std::string plain = output.bytes;
          if (peer->tls != nullptr) {
            peer->tls->FeedCiphertext(plain);
            plain = peer->tls->TakePlaintext();
          }
          if (!peer->grpc.Feed(plain).ok()) peer->received_raw += plain;
          if (output.end != FrontendOutput::End::kKeep) {
            peer->end = output.end;
            peer->grpc.ConnectionLost("closed by the server");
          }
        }
      }
    }
  }

  // Moves time forward, standing at each deadline that the frontend asks for.
  void Advance(Duration by) {
    const SteadyTime until = clock.Now() + by;
    for (;;) {
      const std::optional<SteadyTime> next = frontend->NextDeadline();
      if (!next.has_value() || *next > until) break;
      clock.AdvanceTo(*next);
      frontend->Advance(clock.MomentNow());
      Exchange();
    }
    clock.AdvanceTo(until);
  }

  struct Result {
    bool done = false;
    wire::GrpcResponse response;
    wire::StreamId stream = 0;
  };
  using ResultPtr = std::shared_ptr<Result>;

  ResultPtr Begin(Peer& peer, std::string method, const google::protobuf::Message& message,
                  wire::Metadata metadata = {}, std::optional<Duration> timeout = std::nullopt) {
    auto result = std::make_shared<Result>();
    wire::GrpcRequest request;
    request.service = kWorkflowService;
    request.method = std::move(method);
    request.message = message.SerializeAsString();
    request.metadata = std::move(metadata);
    request.timeout = timeout;
    result->stream = peer.grpc.StartCall(request, [result](wire::GrpcResponse response) {
      EXPECT_FALSE(result->done);
      result->done = true;
      result->response = std::move(response);
    });
    return result;
  }

  wire::GrpcResponse Call(Peer& peer, std::string method, const google::protobuf::Message& message,
                          wire::Metadata metadata = {}) {
    const ResultPtr result = Begin(peer, std::move(method), message, std::move(metadata));
    Exchange();
    EXPECT_TRUE(result->done);
    return result->response;
  }

  wire::GrpcResponse GetSystemInfo(Peer& peer, wire::Metadata metadata = {}) {
    return Call(peer, "GetSystemInfo", temporal::api::workflowservice::v1::GetSystemInfoRequest(),
                std::move(metadata));
  }

  static temporal::api::workflowservice::v1::PollWorkflowTaskQueueRequest Poll(
      const std::string& queue) {
    temporal::api::workflowservice::v1::PollWorkflowTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name(queue);
    request.set_identity("tester");
    return request;
  }

  // "what connection detail" of each connection event.
  std::vector<std::string> Connections() const {
    std::vector<std::string> lines;
    for (const journal::Event& event : journal->Events()) {
      if (const auto* connection = event.As<journal::ConnectionEvent>()) {
        lines.push_back(
            fmt::format("{} {} {}", connection->what, connection->connection, connection->detail));
      }
    }
    return lines;
  }

  ManualClock clock;
  ConnectionLimits limits = ConnectionLimits::None();  // of Start
  Rng rng{5};
  std::optional<journal::Journal> journal;
  std::optional<Engine> engine;
  std::optional<Frontend> frontend;
  std::vector<std::unique_ptr<Peer>> peers;
};

}  // namespace squall::fakes
