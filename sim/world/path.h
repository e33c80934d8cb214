#pragma once
// A client's way to a server where calls are answered in process (core's RPC override): what a link
// does to connections, done to calls.
//
// Each call takes a latency up and down; a link that refuses answers UNAVAILABLE as core's own
// transport would, one that is silent holds calls and answers back until it is healed.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/util/executor.h"
#include "base/util/rng.h"
#include "core/connection.h"
#include "sim/kernel/process.h"
#include "sim/world/server.h"

namespace squall::sim {

// The state of one link, shared by all paths through it. Loop thread only.
struct LinkState {
  std::string name;
  Server* server = nullptr;  // null: leads nowhere
  bool silent_end = false;   // accepts and never answers
  int refusing = 0;  // faults in force that refuse, that hold everything back, and what they add
  int holding = 0;
  Duration extra_latency{};
  std::uint64_t calls = 0;  // that met the link
  // Told of every call that meets it, and when it is healed.
  std::function<void()> on_traffic;
};

class CallPath : public std::enable_shared_from_this<CallPath> {
 public:
  CallPath(Executor& loop, std::shared_ptr<LinkState> link, const Process& client, Rng rng);

  // On the host's executor, once for each connection.
  void Configure(core::ConnectionOptions& options);
  // The link lets through again: what was held goes on.
  void Release();
  // Ends every open call with UNAVAILABLE.
  void CutAll();
  // The client's process is gone: its calls are cancelled, as its connections are.
  void ClientEnded();

 private:
  struct Open {
    fakes::RpcRequest request;
    core::RpcReply reply;
    std::uint64_t server_call = 0;  // 0: not at the server
    bool held = false;              // on the way up
    bool answered = false;          // the answer is on its way, or held
    fakes::RpcResponse response;
  };

  void Arrive(std::uint64_t id, fakes::RpcRequest request, const core::RpcReply& reply);
  void Forward(std::uint64_t id);
  void Answer(std::uint64_t id, const fakes::RpcResponse& response);
  void Deliver(std::uint64_t id);
  void Refuse(std::uint64_t id, const char* why);
  void Cancelled(std::uint64_t id);
  Duration Latency();

  Executor& loop_;
  const std::shared_ptr<LinkState> link_;
  const Process& client_;
  Rng rng_;
  std::map<std::uint64_t, Open> open_;
};

}  // namespace squall::sim
