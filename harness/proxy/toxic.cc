#include "harness/proxy/toxic.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "harness/proxy/go_json.h"

namespace squall::harness {
namespace {

using Kind = ToxicAttribute::Kind;

ToxicAttribute Integer(std::string_view name, std::string_view doc, std::int64_t value = 0) {
  return {name, Kind::kInteger, value, {}, doc};
}
ToxicAttribute Choice(std::string_view name, std::vector<std::string_view> choices,
                      std::string_view doc) {
  const Json value = std::string(choices.front());
  return {name, Kind::kText, value, std::move(choices), doc};
}

const std::vector<ToxicType>& Types() {
  static const auto* const kTypes = [] {
    const ToxicAttribute connections{
        "connections",
        Kind::kText,
        "",
        {},
        "only connections with these numbers, counted from 1 while the toxic is active: 1, 2-3, "
        "5+, 2-3/3 (the second and third of every three); empty: all"};
    return new std::vector<ToxicType>{
        {"bandwidth",
         true,
         {Integer("rate", "1,000 bytes per second; 0: nothing passes")},
         "Limits each connection to a rate."},
        {"latency",
         true,
         {Integer("latency", "ms"), Integer("jitter", "ms to either side, uniform")},
         "Delays all data."},
        {"limit_data",
         true,
         {Integer("bytes", "that still pass, exactly")},
         "Closes the connection once so much data has passed."},
        {"noop", true, {}, "Does nothing."},
        {"reset_peer",
         true,
         {Integer("timeout", "ms")},
         "Resets the connection so long after its first data, which does not pass."},
        {"slicer",
         true,
         {Integer("average_size", "bytes"),
          Integer("size_variation", "bytes to either side, less than the average"),
          Integer("delay", "us behind each piece")},
         "Slices data into small pieces."},
        {"slow_close", true, {Integer("delay", "ms")}, "Delays the end of the stream."},
        {"timeout",
         true,
         {Integer("timeout", "ms; 0: never")},
         "Lets data vanish, and closes the connection so long after the toxic came to it, or when "
         "the toxic goes."},
        {"black_hole",
         false,
         {connections},
         "Accepts, and neither reads, writes nor calls the upstream; open connections stall."},
        {"connection_limit",
         false,
         {Integer("limit", "connections"), connections},
         "Resets new connections while so many are open."},
        {"corrupt",
         false,
         {Integer("after", "bytes that stay whole"),
          {"share", Kind::kNumber, 1.0, {}, "of the bytes behind them that change"},
          Integer("most", "bytes that change; 0: no limit"),
          connections},
         "Changes bytes, by the seed."},
        {"cut",
         false,
         {Integer("bytes", "that still pass, exactly"),
          Choice("with", {"reset", "fin"}, "how the connection ends"), connections},
         "Ends the connection once so much data has passed."},
        {"half_open",
         false,
         {Integer("idle", "ms of silence, above 0", 1000), connections},
         "A connection that was silent is reset for one side; the other, whose stream it is (of "
         "upstream: the client), is not told, and what it sends vanishes."},
        {"idle_drop",
         false,
         {Integer("idle", "ms of silence, above 0", 1000),
          Choice("end", {"silent", "reset", "reset_next"},
                 "nobody is told; both are reset; whoever speaks next is reset"),
          connections},
         "A connection that was silent is forgotten, as by a NAT."},
        {"latency_distribution",
         false,
         {Integer("latency", "ms: the middle, of exponential and pareto the shortest"),
          Integer("jitter", "ms: deviation, of exponential the mean of what comes on top"),
          Choice("distribution", {"uniform", "normal", "exponential", "pareto"}, ""),
          {"shape", Kind::kNumber, 1.5, {}, "of pareto: the smaller, the heavier the tail"},
          Integer("longest", "ms that no delay exceeds; 0: no limit"),
          connections},
         "Delays all data by a distribution."},
        {"never_accept",
         false,
         {{"backlog_full", Kind::kBool, false, {}, "SYNs are dropped too, and connect hangs"}},
         "Listens and does not accept: the kernel answers the handshake, nobody the rest."},
        {"refuse", false, {}, "Nobody listens; open connections are reset."},
        {"reset", false, {connections}, "Accepts and resets; open connections too."},
        {"stall",
         false,
         {connections},
         "Bytes stop, connections stay; when the toxic goes they flow on."}};
  }();
  return *kTypes;
}

std::string_view GoType(Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return "int64";
    case Kind::kNumber:
      return "float64";
    case Kind::kBool:
      return "bool";
    case Kind::kText:
      break;
  }
  return "string";
}

bool Fits(const Json& value, Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return value.is_number_integer();
    case Kind::kNumber:
      return value.is_number();
    case Kind::kBool:
      return value.is_boolean();
    case Kind::kText:
      break;
  }
  return value.is_string();
}

