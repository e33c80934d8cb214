#pragma once
// `.env` files as dotenv libraries and `docker compose` read them.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/status.h"

namespace squall::doctor {

// NAME=value, `export` before it allowed, "#" comments; '...' as it stands, "..." with \n, \t, \"
// and
// \\, over several lines in both (a PEM text). Unquoted values end at " #" and lose the white space
// around them. In the order of the file; a name may come twice, the last counts. INVALID_ARGUMENT
// with the line's number, and no part of a value.
StatusOr<std::vector<std::pair<std::string, std::string>>> ParseEnvFile(std::string_view text);

}  // namespace squall::doctor
