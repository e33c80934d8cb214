#include "harness/fault/fault.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/util/text.h"

namespace squall::harness {
namespace {

std::string_view TargetName(FaultTarget target) {
  switch (target) {
    case FaultTarget::kLink:
      return "link";
    case FaultTarget::kWorker:
      return "worker";
    case FaultTarget::kServer:
      return "server";
  }
  return "?";
}

bool HasType(const FaultValue& value, ParameterType type) {
  switch (type) {
    case ParameterType::kDuration:
      return std::holds_alternative<Duration>(value);
    case ParameterType::kSize:
    case ParameterType::kRate:
    case ParameterType::kCount:
      return std::holds_alternative<std::int64_t>(value);
    case ParameterType::kNumber:
      return std::holds_alternative<double>(value);
    case ParameterType::kBool:
      return std::holds_alternative<bool>(value);
    case ParameterType::kText:
      return std::holds_alternative<std::string>(value);
    case ParameterType::kTextList:
      return std::holds_alternative<std::vector<std::string>>(value);
  }
  return false;
}

std::string_view TypeName(ParameterType type) {
  switch (type) {
    case ParameterType::kDuration:
      return "a duration";
    case ParameterType::kSize:
      return "a size";
    case ParameterType::kRate:
      return "a rate";
    case ParameterType::kCount:
      return "a count";
    case ParameterType::kNumber:
      return "a number";
    case ParameterType::kBool:
      return "true or false";
    case ParameterType::kText:
      return "a text";
    case ParameterType::kTextList:
      return "a list of texts";
  }
  return "?";
}

Status CheckParameters(const FaultInfo& info, const FaultSpec& spec) {
  const auto bad = [&](std::string_view name, std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "fault {}: parameter '{}' {}", spec.fault, name,
                      why);
  };
  for (const auto& [name, value] : spec.parameters) {
    const auto known = std::find_if(
        info.parameters.begin(), info.parameters.end(),
        [&, &wanted = name](const FaultParameter& parameter) { return parameter.name == wanted; });
    if (known == info.parameters.end()) {
      std::vector<std::string> names;
      for (const FaultParameter& parameter : info.parameters) names.emplace_back(parameter.name);
      return bad(name, "is not one of its own" + DidYouMean(name, names));
    }
    if (!HasType(value, known->type))
      return bad(name, "is not " + std::string(TypeName(known->type)));
    if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number < 0)
      return bad(name, "is negative");
    if (const auto* text = std::get_if<std::string>(&value);
        text != nullptr && !known->choices.empty() &&
        std::find(known->choices.begin(), known->choices.end(), *text) == known->choices.end()) {
      std::string choices;
      for (const std::string_view choice : known->choices)
        choices += (choices.empty() ? "" : ", ") + std::string(choice);
      return bad(name, "is not one of " + choices);
    }
  }
  for (const FaultParameter& parameter : info.parameters) {
    if (parameter.required && !spec.parameters.contains(parameter.name))
      return bad(parameter.name, "is missing");
  }
  return absl::OkStatus();
}

// A parameter, or what it is when it was not given.
template <typename T>
T Get(const FaultSpec& spec, std::string_view name, T otherwise) {
  const auto it = spec.parameters.find(name);
  return it == spec.parameters.end() ? otherwise : std::get<T>(it->second);
}

// The part that all faults share: order of calls, journal, one result for all who ask. The rest
// says what to do.
class FaultBase : public FaultHandle {
 public:
  FaultBase(AsioExecutor& executor, journal::Sink& journal, FaultSpec spec, const FaultInfo& info)
      : executor_(executor), journal_(journal), spec_(std::move(spec)), info_(info) {}
  ~FaultBase() override { *alive_ = false; }

  void Inject(Callback done) final {
    if (state_ != State::kNew) {
      return Later(std::move(done), MakeStatus(StatusCode::kFailedPrecondition,
                                               "fault {} was injected already", spec_.id));
    }
    state_ = State::kInjecting;
    Tell("injecting");
    DoInject([this, alive = alive_, done = std::move(done)](Status status) {
      if (!*alive) return;
      executor_.Post([this, alive, done, status = std::move(status)] {
        if (!*alive) return;
        const bool stays = status.ok() && info_.healing != Healing::kOneShot;
        state_ = stays ? State::kActive : State::kOver;
        Tell(status.ok() ? "injected" : "failed", std::string(Message(status)));
        if (status.ok() && info_.target != FaultTarget::kLink && spec_.fault != "rpc_error")
          Tell("hit");
        if (done)
          done(status.ok() ? status
                           : Annotate(status, "inject " + spec_.fault + " into " + spec_.target));
        if (!*alive || healers_.empty()) return;
        // Somebody asked for the healing before the injection was done.
        if (stays) return StartHealing();
        Healed(absl::OkStatus());
      });
    });
  }