// Of toxiproxy's own types what the original overlooks is overlooked; of ours nothing is.
std::optional<ApiError> ReadAttributes(const Json& given, Toxic* toxic) {
  const ToxicType& type = *toxic->type;
  for (const ToxicAttribute& attribute : type.attributes) {
    const Json* value = FindMember(given, attribute.name);
    if (value == nullptr) continue;
    if (!Fits(*value, attribute.kind)) {
      return BadRequest(
          Mismatch(*value, fmt::format(".attributes.{}", attribute.name), GoType(attribute.kind)));
    }
    if (!attribute.choices.empty() &&
        std::find(attribute.choices.begin(), attribute.choices.end(), value->get<std::string>()) ==
            attribute.choices.end()) {
      return BadRequest(fmt::format("{} of {} is one of {}, not '{}'", attribute.name, type.name,
                                    fmt::join(attribute.choices, ", "), value->get<std::string>()));
    }
    toxic->attributes[std::string(attribute.name)] = *value;
  }
  if (type.original) return std::nullopt;
  for (const auto& [name, value] : given.items()) {
    const auto known = [&, &key = name](const ToxicAttribute& one) {
      return FindMember(Json{{key, 1}}, one.name) != nullptr;
    };
    if (std::any_of(type.attributes.begin(), type.attributes.end(), known)) continue;
    std::vector<std::string_view> names;
    for (const ToxicAttribute& one : type.attributes) names.push_back(one.name);
    return BadRequest(names.empty()
                          ? fmt::format("{} has no attributes, and '{}' was given", type.name, name)
                          : fmt::format("{} has no attribute '{}': it has {}", type.name, name,
                                        fmt::join(names, ", ")));
  }
  return std::nullopt;
}

std::optional<ApiError> ReadCommon(const Json& body, Toxic* toxic) {
  if (const Json* toxicity = FindMember(body, "toxicity")) {
    if (!toxicity->is_number())
      return BadRequest(Mismatch(*toxicity, "ToxicWrapper.toxicity", "float32"));
    toxic->toxicity = toxicity->get<double>();
  }
  if (const Json* attributes = FindMember(body, "attributes")) {
    if (!attributes->is_object())
      return BadRequest(
          Mismatch(*attributes, ".attributes", "toxics." + std::string(toxic->type->name)));
    if (auto error = ReadAttributes(*attributes, toxic)) return error;
  }
  // What makes no sense is told now, not by the link later.
  if (const auto fault = FaultOf(*toxic); !fault.ok()) return BadRequest(Message(fault.status()));
  return std::nullopt;
}

std::int64_t Int(const Toxic& toxic, const char* name) {
  return toxic.attributes.at(name).get<std::int64_t>();
}
std::uint64_t Count(const Toxic& toxic, const char* name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, Int(toxic, name)));
}
// Above what a Duration takes: as good as never.
Duration Time(const Toxic& toxic, const char* name, Duration unit) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / unit.count() / 4;
  return std::clamp<std::int64_t>(Int(toxic, name), 0, most) * unit;
}
std::string Text(const Toxic& toxic, const char* name) {
  return toxic.attributes.at(name).get<std::string>();
}

}  // namespace

