#pragma once
// A client connection of the production core: what Python's Client or TypeScript's NativeConnection
// hold.
//
// Connect once, call RPCs by name (with core's own retries or without), and give the connection to
// workers. With rpc_handler set no socket exists: every RPC is answered in process.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "core/runtime.h"

struct SquallConnection;  // the bridge's handle

namespace squall::core {

namespace internal {
class Hub;
class RpcRouter;
}  // namespace internal

using Metadata = std::multimap<std::string, std::string>;

// Turns on TLS. Everything empty: the system's roots, the URL's host name, no client certificate.
struct ConnectionTls {
  std::string ca_pem;           // roots to trust instead of the system's
  std::string certificate_pem;  // client certificate chain; needs key_pem
  std::string key_pem;
  std::string server_name;  // name to verify (and SNI) instead of the URL's host
};

struct KeepAlive {
  Duration interval = std::chrono::seconds(30);  // between HTTP/2 pings, also on an idle connection
  Duration timeout = std::chrono::seconds(15);   // for the answer; then the connection is dropped
};

// How core repeats calls that are made with RpcCall::retry (workers have their own, fixed).
// Defaults: core's.
struct RetryOptions {
  Duration initial_interval = std::chrono::milliseconds(100);
  double randomization_factor = 0.2;
  double multiplier = 1.7;
  Duration max_interval = std::chrono::seconds(5);
  std::optional<Duration> max_elapsed_time = std::chrono::seconds(10);
  int max_retries = 10;
};

struct HttpConnectProxy {
  std::string address;  // "host:port"
  std::string user;     // empty: no authorization
  std::string password;
};

// An RPC that core made, for ConnectionOptions::rpc_handler. Valid during the call.
struct RpcRequestView {
  std::string_view service;  // "temporal.api.workflowservice.v1.WorkflowService"
  std::string_view method;   // "PollWorkflowTaskQueue"
  const Metadata& metadata;  // lower-case keys; "-bin" values are still base64
  std::string_view message;  // the serialized request
};

// The answer to one such RPC, given now or later, from any thread. Copies refer to the same RPC;
// when the last goes unanswered core sees CANCELLED "the handler dropped the call".
class RpcReply {
 public:
  // The first answer counts; later ones, and answers to an RPC that core has dropped, are ignored.
  void Succeed(const std::string& message, const Metadata& metadata = {}) const;
  // An error; OK becomes INTERNAL. `details` is a serialized google.rpc.Status or empty.
  void Fail(const Status& status, const std::string& details = {}) const;

  // Runs `callback` on the connection's executor once core drops the RPC without an answer (its
  // deadline passed, the caller went away), at once if it already has. At most one callback; not
  // run after the connection is gone.
  void OnCancelled(std::function<void()> callback) const;
  bool cancelled() const;
  // Unique within the process.
  std::uint64_t id() const;

