#include "core/connection.h"

#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "core/bridge/include/squall_bridge.h"
#include "core/hub.h"

namespace squall::core {

namespace {

using internal::Hub;
using internal::Outcome;
using internal::RpcRouter;
using internal::ToNanoseconds;
using internal::ToSlice;

std::string DefaultIdentity() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("{}@{}", getpid(), host.data());
}

template <typename Map>
std::vector<SquallPair> ToPairs(const Map& map) {
  std::vector<SquallPair> pairs;
  pairs.reserve(map.size());
  for (const auto& [key, value] : map) pairs.push_back({ToSlice(key), ToSlice(value)});
  return pairs;
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// tonic speaks TLS only to https URLs, and to those only with TLS options.
Status SettleScheme(ConnectionOptions& options) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  if (StartsWith(options.target_url, kHttps)) {
    if (!options.tls.has_value()) options.tls.emplace();
  } else if (StartsWith(options.target_url, kHttp)) {
    if (options.tls.has_value())
      options.target_url = std::string(kHttps) + options.target_url.substr(kHttp.size());
  } else {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "target URL '{}': it must start with http:// or https://",
                      options.target_url);
  }
  return absl::OkStatus();
}

SquallRetryOptions ToBridge(const RetryOptions& options) {
  SquallRetryOptions retry{};
  retry.initial_interval_ns = ToNanoseconds(options.initial_interval);
  retry.randomization_factor = options.randomization_factor;
  retry.multiplier = options.multiplier;
  retry.max_interval_ns = ToNanoseconds(options.max_interval);
  retry.max_elapsed_time_ns = ToNanoseconds(options.max_elapsed_time);
  retry.max_retries = static_cast<std::uint32_t>(std::max(0, options.max_retries));
  return retry;
}

// Borrows from `options` and `headers`.
SquallConnectOptions ToBridge(const ConnectionOptions& options,
                              const std::vector<SquallPair>& headers) {
  static const ConnectionTls kNoTls;
  static const HttpConnectProxy kNoProxy;
  const ConnectionTls& tls = options.tls.has_value() ? *options.tls : kNoTls;
  const HttpConnectProxy& proxy = options.proxy.has_value() ? *options.proxy : kNoProxy;
  SquallConnectOptions given{};
  given.target_url = ToSlice(options.target_url);
  given.identity = ToSlice(options.identity);
  given.client_name = ToSlice(options.client_name);
  given.client_version = ToSlice(options.client_version);
  given.api_key = ToSlice(options.api_key);
  given.tls = options.tls.has_value();
  given.tls_ca = ToSlice(tls.ca_pem);
  given.tls_certificate = ToSlice(tls.certificate_pem);
  given.tls_key = ToSlice(tls.key_pem);
  given.tls_server_name = ToSlice(tls.server_name);
  given.headers = headers.data();
  given.header_count = headers.size();
  given.keep_alive_interval_ns = SQUALL_NONE;
  given.keep_alive_timeout_ns = SQUALL_NONE;
  if (options.keep_alive.has_value()) {
    given.keep_alive_interval_ns = ToNanoseconds(options.keep_alive->interval);
    given.keep_alive_timeout_ns = ToNanoseconds(options.keep_alive->timeout);
  }
  given.connect_timeout_ns = ToNanoseconds(options.connect_timeout);
  given.dns_interval_ns = ToNanoseconds(options.dns_load_balancing);
  given.gzip = options.gzip;
  given.skip_get_system_info = options.skip_get_system_info;
  given.proxy_address = ToSlice(proxy.address);
  given.proxy_user = ToSlice(proxy.user);
  given.proxy_password = ToSlice(proxy.password);
  given.retry = ToBridge(options.retry);
  return given;
}

}  // namespace

