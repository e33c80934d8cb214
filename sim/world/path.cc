#include "sim/world/path.h"

#include <utility>
#include <vector>

namespace squall::sim {
namespace {

// What belongs to a process that is gone is not given back to it: its threads may stand in the
// middle of a lock.
void LeakReply(core::RpcReply reply) {
  static auto* leaked = new std::vector<core::RpcReply>();
  leaked->push_back(std::move(reply));
}

}  // namespace

CallPath::CallPath(Executor& loop, std::shared_ptr<LinkState> link, const Process& client, Rng rng)
    : loop_(loop), link_(std::move(link)), client_(client), rng_(rng) {}

Duration CallPath::Latency() {
  return std::chrono::microseconds(200 + static_cast<std::int64_t>(rng_.Below(1800))) +
         link_->extra_latency;
}

void CallPath::Configure(core::ConnectionOptions& options) {
  options.rpc_handler = [self = shared_from_this()](const core::RpcRequestView& view,
                                                    const core::RpcReply& reply) {
    auto request = std::make_shared<fakes::RpcRequest>();
    request->service = view.service;
    request->method = view.method;
    request->metadata = view.metadata;
    request->message = view.message;
    const std::uint64_t id = reply.id();
    reply.OnCancelled([self, id] { self->loop_.Post([self, id] { self->Cancelled(id); }); });
    self->loop_.Post([self, id, request, reply] { self->Arrive(id, std::move(*request), reply); });
  };
}

void CallPath::Arrive(std::uint64_t id, fakes::RpcRequest request, const core::RpcReply& reply) {
  if (client_.dead) return LeakReply(reply);
  ++link_->calls;
  if (link_->on_traffic) link_->on_traffic();
  open_.emplace(id, Open{std::move(request), reply, 0, false, false, {}});
  loop_.After(Latency(), [self = shared_from_this(), id] { self->Forward(id); });
}

void CallPath::Forward(std::uint64_t id) {
  const auto it = open_.find(id);
  if (it == open_.end()) return;
  Open& open = it->second;
  open.held = link_->holding > 0 || link_->silent_end;
  if (open.held) return;
  if (link_->refusing > 0 || link_->server == nullptr || !link_->server->running())
    return Refuse(id, "tcp connect error");
  open.server_call = link_->server->Call(
      std::move(open.request), [self = shared_from_this(), id](const fakes::RpcResponse& response) {
        self->Answer(id, response);
      });
}

void CallPath::Refuse(std::uint64_t id, const char* why) {
  Answer(id, {0, {kUnavailable, why, ""}, ""});
}

void CallPath::Answer(std::uint64_t id, const fakes::RpcResponse& response) {
  const auto it = open_.find(id);
  if (it == open_.end()) return;
  it->second.response = response;
  it->second.server_call = 0;
  loop_.After(Latency(), [self = shared_from_this(), id] { self->Deliver(id); });
}

void CallPath::Deliver(std::uint64_t id) {
  const auto it = open_.find(id);
  if (it == open_.end()) return;
  it->second.answered = true;
  // A stopped process takes nothing; it finds the answer when it goes on.
  if (link_->holding > 0 || client_.stopped) return;
  auto node = open_.extract(it);
  Open& open = node.mapped();
  if (open.response.status.code == 0) {
    open.reply.Succeed(open.response.message);
  } else {
    open.reply.Fail(
        Status(static_cast<StatusCode>(open.response.status.code), open.response.status.message),
        open.response.status.details);
  }
}

void CallPath::Release() {
  if (link_->holding > 0 || client_.stopped) return;
  std::vector<std::uint64_t> up, down;
  for (const auto& [id, open] : open_) {
    if (open.answered) down.push_back(id);
    if (open.held) up.push_back(id);
  }
  for (const std::uint64_t id : down) Deliver(id);
  for (const std::uint64_t id : up) Forward(id);
}

void CallPath::CutAll() {
  std::vector<std::uint64_t> ids;
  for (auto& [id, open] : open_) {
    if (open.answered) continue;
    if (open.server_call != 0) link_->server->Cancel(open.server_call);
    open.held = false;
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) Refuse(id, "connection reset");
}

void CallPath::Cancelled(std::uint64_t id) {
  auto node = open_.extract(id);
  if (node.empty()) return;
  if (node.mapped().server_call != 0) link_->server->Cancel(node.mapped().server_call);
  if (client_.dead) LeakReply(node.mapped().reply);
}

void CallPath::ClientEnded() {
  while (!open_.empty()) Cancelled(open_.begin()->first);
}

}  // namespace squall::sim
