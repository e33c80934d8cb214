// Writes the seeds of the fuzzers of base/wire and fakes/ingress: wire-seeds FOLDER makes
// FOLDER/wire, FOLDER/relay and FOLDER/tls.

#include "tests/fuzz/tls_targets.h"
#include "tests/fuzz/wire_targets.h"
#include "tests/fuzz/write_seeds.h"

int main(int argc, char** argv) {
  using squall::fuzz::RelaySeeds;
  using squall::fuzz::TlsSeeds;
  using squall::fuzz::WireSeeds;
  using squall::fuzz::WriteSeeds;
  if (argc != 2) {
    std::fputs("usage: wire-seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const bool written = WriteSeeds(folder / "wire", WireSeeds()) &&
                       WriteSeeds(folder / "relay", RelaySeeds()) &&
                       WriteSeeds(folder / "tls", TlsSeeds());
  return written ? 0 : 1;
}
