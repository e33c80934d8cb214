// squall: finds out, before production does, what a Temporal deployment does when things break.

#include "harness/cli/options.h"

int main(int argc, char** argv) { return squall::harness::Main(argc, argv); }
