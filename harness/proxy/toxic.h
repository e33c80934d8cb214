#pragma once
// Toxics: faults of a link as Toxiproxy's API names them, and as its JSON spells them. Its own
// types have the attributes, units and defaults of the original (times in ms, of the slicer in us);
// further types make the rest of squall's faults available in the same API.

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/net/net_fault.h"
#include "harness/proxy/go_json.h"

namespace squall::harness {

using Json = nlohmann::ordered_json;

// What an API call answers when it does not do what was asked.
struct ApiError {
  int status = 500;
  std::string message;
};
ApiError BadRequest(std::string_view why);

struct ToxicAttribute {
  std::string_view name;
  GoField::Kind kind;
  std::string_view go_type;
  Json value;                             // default
  std::vector<std::string_view> choices;  // of kText; empty: any
  std::string_view doc;
};

struct ToxicType {
  std::string_view name;
  // The struct that it is in Toxiproxy; empty: a type of ours, of which unknown attributes are
  // errors, and whose stream may be both.
  std::string_view go_struct;
  std::vector<ToxicAttribute> attributes;
  std::string_view doc;  // one sentence
};

// Toxiproxy's types first, each group by name.
std::span<const ToxicType> ToxicTypes();
// Null for none.
const ToxicType* FindToxicType(std::string_view name);

struct Toxic {
  std::string name;
  const ToxicType* type = nullptr;
  std::string stream;  // upstream, downstream, both, as the request spells it
  Direction direction = Direction::kDown;
  double toxicity = 1;
  Json attributes;  // all of the type, in its order

  Json ToJson() const;
};

// A new toxic of a request's body, with the defaults of its attributes: those of the body are for
// ChangeToxic.
std::optional<ApiError> ReadToxic(std::string_view body, Toxic* toxic);
// Takes the attributes and the toxicity that the body has, or nothing.
std::optional<ApiError> ChangeToxic(std::string_view body, Toxic* toxic);
// What it does to a link; nothing for a noop. The fault's id is the toxic's name.
StatusOr<std::optional<NetFault>> FaultOf(const Toxic& toxic);

// Markdown: all types with their attributes, for docs/proxy.md.
std::string ToxicReference();

}  // namespace squall::harness
