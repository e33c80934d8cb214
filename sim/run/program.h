#pragma once
// The command line of squall-sim.

namespace squall::sim {

int RunProgram(int argc, char** argv);

}  // namespace squall::sim
