#pragma once
// Seeds into a folder, as libFuzzer wants them: one file for each.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace squall::fuzz {

// False, and a line on stderr, when that cannot be done.
inline bool WriteSeeds(const std::filesystem::path& folder, const std::vector<std::string>& seeds) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  int number = 0;
  for (const std::string& seed : seeds) {
    std::ofstream out(folder / std::to_string(number++), std::ios::binary);
    if (out << seed) continue;
    std::fprintf(stderr, "cannot write seeds to %s\n", folder.c_str());
    return false;
  }
  return true;
}

}  // namespace squall::fuzz