CallHandle Connection::Connect(std::shared_ptr<Runtime> runtime, ConnectionOptions options,
                               Executor& executor, ConnectCallback callback) {
  if (const Status status = SettleScheme(options); !status.ok()) {
    executor.Post([callback = std::move(callback), status] { callback(status); });
    return {};
  }
  if (options.identity.empty()) options.identity = DefaultIdentity();
  const auto hub = std::make_shared<Hub>(executor);
  std::shared_ptr<RpcRouter> router;
  if (options.rpc_handler)
    router = std::make_shared<RpcRouter>(hub, std::move(options.rpc_handler));

  auto finish = [callback = std::move(callback), weak = std::weak_ptr<Runtime>(runtime),
                 identity = options.identity](const std::shared_ptr<Hub>& of, Outcome& outcome) {
    std::shared_ptr<Runtime> alive = weak.lock();
    if (outcome.status.ok() && alive == nullptr) {
      outcome.status = Status(StatusCode::kCancelled, "the runtime is shut down");
    }
    if (!outcome.status.ok()) {
      if (outcome.router != nullptr) outcome.router->Close();
      callback(outcome.status);
      return;
    }
    callback(std::make_shared<Connection>(Private{}, std::move(alive), outcome.connection.release(),
                                          of, std::move(outcome.router), identity));
  };
  const std::vector<SquallPair> headers = ToPairs(options.headers);
  SquallConnectOptions given = ToBridge(options, headers);
  given.rpc_handler = RpcRouter::ForBridge(router);
  auto state = std::make_shared<CallHandle::State>();
  state->runtime = runtime;
  state->operation = squall_connect(runtime->handle(), &given, &Hub::ConnectDone,
                                    hub->Ticket(std::move(finish), router));
  return CallHandle(std::move(state));
}

Connection::Connection(Private, std::shared_ptr<Runtime> runtime, SquallConnection* handle,
                       std::shared_ptr<internal::Hub> hub,
                       std::shared_ptr<internal::RpcRouter> router, std::string identity)
    : runtime_(std::move(runtime)),
      handle_(handle),
      hub_(std::move(hub)),
      router_(std::move(router)),
      identity_(std::move(identity)) {}

Connection::~Connection() {
  hub_->Close();
  if (router_ != nullptr) router_->Close();
  squall_connection_free(handle_);
}

CallHandle Connection::Call(const RpcCall& call, CallCallback callback) {
  const std::vector<SquallPair> metadata = ToPairs(call.metadata);
  SquallCall given{};
  given.service = ToSlice(call.service);
  given.method = ToSlice(call.method);
  given.request = ToSlice(call.request);
  given.timeout_ns = ToNanoseconds(call.timeout);
  given.metadata = metadata.data();
  given.metadata_count = metadata.size();
  given.retry = call.retry;
  void* ticket =
      hub_->Ticket([callback = std::move(callback)](const std::shared_ptr<Hub>&, Outcome& outcome) {
        if (!outcome.status.ok()) return callback(outcome.status);
        callback(std::move(outcome.value));
      });
  auto state = std::make_shared<CallHandle::State>();
  state->runtime = runtime_;
  state->operation = squall_connection_call(handle_, &given, &Hub::Done, ticket);
  return CallHandle(std::move(state));
}

void CallHandle::Cancel() {
  if (state_ == nullptr) return;
  if (const std::shared_ptr<Runtime> runtime = state_->runtime.lock()) {
    squall_runtime_cancel(runtime->handle(), state_->operation);
  }
}

Status Connection::SetApiKey(const std::string& api_key) {
  return internal::TakeError(squall_connection_set_api_key(handle_, ToSlice(api_key)));
}

Status Connection::SetHeaders(const std::map<std::string, std::string>& headers) {
  const std::vector<SquallPair> pairs = ToPairs(headers);
  return internal::TakeError(squall_connection_set_headers(handle_, pairs.data(), pairs.size()));
}

bool KnowsRpc(std::string_view service, std::string_view method) {
  return squall_rpc_known(ToSlice(service), ToSlice(method));
}

}  // namespace squall::core
