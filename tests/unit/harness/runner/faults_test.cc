// Every fault that a scenario can name is one that the harness can inject, with all its parameters.

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/fault/fault.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::harness {
namespace {

FaultTarget ToHarness(scenarios::FaultTarget target) {
  switch (target) {
    case scenarios::FaultTarget::kLink:
      return FaultTarget::kLink;
    case scenarios::FaultTarget::kServer:
      return FaultTarget::kServer;
    case scenarios::FaultTarget::kWorker:
      return FaultTarget::kWorker;
  }
  return FaultTarget::kLink;
}

TEST(Faults, TheHarnessHasEveryFaultOfTheFormat) {
  for (const scenarios::FaultDefinition& fault : scenarios::FaultCatalogue()) {
    for (const scenarios::FaultTarget target : fault.targets) {
      const FaultInfo* info = FindFault(ToHarness(target), fault.name);
      ASSERT_NE(info, nullptr) << fault.name;
      for (const scenarios::ParamSpec& param : fault.params) {
        EXPECT_TRUE(std::any_of(info->parameters.begin(), info->parameters.end(),
                                [&](const FaultParameter& p) { return p.name == param.name; }))
            << fault.name << " has no " << param.name;
      }
      for (const FaultParameter& p : info->parameters) {
        EXPECT_TRUE(!p.required || scenarios::FindParam(fault.params, p.name) != nullptr)
            << fault.name << " lacks " << p.name;
      }
      EXPECT_TRUE(!fault.one_shot || info->healing == Healing::kOneShot) << fault.name;
    }
  }
}

}  // namespace
}  // namespace squall::harness
