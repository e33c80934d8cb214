#include "sim/world/faults.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <utility>

#include "scenarios/format/fault_rules.h"
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

// The fault's rule at the server's front end, on `link` or on all of it.
Action RuleAction(SimWorld& world, Server& server, const InjectRequest& request,
                  const std::string& link) {
  const FaultTarget target = link.empty() ? FaultTarget::kServer : FaultTarget::kLink;
  const auto rule = scenarios::RuleOfFault(target, request.fault, request.fault_id, request.params);
  return {[&world, &server, rule, request, link](Done done) {
            world.Later(std::move(done),
                        rule.ok() ? server.SetRule(*rule, request.fault, link) : rule.status());
          },
          [&world, &server, rule, request, link](Done done) {
            server.LiftRule(request.fault_id);
            if (!link.empty() && scenarios::OutlastsHealing(*rule))
              world.FindLink(link)->net->SetFault("", "drop_connections", {}, nullptr);
            world.Later(std::move(done), absl::OkStatus());
          }};
}

// From this one on, one after the other.
void RestartFronts(SimWorld& world, Server& server, std::size_t front, Duration down_for,
                   Duration pause, Done done) {
  server.EndFront(front);
  world.loop().After(down_for, [&world, &server, front, down_for, pause, done = std::move(done)] {
    server.StartFront(front);
    if (front + 1 == server.fronts()) return done(absl::OkStatus());
    world.loop().After(pause, [&world, &server, front, down_for, pause, done] {
      RestartFronts(world, server, front + 1, down_for, pause, done);
    });
  });
}

Action ServerAction(SimWorld& world, Server& server, const InjectRequest& request,
                    const std::shared_ptr<std::function<void()>>& hit) {
  const auto* spec = world.topology().Server(request.target);
  const bool keep = request.params.Has("keep_data")
                        ? request.params.Bool("keep_data", spec->keep_data)
                        : spec->keep_data;
  const std::string& fault = request.fault;
  if (fault == "kill" || fault == "server_down" || fault == "stop") {
    const int signal = fault == "stop" ? 0 : SIGKILL;
    return {[&world, &server, signal](Done done) {
              server.End(signal, "injected");
              world.Later(std::move(done), absl::OkStatus());
            },
            [&world, &server, keep](Done done) {
              server.Start(
                  keep, [&world, done = std::move(done)] { world.Later(done, absl::OkStatus()); });
            }};
  }
  if (fault == "delayed_start") {
    return Now(
        world,
        [&server, hit, delay = request.params.Time("delay")] {
          server.DelayStarts(delay, [hit] { (*hit)(); });
        },
        [&server] { server.DelayStarts({}, nullptr); });
  }
  if (fault == "pause")
    return Now(
        world, [&server] { server.Pause(); }, [&server] { server.Resume(); });
  if (fault == "data_lost") {
    return Now(
        world,
        [&server] {
          server.End(SIGKILL, "injected");
          server.Start(false);
        },
        nullptr);
  }
  if (fault == "rpc_error" && world.network() == nullptr) {
    return Now(
        world,
        [&server, request] {
          server.RefuseRpcs(
              request.fault_id, request.params.Texts("methods"),
              {CodeFromName(request.params.Text("code")), request.params.Text("message"), ""});
        },
        [&server, id = request.fault_id] { server.AcceptRpcs(id); });
  }
  if (fault == "namespace_delete" || fault == "namespace_reregister") {
    const std::string ns = request.params.Text("namespace");
    const auto remove = [&world, target = request.target, ns](Done done) {
      world.DeleteNamespace(target, ns, std::move(done));
    };
    const auto add = [&world, target = request.target, ns](Done done) {
      world.RegisterNamespace(target, ns, std::move(done));
    };
    if (fault == "namespace_delete") return {remove, add};
    return {[remove, add](Done done) {
              remove([add, done = std::move(done)](const Status& status) {
                status.ok() ? add(done) : done(status);
              });
            },
            nullptr};
  }
  if (fault == "frontend_down") {
    const auto front = static_cast<std::size_t>(request.params.Int("number")) - 1;
    return Now(
        world, [&server, front] { server.EndFront(front); },
        [&server, front] { server.StartFront(front); });
  }
  if (fault == "rolling_restart") {
    return {[&world, &server, down_for = request.params.Time("down_for"),
             pause = request.params.Time("pause")](Done done) {
              RestartFronts(world, server, 0, down_for, pause, std::move(done));
            },
            nullptr};
  }
  if (fault == "restart") {
    scenarios::RestartRequest restart{.node = request.target,
                                      .keep_data = keep,
                                      .down_for = request.params.Time("down_for"),
                                      .kill = request.params.Bool("kill")};
    return {[&world, restart](Done done) { world.Restart(restart, std::move(done)); }, nullptr};
  }
  return RuleAction(world, server, request, "");
}

