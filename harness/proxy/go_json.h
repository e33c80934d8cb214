#pragma once
// Bodies of requests as Go's decoder takes them, which API clients count on: what stands behind the
// first value is ignored, names match whatever their case, null leaves a field as it is, and errors
// have Go's words.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/status.h"

namespace squall::harness {

// The first value of the text. INVALID_ARGUMENT with Go's words.
StatusOr<nlohmann::ordered_json> ParseBody(std::string_view text);

// Whether a member of that name is meant.
bool SameName(std::string_view a, std::string_view b);

// The member of that name, or null for none, for null, and where `object` is no object.
const nlohmann::ordered_json* FindMember(const nlohmann::ordered_json& object,
                                         std::string_view name);

// "json: cannot unmarshal string into Go struct field Proxy.enabled of type bool".
std::string Mismatch(const nlohmann::ordered_json& value, std::string_view field,
                     std::string_view type);

// As Go writes it: no spaces, whole numbers without a fraction, numbers no longer than a 32-bit
// float needs, and <, > and & escaped.
std::string Compact(const nlohmann::ordered_json& value);

}  // namespace squall::harness
