// Commands that are programs of their own: squall-doctor links neither gRPC nor the core, and
// squall-sim replaces libc. This process becomes them, so that terminal, signals and exit code are
// theirs.

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "harness/cli/options.h"
#include "harness/runner/exit_codes.h"

namespace squall::harness {

int Become(std::string_view name, const std::vector<std::string>& arguments) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / name).string();
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  std::fputs(fmt::format("squall: cannot start {}: {}\n", program, std::strerror(errno)).c_str(),
             stderr);
  return kExitMissingRequirement;
}

}  // namespace squall::harness
