#include "fakes/engine/engine.h"

#include <algorithm>

#include "base/util/planted.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/invariants.h"
#include "fakes/engine/profile.h"
#include "fakes/engine/replay.h"
#include "fakes/engine/rpc_table.h"
#include "fakes/engine/skipping.h"

namespace squall::fakes {

class Engine::Impl {
 public:
  Impl(EngineOptions options, journal::Sink& sink) : core_(std::move(options), sink) {
    RegisterNamespaces();
  }

  void Call(Moment now, std::uint64_t call, RpcRequest request) {
    const bool fired = Enter(now);
    bool handled = false;
    const engine::RpcEntry* entry = engine::FindRpc(request.service, request.method);
    engine::CallInfo info;
    engine::ParsedRequest parsed;
    if (entry != nullptr && entry->describe != nullptr && core_.options.journal_rpcs) {
      info = entry->describe(request.message, parsed);
    }
    info.method = request.method;
    if (const auto it = request.metadata.find("client-name"); it != request.metadata.end()) {
      info.client = it->second;
    }
    if (const auto it = request.metadata.find("client-version"); it != request.metadata.end()) {
      info.client_version = it->second;
    }
    if (const auto it = request.metadata.find("supported-features"); it != request.metadata.end()) {
      info.follows_runs =
          ("," + it->second + ",").find(",follows-next-run-id,") != std::string::npos;
    }
    // Whoever sets no limit must not wait for ever.
    if (!request.deadline && request.method == "QueryWorkflow") {
      request.deadline = core_.now.steady + core_.options.query_timeout;
    }
    if (request.withheld) request.deadline.reset();
    core_.calls.Open(call, std::move(info), request.deadline, request.fault_id);
    if (request.withheld) {
      Leave();
      if (fired) Tell({.kind = EngineInput::Kind::kAdvance});
      return;
    }
    std::optional<RpcStatus> refusal = request.refusal;
    if (!refusal && hook_) refusal = hook_(request);
    if (refusal && refusal->code != 0) {
      core_.calls.Refuse(call, *refusal, request.refusal ? request.fault_id : fault_id_);
    } else if (entry == nullptr) {
      const bool service =
          std::any_of(engine::RpcTable().begin(), engine::RpcTable().end(),
                      [&](const auto& known) { return known.support.service == request.service; });
      // The texts of grpc-go.
      core_.calls.Fail(
          call,
          service ? MakeStatus(StatusCode::kUnimplemented, "unknown method {} for service {}",
                               request.method, request.service)
                  : MakeStatus(StatusCode::kUnimplemented, "unknown service {}", request.service));
    } else if (auto lacked = Lacked(request)) {
      core_.calls.Fail(call, *lacked);
    } else if (entry->handle == nullptr) {
      core_.calls.Fail(call, engine::Unimplemented(request.method, entry->support.note));
    } else if (request.deadline && *request.deadline <= core_.now.steady) {
      core_.calls.Fail(call, engine::Calls::DeadlineExceeded());
    } else {
      if (const auto* filter = engine::FilterOf(core_.options)) {
        request.message =
            filter->Request(request.service, request.method, std::move(request.message));
        parsed.reset();
      }
      entry->handle(core_, call, request.message, parsed);
      handled = true;
    }
    Leave();
    if (!observer_) return;
    if (handled && !(engine::OnlyReads(request) && !core_.calls.IsOpen(call))) {
      Tell({.kind = EngineInput::Kind::kCall, .call = call, .request = &request});
    } else if (fired) {
      Tell({.kind = EngineInput::Kind::kAdvance});
    }
  }

  void Cancel(Moment now, std::uint64_t call) {
    const bool fired = Enter(now);
    const bool known = core_.calls.IsOpen(call);
    core_.calls.Cancel(call);
    Leave();
    if (known) {
      Tell({.kind = EngineInput::Kind::kCancel, .call = call});
    } else if (fired) {
      Tell({.kind = EngineInput::Kind::kAdvance});
    }
  }

  void Advance(Moment now) {
    const bool fired = Enter(now);
    Leave();
    if (fired) Tell({.kind = EngineInput::Kind::kAdvance});
  }

