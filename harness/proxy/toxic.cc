#include "harness/proxy/toxic.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace squall::harness {
namespace {

using Kind = GoField::Kind;

ToxicAttribute Integer(std::string_view name, std::string_view doc, std::int64_t value = 0,
                       std::string_view go_type = "int64") {
  return {name, Kind::kInteger, go_type, value, {}, doc};
}
ToxicAttribute Choice(std::string_view name, std::vector<std::string_view> choices,
                      std::string_view doc) {
  const Json value = std::string(choices.front());
  return {name, Kind::kText, "string", value, std::move(choices), doc};
}

const std::vector<ToxicType>& Types() {
  static const auto* const kTypes = [] {
    const ToxicAttribute connections{
        "connections",
        Kind::kText,
        "string",
        "",
        {},
        "only connections with these numbers, counted from 1 while the toxic is active: 1, 2-3, "
        "5+, 2-3/3 (the second and third of every three); empty: all"};
    return new std::vector<ToxicType>{
        {"bandwidth",
         "BandwidthToxic",
         {Integer("rate", "1,000 bytes per second; 0: nothing passes")},
         "Limits each connection to a rate."},
        {"latency",
         "LatencyToxic",
         {Integer("latency", "ms"), Integer("jitter", "ms to either side, uniform")},
         "Delays all data."},
        {"limit_data",
         "LimitDataToxic",
         {Integer("bytes", "that still pass, exactly")},
         "Closes the connection once so much data has passed."},
        {"noop", "NoopToxic", {}, "Does nothing."},
        {"reset_peer",
         "ResetToxic",
         {Integer("timeout", "ms")},
         "Resets the connection so long after its first data, which does not pass."},
        {"slicer",
         "SlicerToxic",
         {Integer("average_size", "bytes", 0, "int"),
          Integer("size_variation", "bytes to either side, less than the average", 0, "int"),
          Integer("delay", "us behind each piece", 0, "int")},
         "Slices data into small pieces."},
        {"slow_close", "SlowCloseToxic", {Integer("delay", "ms")}, "Delays the end of the stream."},
        {"timeout",
         "TimeoutToxic",
         {Integer("timeout", "ms; 0: never")},
         "Lets data vanish, and closes the connection so long after the toxic came to it, or when "
         "the toxic goes."},
        {"black_hole",
         "",
         {connections},
         "Accepts, and neither reads, writes nor calls the upstream; open connections stall."},
        {"connection_limit",
         "",
         {Integer("limit", "connections"), connections},
         "Resets new connections while so many are open."},
        {"corrupt",
         "",
         {Integer("after", "bytes that stay whole"),
          {"share", Kind::kFloat, "float32", 1.0, {}, "of the bytes behind them that change"},
          Integer("most", "bytes that change; 0: no limit"),
          connections},
         "Changes bytes, by the seed."},
        {"cut",
         "",
         {Integer("bytes", "that still pass, exactly"),
          Choice("with", {"reset", "fin"}, "how the connection ends"), connections},
         "Ends the connection once so much data has passed."},
        {"half_open",
         "",
         {Integer("idle", "ms of silence, above 0", 1000), connections},
         "A connection that was silent is reset for one side; the other, whose stream it is (of "
         "upstream: the client), is not told, and what it sends vanishes."},
        {"idle_drop",
         "",
         {Integer("idle", "ms of silence, above 0", 1000),
          Choice("end", {"silent", "reset", "reset_next"},
                 "nobody is told; both are reset; whoever speaks next is reset"),
          connections},
         "A connection that was silent is forgotten, as by a NAT."},
        {"latency_distribution",
         "",
         {Integer("latency", "ms: the middle, of exponential and pareto the shortest"),
          Integer("jitter", "ms: deviation, of exponential the mean of what comes on top"),
          Choice("distribution", {"uniform", "normal", "exponential", "pareto"}, ""),
          {"shape",
           Kind::kFloat,
           "float32",
           1.5,
           {},
           "of pareto: the smaller, the heavier the tail"},
          Integer("longest", "ms that no delay exceeds; 0: no limit"),
          connections},
         "Delays all data by a distribution."},
        {"never_accept",
         "",
         {{"backlog_full",
           Kind::kBool,
           "bool",
           false,
           {},
           "SYNs are dropped too, and connect hangs"}},
         "Listens and does not accept: the kernel answers the handshake, nobody the rest."},
        {"refuse", "", {}, "Nobody listens; open connections are reset."},
        {"reset", "", {connections}, "Accepts and resets; open connections too."},
        {"stall",
         "",
         {connections},
         "Bytes stop, connections stay; when the toxic goes they flow on."}};
  }();
  return *kTypes;
}

// What of a body makes a new toxic: its attributes are read once its type is known, and until then
// the original takes them for those of a noop.
const GoField& NewToxic() {
  static const auto* const kNew = new GoField{"",
                                              Kind::kStruct,
                                              "toxics.ToxicWrapper",
                                              {{"attributes", Kind::kStruct, "toxics.NoopToxic"},
                                               {"name", Kind::kText, "string"},
                                               {"type", Kind::kText, "string"},
                                               {"stream", Kind::kText, "string"},
                                               {"toxicity", Kind::kFloat, "float32"}}};
  return *kNew;
}

// What of it changes one. Of the original's types what the original overlooks is overlooked; of
// ours nothing is.
GoField Change(const ToxicType& type) {
  GoField attributes{
      .name = "attributes",
      .kind = Kind::kStruct,
      .type = fmt::format("toxics.{}", type.go_struct.empty() ? type.name : type.go_struct),
      .closed = type.go_struct.empty()};
  for (const ToxicAttribute& one : type.attributes)
    attributes.parts.push_back({one.name, one.kind, std::string(one.go_type)});
  return {"",
          Kind::kStruct,
          R"(struct { Attributes interface {} "json:\"attributes\""; )"
          R"(Toxicity float32 "json:\"toxicity\"" })",
          {std::move(attributes), {"toxicity", Kind::kFloat, "float32"}}};
}

