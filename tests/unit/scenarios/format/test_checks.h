#pragma once
// A small table of checks, so that the loader's tests do not need the real ones.

#include "scenarios/format/check_spec.h"

namespace squall::scenarios {

inline CheckTable TestChecks() {
  return {
      {.name = "workflow_completed",
       .doc = "Workflows completed.",
       .params = {{.name = "ids", .type = ParamType::kTextList, .doc = "Which."}}},
      {.name = "reconnects",
       .doc = "A worker comes back.",
       .params = {{.name = "worker", .type = ParamType::kWorker, .doc = "Which.", .required = true},
                  {.name = "within",
                   .type = ParamType::kDuration,
                   .doc = "How soon.",
                   .default_text = "10s"},
                  {.name = "after", .type = ParamType::kFaultLabel, .doc = "After which fault."}}}};
}

}  // namespace squall::scenarios
