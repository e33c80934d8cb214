#pragma once
// How core's callbacks get from its threads to an owner's executor, and how they stop.
//
// Each owner (Connection, Worker) has one Hub. The bridge gets a ticket per operation; its callback, on one of core's
// threads, copies the outcome and posts. The user's closures stay here and are only touched (run, destroyed) on the
// executor or by the owner's destructor, never on core's threads.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/util/executor.h"
#include "base/util/status.h"
#include "core/bridge/include/squall_bridge.h"
#include "core/connection.h"

namespace squall::core::internal {

inline SquallSlice ToSlice(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view ToView(SquallSlice slice) {
  return {reinterpret_cast<const char*>(slice.data), slice.size};
}

// The status of a finished operation, with details and debug text as payloads; SQUALL_CODE_SHUTDOWN becomes CANCELLED.
Status ToStatus(const SquallStatus& status);
// Takes an error of a synchronous call (NULL is OK) and frees it.
Status TakeError(SquallError* error_owned);

// Nanoseconds for the bridge; nullopt becomes SQUALL_NONE. Negative durations count as zero.
std::int64_t ToNanoseconds(std::optional<Duration> duration);

struct ConnectionDeleter {
  void operator()(SquallConnection* connection) const { squall_connection_free(connection); }
};
using ConnectionHandle = std::unique_ptr<SquallConnection, ConnectionDeleter>;

// How an operation ended.
struct Outcome {
  Status status;
  bool shutdown = false;        // SQUALL_CODE_SHUTDOWN
  std::string value;            // serialized message
  ConnectionHandle connection;  // connects only
  std::shared_ptr<RpcRouter> router;
};

class Hub : public std::enable_shared_from_this<Hub> {
 public:
  // Gets the hub as well, so that closures need not hold it.
  using Callback = std::function<void(const std::shared_ptr<Hub>&, Outcome&)>;

  explicit Hub(Executor& executor) : executor_(&executor) {}

  // The user_data for one operation with Done or ConnectDone; `callback` runs on the executor unless Close comes first.
  void* Ticket(Callback callback, std::shared_ptr<RpcRouter> router = nullptr);
  static void Done(void* user_data, const SquallStatus* status, SquallSlice value);
  static void ConnectDone(void* user_data, const SquallStatus* status, SquallConnection* connection_owned);

  // Posts to the executor; false when closed. `work` does not run after Close.
  bool Post(std::function<void()> work);
  // From now on nothing runs and nothing touches the executor.
  void Close();

 private:
  struct Claim {
    std::shared_ptr<Hub> hub;
    std::uint64_t id;
    std::shared_ptr<RpcRouter> router;
  };

  void Deliver(std::uint64_t id, std::shared_ptr<Outcome> outcome);
  void Run(std::uint64_t id, Outcome& outcome);

  std::mutex mutex_;
  Executor* executor_;  // null once closed
  std::map<std::uint64_t, Callback> callbacks_;
  std::uint64_t next_ = 1;
};

// The in-process side of a connection with an rpc_handler.
class RpcRouter {
 public:
  RpcRouter(std::shared_ptr<Hub> hub, RpcHandler handler) : hub_(std::move(hub)), handler_(std::move(handler)) {}

  // Fills in the bridge's handler, which keeps `router` alive until core has dropped the connection.
  static SquallRpcHandler ForBridge(const std::shared_ptr<RpcRouter>& router);
  // The RPC is over, one way or the other.
  void Forget(std::uint64_t id);
  // Executor's thread: the user's handler is destroyed and never called again.
  void Close();

 private:
  // The router behind the bridge's user_data, inside a callback.
  static std::shared_ptr<RpcRouter> Of(void* user_data);
  // Where the callbacks' use of user_data is told, apart from its making (base/util/hand_over.h): they need not wait for one
  // another, only its release comes after all of them.
  static const void* CallbacksOf(const void* user_data) { return static_cast<const char*>(user_data) + 1; }
  static void OnRpc(void* user_data, const SquallRpcRequest* request, SquallRpcReply* reply_owned);
  static void OnDropped(void* user_data, std::uint64_t id);

  const std::shared_ptr<Hub> hub_;
  RpcHandler handler_;  // executor's thread only
  std::mutex mutex_;
  std::map<std::uint64_t, std::weak_ptr<RpcReply::State>> live_;
};

}  // namespace squall::core::internal

namespace squall::core {

// One unanswered RPC.
struct RpcReply::State {
  State(std::uint64_t rpc_id, SquallRpcReply* reply_owned, std::shared_ptr<internal::Hub> post_through,
        std::weak_ptr<internal::RpcRouter> of)
      : id(rpc_id), hub(std::move(post_through)), router(std::move(of)), reply(reply_owned) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  SquallRpcReply* Take();
  // Core dropped the RPC.
  void Drop();

  const std::uint64_t id;
  const std::shared_ptr<internal::Hub> hub;
  const std::weak_ptr<internal::RpcRouter> router;
  std::mutex mutex;
  SquallRpcReply* reply;
  bool dropped = false;
  std::function<void()> on_cancelled;
};

struct CallHandle::State {
  std::weak_ptr<Runtime> runtime;
  std::uint64_t operation = 0;
};

}  // namespace squall::core