  void Heal(Callback done) final {
    if (!active()) return Later(std::move(done), absl::OkStatus());
    healers_.push_back(std::move(done));
    if (state_ == State::kActive) StartHealing();
  }

  bool active() const final {
    return state_ == State::kActive || state_ == State::kInjecting || state_ == State::kHealing;
  }
  const FaultSpec& spec() const final { return spec_; }
  const FaultInfo& info() const final { return info_; }

 protected:
  virtual void DoInject(Callback done) = 0;
  virtual void DoHeal(Callback done) = 0;

  // For destructors of classes below: heals what can be healed at once, with the events of a
  // healing.
  void HealNow(const std::function<Status()>& heal) {
    if (!active() || info_.healing == Healing::kOneShot) return;
    if (state_ != State::kHealing) Tell("healing");
    const Status status = heal();
    Tell(status.ok() ? "healed" : "failed",
         status.ok() ? "by its end" : std::string(Message(status)));
    state_ = State::kOver;
  }

  void Later(Callback done, Status status) {
    if (!done) return;
    executor_.Post([alive = alive_, done = std::move(done), status = std::move(status)] {
      if (*alive) done(status);
    });
  }

  void Tell(std::string_view word, std::string detail = "") {
    journal_.Append("fault", journal::FaultEvent{.what = std::string(word),
                                                 .fault_id = spec_.id,
                                                 .fault = spec_.fault,
                                                 .target = spec_.target,
                                                 .detail = std::move(detail)});
  }

  AsioExecutor& executor_;
  journal::Sink& journal_;
  const FaultSpec spec_;
  const FaultInfo& info_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

 private:
  enum class State { kNew, kInjecting, kActive, kHealing, kOver };

  void StartHealing() {
    state_ = State::kHealing;
    Tell("healing");
    DoHeal([this, alive = alive_](Status status) {
      if (!*alive) return;
      executor_.Post([this, alive, status = std::move(status)] {
        if (!*alive) return;
        state_ = status.ok() ? State::kOver : State::kActive;
        Tell(status.ok() ? "healed" : "failed", std::string(Message(status)));
        Healed(status.ok() ? status
                           : Annotate(status, "heal " + spec_.fault + " of " + spec_.target));
      });
    });
  }

  void Healed(const Status& result) {
    for (const Callback& healer : std::exchange(healers_, {})) {
      if (healer) healer(result);
    }
  }

  State state_ = State::kNew;
  std::vector<Callback> healers_;
};

// -----------------------------------------------------------------------------------------------------------------
// on links

class LinkFault final : public FaultBase {
 public:
  LinkFault(AsioExecutor& executor, journal::Sink& journal, FaultSpec spec, const FaultInfo& info,
            TcpProxy& proxy)
      : FaultBase(executor, journal, std::move(spec), info), proxy_(proxy) {}
  ~LinkFault() override {
    HealNow([this] { return proxy_.Remove(spec_.id); });
  }

 private:
  void DoInject(Callback done) override {
    if (spec_.fault == "drop_connections") {
      const std::uint64_t open = proxy_.counters().open;
      proxy_.CloseConnections(CutWith::kReset, spec_.id);
      if (open > 0) Tell("hit", std::to_string(open) + " connections");
      return done(absl::OkStatus());
    }
    done(proxy_.Set(Translate()));
  }
  void DoHeal(Callback done) override { done(proxy_.Remove(spec_.id)); }

