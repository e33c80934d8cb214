#include <set>

#include "harness/fault/fault.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

TEST(FaultCatalogueTest, IsSortedWithoutDoublesAndEveryRowIsWhole) {
  std::set<std::pair<FaultTarget, std::string_view>> seen;
  std::pair<FaultTarget, std::string_view> last = {FaultTarget::kLink, ""};
  for (const FaultInfo& info : FaultCatalogue()) {
    // Links, workers and servers each stand together; names are in order within.
    if (info.target == last.first) {
      EXPECT_LT(last.second, info.name);
    }
    last = {info.target, info.name};
    EXPECT_TRUE(seen.insert(last).second) << info.name;
    EXPECT_FALSE(info.doc.empty()) << info.name;
    EXPECT_TRUE(info.doc.ends_with('.')) << info.name;
    EXPECT_TRUE(info.restored_by.ends_with('.'))
        << info.name << " does not say what restores service";
    std::set<std::string_view> parameters;
    for (const FaultParameter& parameter : info.parameters) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << info.name << "." << parameter.name;
      EXPECT_TRUE(parameter.doc.ends_with('.')) << info.name << "." << parameter.name;
      EXPECT_TRUE(!parameter.required || parameter.default_text.empty())
          << info.name << "." << parameter.name;
    }
    EXPECT_EQ(FindFault(info.target, info.name), &info);
  }
  EXPECT_EQ(FindFault(FaultTarget::kLink, "kill"), nullptr);
}

}  // namespace
}  // namespace squall::harness
