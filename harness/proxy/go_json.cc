#include "harness/proxy/go_json.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "harness/proxy/go_scan.h"

namespace squall::harness {
namespace {

using Json = nlohmann::ordered_json;

void Write(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    for (auto it = value.begin(); it != value.end(); ++it) {
      if (it != value.begin()) out += ',';
      Write(it.key(), out);
      out += ':';
      Write(it.value(), out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (auto it = value.begin(); it != value.end(); ++it) {
      if (it != value.begin()) out += ',';
      Write(*it, out);
    }
    out += ']';
  } else if (value.is_number_float()) {
    std::array<char, 64> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(),
                                   static_cast<float>(value.get<double>()));
    out.append(text.data(), end.ptr);
  } else {
    for (const char c : value.dump(-1, ' ', false, Json::error_handler_t::replace)) {
      switch (c) {
        case '<':
          out += "\\u003c";
          break;
        case '>':
          out += "\\u003e";
          break;
        case '&':
          out += "\\u0026";
          break;
        default:
          out += c;
      }
    }
  }
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

StatusOr<Json> ParseBody(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  if (text.empty()) return MakeStatus(StatusCode::kInvalidArgument, "EOF");
  SQUALL_ASSIGN_OR_RETURN(const std::size_t length, ScanFirstValue(text));
  Json value = Json::parse(text.substr(0, length), nullptr, /*allow_exceptions=*/false);
  // Go puts a mark in place of bytes that are no UTF-8; nobody's client sends any.
  if (value.is_discarded())
    return MakeStatus(StatusCode::kInvalidArgument, "a string is not UTF-8, or a number too large");
  return value;
}

const Json* FindMember(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  // The last one counts.
  const Json* found = nullptr;
  for (auto it = object.begin(); it != object.end(); ++it)
    if (SameName(it.key(), name)) found = &it.value();
  return found != nullptr && found->is_null() ? nullptr : found;
}

std::string Mismatch(const Json& value, std::string_view field, std::string_view type) {
  std::string is = value.is_string()    ? "string"
                   : value.is_boolean() ? "bool"
                   : value.is_object()  ? "object"
                   : value.is_array()   ? "array"
                                        : "number";
  if (value.is_number() && type.starts_with("int")) is += " " + value.dump();
  return fmt::format("json: cannot unmarshal {} into Go {} of type {}", is,
                     field.empty() ? "value" : fmt::format("struct field {}", field), type);
}

std::string Compact(const Json& value) {
  std::string out;
  Write(value, out);
  return out;
}

}  // namespace squall::harness
