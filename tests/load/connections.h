#pragma once
// Many gRPC connections from one process: base/wire's client on Asio sockets.

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/grpc.h"
#include "harness/net/asio_executor.h"

namespace squall::load {

// Numbered slots with one connection each. A connection that the server says GOAWAY on keeps the
// calls that it has, and the next call of its slot makes a new one, as gRPC channels do. Loop
// thread only; the destructor drops everything.
class Connections {
 public:
  using Done = std::function<void(wire::GrpcResponse)>;

  // To 127.0.0.1:port. `executor` must outlive it.
  Connections(harness::AsioExecutor& executor, int port, std::size_t count);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Connects all slots, and returns once each has the server's SETTINGS.
  Status ConnectAll(Duration limit);

  // A call of WorkflowService. `done` runs exactly once, from the loop, or never when this object
  // goes first. The time-out is only told to the server, which keeps it.
  void Call(std::size_t slot, std::string_view method, const google::protobuf::MessageLite& request,
            Duration timeout, Done done);
  // Resets all streams that are open on a slot: their calls end as CANCELLED.
  void CancelCalls(std::size_t slot);
  // Ends the connection of a slot; its calls end as UNAVAILABLE.
  void Close(std::size_t slot);

  // Runs it behind what the loop has to do; never when this object goes first.
  void Post(std::function<void()> work);

  std::size_t size() const { return slots_.size(); }
  std::size_t open_calls() const { return open_calls_; }
  // Connections made so far; more than size() where the server ended some.
  std::size_t connected() const { return connected_; }

 private:
  struct Link;
  using LinkPtr = std::shared_ptr<Link>;

  LinkPtr& Living(std::size_t slot);
  void Open(const LinkPtr& link);
  void Read(const LinkPtr& link);
  void Flush(const LinkPtr& link);
  void Lose(const LinkPtr& link, std::string_view why);

  harness::AsioExecutor& executor_;
  const int port_;
  std::vector<LinkPtr> slots_;
  std::size_t open_calls_ = 0;
  std::size_t connected_ = 0;
  std::size_t established_ = 0;
  std::string buffer_;
  // What is posted looks whether this object still lives.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace squall::load
