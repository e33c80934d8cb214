#pragma once
// The settings of the real server that mean something here, by the names under which it knows them
// (`temporal server start-dev --dynamic-config-value KEY=VALUE`).

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes {

// Applies "KEY=VALUE". INVALID_ARGUMENT: it is not known, or asks for what the engine cannot be.
Status ApplySetting(std::string_view setting, EngineOptions* options);
// The limits by their names.
std::vector<std::pair<std::string_view, std::int64_t>> LimitSettings(const EngineLimits& limits);
// "NAME=TYPE": a search attribute that the first namespaces have from the start. Types as the
// server's command line spells them: Text, Keyword, Int, Double, Bool, Datetime, KeywordList.
Status ApplySearchAttribute(std::string_view attribute, EngineOptions* options);

}  // namespace squall::fakes