  void Restart(Moment now, bool keep_data) {
    core_.calls.DropAll();
    core_.matching.Reset(!keep_data || Planted(PlantedBug::kBacklogLostOnRestart));
    core_.nexus_tasks.Restart(keep_data);
    if (!keep_data) core_.nexus_endpoints.Clear();
    core_.standalone.ForgetWaiters();
    if (keep_data) {
      for (const auto& [name, ns] : core_.namespaces.by_name()) {
        ns->workers.clear();
        for (const auto& [key, run] : ns->by_visibility) {
          ForgetWaiters(*run);
          if (Planted(PlantedBug::kFirstTaskLostOnRestart)) core_.CancelTimer(run->backoff_timer);
          if (!Planted(PlantedBug::kTimerLostOnRestart)) continue;
          for (auto& [id, timer] : run->timers) core_.CancelTimer(timer.timer);
        }
      }
    } else {
      core_.deferred.clear();
      core_.timers = TimerQueue();
      core_.standalone.Clear();
      core_.deployments.Clear();
      core_.build_ids.Clear();
      core_.namespaces.Clear();
      RegisterNamespaces();
    }
    // Nothing happened while the server was down: what became due meanwhile happens now.
    core_.now = {std::max(now.steady, core_.now.steady), now.wall};
    Enter(now);
    Leave();
    Tell({.kind = EngineInput::Kind::kRestart, .keep_data = keep_data});
  }

  engine::Core core_;
  RpcHook hook_;
  InputObserver observer_;
  std::string fault_id_;

 private:
  void RegisterNamespaces() {
    for (const std::string& name : core_.options.namespaces) {
      const std::shared_ptr<engine::Namespace> ns = core_.namespaces.Add(name);
      for (const auto& [attribute, type] : core_.options.search_attributes)
        ns->search_attributes[attribute] = engine::Namespaces::AttributeType(type);
    }
  }

  // The answer to a method that the release answered as does not have.
  std::optional<Status> Lacked(const RpcRequest& request) const {
    const auto* filter = engine::FilterOf(core_.options);
    if (filter == nullptr) return std::nullopt;
    return filter->Refusal(request.service, request.method);
  }

  void Tell(EngineInput input) const {
    if (!observer_) return;
    input.now = core_.now;
    observer_(input);
  }

  // Time stands at each deadline while it fires, so that what follows from it is on time too.
  // Whether anything fired.
  bool Enter(Moment now) {
    const Moment target{std::max(now.steady, core_.now.steady), now.wall};
    const bool first = core_.now.steady == SteadyTime{} && core_.now.wall == WallTime{};
    if (first) core_.now = target;
    bool fired = false;
    while (auto next = core_.timers.NextDeadline()) {
      if (*next > target.steady) break;
      core_.now = {std::max(*next, core_.now.steady),
                   target.wall - (target.steady - std::max(*next, core_.now.steady))};
      ++core_.transaction;
      if (auto work = core_.timers.TakeDue(target.steady)) work();
      core_.RunDeferred();
      fired = true;
    }
    core_.now = target;
    ++core_.transaction;
    return fired;
  }

  void Leave() {
    core_.RunDeferred();
    if (core_.options.check_invariants) {
      const std::string broken = engine::CheckInvariants(core_);
      SQUALL_CHECK(broken.empty(), broken);
    }
  }

  static void ForgetWaiters(engine::Run& run) {
    run.queries.clear();
    run.history_waiters.clear();
    for (auto& [id, update] : run.updates) update.waiters.clear();
  }
};

Engine::Engine(EngineOptions options, journal::Sink& sink)
    : impl_(std::make_unique<Impl>(std::move(options), sink)) {}
Engine::~Engine() = default;

void Engine::Call(Moment now, std::uint64_t call, RpcRequest request) {
  impl_->Call(now, call, std::move(request));
}
void Engine::Cancel(Moment now, std::uint64_t call) { impl_->Cancel(now, call); }
void Engine::Advance(Moment now) { impl_->Advance(now); }
std::optional<SteadyTime> Engine::NextDeadline() const {
  return impl_->core_.timers.NextDeadline();
}
std::vector<RpcResponse> Engine::TakeResponses() { return impl_->core_.calls.Take(); }
void Engine::SetRpcHook(RpcHook hook) { impl_->hook_ = std::move(hook); }
void Engine::SetFaultId(std::string fault_id) { impl_->fault_id_ = std::move(fault_id); }
void Engine::SetInputObserver(InputObserver observer) { impl_->observer_ = std::move(observer); }
std::uint64_t Engine::StateDigest() const { return engine::StateDigest(impl_->core_); }
std::optional<SteadyTime> Engine::NextSkip() const { return engine::NextSkip(impl_->core_); }
void Engine::Restart(Moment now, bool keep_data) { impl_->Restart(now, keep_data); }
std::size_t Engine::held_calls() const { return impl_->core_.calls.size(); }

std::size_t Engine::open_workflows() const {
  std::size_t count = 0;
  for (const auto& [name, ns] : impl_->core_.namespaces.by_name()) count += ns->open_runs;
  return count;
}

std::string Engine::CheckInvariants() const { return engine::CheckInvariants(impl_->core_); }

std::vector<RpcSupport> Engine::SupportTable() {
  std::vector<RpcSupport> table;
  for (const engine::RpcEntry& entry : engine::RpcTable()) table.push_back(entry.support);
  return table;
}

}  // namespace squall::fakes
