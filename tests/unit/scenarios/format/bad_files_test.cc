// Every file in tests/data/bad_scenarios gives one clear error, the one in expected.txt.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/format/test_checks.h"

namespace squall::scenarios {
namespace {

namespace fs = std::filesystem;

TEST(BadFiles, EachGivesItsOneError) {
  const char* source = std::getenv("SQUALL_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const fs::path folder = fs::path(source) / "tests/data/bad_scenarios";
  std::map<std::string, std::string> expected;
  std::ifstream lines(folder / "expected.txt");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) expected[line.substr(0, colon)] = line;
  }
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++seen;
    const auto loaded = LoadScenarioFile(entry.path().string(), TestChecks());
    const std::string name = entry.path().filename().string();
    ASSERT_FALSE(loaded.ok()) << name;
    std::string message(Message(loaded.status()));
    EXPECT_EQ(message.find('\n'), std::string::npos) << "one line: " << message;
    EXPECT_TRUE(message.starts_with(folder.string() + "/"));
    message.erase(0, folder.string().size() + 1);
    EXPECT_EQ(message, expected[name]);
  }
  EXPECT_GE(seen, 20u);
  EXPECT_EQ(seen, expected.size());
}

}  // namespace
}  // namespace squall::scenarios
