#include "core/hub.h"

#include <algorithm>
#include <utility>

#include "base/util/hand_over.h"

namespace squall::core {

namespace {
constexpr char kDetails[] = "squall.core/details";
constexpr char kDebug[] = "squall.core/debug";

std::string Payload(const Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}
}  // namespace

std::string StatusDetails(const Status& status) { return Payload(status, kDetails); }
std::string StatusDebug(const Status& status) { return Payload(status, kDebug); }

namespace internal {

Status ToStatus(const SquallStatus& status) {
  if (status.code == 0) return absl::OkStatus();
  const bool is_grpc = status.code > 0 && status.code <= 16;
  StatusCode code = is_grpc ? static_cast<StatusCode>(status.code) : StatusCode::kUnknown;
  if (status.code == SQUALL_CODE_SHUTDOWN) code = StatusCode::kCancelled;
  const std::string_view message = ToView(status.message);
  Status result(code, {message.data(), message.size()});
  if (status.details.size > 0)
    result.SetPayload(kDetails, absl::Cord(std::string(ToView(status.details))));
  if (status.debug.size > 0)
    result.SetPayload(kDebug, absl::Cord(std::string(ToView(status.debug))));
  return result;
}

Status TakeError(SquallError* error_owned) {
  if (error_owned == nullptr) return absl::OkStatus();
  Status status = ToStatus(squall_error_view(error_owned));
  squall_error_free(error_owned);
  return status;
}

std::int64_t ToNanoseconds(std::optional<Duration> duration) {
  return duration.has_value() ? std::max<std::int64_t>(0, duration->count()) : SQUALL_NONE;
}

void* Hub::Ticket(Callback callback, std::shared_ptr<RpcRouter> router) {
  std::lock_guard lock(mutex_);
  const std::uint64_t id = next_++;
  callbacks_.emplace(id, std::move(callback));
  auto* claim = new Claim{shared_from_this(), id, std::move(router)};
  HandOver(claim);
  return claim;
}

void Hub::Done(void* user_data, const SquallStatus* status, SquallSlice value) {
  TakeOver(user_data);
  const std::unique_ptr<Claim> claim(static_cast<Claim*>(user_data));
  auto outcome = std::make_shared<Outcome>();
  outcome->status = ToStatus(*status);
  outcome->shutdown = status->code == SQUALL_CODE_SHUTDOWN;
  outcome->value = std::string(ToView(value));
  claim->hub->Deliver(claim->id, std::move(outcome));
}

void Hub::ConnectDone(void* user_data, const SquallStatus* status,
                      SquallConnection* connection_owned) {
  TakeOver(user_data);
  const std::unique_ptr<Claim> claim(static_cast<Claim*>(user_data));
  auto outcome = std::make_shared<Outcome>();
  outcome->status = ToStatus(*status);
  outcome->connection.reset(connection_owned);
  outcome->router = std::move(claim->router);
  claim->hub->Deliver(claim->id, std::move(outcome));
}

bool Hub::Post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (executor_ == nullptr) return false;
  executor_->Post([self = shared_from_this(), work = std::move(work)] {
    bool open = false;
    {
      std::lock_guard relock(self->mutex_);
      open = self->executor_ != nullptr;
    }
    if (open) work();
  });
  return true;
}

void Hub::Deliver(std::uint64_t id, std::shared_ptr<Outcome> outcome) {
  Post([this, id, outcome = std::move(outcome)] { Run(id, *outcome); });
}

void Hub::Run(std::uint64_t id, Outcome& outcome) {
  Callback callback;
  {
    std::lock_guard lock(mutex_);
    const auto found = callbacks_.find(id);
    if (found == callbacks_.end()) return;
    callback = std::move(found->second);
    callbacks_.erase(found);
  }
  callback(shared_from_this(), outcome);
}

void Hub::Close() {
  std::map<std::uint64_t, Callback> dropped;
  std::lock_guard lock(mutex_);
  executor_ = nullptr;
  dropped.swap(callbacks_);
}

SquallRpcHandler RpcRouter::ForBridge(const std::shared_ptr<RpcRouter>& router) {
  SquallRpcHandler handler{};
  if (router == nullptr) return handler;
  handler.on_rpc = &RpcRouter::OnRpc;
  handler.on_dropped = &RpcRouter::OnDropped;
  handler.release = [](void* user_data) {
    TakeOver(user_data);
    TakeOver(CallbacksOf(user_data));
    delete static_cast<std::shared_ptr<RpcRouter>*>(user_data);
  };
  handler.user_data_owned = new std::shared_ptr<RpcRouter>(router);
  HandOver(handler.user_data_owned);
  return handler;
}

void RpcRouter::Forget(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  live_.erase(id);
}

void RpcRouter::Close() { const RpcHandler dropped = std::exchange(handler_, nullptr); }

std::shared_ptr<RpcRouter> RpcRouter::Of(void* user_data) {
  TakeOver(user_data);
  std::shared_ptr<RpcRouter> router = *static_cast<std::shared_ptr<RpcRouter>*>(user_data);
  HandOver(CallbacksOf(user_data));
  return router;
}

void RpcRouter::OnRpc(void* user_data, const SquallRpcRequest* request,
                      SquallRpcReply* reply_owned) {
  struct Request {
    std::string service, method, message;
    Metadata metadata;
  };
  const std::shared_ptr<RpcRouter> router = Of(user_data);
  auto state = std::make_shared<RpcReply::State>(request->id, reply_owned, router->hub_, router);
  auto copy = std::make_shared<Request>();
  copy->service = ToView(request->service);
  copy->method = ToView(request->method);
  copy->message = ToView(request->message);
  for (std::size_t i = 0; i < request->header_count; ++i) {
    copy->metadata.emplace(ToView(request->headers[i].key), ToView(request->headers[i].value));
  }
  {
    std::lock_guard lock(router->mutex_);
    router->live_.emplace(request->id, state);
  }
  // When the hub is closed the state goes here, and core sees CANCELLED.
  router->hub_->Post([router, copy = std::move(copy), state = std::move(state)] {
    if (!router->handler_) return;
    const RpcHandler handler = router->handler_;  // it may close the connection
    handler({copy->service, copy->method, copy->metadata, copy->message}, RpcReply(state));
  });
}

void RpcRouter::OnDropped(void* user_data, std::uint64_t id) {
  const std::shared_ptr<RpcRouter> router = Of(user_data);
  std::shared_ptr<RpcReply::State> state;
  {
    std::lock_guard lock(router->mutex_);
    const auto found = router->live_.find(id);
    if (found == router->live_.end()) return;
    state = found->second.lock();
  }
  if (state != nullptr) state->Drop();
}

}  // namespace internal