// One of the choices, where there are some.
std::optional<ApiError> CheckChoices(const Toxic& toxic) {
  for (const ToxicAttribute& attribute : toxic.type->attributes) {
    if (attribute.choices.empty()) continue;
    const std::string value = toxic.attributes.at(std::string(attribute.name)).get<std::string>();
    if (std::find(attribute.choices.begin(), attribute.choices.end(), value) ==
        attribute.choices.end()) {
      return BadRequest(fmt::format("{} of {} is one of {}, not '{}'", attribute.name,
                                    toxic.type->name, fmt::join(attribute.choices, ", "), value));
    }
  }
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

std::optional<ApiError> ReadToxic(std::string_view body, Toxic* toxic) {
  Json given = {{"name", ""}, {"type", ""}, {"stream", "downstream"}, {"toxicity", 1.0}};
  if (const Status status = DecodeBody(body, NewToxic(), &given); !status.ok())
    return BadRequest(Message(status));
  const auto type = given["type"].get<std::string>();
  *toxic = {.name = given["name"].get<std::string>(),
            .type = FindToxicType(type),
            .stream = given["stream"].get<std::string>(),
            .attributes = Json::object()};
  if (SameName(toxic->stream, "upstream")) {
    toxic->direction = Direction::kUp;
  } else if (SameName(toxic->stream, "both") && toxic->type != nullptr &&
             toxic->type->go_struct.empty()) {
    toxic->direction = Direction::kBoth;
  } else if (!SameName(toxic->stream, "downstream")) {
    return ApiError{400, "stream was invalid, can be either upstream or downstream"};
  }
  if (toxic->name.empty()) toxic->name = type + "_" + toxic->stream;
  if (toxic->type == nullptr) return ApiError{400, "invalid toxic type"};
  for (const ToxicAttribute& attribute : toxic->type->attributes)
    toxic->attributes[std::string(attribute.name)] = attribute.value;
  return std::nullopt;
}

std::optional<ApiError> ChangeToxic(std::string_view body, Toxic* toxic) {
  Json given = {{"attributes", toxic->attributes}, {"toxicity", toxic->toxicity}};
  if (const Status status = DecodeBody(body, Change(*toxic->type), &given); !status.ok())
    return BadRequest(Message(status));
  Toxic changed = *toxic;
  changed.attributes = std::move(given["attributes"]);
  changed.toxicity = given["toxicity"].get<double>();
  if (auto error = CheckChoices(changed)) return error;
  // What makes no sense is told now, not by the link later.
  if (const auto fault = FaultOf(changed); !fault.ok()) return BadRequest(Message(fault.status()));
  *toxic = std::move(changed);
  return std::nullopt;
}

StatusOr<std::optional<NetFault>> FaultOf(const Toxic& toxic) {
  const std::string_view type = toxic.type->name;
  constexpr Duration kMs = std::chrono::milliseconds(1);
  if (type == "noop") return std::optional<NetFault>();
  NetFault fault{.id = toxic.name,
                 .direction = toxic.direction,
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
