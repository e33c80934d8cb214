#include "scenarios/format/event_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace squall::scenarios {
namespace {

struct NameCollector {
  std::vector<std::string>& names;
  template <typename T>
  void operator()(const char* name, T&) {
    names.emplace_back(name);
  }
};

struct TextOf {
  std::string_view wanted;
  std::optional<std::string>& out;

  static std::string Text(const std::string& v) { return v; }
  static std::string Text(std::uint64_t v) { return std::to_string(v); }
  static std::string Text(std::int64_t v) { return std::to_string(v); }
  static std::string Text(int v) { return std::to_string(v); }
  static std::string Text(Duration v) { return std::to_string(v.count()); }
  static std::string Text(const std::optional<int>& v) { return v ? std::to_string(*v) : ""; }
  static std::string Text(const std::vector<std::string>& v) {
    return fmt::format("{}", fmt::join(v, ","));
  }
  static std::string Text(const std::map<std::string, std::string>& v) {
    std::vector<std::string> pairs;
    pairs.reserve(v.size());
    for (const auto& [key, value] : v) pairs.push_back(fmt::format("{}={}", key, value));
    return fmt::format("{}", fmt::join(pairs, ","));
  }
  template <typename T>
  void operator()(const char* name, const T& value) {
    if (wanted == name) out = Text(value);
  }
};

template <std::size_t I = 0>
void CollectNames(std::string_view kind, std::vector<std::string>& names) {
  if constexpr (I < std::variant_size_v<journal::Payload>) {
    using T = std::variant_alternative_t<I, journal::Payload>;
    if (kind != T::kKind) return CollectNames<I + 1>(kind, names);
    names.emplace_back("source");
    T().Visit(NameCollector{names});
  }
}

}  // namespace

std::vector<std::string> EventFields(std::string_view kind) {
  std::vector<std::string> names;
  CollectNames(kind, names);
  return names;
}

std::optional<std::string> EventField(const journal::Event& event, std::string_view field) {
  if (field == "source") return event.source;
  std::optional<std::string> text;
  // Visit takes the fields by reference, so the payload is copied once.
  std::visit([&](auto payload) { payload.Visit(TextOf{field, text}); }, event.payload);
  return text;
}

}  // namespace squall::scenarios
