// squall-worker: one worker on the production SDK core, with the built-in workflows.

#include "fakes/worker/host_program.h"

int main(int argc, char** argv) {
  return squall::fakes::RunHostProgram("squall-worker", "fail-fast", argc, argv);
}