  struct State;
  explicit RpcReply(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

using RpcHandler = std::function<void(const RpcRequestView&, RpcReply)>;

struct ConnectionOptions {
  std::string target_url =
      "http://127.0.0.1:7233";       // https means TLS as `tls` says, or with its defaults
  std::optional<ConnectionTls> tls;  // set: TLS, even where the URL says http
  std::string api_key;   // sent as "authorization: Bearer ..."; does not turn on TLS by itself
  std::string identity;  // empty: "<pid>@<host name>", as SDKs do
  std::map<std::string, std::string>
      headers;  // for every call; keys ending in "-bin" carry raw bytes
  std::optional<KeepAlive> keep_alive = KeepAlive{};  // nullopt: none
  std::optional<Duration>
      connect_timeout;  // of each TCP+TLS connect. Default: none, as core has it
  // Re-resolve a host name this often and spread calls over its addresses. Default nullopt: off.
  // Core's own default is 30 s for host names (never for IP addresses); SDKs use it, so a subject
  // that stands for them sets it.
  std::optional<Duration> dns_load_balancing;
  bool gzip = true;                   // compress requests, as core does by default
  bool skip_get_system_info = false;  // connect without the GetSystemInfo call
  std::optional<HttpConnectProxy> proxy;
  RetryOptions retry;
  std::string client_name = "squall";  // header client-name
  std::string client_version =
      "0.1.0";             // header client-version; the server may refuse versions it does not know
  RpcHandler rpc_handler;  // runs on the executor
};

struct RpcCall {
  std::string service = "temporal.api.workflowservice.v1.WorkflowService";
  std::string method;   // "StartWorkflowExecution"
  std::string request;  // serialized message
  std::optional<Duration>
      timeout;         // sent as grpc-timeout. Default: core's, 30 s (70 s for long polls)
  Metadata metadata;   // keys ending in "-bin" carry raw bytes
  bool retry = false;  // through core's retry layer (RetryOptions) or exactly once
};

// Cancels one call; may outlive the connection.
class CallHandle {
 public:
  CallHandle() = default;
  // The RPC is dropped and its callback gets CANCELLED, unless it was already done.
  void Cancel();

  struct State;
  explicit CallHandle(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

// Errors are absl::Status with the gRPC code and core's own text unshortened; StatusDetails() and
// StatusDebug() give more. Threads: everything may be called from any thread; callbacks are posted
// to the executor given to Connect, which must outlive the connection (and an attempt to connect:
// until its callback has run or the runtime is gone). Destroy it on the executor's thread (or when
// that is not running): from then on none of its callbacks runs. Workers keep what they need of a
// connection alive by themselves.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using ConnectCallback = std::function<void(StatusOr<std::shared_ptr<Connection>>)>;
  using CallCallback = std::function<void(StatusOr<std::string>)>;

  // INVALID_ARGUMENT for a bad URL, header or certificate; UNAVAILABLE "Server connection error:
  // ..." when no connection comes about; the code of GetSystemInfo's failure with
  // "`get_system_info` call error after connection: ...". No deadline of its own beyond
  // connect_timeout and GetSystemInfo's 30 s: core has none for a silent TLS peer (X1). The
  // returned handle cancels the attempt; so does the end of the runtime, which the attempt does not
  // keep alive.
  static CallHandle Connect(std::shared_ptr<Runtime> runtime, ConnectionOptions options,
                            Executor& executor, ConnectCallback callback);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Any unary method of WorkflowService, OperatorService, TestService or grpc.health.v1.Health (see
  // KnowsRpc); the answer is the serialized response. UNIMPLEMENTED for a name that core's client
  // does not know.
  CallHandle Call(const RpcCall& call, CallCallback callback);

  // Typed: connection->CallTyped<DescribeNamespaceResponse>("DescribeNamespace", request,
  // callback).
  template <typename Response, typename Request>
  CallHandle CallTyped(std::string method, const Request& request,
                       std::function<void(StatusOr<Response>)> callback) {
    RpcCall call;
    call.method = std::move(method);
    call.request = request.SerializeAsString();
    return Call(call, [callback = std::move(callback)](StatusOr<std::string> bytes) {
      if (!bytes.ok()) return callback(bytes.status());
      Response response;
      if (!response.ParseFromString(*bytes))
        return callback(Status(StatusCode::kInternal, "unreadable response"));
      callback(std::move(response));
    });
  }

  // Replaces the key or all headers for later calls, also those of workers on this connection.
  Status SetApiKey(const std::string& api_key);
  Status SetHeaders(const std::map<std::string, std::string>& headers);

  const std::string& identity() const { return identity_; }
  SquallConnection* handle() const { return handle_; }
  const std::shared_ptr<Runtime>& runtime() const { return runtime_; }

 private:
  struct Private {};

 public:
  // For Connect only.
  Connection(Private, std::shared_ptr<Runtime> runtime, SquallConnection* handle,
             std::shared_ptr<internal::Hub> hub, std::shared_ptr<internal::RpcRouter> router,
             std::string identity);

 private:
  std::shared_ptr<Runtime> runtime_;
  SquallConnection* handle_;
  std::shared_ptr<internal::Hub> hub_;
  std::shared_ptr<internal::RpcRouter> router_;
  std::string identity_;
};

// Whether Connection::Call can make this call.
bool KnowsRpc(std::string_view service, std::string_view method);

// The serialized google.rpc.Status that came with an error of this folder; empty when there was
// none.
std::string StatusDetails(const Status& status);
// An error's whole chain of causes, as core prints it ("Status { code: Unavailable, ... source:
// Some(...) }"); for RPCs the message alone is short ("tcp connect error"). Empty when there is
// nothing beyond the message.
std::string StatusDebug(const Status& status);

}  // namespace squall::core
