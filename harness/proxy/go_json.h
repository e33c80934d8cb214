#pragma once
// Bodies of requests as Go's decoder takes them, which API clients count on: what stands behind the
// first value is ignored, names match whatever their case, null leaves a value as it is, other
// names are overlooked, and of several mistakes the first in the text is told, in Go's words.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"

namespace squall::harness {

// A value that a body is to hold, as Go's types describe it.
struct GoField {
  enum class Kind { kInteger, kFloat, kBool, kText, kList, kStruct, kRaw };
  std::string_view name;       // within a struct
  Kind kind;                   // kRaw: anything, kept as text
  std::string type;            // as Go prints it: "int64", "toxics.LatencyToxic"
  std::vector<GoField> parts;  // of a struct its fields; of a list one, which its elements are
  std::string_view embedded;   // the struct within the struct that has the field in truth
  bool closed = false;         // a struct in which other names are mistakes
};

// Reads the first value of the text into `into`, which holds what the text leaves out.
// INVALID_ARGUMENT with Go's words; then `into` may have changed.
Status DecodeBody(std::string_view text, const GoField& what, nlohmann::ordered_json* into);

// Whether the two are the same but for their case.
bool SameName(std::string_view a, std::string_view b);

// As Go writes it: no spaces, whole numbers without a fraction, numbers no longer than a 32-bit
// float needs, and <, > and & escaped.
std::string Compact(const nlohmann::ordered_json& value);

}  // namespace squall::harness
