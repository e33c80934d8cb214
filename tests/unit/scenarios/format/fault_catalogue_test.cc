// The fault catalogue is whole, and what is made from it is true.
#include "scenarios/format/fault_catalogue.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

#include "scenarios/format/complete_params.h"
#include "scenarios/format/fault_page.h"
#include "scenarios/format/loader.h"
#include "scenarios/format/tables.h"
#include "tests/support/status_matchers.h"

namespace squall::scenarios {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::HasSubstr;

TEST(FaultCatalogue, IsSortedWithoutDoublesAndEveryRowIsWhole) {
  std::tuple<FaultTarget, std::string> last = {FaultTarget::kLink, ""};
  for (const FaultDefinition& fault : FaultCatalogue()) {
    const std::string key = FaultKey(fault);
    EXPECT_LT(last, std::tuple(fault.target, fault.name)) << key;
    last = {fault.target, fault.name};
    EXPECT_EQ(FindFault(fault.target, fault.name), &fault) << key;
    EXPECT_TRUE(fault.doc.ends_with('.')) << key;
    EXPECT_TRUE(fault.restored_by.ends_with('.')) << key << " does not say what restores service";
    std::set<std::string> params;
    for (const ParamSpec& param : fault.params) {
      EXPECT_TRUE(params.insert(param.name).second) << key << "." << param.name;
      EXPECT_TRUE(param.doc.ends_with('.')) << key << "." << param.name;
      EXPECT_FALSE(param.required && !param.default_text.empty()) << key << "." << param.name;
    }
  }
  EXPECT_EQ(FindFault(FaultTarget::kLink, "kill"), nullptr);
  EXPECT_EQ(FaultsNamed("kill").size(), 2u);
}

TEST(FaultCatalogue, NoParameterHidesAKeyOfTheInjectStep) {
  for (const FaultDefinition& fault : FaultCatalogue()) {
    for (const ParamSpec& key : FindStepTable("inject")->keys)
      EXPECT_EQ(FindParam(fault.params, key.name), nullptr) << FaultKey(fault) << "." << key.name;
  }
}

// The checks that the examples ask for, as much as the loader wants to know of them.
const CheckTable& ExampleChecks() {
  static const CheckTable table = {{.name = "workflow_completed",
                                    .doc = "d",
                                    .params = {{.name = "workflow", .type = ParamType::kText},
                                               {.name = "result", .type = ParamType::kJson}}}};
  return table;
}

TEST(FaultCatalogue, EveryExampleIsAScenarioThatInjectsItsFault) {
  for (const FaultDefinition& fault : FaultCatalogue()) {
    const auto scenario = LoadScenario(FaultExample(fault), FaultKey(fault), ExampleChecks());
    ASSERT_OK(scenario) << FaultExample(fault);
    int injected = 0;
    for (const Step& step : scenario->subjects.at(0).steps) {
      const auto* inject = std::get_if<InjectStep>(&step.action);
      injected +=
          inject != nullptr && inject->fault == fault.name && inject->target == fault.target;
    }
    EXPECT_EQ(injected, 1) << FaultKey(fault);
  }
}

// With SQUALL_UPDATE_DOCS=1 the page is written instead.
TEST(FaultCatalogue, ThePageIsMadeFromIt) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  const std::string path = std::string(source != nullptr ? source : ".") + "/docs/faults.md";
  if (const char* update = std::getenv("SQUALL_UPDATE_DOCS");
      update != nullptr && std::string_view(update) == "1") {
    std::ofstream(path) << FaultsPage();
  }
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), FaultsPage()) << "write it anew with SQUALL_UPDATE_DOCS=1";
}

TEST(CompleteParams, FillsInDefaultsAndRefusesWhatTheTableDoes) {
  const ParamTable& table = FindFault(FaultTarget::kLink, "latency")->params;
  const auto full = CompleteParams("fault latency", table, {{"delay", Duration(2ms)}});
  ASSERT_OK(full);
  EXPECT_EQ(full->Time("delay"), Duration(2ms));
  EXPECT_EQ(full->Time("jitter", 9s), Duration(0s));
  EXPECT_EQ(full->Text("direction"), "both");
  EXPECT_EQ(full->Number("probability"), 1);

  const auto refused = [&](Params params) {
    return CompleteParams("fault latency", table, std::move(params)).status();
  };
  const auto bad = [](const std::string& text) {
    return StatusIs(StatusCode::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_THAT(refused({}), bad("'delay' is missing"));
  EXPECT_THAT(refused({{"dealy", Duration(1ms)}}), bad("did you mean 'delay'"));
  EXPECT_THAT(refused({{"delay", std::int64_t{5}}}), bad("'delay' is not a duration"));
  EXPECT_THAT(refused({{"delay", Duration(-1ms)}}), bad("negative"));
  EXPECT_THAT(refused({{"delay", Duration(1ms)}, {"probability", 1.5}}), bad("above 1"));
  EXPECT_THAT(refused({{"delay", Duration(1ms)}, {"first_connections", std::int64_t{-1}}}),
              bad("below 0"));
  EXPECT_THAT(refused({{"delay", Duration(1ms)}, {"direction", "sideways"}}),
              bad("one of both, up, down"));
  EXPECT_THAT(refused({{"delay", Duration(1ms)}, {"connections", "3-2"}}),
              bad("'connections' is wrong: '3-2' chooses no connections"));
  const ParamTable& idle = FindFault(FaultTarget::kLink, "idle_drop")->params;
  EXPECT_THAT(CompleteParams("fault idle_drop", idle, {{"idle", Duration(999us)}}).status(),
              bad("'idle' is below 1.0ms"));
  EXPECT_OK(CompleteParams("fault idle_drop", idle, {{"idle", Duration(1ms)}}));
}

}  // namespace
}  // namespace squall::scenarios
