#include "scenarios/format/values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace squall::scenarios {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Digits with at most one point between digits, from the front of `text`; the rest stays in it.
std::optional<double> TakeNumber(std::string_view& text) {
  std::size_t end = 0;
  bool point = false;
  while (end < text.size() && (IsDigit(text[end]) || (text[end] == '.' && !point && end > 0))) {
    point = point || text[end] == '.';
    ++end;
  }
  if (end == 0 || text[end - 1] == '.') return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
  if (error != std::errc() || stop != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

std::string_view TakeLetters(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() &&
         ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z')))
    ++end;
  const std::string_view letters = text.substr(0, end);
  text.remove_prefix(end);
  return letters;
}

constexpr std::array<std::pair<std::string_view, double>, 6> kTimeUnits = {
    {{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}}};
constexpr std::array<std::pair<std::string_view, double>, 7> kSizeUnits = {{{"B", 1},
                                                                            {"KiB", 1024},
                                                                            {"MiB", 1048576},
                                                                            {"GiB", 1073741824},
                                                                            {"KB", 1e3},
                                                                            {"MB", 1e6},
                                                                            {"GB", 1e9}}};

}  // namespace

std::optional<std::int64_t> ParseInt(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || !IsDigit(digits[0])) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<Duration> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double total = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto number = TakeNumber(text);
    if (!number) return std::nullopt;
    const std::string_view unit = TakeLetters(text);
    std::size_t at = next_unit;
    while (at < kTimeUnits.size() && kTimeUnits[at].first != unit) ++at;
    if (at == kTimeUnits.size()) return std::nullopt;
    total += *number * kTimeUnits[at].second;
    next_unit = at + 1;
  }
  if (total > 9e18) return std::nullopt;
  return Duration(std::llround(total));
}

std::optional<std::int64_t> ParseSize(std::string_view text) {
  const auto number = TakeNumber(text);
  if (!number) return std::nullopt;
  for (const auto& [unit, factor] : kSizeUnits) {
    if (unit != text) continue;
    const double bytes = *number * factor;
    if (bytes > 9e18 || bytes != std::floor(bytes)) return std::nullopt;
    return static_cast<std::int64_t>(bytes);
  }
  return std::nullopt;
}

std::optional<std::int64_t> ParseRate(std::string_view text) {
  if (!text.ends_with("/s")) return std::nullopt;
  return ParseSize(text.substr(0, text.size() - 2));
}

}  // namespace squall::scenarios
