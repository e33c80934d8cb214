#pragma once
// Many engines in one process: what each costs, and that each of them works.

#include "base/util/status.h"

namespace squall::bench {

// Of one engine, as the mean over all.
struct EngineFigures {
  int engines = 0;
  double create_us = 0;    // until it can be called
  double create_kib = 0;   // private memory of the process for each
  double workflow_us = 0;  // start, poll, complete, read the end of the history
  double served_kib = 0;   // with that workflow in it
};

// Makes `count` engines, keeps them, and takes a workflow through each. The first error of a call,
// or of an answer that is not what it should be, with the number of its engine.
StatusOr<EngineFigures> MeasureEngines(int count);

}  // namespace squall::bench
