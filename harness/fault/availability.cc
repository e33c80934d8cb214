#include "harness/fault/availability.h"

namespace squall::harness {
namespace {

using scenarios::FaultNeed;

// Why a need is not met; nothing when it is.
std::optional<std::string> Unmet(FaultNeed need, const FaultSurroundings& around) {
  switch (need) {
    case FaultNeed::kFakeServer:
      if (!around.server || *around.server == ServerKind::kFakeInProcess) return std::nullopt;
      return "it goes into the fake server only";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> WhyUnavailable(const scenarios::FaultDefinition& fault,
                                          const FaultSurroundings& around) {
  for (const FaultNeed need : fault.needs) {
    if (auto reason = Unmet(need, around)) return reason;
  }
  return std::nullopt;
}

}  // namespace squall::harness
