// Writes the seeds of the wire fuzzers into a folder, as libFuzzer wants them: wire-seeds FOLDER.

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/wire_targets.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: wire-seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  int number = 0;
  for (const std::string& seed : squall::fuzz::WireSeeds()) {
    std::ofstream out(folder / std::to_string(number++), std::ios::binary);
    if (!(out << seed)) {
      std::fprintf(stderr, "wire-seeds: cannot write to %s\n", argv[1]);
      return 1;
    }
  }
  return 0;
}