RpcReply::State::~State() {
  squall_rpc_reply_free(reply);
  if (const auto owner = router.lock()) owner->Forget(id);
}

SquallRpcReply* RpcReply::State::Take() {
  std::lock_guard lock(mutex);
  on_cancelled = nullptr;
  return std::exchange(reply, nullptr);
}

void RpcReply::State::Drop() {
  std::function<void()> notify;
  SquallRpcReply* useless = nullptr;
  {
    std::lock_guard lock(mutex);
    dropped = true;
    notify.swap(on_cancelled);
    useless = std::exchange(reply, nullptr);
  }
  squall_rpc_reply_free(useless);
  if (notify) hub->Post(std::move(notify));
}

void RpcReply::Succeed(const std::string& message, const Metadata& metadata) const {
  SquallRpcReply* reply = state_->Take();
  if (reply == nullptr) return;
  std::vector<SquallPair> headers;
  headers.reserve(metadata.size());
  for (const auto& [key, value] : metadata)
    headers.push_back({internal::ToSlice(key), internal::ToSlice(value)});
  squall_rpc_reply_succeed(reply, internal::ToSlice(message), headers.data(), headers.size());
}

void RpcReply::Fail(const Status& status, const std::string& details) const {
  SquallRpcReply* reply = state_->Take();
  if (reply == nullptr) return;
  squall_rpc_reply_fail(reply, static_cast<int>(status.code()), internal::ToSlice(Message(status)),
                        internal::ToSlice(details));
}

void RpcReply::OnCancelled(std::function<void()> callback) const {
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->dropped) {
      if (state_->reply != nullptr) state_->on_cancelled = std::move(callback);
      return;
    }
  }
  state_->hub->Post(std::move(callback));
}

bool RpcReply::cancelled() const {
  std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

std::uint64_t RpcReply::id() const { return state_->id; }

}  // namespace squall::core
