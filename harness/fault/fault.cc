#include "harness/fault/fault.h"

#include <utility>

#include "base/util/text.h"
#include "harness/fault/availability.h"
#include "harness/fault/fault_action.h"
#include "scenarios/format/complete_params.h"

namespace squall::harness {
namespace {

using scenarios::FaultDefinition;
using scenarios::FaultEvidence;
using scenarios::FaultTarget;

// The part that all faults share: order of calls, journal, one result for all who ask. What happens
// is the action's.
class Handle final : public FaultHandle {
 public:
  Handle(AsioExecutor& executor, journal::Sink& journal, FaultSpec spec,
         const FaultDefinition& definition)
      : executor_(executor), journal_(journal), spec_(std::move(spec)), definition_(definition) {}

  ~Handle() override {
    *alive_ = false;
    if (!active() || definition_.one_shot()) return;
    if (state_ != State::kHealing) Tell("healing");
    const Status status = action_->HealNow();
    Tell(status.ok() ? "healed" : "failed",
         status.ok() ? "by its end" : std::string(Message(status)));
  }

  // Before anything else is called.
  void Make(FaultParts parts, const FaultFactory& factory) {
    parts.hit = [this](std::string detail) { Tell("hit", std::move(detail)); };
    action_ = factory.make(parts);
  }

  void Inject(Callback done) override {
    if (state_ != State::kNew) {
      return Later(std::move(done), MakeStatus(StatusCode::kFailedPrecondition,
                                               "fault {} was injected already", spec_.id));
    }
    state_ = State::kInjecting;
    Tell("injecting");
    action_->Inject(OnLoop([this, done = std::move(done)](const Status& status) {
      const bool stays = status.ok() && !definition_.one_shot();
      state_ = stays ? State::kActive : State::kOver;
      Tell(status.ok() ? "injected" : "failed", std::string(Message(status)));
      if (status.ok() && definition_.evidence == FaultEvidence::kInjection) Tell("hit");
      const auto alive = alive_;
      if (done)
        done(status.ok() ? status
                         : Annotate(status, "inject " + spec_.fault + " into " + spec_.target));
      if (!*alive || healers_.empty()) return;
      // Somebody asked for the healing before the injection was done.
      if (stays) return StartHealing();
      Healed(absl::OkStatus());
    }));
  }

  void Heal(Callback done) override {
    if (!active()) return Later(std::move(done), absl::OkStatus());
    healers_.push_back(std::move(done));
    if (state_ == State::kActive) StartHealing();
  }

  bool active() const override {
    return state_ == State::kActive || state_ == State::kInjecting || state_ == State::kHealing;
  }
  const FaultSpec& spec() const override { return spec_; }
  const FaultDefinition& definition() const override { return definition_; }

 private:
  enum class State { kNew, kInjecting, kActive, kHealing, kOver };

  void StartHealing() {
    state_ = State::kHealing;
    Tell("healing");
    action_->Heal(OnLoop([this](const Status& status) {
      state_ = status.ok() ? State::kOver : State::kActive;
      Tell(status.ok() ? "healed" : "failed", std::string(Message(status)));
      Healed(status.ok() ? status
                         : Annotate(status, "heal " + spec_.fault + " of " + spec_.target));
    }));
  }

  void Healed(const Status& result) {
    const auto alive = alive_;
    for (const Callback& healer : std::exchange(healers_, {})) {
      if (healer && *alive) healer(result);
    }
  }

  // `then`, later and from the loop, unless this is gone by then: whenever the action calls back.
  Done OnLoop(Callback then) {
    return [this, alive = alive_, then = std::move(then)](const Status& status) {
      if (!*alive) return;
      executor_.Post([alive, then, status] {
        if (*alive) then(status);
      });
    };
  }

  void Later(Callback done, const Status& status) {
    if (done) OnLoop(std::move(done))(status);
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
  const FaultDefinition& definition_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<FaultAction> action_;
  State state_ = State::kNew;
  std::vector<Callback> healers_;
};

std::optional<FaultFactory> FindFactory(const FaultDefinition& definition) {
  for (const FaultFactory& factory : FaultFactories(definition.target)) {
    if (factory.fault == definition.name) return factory;
  }
  return std::nullopt;
}

}  // namespace

std::vector<FaultFactory> FaultFactories(FaultTarget target) {
  const struct {
    FaultTarget target;
    std::span<const FaultFactory> factories;
  } lists[] = {
      {FaultTarget::kLink, LinkFaultFactories()},
      {FaultTarget::kLink, KernelFaultFactories()},
      {FaultTarget::kLink, NetworkFaultFactories()},
      {FaultTarget::kLink, FrameFaultFactories()},
      {FaultTarget::kServer, ServerFaultFactories()},
      {FaultTarget::kWorker, WorkerFaultFactories()},
  };
  std::vector<FaultFactory> all;
  for (const auto& list : lists) {
    if (list.target == target) all.insert(all.end(), list.factories.begin(), list.factories.end());
  }
  return all;
}

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
  const FaultDefinition* definition = scenarios::FindFault(kind, spec.fault);
  if (definition == nullptr) {
    std::vector<std::string> names;
    for (const FaultDefinition& one : scenarios::FaultCatalogue()) {
      if (one.target == kind) names.push_back(one.name);
    }
    return MakeStatus(StatusCode::kNotFound, "no fault '{}' for a {}{}", spec.fault,
                      scenarios::FaultTargetName(kind), DidYouMean(spec.fault, names));
  }
  SQUALL_ASSIGN_OR_RETURN(spec.parameters,
                          scenarios::CompleteParams("fault " + spec.fault, definition->params,
                                                    std::move(spec.parameters)));
  FaultSurroundings around;
  if (server != nullptr) around.server = server->options().kind;
  if (worker != nullptr) around.worker = worker->options().kind;
  if (const auto reason = WhyUnavailable(*definition, around))
    return MakeStatus(StatusCode::kUnavailable, "fault {}: {}", spec.fault, *reason);
  const std::optional<FaultFactory> factory = FindFactory(*definition);
  if (!factory) return MakeStatus(StatusCode::kUnimplemented, "fault {} is not built", spec.fault);
  auto handle = std::make_unique<Handle>(executor, journal, std::move(spec), *definition);
  handle->Make({.executor = executor,
                .targets = targets,
                .spec = handle->spec(),
                .link = link,
                .server = server,
                .worker = worker,
                .hit = nullptr},
               *factory);
  return std::unique_ptr<FaultHandle>(std::move(handle));
}

}  // namespace squall::harness
