// squall-host: workers inside a host, as services have them; --kind chooses its habits.

#include "fakes/worker/host_program.h"

int main(int argc, char** argv) {
  return squall::fakes::RunHostProgram("squall-host", "", argc, argv);
}
