// squall-sim with a bug planted in what it simulates: squall-sim-planted BUG [what squall-sim
// takes]. "none" plants nothing, "list" tells the bugs.

#include <cstdio>
#include <string_view>

#include "sim/run/program.h"
#include "tests/sim/planted/bugs.h"

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "list") {
    for (const squall::PlantedBugRow& row : squall::PlantedBugs())
      std::printf("%s\t%s\t%zu\t%s\n", row.name.data(), row.where.data(), row.smallest,
                  row.what.data());
    return 0;
  }
  bool known = name == "none";
  for (const squall::PlantedBugRow& row : squall::PlantedBugs()) {
    if (row.name != name) continue;
    squall::Plant(row.bug);
    known = true;
  }
  if (!known) {
    std::fprintf(stderr, "squall-sim-planted: no bug '%s'; `squall-sim-planted list` tells them\n",
                 argc > 1 ? argv[1] : "");
    return 2;
  }
  argv[1] = argv[0];
  return squall::sim::RunProgram(argc - 1, argv + 1);
}
