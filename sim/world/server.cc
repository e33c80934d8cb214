#include "sim/world/server.h"

#include <algorithm>
#include <utility>

namespace squall::sim {
namespace {

bool Matches(const std::vector<std::string>& patterns, std::string_view method) {
  return std::any_of(patterns.begin(), patterns.end(), [method](std::string_view pattern) {
    return pattern.ends_with('*') ? method.starts_with(pattern.substr(0, pattern.size() - 1))
                                  : method == pattern;
  });
}

}  // namespace

Server::Server(Executor& loop, journal::Sink& journal, ServerOptions options)
    : loop_(loop),
      journal_(journal),
      options_(std::move(options)),
      source_("server:" + options_.name) {}

Server::~Server() { loop_.Cancel(timer_); }

void Server::Tell(std::string_view what, int signal, std::string reason) {
  journal::ProcessEvent event;
  event.what = what;
  event.process = options_.name;
  event.role = "server";
  if (signal != 0) event.signal = signal;
  if (what == "exited" && signal == 0) event.exit_code = 0;
  event.reason = std::move(reason);
  journal_.Append(source_, std::move(event));
}

void Server::Start(bool keep_data) {
  if (running_) return;
  Tell("starting", 0, "");
  if (engine_ == nullptr) {
    fakes::EngineOptions options;
    options.name = options_.name;
    options.namespaces = options_.namespaces;
    options.seed = options_.seed;
    engine_ = std::make_unique<fakes::Engine>(std::move(options), journal_);
    engine_->SetRpcHook([this](const fakes::RpcRequest& request) { return Refusal(request); });
  } else {
    engine_->Restart(Now(), keep_data);
  }
  running_ = true;
  paused_ = false;
  Tell("ready", 0, "");
  Settle();
}

void Server::End(int signal, const std::string& reason) {
  if (!running_) return;
  running_ = paused_ = false;
  loop_.Cancel(std::exchange(timer_, 0));
  held_.clear();
  Tell("exited", signal, reason);
  for (const auto& callback : on_end_) callback();
  const auto open = std::exchange(open_, {});
  for (const auto& [call, answer] : open) {
    answer({call, {kUnavailable, "error reading a body from connection", ""}, ""});
  }
}

void Server::Pause() {
  if (!running_ || std::exchange(paused_, true)) return;
  loop_.Cancel(std::exchange(timer_, 0));
  Tell("paused", 0, "");
}

void Server::Resume() {
  if (!running_ || !std::exchange(paused_, false)) return;
  Tell("resumed", 0, "");
  for (auto& [call, request] : std::exchange(held_, {})) {
    if (open_.contains(call)) engine_->Call(Now(), call, std::move(request));
  }
  engine_->Advance(Now());
  Settle();
}

void Server::RefuseRpcs(std::string fault_id, std::vector<std::string> methods,
                        fakes::RpcStatus status) {
  rules_.push_back({std::move(fault_id), std::move(methods), std::move(status)});
}

void Server::AcceptRpcs(std::string_view fault_id) {
  std::erase_if(rules_, [&](const Rule& rule) { return rule.fault_id == fault_id; });
}

std::optional<fakes::RpcStatus> Server::Refusal(const fakes::RpcRequest& request) {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (!Matches(rule->methods, request.method)) continue;
    engine_->SetFaultId(rule->fault_id);
    if (!std::exchange(rule->hit, true)) {
      journal::FaultEvent hit;
      hit.what = "hit";
      hit.fault_id = rule->fault_id;
      hit.fault = "rpc_error";
      hit.target = options_.name;
      hit.detail = request.method;
      journal_.Append(source_, std::move(hit));
    }
    return rule->status;
  }
  engine_->SetFaultId("");
  return std::nullopt;
}

std::uint64_t Server::Call(fakes::RpcRequest request, Answer answer) {
  const std::uint64_t call = ++last_call_;
  if (!running_) {
    loop_.Post([call, answer = std::move(answer)] {
      answer({call, {kUnavailable, "tcp connect error", ""}, ""});
    });
    return call;
  }
  open_.emplace(call, std::move(answer));
  if (paused_) {
    held_.emplace_back(call, std::move(request));
  } else {
    engine_->Call(Now(), call, std::move(request));
    Settle();
  }
  return call;
}

void Server::Cancel(std::uint64_t call) {
  if (open_.erase(call) == 0 || !running_ || paused_) return;
  engine_->Cancel(Now(), call);
  Settle();
}

void Server::Settle() {
  // Answers lead to calls, which settle what they changed themselves.
  if (!running_ || paused_ || std::exchange(settling_, true)) return;
  for (auto responses = engine_->TakeResponses(); !responses.empty();
       responses = engine_->TakeResponses()) {
    for (const fakes::RpcResponse& response : responses) {
      auto node = open_.extract(response.call);
      if (!node.empty()) node.mapped()(response);
    }
  }
  settling_ = false;
  SetTimer();
}

void Server::SetTimer() {
  const auto next = engine_->NextDeadline();
  if (timer_ != 0 && next && *next == timer_at_) return;
  loop_.Cancel(std::exchange(timer_, 0));
  if (!next) return;
  timer_at_ = *next;
  timer_ = loop_.At(*next, [this] {
    timer_ = 0;
    engine_->Advance(Now());
    Settle();
  });
}

}  // namespace squall::sim