ApiError BadRequest(std::string_view why) {
  return {400, fmt::format("bad request body: {}", why)};
}

std::span<const ToxicType> ToxicTypes() { return Types(); }

const ToxicType* FindToxicType(std::string_view name) {
  const auto it = std::find_if(Types().begin(), Types().end(),
                               [&](const ToxicType& type) { return type.name == name; });
  return it == Types().end() ? nullptr : &*it;
}

Json Toxic::ToJson() const {
  return {{"attributes", attributes},
          {"name", name},
          {"type", type->name},
          {"stream", stream},
          {"toxicity", toxicity}};
}

std::optional<ApiError> ReadToxic(const Json& body, Toxic* toxic) {
  *toxic = {.stream = "downstream"};
  std::string type;
  for (const auto& [name, text] : {std::pair{"name", &toxic->name}, std::pair{"type", &type},
                                   std::pair{"stream", &toxic->stream}}) {
    const Json* value = FindMember(body, name);
    if (value == nullptr) continue;
    if (!value->is_string())
      return BadRequest(Mismatch(*value, "ToxicWrapper." + std::string(name), "string"));
    *text = value->get<std::string>();
  }
  if (!body.is_object()) return BadRequest(Mismatch(body, "", "toxics.ToxicWrapper"));
  toxic->type = FindToxicType(type);
  if (toxic->stream.empty()) toxic->stream = "downstream";
  const bool both = toxic->stream == "both" && toxic->type != nullptr && !toxic->type->original;
  if (toxic->stream != "upstream" && toxic->stream != "downstream" && !both)
    return ApiError{400, "stream was invalid, can be either upstream or downstream"};
  if (toxic->name.empty()) toxic->name = type + "_" + toxic->stream;
  if (toxic->type == nullptr) return ApiError{400, "invalid toxic type"};
  toxic->attributes = Json::object();
  for (const ToxicAttribute& attribute : toxic->type->attributes)
    toxic->attributes[std::string(attribute.name)] = attribute.value;
  return ReadCommon(body, toxic);
}

std::optional<ApiError> ChangeToxic(const Json& body, Toxic* toxic) {
  if (!body.is_object()) return BadRequest(Mismatch(body, "", "toxics.ToxicWrapper"));
  Toxic changed = *toxic;
  if (auto error = ReadCommon(body, &changed)) return error;
  *toxic = std::move(changed);
  return std::nullopt;
}