  NetFault Translate() const {
    NetFault fault{.id = spec_.id};
    const std::string& name = spec_.fault;
    fault.kind = name == "refuse"         ? NetFaultKind::kRefuse
                 : name == "reset"        ? NetFaultKind::kReset
                 : name == "black_hole"   ? NetFaultKind::kBlackhole
                 : name == "never_accept" ? NetFaultKind::kNeverAccept
                 : name == "stall"        ? NetFaultKind::kStall
                 : name == "latency"      ? NetFaultKind::kLatency
                 : name == "bandwidth"    ? NetFaultKind::kBandwidth
                 : name == "cut"          ? NetFaultKind::kCut
                                          : NetFaultKind::kSlowClose;
    const std::string direction = Get<std::string>(spec_, "direction", "both");
    fault.direction = direction == "up"     ? Direction::kUp
                      : direction == "down" ? Direction::kDown
                                            : Direction::kBoth;
    fault.latency = Get<Duration>(spec_, "delay", Duration::zero());
    fault.jitter = Get<Duration>(spec_, "jitter", Duration::zero());
    fault.bytes_per_second = static_cast<std::uint64_t>(Get<std::int64_t>(spec_, "rate", 0));
    fault.cut_after_bytes = static_cast<std::uint64_t>(Get<std::int64_t>(spec_, "after", 0));
    fault.cut_with =
        Get<std::string>(spec_, "with", "reset") == "fin" ? CutWith::kFin : CutWith::kReset;
    fault.backlog_full = Get<std::string>(spec_, "backlog", "open") == "full";
    fault.first_connections =
        static_cast<std::uint64_t>(Get<std::int64_t>(spec_, "first_connections", 0));
    fault.probability = Get<double>(spec_, "probability", 1);
    if (Get<bool>(spec_, "keep_connections", false)) fault.existing = Existing::kKeep;
    return fault;
  }

  TcpProxy& proxy_;
};

// ---------------------------------------------------------------------------------------------------------------
// on workers

class WorkerFault final : public FaultBase {
 public:
  WorkerFault(AsioExecutor& executor, journal::Sink& journal, FaultSpec spec, const FaultInfo& info,
              WorkerUnderTest& worker)
      : FaultBase(executor, journal, std::move(spec), info), worker_(worker) {}
  ~WorkerFault() override {
    HealNow([this] { return worker_.Resume(Intent::kInjected); });
  }

 private:
  void DoInject(Callback done) override {
    if (!worker_.process().alive()) {
      return done(
          MakeStatus(StatusCode::kFailedPrecondition, "worker {} does not run", worker_.name()));
    }
    if (spec_.fault == "kill") {
      worker_.Kill(Intent::kInjected,
                   [done = std::move(done)](const ProcessExit&) { done(absl::OkStatus()); });
    } else if (spec_.fault == "pause") {
      done(worker_.Pause(Intent::kInjected));
    } else {
      done(worker_.Signal(spec_.fault == "interrupt" ? SIGINT : SIGTERM, Intent::kInjected));
    }
  }
  void DoHeal(Callback done) override { done(worker_.Resume(Intent::kInjected)); }

  WorkerUnderTest& worker_;
};

// ---------------------------------------------------------------------------------------------------------------
// on servers

class ServerFault final : public FaultBase {
 public:
  ServerFault(AsioExecutor& executor, journal::Sink& journal, FaultSpec spec, const FaultInfo& info,
              ServerUnderTest& server)
      : FaultBase(executor, journal, std::move(spec), info), server_(server) {}
  ~ServerFault() override {
    executor_.Cancel(down_timer_);
    HealNow([this]() -> Status {
      if (spec_.fault == "pause") return server_.Resume(Intent::kInjected);
      if (spec_.fault == "rpc_error") return server_.AcceptRpcs(spec_.id);
      // Started without being waited for: whoever drops the handle does not want to know.
      if (spec_.fault == "namespace_delete") {
        server_.RegisterNamespace(Namespace(), nullptr);
      } else if (!server_.running()) {
        server_.StartAgain(KeepData(), nullptr);
      }
      return absl::OkStatus();
    });
  }

 private:
  std::string Namespace() const { return Get<std::string>(spec_, "namespace", ""); }
  bool KeepData() const { return Get<bool>(spec_, "keep_data", server_.options().keep_data); }

