// The catalogue and the factories belong together: every row can be made, and nothing is made that
// has no row.
#include <gmock/gmock.h>

#include <set>

#include "harness/fault/fault_action.h"

namespace squall::harness {
namespace {

using scenarios::FaultDefinition;
using scenarios::FaultTarget;
using ::testing::ContainerEq;

constexpr FaultTarget kTargets[] = {FaultTarget::kLink, FaultTarget::kServer, FaultTarget::kWorker};

TEST(FaultFactories, EveryRowHasOneAndEveryOneHasARow) {
  for (const FaultTarget target : kTargets) {
    std::multiset<std::string> rows, made;
    for (const FaultDefinition& fault : scenarios::FaultCatalogue()) {
      if (fault.target == target) rows.insert(fault.name);
    }
    for (const FaultFactory& factory : FaultFactories(target)) {
      EXPECT_NE(factory.make, nullptr) << factory.fault;
      made.emplace(factory.fault);
    }
    EXPECT_THAT(made, ContainerEq(rows)) << scenarios::FaultTargetName(target);
  }
}

}  // namespace
}  // namespace squall::harness
