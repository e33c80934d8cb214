#pragma once
// The search attributes that every server has, and the types that the server writes into the
// metadata of attributes.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Namespace;

inline constexpr char kScheduledById[] = "TemporalScheduledById";
inline constexpr char kScheduledStartTime[] = "TemporalScheduledStartTime";
inline constexpr char kSchedulePaused[] = "TemporalSchedulePaused";

using AttributeTypes = std::map<std::string, enums::IndexedValueType>;

// System and predefined ones: what ListSearchAttributes shows as system attributes.
const AttributeTypes& SystemAttributes();
// The columns that stores keep for custom attributes: GetSearchAttributes shows them.
const AttributeTypes& StoreColumns();

// "KeywordList" for INDEXED_VALUE_TYPE_KEYWORD_LIST.
std::string TypeName(enums::IndexedValueType type);
// JSON data with its type.
common::Payload TypedAttribute(std::string data, enums::IndexedValueType type);
// Writes the type of `key` into the metadata, as the real server does for attributes it knows.
void SetType(const Namespace& ns, const std::string& key, common::Payload* value);
// "a\"b" for a"b, as Go's encoder writes it: <, > and & are escaped too.
std::string JsonQuoted(std::string_view text);
// One payload: the text as JSON.
common::Payloads JsonText(std::string_view text);

// The groups of a count: how many there are of each keyword.
template <typename Response>
void AddGroups(const std::map<std::string, std::int64_t>& groups, Response* response) {
  for (const auto& [name, count] : groups) {
    auto* group = response->add_groups();
    group->set_count(count);
    *group->add_group_values() =
        TypedAttribute(JsonQuoted(name), enums::INDEXED_VALUE_TYPE_KEYWORD);
  }
}

}  // namespace squall::fakes::engine
