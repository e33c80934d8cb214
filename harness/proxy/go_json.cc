#include "harness/proxy/go_json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
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
    const auto number = static_cast<float>(value.get<double>());
    const float size = std::abs(number);
    const bool plain = size == 0 || (size >= 1e-6F && size < 1e21F);
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), number,
                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    std::string_view written(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
    // An exponent of one digit is one: 1e-7.
    const std::size_t zero = written.find("e-0");
    out += written.substr(0, zero == std::string_view::npos ? zero : zero + 2);
    if (zero != std::string_view::npos) out += written.substr(zero + 3);
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

constexpr std::string_view kGoSpaces = " \t\r\n";

// The parts of an object or array, each with its name as it is written; those of an array have
// none. The text is known to be sound.
std::vector<std::pair<std::string_view, std::string_view>> Parts(std::string_view text) {
  const bool object = text.front() == '{';
  text.remove_prefix(1);
  const auto next = [&]() -> std::string_view {
    text.remove_prefix(text.find_first_not_of(" \t\r\n,:"));
    const std::string_view value = text.substr(0, ScanFirstValue(text).value_or(0));
    text.remove_prefix(value.size());
    return value;
  };
  std::vector<std::pair<std::string_view, std::string_view>> parts;
  while (true) {
    const std::string_view first = next();
    if (first.empty()) return parts;  // the closing bracket
    parts.emplace_back(object ? first : "", object ? next() : first);
  }
}

// What stands between the quotes. Nothing where that is not UTF-8, or half a surrogate pair: Go
// puts a mark in its place; nobody's client sends any.
std::optional<std::string> Unquoted(std::string_view literal) {
  const Json value = Json::parse(literal, nullptr, /*allow_exceptions=*/false);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

// The struct's own name, which an anonymous one has not.
std::string_view OwnName(const GoField& what) {
  const std::string_view type = what.type;
  return type.starts_with("struct {") ? "" : type.substr(type.rfind('.') + 1);
}

class GoDecoder {
 public:
  void Read(std::string_view text, const GoField& what, Json& into) {
    using Kind = GoField::Kind;
    if (what.kind == Kind::kRaw) {
      into = std::string(text);
      return;
    }
    switch (text.front()) {
      case 'n':
        return;
      case '{':
        if (what.kind != Kind::kStruct) return Mismatch("object", what);
        return ReadFields(text, what, into);
      case '[':
        if (what.kind != Kind::kList) return Mismatch("array", what);
        into = Json::array();
        for (const auto& [none, part] : Parts(text)) {
          into.push_back(nullptr);
          Read(part, what.parts.front(), into.back());
        }
        return;
      case '"':
        if (what.kind != Kind::kText) return Mismatch("string", what);
        if (std::optional<std::string> value = Unquoted(text)) {
          into = *std::move(value);
        } else {
          Mistake("a string is not UTF-8");
        }
        return;
      case 't':
      case 'f':
        if (what.kind != Kind::kBool) return Mismatch("bool", what);
        into = text == "true";
        return;
      default:
        if (what.kind != Kind::kInteger && what.kind != Kind::kFloat)
          return Mismatch("number", what);
        if (!ReadNumber(text, what, into)) Mismatch(fmt::format("number {}", text), what);
    }
  }

  const std::optional<std::string>& mistake() const { return mistake_; }

 private:
  static bool ReadNumber(std::string_view text, const GoField& what, Json& into) {
    if (what.kind == GoField::Kind::kInteger) {
      std::int64_t value = 0;
      const char* const end = text.data() + text.size();
      const auto [stopped, error] = std::from_chars(text.data(), end, value);
      if (error != std::errc() || stopped != end) return false;
      into = value;
      return true;
    }
    // What is too small is 0, which from_chars would not tell from what is too large.
    const double value = std::strtod(std::string(text).c_str(), nullptr);
    if (std::abs(value) > std::numeric_limits<float>::max()) return false;
    into = value;
    return true;
  }

  void ReadFields(std::string_view text, const GoField& what, Json& into) {
    const std::string_view outer = std::exchange(struct_, OwnName(what));
    for (const auto& [literal, part] : Parts(text)) {
      const std::string name = Unquoted(literal).value_or("");
      const auto field = std::find_if(what.parts.begin(), what.parts.end(),
                                      [&](const GoField& one) { return SameName(one.name, name); });
      if (field == what.parts.end()) {
        if (what.closed) Mistake(NotThere(name, what));
        continue;
      }
      const std::size_t depth = path_.size();
      if (!field->embedded.empty()) path_.push_back(field->embedded);
      path_.push_back(field->name);
      Read(part, *field, into[std::string(field->name)]);
      path_.resize(depth);
    }
    struct_ = outer;
  }

  static std::string NotThere(std::string_view name, const GoField& what) {
    std::vector<std::string_view> names;
    for (const GoField& one : what.parts) names.push_back(one.name);
    const std::string_view owner = OwnName(what);
    if (names.empty()) return fmt::format("{} has no attributes, and '{}' was given", owner, name);
    return fmt::format("{} has no attribute '{}': it has {}", owner, name, fmt::join(names, ", "));
  }

  void Mismatch(std::string_view is, const GoField& what) {
    const std::string where =
        path_.empty() ? "value" : fmt::format("struct field {}.{}", struct_, fmt::join(path_, "."));
    Mistake(fmt::format("json: cannot unmarshal {} into Go {} of type {}", is, where, what.type));
  }
  void Mistake(std::string what) {
    if (!mistake_) mistake_ = std::move(what);
  }

  std::string_view struct_;             // the innermost
  std::vector<std::string_view> path_;  // from the outermost to the value
  std::optional<std::string> mistake_;
};

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

Status DecodeBody(std::string_view text, const GoField& what, Json* into) {
  const std::size_t start = text.find_first_not_of(kGoSpaces);
  if (start == std::string_view::npos) return MakeStatus(StatusCode::kInvalidArgument, "EOF");
  text.remove_prefix(start);
  SQUALL_ASSIGN_OR_RETURN(const std::size_t length, ScanFirstValue(text));
  GoDecoder decoder;
  decoder.Read(text.substr(0, length), what, *into);
  if (decoder.mistake()) return MakeStatus(StatusCode::kInvalidArgument, "{}", *decoder.mistake());
  return absl::OkStatus();
}

std::string Compact(const Json& value) {
  std::string out;
  Write(value, out);
  return out;
}

}  // namespace squall::harness
