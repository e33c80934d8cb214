#pragma once
// Text as it stands on a terminal: how many columns it takes, cut and padded to fit. UTF-8; what is
// not UTF-8 becomes U+FFFD.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace squall::reports {

// Bytes that cannot be shown or would move the cursor made harmless: control characters (ESC and C1
// included) as \x1b, broken UTF-8 as U+FFFD. Line breaks too: the result is one line.
std::string OneLine(std::string_view text);

// Columns on a terminal: 2 for wide characters (East Asian wide and fullwidth, emoji), 0 for
// combining ones, else 1. From the ranges of Unicode 15's EastAsianWidth.txt that matter; no locale
// needed.
std::size_t DisplayWidth(std::string_view text);

// At most `width` columns; what is cut ends in "...". A character is never split.
std::string Truncated(std::string_view text, std::size_t width);

// Truncated, then filled with spaces to exactly `width` columns.
std::string Padded(std::string_view text, std::size_t width);

// Lines of at most `width` columns, broken at spaces where there are any. Line breaks of the text
// stay. At least one line.
std::vector<std::string> Wrapped(std::string_view text, std::size_t width);

}  // namespace squall::reports
