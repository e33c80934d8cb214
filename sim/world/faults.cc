#include "sim/world/faults.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/world/sim_world.h"

namespace squall::sim {
namespace {

using scenarios::Done;
using scenarios::FaultTarget;
using scenarios::InjectRequest;

// One fault: what it does, and what undoes it.
struct Action {
  std::function<void(Done)> inject;
  std::function<void(Done)> heal;
};

Action Now(SimWorld& world, std::function<void()> inject, std::function<void()> heal) {
  const auto at_once = [&world](std::function<void()> what) {
    return [&world, what = std::move(what)](Done done) {
      if (what) what();
      world.Later(std::move(done), absl::OkStatus());
    };
  };
  return {at_once(std::move(inject)), at_once(std::move(heal))};
}

void CutPaths(SimWorld::Link& link) {
  for (const auto& weak : link.paths) {
    if (const auto path = weak.lock()) path->CutAll();
  }
}
void ReleasePaths(SimWorld::Link& link) {
  for (const auto& weak : link.paths) {
    if (const auto path = weak.lock()) path->Release();
  }
}

Action LinkAction(SimWorld& world, SimWorld::Link& link, const InjectRequest& request) {
  LinkState& state = *link.state;
  if (request.fault == "refuse" || request.fault == "reset") {
    const bool keep = request.fault == "refuse" && request.params.Bool("keep_connections");
    return Now(
        world,
        [&link, &state, keep] {
          ++state.refusing;
          if (!keep) CutPaths(link);
        },
        [&state] { --state.refusing; });
  }
  if (request.fault == "latency") {
    const Duration delay = request.params.Time("delay");
    return Now(
        world, [&state, delay] { state.extra_latency += delay; },
        [&state, delay] { state.extra_latency -= delay; });
  }
  if (request.fault == "drop_connections")
    return Now(
        world, [&link] { CutPaths(link); }, nullptr);
  // stall, black_hole, never_accept: nothing passes, and flows on when it is healed.
  return Now(
      world, [&state] { ++state.holding; },
      [&link, &state] {
        --state.holding;
        ReleasePaths(link);
      });
}

Action BytesAction(SimWorld& world, NetLink& link, const InjectRequest& request,
                   const std::shared_ptr<std::function<void()>>& hit) {
  return Now(
      world,
      [&link, request, hit] {
        link.SetFault(request.fault_id, request.fault, request.params, [hit] { (*hit)(); });
      },
      [&link, id = request.fault_id] { link.LiftFault(id); });
}

Action ServerAction(SimWorld& world, Server& server, const InjectRequest& request) {
  const auto* spec = world.topology().Server(request.target);
  const bool keep = request.params.Has("keep_data")
                        ? request.params.Bool("keep_data", spec->keep_data)
                        : spec->keep_data;
  const auto start = [&server, keep] { server.Start(keep); };
  if (request.fault == "kill" || request.fault == "server_down")
    return Now(
        world, [&server] { server.End(SIGKILL, "injected"); }, start);
  if (request.fault == "stop")
    return Now(
        world, [&server] { server.End(0, "injected"); }, start);
  if (request.fault == "pause")
    return Now(
        world, [&server] { server.Pause(); }, [&server] { server.Resume(); });
  if (request.fault == "data_lost") {
    return Now(
        world,
        [&server] {
          server.End(SIGKILL, "injected");
          server.Start(false);
        },
        nullptr);
  }
  if (request.fault == "rpc_error") {
    return Now(
        world,
        [&server, request] {
          int code = 2;
          for (int candidate = 1; candidate <= 16; ++candidate) {
            if (CodeName(candidate) == request.params.Text("code")) code = candidate;
          }
          server.RefuseRpcs(request.fault_id, request.params.Texts("methods"),
                            {code, request.params.Text("message"), ""});
        },
        [&server, id = request.fault_id] { server.AcceptRpcs(id); });
  }
  if (request.fault == "namespace_delete") {
    const std::string ns = request.params.Text("namespace");
    return {[&world, target = request.target, ns](Done done) {
              world.DeleteNamespace(target, ns, std::move(done));
            },
            [&world, target = request.target, ns](Done done) {
              world.RegisterNamespace(target, ns, std::move(done));
            }};
  }
  // restart
  scenarios::RestartRequest restart{.node = request.target,
                                    .keep_data = keep,
                                    .down_for = request.params.Time("down_for"),
                                    .kill = request.params.Bool("kill")};
  return {[&world, restart](Done done) { world.Restart(restart, std::move(done)); }, nullptr};
}

Action WorkerAction(SimWorld& world, const InjectRequest& request) {
  const std::string name = request.target;
  if (request.fault == "pause") {
    return {[&world, name](Done done) { world.Pause(name, std::move(done)); },
            [&world, name](Done done) { world.Resume(name, std::move(done)); }};
  }
  if (request.fault == "kill")
    return {[&world, name](Done done) { world.Kill(name, std::move(done)); }, nullptr};
  const int number = request.fault == "interrupt" ? SIGINT : SIGTERM;
  return {[&world, name, number](Done done) {
            Worker* worker = world.FindWorker(name);
            if (worker == nullptr || !worker->alive()) {
              return world.Later(std::move(done), MakeStatus(StatusCode::kFailedPrecondition,
                                                             "worker {} does not run", name));
            }
            worker->Signal(number, "injected");
            world.Later(std::move(done), absl::OkStatus());
          },
          nullptr};
}

class SimFault final : public scenarios::FaultHandle,
                       public std::enable_shared_from_this<SimFault> {
 public:
  SimFault(SimWorld& world, InjectRequest request, bool one_shot, Action action)
      : world_(world),
        request_(std::move(request)),
        one_shot_(one_shot),
        action_(std::move(action)) {}

  void Inject(bool hits_at_once, Done done) {
    Tell("injecting");
    action_.inject(
        [self = shared_from_this(), hits_at_once, done = std::move(done)](const Status& status) {
          self->active_ = status.ok() && !self->one_shot_;
          self->Tell(status.ok() ? "injected" : "failed", std::string(Message(status)));
          if (status.ok() && hits_at_once) self->Hit();
          done(status);
        });
  }

  void Heal(Done done) override {
    if (!std::exchange(active_, false)) return world_.Later(std::move(done), absl::OkStatus());
    Tell("healing");
    action_.heal([self = shared_from_this(), done = std::move(done)](const Status& status) {
      self->Tell(status.ok() ? "healed" : "failed", std::string(Message(status)));
      done(status);
    });
  }

  // Traffic met it.
  void Hit() {
    if (!std::exchange(hit_, true)) Tell("hit");
  }
  bool active() const { return active_; }

 private:
  void Tell(std::string_view what, std::string detail = "") {
    journal::FaultEvent event;
    event.what = what;
    event.fault_id = request_.fault_id;
    event.fault = request_.fault;
    event.target = request_.target;
    event.detail = std::move(detail);
    world_.journal().Append("fault", std::move(event));
  }

  SimWorld& world_;
  const InjectRequest request_;
  const bool one_shot_;
  Action action_;
  bool active_ = false, hit_ = false;
};

// What the step machine owns; the fault itself lives as long as its callbacks.
class Handle final : public scenarios::FaultHandle {
 public:
  explicit Handle(std::shared_ptr<SimFault> fault) : fault_(std::move(fault)) {}
  ~Handle() override {
    if (fault_->active()) fault_->Heal([](const Status&) {});
  }
  void Heal(Done done) override { fault_->Heal(std::move(done)); }