  void DoInject(Callback done) override {
    const std::string& name = spec_.fault;
    if (name == "namespace_delete") return server_.DeleteNamespace(Namespace(), std::move(done));
    if (name == "rpc_error") {
      const int code = CodeFromName(Get<std::string>(spec_, "code", ""));
      if (code <= 0) {
        return done(MakeStatus(StatusCode::kInvalidArgument, "'{}' is no gRPC status of a failure",
                               Get<std::string>(spec_, "code", "")));
      }
      return done(server_.RefuseRpcs(spec_.id, Get<std::vector<std::string>>(spec_, "methods", {}),
                                     code, Get<std::string>(spec_, "message", "injected")));
    }
    if (!server_.running())
      return done(
          MakeStatus(StatusCode::kFailedPrecondition, "server {} does not run", server_.name()));
    if (name == "pause") return done(server_.Pause(Intent::kInjected));
    if (name == "kill" || name == "server_down")
      return server_.Kill(Intent::kInjected, std::move(done));
    if (name == "stop") return server_.Stop(Intent::kInjected, std::move(done));
    const bool keep_data = name != "data_lost" && Get<bool>(spec_, "keep_data", true);
    const bool kill = name == "data_lost" || Get<bool>(spec_, "kill", false);
    const Duration down_for = Get<Duration>(spec_, "down_for", Duration::zero());
    Callback ended = [this, alive = alive_, keep_data, down_for,
                      done = std::move(done)](Status status) {
      if (!*alive) return;
      if (!status.ok()) return done(std::move(status));
      down_timer_ = executor_.After(down_for, [this, keep_data, done] {
        down_timer_ = 0;
        server_.StartAgain(keep_data, done);
      });
    };
    if (kill) {
      server_.Kill(Intent::kInjected, std::move(ended));
    } else {
      server_.Stop(Intent::kInjected, std::move(ended));
    }
  }

  void DoHeal(Callback done) override {
    if (spec_.fault == "namespace_delete")
      return server_.RegisterNamespace(Namespace(), std::move(done));
    if (spec_.fault == "rpc_error") return done(server_.AcceptRpcs(spec_.id));
    if (spec_.fault == "pause") return done(server_.Resume(Intent::kInjected));
    // A step of the scenario may have started it meanwhile: then nothing is left to heal.
    if (server_.running()) return done(absl::OkStatus());
    server_.StartAgain(KeepData(), std::move(done));
  }

  ServerUnderTest& server_;
  TimerId down_timer_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<FaultHandle>> FaultHandle::Create(AsioExecutor& executor,
                                                           journal::Sink& journal,
                                                           FaultTargets& targets, FaultSpec spec) {
  TcpProxy* link = targets.Link(spec.target);
  WorkerUnderTest* worker = link == nullptr ? targets.Worker(spec.target) : nullptr;
  ServerUnderTest* server =
      link == nullptr && worker == nullptr ? targets.Server(spec.target) : nullptr;
  if (link == nullptr && worker == nullptr && server == nullptr) {
    return MakeStatus(StatusCode::kNotFound, "fault {}: nothing is called '{}'{}", spec.fault,
                      spec.target, DidYouMean(spec.target, targets.Names()));
  }
  const FaultTarget kind = link != nullptr     ? FaultTarget::kLink
                           : worker != nullptr ? FaultTarget::kWorker
                                               : FaultTarget::kServer;
  // Before everything else: an address is not to be touched, whatever is asked for.
  if (server != nullptr && !server->owned()) {
    return MakeStatus(StatusCode::kPermissionDenied,
                      "fault {} on server {}: squall did not start {} and injects nothing into it; "
                      "put a link in front of it and inject there",
                      spec.fault, spec.target, server->address());
  }
  const FaultInfo* info = FindFault(kind, spec.fault);
  if (info == nullptr) {
    std::vector<std::string> names;
    for (const FaultInfo& one : FaultCatalogue()) {
      if (one.target == kind) names.emplace_back(one.name);
    }
    return MakeStatus(StatusCode::kNotFound, "no fault '{}' for a {}{}", spec.fault,
                      TargetName(kind), DidYouMean(spec.fault, names));
  }
  SQUALL_RETURN_IF_ERROR(CheckParameters(*info, spec));
  std::unique_ptr<FaultHandle> handle;
  if (link != nullptr) {
    handle = std::make_unique<LinkFault>(executor, journal, std::move(spec), *info, *link);
  } else if (worker != nullptr) {
    handle = std::make_unique<WorkerFault>(executor, journal, std::move(spec), *info, *worker);
  } else {
    handle = std::make_unique<ServerFault>(executor, journal, std::move(spec), *info, *server);
  }
  return handle;
}

}  // namespace squall::harness
