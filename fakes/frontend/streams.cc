#include "fakes/frontend/streams.h"

#include <algorithm>

#include "base/api/messages.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/reflection.h"
#include "health/v1/health.pb.h"

namespace squall::fakes {
namespace {

using grpc::health::v1::HealthCheckResponse;

void Tell(wire::ScriptedServer& server, wire::StreamId call,
          HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  server.grpc().Send(call, response.SerializeAsString());
}

}  // namespace

bool Streams::Has(std::string_view service, std::string_view method) {
  if (service == kHealthService) return method == "Watch";
  return (service == kReflectionV1 || service == kReflectionV1Alpha) && method == kReflectionMethod;
}

void Streams::Open(std::uint64_t connection, wire::StreamId call, wire::ScriptedServer& server,
                   std::string_view service) {
  server.AcceptStream(call);
  streams_[{connection, call}] = {.server = &server, .health = service == kHealthService};
}

bool Streams::OnMessage(std::uint64_t connection, wire::StreamId call, const std::string& message) {
  const auto it = streams_.find({connection, call});
  if (it == streams_.end()) return false;
  Stream& stream = it->second;
  if (!stream.health) {
    stream.server->grpc().Send(call, AnswerReflection(message));
    return true;
  }
  grpc::health::v1::HealthCheckRequest request;
  if (stream.watching || !request.ParseFromString(message)) {
    stream.server->grpc().Finish(
        call, {static_cast<int>(StatusCode::kInternal), "one request to watch", {}});
    streams_.erase(it);
    return true;
  }
  const auto services = api::ServiceNames();
  stream.watching = true;
  stream.known = request.service().empty() ||
                 std::find(services.begin(), services.end(), request.service()) != services.end();
  Tell(*stream.server, call,
       stream.known ? HealthCheckResponse::SERVING : HealthCheckResponse::SERVICE_UNKNOWN);
  return true;
}

void Streams::OnHalfClosed(std::uint64_t connection, wire::StreamId call) {
  const auto it = streams_.find({connection, call});
  if (it == streams_.end() || it->second.watching) return;  // a watch goes on after its one request
  wire::ScriptedServer& server = *it->second.server;
  streams_.erase(it);
  server.grpc().Finish(call, {});
}

bool Streams::Close(std::uint64_t connection, wire::StreamId call) {
  return streams_.erase({connection, call}) > 0;
}

void Streams::CloseAll(std::uint64_t connection) {
  const auto begin = streams_.lower_bound({connection, 0});
  streams_.erase(begin, streams_.lower_bound({connection + 1, 0}));
}

void Streams::OnShutdown() {
  for (auto& [key, stream] : streams_) {
    if (stream.watching && stream.known)
      Tell(*stream.server, key.second, HealthCheckResponse::NOT_SERVING);
  }
}

std::size_t Streams::on(std::uint64_t connection) const {
  return static_cast<std::size_t>(std::distance(streams_.lower_bound({connection, 0}),
                                                streams_.lower_bound({connection + 1, 0})));
}

}  // namespace squall::fakes
