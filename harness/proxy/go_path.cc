#include "harness/proxy/go_path.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "base/util/text.h"

namespace squall::harness {

std::optional<std::string> DecodePath(std::string_view encoded) {
  std::string path;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      path += encoded[i];
      continue;
    }
    const std::string_view digits = encoded.substr(i + 1, 2);
    const char* const end = digits.data() + digits.size();
    unsigned value = 0;
    if (digits.size() < 2 || std::from_chars(digits.data(), end, value, 16).ptr != end)
      return std::nullopt;
    path += static_cast<char>(value);
    i += 2;
  }
  return path;
}

std::string CleanPath(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : Split(path, '/')) {
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string clean;
  for (const std::string_view segment : kept) clean += fmt::format("/{}", segment);
  return clean.empty() || path.ends_with('/') ? clean + "/" : clean;
}

std::string EncodePath(std::string_view path) {
  constexpr std::string_view kPlain =
      "$&+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
  std::string encoded;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace squall::harness
