#pragma once
// What the makers of faults need: a fault is a row of the catalogue (scenarios/format) and, here, a
// factory of the same name that makes its action. Order of calls, journal, several who ask for the
// healing at once, errors: all that is the handle's (fault.cc) and the same for all.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/fault/fault.h"

namespace squall::harness {

// What the factory of an action is given; all of it outlives the action.
struct FaultParts {
  AsioExecutor& executor;
  FaultTargets& targets;  // for what belongs to the fault beside its target
  const FaultSpec& spec;  // parameters are checked, defaults filled in
  // The one that the row's target says; the others are null.
  TcpProxy* link = nullptr;
  ServerUnderTest* server = nullptr;
  WorkerUnderTest* worker = nullptr;
  // Writes the journal's `hit` with this detail, for those who see themselves what meets the fault.
  std::function<void(std::string)> hit;
};

// What one fault does. Callbacks may come from within the call, or later from the loop; they may be
// kept longer than the action lives.
class FaultAction {
 public:
  virtual ~FaultAction() = default;
  // Once. On an error nothing may be left in effect.
  virtual void Inject(Done done) = 0;
  // Only after an injection that was OK, and not for one-shot faults. After an error it may come
  // again.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): for those who keep it
  virtual void Heal(Done done) { done(absl::OkStatus()); }
  // Instead of Heal, when nobody waits any more: what can be done at once. Also while an Inject or
  // Heal is under way, whose callback is then dropped.
  virtual Status HealNow() { return absl::OkStatus(); }
};

template <typename Action>
std::unique_ptr<FaultAction> MakeFault(const FaultParts& parts) {
  return std::make_unique<Action>(parts);
}

struct FaultFactory {
  std::string_view fault;  // name in the catalogue
  std::unique_ptr<FaultAction> (*make)(const FaultParts& parts);
};

// One for each row of the catalogue with that target; a test holds them together.
std::span<const FaultFactory> LinkFaultFactories();
std::span<const FaultFactory> KernelFaultFactories();
std::span<const FaultFactory> NetworkFaultFactories();
std::span<const FaultFactory> FrameFaultFactories();
std::span<const FaultFactory> ServerFaultFactories();
std::span<const FaultFactory> WorkerFaultFactories();
// All of a target, whichever list they stand in; a new list is named in fault.cc.
std::vector<FaultFactory> FaultFactories(scenarios::FaultTarget target);

}  // namespace squall::harness
