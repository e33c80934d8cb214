#pragma once
// The program squall-doctor: options, files, environment, output. docs/doctor.md describes it.

namespace squall::doctor {

// Returns the exit code: 0 healthy, 1 broken, 2 could not tell, 3 wrong usage.
int Main(int argc, char** argv);

}  // namespace squall::doctor
