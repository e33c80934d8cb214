#pragma once
// gRPC calls over a Channel: begun at any time, answered in any order.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/wire/grpc.h"
#include "harness/doctor/channel.h"

namespace squall::doctor {

// One call: what became of it. Lives as long as whoever looks at it wants.
struct Call {
  std::string method;
  bool done = false;
  wire::GrpcResponse response;
  Duration took{};
};
using CallPtr = std::shared_ptr<Call>;

struct RpcOptions {
  std::string authority;
  bool tls = false;
  wire::Metadata metadata;  // with every call: the API key, the namespace
};

// Loop thread only. The connection's preface goes out when TCP (and TLS) are there.
class Rpc {
 public:
  Rpc(harness::AsioExecutor& executor, std::unique_ptr<Channel> channel, RpcOptions options);
  ~Rpc();
  Rpc(const Rpc&) = delete;
  Rpc& operator=(const Rpc&) = delete;

  static constexpr std::string_view kWorkflowService =
      "temporal.api.workflowservice.v1.WorkflowService";
  static constexpr std::string_view kHealth = "grpc.health.v1.Health";

  // `timeout` is sent along; keeping it is the caller's.
  CallPtr Start(std::string_view service, std::string_view method, std::string message,
                Duration timeout);
  // Calls that are still open end as CANCELLED, and their streams are reset.
  void CancelOpen();

  void Ping();
  // The answer to our PING came since the last call of this function.
  bool TakePingAck();

  // The peer's SETTINGS came: it speaks HTTP/2.
  bool established() const;
  bool going_away() const;
  // What the peer said is no HTTP/2, or breaks its rules.
  const Status& broken() const;
  // Everything that the peer said before HTTP/2 was there, at most 4 KiB.
  const std::string& said() const;
  const Channel& channel() const;
  Channel& channel();

 private:
  void Pump();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::doctor
