#include "scenarios/format/schema.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "scenarios/format/fault_catalogue.h"
#include "scenarios/format/tables.h"
#include "tests/unit/scenarios/format/test_checks.h"

namespace squall::scenarios {
namespace {

using ::testing::HasSubstr;

void CollectReferences(const nlohmann::json& node, std::vector<std::string>* out) {
  if (node.is_object() && node.contains("$ref")) out->push_back(node["$ref"].get<std::string>());
  if (node.is_structured()) {
    for (const auto& child : node) CollectReferences(child, out);
  }
}

TEST(Schema, IsJsonWhoseReferencesAllLeadSomewhere) {
  const auto schema = nlohmann::json::parse(JsonSchema(TestChecks()));
  EXPECT_FALSE(schema["additionalProperties"].get<bool>());
  std::vector<std::string> references;
  CollectReferences(schema, &references);
  EXPECT_GT(references.size(), 10u);
  for (const std::string& reference : references) {
    ASSERT_TRUE(reference.starts_with("#/$defs/")) << reference;
    EXPECT_TRUE(schema["$defs"].contains(reference.substr(8))) << reference;
  }
  EXPECT_EQ(schema["$defs"]["step"]["oneOf"].size(), StepTables().size());
}

TEST(Schema, ReferenceNamesEveryVerbFaultAndCheck) {
  const std::string reference = ReferenceMarkdown(TestChecks());
  for (const ObjectTable& table : StepTables())
    EXPECT_THAT(reference, HasSubstr("### `" + table.name + "`"));
  for (const FaultDefinition& fault : FaultCatalogue())
    EXPECT_THAT(reference, HasSubstr("`" + fault.name + "`"));
  EXPECT_THAT(reference, HasSubstr("### `reconnects`"));
}

}  // namespace
}  // namespace squall::scenarios