// A link's name means something else.
Action NameAction(SimWorld& world, const InjectRequest& request,
                  const std::shared_ptr<std::function<void()>>& hit) {
  Network::Name name;
  name.on_lookup = [hit] {
    if (*hit) (*hit)();
  };
  if (request.fault == "dns_answer") {
    for (const std::string& address : request.params.Texts("addresses")) {
      if (const auto endpoint = Endpoint::Parse(address)) name.addresses.push_back(*endpoint);
    }
  } else if (request.fault == "dns_fail") {
    name.fails = request.params.Text("code") != "NXDOMAIN";
  } else {
    // glibc: three attempts, a second each.
    name.fails = true;
    name.hangs = std::chrono::seconds(3);
  }
  return Now(
      world,
      [&world, target = request.target, id = request.fault_id, name] {
        world.FindLink(target)->meanings.emplace_back(id, name);
        world.SetMeaning(target);
      },
      [&world, target = request.target, id = request.fault_id] {
        std::erase_if(world.FindLink(target)->meanings,
                      [&id](const auto& meaning) { return meaning.first == id; });
        world.SetMeaning(target);
      });
}

LaunchChange ChangeOf(const InjectRequest& request) {
  const scenarios::Params& params = request.params;
  LaunchChange change;
  if (request.fault == "clock_skew") {
    change.wall_offset = params.Time("by").count();
    if (params.Text("direction") != "ahead") change.wall_offset = -change.wall_offset;
    change.wall_rate = params.Number("rate", 1);
  } else if (request.fault == "environment_changed") {
    change.ends_it = true;
    for (const auto& [name, value] : params.TextMap("variables")) change.environment[name] = value;
  } else if (request.fault == "environment_missing") {
    change.ends_it = true;
    for (const std::string& name : params.Texts("variables"))
      change.environment[name] = std::nullopt;
  } else if (request.fault == "exits_at_once") {
    change.ends_it = true;
    change.exits = static_cast<int>(params.Int("code"));
    change.says = params.Text("message");
  } else if (request.fault == "ignores_sigterm") {
    change.deaf = true;
  } else {  // slow_start
    change.delay = params.Time("delay");
  }
  return change;
}

// From the worker's next start on, to which it is brought as `renew` says.
Action LaunchAction(SimWorld& world, const InjectRequest& request) {
  const std::string name = request.target;
  const auto renew = [&world, name, how = request.params.Text("renew", "kill")](bool start,
                                                                                Done done) {
    const Worker* worker = world.FindWorker(name);
    const bool up = worker != nullptr && worker->alive();
    const bool wanted = start || up || (worker != nullptr && worker->last_reason() == "injected");
    if (how == "none" || !wanted) return world.Later(std::move(done), absl::OkStatus());
    const auto begin = [&world, name, done = std::move(done)](const Status&) {
      world.StartWorkerNamed(name);
      world.Later(done, absl::OkStatus());
    };
    if (!up) return begin(absl::OkStatus());
    world.EndWorker(name, how == "kill" ? SIGKILL : SIGTERM, begin);
  };
  return {[&world, name, renew, request](Done done) {
            world.MakeWorkerNamed(name).ChangeLaunch(request.fault_id, ChangeOf(request));
            renew(true, std::move(done));
          },
          [&world, name, renew, id = request.fault_id](Done done) {
            world.MakeWorkerNamed(name).RestoreLaunch(id);
            renew(false, std::move(done));
          }};
}

