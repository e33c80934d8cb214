#pragma once
// Events that a scenario waits for or that set something off: kind.what, fields, how many.

#include <string>

#include "base/util/status.h"
#include "scenarios/format/object_reader.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// From an object with the keys event, where and count (TableOf("when"), the step `wait`). Kinds,
// words, fields and regular expressions are checked. `since` is left empty.
StatusOr<WaitStep> ReadEvents(const ReadContext& context, const ReadObject& object);

// "2 x worker.polling worker=w".
std::string DescribeEvents(const WaitStep& events);

}  // namespace squall::scenarios
