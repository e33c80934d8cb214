#pragma once
// Where older releases of the real server behave differently, beside what their profiles lack
// (profile.h). Each was found by running generated scripts against the release.

#include <string_view>

#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

struct Core;

// Whether one release ("1.29.1") came before another ("1.30").
bool IsBefore(std::string_view release, std::string_view other);
// Whether the engine answers as a release before this one.
bool OlderThan(const EngineOptions& options, std::string_view release);
// An error with the release's text and without the details that it does not know.
RpcStatus AsTold(const Core& core, RpcStatus status);

}  // namespace squall::fakes::engine