 private:
  const std::shared_ptr<SimFault> fault_;
};

}  // namespace

bool ActsOnCalls(FaultTarget target, std::string_view fault) {
  static constexpr std::array<std::string_view, 3> kOfBytes = {"bandwidth", "cut", "slow_close"};
  return target != FaultTarget::kLink ||
         std::find(kOfBytes.begin(), kOfBytes.end(), fault) == kOfBytes.end();
}

void InjectFault(SimWorld& world, const InjectRequest& request,
                 std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) {
  SimWorld::Link* link = world.FindLink(request.target);
  Server* server = link == nullptr ? world.FindServer(request.target) : nullptr;
  const FaultTarget kind = link != nullptr     ? FaultTarget::kLink
                           : server != nullptr ? FaultTarget::kServer
                                               : FaultTarget::kWorker;
  const scenarios::FaultDefinition* definition = scenarios::FindFault(kind, request.fault);
  SQUALL_CHECK(definition != nullptr, "the loader checked the fault");
  // Links with bytes ask for the fault once more, to tell it of traffic.
  auto hit = std::make_shared<std::function<void()>>();
  Action action = link != nullptr && link->net != nullptr
                      ? BytesAction(world, *link->net, request, hit)
                  : link != nullptr   ? LinkAction(world, *link, request)
                  : server != nullptr ? ServerAction(world, *server, request)
                                      : WorkerAction(world, request);
  auto fault =
      std::make_shared<SimFault>(world, request, definition->one_shot(), std::move(action));
  const bool at_once = definition->evidence == scenarios::FaultEvidence::kInjection ||
                       request.fault == "drop_connections";
  if (link != nullptr && link->net != nullptr) {
    *hit = [weak = std::weak_ptr<SimFault>(fault)] {
      if (const auto met = weak.lock()) met->Hit();
    };
  } else if (link != nullptr && !at_once) {
    link->state->on_traffic = [weak = std::weak_ptr<SimFault>(fault),
                               before = link->state->on_traffic] {
      if (before) before();
      if (const auto met = weak.lock(); met != nullptr && met->active()) met->Hit();
    };
  }
  fault->Inject(at_once, [fault, done = std::move(done)](const Status& status) {
    if (!status.ok()) return done(status);
    done(std::make_unique<Handle>(fault));
  });
}

}  // namespace squall::sim
