#include "harness/proxy/go_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace squall::harness {
namespace {

// As deep as Go goes.
constexpr std::size_t kMaxDepth = 10000;

bool IsGoSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsDecimal(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDecimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// One byte as Go quotes it: those above 7F are taken for the character of that number.
std::string QuoteByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  constexpr std::string_view kNamed = "\a\b\t\n\v\f\r", kNames = "abtnvfr";
  constexpr unsigned kFirstPrintable = 0xa1, kSoftHyphen = 0xad;
  if (c == '\'') return "'\\''";
  if (c == '\\') return "'\\\\'";
  if (const std::size_t at = kNamed.find(c); at != std::string_view::npos)
    return fmt::format("'\\{}'", kNames[at]);
  if (byte < 0x20 || byte == 0x7f) return fmt::format("'\\x{:02x}'", byte);
  if (byte < 0x7f) return fmt::format("'{}'", c);
  if (byte < kFirstPrintable || byte == kSoftHyphen) return fmt::format("'\\u{:04x}'", byte);
  return fmt::format("'{}{}'", static_cast<char>(0xc0 | (byte >> 6)),
                     static_cast<char>(0x80 | (byte & 0x3f)));
}

class GoScan {
 public:
  explicit GoScan(std::string_view text) : text_(text) {}

  StatusOr<std::size_t> Run() {
    // What is open: objects and arrays, by their closing brackets.
    std::vector<char> open;
    bool wants_value = true;
    while (true) {
      if (wants_value) {
        Spaces();
        if (Next('{') || Next('[')) {
          const bool object = text_[at_ - 1] == '{';
          open.push_back(object ? '}' : ']');
          if (open.size() > kMaxDepth) {
            --at_;
            return Wrong("exceeded max depth");
          }
          Spaces();
          if (!Next(open.back())) {
            if (object && !Key()) return *error_;
            continue;
          }
          open.pop_back();
        } else if (!Scalar()) {
          return *error_;
        }
      }
      // Behind a value.
      if (open.empty()) return at_;
      Spaces();
      const bool object = open.back() == '}';
      if (Next(',')) {
        Spaces();
        if (object && !Key()) return *error_;
        wants_value = true;
      } else if (Next(open.back())) {
        open.pop_back();
        wants_value = false;
      } else {
        return Wrong(object ? "after object key:value pair" : "after array element");
      }
    }
  }

 private:
  bool Next(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  template <typename Is>
  bool NextThat(Is is) {
    if (at_ == text_.size() || !is(text_[at_])) return false;
    ++at_;
    return true;
  }
  void Spaces() {
    while (NextThat(IsGoSpace)) {
    }
  }
  Status Wrong(std::string_view where) const {
    if (at_ == text_.size()) return MakeStatus(StatusCode::kInvalidArgument, "unexpected EOF");
    return MakeStatus(StatusCode::kInvalidArgument, "invalid character {} {}",
                      QuoteByte(text_[at_]), where);
  }
  bool Fails(std::string_view where) {
    error_ = Wrong(where);
    return false;
  }

  bool Key() {
    if (!Next('"')) return Fails("looking for beginning of object key string");
    if (!Text()) return false;
    Spaces();
    return Next(':') || Fails("after object key");
  }

  bool Scalar() {
    if (Next('"')) return Text();
    for (const std::string_view literal : {"true", "false", "null"}) {
      if (Next(literal.front())) return Literal(literal);
    }
    const bool negative = Next('-');
    if (Next('0') || NextThat(IsDecimal)) return Number();
    return Fails(negative ? "in numeric literal" : "looking for beginning of value");
  }

  bool Text() {
    while (at_ < text_.size()) {
      if (Next('"')) return true;
      if (Next('\\')) {
        if (Next('u')) {
          for (int i = 0; i < 4; ++i)
            if (!NextThat(IsHex)) return Fails("in \\u hexadecimal character escape");
        } else if (!NextThat([](char c) {
                     return std::string_view("bfnrt\\/\"").find(c) != std::string_view::npos;
                   })) {
          return Fails("in string escape code");
        }
      } else if (!NextThat([](char c) { return static_cast<unsigned char>(c) >= 0x20; })) {
        return Fails("in string literal");
      }
    }
    return Fails("");
  }

  bool Literal(std::string_view literal) {
    for (const char c : literal.substr(1))
      if (!Next(c)) return Fails(fmt::format("in literal {} (expecting '{}')", literal, c));
    return true;
  }

  // Behind its first digit; a zero stands alone.
  bool Number() {
    const auto digits = [&] {
      const std::size_t from = at_;
      while (NextThat(IsDecimal)) {
      }
      return at_ > from;
    };
    if (text_[at_ - 1] != '0') digits();
    if (Next('.') && !digits()) return Fails("after decimal point in numeric literal");
    if (Next('e') || Next('E')) {
      if (!Next('+')) Next('-');
      if (!digits()) return Fails("in exponent of numeric literal");
    }
    return true;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Status> error_;
};

}  // namespace

StatusOr<std::size_t> ScanFirstValue(std::string_view text) { return GoScan(text).Run(); }

}  // namespace squall::harness
