#include "fakes/engine/calls.h"

#include <utility>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/profile.h"
#include "fakes/engine/releases.h"

namespace squall::fakes::engine {

void Calls::Open(CallId call, CallInfo info, std::optional<SteadyTime> deadline,
                 std::string fault_id) {
  OpenCall open{.info = std::move(info),
                .fault_id = std::move(fault_id),
                .serial = ++serial_,
                .received = core_.now.steady,
                .deadline = deadline};
  Journal("received", open, std::nullopt, {}, {});
  open_.insert_or_assign(call, std::move(open));
}

CallId Calls::OpenInternal(std::function<void(const RpcResponse&)> done) {
  const CallId call = next_internal_++;
  open_[call].done = std::move(done);
  return call;
}

void Calls::Answer(const OpenCall& open, RpcResponse response) {
  if (open.done) {
    open.done(response);
    return;
  }
  const ProfileFilter* filter = FilterOf(core_.options);
  if (filter != nullptr && response.status.code == 0)
    response.message = filter->Response(open.info.method, std::move(response.message));
  answers_.push_back(std::move(response));
}

void Calls::Hold(CallId call, std::function<void()> on_gone, Status expired) {
  auto it = open_.find(call);
  if (it == open_.end()) return;
  OpenCall& open = it->second;
  open.on_gone = std::move(on_gone);
  if (!open.deadline || open.timer != 0) return;
  open.timer = core_.timers.Add(*open.deadline, [this, call, expired = std::move(expired)] {
    auto due = open_.find(call);
    if (due == open_.end()) return;
    due->second.timer = 0;
    if (auto gone = std::exchange(due->second.on_gone, nullptr)) gone();
    Fail(call, expired);
  });
}

Calls::OpenCall Calls::Close(CallId call) {
  auto node = open_.extract(call);
  if (node.mapped().timer != 0) core_.timers.Cancel(node.mapped().timer);
  return std::move(node.mapped());
}

void Calls::ReplyBytes(CallId call, std::string response) {
  if (!IsOpen(call)) return;
  const OpenCall open = Close(call);
  Journal("answered", open, 0, {}, {});
  Answer(open, {.call = call, .status = {}, .message = std::move(response)});
}

void Calls::Fail(CallId call, const Status& status, std::optional<RpcStatus> raw,
                 const std::string& fault_id) {
  if (!IsOpen(call)) return;
  const OpenCall open = Close(call);
  RpcStatus rpc = raw ? std::move(*raw) : ToRpcStatus(status);
  Journal("answered", open, rpc.code, rpc.message, fault_id);
  if (!open.done) rpc = AsTold(core_, std::move(rpc));
  Answer(open, {.call = call, .status = std::move(rpc), .message = {}});
}

void Calls::Refuse(CallId call, const RpcStatus& status, const std::string& fault_id) {
  Fail(call, absl::OkStatus(), status, fault_id);
}

void Calls::Cancel(CallId call) {
  if (!IsOpen(call)) return;
  OpenCall open = Close(call);
  Journal("cancelled", open, std::nullopt, {}, {});
  if (open.on_gone) open.on_gone();
}

void Calls::DropAll() {
  for (auto& [id, open] : open_) {
    if (open.timer != 0) core_.timers.Cancel(open.timer);
    Journal("cancelled", open, std::nullopt, "server restart", {});
  }
  open_.clear();
}

void Calls::Journal(const char* what, const OpenCall& open, std::optional<int> code,
                    const std::string& detail, const std::string& fault_id) {
  if (!core_.options.journal_rpcs || open.done) return;
  journal::RpcEvent event;
  event.what = what;
  event.side = "server";
  event.endpoint = core_.options.name;
  event.call = open.serial;
  event.method = open.info.method;
  event.ns = open.info.ns;
  event.task_queue = open.info.task_queue;
  event.workflow_id = open.info.workflow_id;
  event.identity = open.info.identity;
  event.code = code;
  if (code) event.latency = core_.now.steady - open.received;
  event.fault_id = fault_id.empty() ? open.fault_id : fault_id;
  event.detail = detail;
  core_.sink.Append(core_.source, std::move(event));
}

}  // namespace squall::fakes::engine