Action CrashLoopAction(SimWorld& world, const InjectRequest& request) {
  const std::string name = request.target, id = request.fault_id;
  const auto arm = [&world, name, after = request.params.Time("after"), id] {
    world.loop().After(after, [&world, name, id, life = world.FindWorker(name)->process()] {
      Worker* worker = world.FindWorker(name);
      if (worker->process() == life && worker->HasLaunchCallback(id)) worker->Kill("injected");
    });
  };
  return Now(
      world,
      [&world, name, id, arm] {
        Worker& worker = world.MakeWorkerNamed(name);
        worker.OnLaunch(id, arm);
        if (worker.alive()) arm();
      },
      [&world, name, id] { world.FindWorker(name)->OnLaunch(id, nullptr); });
}

Action WorkerAction(SimWorld& world, const InjectRequest& request) {
  const std::string name = request.target;
  const std::string& fault = request.fault;
  if (fault == "pause") {
    return {[&world, name](Done done) { world.Pause(name, std::move(done)); },
            [&world, name](Done done) { world.Resume(name, std::move(done)); }};
  }
  if (fault == "kill")
    return {[&world, name](Done done) { world.Kill(name, std::move(done)); }, nullptr};
  if (fault == "crash_loop") return CrashLoopAction(world, request);
  if (fault != "interrupt" && fault != "terminate" && fault != "cancel")
    return LaunchAction(world, request);
  const int number = fault == "interrupt" ? SIGINT : fault == "terminate" ? SIGTERM : SIGUSR2;
  return {[&world, name, number](Done done) {
            Worker* worker = world.FindWorker(name);
            if (worker == nullptr || !worker->alive())
              return world.Later(std::move(done), scenarios::WorkerIsNotRunning(name));
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

bool ActsOnNames(const scenarios::InjectStep& step) {
  return step.target == FaultTarget::kLink && step.fault.starts_with("dns_");
}

bool ActsByRule(const scenarios::InjectStep& step) {
  return step.target != FaultTarget::kWorker &&
         scenarios::RuleOfFault(step.target, step.fault, "", step.params).status().code() !=
             StatusCode::kNotFound;
}

std::string WhyNotSimulated(const scenarios::InjectStep& step, const scenarios::Topology& topology,
                            bool bytes) {
  const auto is = [&step](const auto& names) {
    return std::find(std::begin(names), std::end(names), std::string_view(step.fault)) !=
           std::end(names);
  };
  const auto not_built = fmt::format("the fault {} is not simulated", step.fault);
  if (step.target == FaultTarget::kWorker) {
    static constexpr std::string_view kOfWorkers[] = {
        "cancel",        "clock_skew", "crash_loop", "environment_changed", "environment_missing",
        "exits_at_once", "interrupt",  "kill",       "ignores_sigterm",     "pause",
        "slow_start",    "terminate"};
    return is(kOfWorkers) ? "" : not_built;
  }
  const bool rule = ActsByRule(step);
  if (step.target == FaultTarget::kServer) {
    static constexpr std::string_view kOfServers[] = {
        "data_lost",        "delayed_start",        "frontend_down", "kill",
        "namespace_delete", "namespace_reregister", "pause",         "restart",
        "rolling_restart",  "server_down",          "stop"};
    if (step.fault == "frontend_down") {
      for (const std::string& name : step.on) {
        const int frontends = topology.Server(name)->frontends;
        if (step.params.Int("number") > frontends)
          return fmt::format("server {} has {} front end{}, not {}", name, frontends,
                             frontends == 1 ? "" : "s", step.params.Int("number"));
      }
    }
    if (!bytes && (step.fault == "frontend_down" || step.fault == "rolling_restart"))
      return fmt::format("the fault {} acts on connections: calls have none", step.fault);
    if (is(kOfServers) || (bytes && rule) || step.fault == "rpc_error") return "";
    return rule ? fmt::format("the fault {} acts on a front end: calls are answered in process",
                              step.fault)
                : not_built;
  }
  static constexpr std::string_view kOfCalls[] = {
      "black_hole", "drop_connections", "latency", "never_accept", "refuse", "reset", "stall"};
  static constexpr std::string_view kOfBytes[] = {"bandwidth",
                                                  "connection_limit",
                                                  "corrupt",
                                                  "cut",
                                                  "dns_answer",
                                                  "dns_fail",
                                                  "dns_hang",
                                                  "half_open",
                                                  "idle_drop",
                                                  "kernel_drop",
                                                  "kernel_address_change",
                                                  "kernel_bandwidth",
                                                  "kernel_link_down",
                                                  "kernel_reject",
                                                  "reset_on_data",
                                                  "slice",
                                                  "slow_close",
                                                  "swallow"};
  if (!bytes) {
    return is(kOfCalls) ? ""
                        : fmt::format(
                              "the fault {} acts on bytes: calls are answered in process "
                              "here",
                              step.fault);
  }
  if (step.fault == "request_twice") return "only a proxy can send a request twice";
  if (rule) {
    for (const std::string& name : step.on) {
      const auto* link = topology.Link(name);
      if (link == nullptr || topology.Server(link->to) == nullptr)
        return fmt::format("the fault {} needs a link that leads to a server", step.fault);
    }
    return "";
  }
  if (!is(kOfCalls) && !is(kOfBytes)) return not_built;
  if (step.params.Has("connections"))
    return fmt::format("connections by number, of the fault {}, are not simulated", step.fault);
  if (step.params.Text("distribution", "uniform") != "uniform")
    return fmt::format("the fault {} is simulated with a uniform distribution only", step.fault);
  if ((step.fault == "slice" && step.params.Time("pause") > Duration::zero()) ||
      (step.fault == "reset_on_data" && step.params.Time("delay") > Duration::zero()))
    return fmt::format("pauses of the fault {} are not simulated", step.fault);
  return "";
}

void InjectFault(SimWorld& world, const InjectRequest& request,
                 std::function<void(StatusOr<std::unique_ptr<scenarios::FaultHandle>>)> done) {
  // Ways to servers without a link in the scenario are none of its links.
  SimWorld::Link* link =
      world.topology().Link(request.target) == nullptr ? nullptr : world.FindLink(request.target);
  Server* server = link == nullptr ? world.FindServer(request.target) : nullptr;
  const FaultTarget kind = link != nullptr     ? FaultTarget::kLink
                           : server != nullptr ? FaultTarget::kServer
                                               : FaultTarget::kWorker;
  const scenarios::FaultDefinition* definition = scenarios::FindFault(kind, request.fault);
  SQUALL_CHECK(definition != nullptr, "the loader checked the fault");
  // Links with bytes and servers ask for the fault once more, to tell it of traffic.
  auto hit = std::make_shared<std::function<void()>>();
  const bool ruled =
      link != nullptr && link->net != nullptr &&
      scenarios::RuleOfFault(kind, request.fault, "", request.params).status().code() !=
          StatusCode::kNotFound;
  const bool named = request.fault.starts_with("dns_");
  Action action = ruled ? RuleAction(world, *link->state->server, request, request.target)
                  : link != nullptr && named ? NameAction(world, request, hit)
                  : link != nullptr && link->net != nullptr
                      ? BytesAction(world, *link->net, request, hit)
                  : link != nullptr   ? LinkAction(world, *link, request)
                  : server != nullptr ? ServerAction(world, *server, request, hit)
                                      : WorkerAction(world, request);
  auto fault =
      std::make_shared<SimFault>(world, request, definition->one_shot(), std::move(action));
  const bool at_once = definition->evidence == scenarios::FaultEvidence::kInjection ||
                       request.fault == "drop_connections";
  if (server != nullptr || (link != nullptr && link->net != nullptr)) {
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
