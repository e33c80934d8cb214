#pragma once
// Walks the fields of journal events without knowing their names, so that tests cover every kind
// and every field that there is, those added later included.

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/event.h"

namespace squall::journal {

// Gives every field a value of its own, none of them the empty one.
class FieldFiller {
 public:
  void operator()(const char* name, std::string& v) {
    v = std::string(name) + " \"quoted\"\n\tüñí " + Next();
  }
  void operator()(const char*, std::uint64_t& v) { v = 0x8000'0000'0000'0000u + ++count_; }
  void operator()(const char*, std::int64_t& v) { v = -static_cast<std::int64_t>(++count_); }
  void operator()(const char*, int& v) { v = static_cast<int>(++count_); }
  void operator()(const char*, Duration& v) {
    v = Duration(3'600'000'000'001 + static_cast<int>(++count_));
  }
  // An optional that holds 0 is not the same as an empty one; the writer must not confuse them.
  void operator()(const char*, std::optional<int>& v) { v = 0; }
  void operator()(const char* name, std::vector<std::string>& v) { v = {name, Next(), ""}; }
  void operator()(const char* name, std::map<std::string, std::string>& v) {
    v = {{name, Next()}, {"", ""}};
  }

 private:
  std::string Next() { return std::to_string(++count_); }
  std::uint64_t count_ = 0;
};

// The fields as (name, value as text), in order.
class FieldPrinter {
 public:
  std::vector<std::pair<std::string, std::string>> fields;

  void operator()(const char* name, const std::string& v) { fields.emplace_back(name, v); }
  void operator()(const char* name, std::uint64_t v) {
    fields.emplace_back(name, std::to_string(v));
  }
  void operator()(const char* name, std::int64_t v) {
    fields.emplace_back(name, std::to_string(v));
  }
  void operator()(const char* name, int v) { fields.emplace_back(name, std::to_string(v)); }
  void operator()(const char* name, Duration v) {
    fields.emplace_back(name, std::to_string(v.count()) + "ns");
  }
  void operator()(const char* name, const std::optional<int>& v) {
    fields.emplace_back(name, v ? std::to_string(*v) : "none");
  }
  void operator()(const char* name, const std::vector<std::string>& v) {
    std::string text;
    for (const std::string& item : v) text += "[" + item + "]";
    fields.emplace_back(name, text);
  }
  void operator()(const char* name, const std::map<std::string, std::string>& v) {
    std::string text;
    for (const auto& [key, value] : v) text += fmt::format("[{}={}]", key, value);
    fields.emplace_back(name, text);
  }
};

// The fields as (name in the file, type as docs/journal.md calls it).
class FieldTypes {
 public:
  std::vector<std::pair<std::string, std::string>> fields;

  void operator()(const char* name, const std::string&) { fields.emplace_back(name, "string"); }
  void operator()(const char* name, std::uint64_t) { fields.emplace_back(name, "unsigned"); }
  void operator()(const char* name, std::int64_t) { fields.emplace_back(name, "integer"); }
  void operator()(const char* name, int) { fields.emplace_back(name, "integer"); }
  void operator()(const char* name, Duration) { fields.emplace_back(name, "nanoseconds"); }
  void operator()(const char* name, const std::optional<int>&) {
    fields.emplace_back(name, "optional integer");
  }
  void operator()(const char* name, const std::vector<std::string>&) {
    fields.emplace_back(name, "list of string");
  }
  void operator()(const char* name, const std::map<std::string, std::string>&) {
    fields.emplace_back(name, "map of string");
  }
};

// One payload of each kind, in the order of Payload, each at the first of its words and otherwise
// empty.
inline std::vector<Payload> OneOfEachKind() {
  std::vector<Payload> all;
  const auto add = [&all]<typename T>(T payload) {
    payload.what = std::string(T::kWords.front());
    all.emplace_back(std::move(payload));
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (add(std::variant_alternative_t<I, Payload>{}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Payload>>());
  return all;
}

inline std::vector<std::pair<std::string, std::string>> FieldsOf(Payload payload) {
  FieldPrinter printer;
  std::visit([&](auto& p) { p.Visit(printer); }, payload);
  return printer.fields;
}

inline void Fill(Payload& payload) {
  FieldFiller filler;
  std::visit([&](auto& p) { p.Visit(filler); }, payload);
}

}  // namespace squall::journal
