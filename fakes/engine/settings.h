#pragma once
// The settings of the real server that mean something here, by the names under which it knows them
// (`temporal server start-dev --dynamic-config-value KEY=VALUE`).

#include <cstddef>
#include <cstdint>
#include <string>
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
// Makes the engine answer as a release of the real server (docs/fake-server.md), by putting it into
// EngineOptions::server_version. INVALID_ARGUMENT names the nearest one that is known.
Status ApplyProfile(std::string_view version, EngineOptions* options);
// One line for each release that ApplyProfile knows, from the oldest to the newest.
struct ProfileSummary {
  std::string version;
  std::size_t unknown_methods = 0, refused_methods = 0, absent_fields = 0, capabilities_off = 0;
};
std::vector<ProfileSummary> KnownProfiles();

// "NAME=TYPE": a search attribute that the first namespaces have from the start. Types as the
// server's command line spells them: Text, Keyword, Int, Double, Bool, Datetime, KeywordList.
Status ApplySearchAttribute(std::string_view attribute, EngineOptions* options);

}  // namespace squall::fakes
