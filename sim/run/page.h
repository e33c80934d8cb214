#pragma once
// A run's timeline as a page.

#include <string>

#include "base/util/status.h"
#include "sim/run/seed_run.h"

namespace squall::sim {

// `report` has its story. The page is the one that `squall run` writes, with this run alone in it.
Status WritePage(const std::string& path, const SeedRunOptions& options, const SeedReport& report);

}  // namespace squall::sim
