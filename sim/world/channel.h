#pragma once
// How the world's own clients make calls: in process beside the server, or over a connection
// through links and ingresses.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/util/executor.h"
#include "base/wire/grpc.h"
#include "base/wire/tls.h"
#include "fakes/engine/engine.h"
#include "sim/net/network.h"
#include "sim/world/leg.h"

namespace squall::sim {

// gRPC's code for a server that is not there.
inline constexpr int kUnavailable = 14;

// Answers calls. Loop thread only.
class Callee {
 public:
  using Answer = std::function<void(const fakes::RpcResponse& response)>;
  virtual ~Callee() = default;
  // Answered once unless cancelled, never inside; the answer carries the number that is returned.
  virtual std::uint64_t Call(fakes::RpcRequest request, Answer answer) = 0;
  virtual void Cancel(std::uint64_t call) = 0;
};

struct ChannelOptions {
  Endpoint to;
  std::string authority = "server.sim";
  std::shared_ptr<wire::TlsContext> tls;  // a client's; null: plaintext
};

// One connection at a time, opened by the first call that needs one, as gRPC's channels do: calls
// that come meanwhile wait for it, and fail with UNAVAILABLE where it fails.
class Channel final : public Callee {
 public:
  Channel(Executor& loop, Network& network, ChannelOptions options);
  ~Channel() override;

  std::uint64_t Call(fakes::RpcRequest request, Answer answer) override;
  void Cancel(std::uint64_t call) override;

 private:
  class Connection;
  struct Pending {
    std::optional<fakes::RpcRequest> waiting;  // for a connection
    std::weak_ptr<Connection> on;
    wire::StreamId stream = 0;
    Answer answer;
  };
  void Connect();
  // Calls that wait go out on the connection that stands now.
  void StartWaiting();
  // It could not be had: nobody waits any more.
  void FailWaiting(const std::string& why);
  void Done(std::uint64_t call, const fakes::RpcStatus& status, std::string message);

  Executor& loop_;
  Network& network_;
  const ChannelOptions options_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::uint64_t last_call_ = 0;
  bool connecting_ = false;
  // Takes calls; an earlier one that was told to go away lives on until its calls are done.
  std::shared_ptr<Connection> current_;
  std::map<std::uint64_t, Pending> calls_;
};

}  // namespace squall::sim
