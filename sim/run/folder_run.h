#pragma once
// One subject in virtual time with its work folder: what `squall run --world sim` starts for each.

namespace squall::sim {

// The arguments of squall's own run-one, and what it leaves: journal.jsonl, scenario.yaml and
// result.json, which says why a subject was skipped where it cannot be simulated. 0 once the result
// is written; 1 when there is none, and the last line says why; 2 for wrong usage; else the code of
// what ended the simulation (escape.h).
int RunOneMain(int argc, char** argv);

}  // namespace squall::sim
