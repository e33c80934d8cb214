#include "harness/proxy/go_json.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace squall::harness {
namespace {

using Json = nlohmann::ordered_json;

// How long the first value is, by its brackets and quotes; the whole text where it does not end.
std::size_t FirstValue(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
        if (depth == 0) return i + 1;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth <= 0) return i + 1;
    }
  }
  return text.size();
}

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

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

StatusOr<Json> ParseBody(std::string_view text) {
  const auto bad = [](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "{}", why);
  };
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  if (text.empty()) return bad("EOF");
  const std::string_view first = text.substr(0, FirstValue(text));
  Json value = Json::parse(first, nullptr, /*allow_exceptions=*/false);
  if (!value.is_discarded()) return value;
  if (std::string_view("{[\"tfn-0123456789").find(text.front()) == std::string_view::npos)
    return bad("invalid character '" + std::string(1, text.front()) +
               "' looking for beginning of value");
  const bool ended = first.size() < text.size() || first.ends_with('}') || first.ends_with(']');
  return bad(ended ? "it is not JSON" : "unexpected EOF");
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
