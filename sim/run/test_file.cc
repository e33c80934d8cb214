#include "sim/run/test_file.h"

#include <fmt/format.h>

#include "sim/run/swarm.h"

namespace squall::sim {
namespace {

constexpr char kText[] = R"text(// Seed {0} of the swarm at commit {1}: {2}.
// Made small by squall-sim; plays the scenario below with {3}.

#include <{5}>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {{

constexpr char kScenario[] = R"scenario({4})scenario";

TEST(SwarmTest, Seed{0}) {{
  const char* programs = std::getenv("SQUALL_BIN_DIR");
  ASSERT_NE(programs, nullptr) << "SQUALL_BIN_DIR: the folder with squall-sim";
  const std::string file = testing::TempDir() + "seed-{0}.yaml";
  std::ofstream(file) << kScenario;
  const std::string command = std::string(programs) + "/squall-sim {3} --scenario " + file;
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}}

}}  // namespace
)text";

}  // namespace

std::string TestFileOf(const std::string& scenario, const SeedReport& report,
                       const SeedRunOptions& options) {
  std::string what = report.verdict + (report.failed.empty() ? "" : " in " + report.failed);
  return fmt::format(kText, report.seed, Commit(), what, RepeatOf(options, report.seed), scenario,
                     "gtest/gtest.h");
}

}  // namespace squall::sim
