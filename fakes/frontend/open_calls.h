#pragma once
// The calls that clients wait for: who may make them, their way to the engine, their deadlines, and
// the way of the engine's answers back to their connections.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/util/clock.h"
#include "base/wire/scripted_server.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/api_keys.h"
#include "fakes/frontend/connection.h"

namespace squall::fakes {

class OpenCalls {
 public:
  // `engine` must outlive it. `changed` is told of each connection that has a call more or less.
  OpenCalls(Engine& engine, ApiKeys keys, std::function<void(Connection&)> changed);

  // The key that lets the call in; null where no keys are asked for, or with the refusal in
  // `refusal`. The key is taken out of the metadata.
  const ApiKey* Admit(wire::GrpcCallHead& head, wire::GrpcStatus& refusal) const;
  // A call begins; its message is still to come. `key`: from Admit.
  void Start(SteadyTime now, Connection& connection, wire::StreamId stream, wire::GrpcCallHead head,
             const ApiKey* key);
  // Its message: to the engine, unless the key is not good for it.
  void Submit(Moment now, Connection& connection, wire::StreamId stream, std::string message,
              const wire::CallFate& fate);
  // The client waits no longer.
  void Cancel(Moment now, Connection& connection, wire::StreamId stream);
  void CancelAll(Moment now, Connection& connection);

  // Carries the engine's answers to their connections.
  void Deliver(Moment now);
  // Answers DEADLINE_EXCEEDED where the client's own deadline has passed.
  void Expire(Moment now);
  std::optional<SteadyTime> deadline() const;
  std::size_t size() const { return calls_.size(); }

 private:
  struct Call {
    Connection* connection = nullptr;
    wire::StreamId stream = 0;
    std::optional<SteadyTime> deadline;
    bool in_engine = false;
    const ApiKey* key = nullptr;
    RpcRequest request;  // until the message is complete
  };

  // Forgets a call everywhere but in the engine.
  void Erase(std::uint64_t id);

  Engine& engine_;
  const ApiKeys keys_;
  const std::function<void(Connection&)> changed_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, Call> calls_;  // looked up only, never iterated
  std::set<std::pair<SteadyTime, std::uint64_t>> deadlines_;
};

}  // namespace squall::fakes
