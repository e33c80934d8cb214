#pragma once
// Where the first JSON value of a text ends, and what Go's decoder says of one that is none.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/util/status.h"

namespace squall::harness {

// How long the first value is; it begins with the text. INVALID_ARGUMENT with Go's words:
// "invalid character '}' looking for beginning of object key string", "unexpected EOF".
StatusOr<std::size_t> ScanFirstValue(std::string_view text);

}  // namespace squall::harness
