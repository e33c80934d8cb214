// squall-doctor: names the cause before the deployment does.

#include <cstdio>
#include <cstdlib>

#include "harness/doctor/program.h"

int main(int argc, char** argv) {
  const int code = squall::doctor::Main(argc, argv);
  // Not through exit: a look-up that was given up still has its thread, and would be waited for.
  std::fflush(nullptr);
  std::_Exit(code);
}
