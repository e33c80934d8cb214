#include "base/journal/event.h"

#include <nlohmann/json.hpp>

#include "base/journal/journal.h"

namespace squall::journal {
namespace {

using nlohmann::json;

template <std::size_t... I>
constexpr auto KindsOf(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{std::variant_alternative_t<I, Payload>::kKind...};
}
constexpr auto kKinds = KindsOf(std::make_index_sequence<std::variant_size_v<Payload>>());

// Writes each field that is not at its empty value: lines stay short, and a reader fills in the same value.
struct FieldWriter {
  json& out;
  void operator()(const char* name, const std::string& v) { if (!v.empty()) out[name] = v; }
  void operator()(const char* name, std::uint64_t v) { if (v != 0) out[name] = v; }
  void operator()(const char* name, std::int64_t v) { if (v != 0) out[name] = v; }
  void operator()(const char* name, int v) { if (v != 0) out[name] = v; }
  void operator()(const char* name, Duration v) { if (v != Duration::zero()) out[name] = v.count(); }
  void operator()(const char* name, const std::optional<int>& v) { if (v) out[name] = *v; }
  void operator()(const char* name, const std::vector<std::string>& v) { if (!v.empty()) out[name] = v; }
  void operator()(const char* name, const std::map<std::string, std::string>& v) { if (!v.empty()) out[name] = v; }
};

struct FieldReader {
  const json& in;
  template <typename T>
  void operator()(const char* name, T& v) {
    if (const auto it = in.find(name); it != in.end()) v = it->template get<T>();
  }
  void operator()(const char* name, Duration& v) {
    if (const auto it = in.find(name); it != in.end()) v = Duration(it->get<std::int64_t>());
  }
  void operator()(const char* name, std::optional<int>& v) {
    if (const auto it = in.find(name); it != in.end()) v = it->get<int>();
  }
};

bool IsWordOf(std::string_view kind, std::string_view word) {
  for (const std::string_view known : WordsOf(kind)) {
    if (known == word) return true;
  }
  return false;
}

template <std::size_t I = 0>
bool ParsePayload(std::string_view kind, const json& in, Payload& out) {
  if constexpr (I == std::variant_size_v<Payload>) {
    return false;
  } else {
    using T = std::variant_alternative_t<I, Payload>;
    if (kind != T::kKind) return ParsePayload<I + 1>(kind, in, out);
    T payload;
    payload.what = in.at("what").get<std::string>();
    payload.Visit(FieldReader{in});
    out = std::move(payload);
    return true;
  }
}

}  // namespace

std::string_view Event::kind() const {
  return std::visit([](const auto& p) { return std::decay_t<decltype(p)>::kKind; }, payload);
}

std::string_view Event::what() const {
  return std::visit([](const auto& p) { return std::string_view(p.what); }, payload);
}

std::span<const std::string_view> AllKinds() { return kKinds; }

Words WordsOf(std::string_view kind) {
  Words words;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((kind == std::variant_alternative_t<I, Payload>::kKind
          ? static_cast<void>(words = std::variant_alternative_t<I, Payload>::kWords)
          : static_cast<void>(0)),
     ...);
  }(std::make_index_sequence<std::variant_size_v<Payload>>());
  return words;
}

std::string ToJson(const Event& event) {
  json out = {{"v", kSchemaVersion},
              {"seq", event.sequence},
              {"t_ns", event.time.time_since_epoch().count()},
              {"wall", FormatWall(event.wall)},
              {"wall_ns", event.wall.time_since_epoch().count()},
              {"source", event.source},
              {"kind", event.kind()},
              {"what", event.what()}};
  // Visit takes the fields by reference; a copy keeps the event const.
  std::visit([&out](auto payload) { payload.Visit(FieldWriter{out}); }, event.payload);
  // Output of programs under test may be any bytes; they are replaced, not refused.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

StatusOr<Event> FromJson(std::string_view line) {
  try {
    const json in = json::parse(line);
    if (const int version = in.at("v").get<int>(); version != kSchemaVersion) {
      return MakeStatus(StatusCode::kInvalidArgument, "journal schema version {}; this squall reads {}", version,
                        kSchemaVersion);
    }
    Event event;
    event.sequence = in.at("seq").get<std::uint64_t>();
    event.time = SteadyTime(Duration(in.at("t_ns").get<std::int64_t>()));
    event.wall = WallTime(Duration(in.at("wall_ns").get<std::int64_t>()));
    event.source = in.at("source").get<std::string>();
    const auto kind = in.at("kind").get<std::string>();
    if (!ParsePayload(kind, in, event.payload)) {
      return MakeStatus(StatusCode::kInvalidArgument, "unknown kind of event '{}'", kind);
    }
    if (!IsWordOf(kind, event.what())) {
      return MakeStatus(StatusCode::kInvalidArgument, "unknown {} event '{}'", kind, event.what());
    }
    return event;
  } catch (const json::exception& e) {
    return MakeStatus(StatusCode::kInvalidArgument, "not a journal line: {}", e.what());
  }
}

}  // namespace squall::journal