StatusOr<std::optional<NetFault>> FaultOf(const Toxic& toxic) {
  const std::string_view type = toxic.type->name;
  constexpr Duration kMs = std::chrono::milliseconds(1);
  if (type == "noop") return std::optional<NetFault>();
  NetFault fault{.id = toxic.name,
                 .direction = toxic.stream == "upstream"     ? Direction::kUp
                              : toxic.stream == "downstream" ? Direction::kDown
                                                             : Direction::kBoth,
                 .probability = std::clamp(toxic.toxicity, 0.0, 1.0)};
  if (toxic.attributes.contains("connections")) fault.connections = Text(toxic, "connections");
  if (type == "bandwidth") {
    fault.bytes_per_second = 1000 * std::min<std::uint64_t>(Count(toxic, "rate"), 1ULL << 40U);
    fault.kind = fault.bytes_per_second == 0 ? NetFaultKind::kStall : NetFaultKind::kBandwidth;
  } else if (type == "latency" || type == "latency_distribution") {
    fault.kind = NetFaultKind::kLatency;
    fault.latency = Time(toxic, "latency", kMs);
    fault.jitter = Time(toxic, "jitter", kMs);
    if (type == "latency_distribution") {
      const std::string spread = Text(toxic, "distribution");
      fault.spread = spread == "normal"        ? Spread::kNormal
                     : spread == "exponential" ? Spread::kExponential
                     : spread == "pareto"      ? Spread::kPareto
                                               : Spread::kUniform;
      fault.shape = toxic.attributes.at("shape").get<double>();
      fault.longest = Time(toxic, "longest", kMs);
    }
  } else if (type == "limit_data" || type == "cut") {
    fault.kind = NetFaultKind::kCut;
    fault.cut_after_bytes = Count(toxic, "bytes");
    fault.cut_with =
        type == "cut" && Text(toxic, "with") == "reset" ? CutWith::kReset : CutWith::kFin;
  } else if (type == "reset_peer") {
    fault.kind = NetFaultKind::kResetOnData;
    fault.latency = Time(toxic, "timeout", kMs);
  } else if (type == "slicer") {
    fault.kind = NetFaultKind::kSlice;
    fault.slice_bytes = std::max<std::uint64_t>(1, Count(toxic, "average_size"));
    fault.slice_variation = std::min(Count(toxic, "size_variation"), fault.slice_bytes - 1);
    fault.slice_pause = Time(toxic, "delay", std::chrono::microseconds(1));
  } else if (type == "slow_close") {
    fault.kind = NetFaultKind::kSlowClose;
    fault.latency = Time(toxic, "delay", kMs);
  } else if (type == "timeout") {
    fault.kind = NetFaultKind::kSwallow;
    fault.latency = Time(toxic, "timeout", kMs);
  } else if (type == "black_hole") {
    fault.kind = NetFaultKind::kBlackhole;
  } else if (type == "connection_limit") {
    fault.kind = NetFaultKind::kConnectionLimit;
    fault.most_connections = Count(toxic, "limit");
  } else if (type == "corrupt") {
    fault.kind = NetFaultKind::kCorrupt;
    fault.corrupt_after_bytes = Count(toxic, "after");
    fault.corrupt_share = toxic.attributes.at("share").get<double>();
    fault.corrupt_most = Count(toxic, "most");
  } else if (type == "half_open") {
    fault.kind = NetFaultKind::kHalfOpen;
    fault.idle = Time(toxic, "idle", kMs);
  } else if (type == "idle_drop") {
    fault.kind = NetFaultKind::kIdleDrop;
    fault.idle = Time(toxic, "idle", kMs);
    const std::string end = Text(toxic, "end");
    fault.idle_end = end == "reset"        ? IdleEnd::kReset
                     : end == "reset_next" ? IdleEnd::kResetNext
                                           : IdleEnd::kSilent;
  } else if (type == "never_accept") {
    fault.kind = NetFaultKind::kNeverAccept;
    fault.backlog_full = toxic.attributes.at("backlog_full").get<bool>();
  } else if (type == "refuse") {
    fault.kind = NetFaultKind::kRefuse;
  } else if (type == "reset") {
    fault.kind = NetFaultKind::kReset;
  } else {
    fault.kind = NetFaultKind::kStall;
  }
  SQUALL_RETURN_IF_ERROR(ValidateFault(fault));
  return std::optional<NetFault>(std::move(fault));
}

std::string ToxicReference() {
  std::string text = "| type | attributes | what it does |\n|---|---|---|\n";
  for (const ToxicType& type : Types()) {
    std::string attributes;
    for (const ToxicAttribute& one : type.attributes) {
      attributes += attributes.empty() ? "" : "; ";
      attributes += fmt::format("`{}` ({})", one.name, Compact(one.value));
      if (!one.choices.empty()) attributes += fmt::format(" {}", fmt::join(one.choices, ", "));
      // Said once, below the table.
      if (one.name != "connections" && !one.doc.empty()) attributes += fmt::format(": {}", one.doc);
    }
    text += fmt::format("| `{}` | {} | {} |\n", type.name, attributes, type.doc);
  }
  return text;
}

}  // namespace squall::harness
