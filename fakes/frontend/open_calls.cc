#include "fakes/frontend/open_calls.h"

#include "base/api/messages.h"
#include "base/util/planted.h"

namespace squall::fakes {
namespace {

// Deadlines further away than this are none; adding them to a time might overflow.
constexpr Duration kLongestTimeout = std::chrono::hours(24 * 3650);

}  // namespace

OpenCalls::OpenCalls(Engine& engine, ApiKeys keys, std::function<void(Connection&)> changed)
    : engine_(engine), keys_(std::move(keys)), changed_(std::move(changed)) {}

const ApiKey* OpenCalls::Admit(wire::GrpcCallHead& head, wire::GrpcStatus& refusal) const {
  const ApiKey* key = keys_.empty() ? nullptr : keys_.Find(head.metadata, refusal);
  head.metadata.erase("authorization");
  return key;
}

void OpenCalls::Start(SteadyTime now, Connection& connection, wire::StreamId stream,
                      wire::GrpcCallHead head, const ApiKey* key) {
  const std::uint64_t id = ++last_;
  Call call;
  call.connection = &connection;
  call.stream = stream;
  call.key = key;
  if (head.timeout.has_value() && *head.timeout < kLongestTimeout) {
    call.deadline = now + *head.timeout;
    deadlines_.emplace(*call.deadline, id);
  }
  call.request.service = std::move(head.service);
  call.request.method = std::move(head.method);
  call.request.metadata = std::move(head.metadata);
  call.request.deadline = call.deadline;
  calls_.emplace(id, std::move(call));
  connection.calls.emplace(stream, id);
  changed_(connection);
}

void OpenCalls::Submit(Moment now, Connection& connection, wire::StreamId stream,
                       std::string message, const wire::CallFate& fate) {
  const auto number = connection.calls.find(stream);
  if (number == connection.calls.end()) return;
  const std::uint64_t id = number->second;
  Call& call = calls_.at(id);
  if (call.key != nullptr && keys_.scoped()) {
    const std::string ns = api::FieldsOf(call.request.service, call.request.method, message).ns;
    wire::GrpcStatus refusal = ApiKeys::Allow(*call.key, call.request.method, ns);
    if (!refusal.ok()) {
      Erase(id);
      return connection.grpc().Finish(now.steady, stream, std::move(refusal));
    }
  }
  call.in_engine = true;
  RpcRequest request = std::move(call.request);
  request.message = std::move(message);
  if (!fate.fault_id.empty()) {
    request.fault_id = fate.fault_id;
    request.withheld = fate.withheld;
    if (fate.status.has_value()) {
      request.refusal = RpcStatus{fate.status->code, fate.status->message, fate.status->details};
    }
  }
  engine_.Call(now, id, std::move(request));
}

void OpenCalls::Erase(std::uint64_t id) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  if (it->second.deadline.has_value()) deadlines_.erase({*it->second.deadline, id});
  Connection& connection = *it->second.connection;
  connection.calls.erase(it->second.stream);
  calls_.erase(it);
  changed_(connection);
}

void OpenCalls::Cancel(Moment now, Connection& connection, wire::StreamId stream) {
  const auto number = connection.calls.find(stream);
  if (number == connection.calls.end()) return;
  const std::uint64_t id = number->second;
  const bool in_engine = calls_.at(id).in_engine && !Planted(PlantedBug::kCallOutlivesConnection);
  Erase(id);
  if (in_engine) engine_.Cancel(now, id);
}

void OpenCalls::CancelAll(Moment now, Connection& connection) {
  while (!connection.calls.empty()) Cancel(now, connection, connection.calls.begin()->first);
}

void OpenCalls::Deliver(Moment now) {
  [[maybe_unused]] const Connection* last = nullptr;
  for (RpcResponse& response : engine_.TakeResponses()) {
    const auto it = calls_.find(response.call);
    if (it == calls_.end()) continue;
    Connection& connection = *it->second.connection;
    const wire::StreamId stream = it->second.stream;
    Erase(response.call);
    if (Planted(PlantedBug::kAnswerLostAfterGoaway) && !connection.keeper().why().empty()) continue;
    if (Planted(PlantedBug::kSecondAnswerLost) && std::exchange(last, &connection) == &connection)
      continue;
    connection.keeper().OnAnswered();
    if (response.status.code == 0) {
      connection.grpc().Reply(now.steady, stream, std::move(response.message));
    } else {
      connection.grpc().Finish(now.steady, stream,
                               {response.status.code, std::move(response.status.message),
                                std::move(response.status.details)});
    }
    connection.Touch();
  }
}

void OpenCalls::Expire(Moment now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.steady) {
    const std::uint64_t id = deadlines_.begin()->second;
    const Call& call = calls_.at(id);
    Connection& connection = *call.connection;
    const wire::StreamId stream = call.stream;
    const bool in_engine = call.in_engine;
    Erase(id);
    if (in_engine) engine_.Cancel(now, id);
    connection.grpc().Finish(
        now.steady, stream,
        {static_cast<int>(StatusCode::kDeadlineExceeded), "context deadline exceeded", {}});
    connection.Touch();
  }
}

std::optional<SteadyTime> OpenCalls::deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

}  // namespace squall::fakes
