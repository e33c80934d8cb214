// Writes the seeds of the fuzzers of fakes/engine and fakes/frontend: engine-seeds FOLDER makes
// FOLDER/engine and FOLDER/frontend.

#include "tests/fuzz/engine_targets.h"
#include "tests/fuzz/write_seeds.h"

int main(int argc, char** argv) {
  using squall::fuzz::EngineSeeds;
  using squall::fuzz::FrontendSeeds;
  using squall::fuzz::WriteSeeds;
  if (argc != 2) {
    std::fputs("usage: engine-seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  return WriteSeeds(folder / "engine", EngineSeeds()) &&
                 WriteSeeds(folder / "frontend", FrontendSeeds())
             ? 0
             : 1;
}
