#include "reports/script_json.h"

#include <fmt/format.h>

#include <functional>

namespace squall::reports {
namespace {

// A line of output longer than this is cut: the journal has all of it.
constexpr std::size_t kLongestText = 4000;

// Bytes of the well-formed UTF-8 character that `text` begins with; 0 where it is none.
std::size_t CharacterAt(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

void AppendScriptString(std::string* out, std::string_view text) {
  *out += '"';
  while (!text.empty()) {
    const std::size_t length = CharacterAt(text);
    if (length == 0) {
      *out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(length);
    const char c = character[0];
    if (character == "\xe2\x80\xa8") {
      *out += "\\u2028";
    } else if (character == "\xe2\x80\xa9") {
      *out += "\\u2029";
    } else if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '<' || c == '>' || c == '&' || c == '\x7f' ||
               static_cast<unsigned char>(c) < 0x20) {
      *out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      *out += character;
    }
  }
  *out += '"';
}

std::size_t StringTable::Of(std::string_view text) {
  const auto it = numbers_.find(text);
  if (it != numbers_.end()) return it->second;
  const std::size_t number = numbers_.size();
  numbers_.emplace(text, number);
  if (number > 0) json_ += ',';
  // Cleaned first: a cut must not leave the half of a secret that no longer looks like one.
  std::string clean = redactor_.Clean(text);
  if (clean.size() > kLongestText) {
    const std::size_t cut = clean.size() - kLongestText;
    clean.resize(kLongestText);
    clean += fmt::format(" ... ({} more bytes)", cut);
  }
  AppendScriptString(&json_, clean);
  return number;
}

}  // namespace squall::reports
