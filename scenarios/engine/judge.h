#pragma once
// The checks of a subject, as the step machine sees them: events in, results out. scenarios/checks
// implements it.

#include <optional>
#include <vector>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {

// All times are journal times (since the journal was opened), as in journal::Event.
class Judge {
 public:
  virtual ~Judge() = default;
  // Every event in order, up to the end of the judge phase; not those of the clean-up.
  virtual void Observe(const journal::Event& event) = 0;
  // The next time at which something could still be decided ("reconnects within 10s after heal");
  // nothing = all is decided, or more waiting changes nothing. The machine waits for it after
  // healing, before it calls Finish.
  virtual std::optional<SteadyTime> NextDeadline() const = 0;
  // Once, at the end. `end`: the time up to which there was observation.
  virtual std::vector<CheckResult> Finish(SteadyTime end) = 0;
};

}  // namespace squall::scenarios
