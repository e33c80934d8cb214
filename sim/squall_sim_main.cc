// squall-sim: runs seeds and scenarios in virtual time. Started by `squall sim`, or by hand.

#include "sim/run/program.h"

int main(int argc, char** argv) { return squall::sim::RunProgram(argc, argv); }
